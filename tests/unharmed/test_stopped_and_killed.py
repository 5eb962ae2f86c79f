"""Job control and SIGKILL while engines look on or hold: the process's parent sees what it always sees."""

from __future__ import annotations

import os
import signal
from functools import lru_cache
from pathlib import Path

import pytest
from unharmed_support import FIXED, Build, Holder, Program, Starter, leader, until

from gdbstub import Engine, Event, Process, Resume, SigInfo, Signal, Task, Tracer
from gdbstub.linux import procfs
from gdbstub.utrace.breakpoints import Breakpoint
from gdbstub.utrace.engine import Answer
from gdbstub.utrace.syscall import SyscallEntry
from gdbstub.utrace.task import Disposition


@pytest.fixture(scope="module")
def program(build: Build) -> Path:
    return build("unharmed_parent", *FIXED)


def start(starter: Starter, program: Path) -> tuple[Program, int]:
    """A parent that nobody traces, and the pid of its child, which waits for letters."""
    started = starter.untraced(program)
    until(lambda: started.has_written("\n"))
    child = int(started.text.split()[1])
    until(lambda: procfs.command_line(child)[1:] == ["child"] and state(child) == "S")
    return started, child


def state(pid: int) -> str:
    return procfs.stat(pid).state


def told(started: Program) -> str:
    """What the parent has told besides the pid."""
    return started.text.partition("\n")[2]


@lru_cache
def untraced(program: Path, what: str) -> str:
    starter = Starter()
    try:
        started, child = start(starter, program)
        play(started, child, what)
        started.finish()
        return told(started)
    finally:
        starter.close()


TELLS = {
    "exit": "exited",
    "raise": "stopped",
    "SIGSTOP": "stopped",
    "SIGTSTP": "stopped",
    "SIGCONT": "continued",
    "SIGTERM": "killed",
    "SIGKILL": "killed",
}
"""What the parent says of each."""


def play(started: Program, child: int, what: str, tracer: Tracer | None = None) -> None:
    """Do to the child what the words say, and wait until the parent has told of it."""
    for word in what.split():
        before = started.text.count(TELLS[word])
        if word == "exit":
            started.write("e")
        elif word == "raise":
            started.write("s")
        else:
            os.kill(child, getattr(signal, word))
        until(lambda word=word, before=before: has_told(started, word, before), tracer)  # type: ignore[misc]


def has_told(started: Program, word: str, before: int) -> bool:
    return started.has_written(TELLS[word]) and started.text.count(TELLS[word]) > before


def give_time(starter: Starter, program: Path, tracer: Tracer) -> None:
    """Wait as long as a child that nobody stops takes to start and to answer."""
    other, _ = start(starter, program)
    other.write("p")
    until(lambda: other.has_written("alive"), tracer)
    other.write("e")


class Onlooker(Engine):
    """Is told of everything and answers nothing."""

    events = Event.JCTL | Event.SIGNAL_ALL | Event.SYSCALL | Event.EXIT | Event.DEATH | Event.QUIESCE


PLAYS = [
    "exit",
    "SIGTERM",
    "SIGKILL",
    "SIGSTOP SIGCONT exit",
    "raise SIGCONT raise SIGCONT SIGTERM",
    "SIGTSTP SIGCONT exit",
    "SIGSTOP SIGKILL",
]


@pytest.mark.parametrize("engine", [Holder, Onlooker])
@pytest.mark.parametrize("what", PLAYS)
def test_the_parent_sees_the_same(
    starter: Starter, tracer: Tracer, program: Path, what: str, engine: type[Engine]
) -> None:
    started, child = start(starter, program)
    tracer.attach(child, [engine()])
    play(started, child, what, tracer)
    started.finish(tracer)
    assert told(started) == untraced(program, what)


def test_a_hold_is_no_stop_for_the_parent(starter: Starter, tracer: Tracer, program: Path) -> None:
    started, child = start(starter, program)
    holder = Holder()
    process = tracer.attach(child, [holder])
    for _ in range(5):
        holder.hold(tracer, leader(process))
        holder.let_go(process)
    play(started, child, "exit", tracer)
    started.finish(tracer)
    assert told(started) == untraced(program, "exit")


@pytest.mark.parametrize("held", [False, True], ids=["", "held meanwhile"])
def test_a_stopped_process_that_is_attached_and_left_stays_stopped(
    starter: Starter, tracer: Tracer, program: Path, held: bool
) -> None:
    started, child = start(starter, program)
    play(started, child, "SIGSTOP")
    holder = Holder()
    process = tracer.attach(child, [holder])
    if held:
        holder.hold(tracer, leader(process))
        holder.let_go(process)
    tracer.leave(process, holder)
    until(lambda: not tracer.processes, tracer)
    assert procfs.tracer(child) == 0
    until(lambda: state(child) == "T")
    play(started, child, "SIGCONT exit")
    started.finish()
    assert told(started) == untraced(program, "SIGSTOP SIGCONT exit")


def test_a_process_stopped_while_attached_stays_stopped_when_left(
    starter: Starter, tracer: Tracer, program: Path
) -> None:
    started, child = start(starter, program)
    holder = Holder()
    process = tracer.attach(child, [holder])
    play(started, child, "SIGSTOP", tracer)
    tracer.leave(process, holder)
    until(lambda: not tracer.processes, tracer)
    until(lambda: state(child) == "T")
    play(started, child, "SIGCONT exit")
    started.finish()
    assert told(started) == untraced(program, "SIGSTOP SIGCONT exit")


def test_a_stopped_process_does_not_run_while_it_is_traced(
    starter: Starter, tracer: Tracer, program: Path
) -> None:
    started, child = start(starter, program)
    tracer.attach(child, [Onlooker()])
    play(started, child, "SIGSTOP", tracer)
    started.write("p")
    give_time(starter, program, tracer)
    assert not started.has_written("alive")
    play(started, child, "SIGCONT", tracer)
    until(lambda: started.has_written("alive"), tracer)
    play(started, child, "exit", tracer)
    started.finish(tracer)
    assert told(started).replace("alive 0\n", "") == untraced(program, "SIGSTOP SIGCONT exit")


def test_a_held_stopped_process_does_not_run_when_it_is_let_go(
    starter: Starter, tracer: Tracer, program: Path
) -> None:
    started, child = start(starter, program)
    holder = Holder()
    process = tracer.attach(child, [holder])
    play(started, child, "SIGSTOP", tracer)
    holder.hold(tracer, leader(process))
    holder.let_go(process)
    started.write("p")
    give_time(starter, program, tracer)
    assert not started.has_written("alive")
    play(started, child, "SIGCONT", tracer)
    until(lambda: started.has_written("alive"), tracer)
    play(started, child, "exit", tracer)
    started.finish(tracer)
    assert told(started).replace("alive 0\n", "") == untraced(program, "SIGSTOP SIGCONT exit")


class HoldAt(Engine):
    """Holds at the first event of its kind."""

    def __init__(self, events: int) -> None:
        self.events = events
        self.there = False

    def stay(self) -> Answer:
        self.there = True
        return Resume.STOP

    def report_syscall_entry(self, task: Task, action: int, call: SyscallEntry) -> Answer:
        return self.stay()

    def report_syscall_exit(self, task: Task, action: int, call: object) -> Answer:
        return self.stay()

    def report_exit(self, task: Task, action: int, code: int) -> Answer:
        return self.stay()

    def report_signal(
        self, task: Task, action: int, info: SigInfo, disposition: Disposition | None
    ) -> Answer:
        self.there = True
        return Resume.STOP | Signal.IGN

    def report_breakpoint(self, task: Task, action: int, breakpoint: Breakpoint) -> Answer:
        return self.stay()

    def report_step(self, task: Task, action: int, kind: int) -> Answer:
        return self.stay()

    def report_jctl(self, task: Task, action: int, kind: object, notify: int) -> Answer:
        return self.stay()


HELD_AT = {
    "system call entry": (Event.SYSCALL_ENTRY, "p"),
    "system call exit": (Event.SYSCALL_EXIT, "p"),
    "signal": (Event.SIGNAL_TERM, "SIGTERM"),
    "stop signal": (Event.SIGNAL_STOP, "SIGTSTP"),
    "job control": (Event.JCTL, "SIGSTOP"),
    "breakpoint": (Event.BREAKPOINT, "p"),
    "interruption": (0, ""),
}


def bring_to_hold(tracer: Tracer, started: Program, process: Process, engine: HoldAt, how: str) -> None:
    task = leader(process)
    if engine.events == Event.BREAKPOINT:
        returns_to = procfs.current_syscall(process.pid).pc
        process.address_space.breakpoints.insert(engine, returns_to)
    if how == "p":
        started.write("p")
    elif how:
        os.kill(process.pid, getattr(signal, how))
    else:
        Holder.hold(engine, tracer, task)  # type: ignore[arg-type]
        return
    until(lambda: engine.there and task.held, tracer)


@pytest.mark.parametrize("end", ["kill", "Tracer.kill", "leave and kill"])
@pytest.mark.parametrize("where", HELD_AT)
def test_sigkill_ends_a_held_process(
    starter: Starter, tracer: Tracer, program: Path, where: str, end: str
) -> None:
    events, how = HELD_AT[where]
    started, child = start(starter, program)
    engine = HoldAt(events)
    process = tracer.attach(child, [engine])
    bring_to_hold(tracer, started, process, engine, how)
    if end == "leave and kill":
        tracer.leave(process, engine)
    if end == "Tracer.kill":
        tracer.kill(process)
    else:
        os.kill(child, signal.SIGKILL)
    until(lambda: not tracer.processes, tracer)
    started.finish(tracer)
    assert "killed 9" in told(started)


def test_a_process_held_at_its_exit_ends_once_it_is_let_go(
    starter: Starter, tracer: Tracer, program: Path
) -> None:
    """SIGKILL cannot break this hold, and changes nothing of how the process ends."""
    started, child = start(starter, program)
    engine = HoldAt(Event.EXIT)
    process = tracer.attach(child, [engine])
    started.write("e")
    until(lambda: engine.there and leader(process).held, tracer)
    os.kill(child, signal.SIGKILL)
    tracer.leave(process, engine)
    until(lambda: not tracer.processes, tracer)
    started.finish(tracer)
    assert told(started) == untraced(program, "exit")


def test_a_killed_process_is_not_held_at_its_exit(starter: Starter, tracer: Tracer, program: Path) -> None:
    started, child = start(starter, program)
    engine = HoldAt(Event.EXIT)
    tracer.attach(child, [engine])
    until(lambda: state(child) == "S", tracer)
    os.kill(child, signal.SIGKILL)
    until(lambda: not tracer.processes, tracer)
    assert engine.there
    started.finish(tracer)
    assert told(started) == untraced(program, "SIGKILL")

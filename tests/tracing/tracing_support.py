"""What the tests of the Python API on real processes have in common."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

import gdbstub
from gdbstub import Engine, Event, Follow, Launch, Process, Resume, Task, Tracer
from gdbstub.linux import procfs
from gdbstub.utrace.engine import Answer

Build = Callable[..., Path]
Processes = list[subprocess.Popen[bytes]]
PATIENCE = 30.0
"""Seconds after which something that should happen is taken not to."""
FIXED = ("-no-pie",)
"""Compiler options with which the addresses in the file are those in memory."""
BARE = ("-no-pie", "-static", "-nostdlib")
"""Compiler options of a program that consists of its own instructions alone."""

EVENTS = (
    Event.CLONE
    | Event.EXEC
    | Event.EXIT
    | Event.DEATH
    | Event.REAP
    | Event.SYSCALL
    | Event.SIGNAL_ALL
    | Event.JCTL
    | Event.VFORK_DONE
)


def until(tracer: Tracer, condition: Callable[[], bool]) -> None:
    """Drive the tracer until a condition holds, which it has to; it need not be the tracer's doing."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        tracer.step(0.01)


def symbols(program: Path) -> dict[str, int]:
    """The addresses of a program's symbols."""
    with open(program, "rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        return {symbol.name: symbol["st_value"] for symbol in table.iter_symbols()}


def leader(process: Process) -> Task:
    """The process's first task."""
    task = process.leader
    assert task is not None
    return task


def state(tid: int) -> str:
    """The letter that /proc/TID/stat has for what a task does."""
    return procfs.stat(tid).state


class Output:
    """What a program writes into a pipe, collected by the tracer's loop."""

    def __init__(self, tracer: Tracer, descriptor: int) -> None:
        self.text = ""
        self.ended = False
        self._tracer = tracer
        self._read = descriptor
        tracer.add_reader(descriptor, self._more)

    def _more(self) -> None:
        part = os.read(self._read, 4096)
        self.text += part.decode()
        if not part:
            self.ended = True
            self._tracer.remove_reader(self._read)
            os.close(self._read)


def launch(
    tracer: Tracer, program: Path | str, *arguments: str, engines: Iterable[Engine] = ()
) -> tuple[Process, Output]:
    """Start a program with its output at hand."""
    reading, writing = os.pipe()
    output = Output(tracer, reading)
    process = tracer.launch(Launch([str(program), *arguments], descriptors={1: writing}), engines)
    os.close(writing)
    return process, output


def finish(tracer: Tracer, output: Output) -> str:
    """Go on until nothing is traced any more; all that the program wrote."""
    until(tracer, lambda: not tracer.processes and output.ended)
    return output.text


def run(tracer: Tracer, program: Path | str, *arguments: str, engines: Iterable[Engine] = ()) -> str:
    """Run a program to its end; all that it wrote."""
    _, output = launch(tracer, program, *arguments, engines=engines)
    return finish(tracer, output)


def start(processes: Processes, program: Path | str, *arguments: str) -> tuple[subprocess.Popen[bytes], str]:
    """Start a program without tracing it; its first line of output."""
    process = subprocess.Popen(
        [str(program), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=unblock_child_signal,
    )
    processes.append(process)
    return process, read_line(process)


def unblock_child_signal() -> None:
    """In a new process: SIGCHLD as it was before this thread had a tracer."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})


def read_line(process: subprocess.Popen[bytes]) -> str:
    """The next line that an untraced program writes."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "the program ended"
    return line.decode().rstrip("\n")


class Report(NamedTuple):
    """One callback of one engine."""

    event: str
    engine: str
    tid: int
    detail: Any = None


class Recorder(Engine):
    """Notes every callback in a list that it may share with others."""

    def __init__(self, name: str, log: list[Report], events: int = EVENTS) -> None:
        self.name = name
        self.log = log
        self.events = events

    def note(self, event: str, task: Task, detail: Any = None) -> Answer:
        self.log.append(Report(event, self.name, task.tid, detail))
        return None

    def report_quiesce(self, task: Task, action: int, event: int) -> Answer:
        return self.note("quiesce", task, event)

    def report_signal(
        self, task: Task, action: int, info: gdbstub.SigInfo, disposition: gdbstub.Disposition | None
    ) -> Answer:
        return self.note("signal", task, info.number)

    def report_clone(self, task: Task, action: int, flags: int, child: Task) -> Answer:
        return self.note("clone", task, child.tid)

    def report_jctl(self, task: Task, action: int, kind: gdbstub.Jctl, notify: int) -> Answer:
        return self.note("jctl", task, kind)

    def report_exec(self, task: Task, action: int, program: Any) -> Answer:
        return self.note("exec", task, program.path)

    def report_syscall_entry(self, task: Task, action: int, call: Any) -> Answer:
        return self.note("syscall_entry", task, call.number)

    def report_syscall_exit(self, task: Task, action: int, call: Any) -> Answer:
        return self.note("syscall_exit", task, call.number)

    def report_exit(self, task: Task, action: int, code: int) -> Answer:
        return self.note("exit", task, code)

    def report_death(self, task: Task, group_dead: bool, signal: int) -> Answer:
        return self.note("death", task, group_dead)

    def report_reap(self, task: Task) -> None:
        self.note("reap", task)

    def report_breakpoint(self, task: Task, action: int, breakpoint: Any) -> Answer:
        return self.note("breakpoint", task, breakpoint.address)

    def report_watchpoint(self, task: Task, action: int, watchpoint: Any) -> Answer:
        return self.note("watchpoint", task, watchpoint.address)

    def report_step(self, task: Task, action: int, kind: int) -> Answer:
        return self.note("step", task, task.registers.pc)

    def report_extension(self, task: Task, action: int, event: int, payload: Any) -> Answer:
        return self.note("extension", task, payload)

    def report_vfork_done(self, task: Task, action: int) -> Answer:
        return self.note("vfork_done", task)


class Holder(Engine):
    """Holds a program's first task before its first instruction, at its breakpoints and after its steps."""

    follow = Follow.NOTHING
    events = Event.QUIESCE | Event.BREAKPOINT | Event.STEP

    def attached(self, task: Task) -> None:
        hold(task, self)

    def report_quiesce(self, task: Task, action: int, event: int) -> Answer:
        return None if event else Resume.STOP

    def report_breakpoint(self, task: Task, action: int, breakpoint: Any) -> Answer:
        return Resume.STOP

    def report_step(self, task: Task, action: int, kind: int) -> Answer:
        return Resume.STOP


class Visitor(Engine):
    """Counts the hits of a breakpoint that it sets in each process."""

    events = int(Event.BREAKPOINT)

    def __init__(self, address: int) -> None:
        self.address = address
        self.hits = 0

    def attached(self, task: Task) -> None:
        breakpoints = task.process.address_space.breakpoints
        if not breakpoints.of(self):
            breakpoints.insert(self, self.address)

    def report_breakpoint(self, task: Task, action: int, breakpoint: Any) -> Answer:
        self.hits += 1
        return None


def hold(task: Task, engine: Engine) -> None:
    """Have an engine hold a task at its next safe point."""
    with contextlib.suppress(gdbstub.InProgress):
        gdbstub.control(task, engine, Resume.STOP)


def resume(task: Task, engine: Engine) -> None:
    """End an engine's hold."""
    gdbstub.control(task, engine, Resume.RESUME)


def held(tracer: Tracer, task: Task) -> None:
    """Wait until a task is held."""
    until(tracer, lambda: task.held)


def run_to(tracer: Tracer, task: Task, holder: Holder, address: int) -> None:
    """Run a task that a `Holder` holds up to an address."""
    breakpoints = task.process.address_space.breakpoints
    breakpoint = breakpoints.insert(holder, address)
    resume(task, holder)
    held(tracer, task)
    breakpoints.remove(breakpoint)
    assert task.registers.pc == address


def waits_unharmed(pid: int) -> bool:
    return procfs.tracer(pid) == 0 and all(state(tid) == "S" for tid in procfs.tasks(pid))

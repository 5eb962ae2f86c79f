"""What is left of us when engines go, raise, or the tracer is closed: nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from unharmed_debugger import descriptors
from unharmed_support import (
    FIXED,
    Build,
    Hits,
    Program,
    Starter,
    changed_text,
    plain_run,
    symbols,
    until,
)

from gdbstub import Engine, Event, Process, Resume, Task, Tracer
from gdbstub.linux import procfs
from gdbstub.utrace.breakpoints import Breakpoint
from gdbstub.utrace.engine import Answer
from gdbstub.utrace.watchpoints import Watchpoint


class Everything(Hits):
    """Has breakpoints and watchpoints, and steps where it is told to."""

    events = Event.BREAKPOINT | Event.WATCHPOINT | Event.SYSCALL | Event.STEP | Event.QUIESCE

    def __init__(self) -> None:
        super().__init__()
        self.written = 0
        self.steps = 0
        self.raises = False

    def report_watchpoint(self, task: Task, action: int, watchpoint: Watchpoint) -> Answer:
        self.written += 1
        return None

    def report_breakpoint(self, task: Task, action: int, breakpoint: Breakpoint) -> Answer:
        super().report_breakpoint(task, action, breakpoint)
        if self.raises:
            raise ZeroDivisionError("on purpose")
        return Resume.SINGLESTEP

    def report_step(self, task: Task, action: int, kind: int) -> Answer:
        self.steps += 1
        return Resume.SINGLESTEP


@pytest.fixture(scope="module")
def parent_program(build: Build) -> Path:
    return build("unharmed_parent", *FIXED)


@pytest.fixture(scope="module")
def hammer(build: Build) -> Path:
    return build("unharmed_hammer", *FIXED)


def start_child(starter: Starter, program: Path) -> tuple[Program, int]:
    started = starter.untraced(program)
    until(lambda: started.has_written("\n"))
    child = int(started.text.split()[1])
    until(lambda: procfs.command_line(child)[1:] == ["child"] and procfs.stat(child).state == "S")
    return started, child


def check_untouched(pid: int) -> None:
    assert changed_text(pid) == []
    assert {procfs.tracer(tid) for tid in procfs.tasks(pid)} == {0}


def watch(process: Process, engine: Engine, program: Path) -> None:
    process.watchpoints.insert(engine, "write", symbols(program)["watched"], 8)


@pytest.mark.parametrize("way", ["leave", "close", "raise"])
def test_a_watchpoint_does_not_fire_afterwards(starter: Starter, parent_program: Path, way: str) -> None:
    """A debug register that is still set would end the program by SIGTRAP."""
    started, child = start_child(starter, parent_program)
    before = os.sched_getaffinity(child)
    engine = Everything()
    with Tracer() as tracer:
        tracer.on_engine_error = lambda task, engine, error: None
        process = tracer.attach(child, [engine])
        watch(process, engine, parent_program)
        started.write("w")
        until(lambda: started.has_written("alive 1"), tracer)
        assert engine.written == 1
        if way == "leave":
            tracer.leave(process, engine)
        elif way == "raise":
            engine.raises = True
            until(lambda: procfs.stat(child).state == "S", tracer)
            hits = procfs.current_syscall(child).pc
            engine.insert(process, returns=hits)
            started.write("p")
        if way != "close":
            until(lambda: not tracer.processes, tracer)
    check_untouched(child)
    assert os.sched_getaffinity(child) == before
    started.write("w")
    until(lambda: started.has_written("alive 2"))
    started.write("e")
    assert started.finish().endswith("exited 3\n1 signals: 1\n")


@pytest.mark.parametrize("way", ["leave", "close", "raise"])
def test_threads_that_step_and_hit_run_on(starter: Starter, hammer: Path, way: str) -> None:
    """A step that was under way would end the program by SIGTRAP, and so would a breakpoint."""
    started = starter.untraced(hammer, "6", "0")
    until(lambda: started.has_written("ready"))
    until(lambda: len(procfs.tasks(started.pid)) == 7)
    before = [os.sched_getaffinity(tid) for tid in procfs.tasks(started.pid)]
    for _ in range(5):
        engine = Everything()
        with Tracer() as tracer:
            tracer.on_engine_error = lambda task, engine, error: None
            process = tracer.attach(started.pid, [engine])
            engine.insert(process, work=symbols(hammer)["work"])
            until(lambda engine=engine: engine.steps > 50, tracer)  # type: ignore[misc]
            if way == "leave":
                tracer.leave(process, engine)
            engine.raises = way == "raise"
            if way != "close":
                until(lambda tracer=tracer: not tracer.processes, tracer)  # type: ignore[misc]
        check_untouched(started.pid)
    assert [os.sched_getaffinity(tid) for tid in procfs.tasks(started.pid)] == before
    started.write("x")
    assert started.finish().endswith(" calls\n")
    assert len(started.text.splitlines()) == 2


def test_other_engines_stay_when_one_raises(starter: Starter, hammer: Path) -> None:
    bad, good = Everything(), Hits()
    bad.raises = True
    errors: list[Exception] = []
    with Tracer() as tracer:
        tracer.on_engine_error = lambda task, engine, error: errors.append(error)
        process, started = starter.traced(tracer, hammer, "20", "10", engines=[bad, good])
        for engine in (bad, good):
            engine.insert(process, work=symbols(hammer)["work"])
        started.go()
        assert started.finish(tracer) == "ready\n200 calls\n"
    assert good.total == 200
    assert bad.total == 1
    assert [type(error) for error in errors] == [ZeroDivisionError]


def test_a_launched_program_starts_as_ever(starter: Starter, build: Build) -> None:
    program = build("unharmed_start")
    with Tracer() as tracer:
        _, started = starter.traced(tracer, program, engines=[Everything()])
        started.go()
        traced = started.finish(tracer)
    assert traced == plain_run(program)
    assert "SIGCHLD blocked 0\n" in traced


def test_a_tracer_leaves_no_descriptor_open(starter: Starter, hammer: Path) -> None:
    started = starter.untraced(hammer, "2", "0")
    until(lambda: started.has_written("ready"))
    before = descriptors()
    for _ in range(2):
        with Tracer() as tracer:
            engine = Everything()
            engine.insert(tracer.attach(started.pid, [engine]), work=symbols(hammer)["work"])
            until(lambda engine=engine: engine.total > 0, tracer)  # type: ignore[misc]
        assert descriptors() == before
    started.write("x")
    started.finish()


def test_closing_kills_what_was_launched(starter: Starter, hammer: Path) -> None:
    with Tracer() as tracer:
        process, started = starter.traced(tracer, hammer, "20", "0", engines=[Everything()])
        started.go()
        until(lambda: started.has_written("ready"), tracer)
    assert started.has_ended()
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)

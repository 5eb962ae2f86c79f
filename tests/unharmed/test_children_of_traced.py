"""What a traced process forks: children that nobody follows run clean, and those that are followed do not."""

from __future__ import annotations

from pathlib import Path

import pytest
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

from gdbstub import Engine, Event, Follow, Process, Task, Tracer
from gdbstub.linux import procfs
from gdbstub.utrace.engine import Answer


@pytest.fixture(scope="module")
def program(build: Build) -> Path:
    return build("unharmed_children", *FIXED)


def child_of(started: Program) -> int:
    """The child's pid, from what the parent says."""
    line = next(line for line in started.text.splitlines() if line.startswith("parent of"))
    return int(line.split()[-1])


def trace(
    starter: Starter, tracer: Tracer, program: Path, how: str, hits: Hits, *others: Engine
) -> tuple[Process, Program]:
    process, started = starter.traced(tracer, program, how, engines=[hits, *others])
    hits.insert(process, shared=symbols(program)["shared"])
    started.go()
    return process, started


def test_a_child_that_nobody_follows_runs_clean(starter: Starter, tracer: Tracer, program: Path) -> None:
    hits = Hits()
    process, started = trace(starter, tracer, program, "fork", hits)
    until(lambda: started.has_written("parent of"), tracer)
    until(lambda: started.has_written("child "), tracer)
    child = child_of(started)
    assert procfs.tracer(child) == 0
    assert procfs.tracer(process.pid) != 0
    assert changed_text(child) == []
    assert changed_text(process.pid) != []
    started.write("x")
    assert started.finish(tracer).endswith("child exited 4, count 3\n")
    assert hits.of_task == {process.pid: 3}


def test_a_child_that_is_followed_keeps_the_breakpoints(
    starter: Starter, tracer: Tracer, program: Path
) -> None:
    hits = Hits()
    hits.follow = Follow.ALL
    process, started = trace(starter, tracer, program, "fork", hits)
    until(lambda: started.has_written("parent of") and started.has_written("child "), tracer)
    child = child_of(started)
    assert procfs.tracer(child) != 0
    tracer.leave(process, hits)
    until(lambda: process.pid not in tracer.processes, tracer)
    assert changed_text(process.pid) == []
    assert changed_text(child) != []
    started.write("x")
    assert started.finish(tracer).endswith("child exited 4, count 3\n")
    assert hits.of_task == {process.pid: 2, child: 3}


@pytest.mark.parametrize("follow", [Follow.THREADS, Follow.ALL])
def test_a_vfork_child_shares_the_memory_and_the_breakpoints(
    starter: Starter, tracer: Tracer, program: Path, follow: Follow
) -> None:
    """It runs into its parent's breakpoints, and passes them."""
    hits = Hits()
    hits.follow = follow
    process, started = trace(starter, tracer, program, "vfork", hits)
    assert started.finish(tracer) == "child exited 4, count 6\n" == plain_run(program, "vfork")
    assert hits.of_task[process.pid] == 3
    of_child = sum(count for tid, count in hits.of_task.items() if tid != process.pid)
    assert of_child == (3 if follow is Follow.ALL else 0)


def test_a_vfork_child_that_nobody_follows_is_let_go_when_it_execs(
    starter: Starter, tracer: Tracer, program: Path
) -> None:
    hits = Hits()
    process, started = trace(starter, tracer, program, "vfork_exec", hits)
    until(lambda: started.has_written("parent of"), tracer)
    child = child_of(started)
    until(lambda: procfs.tracer(child) == 0, tracer)
    assert changed_text(child) == []
    started.write("hello\n")
    started.close_input()
    assert started.finish(tracer).endswith("hello\nchild exited 0, count 3\n")
    assert hits.of_task == {process.pid: 3}


class Forks(Engine):
    """Leaves the parent as soon as it has forked."""

    events = Event.CLONE

    def __init__(self, tracer: Tracer, *others: Engine) -> None:
        self.tracer = tracer
        self.others = others

    def report_clone(self, task: Task, action: int, flags: int, child: Task) -> Answer:
        for engine in (*self.others, self):
            self.tracer.leave(task.process, engine)
        return None


@pytest.mark.parametrize("how", ["fork", "vfork"])
def test_engines_that_leave_in_the_middle_of_a_fork_leave_both_clean(
    starter: Starter, tracer: Tracer, program: Path, how: str
) -> None:
    hits = Hits()
    process, started = trace(starter, tracer, program, how, hits, forks := Forks(tracer, hits))
    assert forks.others == (hits,)
    until(lambda: not tracer.processes, tracer)
    if how == "fork":
        until(lambda: started.has_written("parent of") and started.has_written("child "))
        assert changed_text(child_of(started)) == []
        assert changed_text(process.pid) == []
        started.write("x")
    expected = "child exited 4, count 3\n" if how == "fork" else "child exited 4, count 6\n"
    assert started.finish().endswith(expected)
    assert hits.of_task == {process.pid: 1}


@pytest.mark.parametrize("follow", [Follow.THREADS, Follow.ALL])
@pytest.mark.parametrize("call", ["fork", "vfork", "clone"])
def test_a_breakpoint_at_the_very_call_that_forks(
    starter: Starter, tracer: Tracer, build: Build, call: str, follow: Follow
) -> None:
    """The child begins where its parent's call was really made: in the relocated instruction."""
    program = build("unharmed_calls", *FIXED)
    hits = Hits()
    hits.follow = follow
    names = symbols(program)
    process, started = starter.traced(tracer, program, call, engines=[hits])
    hits.insert(process, call=names["at_syscall"], after=names["at_return"], shared=names["shared_function"])
    started.go()
    assert started.finish(tracer) == plain_run(program, call)
    until(lambda: not tracer.processes, tracer)
    assert hits.of_task[process.pid] == 3
    assert hits.of_place["call"] == 1
    of_child = hits.total - 3
    assert of_child == (2 if follow is Follow.ALL else 0)

"""Processes whose leader is not what it was: exec by another thread, and a leader that exits first."""

from __future__ import annotations

from pathlib import Path

import pytest
from unharmed_support import (
    FIXED,
    Build,
    Hits,
    Holder,
    Starter,
    changed_text,
    leader,
    plain_run,
    symbols,
    until,
)

from gdbstub import Engine, Event, Task, Tracer
from gdbstub.linux import procfs
from gdbstub.utrace.engine import Answer
from gdbstub.utrace.task import Program as ExecutedProgram


class Lives(Engine):
    """Which tasks came, executed and ended."""

    events = Event.EXEC | Event.EXIT | Event.DEATH | Event.CLONE

    def __init__(self) -> None:
        self.came: list[int] = []
        self.execs: list[tuple[int, int]] = []
        self.deaths: list[int] = []
        self.released: list[int] = []

    def attached(self, task: Task) -> None:
        self.came.append(task.tid)

    def report_exec(self, task: Task, action: int, program: ExecutedProgram) -> Answer:
        self.execs.append((task.tid, program.former_tid))
        assert list(task.process.tasks.values()) == [task]
        return None

    def report_death(self, task: Task, group_dead: bool, signal: int) -> Answer:
        self.deaths.append(task.tid)
        return None

    def release(self, task: Task) -> None:
        self.released.append(task.tid)


@pytest.fixture(scope="module")
def program(build: Build) -> Path:
    return build("unharmed_threads", *FIXED)


@pytest.mark.parametrize("how", ["exec", "leader_exec"])
def test_exec_by_another_thread_is_one_exec(
    starter: Starter, tracer: Tracer, program: Path, how: str
) -> None:
    lives, hits = Lives(), Hits()
    process, started = starter.traced(tracer, program, how, engines=[lives, hits])
    hits.insert(process, usleep=symbols(program)["execute"])
    started.go()
    assert started.finish(tracer) == plain_run(program, how) == "ready\nexecuted by 1\n"
    until(lambda: not tracer.processes, tracer)
    former = lives.came[1]
    assert lives.came[0] == process.pid
    assert lives.execs == [(process.pid, former)]
    # The leader ends, and the thread that called exec ends in its place.
    assert sorted(lives.deaths) == sorted([process.pid, *lives.came[2:], process.pid])
    assert sorted(lives.released) == sorted(lives.deaths)
    assert hits.of_task == {former: 1}


def test_a_held_thread_does_not_hang_an_exec(starter: Starter, tracer: Tracer, program: Path) -> None:
    lives, holder = Lives(), Holder()
    process, started = starter.traced(tracer, program, "exec", engines=[lives, holder])
    holder.hold(tracer, leader(process))
    started.go()
    holder.let_go(process)
    until(lambda: len(process.tasks) == 2, tracer)
    # The leader stands still; exec kills it.
    holder.hold(tracer, leader(process))
    holder.let_go(process)
    assert started.finish(tracer) == "ready\nexecuted by 1\n"
    assert len(lives.execs) == 1


@pytest.mark.parametrize("when", ["held", "running"])
def test_a_process_without_its_leader_is_let_go(
    starter: Starter, tracer: Tracer, program: Path, when: str
) -> None:
    started = starter.untraced(program, "leader")
    until(lambda: started.has_written("leader gone"))
    holder, hits = Holder(), Hits()
    process = tracer.attach(started.pid, [hits, holder])
    hits.insert(process, usleep=symbols(program)["thread"])
    if when == "held":
        for task in [task for task in process.tasks.values() if task.tid != process.pid]:
            holder.hold(tracer, task)
    tracer.leave(process, holder)
    tracer.leave(process, hits)
    until(lambda: not tracer.processes, tracer)
    tids = [tid for tid in procfs.tasks(started.pid) if tid != started.pid]
    assert {procfs.tracer(tid) for tid in tids} == {0}
    assert changed_text(tids[0]) == []
    started.write("x")
    assert started.finish() == "ready\nleader gone\nlast thread\n"


def test_a_leader_that_exits_first_is_followed_to_the_end(
    starter: Starter, tracer: Tracer, program: Path
) -> None:
    lives = Lives()
    process, started = starter.traced(tracer, program, "leader", engines=[lives])
    started.go()
    until(lambda: started.has_written("leader gone"), tracer)
    started.write("x")
    assert started.finish(tracer) == "ready\nleader gone\nlast thread\n"
    until(lambda: not tracer.processes, tracer)
    assert lives.deaths[-1] == process.pid
    assert sorted(lives.deaths) == sorted(lives.came) == sorted(lives.released)


def test_leaving_while_the_leader_exits_hangs_nowhere(
    starter: Starter, tracer: Tracer, program: Path
) -> None:
    lives = Lives()
    process, started = starter.traced(tracer, program, "leader", engines=[lives])
    started.go()
    until(lambda: started.has_written("leader gone"), tracer)
    tracer.leave(process, lives)
    until(lambda: not tracer.processes, tracer)
    started.write("x")
    assert started.finish(tracer) == "ready\nleader gone\nlast thread\n"

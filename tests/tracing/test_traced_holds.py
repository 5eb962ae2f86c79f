"""Holds of several engines on one task, and SIGKILL, which no hold stands against."""

from __future__ import annotations

import os
import signal

import pytest
from tracing_support import (
    Build,
    Holder,
    Processes,
    Recorder,
    Report,
    finish,
    held,
    hold,
    launch,
    leader,
    read_line,
    resume,
    start,
    state,
    until,
)

import gdbstub
from gdbstub import Event, Tracer
from gdbstub.linux import procfs
from gdbstub.linux.wait import Killed
from gdbstub.utrace.engine import Answer

DEATHS = Event.DEATH | Event.REAP


def test_a_task_runs_when_the_last_hold_ends(tracer: Tracer, build: Build) -> None:
    first, second = Holder(), Holder()
    process, output = launch(tracer, build("traced_wait"), engines=[first, second])
    task = leader(process)
    held(tracer, task)
    assert state(task.tid) == "t"
    resume(task, first)
    assert task.held
    assert state(task.tid) == "t"
    resume(task, second)
    assert not task.held
    until(tracer, lambda: output.text == "ready\n" and state(task.tid) == "S")

    for engine in (second, first):
        with pytest.raises(gdbstub.InProgress):
            gdbstub.control(task, engine, gdbstub.Resume.STOP)
    held(tracer, task)
    gdbstub.control(task, first, gdbstub.Resume.STOP)
    tracer.leave(process, second)
    assert state(task.tid) == "t"
    tracer.leave(process, first)
    until(tracer, lambda: not tracer.processes)
    until(tracer, lambda: state(process.pid) == "S")
    assert procfs.tracer(process.pid) == 0
    os.kill(process.pid, signal.SIGKILL)
    os.waitpid(process.pid, 0)


@pytest.mark.parametrize("threads", [0, 3])
def test_a_kill_of_a_launched_process_ends_it_in_spite_of_holds(
    tracer: Tracer, build: Build, threads: int
) -> None:
    log: list[Report] = []
    engines = [Recorder("A", log, DEATHS), Recorder("B", log, DEATHS)]
    process, output = launch(tracer, build("traced_wait"), str(threads), engines=engines)
    until(tracer, lambda: output.text == "ready\n")
    tasks = list(process.tasks.values())
    assert len(tasks) == 1 + threads
    for task in tasks:
        for engine in engines:
            hold(task, engine)
    until(tracer, lambda: all(task.held for task in tasks))
    os.kill(process.pid, signal.SIGKILL)
    finish(tracer, output)
    for task in tasks:
        told = [(report.event, report.engine) for report in log if report.tid == task.tid]
        assert told == [("death", "A"), ("death", "B"), ("reap", "A"), ("reap", "B")]
    group_dead = [report.detail for report in log if report.event == "death"]
    assert group_dead == [False] * 2 * threads + [True] * 2
    assert process.outcome == Killed(signal.SIGKILL, core_dumped=False)
    assert not os.path.exists(f"/proc/{process.pid}")


def test_the_reap_of_an_attached_process_is_told_when_its_parent_collects_it(
    tracer: Tracer, build: Build, processes: Processes
) -> None:
    parent, line = start(processes, build("traced_late_reaper"))
    pid = int(line)
    log: list[Report] = []
    engines = [Recorder("A", log, DEATHS), Recorder("B", log, DEATHS)]
    process = tracer.attach(pid, engines)
    task = leader(process)
    for engine in engines:
        hold(task, engine)
    held(tracer, task)
    os.kill(pid, signal.SIGKILL)
    until(tracer, lambda: not tracer.processes)
    assert state(pid) == "Z"
    tracer.step()
    assert [(report.event, report.engine) for report in log] == [("death", "A"), ("death", "B")]

    assert parent.stdin is not None
    parent.stdin.write(b"\n")
    parent.stdin.flush()
    until(tracer, lambda: len(log) > 2)
    assert [(report.event, report.engine) for report in log[2:]] == [("reap", "A"), ("reap", "B")]
    assert read_line(parent) == "0x9"


class Leaving(Recorder):
    """Is not interested in more than the death."""

    def report_death(self, task: gdbstub.Task, group_dead: bool, signal: int) -> Answer:
        super().report_death(task, group_dead, signal)
        return gdbstub.Resume.DETACH


def test_an_engine_that_leaves_at_the_death_is_not_told_of_the_reap(tracer: Tracer, build: Build) -> None:
    log: list[Report] = []
    engines = [Leaving("A", log, DEATHS), Recorder("B", log, DEATHS)]
    process, output = launch(tracer, build("traced_wait"), engines=engines)
    tracer.kill(process)
    finish(tracer, output)
    assert [(report.event, report.engine) for report in log] == [
        ("death", "A"),
        ("death", "B"),
        ("reap", "B"),
    ]

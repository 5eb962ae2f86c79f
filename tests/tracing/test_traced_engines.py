"""Engines that come and go while a real process runs."""

from __future__ import annotations

import errno
import os
import random
import signal
from pathlib import Path

import pytest
from tracing_support import (
    Build,
    Holder,
    Processes,
    Recorder,
    Visitor,
    finish,
    held,
    hold,
    launch,
    leader,
    resume,
    start,
    state,
    symbols,
    until,
    waits_unharmed,
)

import gdbstub
from gdbstub import Engine, Event, Follow, Resume, Task, Tracer
from gdbstub.linux.wait import Exited
from gdbstub.utrace.engine import Answer

FOREVER = str(1 << 60)


def test_children_without_threads(tracer: Tracer, build: Build) -> None:
    class ChildrenOnly(Recorder):
        follow = Follow.CHILDREN

    engine = ChildrenOnly("children", [], Event.CLONE | Event.EXIT)
    process, output = launch(tracer, build("traced_life"), engines=[engine])
    until(tracer, lambda: state(process.pid) in "tT" and len(engine.log) == 5)
    tracer.kill(process)
    finish(tracer, output)
    forked, vforked, thread = [report.detail for report in engine.log if report.event == "clone"]
    ended = [report.tid for report in engine.log if report.event == "exit"]
    assert ended == [forked, vforked, process.pid]
    assert thread not in ended


@pytest.mark.parametrize("way", ["fork", "vfork and exec"])
def test_a_child_that_nobody_follows_is_not_traced(tracer: Tracer, build: Build, way: str) -> None:
    forks = build("traced_late_reaper"), ()
    vforks = build("traced_vfork"), (build("traced_sleep"),)
    program, arguments = forks if way == "fork" else vforks
    engine = Recorder("parent", [], Event.CLONE)
    process, output = launch(tracer, program, *map(str, arguments), engines=[engine])
    until(tracer, lambda: len(output.text.splitlines()) == 1 + len(arguments))
    (child,) = [report.detail for report in engine.log]
    assert str(child) in output.text.split()
    until(tracer, lambda: list(tracer.processes) == [process.pid] and waits_unharmed(child))
    os.kill(child, signal.SIGKILL)
    tracer.kill(process)
    finish(tracer, output)


@pytest.mark.parametrize("first_to_leave", [0, 1])
def test_two_attach_and_leave_in_any_order(
    tracer: Tracer, build: Build, processes: Processes, first_to_leave: int
) -> None:
    waiting, _ = start(processes, build("traced_wait"), "2")
    engines = [Recorder("A", [], Event.SIGNAL_ALL), Recorder("B", [], Event.SIGNAL_ALL)]
    process = tracer.attach(waiting.pid, engines[:1])
    assert tracer.attach(waiting.pid, engines[1:]) is process
    assert len(process.tasks) == 3
    assert list(process.engines) == engines

    os.kill(waiting.pid, signal.SIGCHLD)
    until(tracer, lambda: all(len(engine.log) == 1 for engine in engines))
    leaver, stayer = engines[first_to_leave], engines[1 - first_to_leave]
    tracer.leave(process, leaver)
    os.kill(waiting.pid, signal.SIGCHLD)
    until(tracer, lambda: len(stayer.log) == 2)
    assert len(leaver.log) == 1
    tracer.leave(process, stayer)
    until(tracer, lambda: not tracer.processes)
    until(tracer, lambda: waits_unharmed(waiting.pid))


def test_one_that_comes_while_the_last_is_leaving(tracer: Tracer, build: Build, processes: Processes) -> None:
    waiting, _ = start(processes, build("traced_wait"), "2")
    first, second = Recorder("A", [], Event.SIGNAL_ALL), Recorder("B", [], Event.SIGNAL_ALL)
    tracer.leave(tracer.attach(waiting.pid, [first]), first)
    process = tracer.attach(waiting.pid, [second])
    os.kill(waiting.pid, signal.SIGCHLD)
    until(tracer, lambda: len(second.log) == 1)
    assert list(process.engines) == [second]
    assert len(process.tasks) == 3
    tracer.leave(process, second)
    until(tracer, lambda: not tracer.processes)
    until(tracer, lambda: waits_unharmed(waiting.pid))


def test_what_is_being_let_go_takes_no_engine(tracer: Tracer, build: Build, processes: Processes) -> None:
    waiting, _ = start(processes, build("traced_wait"), "2")
    first, second = Recorder("A", []), Recorder("B", [])
    process = tracer.attach(waiting.pid, [first])
    task = leader(process)
    refused: list[int | None] = []

    class FromCallback(Engine):
        events = int(Event.EXIT)

        def report_exit(self, task: Task, action: int, code: int) -> Answer:
            tracer.leave(process, first)
            with pytest.raises(gdbstub.NoTask) as error:
                tracer.attach(waiting.pid, [second])
            refused.append(error.value.errno)
            return None

    _, output = launch(tracer, build("traced_life"), "again", engines=[FromCallback()])
    until(tracer, lambda: refused == [errno.ESRCH])
    assert process.releasing
    with pytest.raises(gdbstub.NoTask):
        tracer.join(process, second)
    with pytest.raises(gdbstub.NoTask):
        gdbstub.attach(task, second)
    finish(tracer, output)
    until(tracer, lambda: waits_unharmed(waiting.pid))


def test_a_launched_program_that_everybody_leaves_goes_on(tracer: Tracer, visits: Path) -> None:
    holder, visitor = Holder(), Visitor(symbols(visits)["visit"])
    process, output = launch(tracer, visits, "2", "2000", engines=[holder, visitor])
    resume(leader(process), holder)
    until(tracer, lambda: visitor.hits > 3)
    tracer.leave(process, holder)
    tracer.leave(process, visitor)
    assert finish(tracer, output) == "6000\n"
    until(tracer, lambda: not os.path.exists(f"/proc/{process.pid}"))


def test_comings_and_goings_harm_nobody(tracer: Tracer, visits: Path) -> None:
    """Breakpoints, steps and holds come and go while three threads run over them."""
    place = symbols(visits)["visit"]
    keeper = Recorder("keeper", [], int(Event.EXIT))
    process, output = launch(tracer, visits, "2", FOREVER, engines=[keeper])
    until(tracer, lambda: len(process.tasks) == 3)
    chance = random.Random(17)
    guests: list[Engine] = []
    for _ in range(150):
        if guests and chance.random() < 0.5:
            tracer.leave(process, guests.pop(chance.randrange(len(guests))))
        else:
            guest = chance.choice([guest_visitor, guest_stepper, guest_holder])(place)
            tracer.join(process, guest)
            guests.append(guest)
        for _ in range(chance.randrange(4)):
            tracer.step(0.001)
    for guest in guests:
        tracer.leave(process, guest)
    assert len(process.tasks) == 3
    process.address_space.write(symbols(visits)["times"], bytes(8))
    assert int(finish(tracer, output)) > 0
    assert process.outcome == Exited(0)


def guest_visitor(place: int) -> Engine:
    return Visitor(place)


def guest_stepper(place: int) -> Engine:
    class Stepper(Engine):
        events = Event.QUIESCE | Event.STEP

        def attached(self, task: Task) -> None:
            gdbstub.control(task, self, Resume.SINGLESTEP)

        def report_step(self, task: Task, action: int, kind: int) -> Answer:
            return Resume.SINGLESTEP

    return Stepper()


def guest_holder(place: int) -> Engine:
    class Holding(Engine):
        def attached(self, task: Task) -> None:
            hold(task, self)

    return Holding()


def test_what_is_attached_outlives_the_tracer_and_what_is_launched_does_not(
    build: Build, processes: Processes
) -> None:
    waiting, _ = start(processes, build("traced_wait"), "2")
    with Tracer() as tracer:
        engines: list[Engine] = [Recorder("attached", []), Holder()]
        task = leader(tracer.attach(waiting.pid, engines))
        held(tracer, task)
        launched, _ = launch(tracer, build("traced_wait"), engines=[Holder()])
    assert not os.path.exists(f"/proc/{launched.pid}")
    with Tracer() as tracer:
        until(tracer, lambda: waits_unharmed(waiting.pid))

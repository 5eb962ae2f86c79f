"""Engines that come, go and fail while a real process runs."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import select
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tracing_support import (
    FIXED,
    Build,
    Holder,
    Processes,
    Recorder,
    finish,
    held,
    hold,
    launch,
    leader,
    resume,
    run,
    start,
    state,
    symbols,
    until,
)

import gdbstub
from gdbstub import Engine, Event, Follow, Process, Resume, Task, Tracer
from gdbstub.linux import procfs
from gdbstub.linux.wait import Exited
from gdbstub.utrace.engine import Answer


@pytest.fixture
def visits(build: Build) -> Path:
    return build("traced_visits", *FIXED)


FOREVER = str(1 << 60)


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


class Broken(Visitor):
    """Fails at its second hit."""

    def report_breakpoint(self, task: Task, action: int, breakpoint: Any) -> Answer:
        super().report_breakpoint(task, action, breakpoint)
        if self.hits == 2:
            raise LookupError("broken")
        return None


@pytest.fixture
def failures(tracer: Tracer) -> list[tuple[Engine, str]]:
    """The engines that raised, which is expected here."""
    failures: list[tuple[Engine, str]] = []
    tracer.on_engine_error = lambda task, engine, error: failures.append((engine, str(error)))
    return failures


def test_one_that_raises_is_detached_and_the_rest_goes_on(
    tracer: Tracer, visits: Path, failures: list[tuple[Engine, str]]
) -> None:
    place = symbols(visits)["visit"]
    before, broken, after = Visitor(place), Broken(place), Visitor(place)
    only_broken_wants = Broken(place + 1)
    engines = [before, broken, only_broken_wants, after]
    assert run(tracer, visits, "2", "5", engines=engines) == "15\n"
    assert failures == [(broken, "broken"), (only_broken_wants, "broken")]
    assert (before.hits, broken.hits, after.hits, only_broken_wants.hits) == (15, 2, 15, 2)


def test_the_hold_of_one_that_raises_ends(
    tracer: Tracer, build: Build, failures: list[tuple[Engine, str]]
) -> None:
    class HoldsAndFails(Holder):
        def report_quiesce(self, task: Task, action: int, event: int) -> Answer:
            if failing:
                raise LookupError("broken")
            return super().report_quiesce(task, action, event)

    failing = False
    engine, other = HoldsAndFails(), Recorder("other", [], Event.QUIESCE)
    process, output = launch(tracer, build("traced_wait"), engines=[engine, other])
    task = leader(process)
    assert task.held
    failing = True
    gdbstub.control(task, engine, Resume.REPORT)
    until(tracer, lambda: output.text == "ready\n")
    assert [error for _, error in failures] == ["broken"]
    assert list(process.engines) == [other]


@pytest.mark.parametrize("answer", [7, 0x10, 0xF0])
def test_an_answer_that_means_nothing_is_a_failure(
    tracer: Tracer, build: Build, failures: list[tuple[Engine, str]], answer: int
) -> None:
    class Odd(Engine):
        events = int(Event.EXIT)

        def report_exit(self, task: Task, action: int, code: int) -> Answer:
            return answer

    process, output = launch(tracer, build("traced_life"), "again", engines=[Odd(), Recorder("other", [])])
    finish(tracer, output)
    assert len(failures) == 1
    assert f"{answer:#x}" in failures[0][1]
    assert process.outcome == Exited(7)


def test_one_that_cannot_even_be_attached_or_released(
    tracer: Tracer, build: Build, failures: list[tuple[Engine, str]]
) -> None:
    class NotAttached(Engine):
        def attached(self, task: Task) -> None:
            raise LookupError("attached")

    class NotReleased(Engine):
        def release(self, task: Task) -> None:
            raise LookupError("released")

    other = Recorder("other", [], Event.EXIT)
    engines = [NotAttached(), NotReleased(), other]
    run(tracer, build("traced_life"), "again", engines=engines)
    assert failures == [(engines[0], "attached"), (engines[1], "released")]
    assert [report.event for report in other.log] == ["exit"]


def test_a_process_whose_only_engine_fails_at_once_is_let_go(
    tracer: Tracer, build: Build, processes: Processes, failures: list[tuple[Engine, str]]
) -> None:
    class NotAttached(Engine):
        def attached(self, task: Task) -> None:
            raise LookupError("attached")

    waiting, _ = start(processes, build("traced_wait"))
    for traced in (
        tracer.attach(waiting.pid, [NotAttached()]),
        launch(tracer, build("traced_life"), "again", engines=[NotAttached()])[0],
    ):
        assert traced.releasing
    until(tracer, lambda: not tracer.processes)
    until(tracer, lambda: waits_unharmed(waiting.pid))
    assert len(failures) == 2


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


def waits_unharmed(pid: int) -> bool:
    return procfs.tracer(pid) == 0 and all(state(tid) == "S" for tid in procfs.tasks(pid))


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


def test_embedded_in_another_loop(tracer: Tracer, visits: Path) -> None:
    visitor = Visitor(symbols(visits)["visit"])

    async def drive() -> int:
        loop = asyncio.get_running_loop()
        gone: asyncio.Future[Process] = loop.create_future()
        tracer.on_gone.append(gone.set_result)
        loop.add_reader(tracer.fileno(), tracer.step)
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        ticking = asyncio.create_task(tick())
        process, _ = launch(tracer, visits, "1", "50", engines=[visitor])
        assert await asyncio.wait_for(gone, 30) is process
        ticking.cancel()
        loop.remove_reader(tracer.fileno())
        assert process.outcome == Exited(0)
        return ticks

    assert asyncio.run(drive()) > 10
    assert visitor.hits == 100


def test_calls_from_other_threads(tracer: Tracer, build: Build) -> None:
    launch(tracer, build("traced_wait"), engines=[Recorder("any", [])])
    results: list[object] = []

    def elsewhere() -> None:
        results.append(tracer.call(threading.get_ident))
        try:
            tracer.call(lambda: tracer.attach(0))
        except OSError as error:
            results.append(type(error))
        tracer.post(lambda: results.append("posted"))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    until(tracer, lambda: len(results) == 3)
    thread.join()
    assert results == [threading.get_ident(), gdbstub.NoTask, "posted"]
    assert tracer.call(lambda: 5) == 5


def test_loop_conditions_and_time_limits(tracer: Tracer) -> None:
    done: list[str] = []
    tracer.soon(lambda: done.append("soon"))
    assert tracer.run_until(lambda: bool(done))
    assert not tracer.run_until(lambda: False, timeout=0)
    tracer.run()
    assert done == ["soon"]


@pytest.mark.parametrize("way", [Tracer.soon, Tracer.post])
def test_an_embedding_loop_sees_what_is_to_be_called(
    tracer: Tracer, way: Callable[[Tracer, Callable[[], None]], None]
) -> None:
    done: list[str] = []

    def first() -> None:
        done.append("first")
        way(tracer, lambda: done.append("second"))
        way(tracer, lambda: way(tracer, lambda: done.append("third")))

    way(tracer, first)
    for _ in range(10):
        if select.select([tracer.fileno()], [], [], 0)[0]:
            tracer.step()
    assert done == ["first", "second", "third"]
    tracer.step()
    assert not select.select([tracer.fileno()], [], [], 0)[0]

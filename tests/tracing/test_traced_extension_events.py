"""Events registered at run time and raised on real tasks."""

from __future__ import annotations

import errno
import threading
from typing import Any

import pytest
from tracing_support import (
    FIXED,
    Build,
    Holder,
    Recorder,
    Report,
    finish,
    held,
    launch,
    leader,
    resume,
    run,
    state,
    symbols,
    until,
)

import gdbstub
from gdbstub import Engine, Event, Resume, Task, Tracer
from gdbstub.utrace.engine import Answer
from gdbstub.utrace.events import FIRST_EXTENSION_BIT

SIGTRAP = 5


@pytest.fixture
def event(tracer: Tracer) -> int:
    return tracer.core.extensions.register("hw_watch")


def test_numbers_are_given_out_and_come_back(tracer: Tracer, event: int) -> None:
    extensions = tracer.core.extensions
    assert event.bit_count() == 1
    assert event >= 1 << FIRST_EXTENSION_BIT
    built_in = Event.BREAKPOINT | Event.WATCHPOINT | Event.STEP | Event.VFORK_DONE
    assert not event & built_in
    assert extensions.name(event) == "hw_watch"
    with pytest.raises(ValueError, match="hw_watch"):
        extensions.register("hw_watch")
    other = extensions.register("other")
    assert other != event
    extensions.unregister(event)
    assert event not in extensions
    with pytest.raises(KeyError):
        extensions.unregister(event)
    assert extensions.register("third") == event


class Source(Engine):
    """Turns hits of its watchpoint into events for everybody."""

    events = Event.WATCHPOINT | Event.SIGNAL_ALL

    def __init__(self, event: int, address: int) -> None:
        self.event = event
        self.address = address
        self.signals: list[int] = []

    def attached(self, task: Task) -> None:
        if not task.process.watchpoints.of(self):
            task.process.watchpoints.insert(self, "write", self.address, 8)

    def report_watchpoint(self, task: Task, action: int, watchpoint: Any) -> Answer:
        value = task.process.address_space.read(self.address, 8)
        gdbstub.raise_event(task, self.event, int.from_bytes(value, "little"))
        return None

    def report_signal(
        self, task: Task, action: int, info: gdbstub.SigInfo, disposition: gdbstub.Disposition | None
    ) -> Answer:
        self.signals.append(info.number)
        return None


def test_a_watchpoint_becomes_an_event_of_other_engines(tracer: Tracer, build: Build, event: int) -> None:
    program = build("traced_watch", *FIXED)
    log: list[Report] = []
    wanted = Event.QUIESCE | event | Event.SIGNAL_ALL
    listeners = [Recorder("A", log, wanted), Recorder("B", log, wanted)]
    indifferent = Recorder("indifferent", [], Event.SIGNAL_ALL)
    source = Source(event, symbols(program)["written"])
    engines = [listeners[0], source, indifferent, listeners[1]]
    assert run(tracer, program, engines=engines) == "3 15 0\n"

    told = [report for report in log if report.event == "extension" or report.detail == event]
    assert [(report.event, report.engine, report.detail) for report in told] == [
        (kind, engine, payload)
        for value in (1, 2, 3)
        for engine in ("A", "B")
        for kind, payload in (("quiesce", event), ("extension", value))
    ]
    assert told[-1].tid != told[0].tid
    assert SIGTRAP not in source.signals
    for listener in (*listeners, indifferent):
        assert not [
            report for report in listener.log if report.event == "signal" and report.detail == SIGTRAP
        ]


class Listener(Recorder):
    """Notes what is raised, and where the task stands."""

    def __init__(self, event: int, answer: Answer = None) -> None:
        super().__init__("listener", [], event)
        self.answer = answer

    def report_extension(self, task: Task, action: int, event: int, payload: Any) -> Answer:
        assert task.registers.pc
        self.note("extension", task, payload)
        return self.answer

    @property
    def told(self) -> list[Any]:
        return [report.detail for report in self.log if report.event == "extension"]


def test_one_that_is_unregistered_while_pending_is_not_told(tracer: Tracer, build: Build, event: int) -> None:
    other = tracer.core.extensions.register("other")
    holder, listener = Holder(), Listener(event | other)
    process, output = launch(tracer, build("traced_life"), "again", engines=[holder, listener])
    task = leader(process)
    gdbstub.raise_event(task, event, "lost")
    gdbstub.raise_event(task, other, "kept")
    tracer.core.extensions.unregister(event)
    assert not listener.told
    with pytest.raises(gdbstub.Invalid) as refused:
        gdbstub.raise_event(task, event)
    assert refused.value.errno == errno.EINVAL
    tracer.leave(process, holder)
    finish(tracer, output)
    assert listener.told == ["kept"]
    with pytest.raises(gdbstub.NoTask):
        gdbstub.raise_event(task, other)


@pytest.mark.parametrize("program", ["traced_spin", "traced_wait"])
def test_raised_on_a_task_that_runs_or_sleeps(tracer: Tracer, build: Build, event: int, program: str) -> None:
    listener = Listener(event)
    process, output = launch(tracer, build(program), engines=[listener])
    task = leader(process)
    ordinary = "R" if program == "traced_spin" else "S"
    until(tracer, lambda: output.text == "ready\n" and state(task.tid) == ordinary)
    gdbstub.raise_event(task, event, 1)
    gdbstub.raise_event(task, event, 2)
    until(tracer, lambda: len(listener.told) == 2)
    assert listener.told == [1, 2]
    until(tracer, lambda: state(task.tid) == ordinary)


def test_nobody_who_listens_means_no_stop(tracer: Tracer, build: Build, event: int) -> None:
    silent = Listener(0)
    process, output = launch(tracer, build("traced_spin"), engines=[silent])
    task = leader(process)
    until(tracer, lambda: output.text == "ready\n")
    gdbstub.raise_event(task, event, 1)
    gdbstub.set_events(task, silent, event)
    gdbstub.raise_event(task, event, 2)
    until(tracer, lambda: len(silent.told) > 0)
    assert silent.told == [2]


def test_a_task_is_held_at_an_event(tracer: Tracer, build: Build, event: int) -> None:
    listener = Listener(event, Resume.STOP)
    process, output = launch(tracer, build("traced_spin"), engines=[listener])
    task = leader(process)
    until(tracer, lambda: output.text == "ready\n")
    gdbstub.raise_event(task, event, "here")
    held(tracer, task)
    assert listener.told == ["here"]
    assert state(task.tid) == "t"
    listener.answer = None
    resume(task, listener)
    until(tracer, lambda: state(task.tid) == "R")


def test_raised_from_another_thread(tracer: Tracer, build: Build, event: int) -> None:
    listener = Listener(event)
    process, output = launch(tracer, build("traced_spin"), engines=[listener])
    task = leader(process)
    until(tracer, lambda: output.text == "ready\n")
    outcomes: list[object] = []

    def raise_some() -> None:
        for number in range(5):
            tracer.call(lambda payload=number: gdbstub.raise_event(task, event, payload))  # type: ignore[misc]
        try:
            tracer.call(lambda: gdbstub.raise_event(task, 1 << 40))
        except gdbstub.Invalid as error:
            outcomes.append(error.errno)
        outcomes.append(tracer.call(lambda: task.tid))

    thread = threading.Thread(target=raise_some)
    thread.start()
    until(tracer, lambda: not thread.is_alive() and len(listener.told) == 5)
    thread.join()
    assert listener.told == [0, 1, 2, 3, 4]
    assert outcomes == [errno.EINVAL, task.tid]


def test_events_raised_on_a_held_task_wait_for_it(tracer: Tracer, build: Build, event: int) -> None:
    holder, listener = Holder(), Listener(event)
    process, output = launch(tracer, build("traced_wait"), engines=[holder, listener])
    task = leader(process)
    assert task.held
    gdbstub.raise_event(task, event, "later")
    tracer.step()
    assert not listener.told
    tracer.leave(process, holder)
    until(tracer, lambda: listener.told == ["later"])
    until(tracer, lambda: output.text == "ready\n")

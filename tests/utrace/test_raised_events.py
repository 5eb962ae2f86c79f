"""Events registered at run time: names and bits, and what raising one asks of the back end."""

from __future__ import annotations

import errno

import pytest

from gdbstub.testing.simulation import SimulatedMachine, SimulatedTask
from gdbstub.utrace import control
from gdbstub.utrace.actions import Attach
from gdbstub.utrace.engine import Engine
from gdbstub.utrace.errors import Exists, Invalid, NoTask
from gdbstub.utrace.events import FIRST_EXTENSION_BIT, Event, ExtensionEvents
from gdbstub.utrace.stops import StopKind
from gdbstub.utrace.task import Task


class Faulty(Engine):
    """Raises when it is released."""

    def release(self, task: Task) -> None:
        raise RuntimeError("release")


def attached(machine: SimulatedMachine, engine: Engine, events: int = 0) -> SimulatedTask:
    """A running task with an engine."""
    task = machine.process(pid=10).leader
    assert isinstance(task, SimulatedTask)
    control.attach(task, engine)
    control.set_events(task, engine, events)
    return task


def test_bits_are_free_and_named() -> None:
    events = ExtensionEvents()
    first, second = events.register("first"), events.register("second")
    assert first != second
    assert min(first, second) >= 1 << FIRST_EXTENSION_BIT
    assert not (first | second) & (Event.BREAKPOINT | Event.WATCHPOINT | Event.STEP | Event.VFORK_DONE)
    assert (events.name(first), events.name(second)) == ("first", "second")
    with pytest.raises(ValueError, match="first"):
        events.register("first")
    events.unregister(first)
    assert first not in events
    assert second in events
    with pytest.raises(KeyError):
        events.unregister(first)
    assert events.register("third") == first


def test_an_event_that_is_not_registered() -> None:
    machine = SimulatedMachine()
    task = attached(machine, Engine(), Event.STEP)
    with pytest.raises(Invalid) as caught:
        control.raise_event(task, Event.STEP)
    assert caught.value.errno == errno.EINVAL


def test_an_event_of_the_dead() -> None:
    machine = SimulatedMachine()
    event = machine.core.extensions.register("event")
    task = attached(machine, Engine(), event)
    machine.core.report_death(task, True, 17)
    with pytest.raises(NoTask) as caught:
        control.raise_event(task, event)
    assert caught.value.errno == errno.ESRCH


def test_a_running_task_is_stopped_for_it_unnoticed() -> None:
    machine = SimulatedMachine()
    event = machine.core.extensions.register("event")
    task = attached(machine, Engine(), event)
    control.raise_event(task, event)
    assert task.stop_requests == [False]


def test_a_task_is_not_stopped_for_nobody() -> None:
    machine = SimulatedMachine()
    event = machine.core.extensions.register("event")
    task = attached(machine, Engine(), Event.QUIESCE)
    control.raise_event(task, event)
    assert task.stop_requests == []


def test_a_stopped_task_needs_no_stop() -> None:
    machine = SimulatedMachine()
    event = machine.core.extensions.register("event")
    task = attached(machine, Engine(), event)
    machine.stand(task, StopKind.EXEC)
    control.raise_event(task, event)
    assert task.stop_requests == []


def test_a_release_that_raises_is_told_and_the_engine_is_gone() -> None:
    machine = SimulatedMachine()
    engine = Faulty()
    task = attached(machine, engine)
    control.control(task, engine, 6)
    assert [(who, str(error)) for _, who, error in machine.failures] == [(engine, "release")]
    assert [left for _, left in machine.lefts] == [engine]
    control.attach(task, engine)
    with pytest.raises(Exists):
        control.attach(task, engine, Attach.CREATE)

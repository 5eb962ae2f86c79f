"""Tracer.leave from the middle of a report."""

from __future__ import annotations

from gdbstub.testing.simulation import SimulatedMachine
from gdbstub.utrace import control
from gdbstub.utrace.engine import Answer, Engine
from gdbstub.utrace.events import Event
from gdbstub.utrace.stops import StopKind
from gdbstub.utrace.task import Program, Task
from gdbstub.utrace.tracer import Tracer


class Dismisser(Engine):
    """Has another engine leave when a program is started."""

    def __init__(self, tracer: Tracer, other: Engine) -> None:
        self.tracer = tracer
        self.other = other

    def report_exec(self, task: Task, action: int, program: Program) -> Answer:
        self.tracer.leave(task.process, self.other)
        return None


def test_an_engine_that_was_asked_before_is_gone_when_the_report_is_over() -> None:
    machine = SimulatedMachine()
    process = machine.process(pid=10)
    task = process.tasks[10]
    with Tracer() as tracer:
        tracer.core = machine.core
        dismissed = Engine()
        for engine in (dismissed, Dismisser(tracer, dismissed)):
            control.attach(task, engine)
            control.set_events(task, engine, Event.EXEC)
        machine.stand(task, StopKind.EXEC)
        machine.core.report_exec(task, Program("/bin/true", task.tid))
    assert machine.lefts == [(process, dismissed)]

"""prepare_examine and finish_examine: whether what was read of a held task belongs together."""

from __future__ import annotations

import errno

import pytest

from gdbstub.testing.simulation import SimulatedMachine
from gdbstub.utrace import control
from gdbstub.utrace.actions import Resume
from gdbstub.utrace.engine import Engine
from gdbstub.utrace.errors import InProgress, Invalid, NoTask, Running
from gdbstub.utrace.events import Event
from gdbstub.utrace.stops import Stop
from gdbstub.utrace.task import Task


class Scene:
    """A running task with two engines."""

    def __init__(self) -> None:
        self.machine = SimulatedMachine()
        leader = self.machine.process(pid=10).leader
        assert leader is not None
        self.task: Task = leader
        self.engine, self.other = Engine(), Engine()
        for engine in (self.engine, self.other):
            control.attach(self.task, engine)

    def hold(self, *engines: Engine) -> None:
        """Have engines hold the task at its return to user mode."""
        for engine in engines:
            with pytest.raises(InProgress):
                control.control(self.task, engine, Resume.STOP)
        self.machine.stand(self.task)
        self.machine.core.notify_resume(self.task)

    def prepare(self, engine: Engine | None = None) -> Stop:
        return control.prepare_examine(self.task, engine or self.engine)

    def finish(self, stop: Stop) -> None:
        control.finish_examine(self.task, self.engine, stop)

    def control(self, action: Resume, engine: Engine | None = None) -> None:
        control.control(self.task, engine or self.engine, action)


def test_a_held_task_can_be_examined() -> None:
    scene = Scene()
    scene.hold(scene.engine)
    stop = scene.prepare()
    assert scene.task.registers is not None
    scene.finish(stop)
    scene.finish(stop)


def test_prepare_without_a_hold() -> None:
    scene = Scene()
    with pytest.raises(Invalid):
        scene.prepare()
    scene.hold(scene.other)
    with pytest.raises(Invalid) as caught:
        scene.prepare()
    assert caught.value.errno == errno.EINVAL


def test_prepare_while_the_task_still_runs() -> None:
    scene = Scene()
    with pytest.raises(InProgress):
        scene.control(Resume.STOP)
    with pytest.raises(Running) as caught:
        scene.prepare()
    assert caught.value.errno == errno.EAGAIN
    with pytest.raises(Running):
        _ = scene.task.registers


def test_prepare_of_the_dead() -> None:
    scene = Scene()
    control.set_events(scene.task, scene.engine, Event.DEATH)
    scene.hold(scene.engine)
    scene.machine.core.report_death(scene.task, True, 17)
    with pytest.raises(NoTask) as caught:
        scene.prepare()
    assert caught.value.errno == errno.ESRCH


def test_finish_after_the_own_hold_has_ended() -> None:
    scene = Scene()
    scene.hold(scene.engine, scene.other)
    stop = scene.prepare()
    scene.control(Resume.RESUME)
    with pytest.raises(Invalid) as caught:
        scene.finish(stop)
    assert caught.value.errno == errno.EINVAL


def test_another_engine_resuming_does_not_matter() -> None:
    scene = Scene()
    scene.hold(scene.engine, scene.other)
    stop = scene.prepare()
    scene.control(Resume.RESUME, scene.other)
    scene.finish(stop)


def test_finish_after_the_task_has_run_and_is_held_again() -> None:
    scene = Scene()
    scene.hold(scene.engine)
    stop = scene.prepare()
    scene.control(Resume.RESUME)
    scene.hold(scene.engine)
    with pytest.raises(Running) as caught:
        scene.finish(stop)
    assert caught.value.errno == errno.EAGAIN
    scene.finish(scene.prepare())


def test_finish_after_the_task_runs_although_held() -> None:
    scene = Scene()
    scene.hold(scene.engine)
    stop = scene.prepare()
    scene.control(Resume.RESUME)
    with pytest.raises(InProgress):
        scene.control(Resume.STOP)
    with pytest.raises(Running):
        scene.finish(stop)


def test_finish_after_sigkill() -> None:
    """SIGKILL needs no engine's leave."""
    scene = Scene()
    scene.hold(scene.engine)
    stop = scene.prepare()
    scene.machine.core.report_death(scene.task, True, 17)
    with pytest.raises(Running):
        scene.finish(stop)


def test_finish_of_a_detached_engine() -> None:
    scene = Scene()
    scene.hold(scene.engine, scene.other)
    stop = scene.prepare()
    scene.control(Resume.DETACH)
    with pytest.raises(NoTask):
        scene.finish(stop)

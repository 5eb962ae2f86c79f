"""Each errno of the utrace calls, provoked once on the simulated machine."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from gdbstub.testing.simulation import SimulatedMachine, SimulatedTask
from gdbstub.utrace import control
from gdbstub.utrace.actions import Attach, Resume
from gdbstub.utrace.engine import Answer, Engine
from gdbstub.utrace.errors import UtraceError
from gdbstub.utrace.events import Event
from gdbstub.utrace.stops import StopKind
from gdbstub.utrace.task import Program, Task


class Tracer(Engine):
    """Does what it is told in its callbacks."""

    def __init__(self, data: object = None) -> None:
        self.data = data
        self.at_quiesce: Callable[[], object] | None = None
        self.at_death: Callable[[], object] | None = None
        self.at_reap: Callable[[], object] | None = None
        self.answer: Answer = None

    def report_quiesce(self, task: Task, action: int, event: int) -> Answer:
        if self.at_quiesce is not None:
            self.at_quiesce()
        return self.answer

    def report_death(self, task: Task, group_dead: bool, signal: int) -> Answer:
        if self.at_death is not None:
            self.at_death()
        return None

    def report_reap(self, task: Task) -> None:
        if self.at_reap is not None:
            self.at_reap()


class OtherTracer(Tracer):
    """Another class, for MATCH_OPS."""


@dataclass
class Scene:
    """A running task with one engine, and the errors that calls came to, None for success."""

    machine: SimulatedMachine = field(default_factory=SimulatedMachine)
    engine: Tracer = field(default_factory=lambda: Tracer("here"))
    outcomes: list[int | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        leader = self.machine.process(pid=10).leader
        assert isinstance(leader, SimulatedTask)
        self.task = leader
        control.attach(self.task, self.engine)

    def events(self, events: int) -> None:
        control.set_events(self.task, self.engine, events)

    def hold(self) -> None:
        """Have the engine hold the task at its return to user mode."""
        with pytest.raises(UtraceError):
            control.control(self.task, self.engine, Resume.STOP)
        self.machine.stand(self.task)
        self.machine.core.notify_resume(self.task)
        assert self.task.held

    def die(self) -> None:
        self.machine.core.report_death(self.task, True, 17)

    def reap(self) -> None:
        self.machine.core.release_task(self.task)

    def note(self, call: Callable[[], object]) -> None:
        """Make a call and note what it comes to."""
        try:
            call()
        except UtraceError as error:
            self.outcomes.append(error.errno)
        else:
            self.outcomes.append(None)

    def control(self, action: int) -> None:
        self.note(lambda: control.control(self.task, self.engine, action))

    def set_events(self, events: int) -> None:
        self.note(lambda: control.set_events(self.task, self.engine, events))

    def attach(self, engine: Engine | type[Engine] | None, flags: Attach, data: object = None) -> None:
        self.note(lambda: control.attach(self.task, engine, flags, data))


CREATE, EXCLUSIVE, OPS, DATA = Attach.CREATE, Attach.EXCLUSIVE, Attach.MATCH_OPS, Attach.MATCH_DATA

ATTACHING: dict[str, tuple[Callable[[Scene], object], int | None]] = {
    "look-up of any engine": (lambda scene: scene.attach(Tracer, Attach(0)), None),
    "look-up of a class": (lambda scene: scene.attach(Tracer, OPS), None),
    "look-up of another class": (lambda scene: scene.attach(OtherTracer, OPS), errno.ENOENT),
    "look-up of data": (lambda scene: scene.attach(None, DATA, "here"), None),
    "look-up of other data": (lambda scene: scene.attach(None, DATA, "elsewhere"), errno.ENOENT),
    "look-up of a class with other data": (
        lambda scene: scene.attach(Tracer, OPS | DATA, "elsewhere"),
        errno.ENOENT,
    ),
    "a second engine of the class": (lambda scene: scene.attach(Tracer(), CREATE | OPS), None),
    "exclusive, any engine": (lambda scene: scene.attach(OtherTracer(), CREATE | EXCLUSIVE), errno.EEXIST),
    "exclusive, same class": (lambda scene: scene.attach(Tracer(), CREATE | EXCLUSIVE | OPS), errno.EEXIST),
    "exclusive, other class": (lambda scene: scene.attach(OtherTracer(), CREATE | EXCLUSIVE | OPS), None),
    "exclusive, same data": (
        lambda scene: scene.attach(OtherTracer("here"), CREATE | EXCLUSIVE | DATA),
        errno.EEXIST,
    ),
    "exclusive, other data": (lambda scene: scene.attach(Tracer("x"), CREATE | EXCLUSIVE | DATA), None),
    "the same object twice": (lambda scene: scene.attach(scene.engine, CREATE), errno.EEXIST),
    "no engine": (lambda scene: scene.attach(None, CREATE), errno.EINVAL),
    "a class instead of an engine": (lambda scene: scene.attach(Tracer, CREATE), errno.EINVAL),
}


@pytest.mark.parametrize("case", ATTACHING)
def test_attach(case: str) -> None:
    scene = Scene()
    call, expected = ATTACHING[case]
    call(scene)
    assert scene.outcomes == [expected]


def test_attach_finds_the_first_of_several() -> None:
    scene = Scene()
    second = Tracer()
    control.attach(scene.task, second)
    assert control.attach(scene.task, Tracer, OPS) is scene.engine
    control.control(scene.task, scene.engine, Resume.DETACH)
    assert control.attach(scene.task, Tracer, OPS) is second


def test_attach_to_a_task_without_engines_finds_none() -> None:
    scene = Scene()
    control.control(scene.task, scene.engine, Resume.DETACH)
    scene.attach(Tracer, Attach(0))
    scene.attach(scene.engine, CREATE | EXCLUSIVE)
    assert scene.outcomes == [errno.ENOENT, None]


def test_attach_to_the_dead_works_until_they_are_reaped() -> None:
    scene = Scene()
    scene.die()
    scene.attach(Tracer(), CREATE)
    scene.reap()
    scene.attach(Tracer(), CREATE)
    scene.attach(Tracer, OPS)
    assert scene.outcomes == [None, errno.ESRCH, errno.ENOENT]


def test_attach_during_the_reap_report() -> None:
    scene = Scene()
    scene.events(Event.REAP)
    scene.engine.at_reap = lambda: scene.attach(Tracer(), CREATE)
    scene.die()
    scene.reap()
    assert scene.outcomes == [errno.ESRCH]


@pytest.mark.parametrize("action", [-1, Resume.DETACH + 1, 99])
def test_no_such_action(action: int) -> None:
    scene = Scene()
    scene.events(Event.QUIESCE)
    scene.control(action)
    assert scene.outcomes == [errno.EINVAL]


@pytest.mark.parametrize("action", Resume)
def test_some_actions_need_quiesce(action: Resume) -> None:
    scene = Scene()
    scene.events(Event.EXEC)
    scene.control(action)
    scene = Scene(outcomes=scene.outcomes)
    scene.events(Event.QUIESCE)
    scene.control(action)
    needs = action in (Resume.REPORT, Resume.SINGLESTEP, Resume.BLOCKSTEP)
    running = errno.EINPROGRESS if action is Resume.STOP else None
    assert scene.outcomes == [errno.EINVAL if needs else running, running]


def test_a_refused_action_changes_nothing() -> None:
    scene = Scene()
    scene.hold()
    scene.control(Resume.SINGLESTEP)
    assert scene.outcomes == [errno.EINVAL]
    assert scene.task.held
    assert not scene.machine.departures


@pytest.mark.parametrize("action", Resume)
def test_a_detached_engine(action: Resume) -> None:
    scene = Scene()
    scene.events(Event.QUIESCE)
    control.control(scene.task, scene.engine, Resume.DETACH)
    scene.control(action)
    scene.set_events(0)
    scene.note(lambda: control.barrier(scene.task, scene.engine))
    scene.note(lambda: control.prepare_examine(scene.task, scene.engine))
    assert scene.outcomes == [errno.ESRCH] * 4


def test_an_engine_that_was_never_attached() -> None:
    scene = Scene()
    scene.engine = Tracer()
    scene.control(Resume.RESUME)
    scene.set_events(0)
    assert scene.outcomes == [errno.ESRCH] * 2


def test_an_engine_that_detached_itself_in_this_callback() -> None:
    scene = Scene()
    scene.events(Event.QUIESCE | Event.EXEC)

    def leave() -> None:
        scene.control(Resume.DETACH)
        scene.control(Resume.DETACH)
        scene.set_events(0)

    scene.engine.at_quiesce = leave
    scene.machine.stand(scene.task, StopKind.EXEC)
    scene.machine.core.report_exec(scene.task, Program("/bin/true", scene.task.tid))
    assert scene.outcomes == [None, errno.ESRCH, errno.ESRCH]


@pytest.mark.parametrize("action", Resume)
def test_the_dead_can_only_be_left(action: Resume) -> None:
    scene = Scene()
    scene.events(Event.QUIESCE)
    scene.die()
    scene.control(action)
    assert scene.outcomes == [None if action is Resume.DETACH else errno.ESRCH]


@pytest.mark.parametrize("action", Resume)
def test_the_reaped_cannot_even_be_left(action: Resume) -> None:
    scene = Scene()
    scene.events(Event.REAP | Event.QUIESCE)
    scene.engine.at_reap = lambda: scene.control(action)
    scene.die()
    scene.reap()
    scene.control(action)
    assert scene.outcomes == [errno.ESRCH] * 2


@pytest.mark.parametrize("action", Resume)
def test_the_dying_cannot_be_left_during_the_report(action: Resume) -> None:
    scene = Scene()
    scene.events(Event.DEATH | Event.QUIESCE)
    scene.engine.at_death = lambda: scene.control(action)
    scene.die()
    assert scene.outcomes == [errno.EALREADY if action is Resume.DETACH else errno.ESRCH]


@pytest.mark.parametrize("added", [Event.DEATH, Event.QUIESCE, Event.DEATH | Event.QUIESCE | Event.REAP])
def test_the_dead_report_no_death(added: int) -> None:
    scene = Scene()
    scene.events(Event.EXEC)
    scene.die()
    scene.set_events(Event.EXEC | added)
    scene.set_events(Event.EXEC | Event.REAP)
    assert scene.outcomes == [errno.EALREADY, None]
    attachment = scene.task.attachment(scene.engine)
    assert attachment is not None
    assert attachment.mask == Event.EXEC | Event.REAP


@pytest.mark.parametrize("cleared", [Event.DEATH, Event.QUIESCE])
def test_the_death_report_is_not_called_off_while_it_runs(cleared: int) -> None:
    scene = Scene()
    both = Event.DEATH | Event.QUIESCE
    scene.events(both)
    scene.engine.at_death = lambda: scene.set_events(both & ~cleared)
    scene.die()
    scene.set_events(both & ~cleared)
    assert scene.outcomes == [errno.EALREADY, None]


def test_the_reap_report_is_not_called_off_while_it_runs() -> None:
    scene = Scene()
    scene.events(Event.REAP | Event.EXEC)

    def change() -> None:
        scene.set_events(Event.EXEC)
        scene.set_events(Event.REAP)

    scene.engine.at_reap = change
    scene.die()
    scene.reap()
    scene.set_events(Event.REAP)
    assert scene.outcomes == [errno.EALREADY, None, errno.ESRCH]


def test_the_reap_report_can_be_called_off_before() -> None:
    scene = Scene()
    scene.events(Event.REAP)
    scene.engine.at_reap = lambda: scene.outcomes.append(0)
    scene.die()
    scene.set_events(0)
    scene.reap()
    assert scene.outcomes == [None]


def test_a_hold_of_a_running_task_is_in_progress() -> None:
    scene = Scene()
    scene.control(Resume.STOP)
    assert scene.task.stop_requests == [False]
    scene.machine.stand(scene.task)
    scene.machine.core.notify_resume(scene.task)
    scene.control(Resume.STOP)
    assert scene.outcomes == [errno.EINPROGRESS, None]


def test_a_hold_of_a_job_stopped_task_is_there() -> None:
    scene = Scene()
    scene.task.job_stopped = True
    scene.control(Resume.STOP)
    assert scene.outcomes == [None]
    assert scene.task.held


def test_a_hold_asked_for_in_a_callback_is_in_progress() -> None:
    scene = Scene()
    scene.events(Event.QUIESCE)
    control.control(scene.task, scene.engine, Resume.REPORT)

    def hold() -> None:
        scene.engine.at_quiesce = None
        scene.engine.answer = Resume.STOP
        scene.control(Resume.STOP)

    scene.engine.at_quiesce = hold
    scene.machine.stand(scene.task)
    scene.machine.core.notify_resume(scene.task)
    assert scene.outcomes == [errno.EINPROGRESS]
    assert scene.task.held


def test_resume_and_set_events_are_never_in_progress() -> None:
    scene = Scene()
    scene.events(Event.QUIESCE | Event.EXEC)

    def change() -> None:
        scene.set_events(Event.QUIESCE)
        scene.control(Resume.RESUME)
        scene.note(lambda: control.barrier(scene.task, scene.engine))

    scene.engine.at_quiesce = change
    scene.machine.stand(scene.task, StopKind.EXEC)
    scene.machine.core.report_exec(scene.task, Program("/bin/true", scene.task.tid))
    assert scene.outcomes == [None] * 3


@pytest.mark.parametrize("action", [Resume.SINGLESTEP, Resume.BLOCKSTEP])
def test_a_machine_without_steps(action: Resume) -> None:
    scene = Scene(SimulatedMachine(single_step=False, block_step=False))
    scene.events(Event.QUIESCE)
    scene.control(action)
    assert scene.outcomes == [errno.EOPNOTSUPP]
    assert scene.task.pending == Resume.RESUME


def test_a_machine_without_block_steps_makes_steps() -> None:
    scene = Scene(SimulatedMachine(block_step=False))
    scene.events(Event.QUIESCE)
    scene.control(Resume.BLOCKSTEP)
    assert scene.outcomes == [None]

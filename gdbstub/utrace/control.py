"""What engines do to tasks: the utrace_* calls (include/linux/utrace.h), with their errors as exceptions.

Each may be called at any time from the tracer's thread, callbacks included.
"""

from __future__ import annotations

from gdbstub.utrace.actions import Attach, Resume
from gdbstub.utrace.engine import Attachment, Engine
from gdbstub.utrace.errors import Exists, InProgress, Invalid, NoMatch, NoTask, NotSupported, Running, TooLate
from gdbstub.utrace.events import Event
from gdbstub.utrace.stops import Stop
from gdbstub.utrace.task import Task

_NEEDS_QUIESCE = (Resume.REPORT, Resume.SINGLESTEP, Resume.BLOCKSTEP)
_DEATH_EVENTS = Event.DEATH | Event.QUIESCE


def attach(
    task: Task, engine: Engine | type[Engine] | None, flags: Attach = Attach.CREATE, data: object = None
) -> Engine:
    """Attach an engine to one task, or (without CREATE) look one up.

    A new engine's mask is empty, and it sees nothing of an event that is being reported now. MATCH_OPS
    compares classes, MATCH_DATA compares `data` (an engine's own, for a new one); without either, any
    engine matches.

    Raises NoMatch (look-up without result), Exists (EXCLUSIVE and a match, or this object is attached
    already), Invalid (no engine), NoTask (the task is gone).
    """
    if isinstance(engine, Engine):
        data = engine.data
    match = _match(task, engine, flags, data)
    if not flags & Attach.CREATE:
        if match is None:
            raise NoMatch(f"no such engine on task {task.tid}")
        return match
    if not isinstance(engine, Engine):
        raise Invalid("an engine object is needed to attach")
    if flags & Attach.EXCLUSIVE and match is not None:
        raise Exists(f"a matching engine is on task {task.tid}")
    if task.attachment(engine) is not None:
        raise Exists(f"the engine is on task {task.tid} already")
    if task.reaping or task.process.releasing:
        raise NoTask(f"task {task.tid} is gone")
    task.process.core.link(task, engine)
    return engine


def set_events(task: Task, engine: Engine, events: int) -> None:
    """Replace the mask of an engine on a task.

    Raises NoTask (not attached), TooLate (the task has ended: DEATH or QUIESCE can no longer be added, nor
    taken away while its death is being reported, nor REAP taken away once reaping began).
    """
    attachment = _attachment(task, engine)
    added, removed = events & ~attachment.mask, attachment.mask & ~events
    if task.dead and (
        added & _DEATH_EVENTS
        or (task.reporting_death and removed & _DEATH_EVENTS)
        or (task.reaping and removed & Event.REAP)
    ):
        raise TooLate(f"task {task.tid} has ended")
    attachment.mask = events
    task.narrow()
    if not task.dead:
        task.process.core.backend.interests_changed(task)


def control(task: Task, engine: Engine, action: int) -> None:
    """Hold, step, resume or leave a task.

    STOP takes effect at the task's next safe point and raises InProgress until it is there; INTERRUPT and
    REPORT have it report from there. SINGLESTEP and BLOCKSTEP count for the next time it runs. RESUME only
    ends this engine's own hold.

    Raises Invalid (no such action, or one that needs QUIESCE in the mask), NoTask, TooLate (DETACH while
    the task's death is being reported), NotSupported (no stepping here), InProgress (STOP on a running
    task).
    """
    if not Resume.STOP <= action <= Resume.DETACH:
        raise Invalid(f"there is no action {action}")
    attachment = _attachment(task, engine)
    if task.dead:
        _control_dead(task, attachment, action)
        return
    if action in _NEEDS_QUIESCE and not attachment.mask & Event.QUIESCE:
        raise Invalid(f"{Resume(action).name} needs QUIESCE in the engine's mask")
    if action == Resume.STOP:
        _hold(task, attachment)
        return
    core = task.process.core
    if action in (Resume.SINGLESTEP, Resume.BLOCKSTEP) and not core.backend.single_step:
        raise NotSupported("this machine cannot step")
    attachment.hold = False
    attachment.step_wanted = action in (Resume.SINGLESTEP, Resume.BLOCKSTEP)
    if action == Resume.DETACH:
        attachment.detached = True
        core.detached(task)
        return
    if action == Resume.RESUME:
        if task.held and not any(each.step_wanted for each in task.attachments):
            task.step = Resume.RESUME
    else:
        core.owe(task, action)
        if task.stop is None:
            core.backend.request_stop(task, interrupt=action == Resume.INTERRUPT)
    core.wake(task)


def raise_event(task: Task, event: int, payload: object = None) -> None:
    """Have an event that was registered at run time (`ExtensionEvents`) reported on a task.

    Engines with its bit in their mask get report_extension with the payload before the task runs in user
    mode again, in attach order; the task is brought to a stop for it. An event that is unregistered until
    then is forgotten.

    Raises Invalid (no such event), NoTask.
    """
    core = task.process.core
    if event not in core.extensions:
        raise Invalid(f"event {event:#x} is not registered")
    if task.dead:
        raise NoTask(f"task {task.tid} has ended")
    if not any(each.mask & event and not each.detached for each in task.attachments):
        return
    task.raised.append((event, payload))
    if task.stop is None:
        core.backend.request_stop(task, interrupt=False)


def barrier(task: Task, engine: Engine) -> None:
    """Return once no callback of this engine runs on this task. Raises NoTask when it is detached.

    Calls and callbacks are serialized, so there is nothing to wait for; see `Tracer.call` for other threads.
    """
    _attachment(task, engine)


def prepare_examine(task: Task, engine: Engine) -> Stop:
    """Begin to read the registers of a task that the engine holds.

    Raises Invalid (it does not hold the task), NoTask, Running (the task has not come to a stop yet).
    """
    attachment = _attachment(task, engine)
    if task.dead:
        raise NoTask(f"task {task.tid} has ended")
    if not attachment.hold:
        raise Invalid(f"the engine does not hold task {task.tid}")
    if task.stop is None:
        raise Running(f"task {task.tid} is running")
    return task.stop


def finish_examine(task: Task, engine: Engine, stop: Stop) -> None:
    """Make sure that what was read since prepare_examine belongs together.

    Raises Invalid (the engine's hold has ended), NoTask, Running (the task ran in between).
    """
    attachment = _attachment(task, engine)
    if not attachment.hold:
        raise Invalid(f"the engine does not hold task {task.tid} any more")
    stop.require()


def _attachment(task: Task, engine: Engine) -> Attachment:
    attachment = task.attachment(engine)
    if attachment is None or (task.reaping and not task.dead):
        raise NoTask(f"the engine is not on task {task.tid}")
    return attachment


def _match(task: Task, engine: Engine | type[Engine] | None, flags: Attach, data: object) -> Engine | None:
    ops = type(engine) if isinstance(engine, Engine) else engine
    for attachment in task.attachments:
        if attachment.detached:
            continue
        if flags & Attach.MATCH_OPS and type(attachment.engine) is not ops:
            continue
        if flags & Attach.MATCH_DATA and attachment.engine.data is not data:
            continue
        return attachment.engine
    return None


def _control_dead(task: Task, attachment: Attachment, action: int) -> None:
    if action != Resume.DETACH or task.reaping:
        raise NoTask(f"task {task.tid} has ended")
    if task.reporting_death:
        raise TooLate(f"the death of task {task.tid} is being reported")
    attachment.detached = True
    task.process.core.detached(task)


def _hold(task: Task, attachment: Attachment) -> None:
    attachment.hold = True
    core = task.process.core
    if task.held or core.backend.hold_job_stopped(task):
        return
    core.owe(task, Resume.REPORT)
    if task.stop is None:
        core.backend.request_stop(task, interrupt=False)
    raise InProgress(f"task {task.tid} will stop")

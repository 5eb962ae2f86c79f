"""What happens to a task at each point: generators that yield where the task is held.

Each mirrors a function of the kernel's utrace (kernel/utrace.c) and returns the `Departure` with which the
task leaves its stop. `user_return` is the way back to user mode that every other stop ends in sooner or
later; inside the kernel (a call's entry, clone, exec) a report that is still owed is left to it.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from gdbstub.linux import signals
from gdbstub.linux.siginfo import SigInfo
from gdbstub.utrace.actions import HOLD, RESUMED, Resume, Signal, Syscall, signal_action, syscall_action
from gdbstub.utrace.events import Event
from gdbstub.utrace.report import Report
from gdbstub.utrace.task import Departure, Disposition, Flow, Task

if TYPE_CHECKING:
    from gdbstub.utrace.core import Utrace
    from gdbstub.utrace.engine import Attachment

_STOP, _INTERRUPT, _REPORT, _RESUME = (
    int(Resume.STOP),
    int(Resume.INTERRUPT),
    int(Resume.REPORT),
    int(Resume.RESUME),
)
_STEPS = (int(Resume.SINGLESTEP), int(Resume.BLOCKSTEP))
_SIGNAL_ALL, _QUIESCE = Event.SIGNAL_ALL, Event.QUIESCE
_NOTHING_TO_DELIVER = (Signal.IGN, Signal.REPORT, Signal.HANDLER)

_DEFAULT_CLASS = {
    signals.Default.CORE: (Event.SIGNAL_CORE, Signal.CORE),
    signals.Default.TERMINATE: (Event.SIGNAL_TERM, Signal.TERM),
    signals.Default.IGNORE: (Event.SIGNAL_IGN, Signal.IGN),
    signals.Default.CONTINUE: (Event.SIGNAL_IGN, Signal.IGN),
}

_MOST_ROUNDS = 1000
"""Reports at one stop. An engine that asks for another report in each of them does not get it for ever."""

Trap = tuple[int, tuple[Any, ...], Sequence["Attachment"]]
"""An extension event, what its callback is given, and who is told."""


def classify(number: int, disposition: Disposition) -> tuple[int, Signal]:
    """The event that a signal is, and what would become of it without any engine."""
    if disposition is Disposition.IGNORED:
        return Event.SIGNAL_IGN, Signal.IGN
    if disposition is Disposition.HANDLED:
        return Event.SIGNAL, Signal.DELIVER
    default = signals.default_action(number)
    if default is signals.Default.STOP:
        return Event.SIGNAL_STOP, Signal.STOP if number == signals.SIGSTOP else Signal.TSTP
    return _DEFAULT_CLASS[default]


def inside_kernel(task: Task) -> Departure:
    """Go on inside the kernel; what is owed is made good at the return to user mode."""
    return Departure(step=task.step, report=_owes_report(task))


def _owes_report(task: Task) -> bool:
    """Whether something is to be reported before the task runs in user mode."""
    return task.pending < _RESUME or bool(task.raised)


def event(core: Utrace, task: Task, number: int, payload: tuple[Any, ...], stops_here: bool = False) -> Flow:
    """An event inside the kernel. Without `stops_here`, a hold takes effect at the return to user mode."""
    core.start_report(task)
    report = core.report(task)
    report.pass_event(number, payload, task.attached)
    core.finish_report(task, report, stops_here)
    if stops_here and report.action == _STOP:
        yield from _hold(core, task, report)
    return inside_kernel(task)


def syscall_entry(core: Utrace, task: Task, payload: tuple[Any, ...]) -> Flow:
    """A system call's entry: engines are asked in reverse, and again if one held the task here."""
    result, flag = int(Syscall.RUN), 0
    while True:
        core.start_report(task)
        report = core.report(task, result)
        report.pass_event(Event.SYSCALL_ENTRY, payload, reversed(task.attached), flag)
        core.finish_report(task, report, stops_here=True)
        result = report.result
        if report.action != _STOP:
            break
        yield from _hold(core, task, report)
        if task.pending > _REPORT:
            break
        flag = RESUMED
    departure = inside_kernel(task)
    departure.abort = syscall_action(result) is Syscall.ABORT
    return departure


def syscall_exit(core: Utrace, task: Task, payload: tuple[Any, ...]) -> Flow:
    """A system call's exit, which is also the return to user mode."""
    core.start_report(task)
    report = core.report(task)
    report.pass_event(Event.SYSCALL_EXIT, payload, task.attached)
    core.finish_report(task, report, stops_here=False)
    return (yield from user_return(core, task))


def traps(core: Utrace, task: Task, found: Sequence[Trap], signal: SigInfo | None) -> Flow:
    """Extension events at a safe point, told to those named only; then a signal in hand."""
    core.splice(task)
    report = core.report(task)
    others = _steps_of_others(
        task, [each for number, _, recipients in found for each in recipients if each.mask & number]
    )
    for number, payload, recipients in found:
        report.pass_event(number, payload, [each for each in task.attached if each in recipients])
    _keep_steps(task, report, others)
    yield from _finish_resume(core, task, report)
    return (yield from user_return(core, task, signal))


def _raised(core: Utrace, task: Task) -> Generator[None, None, None]:
    """Events registered at run time that were raised on the task."""
    found, task.raised = task.raised, []
    core.splice(task)
    report = core.report(task)
    numbers = 0
    for number, _ in found:
        if number in core.extensions:
            numbers |= number
    others = _steps_of_others(task, [each for each in task.attached if each.mask & numbers])
    for number, payload in found:
        if number in core.extensions:
            report.pass_event(number, (payload,), task.attached)
    _keep_steps(task, report, others)
    yield from _finish_resume(core, task, report)


def _steps_of_others(task: Task, asked: Sequence[Attachment]) -> list[Attachment]:
    """A step under way ends for those who are asked about something else; whose it still is.

    One that has been asked for and is still to begin is nobody's to end.
    """
    if task.step == _RESUME or task.pending in _STEPS:
        return []
    for attachment in asked:
        attachment.step_wanted = False
    return [attachment for attachment in task.attached if attachment.step_wanted]


def _keep_steps(task: Task, report: Report, others: Sequence[Attachment]) -> None:
    """Leave a step to those who want it and were not asked."""
    if any(each.step_wanted and not each.detached for each in others):
        report.go_on(task.step)


def job_stop(core: Utrace, task: Task) -> Flow:
    """Held while job control stops the process."""
    while core.is_held(task):
        yield
    return inside_kernel(task)


def user_return(core: Utrace, task: Task, signal: SigInfo | None = None) -> Flow:
    """The way back to user mode: reports that are owed, a signal in hand, and the holds."""
    for _ in range(_MOST_ROUNDS):
        owed = task.pending < _RESUME
        departure = None
        if task.raised:
            yield from _raised(core, task)
        elif task.pending == _INTERRUPT or (signal is not None and owed):
            departure = yield from _report_without_signal(core, task, signal)
        elif signal is not None:
            departure = yield from _report_signal(core, task, signal)
            signal = None
        elif owed or task.attaching:
            yield from _quiesce(core, task)
        elif core.is_held(task):
            yield
        else:
            task.signal_handler = False
            return Departure(step=task.step)
        if departure is not None:
            return departure
    task.pending = _RESUME
    task.raised.clear()
    return Departure(step=task.step, signal=signal)


_Part = Generator[None, None, Departure | None]


def _hold(core: Utrace, task: Task, report: Report) -> Generator[None, None, None]:
    """utrace_stop: stay here until nobody holds the task; keep what else was asked for."""
    core.owe(task, report.resume_action)
    while core.is_held(task):
        yield


def _quiesce(core: Utrace, task: Task) -> Generator[None, None, None]:
    """utrace_resume: a report that was asked for, or the start of a step."""
    task.signal_handler = False
    asked = core.start_report(task)
    if asked in _STEPS:
        task.step = asked
    elif asked == _REPORT:
        report = core.report(task)
        report.pass_quiesce()
        yield from _finish_resume(core, task, report)


def _report_without_signal(core: Utrace, task: Task, in_hand: SigInfo | None) -> _Part:
    """utrace_get_signal's first half: report_signal with Signal.REPORT or Signal.HANDLER."""
    core.splice(task)
    result = Signal.HANDLER if task.signal_handler else Signal.REPORT
    task.signal_handler = False
    asked, task.pending = task.pending, _RESUME
    if asked > _REPORT:
        task.step = asked
        return None
    if not task.mask & _QUIESCE:
        return None
    report = core.report(task, result)
    made_up = SigInfo.make(0)
    report.pass_signal(0, made_up, None)
    return (yield from _act(core, task, report, made_up, in_hand))


def _report_signal(core: Utrace, task: Task, info: SigInfo) -> _Part:
    """utrace_get_signal's second half: a signal that was taken off the queue."""
    if not task.mask & _SIGNAL_ALL:
        if not core.is_held(task):
            return Departure(step=task.step, signal=info)
        core.owe(task, _REPORT)
        return Departure(step=task.step, signal=info, report=True, handler=_has_handler(task, info))
    core.start_report(task)
    disposition = task.disposition(info.number)
    kind, result = classify(info.number, disposition)
    report = core.report(task, result)
    report.pass_signal(kind, info, disposition)
    return (yield from _act(core, task, report, info, None))


def _act(core: Utrace, task: Task, report: Report, info: SigInfo, in_hand: SigInfo | None) -> _Part:
    """Do what the engines decided about a signal."""
    action = signal_action(report.result)
    requeue = [info] if report.result & HOLD and info.number else []
    if _comes_to_nothing(task, action, info):
        yield from _finish_resume(core, task, report)
        if not requeue:
            return None
        requeue += [in_hand] if in_hand is not None else []
        return Departure(step=task.step, requeue=requeue, report=_owes_report(task))
    handler = action is Signal.DELIVER and _has_handler(task, info)
    if handler and report.action != _RESUME:
        task.pending = _INTERRUPT
    core.finish_report(task, report, stops_here=False)
    if not handler and task.pending in _STEPS:
        task.step, task.pending = task.pending, _RESUME
    requeue += [in_hand] if in_hand is not None else []
    return Departure(
        step=task.step,
        signal=info,
        signal_action=action,
        handler=handler,
        report=_owes_report(task),
        requeue=requeue,
    )


def _comes_to_nothing(task: Task, action: Signal, info: SigInfo) -> bool:
    """Whether no signal results: it is dropped, there was none, or the process ignores it."""
    if action is not Signal.DELIVER:
        return action in _NOTHING_TO_DELIVER
    return not info.number or classify(info.number, task.disposition(info.number))[1] is Signal.IGN


def _has_handler(task: Task, info: SigInfo) -> bool:
    return task.disposition(info.number) is Disposition.HANDLED


def _finish_resume(core: Utrace, task: Task, report: Report) -> Generator[None, None, None]:
    """finish_resume_report: hold here, or get ready to run or step."""
    core.reset_after(task, report)
    if report.action == _STOP:
        yield from _hold(core, task, report)
    elif report.action == _INTERRUPT:
        core.owe(task, _INTERRUPT)
    elif report.action in _STEPS:
        task.step = report.action
    else:
        core.stop_stepping(task)

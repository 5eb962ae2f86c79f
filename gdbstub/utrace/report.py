"""One reporting pass: the engines of a task are asked one after the other, and their answers combined.

The rules of the kernel's utrace (kernel/utrace.c, start_callback and finish_callback):

* Engines are asked in attach order, at a system call's entry in reverse. An engine attached during a pass
  joins before the next one.
* Before an event, an engine with QUIESCE in its mask gets report_quiesce, which may change its mask.
* Resume actions combine by the smallest number. STOP is kept by the engine that gave it until its own next
  answer or its `control` says otherwise; all others hold once. DETACH lowers nothing.
* Signal and system call actions: the last answer stands, and each engine sees the one before it.

Two things differ on purpose. An answer to report_quiesce does not touch the signal or system call action
that earlier engines chose; in the kernel it wiped out an ABORT. And a Signal or Syscall by itself, without a
Resume action, lets the task run; only `| Resume.STOP`, which makes a plain number of it, holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from gdbstub.utrace.actions import (
    OPERATION_AND_FLAG_MASK,
    OPERATION_MASK,
    RESUME_MASK,
    Resume,
    Signal,
    Syscall,
)
from gdbstub.utrace.engine import Attachment, Engine
from gdbstub.utrace.events import Event

if TYPE_CHECKING:
    from gdbstub.utrace.task import Task

_STOP, _INTERRUPT, _REPORT, _RESUME, _DETACH = (
    int(Resume.STOP),
    int(Resume.INTERRUPT),
    int(Resume.REPORT),
    int(Resume.RESUME),
    int(Resume.DETACH),
)
_OPERATIONS = (Signal, Syscall)
_STEPS = (int(Resume.SINGLESTEP), int(Resume.BLOCKSTEP))
_QUIESCE = Event.QUIESCE
_LAST_ACTION = _DETACH
_LAST_SIGNAL_ACTION, _LAST_SYSCALL_ACTION = int(Signal.HANDLER), int(Syscall.ABORT)

METHODS = {
    Event.CLONE: "report_clone",
    Event.EXEC: "report_exec",
    Event.EXIT: "report_exit",
    Event.SYSCALL_ENTRY: "report_syscall_entry",
    Event.SYSCALL_EXIT: "report_syscall_exit",
    Event.JCTL: "report_jctl",
    Event.BREAKPOINT: "report_breakpoint",
    Event.WATCHPOINT: "report_watchpoint",
    Event.STEP: "report_step",
    Event.VFORK_DONE: "report_vfork_done",
}
"""The callback of each event whose callback takes (task, action, payload...)."""

EngineFailed = Callable[["Task", Engine, Exception], None]


class Report:
    """What the answers of a pass have come to so far."""

    __slots__ = ("action", "detaches", "failed", "result", "resume_action", "task", "wanted")

    def __init__(self, task: Task, failed: EngineFailed, result: int = 0) -> None:
        self.task = task
        self.failed = failed
        self.action = _RESUME
        """The smallest resume action, holds included."""
        self.resume_action = _RESUME
        """The smallest resume action other than STOP: what to do once nothing holds."""
        self.result = result
        """Signal or system call action and flag."""
        self.detaches = False
        self.wanted = False
        """Some engine was asked about the event itself."""

    def ask(
        self, attachment: Attachment, operations: int, callback: Callable[..., int | None], *arguments: Any
    ) -> int | None:
        """Run one callback; a failing engine is treated as one that answers DETACH.

        `operations`: the largest signal or system call action that the callback may answer.
        """
        self.task.reporting = attachment
        try:
            answer = callback(*arguments)
            if answer is not None and (
                answer & RESUME_MASK > _LAST_ACTION or answer & OPERATION_MASK > operations
            ):
                raise ValueError(f"{callback.__name__} answered {answer:#x}, which is no action")
            if isinstance(answer, _OPERATIONS):
                # By the numbers this is a hold, which nobody who writes it means.
                return answer | _RESUME
        except Exception as error:  # noqa: BLE001 - an engine's bug must not reach the other engines
            self.failed(self.task, attachment.engine, error)
            return _DETACH
        finally:
            self.task.reporting = None
        return answer

    def apply(self, attachment: Attachment, answer: int | None) -> None:
        """Take a resume action into account."""
        action = _RESUME if answer is None else answer & RESUME_MASK
        if attachment.detached or action == _DETACH:
            attachment.detached = True
            attachment.hold = False
            self.detaches = True
            return
        if action < self.action:
            self.action = action
        attachment.hold = action == _STOP
        if action in _STEPS:
            attachment.step_wanted = True
        if _STOP < action < self.resume_action:
            self.resume_action = action

    def go_on(self, step: int) -> None:
        """Take a step into account that is under way."""
        self.action = min(self.action, step)
        self.resume_action = min(self.resume_action, step)

    def quiesce(self, attachment: Attachment, event: int) -> bool:
        """report_quiesce where wanted; False if the engine is gone after it."""
        if attachment.detached:
            self.detaches = True
            return False
        if attachment.mask & _QUIESCE:
            callback = attachment.engine.report_quiesce
            answer = self.ask(attachment, 0, callback, self.task, self.action, event)
            self.apply(attachment, answer)
            if attachment.detached:
                return False
        if attachment.hold:
            self.action = _STOP
        return True

    def pass_event(
        self, event: int, payload: tuple[Any, ...], attachments: Iterable[Attachment], flag: int = 0
    ) -> None:
        """Ask engines about an event whose callback takes (task, action, *payload)."""
        name = METHODS.get(event)
        operations = _LAST_SYSCALL_ACTION if event == Event.SYSCALL_ENTRY else 0
        for attachment in attachments:
            if not self.quiesce(attachment, event) or not attachment.mask & event:
                continue
            self.wanted = True
            if name is None:
                callback, arguments = attachment.engine.report_extension, (event, *payload)
            else:
                callback, arguments = getattr(attachment.engine, name), payload
            action = self.result | self.action | flag
            answer = self.ask(attachment, operations, callback, self.task, action, *arguments)
            if answer is not None and operations:
                self.result = answer & OPERATION_MASK
            self.apply(attachment, answer)

    def pass_quiesce(self) -> None:
        """Ask only for report_quiesce: the task is about to return to user mode."""
        for attachment in self.task.attached:
            if attachment.mask & _QUIESCE:
                self.wanted = True
            self.quiesce(attachment, 0)

    def pass_signal(self, event: int, *payload: Any) -> None:
        """Ask about a signal, or (event 0) make a report without one.

        report_signal serves for both where the engine has one, so it gets what would else be
        report_quiesce. REPORT and INTERRUPT are no answers here: they would report again without end.
        """
        for attachment in self.task.attached:
            if attachment.detached:
                self.detaches = True
                continue
            if attachment.mask & (event | _QUIESCE):
                self._ask_signal(attachment, event, payload)
            if attachment.hold:
                self.action = _STOP

    def _ask_signal(self, attachment: Attachment, event: int, payload: tuple[Any, ...]) -> None:
        self.wanted = True
        engine = attachment.engine
        if type(engine).report_signal is Engine.report_signal:
            answer = self.ask(attachment, 0, engine.report_quiesce, self.task, self.action, event)
        else:
            action = self.result | self.action
            callback = engine.report_signal
            answer = self.ask(attachment, _LAST_SIGNAL_ACTION, callback, self.task, action, *payload)
            if answer is not None:
                self.result = answer & OPERATION_AND_FLAG_MASK
        if answer is not None and answer & RESUME_MASK in (_INTERRUPT, _REPORT):
            answer = _RESUME
        self.apply(attachment, answer)

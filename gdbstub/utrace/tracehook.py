"""What a ptrace stop means: the one place that knows ptrace's encodings (ptrace(2))."""

from __future__ import annotations

from enum import IntEnum, auto
from typing import TYPE_CHECKING, TypeGuard

from gdbstub.linux import ptrace, signals
from gdbstub.linux.siginfo import SigInfo
from gdbstub.linux.wait import Exited, Killed, Stopped

if TYPE_CHECKING:
    from gdbstub.utrace.ptrace_task import PtraceTask

SYSCALL_STOP = signals.SIGTRAP | 0x80


class Hook(IntEnum):
    """The named points at which ptrace can show a task."""

    NOTIFY_RESUME = auto()
    """About to return to user mode: interrupted, new, or continued after a job control stop."""
    JOB_STOP = auto()
    """In a group stop."""
    GET_SIGNAL = auto()
    """A signal was taken off the queue; it is ours to deliver, change or drop."""
    TRAP = auto()
    """A SIGTRAP that the processor raised: breakpoint, watchpoint, step, or the program's own."""
    SIGNAL_HANDLER = auto()
    """A step ended at the first instruction of a signal handler."""
    SYSCALL = auto()
    """Entry or exit of a system call."""
    CLONE = auto()
    """Inside clone, fork or vfork."""
    VFORK_DONE = auto()
    EXEC = auto()
    EXIT = auto()


_EVENTS = {
    ptrace.EVENT_FORK: Hook.CLONE,
    ptrace.EVENT_VFORK: Hook.CLONE,
    ptrace.EVENT_CLONE: Hook.CLONE,
    ptrace.EVENT_VFORK_DONE: Hook.VFORK_DONE,
    ptrace.EVENT_EXEC: Hook.EXEC,
    ptrace.EVENT_EXIT: Hook.EXIT,
}
_OF_THE_PROCESSOR = frozenset(
    {signals.SI_KERNEL, signals.TRAP_BRKPT, signals.TRAP_TRACE, signals.TRAP_HWBKPT, signals.TRAP_HANDLER}
)


def name_stop(task: PtraceTask, stopped: Stopped) -> tuple[Hook, SigInfo | None]:
    """The point that a wait status stands for, and the signal in hand if there is one.

    Raises ProcessLookupError when SIGKILL has taken the task from there.
    """
    if stopped.event == ptrace.EVENT_STOP:
        job_stop = stopped.signal in signals.STOP_SIGNALS
        return (Hook.JOB_STOP if job_stop else Hook.NOTIFY_RESUME), None
    if stopped.event:
        return _EVENTS[stopped.event], None
    if stopped.signal == SYSCALL_STOP:
        return Hook.SYSCALL, None
    info = SigInfo(ptrace.get_siginfo(task.tid))
    if is_processor_trap(info):
        handler = info.code == signals.TRAP_HANDLER
        return (Hook.SIGNAL_HANDLER if handler else Hook.TRAP), info
    return Hook.GET_SIGNAL, info


def is_signal_delivery(outcome: Exited | Killed | Stopped) -> TypeGuard[Stopped]:
    """Whether a wait status is a signal-delivery-stop."""
    return isinstance(outcome, Stopped) and not outcome.event and outcome.signal != SYSCALL_STOP


def is_processor_trap(info: SigInfo) -> bool:
    """Whether a SIGTRAP comes from the processor (or ptrace) rather than from somebody's kill."""
    return info.number == signals.SIGTRAP and info.code in _OF_THE_PROCESSOR

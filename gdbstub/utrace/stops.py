"""The places where a task can stand, and what each means for going on.

A `Stop` is a value that dies when the task is resumed: whoever keeps one can tell whether what was read
under it still holds, and using it late raises instead of touching a running task.
"""

from __future__ import annotations

from enum import Enum, auto

from gdbstub.utrace.errors import Running


class StopKind(Enum):
    """Where a task stands."""

    USER = auto()
    """About to return to user mode, with nothing in hand. Goes on running or stepping."""
    SIGNAL = auto()
    """A signal was taken off the queue. Goes on with it, with another, or with none."""
    TRAP = auto()
    """A breakpoint, watchpoint or step of ours. Goes on like USER; no signal remains of it."""
    SYSCALL_ENTRY = auto()
    """Inside the kernel, before the call is made. Goes on with it, or with the call left out."""
    SYSCALL_EXIT = auto()
    """Inside the kernel, the result is set. Goes on like USER."""
    CLONE = auto()
    """Inside clone or fork; the child exists and has not run. Goes on to the call's exit."""
    VFORK = auto()
    """Inside vfork, before the wait for the child. Goes on into that wait."""
    VFORK_DONE = auto()
    """Inside vfork, after the wait for the child. Goes on to the call's exit."""
    EXEC = auto()
    """Inside execve, after the new program is set up. Goes on to the call's exit."""
    EXIT = auto()
    """Inside exit, registers and memory still there. Goes on to its end and nowhere else."""
    JOB_STOP = auto()
    """Stopped by job control. Goes on being stopped until SIGCONT."""


class Stop:
    """One stop of one task; `alive` until the task is resumed."""

    __slots__ = ("alive", "kind")

    def __init__(self, kind: StopKind) -> None:
        self.kind = kind
        self.alive = True

    def require(self) -> None:
        """Raise Running (EAGAIN) if the task has been resumed since."""
        if not self.alive:
            raise Running("the task has run since this stop")

    def consume(self) -> None:
        """The task is resumed from here: the stop is over."""
        self.require()
        self.alive = False

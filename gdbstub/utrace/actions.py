"""What an engine's callback can ask for (include/linux/utrace.h, API version 20091216).

A callback returns a resume action, combined with `|` with a signal action from report_signal and a system
call action from report_syscall_entry. The numbers are part of the interface: of several engines' resume
actions the smallest wins.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

RESUME_MASK = 0x7
OPERATION_MASK = 0xF0
OPERATION_AND_FLAG_MASK = 0x1F0


class Resume(IntEnum):
    """How a task goes on. Only STOP is kept; the others hold for one time."""

    STOP = 0
    """Hold the task until this engine says otherwise."""
    INTERRUPT = 1
    """Report again soon, even out of a sleeping system call, as if by a signal."""
    REPORT = 2
    """Report again before the task returns to user mode."""
    SINGLESTEP = 3
    """Run one instruction."""
    BLOCKSTEP = 4
    """Run to the next taken branch, where the processor can; else one instruction."""
    RESUME = 5
    """Run."""
    DETACH = 6
    """Run, and this engine leaves the task."""


class Signal(IntEnum):
    """What becomes of a signal."""

    DELIVER = 0x00
    """Let the process's own disposition decide."""
    IGN = 0x10
    """Drop it."""
    TERM = 0x20
    """End the process."""
    CORE = 0x30
    """End the process with a core dump."""
    STOP = 0x40
    """Stop the process, whatever its disposition."""
    TSTP = 0x50
    """Stop the process unless its process group is orphaned."""
    REPORT = 0x60
    """To a callback: there is no signal, this is a report that was asked for."""
    HANDLER = 0x70
    """To a callback: there is no signal, the task is at the start of a signal handler."""


HOLD = 0x100
"""Flag with a signal action: put the signal back into the queue."""


class Syscall(IntEnum):
    """What becomes of a system call."""

    RUN = 0x00
    ABORT = 0x10
    """Skip the call; it fails with ENOSYS unless a result is set."""


RESUMED = 0x100
"""Flag to report_syscall_entry: the task was held at this entry and is reported again."""


class Attach(IntFlag):
    """Flags of attaching."""

    MATCH_OPS = 0x1
    """Look for an engine of the same class."""
    MATCH_DATA = 0x2
    """Look for an engine with the same data."""
    CREATE = 0x10
    """Attach an engine, rather than look one up."""
    EXCLUSIVE = 0x20
    """With CREATE: fail if a matching engine is attached."""


class Follow(IntFlag):
    """What an engine is attached to by itself when a task of its makes another."""

    NOTHING = 0
    THREADS = 1
    CHILDREN = 2
    ALL = THREADS | CHILDREN


def resume_action(value: int) -> int:
    """The resume part of a callback's return value or action argument."""
    return value & RESUME_MASK


def signal_action(value: int) -> Signal:
    """The signal part of report_signal's return value or action argument."""
    return Signal(value & OPERATION_MASK)


def syscall_action(value: int) -> Syscall:
    """The system call part of report_syscall_entry's return value or action argument."""
    return Syscall(value & OPERATION_MASK)

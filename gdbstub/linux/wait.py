"""Wait statuses of traced threads: collecting and decoding them."""

from __future__ import annotations

import os
import time
from typing import NamedTuple

WALL = 0x40000000
"""__WALL: children of every kind, threads included (linux/wait.h)."""

_TRACEES = -0x80000000
"""__WCLONE: what is traced, and none of our own children that is not (kernel/exit.c, eligible_child)."""
_OF_THIS_THREAD = 0x20000000
"""__WNOTHREAD."""
_POLL_INTERVAL = 0.0002


class Exited(NamedTuple):
    """The thread ended by exit or exit_group."""

    code: int


class Killed(NamedTuple):
    """The thread was ended by a signal."""

    signal: int
    core_dumped: bool


class Stopped(NamedTuple):
    """The thread is in a ptrace stop."""

    signal: int
    """The stopping signal; 0x80 is set in a system call stop."""
    event: int
    """ptrace.EVENT_* or 0."""


def decode(status: int) -> Exited | Killed | Stopped:
    """Take a status of waitpid(2) apart."""
    low = status & 0x7F
    if status & 0xFF == 0x7F:
        return Stopped(status >> 8 & 0xFF, status >> 16)
    if low == 0:
        return Exited(status >> 8 & 0xFF)
    return Killed(low, bool(status & 0x80))


def collect() -> list[tuple[int, int]]:
    """All (thread id, status) of this thread's tracees that wait now, in the kernel's order.

    All are taken before any is acted on, so that one busy thread cannot keep the others waiting. Children
    that are not traced are left to whoever started them.
    """
    found: list[tuple[int, int]] = []
    while True:
        try:
            tid, status = os.waitpid(-1, _TRACEES | _OF_THIS_THREAD | os.WNOHANG)
        except ChildProcessError:
            return found
        if tid == 0:
            return found
        found.append((tid, status))


def wait_without_collecting() -> bool:
    """Wait until a tracee of any thread of this process has a status; False if nothing is traced."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WSTOPPED | os.WNOWAIT | _TRACEES)
    except ChildProcessError:
        return False
    return True


def has_ended(pid: int) -> bool:
    """Whether an untraced child has ended, in which case it has been collected; True if it is not ours."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True


def wait_for(tid: int, patience: float | None = None) -> int | None:
    """Wait for a thread's next status, for at most `patience` seconds; None if none came or it is gone."""
    try:
        if patience is None:
            return os.waitpid(tid, WALL)[1]
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            found, status = os.waitpid(tid, WALL | os.WNOHANG)
            if found:
                return status
            time.sleep(_POLL_INTERVAL)
    except ChildProcessError:
        pass
    return None

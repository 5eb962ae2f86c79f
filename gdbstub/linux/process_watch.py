"""Being told when a process has ended, and when its parent has collected it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import time
from collections.abc import Callable
from functools import cache

from gdbstub.linux.event_loop import Poller
from gdbstub.linux.libc import libc, raise_errno

Happened = Callable[[], object]

_POLL_INTERVAL_NS = 20_000_000
_TFD_NONBLOCK, _TFD_CLOEXEC = os.O_NONBLOCK, os.O_CLOEXEC


class ProcessWatch:
    """Watches processes by pidfd, with callbacks from the loop of a poller."""

    def __init__(self, poller: Poller) -> None:
        self._poller = poller
        self._watched: set[int] = set()
        self._collections: dict[int, Happened] = {}
        """Where the kernel does not tell of collections: what to call for each pidfd."""
        self._timer = -1

    def on_end(self, pid: int, happened: Happened) -> bool:
        """Call back once when a process has ended. False if it is gone already."""
        return self._watch(pid, select.EPOLLIN, happened)

    def on_collection(self, pid: int, happened: Happened) -> bool:
        """Call back once when a process has been collected by its parent. False if it is gone already."""
        if kernel_tells_collection():
            # EPOLLHUP comes without being asked for.
            return self._watch(pid, 0, happened)
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return False
        self._collections[descriptor] = happened
        if self._timer < 0:
            self._timer = _periodic_timer()
            self._poller.add(self._timer, self._look)
        return True

    def close(self) -> None:
        """Watch no more."""
        for descriptor in [*self._watched, *self._collections]:
            os.close(descriptor)
        self._watched.clear()
        self._collections.clear()
        self._stop_timer()

    def _watch(self, pid: int, events: int, happened: Happened) -> bool:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return False

        def ready() -> None:
            self._poller.remove(descriptor)
            self._watched.remove(descriptor)
            os.close(descriptor)
            happened()

        self._watched.add(descriptor)
        self._poller.add(descriptor, ready, events)
        return True

    def _look(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._timer, 8)
        for descriptor in [each for each in self._collections if _is_collected(each)]:
            happened = self._collections.pop(descriptor)
            os.close(descriptor)
            happened()
        if not self._collections:
            self._stop_timer()

    def _stop_timer(self) -> None:
        if self._timer >= 0:
            self._poller.remove(self._timer)
            os.close(self._timer)
            self._timer = -1


@cache
def kernel_tells_collection() -> bool:
    """Whether a pidfd hangs up when its process is collected: since Linux 6.9."""
    major, minor = os.uname().release.split(".")[:2]
    return (int(major), int("".join(filter(str.isdigit, minor)))) >= (6, 9)


def _is_collected(descriptor: int) -> bool:
    """Whether a process is gone; one that has ended and waits for its parent is not."""
    try:
        signal.pidfd_send_signal(descriptor, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _periodic_timer() -> int:
    descriptor: int = libc.timerfd_create(time.CLOCK_MONOTONIC, _TFD_NONBLOCK | _TFD_CLOEXEC)
    if descriptor < 0:
        raise raise_errno("timerfd_create")
    # struct itimerspec: the interval and the first time, each in seconds and nanoseconds.
    times = (ctypes.c_long * 4)(0, _POLL_INTERVAL_NS, 0, _POLL_INTERVAL_NS)
    libc.timerfd_settime(descriptor, 0, times, None)
    return descriptor

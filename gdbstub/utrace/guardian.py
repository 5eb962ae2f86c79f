"""A second process that takes breakpoints out of attached processes when the tracer dies of SIGKILL.

The kernel lets a dead tracer's tasks go as they are. What was launched dies with its tracer
(PTRACE_O_EXITKILL), but an attached process would run on with breakpoint instructions that nobody answers
for, and die of SIGTRAP at the first. So what is planted into attached processes is noted in memory that is
shared with a process that does nothing else (gdbstub.linux.restorer). It learns of the death by a robust
mutex, which the kernel gives away before it does anything else about a dying thread, so that the bytes are
back before the tasks run on. The process is started with the first breakpoint; each one costs a few stores.

What it cannot do, since it traces nothing:

* A thread that was stepped to its stop keeps the processor's trap flag, and dies of SIGTRAP.
* Watchpoints stay in the debug registers, where nobody but a tracer reaches them: the same end.
* A breakpoint that is hit between the SIGKILL and the return of its bytes (some 0.1 ms) is not answered. Only
  a guardian of root's, which has real-time priority, is sure to be back before threads that stand at one.
* Relocated instructions stay in the unused text that they were put into. No thread comes there any more, and
  one that is there now jumps back to the original by itself.
* It needs a Python in sys.executable that runs files; without one there is no guardian.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import sys
from typing import TYPE_CHECKING

from gdbstub.linux import restorer
from gdbstub.linux.libc import libc
from gdbstub.linux.restorer import MUTEX_SIZE, PID, RECORD

if TYPE_CHECKING:
    from gdbstub.utrace.address_space import Overlay

_PROCESS_SHARED, _ROBUST = 1, 1
"""PTHREAD_PROCESS_SHARED, PTHREAD_MUTEX_ROBUST (pthread.h)."""
_CAPACITY = 4096
"""Breakpoints; more are not guarded. Pages that are not used cost nothing."""


class Guardian:
    """The table of what is planted, and the process that watches over it."""

    def __init__(self) -> None:
        """Starts nothing yet."""
        self._table: mmap.mmap | None = None
        self._free: list[int] = []
        self._mutex: ctypes.Array[ctypes.c_char] | None = None
        self._pid = 0
        self._tried = False

    def note(self, pid: int, started: int, overlay: Overlay) -> int | None:
        """Take note of something planted, before it is in memory; the place of the note, or None."""
        if not self._tried:
            self._tried = True
            with contextlib.suppress(OSError):
                self._start()
        if self._table is None or not self._free or len(overlay.planted) > 8:
            return None
        place = self._free.pop()
        length = len(overlay.planted)
        # The pid makes it valid, and comes last: the tracer can die at any point.
        contents = RECORD.pack(0, length, started, overlay.address, bytes(overlay.original), overlay.planted)
        self._table[place : place + RECORD.size] = contents
        PID.pack_into(self._table, place, pid)
        return place

    def forget(self, place: int) -> None:
        """What was planted is not in memory any more."""
        if self._table is not None:
            PID.pack_into(self._table, place, 0)
            self._free.append(place)

    def close(self) -> None:
        """Send the guardian home, and wait until it has gone."""
        if self._table is None:
            return
        assert self._mutex is not None
        _unlock(self._mutex)
        self._mutex = None
        self._table.close()
        self._table = None
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, 0)

    def _start(self) -> None:
        if not sys.executable or hasattr(sys, "frozen") or not os.path.isfile(restorer.__file__):
            return
        file = os.memfd_create("gdbstub-guardian")
        try:
            os.ftruncate(file, MUTEX_SIZE + _CAPACITY * RECORD.size)
            table = mmap.mmap(file, 0)
            mutex = _locked_mutex(table)
            try:
                self._pid = _spawn(file)
            except OSError:
                _unlock(mutex)
                raise
            self._table, self._mutex = table, mutex
            # The places that are looked at first are used first.
            self._free = [MUTEX_SIZE + number * RECORD.size for number in reversed(range(_CAPACITY))]
        finally:
            os.close(file)


def _spawn(table: int) -> int:
    nothing = os.devnull
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-S", restorer.__file__],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, table, 0),
            (os.POSIX_SPAWN_OPEN, 1, nothing, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, nothing, os.O_WRONLY, 0),
        ],
        setsid=True,
    )


_locked: list[ctypes.Array[ctypes.c_char]] = []
"""Mutexes in the thread's robust list: their memory has to stay until they are unlocked."""


def _locked_mutex(table: mmap.mmap) -> ctypes.Array[ctypes.c_char]:
    """A mutex at the start of the table that this thread holds until it unlocks it or dies."""
    mutex = (ctypes.c_char * MUTEX_SIZE).from_buffer(table)
    attributes = (ctypes.c_char * MUTEX_SIZE)()
    libc.pthread_mutexattr_init(attributes)
    libc.pthread_mutexattr_setpshared(attributes, _PROCESS_SHARED)
    libc.pthread_mutexattr_setrobust(attributes, _ROBUST)
    libc.pthread_mutex_init(mutex, attributes)
    libc.pthread_mutex_lock(mutex)
    _locked.append(mutex)
    return mutex


def _unlock(mutex: ctypes.Array[ctypes.c_char]) -> None:
    libc.pthread_mutex_unlock(mutex)
    _locked[:] = [each for each in _locked if each is not mutex]


class Guard:
    """What the guardian knows of one address space."""

    def __init__(self, guardian: Guardian, pid: int) -> None:
        self._guardian = guardian
        self._pid = pid
        self._started = -1
        self._places: dict[Overlay, int] = {}

    def planting(self, overlay: Overlay) -> None:
        """An overlay is about to be put into memory, or its program's own bytes have changed."""
        if self._started < 0:
            try:
                self._started = restorer.start_time(self._pid)
            except OSError:
                return
        self.unplanted(overlay)
        place = self._guardian.note(self._pid, self._started, overlay)
        if place is not None:
            self._places[overlay] = place

    def unplanted(self, overlay: Overlay) -> None:
        """An overlay has been taken out of memory."""
        place = self._places.pop(overlay, None)
        if place is not None:
            self._guardian.forget(place)

    def close(self) -> None:
        """The address space is gone, or is not ours any more."""
        for overlay in list(self._places):
            self.unplanted(overlay)

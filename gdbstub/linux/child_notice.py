"""Learning that a traced thread has something to be waited for, by a readable descriptor."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import threading
from abc import ABC, abstractmethod

from gdbstub.linux import procfs, signals
from gdbstub.linux.libc import libc, raise_errno
from gdbstub.linux.wait import wait_without_collecting

_SFD_NONBLOCK, _SFD_CLOEXEC = os.O_NONBLOCK, os.O_CLOEXEC
_SIGSET_BYTES = 128
_SIGNALFD_SIGINFO_SIZE = 128
_PATIENCE = 0.2
"""Seconds for the waiting thread to end."""


class ChildNotice(ABC):
    """Says when the calling thread's tracees are to be looked at."""

    former_mask: frozenset[int]
    """Signals that were blocked before; what a program that is started should have."""

    @abstractmethod
    def fileno(self) -> int:
        """Readable when something has happened since `clear`."""

    @abstractmethod
    def clear(self) -> None:
        """What has happened is about to be collected."""

    @abstractmethod
    def expect(self) -> None:
        """Everything was collected, or something new is traced: look out for what comes next."""

    @abstractmethod
    def close(self) -> None:
        """Leave everything as it was."""


def child_notice() -> ChildNotice:
    """SIGCHLD, if it is sent and no other thread of this process can take it away; else a thread of our own
    that waits.

    Threads that are made later by this one block SIGCHLD, as it does, and take nothing.
    """
    return WaitingThread() if _is_ignored() or _others_take_sigchld() else ChildSignal()


def _is_ignored() -> bool:
    """Whether this process ignores SIGCHLD, as a parent can make it: no stop of a tracee sends it then."""
    return signals.is_member(procfs.signal_sets(os.getpid())["SigIgn"], signals.SIGCHLD)


def _others_take_sigchld() -> bool:
    for tid in procfs.tasks(os.getpid()):
        if tid != threading.get_native_id():
            with contextlib.suppress(ProcessLookupError):
                if not signals.is_member(procfs.signal_sets(tid)["SigBlk"], signals.SIGCHLD):
                    return True
    return False


class ChildSignal(ChildNotice):
    """SIGCHLD as a readable descriptor; it is blocked in this thread until `close`."""

    def __init__(self) -> None:
        self.former_mask = frozenset(signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD}))
        mask = (ctypes.c_ulong * (_SIGSET_BYTES // ctypes.sizeof(ctypes.c_ulong)))()
        mask[0] = 1 << (signal.SIGCHLD - 1)
        self._descriptor: int = libc.signalfd(-1, mask, _SFD_NONBLOCK | _SFD_CLOEXEC)
        if self._descriptor < 0:
            raise raise_errno("signalfd")

    def fileno(self) -> int:
        """Readable when SIGCHLD has come since `clear`."""
        return self._descriptor

    def clear(self) -> None:
        """Take note of what has come."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._descriptor, _SIGNALFD_SIGINFO_SIZE)

    def expect(self) -> None:
        """The kernel looks out by itself."""

    def close(self) -> None:
        """Give the signal back as it was."""
        os.close(self._descriptor)
        signal.pthread_sigmask(signal.SIG_SETMASK, self.former_mask)


class WaitingThread(ChildNotice):
    """A thread that waits for the tracees without collecting anything: any thread of a process can see them
    (wait(2)), though only the one that traces them can act on them.
    """

    def __init__(self) -> None:
        self.former_mask = frozenset(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        self._read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._expecting = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._watch, args=(write,), name="gdbstub wait", daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        """Readable when something is to be waited for."""
        return self._read

    def clear(self) -> None:
        """Take note of what has come."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._read, 4096)

    def expect(self) -> None:
        """Have the thread wait once more."""
        self._expecting.set()

    def close(self) -> None:
        """End the thread; one that still waits for another tracer's tasks ends when they do."""
        self._closed = True
        self._expecting.set()
        self._thread.join(_PATIENCE)
        os.close(self._read)

    def _watch(self, write: int) -> None:
        try:
            while True:
                self._expecting.wait()
                self._expecting.clear()
                if self._closed:
                    break
                if wait_without_collecting():
                    os.write(write, b"\0")
        except BrokenPipeError:
            pass
        finally:
            os.close(write)

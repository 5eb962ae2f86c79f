"""Stops as stop reply packets (gdb manual, section Stop Reply Packets)."""

from __future__ import annotations

import contextlib
from binascii import hexlify
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gdbstub.linux.signals import SIGTRAP, to_gdb
from gdbstub.rsp.parsing import format_thread
from gdbstub.target import interfaces
from gdbstub.target.values import (
    BreakpointStop,
    ExecStop,
    ForkStop,
    NoResumed,
    ProcessExited,
    ProcessKilled,
    SignalStop,
    Stop,
    SyscallStop,
    TargetError,
    ThreadCreated,
    ThreadExited,
    ThreadStop,
    VforkDoneStop,
    WatchpointStop,
)

if TYPE_CHECKING:
    from gdbstub.rsp.session import Session

_WATCH_KEYS = {"write": b"watch", "access": b"awatch"}


class StopReplies:
    """Stop replies for one client, by what it said that it understands."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def reply(self, stop: Stop) -> bytes | None:
        """The packet for a stop; None for one that the client does not know."""
        if isinstance(stop, ThreadStop) and not isinstance(stop, ThreadExited):
            return self._thread_stop(stop)
        match stop:
            case ProcessExited(pid, code):
                return b"W%02x" % code + self._process(pid)
            case ProcessKilled(pid, signal):
                return b"X%02x" % to_gdb(signal) + self._process(pid)
            case NoResumed():
                return b"N" if "no-resumed" in self._session.features else None
            case ThreadExited(thread, code):
                return b"w%02x;" % code + format_thread(thread, self._session.multiprocess)
        return None

    def _process(self, pid: int) -> bytes:
        return b";process:%x" % pid if self._session.multiprocess else b""

    def _thread_stop(self, stop: ThreadStop) -> bytes:
        session = self._session
        signal = stop.signal if isinstance(stop, SignalStop) else SIGTRAP
        head = b"%02x" % (to_gdb(signal) if signal else 0)
        if "T" in session.disabled:
            return b"S" + head
        reason = _REASONS.get(type(stop))
        parts = [b"T" + head, b"" if reason is None else reason(session, stop)]
        with contextlib.suppress(TargetError):
            for number, contents in session.target.read_expedited(stop.thread):
                parts.append(b"%02x:%b;" % (number, hexlify(contents)))
        if "Tthread" not in session.disabled:
            parts.append(b"thread:%b;" % format_thread(stop.thread, session.multiprocess))
        if session.has(interfaces.ThreadDetails):
            with contextlib.suppress(TargetError):
                core = session.target_as(interfaces.ThreadDetails).thread_core(stop.thread)
                if core is not None:
                    parts.append(b"core:%x;" % core)
        return b"".join(parts)


def _breakpoint(session: Session, stop: BreakpointStop) -> bytes:
    key = "hwbreak" if stop.hardware else "swbreak"
    return key.encode() + b":;" if key in session.features else b""


def _watchpoint(session: Session, stop: WatchpointStop) -> bytes:
    return b"%b:%x;" % (_WATCH_KEYS[stop.kind], stop.address)


def _syscall(session: Session, stop: SyscallStop) -> bytes:
    return b"%b:%x;" % (b"syscall_entry" if stop.entry else b"syscall_return", stop.number)


def _fork(session: Session, stop: ForkStop) -> bytes:
    return b"%b:%b;" % (b"vfork" if stop.vfork else b"fork", format_thread(stop.child, session.multiprocess))


def _exec(session: Session, stop: ExecStop) -> bytes:
    return b"exec:" + hexlify(stop.path.encode(errors="surrogateescape")) + b";"


_REASONS: dict[type, Callable[[Session, Any], bytes]] = {
    BreakpointStop: _breakpoint,
    WatchpointStop: _watchpoint,
    SyscallStop: _syscall,
    ForkStop: _fork,
    VforkDoneStop: lambda session, stop: b"vforkdone:;",
    ExecStop: _exec,
    ThreadCreated: lambda session, stop: b"create:;",
}
"""What a stop reply says besides the signal."""

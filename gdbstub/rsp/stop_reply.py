"""Stops as stop reply packets (gdb manual, section Stop Reply Packets)."""

from __future__ import annotations

from binascii import hexlify
from typing import TYPE_CHECKING

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
        match stop:
            case ProcessExited(pid, code):
                return b"W%02x" % code + self._process(pid)
            case ProcessKilled(pid, signal):
                return b"X%02x" % to_gdb(signal) + self._process(pid)
            case NoResumed():
                return b"N" if "no-resumed" in self._session.features else None
            case ThreadExited(thread, code):
                return b"w%02x;" % code + format_thread(thread, self._session.multiprocess)
            case ThreadStop():
                return self._thread_stop(stop)
        return None

    def _process(self, pid: int) -> bytes:
        return b";process:%x" % pid if self._session.multiprocess else b""

    def _thread_stop(self, stop: ThreadStop) -> bytes:
        session = self._session
        number = to_gdb(stop.signal if isinstance(stop, SignalStop) else SIGTRAP) if _signal(stop) else 0
        if "T" in session.disabled:
            return b"S%02x" % number
        parts = [b"T%02x" % number, self._reason(stop), self._registers(stop)]
        if "Tthread" not in session.disabled:
            parts.append(b"thread:" + format_thread(stop.thread, session.multiprocess) + b";")
        if isinstance(session.target, interfaces.ThreadDetails):
            core = session.target.thread_core(stop.thread)
            if core is not None:
                parts.append(b"core:%x;" % core)
        return b"".join(parts)

    def _reason(self, stop: ThreadStop) -> bytes:
        session = self._session
        match stop:
            case BreakpointStop(hardware=hardware):
                key = "hwbreak" if hardware else "swbreak"
                return key.encode() + b":;" if key in session.features else b""
            case WatchpointStop(kind=kind, address=address):
                return b"%b:%x;" % (_WATCH_KEYS[kind], address)
            case SyscallStop(number=number, entry=entry):
                return b"%b:%x;" % (b"syscall_entry" if entry else b"syscall_return", number)
            case ForkStop(child=child, vfork=vfork):
                key = "vfork" if vfork else "fork"
                return b"%b:%b;" % (key.encode(), format_thread(child, session.multiprocess))
            case VforkDoneStop():
                return b"vforkdone:;"
            case ExecStop(path=path):
                return b"exec:" + hexlify(path.encode(errors="surrogateescape")) + b";"
            case ThreadCreated():
                return b"create:;"
        return b""

    def _registers(self, stop: ThreadStop) -> bytes:
        """The registers that every client asks for first."""
        target = self._session.target
        try:
            architecture = target.architecture(stop.thread.pid)
            return b"".join(
                b"%02x:%b;" % (number, hexlify(target.read_register(stop.thread, number)))
                for number in map(architecture.number.__getitem__, architecture.expedited)
            )
        except TargetError:
            return b""


def _signal(stop: ThreadStop) -> bool:
    return not isinstance(stop, SignalStop) or stop.signal != 0

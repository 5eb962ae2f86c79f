"""Signals and system calls: which are reported, which are passed on."""

from __future__ import annotations

from gdbstub.linux.signals import from_gdb
from gdbstub.rsp.errors import ClientFault
from gdbstub.rsp.parsing import number
from gdbstub.rsp.registry import command
from gdbstub.rsp.session import Session
from gdbstub.target.interfaces import Events


@command(
    "QPassSignals",
    needs=Events,
    features=("QPassSignals+", "fork-events+", "vfork-events+", "exec-events+"),
)
def pass_signals(session: Session, arguments: bytes) -> bytes:
    """Signals to deliver without stopping; replaces the last list."""
    session.target_as(Events).pass_signals(_signals(arguments))
    return b"OK"


@command("QProgramSignals", needs=Events, features=("QProgramSignals+",))
def program_signals(session: Session, arguments: bytes) -> bytes:
    """Signals that the program may get when it is detached from; replaces the last list."""
    session.target_as(Events).program_signals(_signals(arguments))
    return b"OK"


def _signals(arguments: bytes) -> frozenset[int]:
    listed = [number(part) for part in arguments.removeprefix(b":").split(b";") if part]
    return frozenset(signal for signal in map(from_gdb, listed) if signal)


@command("QCatchSyscalls", needs=Events, features=("QCatchSyscalls+",))
def catch_syscalls(session: Session, arguments: bytes) -> bytes:
    """:0 for none, :1 for all, :1;NUMBER... for some, in the general thread's process."""
    switch, *listed = arguments.removeprefix(b":").split(b";")
    if switch not in (b"0", b"1") or (switch == b"0" and listed):
        raise ClientFault("QCatchSyscalls takes 0, or 1 and numbers")
    numbers = frozenset(number(part) for part in listed)
    wanted = frozenset[int]() if switch == b"0" else numbers or None
    session.target_as(Events).catch_syscalls(session.general_process(), wanted)
    return b"OK"

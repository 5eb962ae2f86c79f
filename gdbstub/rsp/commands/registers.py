"""Registers: all at once (g, G) and one by one (p, P)."""

from __future__ import annotations

from binascii import hexlify

from gdbstub.rsp.errors import ClientFault
from gdbstub.rsp.parsing import from_hex, number
from gdbstub.rsp.registry import command
from gdbstub.rsp.session import Session


@command("g")
def read_all(session: Session, arguments: bytes) -> bytes:
    """All registers of the general thread."""
    return hexlify(session.target.read_registers(session.general_thread()))


@command("G")
def write_all(session: Session, arguments: bytes) -> bytes:
    """Set all registers of the general thread."""
    session.target.write_registers(session.general_thread(), from_hex(arguments))
    return b"OK"


@command("p")
def read_one(session: Session, arguments: bytes) -> bytes:
    """One register."""
    return hexlify(session.target.read_register(session.general_thread(), number(arguments)))


@command("P")
def write_one(session: Session, arguments: bytes) -> bytes:
    """Set one register."""
    which, equals, value = arguments.partition(b"=")
    if not equals:
        raise ClientFault("P takes a register and its value")
    session.target.write_register(session.general_thread(), number(which), from_hex(value))
    return b"OK"

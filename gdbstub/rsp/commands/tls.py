"""Thread-local storage, and the symbols that it needs of the client."""

from __future__ import annotations

from binascii import hexlify

from gdbstub.rsp.errors import ClientFault
from gdbstub.rsp.parsing import number, numbers, string_from_hex, thread_pattern
from gdbstub.rsp.registry import command
from gdbstub.rsp.session import Session
from gdbstub.target.interfaces import ThreadLocalStorage


@command("qSymbol", needs=ThreadLocalStorage)
def symbol(session: Session, arguments: bytes) -> bytes:
    """qSymbol:VALUE:NAME: the client offers the general process's symbols, or the one asked for last."""
    value, colon, name = arguments.removeprefix(b":").partition(b":")
    if not colon:
        raise ClientFault("qSymbol names a value and a symbol")
    target = session.target_as(ThreadLocalStorage)
    wanted = list(target.symbols)
    if not name:
        return _ask(wanted[0])
    decoded = string_from_hex(name)
    target.set_symbol(session.general_process(), decoded, number(value) if value else None)
    following = wanted[wanted.index(decoded) + 1 :] if decoded in wanted else []
    if not following:
        return b"OK"
    return _ask(following[0])


def _ask(name: str) -> bytes:
    return b"qSymbol:" + hexlify(name.encode())


@command("qGetTLSAddr", needs=ThreadLocalStorage)
def tls_address(session: Session, arguments: bytes) -> bytes:
    """qGetTLSAddr:THREAD,OFFSET,LINK-MAP."""
    thread_text, comma, rest = arguments.removeprefix(b":").partition(b",")
    if not comma:
        raise ClientFault("qGetTLSAddr names a thread, an offset and a module")
    offset, link_map = numbers(rest, 2)
    thread = session.any_thread(thread_pattern(thread_text))
    return b"%x" % session.target_as(ThreadLocalStorage).tls_address(thread, offset, link_map)

"""qXfer: objects that are read (and some written) piece by piece."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gdbstub.arch.target_xml import target_xml
from gdbstub.rsp.commands.threads import thread_list
from gdbstub.rsp.errors import ClientFault
from gdbstub.rsp.packet import escape
from gdbstub.rsp.parsing import binary, number
from gdbstub.rsp.registry import command
from gdbstub.rsp.session import PACKET_SIZE, Session
from gdbstub.target import interfaces

_LARGEST_PIECE = PACKET_SIZE // 2 - 16
"""Bytes of an object in one reply: each may need an escape."""


class _Object(NamedTuple):
    read: Callable[[Session, bytes], bytes]
    """(session, annex) -> the whole object."""
    needs: type | None
    write: Callable[[Session, bytes, int, bytes], None] | None = None
    """(session, annex, offset, data)."""


def _features(session: Session, annex: bytes) -> bytes:
    if annex != b"target.xml":
        raise ClientFault("there is no such description")
    return target_xml(session.target.architecture(session.general_process())).encode()


def _auxv(session: Session, annex: bytes) -> bytes:
    return session.target_as(interfaces.ProcessData).auxiliary_vector(session.general_process())


def _exec_file(session: Session, annex: bytes) -> bytes:
    pid = number(annex) if annex else session.general_process()
    return session.target_as(interfaces.ProcessData).executable(pid).encode(errors="surrogateescape")


def _libraries(session: Session, annex: bytes) -> bytes:
    start = {}
    for part in annex.split(b";"):
        name, equals, value = part.partition(b"=")
        if equals:
            start[name.decode(errors="replace")] = number(value)
    target = session.target_as(interfaces.ProcessData)
    return target.libraries(session.general_process(), start).encode(errors="surrogateescape")


def _siginfo(session: Session, annex: bytes) -> bytes:
    return session.target_as(interfaces.SignalData).read_siginfo(session.general_thread())


def _write_siginfo(session: Session, annex: bytes, offset: int, data: bytes) -> None:
    target = session.target_as(interfaces.SignalData)
    contents = bytearray(target.read_siginfo(session.general_thread()))
    if offset + len(data) > len(contents):
        raise ClientFault(f"siginfo has {len(contents)} bytes")
    contents[offset : offset + len(data)] = data
    target.write_siginfo(session.general_thread(), bytes(contents))


def _threads(session: Session, annex: bytes) -> bytes:
    return thread_list(session)


def _osdata(session: Session, annex: bytes) -> bytes:
    return session.target_as(interfaces.OperatingSystem).osdata(annex.decode(errors="replace")).encode()


_OBJECTS = {
    b"features": _Object(_features, None),
    b"auxv": _Object(_auxv, interfaces.ProcessData),
    b"exec-file": _Object(_exec_file, interfaces.ProcessData),
    b"libraries-svr4": _Object(_libraries, interfaces.ProcessData),
    b"siginfo": _Object(_siginfo, interfaces.SignalData, _write_siginfo),
    b"threads": _Object(_threads, None),
    b"osdata": _Object(_osdata, interfaces.OperatingSystem),
}


@command("qXfer")
def transfer(session: Session, arguments: bytes) -> bytes:
    """qXfer:OBJECT:read:ANNEX:OFFSET,LENGTH and qXfer:OBJECT:write:ANNEX:OFFSET:DATA."""
    parts = arguments.split(b":", 4)
    if len(parts) < 5:
        raise ClientFault("qXfer names an object, an operation, an annex and a place")
    _, name, operation, annex, place = parts
    entry = _OBJECTS.get(name)
    if entry is None or (entry.needs is not None and not isinstance(session.target, entry.needs)):
        return b""
    if name == b"threads" and "threads" in session.disabled:
        return b""
    if operation == b"read":
        offset_text, comma, length_text = place.partition(b",")
        if not comma:
            raise ClientFault("a place is an offset and a length")
        return _piece(session, name, entry, annex, number(offset_text), number(length_text))
    if operation == b"write" and entry.write is not None:
        offset_text, colon, data = place.partition(b":")
        if not colon:
            raise ClientFault("a place is an offset and data")
        contents = binary(data)
        entry.write(session, annex, number(offset_text), contents)
        return b"%x" % len(contents)
    return b""


def _piece(session: Session, name: bytes, entry: _Object, annex: bytes, offset: int, length: int) -> bytes:
    """A piece of an object. Reading from the start takes a snapshot, so that the pieces fit together."""
    key = name + b":" + annex
    contents = session.snapshots.get(key)
    if offset == 0 or contents is None:
        contents = entry.read(session, annex)
    piece = contents[offset : offset + min(length, _LARGEST_PIECE)]
    more = offset + len(piece) < len(contents)
    if more:
        session.snapshots[key] = contents
    else:
        session.snapshots.pop(key, None)
    return (b"m" if more else b"l") + escape(piece)


def features(session: Session) -> list[str]:
    """What qSupported says of the objects that the target has."""
    offered = []
    for name, entry in _OBJECTS.items():
        if entry.needs is None or isinstance(session.target, entry.needs):
            offered.append(f"qXfer:{name.decode()}:read+")
            if entry.write is not None:
                offered.append(f"qXfer:{name.decode()}:write+")
    if "qXfer:libraries-svr4:read+" in offered:
        offered.append("augmented-libraries-svr4-read+")
    return offered

"""Pieces of packets. Everything here raises ClientFault for what is malformed."""

from __future__ import annotations

import binascii
import re

from gdbstub.rsp.errors import ClientFault
from gdbstub.rsp.packet import unescape
from gdbstub.target.values import ALL, ANY, ThreadId, ThreadPattern

_HEX = re.compile(rb"[0-9a-fA-F]{1,16}\Z")
_ID = re.compile(rb"(?:p(-1|[0-9a-fA-F]{1,8}))?(?:(\.)?(-1|[0-9a-fA-F]{1,8}))?\Z")


def number(text: bytes) -> int:
    """A hexadecimal number of at most 64 bits."""
    if not _HEX.match(text):
        raise ClientFault("a hexadecimal number is needed")
    return int(text, 16)


def numbers(text: bytes, count: int, separator: bytes = b",") -> list[int]:
    """Exactly `count` hexadecimal numbers."""
    parts = text.split(separator)
    if len(parts) != count:
        raise ClientFault(f"{count} numbers are needed")
    return [number(part) for part in parts]


def from_hex(text: bytes) -> bytes:
    """Bytes from pairs of hexadecimal digits."""
    try:
        return binascii.unhexlify(text)
    except (binascii.Error, ValueError):
        raise ClientFault("pairs of hexadecimal digits are needed") from None


def string_from_hex(text: bytes) -> str:
    """A file name or argument from pairs of hexadecimal digits."""
    decoded = from_hex(text)
    if b"\0" in decoded:
        raise ClientFault("a string must not contain a zero byte")
    return decoded.decode(errors="surrogateescape")


def binary(data: bytes) -> bytes:
    """Binary data from its escaped form."""
    try:
        return unescape(data)
    except ValueError as error:
        raise ClientFault(str(error)) from None


def split_address(text: bytes, end: bytes) -> tuple[int, int, bytes]:
    """`ADDRESS,LENGTH` up to `end`, and what follows."""
    head, _, rest = text.partition(end)
    address, length = numbers(head, 2)
    return address, length, rest


def thread_pattern(text: bytes) -> ThreadPattern:
    """A thread-id (gdb manual, section Packets, thread-id syntax)."""
    match = _ID.match(text)
    if match is None or not text:
        raise ClientFault("a thread-id is needed")
    pid_text, dot, tid_text = match.groups()
    if (pid_text is None and dot) or (pid_text is not None and tid_text is not None and not dot):
        raise ClientFault("a thread-id is needed")
    tid = ALL if tid_text is None else _id(tid_text)
    return ThreadPattern(ANY if pid_text is None else _id(pid_text), tid)


def _id(text: bytes) -> int:
    return ALL if text == b"-1" else int(text, 16)


def format_thread(thread: ThreadId, multiprocess: bool) -> bytes:
    """A thread-id as the client understands it."""
    return b"p%x.%x" % thread if multiprocess else b"%x" % thread.tid

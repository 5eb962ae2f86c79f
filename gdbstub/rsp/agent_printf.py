"""The formats of dprintf in agent style: C's printf over 64-bit words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gdbstub.target.values import MachineState

_DIRECTIVE = re.compile(
    rb"%(?P<flags>[-+ 0#]*)(?P<width>\d*)(?P<precision>\.\d*)?"
    rb"(?P<length>hh|h|ll|l|z|j|t|L)?(?P<kind>[a-zA-Z%])"
)
_BITS = {b"hh": 8, b"h": 16, b"l": 64, b"ll": 64, b"z": 64, b"j": 64, b"t": 64}
_ESCAPE = re.compile(rb"\\([\\abefnrtv\"'])")
_ESCAPED = dict(zip(b"abefnrtv", b"\a\b\x1b\f\n\r\t\v", strict=True))
"""The client sends backslash escapes as its user wrote them (gdbsupport/format.cc)."""
_LONGEST_STRING = 4096
_WIDEST = 4096


def format_printf(template: bytes, values: Sequence[int], state: MachineState) -> str:
    """The text; a directive without a value, or an unknown one, stays as it is.

    Bytes that are no UTF-8 become surrogates, so that the text can be turned back into what it was.
    """
    remaining = list(values)

    def substitute(match: re.Match[bytes]) -> bytes:
        kind = match["kind"]
        if kind == b"%":
            return b"%"
        if not remaining:
            return match.group()
        return _directive(match, remaining.pop(0), state)

    return _DIRECTIVE.sub(substitute, _unescape(template)).decode(errors="surrogateescape")


def _unescape(template: bytes) -> bytes:
    return _ESCAPE.sub(lambda match: bytes([_ESCAPED.get(match[1][0], match[1][0])]), template)


def _directive(match: re.Match[bytes], value: int, state: MachineState) -> bytes:
    kind = match["kind"]
    width = min(int(match["width"] or 0), _WIDEST)
    flags = match["flags"]
    if match["precision"] is not None:
        # As in C, a number with a precision is not filled up with zeros.
        flags = flags.replace(b"0", b"")
    layout = b"%" + flags + (b"%d" % width if width else b"")
    if match["precision"] is not None:
        layout += b".%d" % min(int(match["precision"][1:] or 0), _WIDEST)
    bits = _BITS.get(match["length"] or b"", 32)
    if kind == b"s":
        return (layout + b"s") % _string(value, state)
    if kind == b"c":
        return b"%c" % (value & 0xFF)
    if kind == b"p":
        return b"%#x" % value
    if kind in b"di":
        low = value & (1 << bits) - 1
        return (layout + b"d") % (low - (1 << bits) if low >> (bits - 1) else low)
    if kind in b"ux" or kind in b"Xo":
        return (layout + (b"d" if kind == b"u" else kind)) % (value & (1 << bits) - 1)
    return match.group()


def _string(address: int, state: MachineState) -> bytes:
    found = bytearray()
    while len(found) < _LONGEST_STRING:
        byte = state.memory(address + len(found), 1)
        if byte == b"\0":
            break
        found += byte
    return bytes(found)

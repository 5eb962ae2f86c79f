"""Bytes to packets and back (gdb manual, Remote Protocol, Overview)."""

from __future__ import annotations

import re
import zlib
from binascii import unhexlify
from collections.abc import Iterator
from enum import Enum, auto

INTERRUPT_CHARACTER = 0x03
_ESCAPED = re.compile(rb"\}(.?)", re.DOTALL)
_ESCAPE_XOR = 0x20
_CHECKSUM_BLOCK = 256
"""The longest block whose byte sum zlib's Adler-32 cannot wrap (its modulus is 65521)."""

_ZERO_RUNS = tuple((b"0" * length, b"0*" + bytes([length - 1 + 29])) for length in (98, 49, 24, 12, 9))
"""Run-length codes: a character, an asterisk, and the number of repeats plus 29 as a character."""


class Token(Enum):
    """What can come besides packets."""

    ACK = auto()
    NACK = auto()
    INTERRUPT = auto()
    """The interrupt character between packets."""
    BAD_CHECKSUM = auto()
    """A packet that did not arrive as it was sent."""
    OVERFLOW = auto()
    """Something without end that is no packet; it was dropped."""


def checksum(data: bytes) -> int:
    """Sum of all bytes modulo 256."""
    if len(data) <= _CHECKSUM_BLOCK:
        return (zlib.adler32(data) & 0xFFFF) - 1 & 0xFF
    view = memoryview(data)
    adler32 = zlib.adler32
    total = 0
    for start in range(0, len(data), _CHECKSUM_BLOCK):
        total += (adler32(view[start : start + _CHECKSUM_BLOCK]) & 0xFFFF) - 1
    return total & 0xFF


def encode_packet(payload: bytes) -> bytes:
    """Frame a reply, zeros run-length coded."""
    data = compress_zeros(payload)
    return b"$%b#%02x" % (data, checksum(data))


def encode_notification(payload: bytes) -> bytes:
    """Frame a notification, which is never acknowledged."""
    data = compress_zeros(payload)
    return b"%%%b#%02x" % (data, checksum(data))


def compress_zeros(payload: bytes) -> bytes:
    """Run-length code long runs of the digit zero, by far the most frequent ones in memory and registers."""
    if _ZERO_RUNS[-1][0] in payload:
        for run, code in _ZERO_RUNS:
            payload = payload.replace(run, code)
    return payload


def expand_runs(payload: bytes) -> bytes:
    """Undo run-length coding (for clients and tests)."""
    parts = payload.split(b"*")
    expanded = bytearray(parts[0])
    for part in parts[1:]:
        if not part or not expanded:
            raise ValueError("a run without a length or a character")
        expanded += expanded[-1:] * (part[0] - 29)
        expanded += part[1:]
    return bytes(expanded)


def escape(data: bytes) -> bytes:
    """Make binary data fit for a packet."""
    return data.replace(b"}", b"}]").replace(b"#", b"}\x03").replace(b"$", b"}\x04").replace(b"*", b"}\n")


def unescape(data: bytes) -> bytes:
    """Binary data out of a packet. Raises ValueError for a lone escape character at the end."""
    if b"}" not in data:
        return data
    return _ESCAPED.sub(_unescape_one, data)


def _unescape_one(match: re.Match[bytes]) -> bytes:
    if not match[1]:
        raise ValueError("an escape character at the end")
    return bytes([match[1][0] ^ _ESCAPE_XOR])


class PacketReader:
    """Takes a stream apart, however it is cut into pieces."""

    def __init__(self, longest: int) -> None:
        """`longest`: bytes of the longest packet; a longer one is dropped."""
        self._longest = longest
        self._buffer = bytearray()
        self._dropping = False
        """Inside of a packet that was too long: its bytes are not what they would be between packets."""

    def feed(self, data: bytes) -> Iterator[bytes | Token]:
        """Payloads of intact packets, and what else there is, in order."""
        buffer = self._buffer
        buffer += data
        position = 0
        while position < len(buffer):
            character = buffer[position]
            if character != 0x24:
                position += 1
                if self._dropping:
                    self._dropping = character != 0x23
                elif character == 0x2B:
                    yield Token.ACK
                elif character == 0x2D:
                    yield Token.NACK
                elif character == INTERRUPT_CHARACTER:
                    yield Token.INTERRUPT
                continue
            self._dropping = False
            end = buffer.find(b"#", position)
            if end < 0 or end + 2 >= len(buffer):
                if len(buffer) - position > self._longest + 4:
                    position = len(buffer)
                    self._dropping = end < 0
                    yield Token.OVERFLOW
                break
            token = _check(bytes(buffer[position + 1 : end]), bytes(buffer[end + 1 : end + 3]))
            position = end + 3
            yield token
        del buffer[:position]


def _check(data: bytes, digits: bytes) -> bytes | Token:
    """A packet's payload; a packet that was broken off by a new one counts from the new one on."""
    _, restarted, rest = data.rpartition(b"$")
    if restarted:
        data = rest
    try:
        expected = unhexlify(digits)[0]
    except ValueError:
        return Token.BAD_CHECKSUM
    return data if checksum(data) == expected else Token.BAD_CHECKSUM

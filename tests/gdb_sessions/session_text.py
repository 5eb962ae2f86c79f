"""Packets as text and back: printable characters stand for themselves, the rest is escaped or a placeholder.

\\xNN, \\n            a byte
"text"              the text's bytes in hex; placeholders in it are paths and decimal numbers
{main+0x4}          an address, or another number, in hex
{le main+0x4}       the same as a word in the program's byte order, in hex
{raw main+0x4}      the same as bytes
{zeros 100}         that many zero bytes
{size .text}        the size of a section, in hex
{reg rax}           the number of a register, in hex
{agent add; end}    an agent expression: X, its length, its bytecode in hex
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import session_agent
from session_names import Names

_SHORTEST_ZEROS = 8
_SPECIAL = frozenset(b'{}"\\')
_TOKEN = re.compile(r'\\x([0-9a-f]{2})|\\(n)|"([^"]*)"|\{([^}]*)\}|(.)', re.DOTALL)


def printable(data: bytes, special: frozenset[int] = _SPECIAL) -> str:
    """Bytes as text that `encode` turns back."""
    parts: list[str] = []
    for run in re.finditer(rb"\0{%d,}|." % _SHORTEST_ZEROS, data, re.DOTALL):
        piece = run[0]
        if len(piece) > 1:
            parts.append(f"{{zeros {len(piece)}}}")
        elif piece == b"\n":
            parts.append("\\n")
        elif 0x20 <= piece[0] < 0x7F and piece[0] not in special:
            parts.append(piece.decode())
        else:
            parts.append(f"\\x{piece[0]:02x}")
    return "".join(parts)


def escape_binary(data: bytes) -> bytes:
    """Binary data as it travels in a packet (gdb manual, Overview)."""
    return re.sub(rb"[#$}*]", lambda match: b"}" + bytes([match[0][0] ^ 0x20]), data)


def unescape_binary(data: bytes) -> bytes:
    """Undo `escape_binary`."""
    return re.sub(rb"\}(.)", lambda match: bytes([match[1][0] ^ 0x20]), data, flags=re.DOTALL)


def encode(text: str, names: Names, registers: Mapping[str, int]) -> bytes:
    """The packet of a text."""
    packet = bytearray()
    for match in _TOKEN.finditer(text):
        code, newline, string, placeholder, character = match.groups()
        if code is not None:
            packet.append(int(code, 16))
        elif newline is not None:
            packet += b"\n"
        elif string is not None:
            packet += names.from_text(string).encode(errors="surrogateescape").hex().encode()
        elif placeholder is not None:
            packet += _value(placeholder, names, registers)
        else:
            packet += character.encode()
    return bytes(packet)


def _value(placeholder: str, names: Names, registers: Mapping[str, int]) -> bytes:
    kind, _, rest = placeholder.partition(" ")
    match kind:
        case "le":
            return names.address(rest).to_bytes(names.word, "little").hex().encode()
        case "raw":
            return escape_binary(names.address(rest).to_bytes(names.word, "little"))
        case "zeros":
            return bytes(int(rest))
        case "size":
            return b"%x" % names.section_size(rest)
        case "reg":
            return b"%x" % registers[rest]
        case "agent":
            expression = session_agent.assemble(rest, names.address)
            return b"X%x,%b" % (len(expression), expression.hex().encode())
        case _:
            return b"%x" % names.address(placeholder)

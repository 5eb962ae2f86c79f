"""The x87 tag word: kept by FXSAVE as one bit a register, shown by gdb as two.

Intel SDM volume 1, sections 8.1.7 (tag word) and 10.5.1 (FXSAVE's abridged form).
"""

from __future__ import annotations

FSW_OFFSET, TAG_OFFSET, STACK_OFFSET, SLOT = 2, 4, 32, 16
"""Byte offsets in the FXSAVE area."""

_VALID, _ZERO, _SPECIAL, _EMPTY = 0, 1, 2, 3


def full_tag_word(area: bytes | bytearray) -> int:
    """The 16-bit tag word of an FXSAVE area: for each physical register valid, zero, special or empty."""
    top = int.from_bytes(area[FSW_OFFSET : FSW_OFFSET + 2], "little") >> 11 & 7
    abridged = area[TAG_OFFSET]
    word = 0
    for physical in range(8):
        if abridged >> physical & 1:
            position = STACK_OFFSET + SLOT * ((physical - top) % 8)
            tag = _classify(int.from_bytes(area[position : position + 10], "little"))
        else:
            tag = _EMPTY
        word |= tag << 2 * physical
    return word


def abridged_tag(word: int) -> int:
    """FXSAVE's tag byte for a full tag word."""
    return sum(1 << physical for physical in range(8) if word >> 2 * physical & 3 != _EMPTY)


def _classify(value: int) -> int:
    exponent, mantissa = value >> 64 & 0x7FFF, value & (1 << 64) - 1
    if exponent == 0x7FFF:
        return _SPECIAL
    if exponent == 0:
        return _ZERO if mantissa == 0 else _SPECIAL
    return _VALID if mantissa >> 63 else _SPECIAL

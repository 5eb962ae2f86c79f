"""Agent expressions as text: `reg 6; const8 0xec; ext 8; add; ref32; end` (gdb manual, Bytecode).

Independent of the product's own decoder, since it is part of what that is tested with.
"""

from __future__ import annotations

from collections.abc import Callable

_PLAIN = {
    0x02: "add", 0x03: "sub", 0x04: "mul", 0x05: "div_signed", 0x06: "div_unsigned", 0x07: "rem_signed",
    0x08: "rem_unsigned", 0x09: "lsh", 0x0A: "rsh_signed", 0x0B: "rsh_unsigned", 0x0C: "trace",
    0x0E: "log_not", 0x0F: "bit_and", 0x10: "bit_or", 0x11: "bit_xor", 0x12: "bit_not", 0x13: "equal",
    0x14: "less_signed", 0x15: "less_unsigned", 0x17: "ref8", 0x18: "ref16", 0x19: "ref32", 0x1A: "ref64",
    0x27: "end", 0x28: "dup", 0x29: "pop", 0x2B: "swap", 0x33: "rot",
}  # fmt: skip
_WITH_OPERAND = {
    0x0D: ("trace_quick", 1), 0x16: ("ext", 1), 0x20: ("if_goto", 2), 0x21: ("goto", 2), 0x22: ("const8", 1),
    0x23: ("const16", 2), 0x24: ("const32", 4), 0x25: ("const64", 8), 0x26: ("reg", 2), 0x2A: ("zero_ext", 1),
    0x2C: ("getv", 2), 0x2D: ("setv", 2), 0x2E: ("tracev", 2), 0x30: ("trace16", 2), 0x32: ("pick", 1),
}  # fmt: skip
_PRINTF = 0x34
_CODES = {name: (code, 0) for code, name in _PLAIN.items()} | {
    name: (code, size) for code, (name, size) in _WITH_OPERAND.items()
}


def disassemble(code: bytes, name_address: Callable[[int], str | None]) -> str:
    """The text of an expression; constants that are addresses are named."""
    position, parts = 0, []
    while position < len(code):
        opcode = code[position]
        position += 1
        if opcode in _PLAIN:
            parts.append(_PLAIN[opcode])
        elif opcode == _PRINTF:
            count, length = code[position], int.from_bytes(code[position + 1 : position + 3], "big")
            text = code[position + 3 : position + 3 + length]
            position += 3 + length
            parts.append(f"printf {count} {text.hex()}")
        else:
            word, size = _WITH_OPERAND[opcode]
            operand = int.from_bytes(code[position : position + size], "big")
            position += size
            place = name_address(operand) if size >= 4 else None
            parts.append(f"{word} {place or hex(operand)}")
    return "; ".join(parts)


def assemble(text: str, address: Callable[[str], int]) -> bytes:
    """The expression of a text."""
    code = bytearray()
    for part in text.split("; "):
        word, _, operand = part.partition(" ")
        if word == "printf":
            count, digits = operand.split()
            format_string = bytes.fromhex(digits)
            code += bytes([_PRINTF, int(count)]) + len(format_string).to_bytes(2, "big") + format_string
            continue
        opcode, size = _CODES[word]
        code.append(opcode)
        if size:
            value = int(operand, 16) if operand.startswith("0x") else address(operand)
            code += value.to_bytes(size, "big")
    return bytes(code)

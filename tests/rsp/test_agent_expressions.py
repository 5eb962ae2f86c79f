"""Agent expression bytecode (gdb manual, appendix F)."""

from __future__ import annotations

import operator
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdbstub.rsp.agent_expression import (
    DEEPEST_STACK,
    LONGEST,
    AgentExpression,
    BadExpression,
    EvaluationError,
    signed,
)

WORD = st.integers(0, (1 << 64) - 1) | st.sampled_from(
    [0, 1, 2, 63, 64, 65, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]
)
NAMES = {
    "add": 0x02, "sub": 0x03, "mul": 0x04, "div_s": 0x05, "div_u": 0x06, "rem_s": 0x07, "rem_u": 0x08,
    "lsh": 0x09, "rsh_s": 0x0A, "rsh_u": 0x0B, "log_not": 0x0E, "and": 0x0F, "or": 0x10, "xor": 0x11,
    "not": 0x12, "equal": 0x13, "less_s": 0x14, "less_u": 0x15, "ext": 0x16, "ref8": 0x17, "ref16": 0x18,
    "ref32": 0x19, "ref64": 0x1A, "if_goto": 0x20, "goto": 0x21, "const8": 0x22, "const16": 0x23,
    "const32": 0x24, "const64": 0x25, "reg": 0x26, "end": 0x27, "dup": 0x28, "pop": 0x29, "zero_ext": 0x2A,
    "swap": 0x2B, "pick": 0x32, "rot": 0x33,
}  # fmt: skip
"""The manual's opcodes."""
OPERAND = {"if_goto": 2, "goto": 2, "const8": 1, "const16": 2, "const32": 4, "const64": 8, "reg": 2}
OPERAND |= {"ext": 1, "zero_ext": 1, "pick": 1}


def assemble(text: str) -> bytes:
    """`const8 1 end` as bytecode."""
    code = bytearray()
    words = iter(text.split())
    for word in words:
        code.append(NAMES[word])
        if word in OPERAND:
            code += int(next(words), 0).to_bytes(OPERAND[word], "big")
    return bytes(code)


class Machine:
    """Registers that hold their numbers, and memory that counts from 0x1000 to 0x10ff."""

    def register(self, number: int) -> int:
        if number > 100:
            raise IndexError(number)
        return number * 0x0101

    def memory(self, address: int, length: int) -> bytes:
        if not 0x1000 <= address <= 0x1100 - length:
            raise OSError(14, "no memory")
        return bytes(range(address - 0x1000, address - 0x1000 + length))


def evaluate(text: str) -> int:
    return AgentExpression(assemble(text)).evaluate(Machine())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("end", 0),
        ("const8 200 end", 200),
        ("const16 0x1234 end", 0x1234),
        ("const32 0x12345678 end", 0x12345678),
        ("const64 0x7edcba9876543210 end", 0x7EDCBA9876543210),
        ("const64 0xffffffffffffffff end", -1),
        ("const8 7 const8 2 sub end", 5),
        ("const8 2 const8 7 sub end", -5),
        ("const8 7 const8 2 div_s end", 3),
        ("const64 0xfffffffffffffff9 const8 2 div_s end", -3),
        ("const64 0xfffffffffffffff9 const8 2 rem_s end", -1),
        ("const64 0xfffffffffffffff9 const8 2 div_u end", 0x7FFFFFFFFFFFFFFC),
        ("const64 0xfffffffffffffff9 const8 2 rem_u end", 1),
        ("const8 1 const8 4 lsh end", 16),
        ("const8 1 const8 64 lsh end", 0),
        ("const64 0x8000000000000000 const8 63 rsh_s end", -1),
        ("const64 0x8000000000000000 const8 63 rsh_u end", 1),
        ("const8 5 log_not end", 0),
        ("const8 0 log_not end", 1),
        ("const8 0 not end", -1),
        ("const8 12 const8 10 and end", 8),
        ("const8 12 const8 10 or end", 14),
        ("const8 12 const8 10 xor end", 6),
        ("const8 3 const8 3 equal end", 1),
        ("const8 3 const8 4 equal end", 0),
        ("const64 0xffffffffffffffff const8 1 less_s end", 1),
        ("const64 0xffffffffffffffff const8 1 less_u end", 0),
        ("const8 0xff ext 8 end", -1),
        ("const8 0x7f ext 8 end", 127),
        ("const16 0x1ff zero_ext 8 end", 0xFF),
        ("const64 0xffffffffffffffff zero_ext 64 end", -1),
        ("const64 0xffffffffffffffff ext 64 end", -1),
        ("const16 0x1001 ref8 end", 1),
        ("const16 0x1001 ref16 end", 0x0201),
        ("const16 0x1001 ref32 end", 0x04030201),
        ("const16 0x1001 ref64 end", 0x0807060504030201),
        ("reg 7 end", 0x0707),
        ("const8 1 const8 2 swap end", 1),
        ("const8 1 const8 2 pop end", 1),
        ("const8 1 const8 2 dup add add end", 5),
        ("const8 1 const8 2 const8 3 pick 0 end", 3),
        ("const8 1 const8 2 const8 3 pick 2 end", 1),
        # The manual: a b c becomes c a b.
        ("const8 1 const8 2 const8 3 rot end", 2),
        ("const8 1 const8 2 const8 3 rot pop end", 1),
        ("const8 1 const8 2 const8 3 rot pop pop end", 3),
        ("const8 1 if_goto 8 const8 5 end const8 6 end", 6),
        ("const8 0 if_goto 8 const8 5 end const8 6 end", 5),
        ("goto 6 const8 5 end const8 6 end", 6),
        # Counting down from 3, adding 1 each time to what lies below.
        ("const8 0 const8 3 swap const8 1 add swap const8 1 sub dup if_goto 4 swap end", 3),
    ],
)
def test_value(text: str, value: int) -> None:
    assert evaluate(text) == value


def truncated(left: int, right: int) -> int:
    """C's division, rounding towards zero."""
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def remainder(left: int, right: int) -> int:
    return left - right * truncated(left, right)


BINARY: dict[str, Callable[[int, int], int]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "equal": operator.eq,
    "less_u": operator.lt,
    "less_s": lambda left, right: to_signed(left) < to_signed(right),
    "div_u": operator.floordiv,
    "rem_u": operator.mod,
    "div_s": lambda left, right: truncated(to_signed(left), to_signed(right)),
    "rem_s": lambda left, right: (
        to_signed(left) - to_signed(right) * truncated(to_signed(left), to_signed(right))
    ),
    "lsh": lambda left, right: left << min(right, 64),
    "rsh_u": lambda left, right: left >> min(right, 64),
    "rsh_s": lambda left, right: to_signed(left) >> min(right, 64),
}


def to_signed(value: int) -> int:
    value %= 1 << 64
    return value - (1 << 64) if value >= 1 << 63 else value


@pytest.mark.parametrize("name", BINARY)
@given(left=WORD, right=WORD)
def test_arithmetic_is_that_of_64_bits(name: str, left: int, right: int) -> None:
    text = f"const64 {left} const64 {right} {name} end"
    if name.startswith(("div", "rem")) and right == 0:
        with pytest.raises(EvaluationError, match="division by zero"):
            evaluate(text)
    else:
        assert evaluate(text) == to_signed(int(BINARY[name](left, right)))


@given(WORD, st.integers(1, 255))
def test_extension(value: int, bits: int) -> None:
    """Widths beyond the stack's change nothing."""
    bits, operand = min(bits, 64), bits
    low = value % (1 << bits)
    assert evaluate(f"const64 {value} zero_ext {operand} end") == to_signed(low)
    assert evaluate(f"const64 {value} ext {operand} end") == (low - (1 << bits) if low >> (bits - 1) else low)
    assert signed(value, bits) == (low - (1 << bits) if low >> (bits - 1) else low)


@pytest.mark.parametrize(
    "code",
    [
        b"",
        bytes(LONGEST + 1),
        b"\x00",
        b"\x01\x27",
        b"\x1b\x27",
        b"\x31\x27",
        b"\xff",
        *map(assemble, ["add end", "const8 1 add end", "pop end", "dup end", "log_not end", "ref8 end"]),
        *map(
            assemble, ["const8 1 swap end", "const8 1 const8 2 rot end", "const8 1 pick 1 end", "pick 0 end"]
        ),
        *map(assemble, ["if_goto 0", "goto 4", "goto 1 const8 1 end", "goto 100 end", "const8 1", "goto 3"]),
        *map(assemble, ["const8 1 ext 0 end", "const8 1 zero_ext 0 end", "pick 0 end"]),
        # Paths that meet with different depths, and a loop that piles up.
        *map(assemble, ["const8 1 if_goto 7 const8 1 end", "const8 1 goto 0"]),
        assemble("const8 1 " * (DEEPEST_STACK + 1) + "end"),
        b"\x22",
        b"\x25\x00\x00\x27",
        b"\x22\x00\x22\x00\x34\x00\x00\x05a\x00\x27",
        b"\x22\x00\x22\x00\x34\x00\x00\x02ab\x27",
        b"\x22\x00\x34\x00\x00\x02a\x00\x27",
        b"\x22\x00\x22\x00\x34\x01\x00\x02a\x00\x27",
    ],
)
def test_bad_bytecode_is_refused(code: bytes) -> None:
    with pytest.raises(BadExpression):
        AgentExpression(code)


def test_the_deepest_stack_is_allowed() -> None:
    assert evaluate("const8 1 " * DEEPEST_STACK + "end") == 1


def test_what_is_not_reached_need_not_fit() -> None:
    assert evaluate("const8 4 end add end") == 4


@given(st.binary(max_size=40) | st.lists(st.sampled_from(sorted(NAMES.values())), max_size=40).map(bytes))
def test_any_bytecode_is_refused_or_comes_to_an_end(code: bytes) -> None:
    try:
        expression = AgentExpression(code)
    except BadExpression:
        return
    try:
        assert -(1 << 63) <= expression.evaluate(Machine()) < 1 << 63
    except (EvaluationError, LookupError, OSError):
        pass


def test_an_endless_loop_is_broken_off() -> None:
    with pytest.raises(EvaluationError, match="end"):
        evaluate("goto 0")


def test_what_is_not_there() -> None:
    with pytest.raises(LookupError):
        evaluate("reg 101 end")
    with pytest.raises(OSError, match="no memory"):
        evaluate("const8 0 ref8 end")


def test_printf_goes_to_the_console() -> None:
    printed: list[str] = []
    code = assemble("const8 2 const8 1 const8 0 const8 0") + b"\x34\x02\x00\x09" + rb"%d, %d\n" + b"\0"
    code += assemble("const8 9 end")
    assert AgentExpression(code).evaluate(Machine(), printed.append) == 9
    assert printed == ["1, 2\n"]

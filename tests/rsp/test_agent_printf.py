"""printf of agent expressions, against the C library's where the two mean the same."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdbstub.rsp.agent_printf import format_printf

LIBC = ctypes.CDLL(None)
STRING = 0x1000


class Machine:
    """A string at STRING and nothing else."""

    def register(self, number: int) -> int:
        raise IndexError(number)

    def memory(self, address: int, length: int) -> bytes:
        contents = b"hello\xff\0"
        if not STRING <= address <= STRING + len(contents) - length:
            raise OSError(14, "no memory")
        return contents[address - STRING : address - STRING + length]


def formatted(template: bytes, *values: int) -> str:
    return format_printf(template, [value % (1 << 64) for value in values], Machine())


def by_libc(template: bytes, value: int) -> str:
    buffer = ctypes.create_string_buffer(8192)
    LIBC.snprintf(buffer, ctypes.c_size_t(len(buffer)), template, ctypes.c_ulonglong(value % (1 << 64)))
    return buffer.value.decode()


@pytest.mark.parametrize(
    ("template", "values", "text"),
    [
        (b"plain", (), "plain"),
        (b"%d%%", (5,), "5%"),
        (b"%d", (-5,), "-5"),
        (b"%d", (1 << 32 | 7,), "7"),
        (b"%ld", (1 << 32 | 7,), "4294967303"),
        (b"%hhd", (0x1FF,), "-1"),
        (b"%hu", (0x1FFFF,), "65535"),
        (b"%x %X %o", (255, 255, 8), "ff FF 10"),
        (b"%lx", (-1,), "f" * 16),
        (b"%p", (0x1234,), "0x1234"),
        (b"%c%c", (65, 0x142), "AB"),
        (b"%s!", (STRING,), "hello\udcff!"),
        (b"[%8.3s]", (STRING,), "[     hel]"),
        (b"[%-5d|%05d|%+d]", (42, 42, 42), "[42   |00042|+42]"),
        (b"%d %d %d", (1, 2), "1 2 %d"),
        (b"%d", (1, 2, 3), "1"),
        (b"%y %d", (1, 2), "%y 2"),
        (b"%", (1,), "%"),
        (rb"\"a\"\n\t\\\a\e", (), '"a"\n\t\\\a\x1b'),
        (rb"\q\x", (), r"\q\x"),
        (rb"\\n", (), r"\n"),
    ],
)
def test_text(template: bytes, values: tuple[int, ...], text: str) -> None:
    assert formatted(template, *values) == text


FLAGS = st.sampled_from(["", "-", "0", "+", " ", "#", "-#"])
FORMATS = st.builds(
    lambda flags, width, precision, length, kind: f"%{flags}{width}{precision}{length}{kind}",
    FLAGS,
    st.sampled_from(["", "1", "12", "30"]),
    st.sampled_from(["", ".0", ".", ".4", ".20"]),
    st.sampled_from(["hh", "h", "", "l", "ll"]),
    st.sampled_from("di"),
)


@given(FORMATS, st.integers(0, (1 << 64) - 1).map(lambda value: value | 1))
def test_signed_numbers_look_as_in_c(template: str, value: int) -> None:
    assert formatted(template.encode(), value) == by_libc(template.encode(), value)


@given(st.sampled_from("uxXo"), st.sampled_from(["hh", "h", "", "l", "ll"]), st.integers(0, (1 << 64) - 1))
def test_unsigned_numbers_look_as_in_c(kind: str, length: str, value: int) -> None:
    template = f"[%20{length}{kind}|%-20{length}{kind}|%020{length}{kind}]".encode()
    assert (
        formatted(template, value, value, value)
        == "["
        + "|".join(by_libc(f"%{flag}20{length}{kind}".encode(), value) for flag in ("", "-", "0"))
        + "]"
    )


def test_a_string_that_is_not_there() -> None:
    with pytest.raises(OSError, match="no memory"):
        formatted(b"%s", 0)


@given(st.text("%dsxclh0123456789.-+# \\n", max_size=30), st.lists(st.integers(0, 1 << 63), max_size=4))
def test_any_format_gives_text_or_lacks_memory(template: str, values: list[int]) -> None:
    try:
        assert len(formatted(template.encode(), *values)) < 50_000
    except OSError:
        pass


def test_huge_widths_and_precisions_are_cut() -> None:
    assert len(formatted(b"%99999999999d", 1)) == 4096
    assert len(formatted(b"%.99999999999d", 1)) == 4096

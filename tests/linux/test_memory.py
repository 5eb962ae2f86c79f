"""Another process's memory up to the last readable byte."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdbstub.linux.memory import PAGE, MemoryFault, ProcessMemory

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.mmap.restype = ctypes.c_void_p
LIBC.mmap.argtypes = [
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_long,
]
LIBC.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
LIBC.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
PATTERN = bytes(range(256)) * (PAGE // 256)


@pytest.fixture(scope="module")
def memory() -> Iterator[ProcessMemory]:
    own = ProcessMemory(os.getpid())
    yield own
    own.close()


@pytest.fixture(scope="module")
def pages() -> Iterator[int]:
    """Pages: two to be read and written, a hole, one without permissions, one to be read, a hole."""
    start = LIBC.mmap(
        None, 7 * PAGE, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0
    )
    for page in range(7):
        ctypes.memmove(start + page * PAGE, PATTERN, PAGE)
    LIBC.munmap(start + 2 * PAGE, PAGE)
    LIBC.mprotect(start + 3 * PAGE, PAGE, 0)
    LIBC.mprotect(start + 4 * PAGE, PAGE, mmap.PROT_READ)
    LIBC.munmap(start + 5 * PAGE, 2 * PAGE)
    yield start
    LIBC.munmap(start, 2 * PAGE)
    LIBC.munmap(start + 3 * PAGE, 2 * PAGE)


HOLE = 2 * PAGE


@given(st.integers(1, HOLE), st.integers(0, HOLE))
def test_reading_up_to_a_hole(memory: ProcessMemory, pages: int, before: int, beyond: int) -> None:
    """Exactly what is there, and the first address that is not."""
    start = pages + HOLE - before
    assert memory.read_some(start, before) == memory.read(start, before)
    assert len(memory.read_some(start, before + beyond)) == before
    if beyond:
        with pytest.raises(MemoryFault) as caught:
            memory.read(start, before + beyond)
        assert (caught.value.address, caught.value.done) == (pages + HOLE, before)
        assert (caught.value.errno, caught.value.strerror) == (
            14,
            f"cannot access memory at {pages + HOLE:#x}",
        )


@given(st.integers(0, 255), st.integers(1, PAGE))
def test_contents(memory: ProcessMemory, pages: int, offset: int, length: int) -> None:
    assert memory.read(pages + offset, length) == (PATTERN * 2)[offset : offset + length]


def test_pages_without_permissions_are_read_by_the_slower_way(memory: ProcessMemory, pages: int) -> None:
    assert memory.read(pages + 3 * PAGE, 2 * PAGE) == PATTERN * 2
    assert memory.read_some(pages + 4 * PAGE - 3, PAGE) == PATTERN[-3:] + PATTERN[:-3]


@pytest.mark.parametrize(
    "address", [0, 1, PAGE - 1, (1 << 47) - 1, 1 << 47, 1 << 63, (1 << 64) - 1, 1 << 64, -1]
)
def test_no_memory(memory: ProcessMemory, address: int) -> None:
    assert memory.read_some(address, 16) == b""
    with pytest.raises(MemoryFault) as caught:
        memory.read(address, 16)
    assert (caught.value.address, caught.value.done) == (address, 0)
    with pytest.raises(MemoryFault):
        memory.write(address, b"x")


@pytest.mark.parametrize("length", [0, -1])
def test_nothing_is_read_of_nothing(memory: ProcessMemory, pages: int, length: int) -> None:
    assert memory.read_some(pages, length) == b""


@given(st.binary(min_size=1, max_size=100), st.integers(0, 500))
def test_writing(memory: ProcessMemory, pages: int, contents: bytes, offset: int) -> None:
    memory.write(pages + offset, contents)
    assert ctypes.string_at(pages + offset, len(contents)) == contents
    memory.write(pages, PATTERN)


def test_protection_does_not_hinder_a_write(memory: ProcessMemory, pages: int) -> None:
    memory.write(pages + 4 * PAGE - 1, b"ab")
    assert memory.read(pages + 4 * PAGE - 1, 2) == b"ab"
    memory.write(pages + 4 * PAGE - 1, PATTERN[-1:] + PATTERN[:1])


def test_a_write_into_a_hole_says_how_far_it_got(memory: ProcessMemory, pages: int) -> None:
    with pytest.raises(MemoryFault) as caught:
        memory.write(pages + HOLE - 3, b"abcdef")
    assert (caught.value.address, caught.value.done) == (pages + HOLE, 3)
    assert memory.read(pages + HOLE - 3, 3) == b"abc"
    memory.write(pages, PATTERN * 2)


def test_no_process() -> None:
    with pytest.raises(ProcessLookupError):
        ProcessMemory(0x7FFFFFFF)


def test_closing_twice() -> None:
    memory = ProcessMemory(os.getpid())
    memory.close()
    memory.close()

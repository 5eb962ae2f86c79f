"""What the debug registers are programmed with (Intel SDM volume 3, section 18.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdbstub.arch.description import Watch
from gdbstub.arch.x86.debug_registers import X86DebugRegisters

WIDE, NARROW = X86DebugRegisters(8, 1 << 47), X86DebugRegisters(4, 1 << 47)


@pytest.mark.parametrize(
    ("watches", "control"),
    [
        ([None] * 4, 0),
        ([Watch("execute", 0, 1), None, None, None], 0x0000_0001),
        ([Watch("write", 0, 1), None, None, None], 0x0001_0001),
        ([Watch("access", 0, 1), None, None, None], 0x0003_0001),
        ([Watch("write", 0, 2), None, None, None], 0x0005_0001),
        ([Watch("write", 0, 4), None, None, None], 0x000D_0001),
        ([Watch("write", 0, 8), None, None, None], 0x0009_0001),
        ([None, Watch("access", 0, 4), None, None], 0x00F0_0004),
        ([None, None, Watch("execute", 0, 1), None], 0x0000_0010),
        ([None, None, None, Watch("access", 0, 8)], 0xB000_0040),
        (
            [Watch("write", 0, 8), Watch("write", 8, 8), Watch("execute", 0, 1), Watch("access", 0, 2)],
            0x7099_0055,
        ),
    ],
)
def test_control(watches: list[Watch | None], control: int) -> None:
    assert WIDE.control_value(watches) == control


@pytest.mark.parametrize(
    ("status", "slots", "stepped"),
    [
        (0xFFFF0FF0, [], False),
        (0xFFFF0FF1, [0], False),
        (0xFFFF0FFA, [1, 3], False),
        (0xFFFF4FF0, [], True),
        (0xFFFF4FFF, [0, 1, 2, 3], True),
    ],
)
def test_status(status: int, slots: list[int], stepped: bool) -> None:
    assert WIDE.hits(status) == slots
    assert WIDE.stepped(status) is stepped


@pytest.mark.parametrize(
    ("machine", "address", "length", "pieces"),
    [
        (WIDE, 0x1000, 8, [(0x1000, 8)]),
        (NARROW, 0x1000, 8, [(0x1000, 4), (0x1004, 4)]),
        (WIDE, 0x1001, 1, [(0x1001, 1)]),
        (WIDE, 0x1001, 3, [(0x1001, 1), (0x1002, 2)]),
        (WIDE, 0x1001, 7, [(0x1001, 1), (0x1002, 2), (0x1004, 4)]),
        (WIDE, 0x1004, 8, [(0x1004, 4), (0x1008, 4)]),
        (WIDE, 0x1000, 32, [(0x1000, 8), (0x1008, 8), (0x1010, 8), (0x1018, 8)]),
    ],
)
def test_pieces(machine: X86DebugRegisters, address: int, length: int, pieces: list[tuple[int, int]]) -> None:
    assert machine.split("write", address, length) == [Watch("write", *piece) for piece in pieces]


@given(st.sampled_from([WIDE, NARROW]), st.integers(0, 1 << 40), st.integers(1, 14))
def test_pieces_cover_the_range_and_are_aligned(
    machine: X86DebugRegisters, address: int, length: int
) -> None:
    pieces = machine.split("access", address, length)
    assert all(piece.address % piece.length == 0 for piece in pieces)
    if len(pieces) <= machine.slots:
        covered = [byte for piece in pieces for byte in range(piece.address, piece.address + piece.length)]
        assert covered == list(range(address, address + length))


@pytest.mark.parametrize("length", [40, 1 << 20, (1 << 64) - 1])
def test_a_range_that_is_too_large_gives_one_piece_too_many(length: int) -> None:
    assert len(WIDE.split("write", 0, length)) == 5


def test_execution_is_watched_by_its_first_byte() -> None:
    assert WIDE.split("execute", 0x1003, 8) == [Watch("execute", 0x1003, 1)]


def test_reads_alone_cannot_be_watched() -> None:
    with pytest.raises(ValueError, match="read"):
        WIDE.split("read", 0, 1)

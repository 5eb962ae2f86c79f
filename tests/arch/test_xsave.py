"""The XSAVE area as the processor describes it."""

from __future__ import annotations

import pytest
from xsave_layouts import PROCESSORS, SAPPHIRE_RAPIDS, SKYLAKE, Places, cpuid_of, layout_of, xcr0_of

from gdbstub.arch.x86.layouts import FXSAVE, XSAVE_HEADER, xsave
from gdbstub.arch.x86.xsave import (
    HEADER_SIZE,
    LEGACY_SIZE,
    XCR0_OFFSET,
    XSTATE_BV_OFFSET,
    Component,
    layout_from_cpuid,
    mark_in_use,
)
from gdbstub.linux.cpuid import cpuid, xgetbv, xsave_layout


@pytest.mark.parametrize("places", PROCESSORS.values(), ids=PROCESSORS)
def test_components_lie_where_cpuid_says(places: Places) -> None:
    layout = layout_of(places)
    assert layout.components[:2] == (Component(0, 0, 160), Component(1, 160, 256))
    assert {each.number: (each.offset, each.size) for each in layout.components[2:]} == places
    assert layout.size == max(offset + size for offset, size in places.values())
    for number, (offset, _) in places.items():
        assert number in layout
        assert layout.offset(number) == offset
    assert 8 not in layout


def test_what_the_kernel_has_not_enabled_is_left_out() -> None:
    layout = layout_from_cpuid(cpuid_of(SAPPHIRE_RAPIDS), xcr0_of(SKYLAKE) & ~(1 << 9))
    assert layout is not None
    assert [each.number for each in layout.components] == [0, 1, 2, 3, 4, 5, 6, 7]
    assert layout.size == 2688


def test_x87_and_sse_alone_need_the_legacy_area_and_the_header() -> None:
    layout = layout_from_cpuid(cpuid_of({}), 0b11)
    assert layout is not None
    assert layout.size == LEGACY_SIZE + HEADER_SIZE == 576


def test_a_processor_or_kernel_without_xsave() -> None:
    assert layout_from_cpuid(cpuid_of(SKYLAKE, highest_leaf=0xB), 0b111) is None
    assert layout_from_cpuid(cpuid_of(SKYLAKE), 0) is None


@pytest.mark.parametrize("number", [0, 1, 2, 9, 18, 62])
def test_marking_a_component(number: int) -> None:
    area = bytearray(8192)
    mark_in_use(area, number)
    mark_in_use(area, number)
    assert XSAVE_HEADER.parse(area[512:]).xstate_bv == 1 << number
    mark_in_use(area, 5)
    assert XSAVE_HEADER.parse(area[512:]).xstate_bv == 1 << number | 1 << 5
    assert sum(area[:XSTATE_BV_OFFSET]) == 0


def test_the_construct_definitions_have_the_manual_s_sizes() -> None:
    assert FXSAVE.sizeof() == LEGACY_SIZE
    assert XSAVE_HEADER.sizeof() == HEADER_SIZE


def test_the_construct_definition_of_a_whole_area() -> None:
    layout = layout_of(SKYLAKE)
    area = bytearray(layout.size)
    area[XCR0_OFFSET : XCR0_OFFSET + 8] = (0x2FF).to_bytes(8, "little")
    area[2688:2692] = b"\x55\x55\x55\x55"
    area[XSTATE_BV_OFFSET] = 7
    parsed = xsave(layout).parse(bytes(area))
    assert (parsed.xcr0, parsed.header.xstate_bv) == (0x2FF, 7)
    assert parsed.component_9 == b"\x55\x55\x55\x55\0\0\0\0"
    assert len(parsed.component_7) == 1024


def test_this_machine_s_processor_agrees_with_itself() -> None:
    """Leaf 0xD's first subleaf states the size of the area for what is enabled."""
    layout = xsave_layout()
    if layout is None:
        assert xgetbv() == 0
        return
    assert layout.size == max(cpuid(0xD, 0)[1], LEGACY_SIZE + HEADER_SIZE)
    assert {each.number for each in layout.components} == {bit for bit in range(63) if xgetbv() >> bit & 1}

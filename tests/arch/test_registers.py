"""Reading and writing registers of every description."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xsave_layouts import PROCESSORS, SKYLAKE, layout_of

from gdbstub.arch.description import Architecture, Register
from gdbstub.arch.x86.amd64 import amd64
from gdbstub.arch.x86.float import SLOT, STACK_OFFSET, TAG_OFFSET, abridged_tag, full_tag_word
from gdbstub.arch.x86.i386 import i386
from gdbstub.arch.x86.layouts import XSAVE_HEADER

ARCHITECTURES = [amd64(None), i386(None)] + [
    make(layout_of(places)) for places in PROCESSORS.values() for make in (amd64, i386)
]
AMD64 = amd64(layout_of(SKYLAKE))
Regsets = dict[str, bytearray]


def zeros(architecture: Architecture) -> Regsets:
    return {regset.name: bytearray(regset.size) for regset in architecture.regsets}


def noise(architecture: Architecture, data: st.DataObject) -> Regsets:
    """Register sets with any contents."""
    return {
        regset.name: bytearray(data.draw(st.binary(min_size=64, max_size=64)) * (regset.size // 64 + 1))[
            : regset.size
        ]
        for regset in architecture.regsets
    }


def kept(register: Register, value: bytes) -> bytes:
    """What is read back: registers that the kernel keeps in fewer bytes lose the others."""
    stored = register.stored or register.size
    return value[:stored].ljust(register.size, b"\0")


@settings(max_examples=60)
@given(st.sampled_from(ARCHITECTURES), st.data())
def test_what_is_written_is_read_and_nothing_else_changes(
    architecture: Architecture, data: st.DataObject
) -> None:
    regsets = noise(architecture, data)
    register = data.draw(st.sampled_from([each for each in architecture.registers if not each.special]))
    value = data.draw(st.binary(min_size=register.size, max_size=register.size))
    before = {each.name: architecture.read_register(each, regsets) for each in architecture.registers}
    architecture.write_register(register, regsets, value)
    after = {each.name: architecture.read_register(each, regsets) for each in architecture.registers}
    # The tag word says what the floating point registers hold.
    derived = {"ftag"} if register.name.startswith("st") or register.name == "fstat" else set()
    changed = {name for name in after if after[name] != before[name]} - derived
    assert changed <= {register.name}
    assert after[register.name] == kept(register, value)


@settings(max_examples=60)
@given(st.sampled_from(ARCHITECTURES), st.data())
def test_a_block_is_all_registers_in_a_row(architecture: Architecture, data: st.DataObject) -> None:
    regsets = noise(architecture, data)
    block = architecture.read_block(regsets)
    assert block == b"".join(architecture.read_register(each, regsets) for each in architecture.registers)
    other = noise(architecture, data)
    architecture.write_block(other, block)
    assert architecture.read_block(other) == block
    unchanged = {name: bytes(contents) for name, contents in regsets.items()}
    architecture.write_block(regsets, block)
    assert unchanged == regsets, "what does not differ is not written"


@settings(max_examples=60)
@given(st.sampled_from(ARCHITECTURES), st.data())
def test_a_short_block_sets_the_registers_that_it_holds_whole(
    architecture: Architecture, data: st.DataObject
) -> None:
    regsets, other = noise(architecture, data), noise(architecture, data)
    length = data.draw(st.integers(0, architecture.block_size))
    before, block = architecture.read_block(regsets), architecture.read_block(other)
    architecture.write_block(regsets, block[:length])
    position = 0
    for register in architecture.registers:
        end = position + register.size
        if register.name != "ftag":
            expected = block if end <= length else before
            assert architecture.read_register(register, regsets) == expected[position:end]
        position = end


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_value_of_another_size_is_refused(architecture: Architecture) -> None:
    for register in architecture.registers:
        for size in (0, register.size - 1, register.size + 1):
            with pytest.raises(ValueError, match=register.name):
                architecture.write_register(register, zeros(architecture), bytes(size))


COMPONENT = {
    "st0": 0, "fctrl": 0, "ftag": 0, "xmm0": 1, "mxcsr": 1, "ymm0h": 2, "k3": 5, "zmm15h": 6, "xmm31": 7,
    "ymm16h": 7, "zmm31h": 7, "pkru": 9,
}  # fmt: skip
"""The state component of a register (Intel SDM volume 1, section 13.1)."""


@pytest.mark.parametrize(("name", "component"), COMPONENT.items())
def test_a_component_in_its_initial_state_is_in_use_once_it_is_written(name: str, component: int) -> None:
    regsets = zeros(AMD64)
    register = AMD64.by_name[name]
    initial = AMD64.read_register(register, regsets)
    assert initial == (b"\xff\xff\0\0" if name == "ftag" else bytes(register.size))
    AMD64.write_register(register, regsets, b"\x01".ljust(register.size, b"\0"))
    assert XSAVE_HEADER.parse(regsets["float"][512:]).xstate_bv == 1 << component


def test_general_registers_use_no_component() -> None:
    regsets = zeros(AMD64)
    AMD64.write_register(AMD64.by_name["rax"], regsets, bytes(8))
    assert not any(regsets["float"])


def test_without_xsave_there_is_nothing_to_mark() -> None:
    regsets = zeros(amd64(None))
    amd64(None).write_register(AMD64.by_name["xmm0"], regsets, bytes(range(16)))
    assert sum(1 for byte in regsets["float"] if byte) == 15


EXTREMES = {
    "zero": (0, 1),
    "one": (0x3FFF_8000_0000_0000_0000, 0),
    "denormal": (1, 2),
    "pseudo-denormal": (0x8000_0000_0000_0000, 2),
    "unnormal": (0x3FFF_0000_0000_0000_0000, 2),
    "infinity": (0x7FFF_8000_0000_0000_0000, 2),
    "nan": (0xFFFF_C000_0000_0000_0000, 2),
    "minus zero": (0x8000_0000_0000_0000_0000, 1),
}
"""Contents of a stack register, and its tag (Intel SDM volume 1, section 8.1.7)."""


@pytest.mark.parametrize(("value", "tag"), EXTREMES.values(), ids=EXTREMES)
@pytest.mark.parametrize("top", [0, 5])
def test_tags(value: int, tag: int, top: int) -> None:
    area = bytearray(512)
    area[2:4] = (top << 11).to_bytes(2, "little")
    area[STACK_OFFSET + SLOT : STACK_OFFSET + SLOT + 10] = value.to_bytes(10, "little")
    physical = (top + 1) % 8
    area[TAG_OFFSET] = 1 << physical
    empty = 0xFFFF & ~(3 << 2 * physical)
    assert full_tag_word(area) == empty | tag << 2 * physical


@given(st.binary(min_size=512, max_size=512).map(bytearray))
def test_the_abridged_tag_survives(area: bytearray) -> None:
    assert abridged_tag(full_tag_word(area)) == area[TAG_OFFSET]
    register = AMD64.by_name["ftag"]
    regsets = {"float": area + bytes(3000)}
    before = bytes(regsets["float"][:512])
    AMD64.write_register(register, regsets, AMD64.read_register(register, regsets))
    assert regsets["float"][:512] == before

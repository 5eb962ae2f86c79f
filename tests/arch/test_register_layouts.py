"""The register tables' offsets against the construct definitions of the kernel's structures."""

from __future__ import annotations

import pytest
from xsave_layouts import SAPPHIRE_RAPIDS, SKYLAKE, ZEN4, Places, layout_of

from gdbstub.arch.description import Architecture
from gdbstub.arch.x86.amd64 import amd64
from gdbstub.arch.x86.i386 import i386
from gdbstub.arch.x86.layouts import FXSAVE, GENERAL_AMD64, GENERAL_I386

FXSAVE_FIELDS = {
    "fctrl": "fcw", "fstat": "fsw", "fiseg": "fcs", "fioff": "fip", "foseg": "fds", "fooff": "fdp",
    "fop": "fop",
}  # fmt: skip
"""gdb's names of the x87 control registers, and the manual's."""


def pattern(size: int) -> bytes:
    return bytes(range(0xA1, 0xA1 + size))


def regsets(architecture: Architecture) -> dict[str, bytearray]:
    return {regset.name: bytearray(regset.size) for regset in architecture.regsets}


def written(architecture: Architecture, name: str) -> dict[str, bytearray]:
    """All register sets after one register was written; the others are zero."""
    sets = regsets(architecture)
    register = architecture.by_name[name]
    architecture.write_register(register, sets, pattern(register.size))
    return sets


@pytest.mark.parametrize(
    ("architecture", "layout"), [(amd64(None), GENERAL_AMD64), (i386(None), GENERAL_I386)]
)
def test_general_registers(architecture: Architecture, layout: object) -> None:
    general = GENERAL_AMD64 if architecture.bits == 64 else GENERAL_I386
    assert general.sizeof() == architecture.regsets_by_name["general"].size
    names = [field.name for field in general.subcons]
    for name in names:
        size = architecture.by_name[name].size
        parsed = general.parse(bytes(written(architecture, name)["general"]))
        assert parsed[name] == int.from_bytes(pattern(size), "little"), name
        assert [other for other in names if parsed[other]] == [name]


@pytest.mark.parametrize("architecture", [amd64(None), i386(None)], ids=lambda each: each.name)
def test_x87_and_sse_registers(architecture: Architecture) -> None:
    for index in range(8):
        parsed = FXSAVE.parse(bytes(written(architecture, f"st{index}")["float"]))
        assert parsed.st[index].value == pattern(10)
        assert sum(any(each.value) for each in parsed.st) == 1
    for index in range(16 if architecture.bits == 64 else 8):
        parsed = FXSAVE.parse(bytes(written(architecture, f"xmm{index}")["float"]))
        assert parsed.xmm[index] == pattern(16)
        assert sum(any(each) for each in parsed.xmm) == 1
    for name, field in FXSAVE_FIELDS.items():
        area = bytes(written(architecture, name)["float"])
        stored = architecture.by_name[name].stored
        assert FXSAVE.parse(area)[field] == int.from_bytes(pattern(stored), "little"), name
        assert sum(1 for byte in area if byte) == stored
    area = bytes(written(architecture, "mxcsr")["float"])
    assert FXSAVE.parse(area).mxcsr == int.from_bytes(pattern(4), "little")


def expected_places(places: Places, wide: bool) -> dict[str, tuple[int, int]]:
    """Offset and size of each extended register: Intel SDM volume 1, section 13.4."""
    found: dict[str, tuple[int, int]] = {}
    count = 16 if wide else 8
    for index in range(count):
        found[f"ymm{index}h"] = (places[2][0] + 16 * index, 16)
        found[f"zmm{index}h"] = (places[6][0] + 32 * index, 32)
    for index in range(8):
        found[f"k{index}"] = (places[5][0] + 8 * index, 8)
    for index in range(16) if wide else ():
        start = places[7][0] + 64 * index
        found[f"xmm{16 + index}"] = (start, 16)
        found[f"ymm{16 + index}h"] = (start + 16, 16)
        found[f"zmm{16 + index}h"] = (start + 32, 32)
    found["pkru"] = (places[9][0], 4)
    return found


@pytest.mark.parametrize(
    "places", [SKYLAKE, ZEN4, SAPPHIRE_RAPIDS], ids=["skylake", "zen4", "sapphire-rapids"]
)
@pytest.mark.parametrize("make", [amd64, i386])
def test_extended_registers(make: type[Architecture], places: Places) -> None:
    architecture: Architecture = make(layout_of(places))  # type: ignore[call-arg, arg-type]
    expected = expected_places(places, architecture.bits == 64)
    extended = [name for name in architecture.by_name if architecture.by_name[name].offset >= 576]
    assert set(extended) == set(expected)
    for name, (offset, size) in expected.items():
        area = written(architecture, name)["float"]
        assert area[offset : offset + size] == pattern(size), name
        assert sum(1 for byte in area if byte) == size + 1, "the register and its bit in XSTATE_BV"


def test_regset_sizes_follow_the_processor() -> None:
    assert amd64(None).regsets_by_name["float"].size == 512
    assert amd64(layout_of(SAPPHIRE_RAPIDS)).regsets_by_name["float"].size == 2816 + 8192

"""Target descriptions: well-formed, as the standard features demand, and understood by gdb itself."""

from __future__ import annotations

import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest
from xsave_layouts import ALDER_LAKE, AVX_ONLY, HALF_AVX512, PROCESSORS, SKYLAKE, ZEN4, Places, layout_of

from gdbstub.arch.description import Architecture
from gdbstub.arch.target_xml import target_xml
from gdbstub.arch.x86.amd64 import amd64
from gdbstub.arch.x86.i386 import i386
from gdbstub.arch.x86.xsave import XsaveLayout

Make = Callable[[XsaveLayout | None], Architecture]
CORE = ["org.gnu.gdb.i386.core", "org.gnu.gdb.i386.sse", "org.gnu.gdb.i386.linux"]
SEGMENTS = "org.gnu.gdb.i386.segments"
AVX, AVX512, PKEYS = (f"org.gnu.gdb.i386.{name}" for name in ("avx", "avx512", "pkeys"))
PREDEFINED = {
    *(
        "int",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint32",
        "uint64",
        "uint128",
        "code_ptr",
        "data_ptr",
    ),
    *("i387_ext", "ieee_half", "ieee_single", "ieee_double", "bfloat16", "bool"),
}
"""gdb manual, section Predefined Target Types (int is the type of a register without one)."""


def architectures() -> list[tuple[str, Architecture]]:
    found = []
    for make in (amd64, i386):
        found.append((f"{make.__name__}-sse", make(None)))
        found += [(f"{make.__name__}-{name}", make(layout_of(places))) for name, places in PROCESSORS.items()]
    return found


ALL = pytest.mark.parametrize(
    "architecture", [each for _, each in architectures()], ids=[name for name, _ in architectures()]
)


@ALL
def test_each_register_is_described_once_with_its_number(architecture: Architecture) -> None:
    document = ElementTree.fromstring(target_xml(architecture))
    assert document.findtext("architecture") == architecture.name
    assert document.findtext("osabi") == "GNU/Linux"
    registers = list(document.iter("reg"))
    assert [register.attrib["name"] for register in registers] == [
        each.name for each in architecture.registers
    ]
    assert [int(register.attrib["regnum"]) for register in registers] == list(range(len(registers)))
    assert [int(register.attrib["bitsize"]) for register in registers] == [
        each.bits for each in architecture.registers
    ]
    assert len({register.attrib["name"] for register in registers}) == len(registers)


@ALL
def test_types_are_defined_before_they_are_used(architecture: Architecture) -> None:
    for feature in ElementTree.fromstring(target_xml(architecture)).iter("feature"):
        known = set(PREDEFINED)
        for element in feature:
            if element.tag == "reg":
                assert element.attrib["type"] in known
            else:
                used = [element.attrib["type"]] if element.tag == "vector" else []
                used += [field.attrib["type"] for field in element]
                assert set(used) <= known
                known.add(element.attrib["id"])


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        (None, []),
        (AVX_ONLY, [AVX]),
        (ALDER_LAKE, [AVX, PKEYS]),
        (HALF_AVX512, [AVX]),
        (SKYLAKE, [AVX, AVX512, PKEYS]),
        (ZEN4, [AVX, AVX512, PKEYS]),
    ],
)
def test_only_what_the_processor_has_is_described(places: Places | None, expected: list[str]) -> None:
    layout = None if places is None else layout_of(places)
    assert [feature.name for feature in amd64(layout).features] == [*CORE, SEGMENTS, *expected]
    assert [feature.name for feature in i386(layout).features] == [*CORE, *expected]


AMD64_NUMBERS = {"rax": 0, "rbp": 6, "rsp": 7, "rip": 16, "eflags": 17, "st0": 24, "xmm0": 40, "mxcsr": 56}
I386_NUMBERS = {"eax": 0, "esp": 4, "ebp": 5, "eip": 8, "eflags": 9, "st0": 16, "xmm0": 32, "mxcsr": 40}


@pytest.mark.parametrize(
    ("make", "numbers", "size"), [(amd64, AMD64_NUMBERS, 560), (i386, I386_NUMBERS, 312)]
)
def test_numbers_that_clients_rely_on(make: Make, numbers: dict[str, int], size: int) -> None:
    architecture = make(None)
    assert {name: architecture.number[name] for name in numbers} == numbers
    assert architecture.block_size == size
    regsets = {each.name: bytearray(each.size) for each in architecture.regsets}
    assert len(architecture.read_block(regsets)) == size


_ROW = re.compile(r"^ (\S+) +\d+ +\d+ +\d+ +(\d+) .* (\d+) +(\d+)\s*$")


def as_gdb_reads(document: Path) -> list[tuple[str, int, int, int]]:
    """(name, size, number, offset in g) of each register, from gdb's own tables."""
    commands = [f"set tdesc filename {document}", "maint print remote-registers"]
    arguments = [argument for command in commands for argument in ("-ex", command)]
    run = subprocess.run(["gdb", "-nx", "-batch", *arguments], capture_output=True, text=True, timeout=60)
    assert not run.stderr.strip(), run.stderr
    rows = [_ROW.match(line) for line in run.stdout.splitlines()]
    found = [(row[1], int(row[2]), int(row[3]), int(row[4])) for row in rows if row]
    return sorted(found, key=lambda row: row[2])


@pytest.mark.skipif(shutil.which("gdb") is None, reason="gdb is not installed")
@pytest.mark.parametrize("make", [amd64, i386])
@pytest.mark.parametrize("places", [None, ALDER_LAKE, ZEN4], ids=["sse", "alder-lake", "zen4"])
def test_gdb_takes_each_register_as_it_is_sent(make: Make, places: Places | None, tmp_path: Path) -> None:
    architecture = make(None if places is None else layout_of(places))
    document = tmp_path / "target.xml"
    document.write_text(target_xml(architecture))
    offset = 0
    expected = []
    for number, register in enumerate(architecture.registers):
        expected.append((register.name, register.size, number, offset))
        offset += register.size
    assert as_gdb_reads(document) == expected

"""ELF files and the dynamic linker's list, against pyelftools and against what the linker itself says."""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.structs import ELFStructs

from gdbstub.linux import procfs
from gdbstub.linux.elf import is_64_bit, unused_text
from gdbstub.linux.link_map import LAYOUTS, namespaces, objects
from gdbstub.linux.memory import ProcessMemory

ME = os.getpid()
LIBC = ctypes.CDLL(None)


def elf_structs(bits: int) -> ELFStructs:
    structs = ELFStructs(little_endian=True, elfclass=bits)
    structs.create_basic_structs()
    structs.create_advanced_structs(e_type="ET_EXEC", e_machine="EM_X86_64", e_ident_osabi="ELFOSABI_LINUX")
    return structs


@pytest.mark.parametrize("bits", [32, 64])
def test_the_program_header_s_layout(bits: int) -> None:
    layout, described = LAYOUTS[bits], elf_structs(bits).Elf_Phdr
    assert layout.program_header.size == described.sizeof()
    count = len(described.subcons)
    parsed = described.parse(layout.program_header.pack(*range(1, count + 1)))
    fields = layout.program_header.unpack(layout.program_header.pack(*range(1, count + 1)))
    # p_type 1 is PT_LOAD.
    assert (fields[layout.header_type], parsed.p_type) == (1, "PT_LOAD")
    assert fields[layout.header_address] == parsed.p_vaddr
    assert fields[layout.header_memory_size] == parsed.p_memsz


@pytest.mark.parametrize("bits", [32, 64])
def test_the_dynamic_entry_s_layout(bits: int) -> None:
    layout, described = LAYOUTS[bits], elf_structs(bits).Elf_Dyn
    assert layout.pair.size == described.sizeof()
    parsed = described.parse(layout.pair.pack(21, 0x1234))
    assert (parsed.d_tag, parsed.d_val) == ("DT_DEBUG", 0x1234)


def test_the_class_of_a_file(tmp_path: Path) -> None:
    assert is_64_bit(sys.executable) == (struct.calcsize("P") == 8)
    narrow = tmp_path / "narrow"
    narrow.write_bytes(b"\x7fELF\x01\x01\x01" + bytes(45))
    assert not is_64_bit(str(narrow))
    with pytest.raises(FileNotFoundError):
        is_64_bit(str(tmp_path / "absent"))


def test_a_process_that_is_gone_has_no_unused_text() -> None:
    assert unused_text(0x7FFFFFFF) == []


def test_unused_text_lies_behind_the_code() -> None:
    """Each range ends with its page, and its file has no code in it."""
    found = unused_text(ME)
    assert found
    mappings = list(procfs.maps(ME))
    for start, end in found:
        (mapping,) = [each for each in mappings if each.start <= start < each.end]
        assert "x" in mapping.permissions
        assert end == mapping.end
        assert end - start < 4096
        with open(mapping.path, "rb") as file:
            segments = [
                (segment["p_offset"], segment["p_offset"] + segment["p_filesz"])
                for segment in ELFFile(file).iter_segments("PT_LOAD")
                if segment["p_flags"] & 1
            ]
        assert mapping.offset + start - mapping.start in [end for _, end in segments]


class LinkMap(ctypes.Structure):
    """The public part of struct link_map (link.h)."""


LinkMap._fields_ = [
    ("base", ctypes.c_void_p),
    ("name", ctypes.c_char_p),
    ("dynamic", ctypes.c_void_p),
    ("next", ctypes.POINTER(LinkMap)),
    ("previous", ctypes.POINTER(LinkMap)),
]


@pytest.fixture
def read() -> Callable[[int, int], bytes]:
    return ProcessMemory(ME).read_some


def test_the_linker_s_own_list(read: Callable[[int, int], bytes]) -> None:
    found_namespaces = namespaces(read, procfs.auxv(ME), 64)
    assert found_namespaces
    found = list(objects(read, found_namespaces[0].first, 0, 64))
    LIBC.dlopen.restype = ctypes.POINTER(LinkMap)
    expected = []
    entry = LIBC.dlopen(None, 1)
    while entry:
        here = entry.contents
        address = ctypes.addressof(here)
        expected.append((address, here.base or 0, os.fsdecode(here.name), here.dynamic))
        entry = here.next
    assert [(each.link_map, each.base, each.name, each.dynamic) for each in found] == expected
    assert any("libc.so" in each.name for each in found)


def memory_of(regions: dict[int, bytes]) -> Callable[[int, int], bytes]:
    def read_some(address: int, length: int) -> bytes:
        for start, contents in regions.items():
            if start <= address < start + len(contents):
                return contents[address - start : address - start + length]
        return b""

    return read_some


def link_map(bits: int, base: int, name: int, dynamic: int, following: int, previous: int) -> bytes:
    return LAYOUTS[bits].link_map.pack(base, name, dynamic, following, previous)


@pytest.mark.parametrize("bits", [32, 64])
def test_a_list_from_the_middle_on(bits: int) -> None:
    read_some = memory_of(
        {
            0x1000: link_map(bits, 1, 0x5000, 2, 0x2000, 0),
            0x2000: link_map(bits, 3, 0x5003, 4, 0, 0x1000),
            0x5000: b"/a\0/lib/\xff\0",
        }
    )
    names = [(each.link_map, each.name) for each in objects(read_some, 0x1000, 0, bits)]
    assert names == [(0x1000, "/a"), (0x2000, "/lib/\udcff")]
    assert [each.link_map for each in objects(read_some, 0x2000, 0x1000, bits)] == [0x2000]


def test_a_list_that_does_not_fit_together_ends_there() -> None:
    read_some = memory_of(
        {0x1000: link_map(64, 0, 0, 0, 0x2000, 0), 0x2000: link_map(64, 0, 0, 0, 0x1000, 0x999)}
    )
    assert [each.link_map for each in objects(read_some, 0x1000, 0, 64)] == [0x1000]
    assert list(objects(read_some, 0x1000, 0x777, 64)) == []
    assert list(objects(read_some, 0x7000, 0, 64)) == []


def test_a_list_that_goes_in_a_circle_comes_to_an_end() -> None:
    read_some = memory_of({0x1000: link_map(64, 0, 0, 0, 0x1000, 0x1000)})
    assert 0 < len(list(objects(read_some, 0x1000, 0x1000, 64))) <= 65536


def test_a_name_up_to_the_end_of_memory() -> None:
    read_some = memory_of({0x1000: link_map(64, 0, 0x5000, 0, 0, 0), 0x5000: b"/cut"})
    assert [each.name for each in objects(read_some, 0x1000, 0, 64)] == ["/cut"]


@pytest.mark.parametrize("auxv", [b"", bytes(16), struct.pack("<6Q", 3, 0x1000, 4, 56, 5, 2), b"\xff" * 7])
def test_a_program_that_does_not_say(auxv: bytes) -> None:
    assert namespaces(memory_of({}), auxv, 64) is None


@pytest.mark.parametrize("offset", [(1 << 64) - 1, 1 << 40, 7])
def test_a_file_that_lies_about_its_segments_has_no_known_text(tmp_path: Path, offset: int) -> None:
    contents = bytearray(Path(sys.executable).read_bytes()[:4096])
    contents[32:40] = offset.to_bytes(8, "little")
    file = tmp_path / "liar"
    file.write_bytes(contents)
    private = {"flags": mmap.MAP_PRIVATE, "prot": mmap.PROT_READ | mmap.PROT_EXEC}
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, **private):
        (mapped,) = [each for each in procfs.maps(ME) if each.path == str(file)]
        assert not [end for _, end in unused_text(ME) if end == mapped.end]

"""The dynamic linker's list of loaded objects, read from a process's memory (link.h).

The layouts are precomputed; tests compare them with pyelftools' definitions of the ELF ones.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

AT_NULL, AT_PHDR, AT_PHENT, AT_PHNUM = 0, 3, 4, 5
_PT_DYNAMIC, _PT_PHDR = 2, 6
_DT_NULL, _DT_DEBUG = 0, 21
_PATH_MAX = 4096
_PAGE = 4096
_MOST_OBJECTS = 65536

ReadMemory = Callable[[int, int], bytes]
"""(address, length) -> as many bytes as are readable in a row."""


@dataclass(frozen=True)
class Layout:
    """The structures of one word size."""

    word: struct.Struct
    pair: struct.Struct
    """Elf_Dyn and Elf_auxv_t: a tag and a value."""
    program_header: struct.Struct
    header_type: int
    header_address: int
    header_memory_size: int
    """Indices of p_type, p_vaddr and p_memsz among the program header's fields."""
    debug: struct.Struct
    """struct r_debug up to r_ldbase, then r_next of struct r_debug_extended."""
    link_map: struct.Struct
    """The public part of struct link_map: l_addr, l_name, l_ld, l_next, l_prev."""


LAYOUTS = {
    64: Layout(
        struct.Struct("<Q"), struct.Struct("<qQ"), struct.Struct("<IIQQQQQQ"), 0, 3, 6,
        struct.Struct("<i4xQQi4xQQ"), struct.Struct("<QQQQQ"),
    ),
    32: Layout(
        struct.Struct("<I"), struct.Struct("<iI"), struct.Struct("<IIIIIIII"), 0, 2, 5,
        struct.Struct("<iIIiII"), struct.Struct("<IIIII"),
    ),
}  # fmt: skip


class LoadedObject(NamedTuple):
    """One entry of the list."""

    link_map: int
    base: int
    """l_addr: what its addresses were moved by."""
    name: str
    dynamic: int
    previous: int
    next: int


class Namespace(NamedTuple):
    """A link-map namespace (dlmopen(3)): the address of its r_debug, and of its first object."""

    debug: int
    first: int


def auxv_entries(auxv: bytes, bits: int) -> dict[int, int]:
    """An auxiliary vector as a dictionary."""
    pair = LAYOUTS[bits].pair
    entries = {}
    for offset in range(0, len(auxv) - pair.size + 1, pair.size):
        key, value = pair.unpack_from(auxv, offset)
        if key == AT_NULL:
            break
        entries[key] = value
    return entries


def namespaces(read: ReadMemory, auxv: bytes, bits: int) -> list[Namespace] | None:
    """The namespaces of a process, the default one first; empty before the dynamic linker has set up.

    None for a program that does not say where its list is (it is static, or the dynamic linker itself).
    """
    layout = LAYOUTS[bits]
    debug = _debug_address(read, auxv_entries(auxv, bits), layout)
    if debug is None:
        return None
    found: list[Namespace] = []
    while debug and len(found) < _MOST_OBJECTS:
        contents = read(debug, layout.debug.size)
        if len(contents) < layout.debug.size:
            break
        version, first, _, _, _, following = layout.debug.unpack(contents)
        found.append(Namespace(debug, first))
        debug = following if version >= 2 else 0
    return found


def objects(read: ReadMemory, start: int, previous: int, bits: int) -> Iterator[LoadedObject]:
    """The list from the object at `start` on; it ends where the links do not fit together."""
    layout = LAYOUTS[bits]
    seen = 0
    while start and seen < _MOST_OBJECTS:
        contents = read(start, layout.link_map.size)
        if len(contents) < layout.link_map.size:
            return
        base, name, dynamic, following, back = layout.link_map.unpack(contents)
        if back != previous:
            return
        yield LoadedObject(start, base, _string(read, name), dynamic, back, following)
        previous, start = start, following
        seen += 1


def _debug_address(read: ReadMemory, auxv: dict[int, int], layout: Layout) -> int | None:
    """DT_DEBUG of the program's dynamic section, 0 if it is not set yet; None if there is none."""
    table, size, count = (auxv.get(key, 0) for key in (AT_PHDR, AT_PHENT, AT_PHNUM))
    if not table or size != layout.program_header.size:
        return None
    contents = read(table, size * count)
    headers = [
        layout.program_header.unpack_from(contents, offset)
        for offset in range(0, len(contents) - size + 1, size)
    ]
    by_type = {header[layout.header_type]: header for header in headers}
    dynamic = by_type.get(_PT_DYNAMIC)
    if dynamic is None:
        return None
    own = by_type.get(_PT_PHDR)
    moved = table - own[layout.header_address] if own is not None else 0
    section = read(dynamic[layout.header_address] + moved, dynamic[layout.header_memory_size])
    for offset in range(0, len(section) - layout.pair.size + 1, layout.pair.size):
        tag, value = layout.pair.unpack_from(section, offset)
        if tag == _DT_NULL:
            break
        if tag == _DT_DEBUG:
            return int(value)
    return None


def _string(read: ReadMemory, address: int) -> str:
    contents = b""
    while address and b"\0" not in contents and len(contents) < _PATH_MAX:
        here = address + len(contents)
        part = read(here, min(_PAGE - here % _PAGE, 256))
        if not part:
            break
        contents += part
    return contents.partition(b"\0")[0].decode(errors="surrogateescape")

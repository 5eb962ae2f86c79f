"""Programs as their files have them: names for addresses that do not depend on the compiler's choice."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import NoteSection, SymbolTableSection

_OFFSET = re.compile(r"(.*?)(?:\+0x([0-9a-f]+))?\Z")


@dataclass(frozen=True, order=True)
class _Place:
    start: int
    size: int
    name: str


class ProgramImage:
    """A program's symbols, sections and contents."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bias = 0
        """How far from its file's addresses a position-independent program was loaded."""
        with path.open("rb") as file:
            elf = ELFFile(file)
            self.word = elf.elfclass // 8
            self.entry: int = elf["e_entry"]
            self.relocatable = elf["e_type"] == "ET_DYN"
            self._segments = [
                (segment["p_vaddr"], segment["p_memsz"], bool(segment["p_flags"] & 2), segment.data())
                for segment in elf.iter_segments("PT_LOAD")
            ]
            self._sections = sorted(
                _Place(section["sh_addr"], section["sh_size"], section.name)
                for section in elf.iter_sections()
                if section["sh_flags"] & 2 and not section["sh_flags"] & 0x400
            )
            self.own = _own_names(elf)
            """Functions and variables of the source file, as opposed to those of libraries."""
            self._symbols, self._by_name = _symbols(elf, self.own)

    def covers(self, address: int) -> bool:
        """Whether an address belongs to the program."""
        if self.relocatable and not self.bias:
            return False
        address -= self.bias
        return any(start <= address < start + size for start, size, _, _ in self._segments)

    def name(self, address: int) -> str:
        """`symbol+0xoffset`: of the symbol that covers it, or is before it; else the same with a section."""
        address -= self.bias
        symbol, section = _before(self._symbols, address), _before(self._sections, address)
        if section is None or address >= section.start + section.size:
            return _with_offset(".program", address - self._segments[0][0])
        if symbol is None or symbol.start < section.start or (address == section.start != symbol.start):
            symbol = section
        return _with_offset(symbol.name, address - symbol.start)

    def address(self, text: str) -> int:
        """The address that `name` gave this text for."""
        match = _OFFSET.match(text)
        assert match is not None
        name, offset = match[1], int(match[2] or "0", 16)
        if name == ".program":
            return int(self._segments[0][0]) + offset + self.bias
        for section in self._sections:
            if section.name == name:
                return section.start + offset + self.bias
        return self._by_name[name] + offset + self.bias

    def owner(self, address: int) -> str:
        """The symbol that covers an address; empty if there is none."""
        address -= self.bias
        symbol = _before(self._symbols, address)
        return "" if symbol is None or address >= symbol.start + symbol.size else symbol.name

    def section_size(self, address: int) -> tuple[str, int] | None:
        """(name, size) of the section that begins at an address."""
        for section in self._sections:
            if section.start == address - self.bias and section.size:
                return section.name, section.size
        return None

    def size_of(self, section_name: str) -> int:
        """The size of a section."""
        return next(section.size for section in self._sections if section.name == section_name)

    def contents(self, address: int, length: int, constant: bool = True) -> bytes | None:
        """What the file has at an address; None if it has nothing or (`constant`) it can be written to."""
        address -= self.bias
        for start, size, writable, data in self._segments:
            if start <= address and address + length <= start + size and not (constant and writable):
                piece: bytes = data[address - start : address - start + length]
                return piece if len(piece) == length else None
        return None


@cache
def image(path: Path) -> ProgramImage:
    """A program's image, read once."""
    return ProgramImage(path)


def build_id(path: Path) -> str:
    """The build id of a library; empty if it has none."""
    with path.open("rb") as file:
        section = ELFFile(file).get_section_by_name(".note.gnu.build-id")
        return str(next(section.iter_notes())["n_desc"]) if isinstance(section, NoteSection) else ""


def _own_names(elf: ELFFile) -> frozenset[str]:
    names = set()
    for unit in elf.get_dwarf_info().iter_CUs():
        for entry in unit.get_top_DIE().iter_children():
            if entry.tag in ("DW_TAG_subprogram", "DW_TAG_variable") and "DW_AT_name" in entry.attributes:
                names.add(entry.attributes["DW_AT_name"].value.decode())
    return frozenset(names)


def _symbols(elf: ELFFile, own: frozenset[str]) -> tuple[list[_Place], dict[str, int]]:
    """The symbols with a size and a name of their own, by address and by name: one for each address."""
    table = elf.get_section_by_name(".symtab")
    assert isinstance(table, SymbolTableSection)
    found = [
        symbol
        for symbol in table.iter_symbols()
        if symbol["st_info"]["type"] in ("STT_FUNC", "STT_OBJECT", "STT_GNU_IFUNC")
        and symbol["st_shndx"] != "SHN_UNDEF"
    ]
    count = Counter(symbol.name for symbol in found)
    best: dict[int, _Place] = {}
    for symbol in sorted(found, key=lambda symbol: (symbol.name in own, -len(symbol.name), symbol.name)):
        if count[symbol.name] == 1 and symbol["st_size"]:
            best[symbol["st_value"]] = _Place(symbol["st_value"], symbol["st_size"], symbol.name)
    by_name = {symbol.name: symbol["st_value"] for symbol in found if count[symbol.name] == 1}
    return sorted(best.values()), by_name


def _before(places: list[_Place], address: int) -> _Place | None:
    """The last place that begins at an address or before it."""
    index = bisect_right(places, address, key=lambda place: place.start) - 1
    return places[index] if index >= 0 else None


def _with_offset(name: str, offset: int) -> str:
    return f"{name}+{offset:#x}" if offset else name

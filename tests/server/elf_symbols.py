"""Addresses in programs that are not position-independent."""

from __future__ import annotations

from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection


def address_of(program: Path, name: str) -> int:
    """Where a function or variable of a program will be."""
    with program.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        symbols = table.get_symbol_by_name(name)
        assert symbols, name
        return int(symbols[0]["st_value"])

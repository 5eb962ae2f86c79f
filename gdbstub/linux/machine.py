"""Which architecture description fits a process on this machine."""

from __future__ import annotations

from gdbstub.arch.description import Architecture
from gdbstub.arch.x86.amd64 import amd64
from gdbstub.arch.x86.i386 import i386
from gdbstub.linux import elf
from gdbstub.linux.cpuid import xsave_layout


def architecture(pid: int) -> Architecture:
    """What kind of program a process runs, by the class of its executable."""
    try:
        wide = elf.is_64_bit(f"/proc/{pid}/exe")
    except OSError:
        wide = True
    return amd64(xsave_layout()) if wide else i386(xsave_layout())

"""What is needed of ELF files without loading symbols."""

from __future__ import annotations

import contextlib

from gdbstub.linux import procfs

_EI_CLASS = 4
_ELFCLASS64 = 2
_PF_X = 1


def is_64_bit(path: str) -> bool:
    """Whether an ELF file is of class 64. Raises OSError."""
    with open(path, "rb") as file:
        return file.read(_EI_CLASS + 1)[_EI_CLASS] == _ELFCLASS64


def unused_text(pid: int) -> list[tuple[int, int]]:
    """Executable addresses that belong to no program's code: (start, end) between a text segment's end in
    its file and the end of its last page. None once the process is gone.
    """
    found = []
    tid, mappings = _maps_of_any_thread(pid)
    for mapping in mappings:
        if "x" not in mapping.permissions or not mapping.inode:
            continue
        for file_end in _text_ends(f"/proc/{tid}/root{mapping.path}"):
            end = mapping.start + file_end - mapping.offset
            if mapping.start < end < mapping.end and mapping.end - end < 4096:
                found.append((end, mapping.end))
    return found


def _maps_of_any_thread(pid: int) -> tuple[int, list[procfs.Mapping]]:
    """A thread that has not ended (a leader may have, before its threads), and the mappings."""
    with contextlib.suppress(ProcessLookupError):
        for tid in procfs.tasks(pid):
            with contextlib.suppress(ProcessLookupError):
                mappings = list(procfs.maps(tid))
                if mappings:
                    return tid, mappings
    return pid, []


def _text_ends(path: str) -> list[int]:
    """File offsets at which the executable segments of an ELF file end; none for what is no ELF file."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        with open(path, "rb") as file:
            return [
                segment["p_offset"] + segment["p_filesz"]
                for segment in ELFFile(file).iter_segments("PT_LOAD")
                if segment["p_flags"] & _PF_X
            ]
    except (OSError, ELFError, ValueError):
        # ValueError: an offset beyond what a file can have.
        return []

"""What the placeholders of a session stand for in one run.

A name is bound to a value when it appears first, and is the same for that value from then on. The stack is
named by the stack pointers that stop replies and register blocks tell: `sp 1` is the one told last for the
first stack, so that `sp 1+0x10` does not depend on what lies above a frame (environment, C library).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from session_elf import ProgramImage, image

_STACK_REACH = 1 << 20
_LOWEST_ADDRESS = 1 << 16
_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) .*?(?:(\[\w+\])|/([^/]*))\Z")
_IN_TEXT = re.compile(r"\{(folder|file \w+|[pt]id \d+)\}")
_SIGNED = re.compile(r"(.*?)(?:([+-])0x([0-9a-f]+))?\Z")


class UnknownName(KeyError):
    """A placeholder that stands for nothing (yet)."""


class Names:
    """The bindings of one run."""

    def __init__(self, programs: Sequence[Path], folder: Path) -> None:
        self.programs: list[ProgramImage] = [image(path) for path in programs]
        for program in self.programs:
            program.bias = 0
        self._not_regions = {"stack", *(path.name for path in programs)}
        self.paths = {path.name: str(path) for path in programs}
        self.folder = str(folder)
        self._bound: dict[str, list[int]] = {}
        self._regions: dict[str, tuple[int, int]] = {}
        """Where the heap, the vdso and libraries are, as /proc last said."""
        self.file_position = 0
        """Where the last read of a file ended."""

    @property
    def word(self) -> int:
        """Bytes of an address of the (first) program."""
        return self.programs[0].word if self.programs else 8

    # Numbers: processes, threads, descriptors.

    def bind(self, kind: str, value: int) -> str:
        """`kind N`, the same for a value each time."""
        values = self._bound.setdefault(kind, [])
        if value not in values:
            values.append(value)
        return f"{kind} {values.index(value) + 1}"

    def bind_next(self, kind: str, value: int) -> str:
        """`kind N` with the next N, for values that are used again for something else."""
        self._bound.setdefault(kind, []).append(value)
        return f"{kind} {len(self._bound[kind])}"

    def last_with(self, kind: str, value: int) -> str | None:
        """The youngest `kind N` that stands for a value."""
        values = self._bound.get(kind, [])
        for index in range(len(values), 0, -1):
            if values[index - 1] == value:
                return f"{kind} {index}"
        return None

    def value(self, name: str) -> int:
        """What `kind N` stands for."""
        kind, _, index = name.rpartition(" ")
        try:
            return self._bound[kind][int(index) - 1]
        except (KeyError, IndexError, ValueError):
            raise UnknownName(name) from None

    def knows(self, number: int) -> bool:
        """Whether a number is that of a process or thread."""
        return number in self._bound.get("pid", []) or number in self._bound.get("tid", [])

    def identity(self, tid: int) -> str:
        """A thread: its process's name if it is the first thread, else a name of its own."""
        if tid in self._bound.get("pid", []):
            return self.bind("pid", tid)
        return self.bind("tid", tid)

    # Addresses.

    def stack_pointer(self, value: int) -> str:
        """A stack pointer that was told: the stack's name, which stands for this value from now on."""
        stacks = self._bound.setdefault("sp", [])
        for index, former in enumerate(stacks):
            if abs(former - value) < _STACK_REACH:
                stacks[index] = value
                return f"sp {index + 1}"
        stacks.append(value)
        return f"sp {len(stacks)}"

    def place(self, address: int) -> str | None:
        """A name for an address; None if nothing that is known is there."""
        for number, program in enumerate(self.programs):
            if program.covers(address):
                prefix = f"{program.path.name}:" if number else ""
                return prefix + program.name(address)
        for kind, reach in (("tls", 1), ("lm", 1), ("lmid", 1), ("sp", _STACK_REACH)):
            for index, base in enumerate(self._bound.get(kind, [])):
                if abs(address - base) < reach:
                    return _with_sign(f"{kind} {index + 1}", address - base)
        return self._region(address) if address >= _LOWEST_ADDRESS else None

    def _region(self, address: int) -> str | None:
        self._look_at_mappings()
        for name, (start, end) in self._regions.items():
            if start <= address < end:
                return _with_sign(name, address - start)
        return None

    def _look_at_mappings(self) -> None:
        """Of all processes that are there; the first one's regions are named without it."""
        found: dict[str, tuple[int, int]] = {}
        for index, pid in enumerate(self._bound.get("pid", [])):
            try:
                lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
            except OSError:
                continue
            for match in filter(None, map(_MAPPING.match, lines)):
                start, end, name = int(match[1], 16), int(match[2], 16), (match[3] or match[4]).strip("[]")
                if name not in self._not_regions:
                    name += f" of pid {index + 1}" if index else ""
                    found[name] = (found.get(name, (start, end))[0], end)
        self._regions = found or self._regions

    def address(self, name: str) -> int:
        """The address that `place` gave a name."""
        match = _SIGNED.match(name)
        assert match is not None
        base, offset = match[1], int((match[2] or "") + (match[3] or "0"), 16)
        if base.rpartition(" ")[0] in ("sp", "tls", "lm", "lmid", "pid", "tid", "fd"):
            return self.value(base) + offset
        if name == "end":
            return self.file_position
        self._look_at_mappings()
        if base in self._regions:
            return self._regions[base][0] + offset
        stem, colon, rest = name.partition(":")
        try:
            return self._program(stem if colon else "").address(rest if colon else name)
        except (KeyError, StopIteration):
            raise UnknownName(name) from None

    def _program(self, stem: str) -> ProgramImage:
        if not stem:
            return self.programs[0]
        return next(program for program in self.programs if program.path.name == stem)

    @property
    def in_libraries(self) -> list[str]:
        """The libraries' names."""
        return [name for name in self._regions if ".so" in name]

    def section_size(self, name: str) -> int:
        """The size of a section of the (first) program."""
        return self.programs[0].size_of(name)

    def program_at(self, address: int) -> ProgramImage | None:
        """The program that an address belongs to."""
        return next((program for program in self.programs if program.covers(address)), None)

    # Text.

    def in_text(self, text: str) -> str:
        """Replace paths, and the processes and threads in /proc paths, by placeholders."""
        for stem, path in sorted(self.paths.items(), key=lambda item: -len(item[1])):
            text = text.replace(path, f"{{file {stem}}}")
        text = text.replace(self.folder, "{folder}")
        return re.sub(r"(?<=/proc/)\d+|(?<=/task/)\d+", self._number_in_text, text)

    def _number_in_text(self, match: re.Match[str]) -> str:
        number = int(match[0])
        return f"{{{self.identity(number)}}}" if self.knows(number) else match[0]

    def from_text(self, text: str) -> str:
        """Undo `in_text`."""
        return _IN_TEXT.sub(lambda match: self._text_value(match[1]), text)

    def _text_value(self, name: str) -> str:
        if name == "folder":
            return self.folder
        if name.startswith("file "):
            return self.paths[name.removeprefix("file ")]
        return str(self.value(name))


def _with_sign(name: str, offset: int) -> str:
    return f"{name}{offset:+#x}" if offset else name

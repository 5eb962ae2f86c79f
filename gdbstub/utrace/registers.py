"""A task's registers at its current stop."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from gdbstub.utrace.errors import Invalid

if TYPE_CHECKING:
    from gdbstub.arch.description import Architecture
    from gdbstub.utrace.task import Task


class _Regsets(dict[str, bytearray]):
    """Register sets by name, read from the task when first asked for."""

    def __init__(self, task: Task, architecture: Architecture) -> None:
        self.task = task
        self.architecture = architecture

    def __missing__(self, name: str) -> bytearray:
        contents = self.task.read_regset(self.architecture.regsets_by_name[name])
        self[name] = contents
        return contents


class Registers:
    """Reads once what is asked for. Changes reach the task at once; those of `pc`, when it is resumed.

    Values are unsigned integers; a name the architecture does not have raises KeyError. A value that the
    kernel refuses (reserved bits, a segment's base beyond user space) raises Invalid and changes nothing.
    """

    __slots__ = ("_changed", "_sets", "architecture")

    def __init__(self, task: Task, architecture: Architecture) -> None:
        self.architecture = architecture
        self._sets = _Regsets(task, architecture)
        self._changed: set[str] = set()

    def __getitem__(self, name: str) -> int:
        register = self.architecture.by_name[name]
        return int.from_bytes(self.architecture.read_register(register, self._sets), "little")

    def __setitem__(self, name: str, value: int) -> None:
        register = self.architecture.by_name[name]
        self.set_raw(name, (value & (1 << register.bits) - 1).to_bytes(register.size, "little"))

    def signed(self, name: str) -> int:
        """A register's value as a signed number."""
        value, bits = self[name], self.architecture.by_name[name].bits
        return value - (1 << bits) if value >> (bits - 1) else value

    def raw(self, name: str) -> bytes:
        """A register's bytes in gdb's view."""
        return self.architecture.read_register(self.architecture.by_name[name], self._sets)

    def set_raw(self, name: str, value: bytes) -> None:
        """Set a register from its bytes in gdb's view."""
        register = self.architecture.by_name[name]
        with self._changing([register.regset]):
            self.architecture.write_register(register, self._sets, value)

    @property
    def pc(self) -> int:
        """The program counter."""
        start, end = self.architecture.pc_place
        return int.from_bytes(self._sets["general"][start:end], "little")

    @pc.setter
    def pc(self, value: int) -> None:
        start, end = self.architecture.pc_place
        self._sets["general"][start:end] = value.to_bytes(end - start, "little")
        self._changed.add("general")

    def expedited(self) -> list[tuple[int, bytes]]:
        """(gdb's number, contents) of the registers that are sent with every stop."""
        general = self._sets["general"]
        return [
            (number, bytes(general[start:end])) for number, start, end in self.architecture.expedited_places
        ]

    @property
    def sp(self) -> int:
        """The stack pointer."""
        return self[self.architecture.sp]

    @sp.setter
    def sp(self, value: int) -> None:
        self[self.architecture.sp] = value

    def block(self) -> bytes:
        """All registers in gdb's order."""
        return self.architecture.read_block(self._sets)

    def set_block(self, block: bytes) -> None:
        """Set all registers from gdb's order."""
        with self._changing({register.regset for register in self.architecture.registers}):
            self.architecture.write_block(self._sets, block)

    def regset(self, name: str, position: int = 0, count: int | None = None) -> bytes:
        """Part of a register set as the kernel has it, in bytes (linux/regset.h, user_regset_copyout)."""
        contents = self._sets[name]
        return bytes(contents[position : None if count is None else position + count])

    def set_regset(self, name: str, contents: bytes, position: int = 0) -> None:
        """Replace part of a register set. Raises ValueError when it reaches beyond the end."""
        if position < 0 or position + len(contents) > len(self._sets[name]):
            raise ValueError(f"register set {name} has {len(self._sets[name])} bytes")
        with self._changing([name]):
            self._sets[name][position : position + len(contents)] = contents

    @contextlib.contextmanager
    def _changing(self, names: Iterable[str]) -> Iterator[None]:
        """Hand register sets to the task if they are changed meanwhile, all of them or none."""
        before = {name: bytes(self._sets[name]) for name in names}
        yield
        changed = [name for name, contents in before.items() if contents != self._sets[name]]
        try:
            for name in changed:
                self._write(name)
        except Invalid:
            for name in changed:
                self._sets[name][:] = before[name]
                # The kernel may have taken what came before the value that it refused.
                self._write(name)
            raise

    def _write(self, name: str) -> None:
        self._sets.task.write_regset(self.architecture.regsets_by_name[name], self._sets[name])
        self._changed.discard(name)

    def write_back(self) -> None:
        """Hand over what has not been handed over yet."""
        for name in list(self._changed):
            self._write(name)

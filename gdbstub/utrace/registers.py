"""A task's registers at its current stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    """Reads once what is asked for; changes reach the task when it is resumed.

    Values are unsigned integers; a name the architecture does not have raises KeyError.
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
        self.architecture.write_register(register, self._sets, value)
        self._changed.add(register.regset)

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
        names = {register.regset for register in self.architecture.registers}
        before = {name: bytes(self._sets[name]) for name in names}
        self.architecture.write_block(self._sets, block)
        self._changed.update(name for name in names if before[name] != self._sets[name])

    def regset(self, name: str, position: int = 0, count: int | None = None) -> bytes:
        """Part of a register set as the kernel has it, in bytes (linux/regset.h, user_regset_copyout)."""
        contents = self._sets[name]
        return bytes(contents[position : None if count is None else position + count])

    def set_regset(self, name: str, contents: bytes, position: int = 0) -> None:
        """Replace part of a register set. Raises ValueError when it reaches beyond the end."""
        if position < 0 or position + len(contents) > len(self._sets[name]):
            raise ValueError(f"register set {name} has {len(self._sets[name])} bytes")
        self._sets[name][position : position + len(contents)] = contents
        self._changed.add(name)

    def write_back(self, task: Task) -> None:
        """Hand the changes to the task."""
        for name in self._changed:
            task.write_regset(self.architecture.regsets_by_name[name], self._sets[name])
        self._changed.clear()

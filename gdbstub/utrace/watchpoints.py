"""Hardware watchpoints and breakpoints shared by engines: one pool of debug registers for a process."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gdbstub.utrace.errors import Invalid, NoSpace

if TYPE_CHECKING:
    from gdbstub.arch.description import DebugRegisters, Watch
    from gdbstub.utrace.engine import Engine


class Watchpoint:
    """One engine's watchpoint; `data` is the engine's own."""

    __slots__ = ("address", "data", "engine", "kind", "length", "pieces")

    def __init__(
        self, engine: Engine, kind: str, address: int, length: int, pieces: list[Watch], data: object
    ) -> None:
        self.engine = engine
        self.kind = kind
        """execute, write or access."""
        self.address = address
        self.length = length
        self.pieces = pieces
        self.data = data

    def __repr__(self) -> str:
        return f"<{self.kind} watchpoint at {self.address:#x} of {type(self.engine).__name__}>"


class Watchpoints:
    """The debug registers of all tasks of a process, which hold the same."""

    def __init__(self, debug_registers: DebugRegisters, changed: Callable[[], None]) -> None:
        """`changed` is called after the debug registers have to change."""
        self._machine = debug_registers
        self._changed = changed
        self.slots: list[Watch | None] = [None] * debug_registers.slots
        self._watchpoints: list[Watchpoint] = []
        self.generation = 0
        """Changes whenever the debug registers have to."""

    def insert(self, engine: Engine, kind: str, address: int, length: int, data: object = None) -> Watchpoint:
        """A new watchpoint; equal pieces share a debug register.

        Raises NoSpace (ENOSPC) when the debug registers do not suffice, Invalid for what cannot be watched.
        """
        if length <= 0 or address < 0:
            raise Invalid("a watchpoint needs an address and a length")
        try:
            pieces = self._machine.split(kind, address, length)
        except ValueError as error:
            raise Invalid(str(error)) from None
        needed = [piece for piece in pieces if piece not in self.slots]
        if len(needed) > self.slots.count(None):
            raise NoSpace("no debug register is free")
        for piece in needed:
            self.slots[self.slots.index(None)] = piece
        if needed:
            self.generation += 1
            self._changed()
        watchpoint = Watchpoint(engine, kind, address, length, pieces, data)
        self._watchpoints.append(watchpoint)
        return watchpoint

    def remove(self, watchpoint: Watchpoint) -> None:
        """Take a watchpoint out. Raises KeyError if it is not inserted."""
        if watchpoint not in self._watchpoints:
            raise KeyError(watchpoint.address)
        self._watchpoints.remove(watchpoint)
        used = {piece for other in self._watchpoints for piece in other.pieces}
        kept = [piece if piece in used else None for piece in self.slots]
        if kept != self.slots:
            self.slots = kept
            self.generation += 1
            self._changed()

    def remove_all(self, engine: Engine) -> None:
        """Take out all watchpoints of an engine."""
        for watchpoint in self.of(engine):
            self.remove(watchpoint)

    def of(self, engine: Engine) -> list[Watchpoint]:
        """The watchpoints of an engine."""
        return [watchpoint for watchpoint in self._watchpoints if watchpoint.engine is engine]

    def hit(self, status: int) -> list[Watchpoint]:
        """The watchpoints that a debug status register's contents name."""
        pieces = [self.slots[slot] for slot in self._machine.hits(status)]
        return [each for each in self._watchpoints if any(piece in pieces for piece in each.pieces)]

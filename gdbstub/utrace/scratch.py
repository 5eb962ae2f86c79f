"""Places in a process's own text where relocated instructions can be put and run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from gdbstub.linux.memory import MemoryFault
from gdbstub.utrace.address_space import Overlay

if TYPE_CHECKING:
    from gdbstub.arch.description import OutOfLine
    from gdbstub.utrace.address_space import AddressSpace

SLOT = 32
"""Bytes: room for the longest relocated instruction and its jump back."""

Ranges = Callable[[], list[tuple[int, int]]]


class Scratch:
    """Slots in executable bytes that no code uses; what was there comes back when a slot is given up.

    A slot that is freed may still have a thread in it, so it is used again only when no task that was sent
    into it has yet to be seen elsewhere.
    """

    def __init__(self, space: AddressSpace, ranges: Ranges) -> None:
        """`ranges` finds the unused text; it is called when the first slot is needed."""
        self._space = space
        self._ranges = ranges
        self._free: list[int] | None = None
        self._retired: list[Overlay] = []

    def place(self, near: int, build: Callable[[int], OutOfLine | None]) -> tuple[Overlay, OutOfLine] | None:
        """Put code into the free slot nearest to an address; None when there is no slot that it fits.

        `build` makes the code for a slot's address.
        """
        self._reclaim()
        if self._free is None:
            self._free = [
                address
                for start, end in self._ranges()
                for address in range(-(-start // SLOT) * SLOT, end - SLOT + 1, SLOT)
            ]
        for address in sorted(self._free, key=lambda address: abs(address - near))[:1]:
            code = build(address)
            if code is None or len(code.code) > SLOT:
                return None
            try:
                slot = Overlay(address, self._space.read(address, len(code.code)), code.code)
                self._space.plant(slot)
            except MemoryFault:
                self._free.remove(address)
                return None
            self._free.remove(address)
            return slot, code
        return None

    def free(self, slot: Overlay) -> None:
        """A slot is not needed any more."""
        self._retired.append(slot)

    def _reclaim(self) -> None:
        if self._free is None:
            return
        busy = {
            id(task.out_of_line.slot)
            for process in self._space.processes
            for task in process.tasks.values()
            if task.out_of_line is not None
        }
        for slot in self._retired:
            if id(slot) not in busy:
                with contextlib.suppress(MemoryFault):
                    self._space.unplant(slot)
                    self._free.append(slot.address)
        self._retired = [slot for slot in self._retired if id(slot) in busy]

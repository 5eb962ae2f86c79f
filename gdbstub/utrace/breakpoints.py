"""Breakpoints shared by engines: one plant for an address however many owners it has."""

from __future__ import annotations

import contextlib
from collections.abc import Container
from typing import TYPE_CHECKING

from gdbstub.linux.memory import MemoryFault
from gdbstub.utrace.address_space import Overlay

if TYPE_CHECKING:
    from gdbstub.arch.description import OutOfLine
    from gdbstub.utrace.address_space import AddressSpace
    from gdbstub.utrace.engine import Engine


class Breakpoint:
    """One engine's breakpoint; `data` is the engine's own."""

    __slots__ = ("address", "data", "engine")

    def __init__(self, engine: Engine, address: int, data: object = None) -> None:
        self.engine = engine
        self.address = address
        self.data = data

    def __repr__(self) -> str:
        return f"<breakpoint at {self.address:#x} of {type(self.engine).__name__}>"


class Plant(Overlay):
    """The breakpoint instruction in memory, and what is known about passing it."""

    __slots__ = ("out_of_line", "owners")
    stops_threads = True

    def __init__(self, address: int, original: bytes, planted: bytes) -> None:
        super().__init__(address, original, planted)
        self.owners: list[Breakpoint] = []
        self.out_of_line: OutOfLineCopy | None = None


class OutOfLineCopy:
    """The instruction under a plant, relocated into scratch memory where any thread may run it."""

    __slots__ = ("code", "slot", "source")

    def __init__(self, slot: Overlay, code: OutOfLine, source: bytes) -> None:
        self.slot = slot
        self.code = code
        self.source = source
        """The program's bytes that it was made from, to notice when they change."""


class Breakpoints:
    """The breakpoints of an address space."""

    def __init__(self, address_space: AddressSpace) -> None:
        self._space = address_space
        self._plants: dict[int, Plant] = {}

    def __len__(self) -> int:
        return len(self._plants)

    def insert(self, engine: Engine, address: int, data: object = None) -> Breakpoint:
        """A new breakpoint; the engine is told of hits by report_breakpoint where its mask has BREAKPOINT.

        Raises gdbstub.linux.memory.MemoryFault where there is no memory.
        """
        breakpoint = Breakpoint(engine, address, data)
        plant = self._plants.get(address)
        if plant is None:
            planted = self._space.architecture.breakpoint
            plant = Plant(address, self._space.read(address, len(planted)), planted)
            self._space.plant(plant)
            self._plants[address] = plant
        plant.owners.append(breakpoint)
        return breakpoint

    def remove(self, breakpoint: Breakpoint) -> None:
        """Take a breakpoint out; with the last of its address the program's own byte comes back.

        Raises KeyError if it is not inserted, and MemoryFault, having taken it out, if the memory under it
        is not there any more.
        """
        plant = self._plants[breakpoint.address]
        if breakpoint not in plant.owners:
            raise KeyError(breakpoint.address)
        plant.owners.remove(breakpoint)
        if not plant.owners:
            self._unplant(plant)

    def remove_all(self, engine: Engine) -> None:
        """Take out all breakpoints of an engine."""
        for plant in list(self._plants.values()):
            plant.owners = [owner for owner in plant.owners if owner.engine is not engine]
            if not plant.owners:
                with contextlib.suppress(MemoryFault):
                    self._unplant(plant)

    def at(self, address: int) -> Plant | None:
        """What is planted at an address."""
        return self._plants.get(address)

    def of(self, engine: Engine) -> list[Breakpoint]:
        """The breakpoints of an engine."""
        return [owner for plant in self._plants.values() for owner in plant.owners if owner.engine is engine]

    def inherit(self, parent: Breakpoints) -> None:
        """After a fork, whose memory is a copy: take over what is planted in it, owners included."""
        for overlay in parent._space.overlays():
            plant = self._plants_like(overlay)
            self._space.adopt(plant)

    def _plants_like(self, overlay: Overlay) -> Overlay:
        if not isinstance(overlay, Plant):
            return Overlay(overlay.address, bytes(overlay.original), overlay.planted)
        plant = Plant(overlay.address, bytes(overlay.original), overlay.planted)
        plant.owners = [Breakpoint(owner.engine, owner.address, owner.data) for owner in overlay.owners]
        self._plants[plant.address] = plant
        return plant

    def clean(self, engines: Container[Engine]) -> None:
        """Take out what belongs to none of these engines, relocated instructions included."""
        for overlay in self._space.overlays():
            with contextlib.suppress(MemoryFault):
                if not isinstance(overlay, Plant):
                    self._space.unplant(overlay)
                    continue
                overlay.owners = [owner for owner in overlay.owners if owner.engine in engines]
                if not overlay.owners:
                    self._unplant(overlay)

    def _unplant(self, plant: Plant) -> None:
        del self._plants[plant.address]
        if plant.out_of_line is not None:
            self._space.scratch.free(plant.out_of_line.slot)
        self._space.unplant(plant)

"""An address space as engines see it: the program's own bytes, whatever the layer has planted in it."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from gdbstub.linux.memory import MemoryFault

if TYPE_CHECKING:
    from gdbstub.arch.description import Architecture
    from gdbstub.utrace.breakpoints import Breakpoints
    from gdbstub.utrace.guardian import Guard
    from gdbstub.utrace.task import Process


class Memory(Protocol):
    """Raw memory; faults raise gdbstub.linux.memory.MemoryFault."""

    def read_some(self, address: int, length: int) -> bytes:
        """As many of `length` bytes as are readable in a row."""

    def read(self, address: int, length: int) -> bytes:
        """Exactly `length` bytes."""

    def write(self, address: int, contents: bytes) -> None:
        """Write all, whatever the page protection."""

    def close(self) -> None:
        """Give up the access."""


class Overlay:
    """Bytes that the layer has put over the program's own."""

    __slots__ = ("address", "original", "planted")
    stops_threads = False
    """A thread that comes upon it depends on the tracer."""

    def __init__(self, address: int, original: bytes, planted: bytes) -> None:
        self.address = address
        self.original = bytearray(original)
        """What the program has there."""
        self.planted = planted


class AddressSpace:
    """The memory of a process, or of several that share it (vfork)."""

    def __init__(
        self,
        memory: Memory,
        architecture: Architecture,
        unused_text: Callable[[], list[tuple[int, int]]],
        guard: Guard | None = None,
    ) -> None:
        """`unused_text` finds executable addresses that no code uses. `guard` is told of breakpoints."""
        from gdbstub.utrace.breakpoints import Breakpoints
        from gdbstub.utrace.scratch import Scratch

        self.memory = memory
        self.architecture = architecture
        self.processes: list[Process] = []
        self.breakpoints: Breakpoints = Breakpoints(self)
        self.scratch: Scratch = Scratch(self, unused_text)
        self._guard = guard
        self._overlays: dict[int, Overlay] = {}
        self._addresses: list[int] = []
        self._longest = 0

    def read_some(self, address: int, length: int) -> bytes:
        """As many of `length` bytes as are readable in a row from `address`; empty at a hole."""
        raw = self.memory.read_some(address, length)
        overlays = self._overlapping(address, len(raw))
        if not overlays:
            return raw
        contents = bytearray(raw)
        for overlay in overlays:
            _copy(overlay.address, overlay.original, address, contents)
        return bytes(contents)

    def read(self, address: int, length: int) -> bytes:
        """Exactly `length` bytes. Raises MemoryFault, which says how far it got."""
        contents = self.read_some(address, length)
        if len(contents) < length:
            raise MemoryFault(address + len(contents), len(contents))
        return contents

    def write(self, address: int, contents: bytes) -> None:
        """Change the program's own bytes, whatever the page protection. Raises MemoryFault, what comes before
        the fault being written.
        """
        overlays = self._overlapping(address, len(contents))
        raw = bytearray(contents)
        for overlay in overlays:
            _copy(overlay.address, overlay.planted, address, raw)
        try:
            self.memory.write(address, bytes(raw))
        except MemoryFault as fault:
            contents = contents[: fault.done]
            raise
        finally:
            for overlay in overlays:
                _copy(address, contents, overlay.address, overlay.original)
                self._tell_guard(overlay)

    def plant(self, overlay: Overlay) -> None:
        """Put an overlay's bytes into memory. Raises MemoryFault."""
        self._tell_guard(overlay)
        try:
            self.memory.write(overlay.address, overlay.planted)
        except MemoryFault:
            self._tell_guard_of_end(overlay)
            raise
        self._keep(overlay)

    def adopt(self, overlay: Overlay) -> None:
        """Take note of an overlay that is in memory already."""
        self._tell_guard(overlay)
        self._keep(overlay)

    def _keep(self, overlay: Overlay) -> None:
        self._overlays[overlay.address] = overlay
        bisect.insort(self._addresses, overlay.address)
        self._longest = max(self._longest, len(overlay.planted))

    def unplant(self, overlay: Overlay) -> None:
        """Put the program's own bytes back, unless the program has put others there meanwhile (it loaded
        another library at that address). Raises MemoryFault if that memory is not there any more.
        """
        del self._overlays[overlay.address]
        self._addresses.remove(overlay.address)
        try:
            if self.memory.read(overlay.address, len(overlay.planted)) == overlay.planted:
                self.memory.write(overlay.address, bytes(overlay.original))
        finally:
            self._tell_guard_of_end(overlay)

    def close(self) -> None:
        """Nothing more is done here."""
        self.memory.close()
        if self._guard is not None:
            self._guard.close()

    def _tell_guard(self, overlay: Overlay) -> None:
        if self._guard is not None and overlay.stops_threads:
            self._guard.planting(overlay)

    def _tell_guard_of_end(self, overlay: Overlay) -> None:
        if self._guard is not None:
            self._guard.unplanted(overlay)

    def overlays(self) -> list[Overlay]:
        """Everything that is planted, in address order."""
        return [self._overlays[address] for address in self._addresses]

    def _overlapping(self, address: int, length: int) -> list[Overlay]:
        if not self._addresses:
            return []
        first = bisect.bisect_left(self._addresses, address - self._longest + 1)
        last = bisect.bisect_left(self._addresses, address + length)
        return [
            overlay
            for overlay in map(self._overlays.__getitem__, self._addresses[first:last])
            if overlay.address + len(overlay.planted) > address
        ]


def _copy(source_address: int, source: bytes | bytearray, address: int, into: bytearray) -> None:
    """Copy what two address ranges have in common from one buffer to the other."""
    start = max(source_address, address)
    end = min(source_address + len(source), address + len(into))
    if start < end:
        into[start - address : end - address] = source[start - source_address : end - source_address]

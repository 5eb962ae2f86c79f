"""The XSAVE area: where this processor keeps each state component.

Offsets differ between makers (a processor without MPX packs AVX-512 closer) and the whole grows with each
extension (AMX: 8 KiB), so everything comes from CPUID leaf 0xD: Intel SDM volume 1 chapter 13, AMD APM
volume 2 section 11.5. The kernel shows the non-compacted format to ptrace (NT_X86_XSTATE).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

X87, SSE, AVX, OPMASK, ZMM_HI256, HI16_ZMM, PKRU = 0, 1, 2, 5, 6, 7, 9

LEGACY_SIZE = 512
"""The FXSAVE area that starts every XSAVE area."""
HEADER_SIZE = 64
XSTATE_BV_OFFSET = 512
"""The header's bit vector of components that are not in their initial state."""
XCR0_OFFSET = 464
"""Software-reserved bytes of the legacy area, where the kernel tells ptrace the enabled components."""

_XSTATE_BV = struct.Struct("<Q")

Cpuid = Callable[[int, int], tuple[int, int, int, int]]
"""(leaf, subleaf) -> eax, ebx, ecx, edx."""


class Component(NamedTuple):
    """One state component: its number (the bit of XCR0) and its place in the area, in bytes."""

    number: int
    offset: int
    size: int


@dataclass(frozen=True)
class XsaveLayout:
    """The size of the area and its enabled components."""

    size: int
    components: tuple[Component, ...]

    def __contains__(self, number: int) -> bool:
        return any(component.number == number for component in self.components)

    def offset(self, number: int) -> int:
        """Byte offset of a component in the area."""
        return next(component.offset for component in self.components if component.number == number)


def layout_from_cpuid(cpuid: Cpuid, xcr0: int) -> XsaveLayout | None:
    """The layout that the processor states, for the components that the kernel enabled (XCR0).

    None where the processor has no XSAVE or the kernel does not use it.
    """
    if cpuid(0, 0)[0] < 0xD or not xcr0:
        return None
    components = [Component(X87, 0, 160), Component(SSE, 160, 256)]
    size = LEGACY_SIZE + HEADER_SIZE
    for number in range(2, 63):
        if xcr0 >> number & 1:
            length, offset, _, _ = cpuid(0xD, number)
            components.append(Component(number, offset, length))
            size = max(size, offset + length)
    return XsaveLayout(size, tuple(components))


def mark_in_use(area: bytearray, component: int) -> None:
    """Say that a component holds a value: XRSTOR loads initial values for components not marked."""
    (in_use,) = _XSTATE_BV.unpack_from(area, XSTATE_BV_OFFSET)
    if not in_use >> component & 1:
        _XSTATE_BV.pack_into(area, XSTATE_BV_OFFSET, in_use | 1 << component)

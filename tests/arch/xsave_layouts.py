"""Processors whose CPUID says different things of the XSAVE area."""

from __future__ import annotations

from collections.abc import Mapping

from gdbstub.arch.x86.xsave import Cpuid, XsaveLayout, layout_from_cpuid

X87_AND_SSE = 0b11
Places = Mapping[int, tuple[int, int]]
"""Component -> (offset, size) in the non-compacted area."""

AVX_ONLY: Places = {2: (576, 256)}
SKYLAKE: Places = {
    2: (576, 256), 3: (960, 64), 4: (1024, 64), 5: (1088, 64), 6: (1152, 512), 7: (1664, 1024), 9: (2688, 8),
}  # fmt: skip
"""With MPX, which later processors lack but leave room for."""
ZEN4: Places = {2: (576, 256), 5: (832, 64), 6: (896, 512), 7: (1408, 1024), 9: (2432, 8)}
"""Without MPX's place, all that follows lies 256 bytes lower."""
SAPPHIRE_RAPIDS: Places = {**SKYLAKE, 17: (2752, 64), 18: (2816, 8192)}
"""With AMX: beyond the protection keys, 8 KiB of tiles."""
ALDER_LAKE: Places = {2: (576, 256), 9: (2688, 8)}
"""Protection keys but no AVX-512."""
HALF_AVX512: Places = {2: (576, 256), 5: (1088, 64), 6: (1152, 512)}
"""AVX-512 whose upper 16 registers are not enabled."""

PROCESSORS = {
    "avx": AVX_ONLY,
    "skylake": SKYLAKE,
    "zen4": ZEN4,
    "sapphire-rapids": SAPPHIRE_RAPIDS,
    "alder-lake": ALDER_LAKE,
    "half-avx512": HALF_AVX512,
}


def cpuid_of(places: Places, highest_leaf: int = 0xD) -> Cpuid:
    """CPUID of such a processor."""

    def cpuid(leaf: int, subleaf: int) -> tuple[int, int, int, int]:
        if leaf == 0:
            return highest_leaf, 0, 0, 0
        assert leaf == 0xD
        offset, size = places.get(subleaf, (0, 0))
        return size, offset, 0, 0

    return cpuid


def xcr0_of(places: Places) -> int:
    """XCR0 with all of it enabled."""
    return X87_AND_SSE | sum(1 << number for number in places)


def layout_of(places: Places) -> XsaveLayout:
    """What the package makes of it."""
    layout = layout_from_cpuid(cpuid_of(places), xcr0_of(places))
    assert layout is not None
    return layout

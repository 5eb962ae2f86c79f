"""Building blocks of the x86 register descriptions, shared by the 64-bit and the 32-bit view.

Names and order follow gdb's i386 features (gdb manual, section i386 Features).
"""

from __future__ import annotations

from collections.abc import Iterable

from gdbstub.arch.description import Feature, FlagsType, Register, UnionType, VectorType
from gdbstub.arch.x86 import float as x87
from gdbstub.arch.x86 import xsave
from gdbstub.arch.x86.xsave import XsaveLayout

FLOAT = "float"
"""Name of the register set that holds x87, SSE and all extended state."""

EFLAGS = FlagsType(
    "i386_eflags",
    4,
    tuple(
        zip(
            (
                "CF",
                "",
                "PF",
                "AF",
                "ZF",
                "SF",
                "TF",
                "IF",
                "DF",
                "OF",
                "NT",
                "RF",
                "VM",
                "AC",
                "VIF",
                "VIP",
                "ID",
            ),
            (0, 1, 2, 4, 6, 7, 8, 9, 10, 11, 14, 16, 17, 18, 19, 20, 21),
            strict=True,
        )
    ),
)
TRAP_FLAG = 0x100
FLAG_PUSHES = frozenset({b"\x9c", b"\x66\x9c", b"\x48\x9c"})
"""pushf, with and without prefixes."""
MXCSR = FlagsType(
    "i386_mxcsr",
    4,
    tuple(
        zip(
            ("IE", "DE", "ZE", "OE", "UE", "PE", "DAZ", "IM", "DM", "ZM", "OM", "UM", "PM", "FZ"),
            (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15),
            strict=True,
        )
    ),
)
VECTOR_128 = (
    VectorType("v8bf16", "bfloat16", 8),
    VectorType("v8h", "ieee_half", 8),
    VectorType("v4f", "ieee_single", 4),
    VectorType("v2d", "ieee_double", 2),
    VectorType("v16i8", "int8", 16),
    VectorType("v8i16", "int16", 8),
    VectorType("v4i32", "int32", 4),
    VectorType("v2i64", "int64", 2),
    UnionType(
        "vec128",
        (
            ("v8_bfloat16", "v8bf16"),
            ("v8_half", "v8h"),
            ("v4_float", "v4f"),
            ("v2_double", "v2d"),
            ("v16_int8", "v16i8"),
            ("v8_int16", "v8i16"),
            ("v4_int32", "v4i32"),
            ("v2_int64", "v2i64"),
            ("uint128", "uint128"),
        ),
    ),
)


def x87_registers(dwarf_st0: int, dwarf_control: int | None) -> tuple[Register, ...]:
    """st0-st7 and the control registers, at their FXSAVE offsets."""
    stack = [
        Register(f"st{i}", 80, "i387_ext", None, dwarf_st0 + i, FLOAT, x87.STACK_OFFSET + x87.SLOT * i)
        for i in range(8)
    ]
    control = [
        ("fctrl", 0, 2, dwarf_control),
        ("fstat", 2, 2, None if dwarf_control is None else dwarf_control + 1),
        ("ftag", 4, 1, None),
        ("fiseg", 12, 2, None),
        ("fioff", 8, 4, None),
        ("foseg", 20, 2, None),
        ("fooff", 16, 4, None),
        ("fop", 6, 2, None),
    ]
    return (
        *stack,
        *(
            Register(name, 32, "int", FLOAT, dwarf, FLOAT, offset, stored, special=name == "ftag")
            for name, offset, stored, dwarf in control
        ),
    )


def sse_feature(count: int, dwarf_xmm0: int, dwarf_mxcsr: int) -> Feature:
    """xmm registers and mxcsr; 16 in 64-bit mode, else 8."""
    vectors = [
        Register(f"xmm{i}", 128, "vec128", None, dwarf_xmm0 + i, FLOAT, 160 + 16 * i) for i in range(count)
    ]
    mxcsr = Register("mxcsr", 32, MXCSR.id, "vector", dwarf_mxcsr, FLOAT, 24)
    return Feature("org.gnu.gdb.i386.sse", (*vectors, mxcsr), (*VECTOR_128, MXCSR))


def extended_features(layout: XsaveLayout | None, wide: bool) -> Iterable[Feature]:
    """What this processor's extended state adds; `wide` is 64-bit mode with its further registers."""
    if layout is None:
        return
    count = 16 if wide else 8
    if xsave.AVX in layout:
        base = layout.offset(xsave.AVX)
        yield Feature("org.gnu.gdb.i386.avx", tuple(_block("ymm{}h", count, 128, "uint128", base, 16)))
    if all(component in layout for component in (xsave.OPMASK, xsave.ZMM_HI256, xsave.HI16_ZMM)):
        yield _avx512(layout, wide)
    if xsave.PKRU in layout:
        pkru = Register("pkru", 32, "uint32", None, None, FLOAT, layout.offset(xsave.PKRU))
        yield Feature("org.gnu.gdb.i386.pkeys", (pkru,))


def _avx512(layout: XsaveLayout, wide: bool) -> Feature:
    high = layout.offset(xsave.HI16_ZMM)
    masks = layout.offset(xsave.OPMASK)
    upper = layout.offset(xsave.ZMM_HI256)
    registers: list[Register] = []
    if wide:
        registers += _block("xmm{}", 16, 128, "vec128", high, 64, first=16, dwarf=67)
        registers += _block("ymm{}h", 16, 128, "uint128", high + 16, 64, first=16)
    registers += _block("k{}", 8, 64, "uint64", masks, 8, dwarf=118 if wide else 93)
    registers += _block("zmm{}h", 16 if wide else 8, 256, "v2ui128", upper, 32)
    if wide:
        registers += _block("zmm{}h", 16, 256, "v2ui128", high + 32, 64, first=16)
    types = (*VECTOR_128, VectorType("v2ui128", "uint128", 2))
    return Feature("org.gnu.gdb.i386.avx512", tuple(registers), types)


def _block(
    name: str,
    count: int,
    bits: int,
    kind: str,
    base: int,
    stride: int,
    first: int = 0,
    dwarf: int | None = None,
) -> list[Register]:
    return [
        Register(
            name.format(first + i),
            bits,
            kind,
            None,
            None if dwarf is None else dwarf + i,
            FLOAT,
            base + stride * i,
        )
        for i in range(count)
    ]


class X86Codec:
    """The tag word, and the note that an extended component is in use after it was written."""

    def __init__(self, layout: XsaveLayout | None) -> None:
        self._components = layout.components if layout else ()

    def read(self, register: Register, regset: bytearray) -> bytes:
        """The tag word."""
        return x87.full_tag_word(regset).to_bytes(4, "little")

    def write(self, register: Register, regset: bytearray, value: bytes) -> None:
        """Store the tag word."""
        regset[x87.TAG_OFFSET] = x87.abridged_tag(int.from_bytes(value, "little"))

    def touched(self, register: Register, regset: bytearray) -> None:
        """Mark the component of a written register as in use."""
        if register.regset != FLOAT or not self._components:
            return
        if register.name == "mxcsr":
            xsave.mark_in_use(regset, xsave.SSE)
            return
        for component, offset, size in self._components:
            if offset <= register.offset < offset + size:
                xsave.mark_in_use(regset, component)
                return

"""The register sets as construct definitions: the reference that the offsets of the register tables are
tested against, and the way to read or build a whole register set by field name off the hot path.
"""

from __future__ import annotations

from typing import Any

from construct import Array, Bytes, Int8ul, Int16ul, Int32ul, Int64ul, Padding, Pointer, Struct

from gdbstub.arch.x86 import amd64, i386
from gdbstub.arch.x86.xsave import SSE, XCR0_OFFSET, XsaveLayout

GENERAL_AMD64 = Struct(*(name / Int64ul for name in amd64.GENERAL_ORDER))
"""struct user_regs_struct of a 64-bit thread (sys/user.h), 216 bytes."""

GENERAL_I386 = Struct(*(name / Int32ul for name in i386.GENERAL_ORDER))
"""struct user_regs_struct of a 32-bit thread, 68 bytes."""

_STACK_REGISTER = Struct("value" / Bytes(10), Padding(6))

FXSAVE = Struct(
    "fcw" / Int16ul,
    "fsw" / Int16ul,
    "ftw" / Int8ul,
    Padding(1),
    "fop" / Int16ul,
    "fip" / Int32ul,
    "fcs" / Int16ul,
    Padding(2),
    "fdp" / Int32ul,
    "fds" / Int16ul,
    Padding(2),
    "mxcsr" / Int32ul,
    "mxcsr_mask" / Int32ul,
    "st" / Array(8, _STACK_REGISTER),
    "xmm" / Array(16, Bytes(16)),
    Padding(96),
)
"""The FXSAVE area (Intel SDM volume 1, section 10.5.1), 512 bytes."""

XSAVE_HEADER = Struct("xstate_bv" / Int64ul, "xcomp_bv" / Int64ul, Padding(48))
"""What follows the FXSAVE area in an XSAVE area, 64 bytes."""


def xsave(layout: XsaveLayout) -> Any:
    """The whole XSAVE area of a processor: components by number, `xcr0` as ptrace reports it."""
    return Struct(
        "legacy" / FXSAVE,
        "header" / XSAVE_HEADER,
        "xcr0" / Pointer(XCR0_OFFSET, Int64ul),
        *(
            f"component_{number}" / Pointer(offset, Bytes(size))
            for number, offset, size in layout.components
            if number > SSE
        ),
    )

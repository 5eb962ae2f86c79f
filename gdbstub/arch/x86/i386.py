"""32-bit inferiors on the 64-bit kernel (System V i386 psABI)."""

from __future__ import annotations

from functools import lru_cache

from gdbstub.arch.description import (
    Architecture,
    Feature,
    OutOfLine,
    Register,
    RegisterSet,
    SyscallAbi,
)
from gdbstub.arch.x86 import registers as common
from gdbstub.arch.x86.amd64 import NT_PRFPREG, NT_PRSTATUS, NT_X86_XSTATE
from gdbstub.arch.x86.debug_registers import X86DebugRegisters
from gdbstub.arch.x86.xsave import LEGACY_SIZE, XsaveLayout

NT_PRXFPREG = 0x46E62B7F
EM_386 = 3
AUDIT_ARCH_I386 = 0x40000003

GENERAL_ORDER = (
    *("ebx", "ecx", "edx", "esi", "edi", "ebp", "eax", "ds", "es", "fs", "gs"),
    *("orig_eax", "eip", "cs", "eflags", "esp", "ss"),
)
"""struct user_regs_struct of i386 (sys/user.h): 32-bit words in this order."""

_GDB_CORE = (
    *("eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip", "eflags"),
    *("cs", "ss", "ds", "es", "fs", "gs"),
)
_DWARF = {
    **{
        name: number
        for number, name in enumerate(
            ("eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip", "eflags")
        )
    },
    **{"es": 40, "cs": 41, "ss": 42, "ds": 43, "fs": 44, "gs": 45},
}
_TYPES = {
    "eip": "code_ptr",
    "esp": "data_ptr",
    "ebp": "data_ptr",
    "eflags": common.EFLAGS.id,
    "orig_eax": "int",
}


def _general(name: str, group: str | None = None) -> Register:
    offset = 4 * GENERAL_ORDER.index(name)
    return Register(name, 32, _TYPES.get(name, "int32"), group, _DWARF.get(name), "general", offset)


def _relocate(code: bytes, address: int, new_address: int) -> OutOfLine | None:
    from gdbstub.arch.x86.relocation import relocate

    return relocate(32, code, address, new_address)


@lru_cache(maxsize=4)
def i386(layout: XsaveLayout | None) -> Architecture:
    """The description for a processor with this XSAVE layout (None: FXSAVE only)."""
    core = Feature(
        "org.gnu.gdb.i386.core",
        (*(_general(name) for name in _GDB_CORE), *common.x87_registers(11, None)),
        (common.EFLAGS,),
    )
    linux = Feature("org.gnu.gdb.i386.linux", (_general("orig_eax", "system"),))
    if layout is None:
        extended = RegisterSet(common.FLOAT, NT_PRXFPREG, LEGACY_SIZE, 4, "LINUX")
    else:
        extended = RegisterSet(common.FLOAT, NT_X86_XSTATE, layout.size, 8, "LINUX")
    return Architecture(
        name="i386",
        bits=32,
        machine=EM_386,
        features=(
            core,
            common.sse_feature(8, 21, 39),
            linux,
            *common.extended_features(layout, wide=False),
        ),
        regsets=(
            RegisterSet("general", NT_PRSTATUS, 4 * len(GENERAL_ORDER), 4, "CORE"),
            extended,
            RegisterSet("fsave", NT_PRFPREG, 108, 4, "CORE"),
            RegisterSet("fxsave", NT_PRXFPREG, LEGACY_SIZE, 4, "LINUX"),
        ),
        pc="eip",
        sp="esp",
        thread_pointer=None,
        thread_area_segment="gs",
        expedited=("ebp", "esp", "eip"),
        syscall=SYSCALL,
        other_syscalls=(),
        breakpoint=b"\xcc",
        breakpoint_pc_offset=1,
        breakpoint_traps=(b"\xcc", b"\xcd\x03"),
        flag_pushes=common.FLAG_PUSHES,
        trap_flag=common.TRAP_FLAG,
        flags="eflags",
        debug_registers=X86DebugRegisters(4, 1 << 32),
        relocate=_relocate,
        codec=common.X86Codec(layout),
    )


SYSCALL = SyscallAbi(
    number="orig_eax",
    arguments=("ebx", "ecx", "edx", "esi", "edi", "ebp"),
    result="eax",
    clobbered_by_pc=None,
    instructions=(b"\xcd\x80", b"\x0f\x34"),
    audit_arch=AUDIT_ARCH_I386,
    clone_numbers={2: "fork", 120: "clone", 190: "vfork", 435: "clone3"},
    exit_numbers={1: "exit", 252: "exit_group"},
)

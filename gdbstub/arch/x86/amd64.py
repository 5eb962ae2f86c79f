"""64-bit inferiors (System V psABI for AMD64)."""

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
from gdbstub.arch.x86.debug_registers import X86DebugRegisters
from gdbstub.arch.x86.xsave import LEGACY_SIZE, XsaveLayout

NT_PRSTATUS, NT_PRFPREG, NT_X86_XSTATE = 1, 2, 0x202
EM_X86_64 = 62
AUDIT_ARCH_X86_64 = 0xC000003E

GENERAL_ORDER = (
    *("r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi"),
    *("orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs"),
)
"""struct user_regs_struct (sys/user.h): 64-bit words in this order."""

_GDB_CORE = (
    *(
        "rax",
        "rbx",
        "rcx",
        "rdx",
        "rsi",
        "rdi",
        "rbp",
        "rsp",
        "r8",
        "r9",
        "r10",
        "r11",
        "r12",
        "r13",
        "r14",
        "r15",
    ),
    *("rip", "eflags", "cs", "ss", "ds", "es", "fs", "gs"),
)
_DWARF = {
    **{name: number for number, name in enumerate(("rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp"))},
    **{f"r{number}": number for number in range(8, 16)},
    **{"rip": 16, "eflags": 49, "es": 50, "cs": 51, "ss": 52, "ds": 53, "fs": 54, "gs": 55},
    **{"fs_base": 58, "gs_base": 59},
}
_SEGMENTS = ("cs", "ss", "ds", "es", "fs", "gs")


def _general(name: str, group: str | None = None) -> Register:
    bits, kind = 64, "int64"
    if name == "eflags":
        bits, kind = 32, common.EFLAGS.id
    elif name in _SEGMENTS:
        bits, kind = 32, "int32"
    elif name == "rip":
        kind = "code_ptr"
    elif name in ("rsp", "rbp"):
        kind = "data_ptr"
    elif name in ("fs_base", "gs_base", "orig_rax"):
        kind = "int"
    return Register(name, bits, kind, group, _DWARF.get(name), "general", 8 * GENERAL_ORDER.index(name))


def _relocate(code: bytes, address: int, new_address: int) -> OutOfLine | None:
    from gdbstub.arch.x86.relocation import relocate

    return relocate(64, code, address, new_address)


@lru_cache(maxsize=4)
def amd64(layout: XsaveLayout | None) -> Architecture:
    """The description for a processor with this XSAVE layout (None: FXSAVE only)."""
    core = Feature(
        "org.gnu.gdb.i386.core",
        (*(_general(name) for name in _GDB_CORE), *common.x87_registers(33, 65)),
        (common.EFLAGS,),
    )
    linux = Feature("org.gnu.gdb.i386.linux", (_general("orig_rax", "system"),))
    segments = Feature("org.gnu.gdb.i386.segments", (_general("fs_base"), _general("gs_base")))
    if layout is None:
        extended = RegisterSet(common.FLOAT, NT_PRFPREG, LEGACY_SIZE, 8, "CORE")
    else:
        extended = RegisterSet(common.FLOAT, NT_X86_XSTATE, layout.size, 8, "LINUX")
    return Architecture(
        name="i386:x86-64",
        bits=64,
        machine=EM_X86_64,
        features=(
            core,
            common.sse_feature(16, 17, 64),
            linux,
            segments,
            *common.extended_features(layout, wide=True),
        ),
        regsets=(
            RegisterSet("general", NT_PRSTATUS, 8 * len(GENERAL_ORDER), 8, "CORE", own_view=True),
            extended,
            RegisterSet("fxsave", NT_PRFPREG, LEGACY_SIZE, 8, "CORE"),
        ),
        pc="rip",
        sp="rsp",
        thread_pointer="fs_base",
        thread_area_segment=None,
        expedited=("rbp", "rsp", "rip"),
        syscall=SYSCALL,
        other_syscalls=(I386_SYSCALL,),
        breakpoint=b"\xcc",
        breakpoint_pc_offset=1,
        breakpoint_traps=(b"\xcc", b"\xcd\x03"),
        flag_pushes=common.FLAG_PUSHES,
        trap_flag=common.TRAP_FLAG,
        flags="eflags",
        debug_registers=X86DebugRegisters(8, (1 << 47) - 4096),
        relocate=_relocate,
        codec=common.X86Codec(layout),
    )


SYSCALL = SyscallAbi(
    number="orig_rax",
    arguments=("rdi", "rsi", "rdx", "r10", "r8", "r9"),
    result="rax",
    clobbered_by_pc="rcx",
    instructions=(b"\x0f\x05", b"\xcd\x80"),
    audit_arch=AUDIT_ARCH_X86_64,
    clone_numbers={56: "clone", 57: "fork", 58: "vfork", 435: "clone3"},
    exit_numbers={60: "exit", 231: "exit_group"},
)
I386_SYSCALL = SyscallAbi(
    number="orig_rax",
    arguments=("rbx", "rcx", "rdx", "rsi", "rdi", "rbp"),
    result="rax",
    clobbered_by_pc=None,
    instructions=(b"\xcd\x80",),
    audit_arch=0x40000003,
    clone_numbers={2: "fork", 120: "clone", 190: "vfork", 435: "clone3"},
    exit_numbers={1: "exit", 252: "exit_group"},
)
"""A 64-bit program that calls by int 0x80."""

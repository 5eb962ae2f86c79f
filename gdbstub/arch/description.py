"""What the rest of the package knows about a machine, as data.

An `Architecture` is immutable and describes one kind of inferior on one kind of processor (the XSAVE layout
differs between processors). Code outside of `gdbstub.arch` names no register and no opcode: it asks here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

RegsetBytes = Mapping[str, bytearray]
"""The raw contents of a thread's register sets, by `RegisterSet.name`."""


@dataclass(frozen=True, slots=True)
class Register:
    """One register as gdb numbers and names it, and where it lies in the kernel's register sets."""

    name: str
    bits: int
    """Width in gdb's view."""
    type: str
    """Type name in the target description (gdb manual, section Predefined Target Types)."""
    group: str | None
    """gdb's register group (general, float, vector, system) where the default is not right."""
    dwarf: int | None
    """Number in the psABI's DWARF register table."""
    regset: str
    offset: int
    """Byte offset within the register set."""
    stored: int = 0
    """Bytes that the register set holds when fewer than `bits` says; the rest reads as zero."""
    special: bool = False
    """Not a plain slice of the register set: read and written by the architecture's `RegisterCodec`."""

    @property
    def size(self) -> int:
        """Width in bytes in gdb's view."""
        return self.bits // 8


@dataclass(frozen=True, slots=True)
class RegisterSet:
    """A user_regset: a block of registers that the kernel reads and writes as one (linux/regset.h)."""

    name: str
    note_type: int
    """ELF core note type, the number that PTRACE_GETREGSET takes."""
    size: int
    """Bytes; the kernel's own answer may be shorter."""
    align: int
    """Bytes of one register slot: positions and counts of partial access are multiples of it."""
    core_note: str
    """Owner name of the note in a core file."""
    own_view: bool = False
    """Read with PTRACE_GETREGS: in the tracer's own layout, whatever mode the thread is in right now."""


@dataclass(frozen=True, slots=True)
class VectorType:
    """A vector type of a target description."""

    id: str
    element: str
    count: int


@dataclass(frozen=True, slots=True)
class UnionType:
    """A union type of a target description: (field name, type) pairs."""

    id: str
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class FlagsType:
    """A flags type of a target description: (flag name, bit number) pairs."""

    id: str
    size: int
    fields: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Feature:
    """A standard feature of a target description (gdb manual, section Standard Target Features)."""

    name: str
    registers: tuple[Register, ...]
    types: tuple[VectorType | UnionType | FlagsType, ...] = ()


@dataclass(frozen=True, slots=True)
class SyscallAbi:
    """How a program of this architecture calls the kernel (syscall(2))."""

    number: str
    """Register of the system call's number while inside the kernel; -1 there means: not in a call."""
    arguments: tuple[str, ...]
    result: str
    clobbered_by_pc: str | None
    """Register that the instruction loads with the address after it, if any."""
    instructions: tuple[bytes, ...]
    """Encodings that enter the kernel; all are equally long."""
    audit_arch: int
    """AUDIT_ARCH_* constant that PTRACE_GET_SYSCALL_INFO reports."""
    clone_numbers: Mapping[int, str]
    """Numbers of the calls that make a task: number -> clone, clone3, fork or vfork."""
    exit_numbers: Mapping[int, str]
    """Numbers of exit and exit_group."""

    @property
    def instruction_length(self) -> int:
        """Bytes to move the program counter back by to make the call again."""
        return len(self.instructions[0])


@dataclass(frozen=True, slots=True)
class Watch:
    """What one debug register watches."""

    kind: str
    """execute, write or access."""
    address: int
    length: int


class DebugRegisters(Protocol):
    """How watchpoints are programmed; all values are plain register contents."""

    slots: int
    """Address registers."""
    user_offset: int
    """Offset of the first debug register in `struct user`, for PTRACE_POKEUSER."""
    control: int
    """Number of the control register, counted from `user_offset` in words."""
    status: int
    """Number of the status register."""

    def split(self, kind: str, address: int, length: int) -> list[Watch]:
        """Cut a range into pieces that one register each can watch."""

    def control_value(self, watches: Sequence[Watch | None]) -> int:
        """Contents of the control register for these slots."""

    def hits(self, status: int) -> list[int]:
        """Slots that the status register names."""

    def stepped(self, status: int) -> bool:
        """Whether the status register names a finished single step."""


@dataclass(frozen=True, slots=True)
class OutOfLine:
    """An instruction relocated to run elsewhere, followed by a jump back (`relocate`).

    `marks` tells for each offset at which a thread can be found inside `code` what that place means in
    terms of the original: the program counter to show, and what to add to the stack pointer to undo a
    half-done instruction.
    """

    address: int
    length: int
    """Bytes of the original instruction."""
    code: bytes
    marks: Mapping[int, Mark]
    is_syscall: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a thread found at one offset of an `OutOfLine` stands."""

    pc: int
    stack_adjust: int = 0
    executed: bool = False
    """The original instruction has run to its end."""


class RegisterCodec(Protocol):
    """Access to registers that are not simply a slice of their register set."""

    def read(self, register: Register, regset: bytearray) -> bytes:
        """A special register's bytes in gdb's view."""

    def write(self, register: Register, regset: bytearray, value: bytes) -> None:
        """Store a special register."""

    def touched(self, register: Register, regset: bytearray) -> None:
        """Called after each write, to keep the register set's own state consistent."""


@dataclass(frozen=True, eq=False)
class Architecture:
    """One kind of inferior: its registers, calls, breakpoints and debug registers."""

    name: str
    """gdb's architecture name, as in `set architecture`."""
    bits: int
    machine: int
    """e_machine of its ELF files."""
    features: tuple[Feature, ...]
    regsets: tuple[RegisterSet, ...]
    """The first holds the general registers."""
    pc: str
    sp: str
    thread_pointer: str | None
    """Register that holds the address of the thread's own block."""
    thread_area_segment: str | None
    """Segment register whose descriptor does, where no register holds it itself."""
    expedited: tuple[str, ...]
    """General registers sent along with every stop reply."""
    syscall: SyscallAbi
    other_syscalls: tuple[SyscallAbi, ...]
    """ABIs of calls that a program may make besides its own (int 0x80 from a 64-bit program)."""
    breakpoint: bytes
    breakpoint_pc_offset: int
    """How far behind the breakpoint's address the program counter stands after the trap."""
    breakpoint_traps: tuple[bytes, ...]
    """All instructions that trap as the breakpoint does; the program counter then stands behind them."""
    flag_pushes: frozenset[bytes]
    """Instructions that put the flags onto the stack, the one by which the processor steps among them."""
    trap_flag: int
    """That flag's bit."""
    flags: str
    """The register that it is in."""
    debug_registers: DebugRegisters
    relocate: Callable[[bytes, int, int], OutOfLine | None]
    """(code, address, new address) -> the first instruction of `code` made to run at the new address."""
    codec: RegisterCodec

    @cached_property
    def registers(self) -> tuple[Register, ...]:
        """All registers in gdb's order: the index is gdb's register number."""
        return tuple(register for feature in self.features for register in feature.registers)

    @cached_property
    def by_name(self) -> Mapping[str, Register]:
        """Registers by name."""
        return {register.name: register for register in self.registers}

    @cached_property
    def number(self) -> Mapping[str, int]:
        """gdb's register number by name."""
        return {register.name: index for index, register in enumerate(self.registers)}

    @cached_property
    def pc_place(self) -> tuple[int, int]:
        """Where the program counter lies in the general registers: start and end, in bytes."""
        register = self.by_name[self.pc]
        return register.offset, register.offset + register.size

    @cached_property
    def expedited_places(self) -> tuple[tuple[int, int, int], ...]:
        """(gdb's number, start, end) in the general registers of those that are sent with every stop."""
        registers = ((self.number[name], self.by_name[name]) for name in self.expedited)
        return tuple((number, each.offset, each.offset + each.size) for number, each in registers)

    @cached_property
    def block_size(self) -> int:
        """Bytes of all registers in a row, the contents of gdb's `g` packet."""
        return sum(register.size for register in self.registers)

    def syscall_abi(self, audit_arch: int) -> SyscallAbi:
        """The ABI of a call that the kernel reports with this AUDIT_ARCH_* constant."""
        for abi in self.other_syscalls:
            if abi.audit_arch == audit_arch:
                return abi
        return self.syscall

    @property
    def pointer_size(self) -> int:
        """Bytes of an address."""
        return self.bits // 8

    @cached_property
    def regsets_by_name(self) -> Mapping[str, RegisterSet]:
        """Register sets by name."""
        return {regset.name: regset for regset in self.regsets}

    def read_register(self, register: Register, regsets: RegsetBytes) -> bytes:
        """One register's bytes in gdb's view."""
        regset = regsets[register.regset]
        if register.special:
            return self.codec.read(register, regset)
        stored = register.stored or register.size
        return bytes(regset[register.offset : register.offset + stored]).ljust(register.size, b"\0")

    def write_register(self, register: Register, regsets: RegsetBytes, value: bytes) -> None:
        """Set one register from its bytes in gdb's view; `value` must be `register.size` long."""
        if len(value) != register.size:
            raise ValueError(f"{register.name} takes {register.size} bytes, not {len(value)}")
        regset = regsets[register.regset]
        if register.special:
            self.codec.write(register, regset, value)
        else:
            stored = register.stored or register.size
            regset[register.offset : register.offset + stored] = value[:stored]
        self.codec.touched(register, regset)

    @cached_property
    def _block_plan(self) -> list[tuple[str, int, int] | Register | bytes]:
        """What the block consists of: runs of a register set as (name, start, end), registers that are no
        plain slice, and constant bytes.
        """
        plan: list[tuple[str, int, int] | Register | bytes] = []
        for register in self.registers:
            if register.special:
                plan.append(register)
                continue
            last = plan[-1] if plan else None
            start, end = register.offset, register.offset + (register.stored or register.size)
            if isinstance(last, tuple) and last[0] == register.regset and last[2] == start:
                plan[-1] = (register.regset, last[1], end)
            else:
                plan.append((register.regset, start, end))
            if end - start < register.size:
                plan.append(bytes(register.size - (end - start)))
        return plan

    def read_block(self, regsets: RegsetBytes) -> bytes:
        """All registers in gdb's order."""
        parts: list[bytes | bytearray] = []
        for item in self._block_plan:
            if type(item) is tuple:
                name, start, end = item
                parts.append(regsets[name][start:end])
            elif type(item) is bytes:
                parts.append(item)
            else:
                assert isinstance(item, Register)
                parts.append(self.read_register(item, regsets))
        return b"".join(parts)

    def write_block(self, regsets: RegsetBytes, block: bytes) -> None:
        """Set all registers from gdb's order; a short block leaves the rest as it is.

        Only registers whose value differs are written, so that the block's imprecise parts (a register
        set's state bits, derived registers) stay as the kernel gave them.
        """
        position = 0
        for register in self.registers:
            value = block[position : position + register.size]
            position += register.size
            if len(value) < register.size:
                return
            if value != self.read_register(register, regsets):
                self.write_register(register, regsets, value)

"""Running one instruction somewhere else with the same effect.

The relocated code needs no single step: it ends by jumping to where the original would have gone on, so a
thread sent into it passes a breakpoint without stopping again. Where a thread may be found inside (a
signal, an interrupt) every offset has a `Mark` that says what it means in terms of the original.

A call becomes a push of the original return address and a jump. A loop or jrcxz, which reaches only 127
bytes, jumps over the jump back to a jump that reaches. What cannot be moved (far calls, a target out of
reach, `call rsp`, `call [rsp-8]`) gives None.
"""

from __future__ import annotations

from iced_x86 import Code, Decoder, Encoder, FlowControl, Instruction, MemoryOperand, Mnemonic, OpKind
from iced_x86 import Register as IcedRegister

from gdbstub.arch.description import Mark, OutOfLine

_SYSCALLS = (Mnemonic.SYSCALL, Mnemonic.SYSENTER)
_LONGEST_INSTRUCTION = 15
_JUMP_LIKE_CALL = {Code.CALL_RM64: Code.JMP_RM64, Code.CALL_RM32: Code.JMP_RM32}


def relocate(bits: int, code: bytes, address: int, new_address: int) -> OutOfLine | None:
    """Relocate the first instruction of `code`, which lies at `address`, to run at `new_address`."""
    instruction = Decoder(bits, code[:_LONGEST_INSTRUCTION], ip=address).decode()
    if instruction.is_invalid:
        return None
    try:
        return _Relocation(bits, instruction, code, new_address).build()
    except ValueError:
        return None


class _Relocation:
    """The code for one instruction, piece by piece."""

    def __init__(self, bits: int, instruction: Instruction, original: bytes, new_address: int) -> None:
        self.bits = bits
        self.instruction = instruction
        self.original = original[: instruction.len]
        self.address = instruction.ip
        self.following = instruction.ip + instruction.len
        self.new_address = new_address
        self.code = bytearray()
        self.marks = {0: Mark(self.address)}
        self._jump_code = Code.JMP_REL32_64 if bits == 64 else Code.JMP_REL32_32

    def build(self) -> OutOfLine | None:
        instruction = self.instruction
        is_syscall = instruction.mnemonic in _SYSCALLS or self.original == b"\xcd\x80"
        if is_syscall:
            self.code += self.original
            self._jump_back()
        elif instruction.is_call_near or instruction.is_call_near_indirect:
            self._call()
        elif instruction.flow_control in (FlowControl.CALL, FlowControl.INDIRECT_CALL):
            return None
        elif instruction.is_loop or instruction.is_loopcc or instruction.is_jcx_short:
            self._short_loop()
        else:
            if instruction.is_jcc_short or instruction.is_jmp_short:
                instruction = instruction.copy()
                instruction.as_near_branch()
            self._append(instruction)
            self._jump_back()
        return OutOfLine(self.address, len(self.original), bytes(self.code), self.marks, is_syscall)

    def _append(self, instruction: Instruction) -> None:
        encoder = Encoder(self.bits)
        encoder.encode(instruction, self.new_address + len(self.code))
        self.code += encoder.take_buffer()

    def _jump(self, target: int) -> None:
        self._append(Instruction.create_branch(self._jump_code, target))

    def _jump_back(self) -> None:
        self.marks[len(self.code)] = Mark(self.following, executed=True)
        self._jump(self.following)

    def _call(self) -> None:
        width = self.bits // 8
        jump = self._jump_for_call(width)
        if self.bits == 64:
            push_length, tail = 6, self._length(jump)
            constant = self.new_address + push_length + tail
            operand = MemoryOperand(IcedRegister.RIP, displ=constant, displ_size=8)
            self._append(Instruction.create_mem(Code.PUSH_RM64, operand))
        else:
            self._append(Instruction.create_u32(Code.PUSHD_IMM32, self.following))
        self.marks[len(self.code)] = Mark(self.address, stack_adjust=width)
        self._append(jump)
        if self.bits == 64:
            self.code += self.following.to_bytes(8, "little")

    def _jump_for_call(self, width: int) -> Instruction:
        """The jump to the target of the call; the stack pointer has moved by one push when it runs."""
        call = self.instruction
        if call.is_call_near:
            return Instruction.create_branch(self._jump_code, call.near_branch_target)
        stack = IcedRegister.RSP if self.bits == 64 else IcedRegister.ESP
        code = _JUMP_LIKE_CALL.get(call.code)
        if code is None:
            raise ValueError("a call with another operand size")
        if call.op0_kind == OpKind.REGISTER:
            if call.op0_register == stack:
                raise ValueError("the target is the stack pointer")
            return Instruction.create_reg(code, call.op0_register)
        displacement = call.memory_displacement
        if call.memory_base == stack:
            displacement = (displacement + width) & (1 << 64) - 1
            displacement -= (displacement >> 63) << 64
            if call.memory_index == IcedRegister.NONE and -width < displacement < width:
                raise ValueError("the push would overwrite the target")
        elif call.memory_displacement >> 63 and call.memory_base != IcedRegister.RIP:
            displacement -= 1 << 64
        operand = MemoryOperand(
            call.memory_base,
            call.memory_index,
            call.memory_index_scale,
            displacement,
            width,
            False,
            call.segment_prefix,
        )
        return Instruction.create_mem(code, operand)

    def _length(self, instruction: Instruction) -> int:
        return Encoder(self.bits).encode(instruction, self.new_address)

    def _short_loop(self) -> None:
        loop = self.instruction.copy()
        target = loop.near_branch_target
        jump_back_length = 5
        over = self.new_address + self.instruction.len + jump_back_length
        if self.bits == 64:
            loop.near_branch64 = over
        else:
            loop.near_branch32 = over
        self._append(loop)
        self._jump_back()
        self.marks[len(self.code)] = Mark(target, executed=True)
        self._jump(target)

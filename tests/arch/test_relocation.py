"""Instructions moved to another place do there what they did, and each stop on the way is explained."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from iced_x86 import Decoder, Instruction, Mnemonic
from traced_thread import STACK_BYTES, Registers, TracedThread

from gdbstub.arch.description import Mark, OutOfLine
from gdbstub.arch.x86.relocation import relocate

DISTANCE = 0x400
"""From the original to the moved instruction, in one page of code."""
POINTER_AT = 0x36
"""Where the original's indirect jumps find their target."""
Outcome = tuple[Registers, bytes]
"""Registers and stack."""
MOST_STEPS = 60
SIGTRAP = 5

INSTRUCTIONS = {
    "nop": "90",
    "mov eax, 5": "b805000000",
    "add rax, rdx": "4801d0",
    "adc r8, r9": "4d11c8",
    "imul rcx, rdx, 100": "486bca64",
    "xchg rax, r15": "4997",
    "cmp rax, rcx": "4839c8",
    "push rax": "50",
    "pop rdi": "5f",
    "pushfq": "9c",
    "push rsp": "54",
    "leave": "c9",
    "mov [rsp-8], rcx": "48894c24f8",
    "mov rdx, [rsp+8]": "488b542408",
    "lock inc qword [rsp]": "f048ff0424",
    "lea rax, [rip+0x10]": "488d0510000000",
    "mov eax, [rip-0x20]": "8b05e0ffffff",
    "cmp byte [rip+4], 0x90": "803d0400000090",
    "movdqu xmm0, [rip+8]": "f30f6f0508000000",
    "jmp short +0x20": "eb20",
    "jmp short -0x20": "ebe0",
    "jmp near +0x123": "e923010000",
    "jmp rax": "ffe0",
    "jmp [rsp]": "ff2424",
    "jmp [rip+0x30]": "ff2530000000",
    "jz short +0x10": "7410",
    "jnz short -0x10": "75f0",
    "jl near +0x200": "0f8c00020000",
    "ja short +1": "7701",
    "jrcxz +0x10": "e310",
    "jecxz +0x10": "67e310",
    "loop -5": "e2fb",
    "loope +5": "e105",
    "loopne +5": "e005",
    "call near +0x100": "e800010000",
    "call rax": "ffd0",
    "call r15": "41ffd7",
    "call [rsp+8]": "ff542408",
    "call [rsp-16]": "ff5424f0",
    "call [rbp+8]": "ff5508",
    "call [rip+0x30]": "ff1530000000",
    "call [rbx+rcx*8]": "ff14cb",
    "ret": "c3",
    "ret 16": "c21000",
    "rep stosb": "f3aa",
    "cmovz rax, rdx": "480f44c2",
    "sete al": "0f94c0",
    "int3": "cc",
}  # fmt: skip


@pytest.fixture(scope="module")
def thread() -> Iterator[TracedThread]:
    traced = TracedThread()
    yield traced
    traced.close()


WORD = st.integers(0, (1 << 64) - 1)
ARITHMETIC_FLAGS = 0x8D5


@st.composite
def register_values(draw: st.DrawFn) -> Registers:
    """What the instructions above may find; addresses are set by `prepared`."""
    names = ("rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13", "r14")
    values = {name: draw(WORD) for name in names}
    values["rcx"] = draw(st.integers(0, 3))
    values["eflags"] = draw(st.integers(0, ARITHMETIC_FLAGS)) & ARITHMETIC_FLAGS | 0x202
    return values


def prepared(thread: TracedThread, values: Registers) -> Registers:
    """A whole register set: rax and r15 lead into the code, rbp, rbx and rdi into the stack."""
    start = thread.start
    sp = start["rsp"] - 0x100
    code = start["rip"] & ~0xFFF
    # The first of the pushes would overwrite a pointer that lies right below the stack pointer.
    places = {"rsp": sp, "rbp": sp + 8, "rbx": sp + 16, "rdi": sp + 8, "rax": code + 0x77, "r15": code + 0x99}
    return {**start, **values, **places}


def place(thread: TracedThread, address: int, code: bytes, registers: Registers) -> None:
    """Put code and a stack there, ready to run."""
    thread.memory.write(address, code)
    words = (registers["rax"] + 0x10 * number for number in range(1, STACK_BYTES // 8 + 1))
    stack = b"".join(word.to_bytes(8, "little") for word in words)
    thread.memory.write(registers["rsp"] - STACK_BYTES // 2, stack)
    thread.set_registers({**registers, "rip": address})


def run_original(
    thread: TracedThread, address: int, code: bytes, registers: Registers
) -> tuple[Registers, bytes]:
    place(thread, address, code, registers)
    for _ in range(MOST_STEPS):
        assert thread.step() == SIGTRAP
        after = thread.registers()
        if after["rip"] != address:
            return after, thread.stack(registers["rsp"])
    raise AssertionError("it does not come to an end")


def run_moved(
    thread: TracedThread,
    moved: OutOfLine,
    address: int,
    registers: Registers,
    expected: tuple[Registers, bytes],
) -> tuple[Registers, bytes]:
    """Run the moved code to its end, and see at each stop that its mark tells the truth."""
    place(thread, address, moved.code, registers)
    for _ in range(MOST_STEPS):
        assert thread.step() == SIGTRAP
        now = thread.registers()
        offset = now["rip"] - address
        if not 0 <= offset < len(moved.code):
            return now, thread.stack(registers["rsp"])
        mark = moved.marks[offset]
        shown = {**now, "rip": mark.pc, "rsp": now["rsp"] + mark.stack_adjust}
        if mark.executed:
            assert (shown, thread.stack(registers["rsp"])) == expected
        elif offset:
            assert shown == {**registers, "rip": moved.address}
    raise AssertionError("it does not come to an end")


@pytest.mark.parametrize("code", [bytes.fromhex(each) for each in INSTRUCTIONS.values()], ids=INSTRUCTIONS)
@settings(max_examples=12)
@given(values=register_values())
def test_the_effect_is_the_same(thread: TracedThread, code: bytes, values: Registers) -> None:
    original = (thread.start["rip"] & ~0xFFF) + 0x200
    registers = prepared(thread, values)
    surroundings = thread.memory.read(original - 0x200, 0x1000)
    try:
        thread.memory.write(original + POINTER_AT, registers["rax"].to_bytes(8, "little"))
        moved = relocate(64, code + b"\x90" * 15, original, original + DISTANCE)
        assert moved is not None
        assert (moved.address, moved.length) == (original, len(code))
        expected = run_original(thread, original, code, registers)
        assert run_moved(thread, moved, original + DISTANCE, registers, expected) == expected
    finally:
        thread.memory.write(original - 0x200, surroundings)


def decoded(moved: OutOfLine, bits: int, address: int) -> list[Instruction]:
    return list(Decoder(bits, moved.code, ip=address))


@pytest.mark.parametrize(
    "code",
    [
        "06",  # not an instruction in 64-bit mode
        "ff1c24",  # call far [rsp]
        "ffd4",  # call rsp
        "ff5424f8",  # call [rsp-8]
        "ff5424f4",  # call [rsp-12]
        "0f",  # cut short
        "",
    ],
)
def test_what_cannot_be_moved(code: str) -> None:
    assert relocate(64, bytes.fromhex(code), 0x1000, 0x2000) is None


@pytest.mark.parametrize("code", ["90", "eb10", "7410", "e2fb", "e800000000", "488d0500000000"])
def test_what_cannot_be_reached(code: str) -> None:
    assert relocate(64, bytes.fromhex(code), 0x1000, 0x1_0000_0000_0000) is None
    assert relocate(64, bytes.fromhex(code), 0x1000, 0x7000_0000) is not None


@pytest.mark.parametrize("code", ["0f05", "0f34", "cd80"])
def test_a_system_call_is_marked(code: str) -> None:
    moved = relocate(64, bytes.fromhex(code), 0x1000, 0x2000)
    assert moved is not None
    assert moved.is_syscall
    assert moved.code.startswith(bytes.fromhex(code))
    assert moved.marks == {0: Mark(0x1000), 2: Mark(0x1002, executed=True)}


def test_another_interrupt_is_no_system_call() -> None:
    moved = relocate(64, b"\xcd\x21", 0x1000, 0x2000)
    assert moved is not None
    assert not moved.is_syscall


@pytest.mark.parametrize(
    ("code", "target"),
    [("eb10", 0x1012), ("ebfe", 0x1000), ("7410", 0x1012), ("e8fbffffff", 0x1000), ("e910000000", 0x1015)],
)
@pytest.mark.parametrize("bits", [32, 64])
def test_targets_are_the_original_s(bits: int, code: str, target: int) -> None:
    moved = relocate(bits, bytes.fromhex(code), 0x1000, 0x20_0000)
    assert moved is not None
    targets = [each.near_branch_target for each in decoded(moved, bits, 0x20_0000) if each.near_branch_target]
    assert target in targets


def test_a_call_of_a_32_bit_program_pushes_the_original_return_address() -> None:
    moved = relocate(32, bytes.fromhex("e8fb0f0000"), 0x1000, 0x9000)
    assert moved is not None
    push, jump = decoded(moved, 32, 0x9000)
    assert (push.mnemonic, push.immediate(0)) == (Mnemonic.PUSH, 0x1005)
    assert (jump.mnemonic, jump.near_branch_target) == (Mnemonic.JMP, 0x2000)
    assert moved.marks == {0: Mark(0x1000), push.len: Mark(0x1000, stack_adjust=4)}


def test_a_call_with_a_short_operand_is_not_moved() -> None:
    assert relocate(32, bytes.fromhex("66ffd0"), 0x1000, 0x2000) is None


def test_a_call_by_the_stack_pointer_finds_its_target_after_the_push() -> None:
    moved = relocate(32, bytes.fromhex("ff542408"), 0x1000, 0x9000)
    assert moved is not None
    _, jump = decoded(moved, 32, 0x9000)
    assert (jump.mnemonic, jump.memory_displacement) == (Mnemonic.JMP, 12)


ANY_CODE = st.binary(min_size=1, max_size=16) | st.sampled_from(
    [bytes.fromhex(each) for each in INSTRUCTIONS.values()]
)


@given(ANY_CODE, st.sampled_from([32, 64]), st.integers(0x1000, 1 << 31), st.integers(-(1 << 29), 1 << 29))
def test_any_code_is_moved_with_a_mark_at_each_instruction_or_refused(
    code: bytes, bits: int, address: int, distance: int
) -> None:
    new = max(address + distance, 0x1000) & (1 << bits) - 1
    moved = relocate(bits, code, address, new)
    if moved is None:
        return
    instruction = Decoder(bits, code, ip=address).decode()
    assert (moved.address, moved.length) == (address, instruction.len)
    assert moved.marks[0].pc == address
    offsets = [each.ip - new for each in decoded(moved, bits, new)]
    if bits == 64 and (instruction.is_call_near or instruction.is_call_near_indirect):
        # What follows the jump is no instruction but the return address.
        assert moved.code[-8:] == (address + instruction.len).to_bytes(8, "little")
        offsets = [offset for offset in offsets if offset in moved.marks]
        assert len(offsets) == 2
    assert sorted(moved.marks) == offsets

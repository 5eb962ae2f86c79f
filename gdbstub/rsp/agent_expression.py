"""gdb's agent expressions: bytecode that a debugger lets the target evaluate (gdb manual, appendix F).

An expression is verified when it arrives: known instructions, whole operands, jumps to instructions, a
stack that never runs empty or over. Evaluation can then fail only by what it meets (memory that is not
there, a division by zero) or by taking too long.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gdbstub.rsp.agent_printf import format_printf
from gdbstub.target.values import MachineState

LONGEST = 1 << 16
DEEPEST_STACK = 256
MOST_STEPS = 100_000

_MASK = (1 << 64) - 1


class BadExpression(ValueError):
    """Bytecode that cannot be accepted; the text says why."""


class EvaluationError(ArithmeticError):
    """An expression that has no value; the text says why."""


class _Instruction(NamedTuple):
    name: str
    operand: int
    """Bytes of the operand, big-endian."""
    takes: int
    gives: int


_INSTRUCTIONS = {
    0x02: _Instruction("add", 0, 2, 1),
    0x03: _Instruction("sub", 0, 2, 1),
    0x04: _Instruction("mul", 0, 2, 1),
    0x05: _Instruction("div_signed", 0, 2, 1),
    0x06: _Instruction("div_unsigned", 0, 2, 1),
    0x07: _Instruction("rem_signed", 0, 2, 1),
    0x08: _Instruction("rem_unsigned", 0, 2, 1),
    0x09: _Instruction("lsh", 0, 2, 1),
    0x0A: _Instruction("rsh_signed", 0, 2, 1),
    0x0B: _Instruction("rsh_unsigned", 0, 2, 1),
    0x0E: _Instruction("log_not", 0, 1, 1),
    0x0F: _Instruction("bit_and", 0, 2, 1),
    0x10: _Instruction("bit_or", 0, 2, 1),
    0x11: _Instruction("bit_xor", 0, 2, 1),
    0x12: _Instruction("bit_not", 0, 1, 1),
    0x13: _Instruction("equal", 0, 2, 1),
    0x14: _Instruction("less_signed", 0, 2, 1),
    0x15: _Instruction("less_unsigned", 0, 2, 1),
    0x16: _Instruction("ext", 1, 1, 1),
    0x17: _Instruction("ref8", 0, 1, 1),
    0x18: _Instruction("ref16", 0, 1, 1),
    0x19: _Instruction("ref32", 0, 1, 1),
    0x1A: _Instruction("ref64", 0, 1, 1),
    0x20: _Instruction("if_goto", 2, 1, 0),
    0x21: _Instruction("goto", 2, 0, 0),
    0x22: _Instruction("const", 1, 0, 1),
    0x23: _Instruction("const", 2, 0, 1),
    0x24: _Instruction("const", 4, 0, 1),
    0x25: _Instruction("const", 8, 0, 1),
    0x26: _Instruction("reg", 2, 0, 1),
    0x27: _Instruction("end", 0, 0, 0),
    0x28: _Instruction("dup", 0, 1, 2),
    0x29: _Instruction("pop", 0, 1, 0),
    0x2A: _Instruction("zero_ext", 1, 1, 1),
    0x2B: _Instruction("swap", 0, 2, 2),
    0x32: _Instruction("pick", 1, 1, 2),
    0x33: _Instruction("rot", 0, 3, 3),
    0x34: _Instruction("printf", 3, 2, 0),
}
_END, _PRINTF, _JUMPS = "end", "printf", ("goto", "if_goto")


class _Step(NamedTuple):
    """A decoded instruction."""

    name: str
    operand: int
    following: int
    """Offset of the next instruction."""
    text: bytes
    """The format of a printf."""
    arguments: int


def signed(value: int, bits: int = 64) -> int:
    """A value's low bits as a signed number."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


class AgentExpression:
    """Verified bytecode."""

    def __init__(self, code: bytes) -> None:
        """Raises BadExpression."""
        if not 0 < len(code) <= LONGEST:
            raise BadExpression("an expression has between 1 and 65536 bytes")
        self._steps = _decode(code)
        _verify(self._steps)

    def evaluate(self, state: MachineState, console: Callable[[str], object] = lambda text: None) -> int:
        """The value at the top of the stack at the end, signed; 0 if there is none.

        Raises EvaluationError, LookupError for an unknown register, OSError for memory that is not there.
        """
        stack: list[int] = []
        position = 0
        for _ in range(MOST_STEPS):
            step = self._steps[position]
            if step.name == _END:
                return signed(stack[-1]) if stack else 0
            position = step.following
            if step.name in _JUMPS:
                if step.name == "goto" or stack.pop():
                    position = step.operand
            elif step.name == _PRINTF:
                del stack[-2:]
                # The first argument was pushed last (gdb's ax-gdb.c, gen_printf).
                values = [stack.pop() for _ in range(step.arguments)]
                console(format_printf(step.text, values, state))
            else:
                _execute(step, stack, state)
        raise EvaluationError("the expression does not come to an end")


def _execute(step: _Step, stack: list[int], state: MachineState) -> None:
    binary = _BINARY.get(step.name)
    if binary is not None:
        right, left = stack.pop(), stack.pop()
        stack.append(binary(left, right) & _MASK)
        return
    match step.name:
        case "const":
            stack.append(step.operand)
        case "reg":
            stack.append(state.register(step.operand) & _MASK)
        case "log_not":
            stack.append(int(not stack.pop()))
        case "bit_not":
            stack.append(~stack.pop() & _MASK)
        case "ext":
            stack.append(signed(stack.pop(), min(step.operand, 64)) & _MASK)
        case "zero_ext":
            stack.append(stack.pop() & (1 << step.operand) - 1)
        case "dup":
            stack.append(stack[-1])
        case "pop":
            stack.pop()
        case "swap":
            stack[-1], stack[-2] = stack[-2], stack[-1]
        case "pick":
            stack.append(stack[-1 - step.operand])
        case "rot":
            stack[-3:] = stack[-1:] + stack[-3:-1]
        case "ref8" | "ref16" | "ref32" | "ref64":
            length = int(step.name[3:]) // 8
            stack.append(int.from_bytes(state.memory(stack.pop(), length), "little"))


def _divide(left: int, right: int) -> int:
    """Division that rounds towards zero, as in C."""
    if right == 0:
        raise EvaluationError("division by zero")
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


_BINARY: dict[str, Callable[[int, int], int]] = {
    "add": lambda left, right: left + right,
    "sub": lambda left, right: left - right,
    "mul": lambda left, right: left * right,
    "div_signed": lambda left, right: _divide(signed(left), signed(right)),
    "div_unsigned": _divide,
    "rem_signed": lambda left, right: signed(left) - signed(right) * _divide(signed(left), signed(right)),
    "rem_unsigned": lambda left, right: left - right * _divide(left, right),
    "lsh": lambda left, right: left << min(right, 64),
    "rsh_signed": lambda left, right: signed(left) >> min(right, 64),
    "rsh_unsigned": lambda left, right: left >> min(right, 64),
    "bit_and": lambda left, right: left & right,
    "bit_or": lambda left, right: left | right,
    "bit_xor": lambda left, right: left ^ right,
    "equal": lambda left, right: int(left == right),
    "less_signed": lambda left, right: int(signed(left) < signed(right)),
    "less_unsigned": lambda left, right: int(left < right),
}


def _decode(code: bytes) -> dict[int, _Step]:
    """All instructions, by their offsets."""
    steps: dict[int, _Step] = {}
    position = 0
    while position < len(code):
        start, instruction = position, _INSTRUCTIONS.get(code[position])
        if instruction is None:
            raise BadExpression(f"there is no instruction {code[position]:#04x} here")
        position += 1 + instruction.operand
        operand = code[start + 1 : position]
        if len(operand) < instruction.operand:
            raise BadExpression("an operand is cut short")
        text, arguments = b"", 0
        value = int.from_bytes(operand, "big")
        if instruction.name == _PRINTF:
            arguments, length = operand[0], int.from_bytes(operand[1:], "big")
            text = code[position : position + length]
            if len(text) < length or not text.endswith(b"\0"):
                raise BadExpression("a format is cut short")
            text, position = text[:-1], position + length
        elif instruction.name in ("ext", "zero_ext") and not value:
            raise BadExpression("a width of no bits")
        steps[start] = _Step(instruction.name, value, position, text, arguments)
    return steps


def _verify(steps: dict[int, _Step]) -> None:
    """Follow every path: each offset must be reached with one stack depth, within bounds."""
    effects = {instruction.name: instruction for instruction in _INSTRUCTIONS.values()}
    depths: dict[int, int] = {}
    to_do = [(0, 0)]
    while to_do:
        position, depth = to_do.pop()
        step = steps.get(position)
        if step is None:
            raise BadExpression("it runs out of its instructions")
        if position in depths:
            if depths[position] != depth:
                raise BadExpression("paths meet with different stack depths")
            continue
        depths[position] = depth
        effect = effects[step.name]
        takes = effect.takes + (step.arguments if step.name == _PRINTF else 0)
        takes = step.operand + 1 if step.name == "pick" else takes
        if depth < takes:
            raise BadExpression("the stack runs empty")
        depth += effect.gives - effect.takes - (step.arguments if step.name == _PRINTF else 0)
        if depth > DEEPEST_STACK:
            raise BadExpression("the stack runs over")
        if step.name == _END:
            continue
        if step.name in _JUMPS:
            to_do.append((step.operand, depth))
        if step.name != "goto":
            to_do.append((step.following, depth))

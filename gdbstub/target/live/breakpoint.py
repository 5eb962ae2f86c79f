"""A client's breakpoint: when it stops, and what it does instead."""

from __future__ import annotations

from collections.abc import Callable

from gdbstub.target.values import BreakpointRequest, MachineState
from gdbstub.utrace.task import Task


class TaskState(MachineState):
    """A stopped task as a condition or a command looks at it."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def register(self, number: int) -> int:
        """A register by gdb's number, unsigned."""
        registers = self._task.process.architecture.registers
        return self._task.registers[registers[number].name]

    def memory(self, address: int, length: int) -> bytes:
        """Memory."""
        return self._task.process.address_space.read(address, length)


class LiveBreakpoint:
    """What a client asked for at one place; the data of its breakpoints and watchpoints."""

    def __init__(self, request: BreakpointRequest) -> None:
        self.request = request

    def stops(self, task: Task) -> bool:
        """Whether a hit is a stop for the client.

        One true or failing condition of several suffices. Commands are run instead of stopping.
        """
        request = self.request
        if not request.conditions and not request.commands:
            return True
        state = TaskState(task)
        if request.conditions and not any(_holds(condition, state) for condition in request.conditions):
            return False
        for command in request.commands:
            command.run(state)
        return not request.commands


def _holds(condition: Callable[[MachineState], bool], state: MachineState) -> bool:
    try:
        return bool(condition(state))
    except (ArithmeticError, LookupError, OSError):
        return True

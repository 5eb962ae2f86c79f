"""A client's breakpoint: when it stops, and what it does instead."""

from __future__ import annotations

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
        """Whether a hit is a stop for the client; commands of the breakpoint are run."""
        request = self.request
        if not request.conditions and not request.commands:
            return True
        return request.stops(TaskState(task))

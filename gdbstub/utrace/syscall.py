"""A task's system call: the kernel's asm/syscall.h, and what the callbacks are given."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from gdbstub.linux import procfs
from gdbstub.utrace.errors import Invalid, Running

if TYPE_CHECKING:
    from gdbstub.arch.description import SyscallAbi
    from gdbstub.linux.procfs import CurrentSyscall
    from gdbstub.utrace.task import Task

MAX_ERRNO = 4095
MAX_ARGUMENTS = 6


class Syscall:
    """Access to the call that a stopped task is in, by its registers.

    Number and arguments may be changed at the call's entry, the result from its exit on until the task
    returns to user mode.
    """

    __slots__ = ("abi", "task")

    def __init__(self, task: Task, abi: SyscallAbi) -> None:
        self.task = task
        self.abi = abi

    @property
    def number(self) -> int:
        """The call's number; negative when the task is in no call."""
        return self.task.registers.signed(self.abi.number)

    @number.setter
    def number(self, number: int) -> None:
        self.task.registers[self.abi.number] = number

    def rollback(self) -> None:
        """Put the number back where the program had it, as before a call is made again."""
        registers = self.task.registers
        registers[self.abi.result] = registers[self.abi.number]

    @property
    def error(self) -> int:
        """The errno of a failed call, 0 for success."""
        value = self.task.registers.signed(self.abi.result)
        return -value if -MAX_ERRNO <= value < 0 else 0

    @property
    def result(self) -> int:
        """The value that the program gets, signed; negative errno for a failure."""
        return self.task.registers.signed(self.abi.result)

    @result.setter
    def result(self, value: int) -> None:
        self.task.registers[self.abi.result] = value

    def arguments(self, first: int = 0, count: int = MAX_ARGUMENTS) -> tuple[int, ...]:
        """`count` arguments from number `first` on. Raises Invalid beyond the sixth."""
        if first < 0 or count < 0 or first + count > MAX_ARGUMENTS:
            raise Invalid(f"a system call has at most {MAX_ARGUMENTS} arguments")
        registers = self.task.registers
        return tuple(registers[name] for name in self.abi.arguments[first : first + count])

    def set_arguments(self, first: int, values: tuple[int, ...]) -> None:
        """Replace arguments from number `first` on. Raises Invalid beyond the sixth."""
        if first < 0 or first + len(values) > MAX_ARGUMENTS:
            raise Invalid(f"a system call has at most {MAX_ARGUMENTS} arguments")
        for name, value in zip(self.abi.arguments[first:], values, strict=False):
            self.task.registers[name] = value


class SyscallEntry:
    """What report_syscall_entry is given; `syscall` changes it."""

    __slots__ = ("arguments", "number", "syscall")

    def __init__(self, syscall: Syscall, number: int, arguments: tuple[int, ...]) -> None:
        self.syscall = syscall
        self.number = number
        self.arguments = arguments


class SyscallExit:
    """What report_syscall_exit is given; `syscall` changes it."""

    __slots__ = ("number", "result", "syscall")

    def __init__(self, syscall: Syscall, number: int, result: int) -> None:
        self.syscall = syscall
        self.number = number
        self.result = result
        """The value that the program gets; negative errno for a failure."""

    @property
    def error(self) -> int:
        """The errno of a failed call, 0 for success."""
        return -self.result if -MAX_ERRNO <= self.result < 0 else 0

    @property
    def error_name(self) -> str:
        """ENOENT and the like; empty for success."""
        return errno.errorcode.get(self.error, str(self.error)) if self.error else ""


def current_syscall(tid: int, count: int = MAX_ARGUMENTS) -> CurrentSyscall:
    """What any task, traced or not, is blocked in (the kernel's task_current_syscall).

    Raises Running (EAGAIN) when it is not blocked, Invalid for more than six arguments, ProcessLookupError.
    """
    if not 0 <= count <= MAX_ARGUMENTS:
        raise Invalid(f"a system call has at most {MAX_ARGUMENTS} arguments")
    try:
        found = procfs.current_syscall(tid)
    except BlockingIOError:
        raise Running(f"task {tid} is not blocked") from None
    return found._replace(arguments=found.arguments[:count])

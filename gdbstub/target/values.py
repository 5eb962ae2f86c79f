"""The values that travel between a debugger front end and its target: threads, stops, requests.

All are plain and frozen; none refers to a packet or to a task.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple, Protocol

ANY, ALL = 0, -1


class ThreadId(NamedTuple):
    """A thread by its numbers, which the kernel uses again once the thread is gone."""

    pid: int
    tid: int


class ThreadPattern(NamedTuple):
    """Which threads a request is about: each number is a real one, ANY or ALL."""

    pid: int
    tid: int

    def matches(self, thread: ThreadId) -> bool:
        """Whether a thread is meant."""
        return self.pid in (ANY, ALL, thread.pid) and self.tid in (ANY, ALL, thread.tid)


EVERY_THREAD = ThreadPattern(ALL, ALL)


@dataclass(frozen=True, slots=True)
class ThreadStop:
    """Something happened to a thread, which stands still for it."""

    thread: ThreadId


@dataclass(frozen=True, slots=True)
class SignalStop(ThreadStop):
    """A signal (Linux number) not delivered yet; 0: it was asked to stop; SIGTRAP: a step is done."""

    signal: int


@dataclass(frozen=True, slots=True)
class BreakpointStop(ThreadStop):
    """A breakpoint was hit; the program counter is its address."""

    hardware: bool
    address: int


@dataclass(frozen=True, slots=True)
class WatchpointStop(ThreadStop):
    """Watched memory was accessed."""

    kind: str
    """write or access."""
    address: int


@dataclass(frozen=True, slots=True)
class SyscallStop(ThreadStop):
    """A system call was made, or returned."""

    number: int
    entry: bool


@dataclass(frozen=True, slots=True)
class ForkStop(ThreadStop):
    """The thread made a process, whose thread stands still too."""

    child: ThreadId
    vfork: bool


@dataclass(frozen=True, slots=True)
class VforkDoneStop(ThreadStop):
    """The vfork child runs in a memory of its own or has ended."""


@dataclass(frozen=True, slots=True)
class ExecStop(ThreadStop):
    """The thread's process runs a new program."""

    path: str


@dataclass(frozen=True, slots=True)
class ThreadCreated(ThreadStop):
    """The thread is new."""


@dataclass(frozen=True, slots=True)
class ThreadExited(ThreadStop):
    """The thread has ended; its process has not."""

    code: int


@dataclass(frozen=True, slots=True)
class ProcessExited:
    """A process ended by itself."""

    pid: int
    code: int


@dataclass(frozen=True, slots=True)
class ProcessKilled:
    """A process was ended by a signal (Linux number)."""

    pid: int
    signal: int


@dataclass(frozen=True, slots=True)
class NoResumed:
    """Every thread that was resumed is gone; others stand still."""


Stop = ThreadStop | ProcessExited | ProcessKilled | NoResumed


class ResumeKind(Enum):
    """What a resumed thread does."""

    CONTINUE = auto()
    STEP = auto()
    """One instruction."""
    RANGE_STEP = auto()
    """Step until the program counter leaves a range."""
    STOP = auto()
    """Stand still (non-stop mode)."""


@dataclass(frozen=True, slots=True)
class ResumeAction:
    """One action of a resume request; for each thread the first that matches counts."""

    kind: ResumeKind
    threads: ThreadPattern
    signal: int = 0
    """Linux number of a signal to deliver."""
    start: int = 0
    end: int = 0
    """The range of RANGE_STEP, end excluded."""


class BreakpointKind(Enum):
    """Kinds of breakpoints and watchpoints."""

    SOFTWARE = 0
    HARDWARE = 1
    WRITE = 2
    READ = 3
    ACCESS = 4


class MachineState(Protocol):
    """What a condition or a command of a breakpoint can look at."""

    def register(self, number: int) -> int:
        """A register by gdb's number, unsigned. Raises LookupError."""

    def memory(self, address: int, length: int) -> bytes:
        """Memory. Raises OSError where there is none."""


EVALUATION_FAILURES = (ArithmeticError, LookupError, OSError)
"""How conditions and commands fail, besides what a MachineState raises: by having no value."""


class BreakpointCommand(NamedTuple):
    """Something to be done at each hit instead of stopping."""

    run: Callable[[MachineState], object]
    persistent: bool
    """Goes on when no client is connected."""


@dataclass(frozen=True, slots=True)
class BreakpointRequest:
    """A breakpoint that a client wants."""

    kind: BreakpointKind
    address: int
    length: int
    conditions: tuple[Callable[[MachineState], bool], ...] = ()
    """Stop only if one of them is true or raises."""
    commands: tuple[BreakpointCommand, ...] = ()

    def stops(self, state: MachineState) -> bool:
        """Whether a hit is a stop for the client.

        One true or failing condition of several suffices. Commands are run instead of stopping; the client
        that they are for does not wait for anything, so one that fails ends and is not told.
        """
        if self.conditions and not any(_holds(condition, state) for condition in self.conditions):
            return False
        for command in self.commands:
            with contextlib.suppress(*EVALUATION_FAILURES):
                command.run(state)
        return not self.commands


def _holds(condition: Callable[[MachineState], bool], state: MachineState) -> bool:
    try:
        return bool(condition(state))
    except EVALUATION_FAILURES:
        return True


class TargetError(Exception):
    """A target could not do what it was asked; the text says why."""


class NoSuchThread(TargetError):
    """The thread is not there (any more)."""

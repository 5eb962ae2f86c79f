"""What an engine can ask to be told (include/linux/utrace.h, API version 20091216)."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

FIRST_EXTENSION_BIT = 15
"""Bit 14 marks an engine's hold inside the kernel's implementation and stays unused here."""


class Event:
    """The events, as bits of an engine's mask. Plain integers: masks are compared at every stop."""

    QUIESCE: Final = 1 << 0
    """The task stands at a safe point; also reported before every other event."""
    REAP: Final = 1 << 1
    """The task's parent has collected its status: nothing is left of it."""
    CLONE: Final = 1 << 2
    """The task has made a thread or a process, which has not run yet."""
    EXEC: Final = 1 << 3
    """The task runs a new program."""
    EXIT: Final = 1 << 4
    """The task is about to end; registers and memory are still there."""
    DEATH: Final = 1 << 5
    """The task has ended."""
    SYSCALL_ENTRY: Final = 1 << 6
    SYSCALL_EXIT: Final = 1 << 7
    SIGNAL: Final = 1 << 8
    """A signal that a handler will get."""
    SIGNAL_IGN: Final = 1 << 9
    """A signal that will be ignored."""
    SIGNAL_STOP: Final = 1 << 10
    """A signal that will stop the process."""
    SIGNAL_TERM: Final = 1 << 11
    """A signal that will end the process."""
    SIGNAL_CORE: Final = 1 << 12
    """A signal that will end the process with a core dump."""
    JCTL: Final = 1 << 13
    """Job control stopped or continued the process."""

    BREAKPOINT: Final = 1 << FIRST_EXTENSION_BIT
    """A breakpoint of this engine was hit."""
    WATCHPOINT: Final = 1 << (FIRST_EXTENSION_BIT + 1)
    """A watchpoint or hardware breakpoint of this engine was hit."""
    STEP: Final = 1 << (FIRST_EXTENSION_BIT + 2)
    """The step that this engine asked for is done."""
    VFORK_DONE: Final = 1 << (FIRST_EXTENSION_BIT + 3)
    """The child of a vfork has given the memory back."""

    SIGNAL_ALL: Final = SIGNAL | SIGNAL_IGN | SIGNAL_STOP | SIGNAL_TERM | SIGNAL_CORE
    SYSCALL: Final = SYSCALL_ENTRY | SYSCALL_EXIT

    @classmethod
    def names(cls, mask: int) -> str:
        """A mask in words, for people."""
        return "|".join(
            name
            for name, bit in vars(cls).items()
            if isinstance(bit, int) and bit & mask == bit and bit & (bit - 1) == 0
        )


_FIRST_FREE_BIT = FIRST_EXTENSION_BIT + 4


class Jctl(IntEnum):
    """Kinds of job control change: the CLD_* codes of SIGCHLD."""

    STOPPED = 5
    CONTINUED = 6


class ExtensionEvents:
    """Event bits given out at run time, for sources beyond the kernel's events."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}

    def register(self, name: str) -> int:
        """A free bit for events of this name. Raises ValueError if the name is taken."""
        if name in self._names.values():
            raise ValueError(f"event {name} is registered already")
        bit = _FIRST_FREE_BIT
        while 1 << bit in self._names:
            bit += 1
        self._names[1 << bit] = name
        return 1 << bit

    def unregister(self, event: int) -> None:
        """Give the bit back. Raises KeyError if it is not registered."""
        del self._names[event]

    def __contains__(self, event: int) -> bool:
        return event in self._names

    def name(self, event: int) -> str:
        """The name that an event was registered with."""
        return self._names[event]

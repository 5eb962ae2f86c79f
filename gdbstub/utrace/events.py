"""What an engine can ask to be told (include/linux/utrace.h, API version 20091216)."""

from __future__ import annotations

from enum import IntEnum, IntFlag

FIRST_EXTENSION_BIT = 15
"""Bit 14 marks an engine's hold inside the kernel's implementation and stays unused here."""


class Event(IntFlag):
    """A set of events: what an engine's mask holds."""

    QUIESCE = 1 << 0
    """The task stands at a safe point; also reported before every other event."""
    REAP = 1 << 1
    """The task's parent has collected its status: nothing is left of it."""
    CLONE = 1 << 2
    """The task has made a thread or a process, which has not run yet."""
    EXEC = 1 << 3
    """The task runs a new program."""
    EXIT = 1 << 4
    """The task is about to end; registers and memory are still there."""
    DEATH = 1 << 5
    """The task has ended."""
    SYSCALL_ENTRY = 1 << 6
    SYSCALL_EXIT = 1 << 7
    SIGNAL = 1 << 8
    """A signal that a handler will get."""
    SIGNAL_IGN = 1 << 9
    """A signal that will be ignored."""
    SIGNAL_STOP = 1 << 10
    """A signal that will stop the process."""
    SIGNAL_TERM = 1 << 11
    """A signal that will end the process."""
    SIGNAL_CORE = 1 << 12
    """A signal that will end the process with a core dump."""
    JCTL = 1 << 13
    """Job control stopped or continued the process."""

    BREAKPOINT = 1 << FIRST_EXTENSION_BIT
    """A breakpoint of this engine was hit."""
    WATCHPOINT = 1 << (FIRST_EXTENSION_BIT + 1)
    """A watchpoint or hardware breakpoint of this engine was hit."""
    STEP = 1 << (FIRST_EXTENSION_BIT + 2)
    """The step that this engine asked for is done."""
    VFORK_DONE = 1 << (FIRST_EXTENSION_BIT + 3)
    """The child of a vfork has given the memory back."""

    SIGNAL_ALL = SIGNAL | SIGNAL_IGN | SIGNAL_STOP | SIGNAL_TERM | SIGNAL_CORE
    SYSCALL = SYSCALL_ENTRY | SYSCALL_EXIT


_FIRST_FREE_BIT = FIRST_EXTENSION_BIT + 4


class Jctl(IntEnum):
    """Kinds of job control change: the CLD_* codes of SIGCHLD."""

    STOPPED = 5
    CONTINUED = 6


class ExtensionEvents:
    """Event bits given out at run time, for sources beyond the kernel's events."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}

    def register(self, name: str) -> Event:
        """A free bit for events of this name. Raises ValueError if the name is taken."""
        if name in self._names.values():
            raise ValueError(f"event {name} is registered already")
        bit = _FIRST_FREE_BIT
        while 1 << bit in self._names:
            bit += 1
        self._names[1 << bit] = name
        return Event(1 << bit)

    def unregister(self, event: Event) -> None:
        """Give the bit back. Raises KeyError if it is not registered."""
        del self._names[int(event)]

    def __contains__(self, event: int) -> bool:
        return int(event) in self._names

    def name(self, event: Event) -> str:
        """The name that an event was registered with."""
        return self._names[int(event)]

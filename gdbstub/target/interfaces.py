"""The capabilities that a target can have.

A front end finds out with isinstance which ones there are, offers its client what fits, and treats the rest
as unknown. `Target` is what every target must be; the others are independent of each other.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence

from gdbstub.arch.description import Architecture
from gdbstub.target.values import (
    BreakpointRequest,
    ResumeAction,
    Stop,
    ThreadId,
)


class Target(ABC):
    """Threads, registers and memory. All methods raise TargetError when they cannot do it."""

    @abstractmethod
    def threads(self) -> list[ThreadId]:
        """All threads, oldest first."""

    @abstractmethod
    def is_alive(self, thread: ThreadId) -> bool:
        """Whether a thread is still there."""

    @abstractmethod
    def architecture(self, pid: int) -> Architecture:
        """What kind of program a process runs."""

    @abstractmethod
    def read_registers(self, thread: ThreadId) -> bytes:
        """All registers in the order of the target description."""

    @abstractmethod
    def write_registers(self, thread: ThreadId, block: bytes) -> None:
        """Set all registers; a short block leaves the rest as it is."""

    @abstractmethod
    def read_register(self, thread: ThreadId, number: int) -> bytes:
        """One register by its number in the target description."""

    @abstractmethod
    def write_register(self, thread: ThreadId, number: int, value: bytes) -> None:
        """Set one register."""

    @abstractmethod
    def read_expedited(self, thread: ThreadId) -> list[tuple[int, bytes]]:
        """(number, contents) of the registers that every client asks for first."""

    @abstractmethod
    def read_memory(self, pid: int, address: int, length: int) -> bytes:
        """As much of the memory as is readable in a row; empty if nothing is."""

    @abstractmethod
    def write_memory(self, pid: int, address: int, contents: bytes) -> None:
        """Write all of it."""


class ThreadDetails(ABC):
    """What else is known of a thread."""

    @abstractmethod
    def thread_name(self, thread: ThreadId) -> str:
        """The thread's name."""

    @abstractmethod
    def thread_core(self, thread: ThreadId) -> int | None:
        """The processor that the thread last ran on."""


class Resume(ABC):
    """Threads can run. Stops are queued; `on_stop` is called when one can be taken."""

    on_stop: Callable[[], None]
    non_stop: bool
    """Threads stop by themselves, rather than all at once. Set it only while nothing runs."""

    @abstractmethod
    def resume(self, actions: Sequence[ResumeAction]) -> None:
        """Resume threads. In all-stop mode no thread may be running."""

    @abstractmethod
    def interrupt(self) -> None:
        """Stop as if the user had typed an interrupt character."""

    @abstractmethod
    def take_stop(self) -> Stop | None:
        """The next stop to be told; None when there is none (yet)."""

    @abstractmethod
    def standing_stops(self) -> list[Stop]:
        """Why each thread that stands still does so, what was told again included."""

    @abstractmethod
    def stop_all_threads(self) -> None:
        """Bring everything to a stand, telling nothing."""


class MemoryMap(ABC):
    """It is known where there is memory."""

    @abstractmethod
    def mapped_ranges(self, pid: int) -> list[tuple[int, int]]:
        """(start, end) of each readable range, in address order."""


class Events(ABC):
    """Which events stop the threads that they happen to."""

    @abstractmethod
    def report_events(self, *, fork: bool, vfork: bool, execs: bool) -> None:
        """Report these; a child process is followed only if its event is reported."""

    @abstractmethod
    def report_thread_events(self, wanted: bool) -> None:
        """Report new and ended threads."""

    @abstractmethod
    def catch_syscalls(self, pid: int, numbers: frozenset[int] | None) -> None:
        """Stop at these system calls' entry and exit; None: at all, empty: at none."""

    @abstractmethod
    def pass_signals(self, numbers: frozenset[int]) -> None:
        """Deliver these signals (Linux numbers) without stopping."""

    @abstractmethod
    def program_signals(self, numbers: frozenset[int]) -> None:
        """Signals that the program may be given when it is detached from."""


class Breakpoints(ABC):
    """Breakpoints and watchpoints."""

    @abstractmethod
    def insert_breakpoint(self, pid: int, request: BreakpointRequest) -> None:
        """Insert it, or replace its conditions and commands. Raises NotImplementedError for a kind that the
        machine does not have.
        """

    @abstractmethod
    def remove_breakpoint(self, pid: int, request: BreakpointRequest) -> None:
        """Take it out."""


class Processes(ABC):
    """Processes come and go."""

    @abstractmethod
    def processes(self) -> list[int]:
        """The processes that are debugged."""

    @abstractmethod
    def was_attached(self, pid: int) -> bool:
        """True if the process ran before, False if it was started for the debugger."""

    @abstractmethod
    def attach(self, pid: int) -> None:
        """Debug a running process. Its threads stand still; in non-stop mode each one's stop is queued, else
        that of the first thread counts as told.
        """

    @abstractmethod
    def run(self, arguments: Sequence[str]) -> None:
        """Start a program. It stands still at its first instruction; that stop counts as told."""

    @abstractmethod
    def kill(self, pid: int) -> None:
        """End a process; nothing more is told of it."""

    @abstractmethod
    def detach(self, pid: int) -> None:
        """Let a process go."""


class LaunchSettings(ABC):
    """How programs are started."""

    last_arguments: Sequence[str]
    """What was run last."""

    @abstractmethod
    def disable_randomization(self, wanted: bool) -> None:
        """Load programs at the same addresses each time."""

    @abstractmethod
    def start_with_shell(self, wanted: bool) -> None:
        """Start programs by the user's shell."""

    @abstractmethod
    def set_environment(self, name: str, value: str | None) -> None:
        """Set or (None) remove a variable."""

    @abstractmethod
    def reset_environment(self) -> None:
        """Go back to the server's own environment."""

    @abstractmethod
    def set_directory(self, path: str | None) -> None:
        """Start programs in a folder; None: the server's own."""


class ProcessData(ABC):
    """Files and structures that describe a process, as bytes in its own layout."""

    @abstractmethod
    def auxiliary_vector(self, pid: int) -> bytes:
        """AT_* pairs."""

    @abstractmethod
    def executable(self, pid: int) -> str:
        """The program's path."""

    @abstractmethod
    def libraries(self, pid: int, start: Mapping[str, int]) -> str:
        """The library list as XML (gdb manual, Library List Format for SVR4 Targets)."""


class SignalData(ABC):
    """The siginfo of the signal that a thread stopped for."""

    @abstractmethod
    def read_siginfo(self, thread: ThreadId) -> bytes:
        """siginfo_t in the program's own layout."""

    @abstractmethod
    def write_siginfo(self, thread: ThreadId, contents: bytes) -> None:
        """Replace it, before the signal is delivered."""


class ThreadLocalStorage(ABC):
    """Addresses of thread-local variables."""

    symbols: Iterable[str]
    """Names whose values are needed for it."""

    @abstractmethod
    def set_symbol(self, pid: int, name: str, value: int | None) -> None:
        """A symbol's address in a process; None if its program has no such symbol (now)."""

    @abstractmethod
    def tls_address(self, thread: ThreadId, offset: int, link_map: int) -> int:
        """Where a thread has the variable at `offset` of a module's thread-local block."""


class Sharing(ABC):
    """Processes that others trace at the same time."""

    @abstractmethod
    def sharing(self) -> str:
        """Who is on the debugged processes, what they hold and watch, in words."""


class OperatingSystem(ABC):
    """Tables of what runs on the target's machine."""

    @abstractmethod
    def osdata(self, table: str) -> str:
        """A table as XML (gdb manual, section Operating System Information); empty name: the tables."""


class HostFiles(ABC):
    """Files of the machine that the target runs on. All methods raise OSError."""

    @abstractmethod
    def use_file_system_of(self, pid: int) -> None:
        """Paths mean what they mean to this process (its mount namespace and root); 0: to the server."""

    @abstractmethod
    def open_file(self, path: str, flags: int, mode: int) -> int:
        """Open with os.O_* flags; a number for the file."""

    @abstractmethod
    def close_file(self, number: int) -> None:
        """Close a file."""

    @abstractmethod
    def read_file(self, number: int, count: int, offset: int) -> bytes:
        """Up to `count` bytes."""

    @abstractmethod
    def write_file(self, number: int, offset: int, data: bytes) -> int:
        """How many bytes were written."""

    @abstractmethod
    def file_status(self, number: int) -> os.stat_result:
        """The status of an open file."""

    @abstractmethod
    def unlink_file(self, path: str) -> None:
        """Remove a file."""

    @abstractmethod
    def read_link(self, path: str) -> str:
        """Where a symbolic link points."""

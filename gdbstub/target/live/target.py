"""The live target: all its capabilities together."""

from __future__ import annotations

from gdbstub.arch.description import Architecture, Register
from gdbstub.linux import procfs
from gdbstub.linux.processor import LastProcessor
from gdbstub.target import interfaces
from gdbstub.target.host_files import LocalFiles
from gdbstub.target.live.breakpoints import LiveBreakpoints
from gdbstub.target.live.data import LiveData
from gdbstub.target.live.os_tables import LiveOperatingSystem
from gdbstub.target.live.processes import LiveProcesses
from gdbstub.target.live.sharing import LiveSharing
from gdbstub.target.live.tls import LiveTls
from gdbstub.target.values import TargetError, ThreadId
from gdbstub.utrace.errors import UtraceError
from gdbstub.utrace.tracer import Tracer


class LiveTarget(
    LiveProcesses,
    LiveBreakpoints,
    LiveData,
    LiveTls,
    LiveOperatingSystem,
    LiveSharing,
    interfaces.Target,
    interfaces.ThreadDetails,
    interfaces.MemoryMap,
    interfaces.Events,
    LocalFiles,
):
    """Live processes as one debugger sees them."""

    def __init__(self, tracer: Tracer) -> None:
        super().__init__(tracer)
        self._processors = LastProcessor()

    def threads(self) -> list[ThreadId]:
        """The threads that the client may know of, oldest first."""
        return [thread.id for thread in self.known_threads()]

    def is_alive(self, thread: ThreadId) -> bool:
        """Whether a thread is still there."""
        return thread in self.threads()

    def architecture(self, pid: int) -> Architecture:
        """What kind of program a process runs."""
        return self.process(pid).architecture

    def read_registers(self, thread: ThreadId) -> bytes:
        """All registers in the order of the target description."""
        try:
            return self.thread(thread).task.registers.block()
        except UtraceError as error:
            raise TargetError(str(error.strerror)) from None

    def write_registers(self, thread: ThreadId, block: bytes) -> None:
        """Set all registers; a short block leaves the rest as it is."""
        try:
            self.thread(thread).task.registers.set_block(block)
        except UtraceError as error:
            raise TargetError(str(error.strerror)) from None

    def read_register(self, thread: ThreadId, number: int) -> bytes:
        """One register by its number in the target description."""
        task = self.thread(thread).task
        register = self._register(task.process.architecture, number)
        try:
            return task.registers.raw(register.name)
        except UtraceError as error:
            raise TargetError(str(error.strerror)) from None

    def write_register(self, thread: ThreadId, number: int, value: bytes) -> None:
        """Set one register."""
        task = self.thread(thread).task
        register = self._register(task.process.architecture, number)
        try:
            task.registers.set_raw(register.name, value)
        except UtraceError as error:
            raise TargetError(str(error.strerror)) from None
        except ValueError as error:
            raise TargetError(str(error)) from None

    def read_expedited(self, thread: ThreadId) -> list[tuple[int, bytes]]:
        """(number, contents) of the registers that every client asks for first."""
        try:
            return self.thread(thread).task.registers.expedited()
        except UtraceError as error:
            raise TargetError(str(error.strerror)) from None

    def _register(self, architecture: Architecture, number: int) -> Register:
        if not 0 <= number < len(architecture.registers):
            raise TargetError(f"there is no register {number}")
        return architecture.registers[number]

    def read_memory(self, pid: int, address: int, length: int) -> bytes:
        """As much of the memory as is readable in a row; empty if nothing is."""
        return self.process(pid).address_space.read_some(address, length)

    def write_memory(self, pid: int, address: int, contents: bytes) -> None:
        """Write all of it."""
        try:
            self.process(pid).address_space.write(address, contents)
        except OSError as error:
            raise TargetError(str(error.strerror)) from None

    def mapped_ranges(self, pid: int) -> list[tuple[int, int]]:
        """(start, end) of each readable mapping."""
        for tid in self.process(pid).tasks:
            mappings = [
                (mapping.start, mapping.end) for mapping in procfs.maps(tid) if "r" in mapping.permissions
            ]
            if mappings:
                return mappings
        return []

    def thread_name(self, thread: ThreadId) -> str:
        """The thread's name."""
        return self.thread(thread).task.name

    def thread_core(self, thread: ThreadId) -> int | None:
        """The processor that the thread last ran on."""
        return self._processors.of(thread.tid)

    def report_events(self, *, fork: bool, vfork: bool, execs: bool) -> None:
        """Report these; a child process is followed only if its event is reported."""
        self._report_fork, self._report_vfork, self._report_exec = fork, vfork, execs

    def report_thread_events(self, wanted: bool) -> None:
        """Report new and ended threads."""
        self._report_threads = wanted

    def catch_syscalls(self, pid: int, numbers: frozenset[int] | None) -> None:
        """Stop at these system calls' entry and exit; None: at all, empty: at none."""
        process = self.process(pid)
        self._caught[pid] = numbers
        self.update_events(process)

    def pass_signals(self, numbers: frozenset[int]) -> None:
        """Deliver these signals without stopping."""
        self._pass_signals = numbers

    def program_signals(self, numbers: frozenset[int]) -> None:
        """Signals that the program may be given when it is detached from."""
        self._program_signals = numbers

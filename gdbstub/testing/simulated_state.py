"""Processes and threads that consist of data: what a core file tells, and a simulated program starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gdbstub.arch.description import Architecture, Register
from gdbstub.arch.x86.amd64 import amd64
from gdbstub.linux.memory import MemoryFault
from gdbstub.linux.siginfo import SigInfo
from gdbstub.target import interfaces
from gdbstub.target.values import NoSuchThread, Stop, TargetError, ThreadId
from gdbstub.testing.simulation import SimulatedMemory

CODE, DATA, STACK = 0x401000, 0x404000, 0x7FFF_FFFF_E000
"""Where a simulated process has memory unless a test says otherwise, a page each."""
PAGE = 4096


def default_regions() -> dict[int, bytes]:
    """A page of one-byte instructions (nop), a page that counts upwards, and a stack of zeros."""
    return {CODE: b"\x90" * PAGE, DATA: bytes(range(256)) * (PAGE // 256), STACK: bytes(PAGE)}


@dataclass(eq=False)
class SimulatedThread:
    """A thread's registers, and what a debugger knows of it."""

    id: ThreadId
    architecture: Architecture
    name: str
    core: int | None = 0
    siginfo: bytes = bytes(SigInfo.make(0).raw)
    regsets: dict[str, bytearray] = field(default_factory=dict)
    running: bool = False
    """It runs, for the client."""
    told: Stop | None = None
    """What the client was last told of it, until it is resumed."""

    def __post_init__(self) -> None:
        self.regsets = {regset.name: bytearray(regset.size) for regset in self.architecture.regsets}
        self.set_register(self.architecture.pc, CODE)
        self.set_register(self.architecture.sp, STACK + PAGE // 2)

    def register(self, name: str) -> int:
        """A register's value, unsigned."""
        contents = self.architecture.read_register(self.architecture.by_name[name], self.regsets)
        return int.from_bytes(contents, "little")

    def set_register(self, name: str, value: int) -> None:
        """Set a register; what does not fit is cut."""
        register = self.architecture.by_name[name]
        contents = (value & (1 << register.bits) - 1).to_bytes(register.size, "little")
        self.architecture.write_register(register, self.regsets, contents)

    @property
    def pc(self) -> int:
        """The program counter."""
        return self.register(self.architecture.pc)

    @pc.setter
    def pc(self, address: int) -> None:
        self.set_register(self.architecture.pc, address)


@dataclass(eq=False)
class SimulatedProcess:
    """A process's memory and threads."""

    pid: int
    memory: SimulatedMemory
    threads: dict[int, SimulatedThread] = field(default_factory=dict)
    executable: str = "/bin/simulated"
    auxiliary_vector: bytes = bytes(16)
    libraries: str = '<library-list-svr4 version="1.0"></library-list-svr4>'
    attached: bool = True
    """It ran before it was debugged."""


class SimulatedState(
    interfaces.Target,
    interfaces.ThreadDetails,
    interfaces.MemoryMap,
    interfaces.ProcessData,
    interfaces.SignalData,
):
    """What can be looked at. Registers of a thread that runs cannot."""

    def __init__(self, architecture: Architecture | None = None) -> None:
        """Nothing is debugged yet; `architecture`: of all processes to come."""
        self._architecture = architecture or amd64(None)
        self.all: dict[int, SimulatedProcess] = {}

    def add_process(
        self, pid: int, tids: tuple[int, ...] = (), regions: Mapping[int, bytes] | None = None
    ) -> SimulatedProcess:
        """A process whose threads are its leader and `tids`; all stand still."""
        memory = SimulatedMemory(default_regions() if regions is None else regions)
        process = self.all[pid] = SimulatedProcess(pid, memory)
        for tid in (pid, *tids):
            self.add_thread(process, tid)
        return process

    def add_thread(self, process: SimulatedProcess, tid: int) -> SimulatedThread:
        """Another thread of a process."""
        thread = SimulatedThread(ThreadId(process.pid, tid), self._architecture, f"thread{tid}")
        process.threads[tid] = thread
        return thread

    def process(self, pid: int) -> SimulatedProcess:
        """A process by its number. Raises NoSuchThread."""
        try:
            return self.all[pid]
        except KeyError:
            raise NoSuchThread(f"no process {pid}") from None

    def thread(self, thread: ThreadId) -> SimulatedThread:
        """A thread by its numbers. Raises NoSuchThread."""
        try:
            return self.process(thread.pid).threads[thread.tid]
        except KeyError:
            raise NoSuchThread(f"no thread {thread.tid} of process {thread.pid}") from None

    def every_thread(self) -> list[SimulatedThread]:
        """All threads, oldest first."""
        return [thread for process in self.all.values() for thread in process.threads.values()]

    def _standing(self, thread: ThreadId) -> SimulatedThread:
        found = self.thread(thread)
        if found.running:
            raise TargetError(f"thread {thread.tid} is running")
        return found

    def threads(self) -> list[ThreadId]:
        """All threads, oldest first."""
        return [thread.id for thread in self.every_thread()]

    def is_alive(self, thread: ThreadId) -> bool:
        """Whether a thread is still there."""
        return thread in self.threads()

    def architecture(self, pid: int) -> Architecture:
        """The same for all."""
        self.process(pid)
        return self._architecture

    def read_registers(self, thread: ThreadId) -> bytes:
        """All registers."""
        return self._architecture.read_block(self._standing(thread).regsets)

    def write_registers(self, thread: ThreadId, block: bytes) -> None:
        """Set all registers, or the first ones."""
        self._architecture.write_block(self._standing(thread).regsets, block)

    def read_register(self, thread: ThreadId, number: int) -> bytes:
        """One register."""
        return self._architecture.read_register(self._register(number), self._standing(thread).regsets)

    def write_register(self, thread: ThreadId, number: int, value: bytes) -> None:
        """Set one register."""
        register = self._register(number)
        try:
            self._architecture.write_register(register, self._standing(thread).regsets, value)
        except ValueError as error:
            raise TargetError(str(error)) from None

    def _register(self, number: int) -> Register:
        if number >= len(self._architecture.registers):
            raise TargetError(f"there is no register {number}")
        return self._architecture.registers[number]

    def read_expedited(self, thread: ThreadId) -> list[tuple[int, bytes]]:
        """Frame pointer, stack pointer and program counter."""
        numbers = (self._architecture.number[name] for name in self._architecture.expedited)
        return [(number, self.read_register(thread, number)) for number in numbers]

    def read_memory(self, pid: int, address: int, length: int) -> bytes:
        """As much as there is in a row."""
        return self.process(pid).memory.read_some(address, length)

    def write_memory(self, pid: int, address: int, contents: bytes) -> None:
        """Write all of it."""
        try:
            self.process(pid).memory.write(address, contents)
        except MemoryFault as error:
            raise TargetError(str(error.strerror)) from None

    def mapped_ranges(self, pid: int) -> list[tuple[int, int]]:
        """The regions."""
        regions = self.process(pid).memory.regions
        return sorted((start, start + len(contents)) for start, contents in regions.items())

    def thread_name(self, thread: ThreadId) -> str:
        """The thread's name."""
        return self.thread(thread).name

    def thread_core(self, thread: ThreadId) -> int | None:
        """The processor that it ran on."""
        return self.thread(thread).core

    def auxiliary_vector(self, pid: int) -> bytes:
        """AT_* pairs."""
        return self.process(pid).auxiliary_vector

    def executable(self, pid: int) -> str:
        """The program's path."""
        return self.process(pid).executable

    def libraries(self, pid: int, start: Mapping[str, int]) -> str:
        """The library list."""
        return self.process(pid).libraries

    def read_siginfo(self, thread: ThreadId) -> bytes:
        """siginfo_t."""
        return self._standing(thread).siginfo

    def write_siginfo(self, thread: ThreadId, contents: bytes) -> None:
        """Replace it."""
        self._standing(thread).siginfo = contents

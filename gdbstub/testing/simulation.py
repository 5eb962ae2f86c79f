"""A back end without a kernel: tasks stand where a test puts them, and what the core decides is recorded.

machine = SimulatedMachine()
task = machine.process(pid=10).leader
machine.stand(task, StopKind.SYSCALL_EXIT)
machine.core.report_syscall_exit(task, call)
machine.departures            # [(task, Departure(...))], or empty while an engine holds the task
"""

from __future__ import annotations

from collections.abc import Mapping

from gdbstub.arch.description import RegisterSet
from gdbstub.arch.x86.amd64 import amd64
from gdbstub.linux.memory import MemoryFault
from gdbstub.utrace.address_space import AddressSpace
from gdbstub.utrace.core import Utrace
from gdbstub.utrace.engine import Engine
from gdbstub.utrace.errors import Running
from gdbstub.utrace.registers import Registers
from gdbstub.utrace.stops import Stop, StopKind
from gdbstub.utrace.task import Departure, Disposition, Process, Task


class SimulatedMemory:
    """Memory that consists of the given regions: address -> contents."""

    def __init__(self, regions: Mapping[int, bytes] | None = None) -> None:
        self.regions = {address: bytearray(contents) for address, contents in (regions or {}).items()}

    def read_some(self, address: int, length: int) -> bytes:
        """As many of `length` bytes as are readable in a row."""
        for start, contents in self.regions.items():
            if start <= address < start + len(contents):
                found = bytes(contents[address - start : address - start + length])
                rest = length - len(found)
                return found + (self.read_some(address + len(found), rest) if rest and found else b"")
        return b""

    def read(self, address: int, length: int) -> bytes:
        """Exactly `length` bytes."""
        contents = self.read_some(address, length)
        if len(contents) < length:
            raise MemoryFault(address + len(contents), len(contents))
        return contents

    def write(self, address: int, contents: bytes) -> None:
        """Write all of it."""
        for offset, byte in enumerate(contents):
            for start, region in self.regions.items():
                if start <= address + offset < start + len(region):
                    region[address + offset - start] = byte
                    break
            else:
                raise MemoryFault(address + offset, offset)

    def close(self) -> None:
        """Nothing to give up."""


class SimulatedTask(Task):
    """A task with registers of its own and nothing behind it."""

    def __init__(self, tid: int, process: Process) -> None:
        super().__init__(tid, process)
        self.regsets = {regset.name: bytearray(regset.size) for regset in process.architecture.regsets}
        self.dispositions: dict[int, Disposition] = {}
        self.stop_requests: list[bool] = []
        """One entry for each request_stop: whether it may break a system call off."""
        self.job_stopped = False

    @property
    def registers(self) -> Registers:
        """The registers; changes are in force at once."""
        if self.stop is None:
            raise Running(f"task {self.tid} is running")
        return Registers(self, self.process.architecture)

    def read_regset(self, regset: RegisterSet) -> bytearray:
        """A whole register set."""
        return self.regsets[regset.name]

    def write_regset(self, regset: RegisterSet, contents: bytes | bytearray) -> None:
        """Replace a whole register set."""
        self.regsets[regset.name][:] = contents

    def disposition(self, signal: int) -> Disposition:
        """DEFAULT unless `dispositions` says otherwise."""
        return self.dispositions.get(signal, Disposition.DEFAULT)

    @property
    def name(self) -> str:
        """A made-up name."""
        return f"task{self.tid}"


class SimulatedMachine:
    """The back end, and the tasks that it runs."""

    def __init__(self, single_step: bool = True, block_step: bool = True) -> None:
        self.single_step = single_step
        self.block_step = block_step
        self.core = Utrace(self)
        self.departures: list[tuple[Task, Departure]] = []
        """How tasks have left their stops, oldest first."""
        self.failures: list[tuple[Task, Engine, Exception]] = []
        self.lefts: list[tuple[Process, Engine]] = []

    def process(
        self, pid: int, tids: tuple[int, ...] = (), regions: Mapping[int, bytes] | None = None
    ) -> Process:
        """A new process whose tasks are its leader and `tids`; all run."""
        space = AddressSpace(SimulatedMemory(regions), amd64(None), list)
        process = Process(pid, self.core, space)
        for tid in (pid, *tids):
            self.task(tid, process)
        return process

    def task(self, tid: int, process: Process) -> SimulatedTask:
        """A new task of a process; it runs."""
        task = SimulatedTask(tid, process)
        process.tasks[tid] = task
        return task

    def stand(self, task: Task, kind: StopKind = StopKind.USER) -> None:
        """Put a running task at a stop, before its hook is called."""
        task.stop = Stop(kind)

    def depart(self, task: Task, departure: Departure) -> None:
        """Record how a task leaves."""
        if task.stop is not None:
            task.stop.consume()
        task.stop = None
        self.departures.append((task, departure))

    def request_stop(self, task: Task, interrupt: bool) -> None:
        """Record the request; the test brings the task to its stop."""
        assert isinstance(task, SimulatedTask)
        task.stop_requests.append(interrupt)

    def hold_job_stopped(self, task: Task) -> bool:
        """Hold a task that a test has marked as stopped by job control."""
        assert isinstance(task, SimulatedTask)
        if not task.job_stopped:
            return False
        self.stand(task, StopKind.JOB_STOP)
        self.core.job_stop(task)
        return task.held

    def interests_changed(self, task: Task) -> None:
        """Nothing depends on it here."""

    def left(self, process: Process, engine: Engine) -> None:
        """Record it."""
        process.address_space.breakpoints.remove_all(engine)
        process.watchpoints.remove_all(engine)
        self.lefts.append((process, engine))

    def engine_failed(self, task: Task, engine: Engine, error: Exception) -> None:
        """Record it."""
        self.failures.append((task, engine, error))

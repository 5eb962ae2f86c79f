"""Targets without a process, for tests of what sits on a target.

target = SimulatedTarget()
target.add_process(10, tids=(11,))
session = Session(target, sent.append)
session.receive(encode_packet(b"vCont;c"))
target.upcoming.append(SignalStop(ThreadId(10, 11), SIGSEGV))
target.advance()              # the session sends T0b...

`SimulatedTarget` has every capability there is, `SimulatedCore` those of a core file.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from gdbstub.arch.description import Architecture
from gdbstub.linux.signals import SIGTRAP
from gdbstub.target import interfaces
from gdbstub.target.values import SignalStop, TargetError, ThreadId
from gdbstub.testing.simulated_files import SimulatedFiles
from gdbstub.testing.simulated_running import SimulatedRunning
from gdbstub.testing.simulated_state import SimulatedProcess, SimulatedState

FIRST_PID = 1000
"""Programs that are run get numbers from here on."""
TLS_SYMBOLS = ("simulated_tls_base", "simulated_tls_step")


class SimulatedCore(SimulatedState):
    """What a core file has: threads, registers and memory that neither run nor change."""

    def write_registers(self, thread: ThreadId, block: bytes) -> None:
        """Refused."""
        raise TargetError("a core file cannot be changed")

    def write_register(self, thread: ThreadId, number: int, value: bytes) -> None:
        """Refused."""
        raise TargetError("a core file cannot be changed")

    def write_memory(self, pid: int, address: int, contents: bytes) -> None:
        """Refused."""
        raise TargetError("a core file cannot be changed")

    def write_siginfo(self, thread: ThreadId, contents: bytes) -> None:
        """Refused."""
        raise TargetError("a core file cannot be changed")


class SimulatedProcesses(SimulatedRunning, interfaces.Processes, interfaces.LaunchSettings):
    """Processes come and go."""

    def __init__(self, architecture: Architecture | None = None) -> None:
        super().__init__(architecture)
        self.last_arguments: Sequence[str] = ()
        self.programs: frozenset[str] | None = None
        """What can be run; None: everything."""
        self.attachable: frozenset[int] = frozenset()
        """Processes that run and can be attached to."""
        self.randomize = True
        self.with_shell = True
        self.environment: dict[str, str] = {}
        self.directory: str | None = None
        self.ended: list[tuple[str, int]] = []
        """(kill or detach, process), oldest first."""

    def processes(self) -> list[int]:
        """The processes that are debugged."""
        return list(self.all)

    def was_attached(self, pid: int) -> bool:
        """True if it was not run for the client."""
        return self.process(pid).attached

    def attach(self, pid: int) -> None:
        """Debug one of those that can be attached to."""
        if pid in self.all or pid not in self.attachable:
            raise TargetError(f"Cannot attach to process {pid}: {os.strerror(1)}")
        process = self.add_process(pid)
        if self.non_stop:
            leader = process.threads[pid]
            leader.running = True
            self.request_stop(leader, 0)
        else:
            self._stands_first(process)

    def run(self, arguments: Sequence[str]) -> None:
        """Start a program."""
        if self.programs is not None and arguments[0] not in self.programs:
            raise TargetError(f"Cannot run {arguments[0]}: no such file")
        process = self.add_process(max([FIRST_PID - 1, *self.all]) + 1)
        process.attached = False
        process.executable = arguments[0]
        self.last_arguments = tuple(arguments)
        self._stands_first(process)

    def _stands_first(self, process: SimulatedProcess) -> None:
        leader = process.threads[process.pid]
        leader.told = SignalStop(leader.id, SIGTRAP)
        # What happened last is told first.
        self.all = {process.pid: process, **self.all}

    def kill(self, pid: int) -> None:
        """End a process."""
        self.process(pid)
        self.forget_process(pid)
        self.ended.append(("kill", pid))

    def detach(self, pid: int) -> None:
        """Let a process go."""
        self.process(pid)
        self.forget_process(pid)
        self.ended.append(("detach", pid))

    def disable_randomization(self, wanted: bool) -> None:
        """Remember it."""
        self.randomize = not wanted

    def start_with_shell(self, wanted: bool) -> None:
        """Remember it."""
        self.with_shell = wanted

    def set_environment(self, name: str, value: str | None) -> None:
        """Set or remove a variable."""
        if value is None:
            self.environment.pop(name, None)
        else:
            self.environment[name] = value

    def reset_environment(self) -> None:
        """Go back to none."""
        self.environment = {}

    def set_directory(self, path: str | None) -> None:
        """Remember it."""
        self.directory = path


class SimulatedTarget(
    SimulatedProcesses, SimulatedFiles, interfaces.ThreadLocalStorage, interfaces.OperatingSystem
):
    """Every capability there is, over nothing but data."""

    symbols = TLS_SYMBOLS

    def __init__(self, architecture: Architecture | None = None) -> None:
        super().__init__(architecture)
        SimulatedFiles.__init__(self)
        self.symbol_values: dict[int, dict[str, int]] = {}
        """By process."""
        self.tables = {"types": "<osdata/>", "processes": '<osdata type="processes"></osdata>'}

    def set_symbol(self, pid: int, name: str, value: int | None) -> None:
        """Remember a symbol's value."""
        values = self.symbol_values.setdefault(pid, {})
        if value is None:
            values.pop(name, None)
        else:
            values[name] = value

    def tls_address(self, thread: ThreadId, offset: int, link_map: int) -> int:
        """Blocks lie one after the other from a base, a step for each thread number."""
        values = self.symbol_values.get(thread.pid, {})
        base, step = (values.get(name) for name in self.symbols)
        if base is None or step is None:
            raise TargetError("the thread library does not describe its thread-local storage")
        return (base + step * self.thread(thread).id.tid + link_map + offset) & (1 << 64) - 1

    def osdata(self, table: str) -> str:
        """One of the tables."""
        try:
            return self.tables[table or "types"]
        except KeyError:
            raise TargetError(f"there is no table {table}") from None

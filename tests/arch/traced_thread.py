"""A stopped process that single instructions are run in."""

from __future__ import annotations

import os
import signal

from gdbstub.arch.x86.amd64 import GENERAL_ORDER
from gdbstub.arch.x86.layouts import GENERAL_AMD64
from gdbstub.linux import ptrace
from gdbstub.linux.memory import ProcessMemory
from gdbstub.linux.spawn import Launch, spawn
from gdbstub.linux.wait import Stopped, decode, wait_for

PATIENCE = 20.0
STACK_BYTES = 64
OUTSIDE_OF_CALLS = (1 << 64) - 1
Registers = dict[str, int]


class TracedThread:
    """A program that never runs but for the steps that a test makes with it."""

    def __init__(self) -> None:
        self.pid = spawn(Launch(["/bin/true"]), ptrace.O_EXITKILL | ptrace.O_TRACEEXEC)
        self._wait()
        self.memory = ProcessMemory(self.pid)
        while self.registers()["orig_rax"] != OUTSIDE_OF_CALLS:
            self.step()
        self.start = self.registers()

    def close(self) -> None:
        self.memory.close()
        os.kill(self.pid, signal.SIGKILL)
        wait_for(self.pid, PATIENCE)

    def _wait(self) -> Stopped:
        status = wait_for(self.pid, PATIENCE)
        assert status is not None
        stopped = decode(status)
        assert isinstance(stopped, Stopped), stopped
        return stopped

    def registers(self) -> Registers:
        """The general registers."""
        parsed = GENERAL_AMD64.parse(bytes(ptrace.get_registers(self.pid)))
        return {name: parsed[name] for name in GENERAL_ORDER}

    def set_registers(self, registers: Registers) -> None:
        ptrace.set_registers(self.pid, GENERAL_AMD64.build(registers))

    def step(self) -> int:
        """One instruction; the signal that the thread stopped with."""
        ptrace.request(ptrace.SINGLESTEP, self.pid)
        return self._wait().signal

    def stack(self, around: int) -> bytes:
        """What lies on the stack around an address."""
        return self.memory.read(around - STACK_BYTES // 2, STACK_BYTES)

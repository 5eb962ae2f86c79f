"""Whether PTRACE_SINGLEBLOCK runs to the next branch: under nested virtualization it stops after every
instruction, without saying so.
"""

from __future__ import annotations

import os
import signal

from gdbstub.linux import ptrace
from gdbstub.linux.spawn import Launch, spawn
from gdbstub.linux.wait import wait_for

_RIP = slice(128, 136)
"""Offset of rip in struct user_regs_struct."""
_LONGEST_INSTRUCTION = 15
_TRIES = 4


def block_step_works() -> bool:
    """Try it on a program of our own: its loader starts with a few instructions and a call."""
    try:
        pid = spawn(Launch(["/proc/self/exe"]), ptrace.O_TRACEEXEC | ptrace.O_EXITKILL)
    except OSError:
        return False
    try:
        wait_for(pid)
        start = _pc(pid)
        for _ in range(_TRIES):
            ptrace.request(ptrace.SINGLEBLOCK, pid)
            wait_for(pid)
            if _pc(pid) != start:
                break
        return not 0 < _pc(pid) - start <= _LONGEST_INSTRUCTION
    except OSError:
        return False
    finally:
        os.kill(pid, signal.SIGKILL)
        wait_for(pid)


def _pc(pid: int) -> int:
    return int.from_bytes(ptrace.get_registers(pid)[_RIP], "little")

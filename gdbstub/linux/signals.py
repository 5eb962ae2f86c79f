"""Linux signal numbers, their default actions, and gdb's own numbering of them.

gdb numbers signals by include/gdb/signals.def of its sources, the same on every system.
"""

from __future__ import annotations

import signal as _signal
from enum import Enum

SIGTRAP, SIGKILL, SIGSTOP, SIGCONT, SIGCHLD = 5, 9, 19, 18, 17
SIGTERM, SIGQUIT, SIGTSTP, SIGINT = 15, 3, 20, 2
STOP_SIGNALS = frozenset({SIGSTOP, SIGTSTP, 21, 22})
FAULTS = frozenset({4, 5, 7, 8, 11})
"""Signals by which the processor tells of an instruction."""
LAST = 64

SI_KERNEL = 0x80
TRAP_BRKPT, TRAP_TRACE, TRAP_HWBKPT = 1, 2, 4
"""si_code of SIGTRAP (asm-generic/siginfo.h)."""
TRAP_HANDLER = SIGTRAP
"""si_code when a step ends at the start of a signal handler (ptrace_notify in kernel/signal.c)."""

GDB_UNKNOWN = 143
_ORDINARY = (
    *(1, 2, 3, 4, 5, 6, 10, 8, 9, 30, 11, 31, 13, 14, 15, GDB_UNKNOWN),
    *(20, 19, 17, 18, 21, 22, 16, 24, 25, 26, 27, 28, 23, 32, 12),
)
"""gdb's numbers of signals 1 to 31."""
_TO_GDB = {
    **dict(enumerate(_ORDINARY, start=1)),
    32: 77,
    **{number: number + 12 for number in range(33, 64)},
    64: 78,
}
_FROM_GDB = {gdb: linux for linux, gdb in _TO_GDB.items() if gdb != GDB_UNKNOWN}


class Default(Enum):
    """What a signal does when it is neither caught nor ignored (signal(7))."""

    TERMINATE = "terminate"
    CORE = "core"
    IGNORE = "ignore"
    STOP = "stop"
    CONTINUE = "continue"


_DEFAULTS = {
    **dict.fromkeys((3, 4, 5, 6, 7, 8, 11, 24, 25, 31), Default.CORE),
    **dict.fromkeys((17, 23, 28), Default.IGNORE),
    **dict.fromkeys((19, 20, 21, 22), Default.STOP),
    18: Default.CONTINUE,
}


def to_gdb(number: int) -> int:
    """gdb's number for a Linux signal."""
    return _TO_GDB.get(number, GDB_UNKNOWN)


def from_gdb(number: int) -> int | None:
    """The Linux signal for gdb's number, 0 for no signal; None where Linux has no such signal."""
    return 0 if number == 0 else _FROM_GDB.get(number)


def default_action(number: int) -> Default:
    """The default action of a signal."""
    return _DEFAULTS.get(number, Default.TERMINATE)


def name(number: int) -> str:
    """SIGINT, SIGRTMIN+3 and so on, as the kernel's own numbering has it."""
    if 34 <= number <= LAST:
        return "SIGRTMIN" if number == 34 else f"SIGRTMIN+{number - 34}"
    try:
        return _signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"


def is_member(mask: int, number: int) -> bool:
    """Whether a kernel signal mask (bit n-1 for signal n) holds a signal."""
    return bool(mask >> (number - 1) & 1)


def send_to_thread(pid: int, tid: int, number: int) -> None:
    """tgkill(2): a signal to one thread. Raises ProcessLookupError when it is gone."""
    from gdbstub.linux.libc import quick, raise_errno

    if quick.tgkill(pid, tid, number) < 0:
        raise raise_errno(f"tgkill {pid} {tid} {number}")

"""Signal numbers and names, gdb's and Linux's."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess

import pytest

from gdbstub.linux.signals import (
    GDB_UNKNOWN,
    LAST,
    Default,
    default_action,
    from_gdb,
    is_member,
    name,
    to_gdb,
)

GDB_SIGNALS = {
    1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 8: "SIGFPE",
    9: "SIGKILL", 10: "SIGBUS", 11: "SIGSEGV", 12: "SIGSYS", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM",
    16: "SIGURG", 17: "SIGSTOP", 18: "SIGTSTP", 19: "SIGCONT", 20: "SIGCHLD", 21: "SIGTTIN", 22: "SIGTTOU",
    23: "SIGIO", 24: "SIGXCPU", 25: "SIGXFSZ", 26: "SIGVTALRM", 27: "SIGPROF", 28: "SIGWINCH",
    30: "SIGUSR1", 31: "SIGUSR2", 32: "SIGPWR",
}  # fmt: skip
"""The numbers of include/gdb/signals.def that Linux has a signal for."""


@pytest.mark.parametrize(("number", "of"), GDB_SIGNALS.items())
def test_ordinary_signals(number: int, of: str) -> None:
    linux = signal.Signals[of].value
    assert to_gdb(linux) == number
    assert from_gdb(number) == linux


@pytest.mark.parametrize("number", range(32, LAST + 1))
def test_real_time_signals(number: int) -> None:
    """32 is 77, 33 to 63 are 45 to 75, 64 is 78."""
    expected = {32: 77, 64: 78}.get(number, number + 12)
    assert to_gdb(number) == expected
    assert from_gdb(expected) == number


def test_what_one_side_lacks() -> None:
    assert to_gdb(16) == GDB_UNKNOWN, "SIGSTKFLT"
    assert to_gdb(65) == to_gdb(-1) == GDB_UNKNOWN
    assert from_gdb(7) is None, "SIGEMT"
    assert from_gdb(GDB_UNKNOWN) is None
    assert from_gdb(0) == 0


def test_no_two_signals_share_a_number() -> None:
    numbers = [to_gdb(number) for number in range(1, LAST + 1) if number != 16]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.skipif(shutil.which("gdb") is None, reason="gdb is not installed")
def test_gdb_s_own_order() -> None:
    """`info signals` goes through signals.def, whose order the numbers are."""
    command = ["gdb", "-nx", "-batch", "-ex", "info signals"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    names = re.findall(r"^(SIG[A-Z0-9]+)\s", run.stdout, re.MULTILINE)
    ours = [GDB_SIGNALS[number] for number in sorted(GDB_SIGNALS)]
    assert [each for each in names if each in ours] == ours
    real_time = [f"SIG{number}" for number in sorted(range(32, LAST + 1), key=to_gdb)]
    assert [each for each in names if each in real_time] == real_time


def test_names() -> None:
    assert [name(number) for number in (2, 11, 34, 37, 64)] == [
        "SIGINT",
        "SIGSEGV",
        "SIGRTMIN",
        "SIGRTMIN+3",
        "SIGRTMIN+30",
    ]
    assert (name(32), name(99)) == ("SIG32", "SIG99")


@pytest.mark.parametrize(
    ("number", "action"),
    [
        (signal.SIGTERM, Default.TERMINATE),
        (signal.SIGSEGV, Default.CORE),
        (signal.SIGCHLD, Default.IGNORE),
        (signal.SIGURG, Default.IGNORE),
        (signal.SIGWINCH, Default.IGNORE),
        (signal.SIGTSTP, Default.STOP),
        (signal.SIGCONT, Default.CONTINUE),
        (signal.SIGSYS, Default.CORE),
        (40, Default.TERMINATE),
    ],
)
def test_default_actions(number: int, action: Default) -> None:
    assert default_action(number) is action


def test_masks() -> None:
    mask = 1 << 8 | 1
    assert [number for number in range(1, 65) if is_member(mask, number)] == [1, 9]

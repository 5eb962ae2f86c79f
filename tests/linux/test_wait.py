"""Wait statuses: decoding them as the C library does, and collecting real ones."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdbstub.linux import ptrace
from gdbstub.linux.spawn import Launch, spawn
from gdbstub.linux.wait import Exited, Killed, Stopped, collect, decode, has_ended, wait_for

PTRACE_EVENT_STOP = 128


@given(st.integers(0, 0xFFFF).filter(lambda status: status & 0xFF != 0xFF))
def test_statuses_are_read_as_by_the_c_library(status: int) -> None:
    decoded = decode(status)
    match decoded:
        case Exited(code):
            assert os.WIFEXITED(status)
            assert os.WEXITSTATUS(status) == code
        case Killed(number, dumped):
            assert os.WIFSIGNALED(status)
            assert (os.WTERMSIG(status), os.WCOREDUMP(status)) == (number, dumped)
        case Stopped(number, event):
            assert os.WIFSTOPPED(status)
            assert (os.WSTOPSIG(status), event) == (number, 0)


@pytest.mark.parametrize(
    ("status", "decoded"),
    [
        (0x0000, Exited(0)),
        (0xFF00, Exited(255)),
        (0x0009, Killed(9, False)),
        (0x008B, Killed(11, True)),
        (0x057F, Stopped(5, 0)),
        (0x857F, Stopped(0x85, 0)),
        (4 << 16 | 0x057F, Stopped(5, 4)),
        (PTRACE_EVENT_STOP << 16 | 0x137F, Stopped(19, PTRACE_EVENT_STOP)),
    ],
)
def test_decoding(status: int, decoded: object) -> None:
    assert decode(status) == decoded


def child(code: int) -> int:
    pid = os.fork()
    if pid == 0:
        os._exit(code)
    return pid


def test_waiting_for_one() -> None:
    pid = child(7)
    status = wait_for(pid)
    assert status is not None
    assert decode(status) == Exited(7)
    assert wait_for(pid) is None, "it is gone"


def test_waiting_is_given_up() -> None:
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    try:
        assert wait_for(pid, patience=0.01) is None
    finally:
        os.kill(pid, signal.SIGKILL)
        status = wait_for(pid, patience=20.0)
    assert status is not None
    assert decode(status) == Killed(9, False)


def test_collecting_all_of_our_tracees_and_no_other_child() -> None:
    untraced = child(7)
    os.waitid(os.P_PID, untraced, os.WEXITED | os.WNOWAIT)
    traced = [spawn(Launch(["/bin/true"]), ptrace.O_EXITKILL | ptrace.O_TRACEEXEC) for _ in range(3)]
    try:
        for pid in traced:
            os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
        found = {pid: decode(status) for pid, status in collect()}
        assert found == dict.fromkeys(traced, Stopped(signal.SIGTRAP, ptrace.EVENT_EXEC))
        assert collect() == []
    finally:
        for pid in traced:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    assert has_ended(untraced)
    assert has_ended(untraced), "it is not ours any more"


def test_a_child_that_has_not_ended() -> None:
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(write_end)
        os.read(read_end, 1)
        os._exit(0)
    os.close(read_end)
    assert not has_ended(pid)
    os.close(write_end)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert has_ended(pid)

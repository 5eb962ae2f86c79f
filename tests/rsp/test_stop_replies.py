"""Stops as packets, by what the client understands."""

from __future__ import annotations

import pytest
from rsp_client import ALL_FEATURES, Client

from gdbstub.target.values import (
    BreakpointStop,
    ExecStop,
    ForkStop,
    NoResumed,
    ProcessExited,
    ProcessKilled,
    SignalStop,
    Stop,
    SyscallStop,
    ThreadCreated,
    ThreadExited,
    ThreadId,
    ThreadStop,
    VforkDoneStop,
    WatchpointStop,
)
from gdbstub.testing.target import SimulatedTarget

LEADER, CHILD, GONE = ThreadId(10, 10), ThreadId(300, 300), ThreadId(10, 99)
REGISTERS = f"06:{'00' * 8};07:00e8ffffff7f0000;10:0010400000000000;"


def reply(client: Client, stop: Stop) -> str | None:
    found = client.session.replies.reply(stop)
    return None if found is None else found.decode("latin-1")


@pytest.mark.parametrize(
    ("stop", "signal", "reason"),
    [
        (SignalStop(LEADER, 0), "00", ""),
        (SignalStop(LEADER, 5), "05", ""),
        (SignalStop(LEADER, 11), "0b", ""),
        (SignalStop(LEADER, 10), "1e", ""),
        (SignalStop(LEADER, 17), "14", ""),
        (SignalStop(LEADER, 34), "2e", ""),
        (BreakpointStop(LEADER, False, 0x401000), "05", "swbreak:;"),
        (BreakpointStop(LEADER, True, 0x401000), "05", "hwbreak:;"),
        (WatchpointStop(LEADER, "write", 0x404008), "05", "watch:404008;"),
        (WatchpointStop(LEADER, "access", 0x404008), "05", "awatch:404008;"),
        (SyscallStop(LEADER, 231, True), "05", "syscall_entry:e7;"),
        (SyscallStop(LEADER, 0, False), "05", "syscall_return:0;"),
        (ForkStop(LEADER, CHILD, False), "05", "fork:p12c.12c;"),
        (ForkStop(LEADER, CHILD, True), "05", "vfork:p12c.12c;"),
        (VforkDoneStop(LEADER), "05", "vforkdone:;"),
        (ExecStop(LEADER, "/bin/\udcff"), "05", "exec:2f62696e2fff;"),
        (ThreadCreated(LEADER), "05", "create:;"),
    ],
)
def test_stops_of_a_thread(modern: Client, stop: ThreadStop, signal: str, reason: str) -> None:
    assert reply(modern, stop) == f"T{signal}{reason}{REGISTERS}thread:pa.a;core:0;"


@pytest.mark.parametrize(
    ("stop", "plain", "modern"),
    [
        (ProcessExited(10, 0), "W00", "W00;process:a"),
        (ProcessExited(10, 255), "Wff", "Wff;process:a"),
        (ProcessKilled(10, 9), "X09", "X09;process:a"),
        (ProcessKilled(300, 10), "X1e", "X1e;process:12c"),
        (ThreadExited(ThreadId(10, 11), 7), "w07;b", "w07;pa.b"),
        (NoResumed(), None, "N"),
    ],
)
def test_ends(target: SimulatedTarget, stop: Stop, plain: str | None, modern: str) -> None:
    assert reply(Client(target), stop) == plain
    assert reply(Client(target, ALL_FEATURES), stop) == modern


@pytest.mark.parametrize("stop", [BreakpointStop(LEADER, False, 0), BreakpointStop(LEADER, True, 0)])
def test_breakpoints_are_named_only_to_who_asked(client: Client, stop: Stop) -> None:
    assert reply(client, stop) == f"T05{REGISTERS}thread:a;core:0;"


def test_a_thread_without_a_processor(modern: Client, target: SimulatedTarget) -> None:
    target.process(10).threads[10].core = None
    assert reply(modern, SignalStop(LEADER, 0)) == f"T00{REGISTERS}thread:pa.a;"
    target.process(10).threads[10].core = 17
    assert reply(modern, SignalStop(LEADER, 0)) == f"T00{REGISTERS}thread:pa.a;core:11;"


def test_a_thread_that_is_gone_has_neither_registers_nor_processor(modern: Client) -> None:
    assert reply(modern, SignalStop(GONE, 9)) == "T09thread:pa.63;"


def test_stops_that_the_client_does_not_know_are_passed_over(client: Client, target: SimulatedTarget) -> None:
    client.talk(("vCont;c", None))
    target.happen(NoResumed())
    assert client.raw(b"") == b""
    target.happen(ProcessExited(10, 3))
    assert client.raw(b"") == b"$W03#ba"


def test_events_reach_the_client_with_their_reasons(modern: Client, target: SimulatedTarget) -> None:
    target.upcoming.extend([ForkStop(LEADER, CHILD, False), ExecStop(LEADER, "/bin/x")])
    assert modern.ask("vCont;c").startswith("T05fork:p12c.12c;")
    modern.talk(("Hgp12c.12c", "OK"), ("qXfer:exec-file:read:12c:0,100", "l/bin/simulated"))
    assert modern.ask("vCont;c").startswith("T05exec:2f62696e2f78;")
    modern.talk(("qXfer:exec-file:read:a:0,100", "l/bin/x"))

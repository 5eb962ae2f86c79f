"""Starting, attaching, killing, detaching; how programs are started; signals and system calls."""

from __future__ import annotations

import pytest
from rsp_client import ALL_FEATURES, Client

from gdbstub.target.values import SignalStop, SyscallStop, ThreadId
from gdbstub.testing.target import FIRST_PID, SimulatedTarget

SIGUSR1, SIGSEGV, SIGALRM = 10, 11, 14
GDB_SIGUSR1, GDB_SIGSEGV, GDB_SIGALRM = 30, 11, 14
LEADER = ThreadId(10, 10)


def text(words: str) -> str:
    return words.encode(errors="surrogateescape").hex()


def first_stop(pid: int) -> str:
    return f"T0506:{'00' * 8};07:00e8ffffff7f0000;10:0010400000000000;thread:p{pid:x}.{pid:x};core:0;"


@pytest.fixture
def empty() -> Client:
    """A client with nothing to debug yet."""
    client = Client(SimulatedTarget(), ALL_FEATURES)
    client.talk(("!", "OK"))
    return client


def of(client: Client) -> SimulatedTarget:
    assert isinstance(client.target, SimulatedTarget)
    return client.target


def test_run(empty: Client) -> None:
    target = of(empty)
    empty.talk(
        ("?", "W00"),
        (f"vRun;{text('/bin/ls')};{text('-l')};;{text('ä b')}", first_stop(FIRST_PID)),
        ("qC", f"QCp{FIRST_PID:x}.{FIRST_PID:x}"),
        ("qAttached", "0"),
        (f"qAttached:{FIRST_PID:x}", "0"),
    )
    assert target.last_arguments == ("/bin/ls", "-l", "", "ä b")


def test_an_empty_file_is_the_last_program_again(empty: Client) -> None:
    target = of(empty)
    empty.talk(("vRun;", "E.no program was run before"), ("vRun", "E.no program was run before"))
    empty.talk((f"vRun;{text('/bin/ls')};{text('a')}", first_stop(FIRST_PID)))
    empty.talk(("vRun;", first_stop(FIRST_PID + 1)))
    assert target.last_arguments == ("/bin/ls", "a")
    empty.talk((f"vRun;;{text('b')}", first_stop(FIRST_PID + 2)))
    assert target.last_arguments == ("/bin/ls", "b")


@pytest.mark.parametrize("packet", ["vRun;6", "vRun;zz", "vRun;2f00", f"vRun;{text('/absent')}"])
def test_what_cannot_be_run(client: Client, target: SimulatedTarget, packet: str) -> None:
    target.programs = frozenset({"/bin/ls"})
    client.talk((packet, "E01"), ("qC", "QCa"))


def test_file_names_are_any_bytes(empty: Client) -> None:
    empty.ask("vRun;2fff80")
    assert of(empty).last_arguments == ("/\udcff\udc80",)
    assert empty.ask(f"qXfer:exec-file:read:{FIRST_PID:x}:0,100") == "l/\xff\x80"


def test_run_in_non_stop_mode_is_told_by_its_reply_alone(empty: Client) -> None:
    empty.talk(("QNonStop:1", "OK"), (f"vRun;{text('/x')}", first_stop(FIRST_PID)), ("vStopped", "OK"))


def test_attach(empty: Client) -> None:
    of(empty).attachable = frozenset({0x63})
    empty.talk(
        ("vAttach;64", "E.Cannot attach to process 100: Operation not permitted"),
        ("vAttach;63", first_stop(0x63)),
        ("vAttach;63", "E.Cannot attach to process 99: Operation not permitted"),
        ("qAttached:63", "1"),
        ("vAttach;", "E.a hexadecimal number is needed"),
        ("vAttach;-1", "E.a hexadecimal number is needed"),
    )


def test_attach_in_non_stop_mode_is_told_by_a_notification(empty: Client) -> None:
    of(empty).attachable = frozenset({0x63})
    empty.talk(("QNonStop:1", "OK"))
    assert empty.replies("vAttach;63") == ["OK", "%Stop:" + first_stop(0x63).replace("T05", "T00")]


@pytest.mark.parametrize(
    ("packet", "reply"),
    [
        ("vKill;a", "OK"),
        ("vKill;b", "E01"),
        ("vKill", "E01"),
        ("D;a", "OK"),
        ("D;b", "E01"),
        ("D;x", "E01"),
        ("D;", "E01"),
        ("D", "OK"),
        ("qAttached", "1"),
        ("qAttached:a", "1"),
        ("qAttached:b", "E01"),
        ("qAttached:x", "E01"),
    ],
)
def test_one_packet(client: Client, packet: str, reply: str) -> None:
    assert client.ask(packet) == reply


def test_the_general_thread_goes_with_its_process(modern: Client, target: SimulatedTarget) -> None:
    target.add_process(20)
    modern.talk(("Hgp14.14", "OK"), ("vKill;14", "OK"), ("qC", "QCpa.a"), ("D;a", "OK"))
    modern.talk(("qC", "E.no such thread"), ("D", "E.there is nothing to detach from"))
    assert target.ended == [("kill", 20), ("detach", 10)]


def test_detach_everything(client: Client, target: SimulatedTarget) -> None:
    target.add_process(20)
    client.talk(("D", "OK"), ("D", "E01"))
    assert target.ended == [("detach", 10), ("detach", 20)]


def test_kill_everything_ends_the_server(client: Client, target: SimulatedTarget) -> None:
    target.add_process(20)
    client.talk(("k", None))
    assert target.ended == [("kill", 10), ("kill", 20)]
    assert client.exits == 1


def test_kill_everything_in_extended_mode(client: Client, target: SimulatedTarget) -> None:
    client.talk(("!", "OK"), ("vCont;c", None), ("k", None), ("?", "W00"))
    assert target.ended == [("kill", 10)]
    assert client.exits == 0
    client.replies(f"vRun;{text('/x')}")
    assert client.ask("vCont;s").startswith("T05")


def test_restart(client: Client, target: SimulatedTarget) -> None:
    client.talk(("R00", None))
    assert target.ended == [], "it belongs to extended mode"
    client.talk(("!", "OK"))
    client.replies(f"vRun;{text('/x')};{text('y')}")
    client.talk(("R00", None), ("qC", f"QC{FIRST_PID:x}"), ("qAttached", "0"))
    assert target.last_arguments == ("/x", "y")
    assert {pid for _, pid in target.ended} == {10, FIRST_PID}


@pytest.mark.parametrize("packet", ["k", "R00", "vKill;a", "D", "D;a"])
def test_no_stop_is_waited_for_once_all_processes_are_gone(client: Client, packet: str) -> None:
    client.talk(("!", "OK"), ("vCont;c", None))
    client.replies(packet)
    client.replies(f"vRun;{text('/x')}")
    assert client.ask("vCont;s").startswith("T05")


def test_restart_of_nothing(client: Client) -> None:
    client.talk(("!", "OK"), ("R00", None), ("?", "W00"))


def test_launch_settings(client: Client, target: SimulatedTarget) -> None:
    client.talk(
        ("QDisableRandomization:1", "OK"),
        ("QStartupWithShell:0", "OK"),
        (f"QSetWorkingDir:{text('/tmp/ä')}", "OK"),
        (f"QEnvironmentHexEncoded:{text('A=1=2')}", "OK"),
        (f"QEnvironmentHexEncoded:{text('B=')}", "OK"),
        (f"QEnvironmentHexEncoded:{text('C=x')}", "OK"),
        (f"QEnvironmentUnset:{text('C')}", "OK"),
        (f"QEnvironmentUnset:{text('D')}", "OK"),
    )
    assert (target.randomize, target.with_shell, target.directory) == (False, False, "/tmp/ä")
    assert target.environment == {"A": "1=2", "B": ""}
    client.talk(
        ("QDisableRandomization:0", "OK"),
        ("QStartupWithShell:1", "OK"),
        ("QSetWorkingDir:", "OK"),
        ("QEnvironmentReset", "OK"),
    )
    assert (target.randomize, target.with_shell, target.directory) == (True, True, None)
    assert target.environment == {}


@pytest.mark.parametrize(
    "packet",
    [
        "QDisableRandomization:2",
        "QDisableRandomization",
        "QStartupWithShell:",
        "QEnvironmentHexEncoded:" + text("A"),
        "QEnvironmentHexEncoded:" + text("=x"),
        "QEnvironmentHexEncoded:4",
        "QEnvironmentHexEncoded:" + text("A=\0"),
        "QEnvironmentUnset:x",
        "QSetWorkingDir:x",
        "QPassSignals:x",
        "QProgramSignals:-1",
        "QCatchSyscalls",
        "QCatchSyscalls:2",
        "QCatchSyscalls:0;1",
        "QCatchSyscalls:1;x",
    ],
)
def test_settings_that_cannot_be(client: Client, packet: str) -> None:
    assert client.ask(packet) == "E01"


def test_signals_are_translated(client: Client, target: SimulatedTarget) -> None:
    client.talk(
        (f"QPassSignals:{GDB_SIGUSR1:x};{GDB_SIGALRM:x};0;97", "OK"),
        (f"QProgramSignals:{GDB_SIGSEGV:x}", "OK"),
    )
    assert target.passed == {SIGUSR1, SIGALRM}
    assert target.program == {SIGSEGV}
    client.talk(("QPassSignals:", "OK"), ("QProgramSignals:", "OK"))
    assert target.passed == target.program == frozenset()


def test_a_passed_signal_stops_nothing(client: Client, target: SimulatedTarget) -> None:
    client.talk((f"QPassSignals:{GDB_SIGUSR1:x}", "OK"))
    target.upcoming.extend([SignalStop(LEADER, SIGUSR1), SignalStop(LEADER, SIGALRM)])
    assert client.ask("vCont;c").startswith(f"T{GDB_SIGALRM:02x}")


def test_a_new_session_passes_no_signal(client: Client, target: SimulatedTarget) -> None:
    client.talk((f"QPassSignals:{GDB_SIGUSR1:x}", "OK"))
    Client(target)
    assert target.passed == frozenset()


def test_system_calls(client: Client, target: SimulatedTarget) -> None:
    calls = [
        SyscallStop(LEADER, 1, entry=True),
        SyscallStop(LEADER, 231, entry=True),
        SyscallStop(LEADER, 0, False),
    ]
    client.talk(("QCatchSyscalls:1;e7", "OK"))
    assert target.caught == {10: frozenset({231})}
    target.upcoming.extend(calls)
    assert client.ask("vCont;c").startswith("T05syscall_entry:e7;")
    client.talk(("QCatchSyscalls:1", "OK"))
    assert target.caught == {10: None}
    assert client.ask("vCont;c").startswith("T05syscall_return:0;")
    client.talk(("QCatchSyscalls:0", "OK"))
    assert target.caught == {10: frozenset()}

"""Getting to know each other: what is offered follows from what the target has."""

from __future__ import annotations

import pytest
from rsp_client import ALL_FEATURES, Client

from gdbstub.testing.target import SimulatedTarget

ALWAYS = {
    "PacketSize=20000",
    "QStartNoAckMode+",
    "binary-upload+",
    "no-resumed+",
    "qXfer:features:read+",
    "qXfer:threads:read+",
}
OF_A_CORE = ALWAYS | {
    "qXfer:auxv:read+",
    "qXfer:exec-file:read+",
    "qXfer:libraries-svr4:read+",
    "augmented-libraries-svr4-read+",
    "qXfer:siginfo:read+",
    "qXfer:siginfo:write+",
}
OF_A_PROCESS = OF_A_CORE | {
    "multiprocess+",
    "vContSupported+",
    "swbreak+",
    "hwbreak+",
    "ConditionalBreakpoints+",
    "BreakpointCommands+",
    "QNonStop+",
    "QThreadEvents+",
    "QPassSignals+",
    "QProgramSignals+",
    "QCatchSyscalls+",
    "QDisableRandomization+",
    "QStartupWithShell+",
    "QEnvironmentHexEncoded+",
    "QEnvironmentUnset+",
    "QEnvironmentReset+",
    "QSetWorkingDir+",
    "fork-events+",
    "vfork-events+",
    "exec-events+",
    "qXfer:osdata:read+",
}
NEEDING_A_PROCESS = (
    "!",
    "C0b",
    "D",
    "QCatchSyscalls:1",
    "QDisableRandomization:1",
    "QEnvironmentReset",
    "QNonStop:1",
    "QPassSignals:",
    "QThreadEvents:1",
    "R00",
    "S0b",
    "Z0,401000,1",
    "c",
    "k",
    "qAttached",
    "qGetTLSAddr:a,0,0",
    "qSymbol::",
    "qXfer:osdata:read::0,100",
    "s",
    "vAttach;1",
    "vCont;c",
    "vCont?",
    "vCtrlC",
    "vFile:open:2f,0,0",
    "vKill;a",
    "vRun;2f",
    "vStopped",
    "z0,401000,1",
)


def test_a_process_offers_all_there_is(client: Client) -> None:
    assert set(client.ask("qSupported").split(";")) == OF_A_PROCESS


def test_a_core_offers_what_can_be_looked_at(core: Client) -> None:
    assert set(core.ask("qSupported:multiprocess+").split(";")) == OF_A_CORE


@pytest.mark.parametrize("packet", NEEDING_A_PROCESS)
def test_a_core_does_not_know_what_it_cannot_do(core: Client, client: Client, packet: str) -> None:
    assert core.ask(packet) == ""
    assert client.replies(packet) != [""], "the process does not know it either"


@pytest.mark.parametrize(
    "packet", ["vMustReplyEmpty", "", "q", "v", "Q", "qFoo", "vFoo;1", "y", "jFoo", "bc", "bs", "A"]
)
def test_unknown_packets_are_answered_empty(client: Client, packet: str) -> None:
    assert client.ask(packet) == ""


def test_a_longer_name_is_another_packet(client: Client) -> None:
    client.talk(("qC", "QCa"), ("qCfoo", ""), ("qAttachedfoo", ""), ("vContfoo;c", ""))


def test_features_are_the_connection_s_own(target: SimulatedTarget) -> None:
    Client(target, ALL_FEATURES)
    assert target.reported == {"fork", "vfork", "exec"}
    plain = Client(target)
    assert target.reported == frozenset()
    plain.talk(("qC", "QCa"))


def test_the_last_qsupported_counts(modern: Client) -> None:
    modern.talk(("qC", "QCpa.a"))
    modern.ask("qSupported:xmlRegisters=i386;multiprocess-;fork-events+")
    modern.talk(("qC", "QCa"))
    assert isinstance(modern.target, SimulatedTarget)
    assert modern.target.reported == {"fork"}


def test_odd_feature_lists_are_taken(client: Client) -> None:
    for features in (":", ":;;;", ":+", ":multiprocess", ":a=b+;\xff+", ""):
        assert client.ask("qSupported" + features).startswith("PacketSize=")


def test_packets_can_be_left_out(target: SimulatedTarget) -> None:
    client = Client(target, disabled=frozenset({"qC", "qfThreadInfo", "threads", "vCont"}))
    client.talk(("qC", ""), ("qfThreadInfo", ""), ("vCont?", ""), ("vCont;c", ""))
    assert client.ask("qXfer:threads:read::0,1000") == ""
    assert "vContSupported+" in client.ask("qSupported")


def test_stop_replies_can_be_left_shorter(target: SimulatedTarget) -> None:
    assert Client(target, disabled=frozenset({"T"})).ask("?") == "S00"
    assert "thread:" not in Client(target, disabled=frozenset({"Tthread"})).ask("?")


@pytest.mark.parametrize(
    ("packet", "reply"),
    [
        ("!", "OK"),
        ("qOffsets", ""),
        ("QStartNoAckMode", "OK"),
        ("QNonStop:1", "OK"),
        ("QNonStop:0", "OK"),
        ("QNonStop:2", "E01"),
        ("QNonStop", "E01"),
    ],
)
def test_modes(client: Client, packet: str, reply: str) -> None:
    assert client.ask(packet) == reply


def test_extended_mode_is_remembered(client: Client) -> None:
    assert not client.session.extended
    client.ask("!")
    assert client.session.extended


def test_errors_are_numbers_until_the_client_understands_text(client: Client) -> None:
    client.talk(("m0,4", "E01"))
    client.ask("qSupported:error-message+")
    client.talk(
        ("m0,4", "E.Cannot access memory at address 0x0"), ("mx,4", "E.a hexadecimal number is needed")
    )
    client.ask("qSupported:error-message-")
    client.talk(("m0,4", "E01"))


def test_error_text_has_nothing_that_means_something_in_a_packet(modern: Client) -> None:
    assert isinstance(modern.target, SimulatedTarget)
    modern.target.programs = frozenset()
    name = b"/tmp/a*b#c$d}".hex()
    assert modern.ask("vRun;" + name) == "E.Cannot run /tmp/a b c d : no such file"
    assert modern.ask("vRun;" + "/tmp/\udcff".encode(errors="surrogateescape").hex()) == (
        "E.Cannot run /tmp/?: no such file"
    )

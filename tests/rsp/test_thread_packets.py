"""H, T, qC, thread lists, thread details, thread-local storage."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
from rsp_client import Client

from gdbstub.rsp.session import PACKET_SIZE
from gdbstub.target.values import ThreadCreated, ThreadId
from gdbstub.testing.target import SimulatedTarget


@pytest.mark.parametrize(
    ("packet", "reply"),
    [
        ("Hga", "OK"),
        ("Hgb", "OK"),
        ("Hg0", "OK"),
        ("Hg-1", "OK"),
        ("Hgpa.b", "OK"),
        ("Hgpa.-1", "OK"),
        ("Hgpa", "OK"),
        ("Hgp0.0", "OK"),
        ("Hgp-1.-1", "OK"),
        ("Hgc", "E01"),
        ("Hgpb.b", "E01"),
        ("Hgpb.-1", "E01"),
        ("Hgp9.0", "E01"),
        ("Hg", "E01"),
        ("Hgx", "E01"),
        ("Hgpa.", "E01"),
        ("Hgp", "E01"),
        ("Hg.a", "E01"),
        ("Hg-2", "E01"),
        ("Hg123456789", "E01"),
        ("Hc-1", "OK"),
        ("Hc0", "OK"),
        ("Hcb", "OK"),
        ("Hcx", "E01"),
        ("Hxa", ""),
        ("H", ""),
        ("Ta", "OK"),
        ("Tpa.b", "OK"),
        ("Tc", "E01"),
        ("Tpb.b", "E01"),
        ("T", "E01"),
        ("Tx", "E01"),
        ("qThreadExtraInfo,b", b"thread11".hex()),
        ("qThreadExtraInfo,c", "E01"),
        ("qThreadExtraInfo", "E01"),
        ("QThreadEvents:1", "OK"),
        ("QThreadEvents:0", "OK"),
        ("QThreadEvents:2", "E01"),
        ("QThreadEvents", "E01"),
    ],
)
def test_one_packet(client: Client, packet: str, reply: str) -> None:
    assert client.ask(packet) == reply


def test_the_current_thread_is_the_chosen_one(client: Client) -> None:
    client.talk(
        ("qC", "QCa"),
        ("Hgb", "OK"),
        ("qC", "QCb"),
        ("Hgc", "E01"),
        ("qC", "QCb"),
        ("Hg0", "OK"),
        ("qC", "QCb"),
    )


def test_any_thread_is_the_first_once_the_chosen_one_is_gone(client: Client, target: SimulatedTarget) -> None:
    client.talk(("Hgb", "OK"))
    del target.process(10).threads[11]
    client.talk(("T", "E01"), ("Tb", "E01"), ("Hg0", "OK"), ("qC", "QCa"))


def test_ids_name_the_process_for_a_client_that_knows(modern: Client, target: SimulatedTarget) -> None:
    target.add_process(20)
    modern.talk(
        ("qC", "QCpa.a"),
        ("Hgp14.-1", "OK"),
        ("qC", "QCp14.14"),
        ("Hgpa.0", "OK"),
        ("qC", "QCpa.a"),
        ("qfThreadInfo", "mpa.a,pa.b,p14.14"),
        ("qsThreadInfo", "l"),
        ("qsThreadInfo", "l"),
    )


def test_a_plain_client_s_ids_find_the_process(client: Client, target: SimulatedTarget) -> None:
    target.add_process(20)
    client.talk(("Hg14", "OK"), ("qC", "QC14"), ("qfThreadInfo", "ma,b,14"), ("qsThreadInfo", "l"))


def test_nothing_to_choose() -> None:
    client = Client(SimulatedTarget())
    client.talk(
        ("Hg0", "OK"), ("Hga", "E01"), ("qC", "E01"), ("qfThreadInfo", "l"), ("Ta", "E01"), ("g", "E01")
    )


def test_a_list_too_long_for_a_packet_comes_in_pieces() -> None:
    target = SimulatedTarget()
    tids = range(0x10000000, 0x10000000 + PACKET_SIZE // 8)
    target.add_process(1, tuple(tids))
    client = Client(target)
    listed: list[str] = []
    reply = client.ask("qfThreadInfo")
    pieces = 0
    while reply != "l":
        assert reply[0] == "m"
        assert len(reply) <= PACKET_SIZE
        listed += reply[1:].split(",")
        pieces += 1
        reply = client.ask("qsThreadInfo")
    assert pieces > 1
    assert [int(each, 16) for each in listed] == [1, *tids]


def thread_list(client: Client) -> list[dict[str, str]]:
    text = client.ask("qXfer:threads:read::0,10000")
    assert text[0] == "l"
    return [dict(element.attrib) for element in ElementTree.fromstring(text[1:].encode("latin-1"))]


def test_the_list_as_xml(modern: Client, target: SimulatedTarget) -> None:
    first, second = target.process(10).threads.values()
    first.name, first.core = 'a<b>&"c', 3
    second.name, second.core = "ü\x01\n", None
    assert thread_list(modern) == [
        {"id": "pa.a", "core": "3", "name": 'a<b>&"c'},
        {"id": "pa.b", "name": "ü??"},
    ]
    second.name = ""
    assert thread_list(modern)[1] == {"id": "pa.b"}


def test_the_list_as_xml_for_a_plain_client(client: Client) -> None:
    assert [thread["id"] for thread in thread_list(client)] == ["a", "b"]


def test_new_threads_are_told_if_wanted(client: Client, target: SimulatedTarget) -> None:
    client.talk(("QThreadEvents:1", "OK"))
    target.upcoming.append(ThreadCreated(ThreadId(10, 12)))
    reply = client.ask("vCont;c")
    assert reply.startswith("T05create:;")
    assert "thread:c;" in reply
    client.talk(("QThreadEvents:0", "OK"))
    target.upcoming.append(ThreadCreated(ThreadId(10, 13)))
    assert client.replies("vCont;c") == []
    assert ThreadId(10, 13) in target.threads()


def test_symbols_are_asked_for_one_after_the_other(client: Client, target: SimulatedTarget) -> None:
    base, step = (name.encode().hex() for name in target.symbols)
    client.talk(
        ("qGetTLSAddr:b,18,100", "E01"),
        ("qSymbol::", f"qSymbol:{base}"),
        (f"qSymbol:7000:{base}", f"qSymbol:{step}"),
        (f"qSymbol:1000:{step}", "OK"),
        ("qGetTLSAddr:b,18,100", f"{0x7000 + 11 * 0x1000 + 0x118:x}"),
        ("qGetTLSAddr:pa.a,0,0", f"{0x7000 + 10 * 0x1000:x}"),
    )
    assert target.symbol_values == {10: {"simulated_tls_base": 0x7000, "simulated_tls_step": 0x1000}}


def test_symbols_are_those_of_the_general_process(client: Client, target: SimulatedTarget) -> None:
    target.add_process(20)
    base, step = (name.encode().hex() for name in target.symbols)
    for general, value in (("p14.14", "9000"), ("pa.a", "7000")):
        client.talk((f"Hg{general}", "OK"), (f"qSymbol:{value}:{base}", f"qSymbol:{step}"))
        client.talk((f"qSymbol:0:{step}", "OK"))
    client.talk(("qGetTLSAddr:p14.14,0,0", "9000"), ("qGetTLSAddr:pa.a,0,0", "7000"))


def test_a_symbol_that_the_program_lacks(client: Client, target: SimulatedTarget) -> None:
    base, step = (name.encode().hex() for name in target.symbols)
    client.talk((f"qSymbol:7000:{base}", f"qSymbol:{step}"), (f"qSymbol::{base}", f"qSymbol:{step}"))
    assert target.symbol_values == {10: {}}
    client.talk(("qGetTLSAddr:a,0,0", "E01"))


@pytest.mark.parametrize(
    ("packet", "reply"),
    [
        ("qSymbol", "E01"),
        ("qSymbol:x:61", "E01"),
        ("qSymbol:1:6", "E01"),
        ("qSymbol:1:6100", "E01"),
        ("qSymbol:1:61", "OK"),
        ("qGetTLSAddr:c,0,0", "E01"),
        ("qGetTLSAddr:a,0", "E01"),
        ("qGetTLSAddr:a", "E01"),
        ("qGetTLSAddr", "E01"),
        ("qGetTLSAddr:a,x,0", "E01"),
    ],
)
def test_thread_local_storage(client: Client, packet: str, reply: str) -> None:
    assert client.ask(packet) == reply

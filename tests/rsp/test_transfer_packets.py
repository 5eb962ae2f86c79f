"""qXfer: objects in pieces."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rsp_client import Client, to_bytes

from gdbstub.arch.target_xml import target_xml
from gdbstub.linux.siginfo import SigInfo
from gdbstub.rsp.packet import escape, unescape
from gdbstub.rsp.session import PACKET_SIZE
from gdbstub.testing.target import SimulatedTarget

SIGINFO = "qXfer:siginfo"


def read(client: Client, name: str, annex: str = "", size: int = 0x1000) -> bytes:
    """A whole object, in pieces of a size."""
    contents = b""
    while True:
        reply = to_bytes(client.ask(f"qXfer:{name}:read:{annex}:{len(contents):x},{size:x}"))
        assert reply[:1] in (b"m", b"l")
        piece = unescape(reply[1:])
        assert len(piece) <= size
        contents += piece
        if reply[:1] == b"l":
            return contents


@pytest.mark.parametrize(
    ("packet", "reply"),
    [
        ("qXfer:features:read:target.xml:0,5", "m<?xml"),
        ("qXfer:features:read:target.xml:100000,5", "l"),
        ("qXfer:features:read:target.xml:0,0", "m"),
        ("qXfer:features:read:64bit-core.xml:0,5", "E01"),
        ("qXfer:features:read::0,5", "E01"),
        ("qXfer:features:write:target.xml:0:x", ""),
        ("qXfer:features:read:target.xml", "E01"),
        ("qXfer:features:read:target.xml:0", "E01"),
        ("qXfer:features:read:target.xml:x,5", "E01"),
        ("qXfer:features:seek:target.xml:0,5", ""),
        ("qXfer:features", "E01"),
        ("qXfer", "E01"),
        ("qXfer:spu:read::0,5", ""),
        ("qXfer:auxv:read::0,100", "l" + "\0" * 16),
        ("qXfer:auxv:read::8,100", "l" + "\0" * 8),
        ("qXfer:auxv:read::0,8", "m" + "\0" * 8),
        ("qXfer:auxv:read::10,8", "l"),
        ("qXfer:exec-file:read:a:0,100", "l/bin/simulated"),
        ("qXfer:exec-file:read::0,100", "l/bin/simulated"),
        ("qXfer:exec-file:read:b:0,100", "E01"),
        ("qXfer:exec-file:read:x:0,100", "E01"),
        ("qXfer:libraries-svr4:read::0,100", 'l<library-list-svr4 version="1.0"></library-list-svr4>'),
        ("qXfer:libraries-svr4:read:start=0;prev=0;lmid=0:0,9", "m<library-"),
        ("qXfer:libraries-svr4:read:start=x:0,9", "E01"),
        ("qXfer:osdata:read::0,100", "l<osdata/>"),
        ("qXfer:osdata:read:processes:0,100", 'l<osdata type="processes"></osdata>'),
        ("qXfer:osdata:read:absent:0,100", "E01"),
        ("qXfer:osdata:read:\xff:0,100", "E01"),
        (f"{SIGINFO}:write::0:\x0b", "1"),
        (f"{SIGINFO}:write::80:\x0b", "E01"),
        (f"{SIGINFO}:write::7f:ab", "E01"),
        (f"{SIGINFO}:write::7f:}}\x03", "1"),
        (f"{SIGINFO}:write::0:}}", "E01"),
        (f"{SIGINFO}:write::0", "E01"),
        (f"{SIGINFO}:write::x:ab", "E01"),
        (f"{SIGINFO}:write::0:", "0"),
    ],
)
def test_one_packet(client: Client, packet: str, reply: str) -> None:
    assert client.ask(packet) == reply


@given(st.binary(max_size=300), st.integers(1, 70))
def test_any_object_arrives_whole_in_pieces_of_any_size(contents: bytes, size: int) -> None:
    target = SimulatedTarget()
    target.add_process(10).auxiliary_vector = contents
    assert read(Client(target), "auxv", size=size) == contents


def test_a_piece_is_no_longer_than_a_packet() -> None:
    target = SimulatedTarget()
    target.add_process(10).auxiliary_vector = b"#" * (3 * PACKET_SIZE)
    client = Client(target)
    assert len(client.ask("qXfer:auxv:read::0,ffffffffffffffff")) <= PACKET_SIZE
    contents = b""
    for _ in range(10):
        reply = to_bytes(client.ask(f"qXfer:auxv:read::{len(contents):x},fffffff"))
        contents += unescape(reply[1:])
        if reply[:1] == b"l":
            break
    assert contents == b"#" * (3 * PACKET_SIZE)


def test_an_object_that_changes_while_it_is_read_is_read_as_it_was(
    client: Client, target: SimulatedTarget
) -> None:
    process = target.process(10)
    process.auxiliary_vector = b"old object"
    client.talk(("qXfer:auxv:read::0,4", "mold "))
    process.auxiliary_vector = b"NEW"
    client.talk(("qXfer:auxv:read::4,4", "mobje"), ("qXfer:auxv:read::8,4", "lct"))
    client.talk(("qXfer:auxv:read::4,4", "l"), ("qXfer:auxv:read::0,4", "lNEW"))


def test_two_objects_are_read_by_turns(client: Client, target: SimulatedTarget) -> None:
    target.process(10).auxiliary_vector = b"abcd"
    client.talk(
        ("qXfer:auxv:read::0,2", "mab"),
        ("qXfer:exec-file:read:a:0,4", "m/bin"),
        ("qXfer:auxv:read::2,2", "lcd"),
        ("qXfer:exec-file:read:a:4,b", "l/simulated"),
    )


def test_the_description_of_the_general_thread_s_process(client: Client, target: SimulatedTarget) -> None:
    text = read(client, "features", "target.xml").decode()
    assert text == target_xml(target.architecture(10))
    assert ElementTree.fromstring(text).tag == "target"


def test_a_siginfo_is_changed_in_place(client: Client, target: SimulatedTarget) -> None:
    thread = target.process(10).threads[10]
    thread.siginfo = SigInfo.make(11, pid=7).raw
    assert read(client, "siginfo") == thread.siginfo
    assert client.ask(f"{SIGINFO}:write::10:" + escape((8).to_bytes(4, "little")).decode("latin-1")) == "4"
    assert SigInfo(thread.siginfo).sender == 8
    assert SigInfo(thread.siginfo).number == 11


def test_a_core_s_siginfo_cannot_be_changed(core: Client) -> None:
    assert len(read(core, "siginfo")) == 128
    core.talk((f"{SIGINFO}:write::0:a", "E01"))

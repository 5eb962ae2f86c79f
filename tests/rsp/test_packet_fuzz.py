"""Whatever a client sends: the session survives, answers in well-formed packets, and can still be used."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rsp_client import ALL_FEATURES, Client, frame, take_apart

from gdbstub.rsp.packet import escape
from gdbstub.rsp.registry import COMMANDS
from gdbstub.target.interfaces import Target
from gdbstub.target.values import ProcessExited, SignalStop, ThreadId
from gdbstub.testing.simulated_state import CODE, DATA
from gdbstub.testing.target import SimulatedCore, SimulatedTarget

HEX = b"0123456789abcdef"
NUMBERS = st.one_of(
    st.sampled_from([b"0", b"1", b"-1", b"a", b"b", b"%x" % CODE, b"%x" % DATA, b"7fffffffffffffff"]),
    st.sampled_from([b"8000000000000000", b"ffffffffffffffff", b"1" + b"0" * 16, b"f" * 40, b"", b"0x10"]),
    st.integers(0, 1 << 64).map(lambda value: b"%x" % value),
)
WORDS = st.sampled_from(
    b"""pa.a p-1.-1 p0.0 pa c s:a C0b:pa.b r401000,401004:a t read write memory features target.xml auxv
    siginfo threads osdata exec-file libraries-svr4 open pread pwrite close fstat unlink readlink setfs
    X2,2200 X3,220027 cmds:0,X1,27 start=0 2f62696e2f78 6578697420 ff GG""".split()
)
ARGUMENTS = st.one_of(
    st.binary(max_size=40),
    st.binary(max_size=20).map(escape),
    st.lists(NUMBERS | WORDS | st.sampled_from([b":", b";", b",", b".", b"=", b""]), max_size=9).map(
        b"".join
    ),
    st.lists(NUMBERS | WORDS, max_size=4).map(b",".join),
    st.lists(NUMBERS | WORDS, max_size=5).map(b":".join).map(lambda text: b":" + text),
    st.lists(NUMBERS | WORDS, max_size=4).map(b";".join).map(lambda text: b";" + text),
    st.text("0123456789abcdef", max_size=60).map(str.encode),
)
NAMES = sorted(COMMANDS)
PACKETS = st.one_of(
    st.tuples(st.sampled_from(NAMES), ARGUMENTS).map(b"".join),
    st.sampled_from(
        [b"?", b"vCont;c", b"vCont;s", b"vStopped", b"QNonStop:1", b"QNonStop:0", b"Z0,401010,1"]
    ),
    st.sampled_from(
        [b"vRun;2f62696e2f78", b"vAttach;63", b"vKill;a", b"D;a", b"Hgpb.b", b"Hg0", b"Hc-1", b"D"]
    ),
    st.binary(max_size=20),
)

STOP_REPLY = (
    rb"(T[0-9a-f]{2}([^:;]+:[^;]*;)*"
    rb"|[WX][0-9a-f]{2}(;process:[0-9a-f]+)?|w[0-9a-f]{2};p?[0-9a-f]+(\.[0-9a-f]+)?|N)"
)
NOTIFICATION = re.compile(rb"%Stop:" + STOP_REPLY + rb"\Z")
ERRORS = re.compile(rb"(E[0-9a-f]{2}|E\.[^#$*}]+)\Z")


def fresh() -> SimulatedTarget:
    target = SimulatedTarget()
    target.add_process(10, (11,))
    target.attachable = frozenset({0x63})
    target.files["/bin/x"] = bytearray(b"program")
    target.upcoming.extend([SignalStop(ThreadId(10, 11), 11), ProcessExited(10, 3)])
    return target


def core() -> SimulatedCore:
    target = SimulatedCore()
    target.add_process(10, (11,))
    return target


def check(stream: bytes) -> list[bytes]:
    """Everything that came back is framed and escaped, and notifications are what they should be."""
    packets = take_apart(stream)
    for packet in packets:
        if packet.startswith(b"%"):
            assert NOTIFICATION.match(packet), packet
        elif packet.startswith(b"E") and len(packet) > 1:
            assert ERRORS.match(packet), packet
    return packets


@pytest.mark.parametrize("name", NAMES, ids=bytes.decode)
@pytest.mark.parametrize("make", [fresh, core])
@settings(max_examples=40)
@given(arguments=ARGUMENTS, modern=st.booleans())
def test_any_arguments_are_answered(make: type[Target], name: bytes, arguments: bytes, modern: bool) -> None:
    client = Client(make(), ALL_FEATURES if modern else None)
    replies = check(client.raw(frame(escape(name + arguments))))
    assert len([reply for reply in replies if not reply.startswith((b"%", b"O"))]) <= 2
    assert_usable(client)


@settings(max_examples=300)
@given(st.lists(PACKETS, max_size=12), st.booleans())
def test_any_dialogue_leaves_a_session_that_answers(packets: list[bytes], modern: bool) -> None:
    client = Client(fresh(), ALL_FEATURES if modern else None)
    for packet in packets:
        check(client.raw(frame(packet)))
    assert_usable(client)


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=60), max_size=10))
def test_any_bytes_leave_a_session_that_answers(pieces: list[bytes]) -> None:
    client = Client(fresh())
    for piece in pieces:
        check(client.raw(piece))
    # A packet that was begun is broken off by the next one.
    assert take_apart(client.raw(frame(b"qSupported")))[-1].startswith(b"PacketSize=")


def assert_usable(client: Client) -> None:
    (reply,) = take_apart(client.raw(frame(b"qSupported")))
    assert reply.startswith(b"PacketSize=")
    if isinstance(client.target, SimulatedTarget):
        client.target.non_stop = False
        (stop,) = take_apart(client.raw(frame(b"?")))
        assert re.match(STOP_REPLY + rb"\Z", stop), stop

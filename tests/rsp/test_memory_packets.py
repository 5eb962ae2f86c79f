"""m, x, M, X, qSearch and qCRC."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rsp_client import Client, to_bytes

from gdbstub.rsp.packet import escape, unescape
from gdbstub.rsp.session import PACKET_SIZE
from gdbstub.target.interfaces import Target
from gdbstub.testing.simulated_state import DATA, PAGE
from gdbstub.testing.target import SimulatedTarget


@pytest.mark.parametrize(
    ("packet", "reply"),
    [
        ("m404000,4", "00010203"),
        ("m404010,1", "10"),
        ("m404ffe,8", "feff"),
        ("m405000,1", "E01"),
        ("m0,1", "E01"),
        ("mffffffffffffffff,ff", "E01"),
        ("m404000,0", ""),
        ("m404000", "E01"),
        ("m404000,", "E01"),
        ("m,4", "E01"),
        ("m404000,4,4", "E01"),
        ("m404000,-1", "E01"),
        ("m0x404000,4", "E01"),
        ("m10000000000404000,4", "E01"),
        ("m 404000,4", "E01"),
        ("x404000,4", "b\x00\x01\x02\x03"),
        ("x404022,4", "b\x22}\x03}\x04\x25"),
        ("x404029,2", "b\x29}\x0a"),
        ("x40407d,1", "b}]"),
        ("x404ffe,8", "b\xfe\xff"),
        ("x404000,0", "b"),
        ("x0,1", "E01"),
        ("x404000", "E01"),
        ("M404000,2:aabb", "OK"),
        ("M404000,0:", "OK"),
        ("M404000,2:aa", "E01"),
        ("M404000,1:aabb", "E01"),
        ("M404000,1:zz", "E01"),
        ("M404000,1:a", "E01"),
        ("M404000,1", "E01"),
        ("M0,1:aa", "E01"),
        ("M404fff,2:aabb", "E01"),
        ("X404000,2:ab", "OK"),
        ("X404000,1:}\x03", "OK"),
        ("X404000,1::", "OK"),
        ("X404000,0:", "OK"),
        ("X0,0:", "OK"),
        ("X404000,1:ab", "E01"),
        ("X404000,1:}", "E01"),
        ("X0,1:a", "E01"),
    ],
)
def test_access(client: Client, packet: str, reply: str) -> None:
    assert client.ask(packet) == reply


def test_what_is_written_is_read(client: Client) -> None:
    client.talk(
        ("M404000,4:deadbeef", "OK"),
        ("m403fff,2", "E01"),
        ("m404000,6", "deadbeef0405"),
        ("X404004,3:}\x03:}]", "OK"),
        ("m404000,8", "deadbeef233a7d07"),
    )


@given(st.binary(min_size=1, max_size=300), st.integers(0, PAGE - 300))
def test_any_bytes_survive_in_both_directions(contents: bytes, offset: int) -> None:
    target = SimulatedTarget()
    target.add_process(10)
    client = Client(target)
    place = f"{DATA + offset:x},{len(contents):x}"
    assert client.ask(f"X{place}:" + escape(contents).decode("latin-1")) == "OK"
    assert client.ask(f"m{place}") == contents.hex()
    reply = to_bytes(client.ask(f"x{place}"))
    assert (reply[:1], unescape(reply[1:])) == (b"b", contents)


@pytest.mark.parametrize("packet", ["m", "x"])
def test_a_reply_is_as_long_as_a_packet_may_be(packet: str) -> None:
    target = SimulatedTarget()
    target.add_process(10, regions={DATA: b"#" * PACKET_SIZE})
    client = Client(target)
    reply = to_bytes(client.ask(f"{packet}{DATA:x},ffffffff"))
    assert len(reply) in (PACKET_SIZE, PACKET_SIZE + 1)


def test_memory_is_the_general_thread_s_process_s(client: Client, target: SimulatedTarget) -> None:
    target.add_process(20, regions={DATA: b"\xaa\xbb"})
    client.talk(
        ("m404000,2", "0001"), ("Hg14", "OK"), ("m404000,2", "aabb"), ("Hga", "OK"), ("m404000,2", "0001")
    )


def test_without_a_process_there_is_no_memory() -> None:
    Client(SimulatedTarget()).talk(("m404000,1", "E01"), ("X404000,1:a", "E01"), ("X0,0:", "OK"))


def test_a_core_s_memory_cannot_be_changed(core: Client) -> None:
    core.talk(("m404000,2", "0001"), ("M404000,1:ff", "E01"), ("X404000,1:a", "E01"), ("m404000,2", "0001"))


def scattered() -> Client:
    """Two regions with a hole between them, and two that touch each other."""
    target = SimulatedTarget()
    target.add_process(
        10, regions={0x1000: b"abcneedle", 0x5000: b"0123", 0x5004: b"4567needle", 0x9000: b"}#$*"}
    )
    return Client(target)


@pytest.mark.parametrize(
    ("packet", "reply"),
    [
        ("qSearch:memory:1000;1000;needle", "1,1003"),
        ("qSearch:memory:1003;6;needle", "1,1003"),
        ("qSearch:memory:1003;5;needle", "0"),
        ("qSearch:memory:1004;8000;needle", "1,5008"),
        ("qSearch:memory:0;ffffffff;3456", "1,5003"),
        ("qSearch:memory:0;ffffffffffffffff;absent", "0"),
        ("qSearch:memory:0;ffff;}]}\x03}\x04", "1,9000"),
        ("qSearch:memory:0;ffff;a;b", "0"),
        ("qSearch:memory:1000;0;a", "0"),
        ("qSearch:memory:1000;9;", "E01"),
        ("qSearch:memory:1000;9", "E01"),
        ("qSearch:memory:x;9;a", "E01"),
        ("qSearch:memory:1000;9;}", "E01"),
        ("qSearch:memory:", "E01"),
        ("qSearch:registers:1;2;3", ""),
        ("qSearch", ""),
    ],
)
def test_search(packet: str, reply: str) -> None:
    assert scattered().ask(packet) == reply


def test_a_pattern_across_the_blocks_of_a_search_is_found() -> None:
    block = 1 << 20
    target = SimulatedTarget()
    target.add_process(10, regions={0: bytes(block - 2) + b"ABCD" + bytes(16)})
    client = Client(target)
    client.talk((f"qSearch:memory:0;{block + 18:x};ABCD", f"1,{block - 2:x}"))
    client.talk((f"qSearch:memory:0;{block + 1:x};ABCD", "0"))


def crc32(data: bytes) -> int:
    """As the manual words it: bit by bit, the most significant first."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value >> 31 else 0)
            value &= 0xFFFFFFFF
    return value


@pytest.mark.parametrize(("address", "length"), [(0x404000, 1), (0x404000, 0x100), (0x404003, 0x7FD)])
def test_crc(client: Client, address: int, length: int) -> None:
    contents = bytes(range(256)) * 16
    expected = crc32(contents[address - DATA :][:length])
    assert client.ask(f"qCRC:{address:x},{length:x}") == f"C{expected:x}"


@pytest.mark.parametrize("packet", ["qCRC:404ffe,4", "qCRC:0,1", "qCRC:404000", "qCRC:", "qCRC:x,1"])
def test_crc_of_what_cannot_be_read(client: Client, packet: str) -> None:
    assert client.ask(packet) == "E01"


def without_map(target: Target) -> Target:
    """The same target, with nothing but what every target must have."""
    methods = {name: staticmethod(getattr(target, name)) for name in Target.__abstractmethods__}
    bare: Target = type("Bare", (Target,), methods)()
    return bare


def test_a_target_that_does_not_know_its_memory_is_searched_to_the_first_hole() -> None:
    target = SimulatedTarget()
    target.add_process(10, regions={0x1000: b"abcneedle"})
    Client(without_map(target)).talk(
        ("qSearch:memory:1000;ffff;needle", "1,1003"),
        ("qSearch:memory:1004;5;needle", "0"),
        ("qSearch:memory:1004;ffffffffffffffff;needle", "E01"),
        ("qSearch:memory:0;ffffffffffffffff;needle", "E01"),
    )

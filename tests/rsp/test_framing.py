"""Bytes to packets and back: whole, byte by byte, and cut anywhere."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rsp_client import Client, expand, frame, take_apart

from gdbstub.rsp.packet import (
    PacketReader,
    Token,
    checksum,
    compress_zeros,
    encode_notification,
    encode_packet,
    escape,
    expand_runs,
    unescape,
)

LONGEST = 1 << 16
ANY_BYTES = st.binary(max_size=600) | st.lists(
    st.sampled_from([b"0", b"00000000", b"*", b"}", b"#", b"$", b"+", b"-", b"%", b"\x03", b"a", b"0" * 90])
).map(b"".join)


def read(data: bytes, cuts: list[int], longest: int = LONGEST) -> list[bytes | Token]:
    reader = PacketReader(longest)
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    found: list[bytes | Token] = []
    for start, end in itertools.pairwise(places):
        found += reader.feed(data[start:end])
    return found


def each_byte(data: bytes) -> list[int]:
    return list(range(len(data)))


@given(ANY_BYTES, st.lists(st.integers(0, 5000), max_size=8))
def test_a_payload_survives_the_way_however_it_is_cut(payload: bytes, cuts: list[int]) -> None:
    packet = frame(escape(payload))
    (whole,) = read(packet, [])
    assert isinstance(whole, bytes)
    assert unescape(whole) == payload
    assert read(packet, cuts) == read(packet, each_byte(packet)) == [whole]


@given(st.lists(ANY_BYTES, max_size=4), st.lists(st.integers(0, 5000), max_size=8))
def test_a_stream_gives_the_same_in_any_pieces(parts: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(frame(part) for part in parts)
    assert read(stream, cuts) == read(stream, []) == read(stream, each_byte(stream))


@given(ANY_BYTES)
def test_what_is_sent_is_framed_escaped_and_run_length_coded_by_the_rules(payload: bytes) -> None:
    data = escape(payload)
    assert not set(data) & set(b"#$*")
    assert take_apart(encode_packet(data)) == [data]
    assert take_apart(encode_notification(data)) == [b"%" + data]
    assert unescape(data) == payload


@given(ANY_BYTES)
def test_checksum_is_the_sum_of_all_bytes(data: bytes) -> None:
    assert checksum(data) == sum(data) % 256
    assert checksum(data * 50) == sum(data * 50) % 256


@given(st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=3)), max_size=6))
def test_zero_runs_of_all_lengths_are_compressed(parts: list[tuple[int, bytes]]) -> None:
    data = b"".join(b"0" * zeros + escape(rest) for zeros, rest in parts)
    compressed = compress_zeros(data)
    assert expand(compressed) == expand_runs(compressed) == data
    assert len(compressed) <= len(data)
    assert b"0" * 12 not in compressed


@given(st.binary(max_size=200))
def test_every_escape_sequence_is_understood(data: bytes) -> None:
    """A sender may escape more than it must."""
    escaped = b"".join(b"}" + bytes([byte ^ 0x20]) for byte in data)
    assert unescape(escaped) == data


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"$m0,4#fd", [b"m0,4"]),
        (b"+$m0,4#FD", [Token.ACK, b"m0,4"]),
        (b"$#00", [b""]),
        (b"-", [Token.NACK]),
        (b"\x03", [Token.INTERRUPT]),
        (b"$qC#b4\x03$?#3f", [b"qC", Token.INTERRUPT, b"?"]),
        (b"xyz#12%\r\n$qC#b4", [b"qC"]),
        (b"$qC#b5", [Token.BAD_CHECKSUM]),
        (b"$qC#zz", [Token.BAD_CHECKSUM]),
        (b"$\x01#+1", [Token.BAD_CHECKSUM]),
        (b"$m0,4$qC#b4", [b"qC"]),
        (b"$$$qC#b4", [b"qC"]),
        (b"$qC#b", []),
        (b"$a\x03b#c6", [b"a\x03b"]),
    ],
)
def test_what_comes_in(data: bytes, expected: list[bytes | Token]) -> None:
    assert read(data, []) == expected
    assert read(data, each_byte(data)) == expected


def test_a_packet_without_end_is_dropped_and_the_next_one_is_read() -> None:
    endless = b"$" + b"\x03+-" * 20
    stream = endless + b"#00" + b"+" + frame(b"qC")
    assert read(stream, each_byte(stream), longest=20) == [Token.OVERFLOW, Token.ACK, b"qC"]
    assert read(endless + frame(b"qC"), each_byte(stream), longest=20) == [Token.OVERFLOW, b"qC"]


def test_the_longest_packet_is_not_too_long() -> None:
    packet = frame(b"x" * 20)
    assert read(packet, each_byte(packet), longest=20) == [b"x" * 20]


def test_a_lone_escape_at_the_end_is_refused() -> None:
    with pytest.raises(ValueError, match="escape"):
        unescape(b"abc}")
    with pytest.raises(ValueError, match="escape"):
        unescape(b"a}]}")


@pytest.mark.parametrize("data", [b"*!", b"0*", b"ab*"])
def test_a_run_of_nothing_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="run"):
        expand_runs(data)


def test_packets_are_acknowledged_until_asked_not_to(client: Client) -> None:
    client.session.no_ack = False
    assert client.raw(b"$qC#b4") == b"+$QCa#f5"
    assert client.raw(b"$qC#b5") == b"-"
    assert client.raw(b"-") == b"$QCa#f5", "a reply that did not arrive is sent again"
    assert client.raw(b"+") == b""
    assert client.raw(frame(b"QStartNoAckMode")) == b"+$OK#9a"
    assert client.raw(b"$qC#b4") == b"$QCa#f5"
    assert client.raw(b"$qC#b5") == b"", "nothing is asked for again without acknowledgements"
    assert client.raw(b"-") == b""


def test_a_packet_that_is_too_long_is_asked_for_again(client: Client) -> None:
    client.session.no_ack = False
    assert client.raw(b"$" + b"x" * 0x20010) == b"-"
    assert client.raw(b"x\x03#00") == b""
    assert client.raw(b"$qC#b4") == b"+$QCa#f5"

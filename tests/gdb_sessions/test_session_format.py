"""The format of recorded sessions: files, placeholders, and texts that turn back into packets."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import session_file
from session_agent import assemble, disassemble
from session_file import Kind, Line
from session_names import Names, UnknownName
from session_text import escape_binary, printable, unescape_binary
from session_transcript import Transcript
from session_wire import BadStream, Wire

Build = Callable[..., Path]
PID, TID = 0x1234, 0x1235
STACK = 0x7FFFFFFFE000


@pytest.fixture
def transcript(build: Build, tmp_path: Path) -> Transcript:
    """A transcript of a run of session_calls, whose first stop has been told."""
    made = Transcript(Names([build("session_calls", "-static", "-no-pie")], tmp_path))
    made.gdb_says(b"?")
    made.server_says(b"T0507:00e0ffffff7f0000;10:0000000000000000;thread:p1234.1234;core:0;")
    return made


@pytest.mark.parametrize("name", session_file.all_names())
def test_a_file_is_as_the_recorder_writes_it(name: str) -> None:
    text = (session_file.FOLDER / f"{name}.session").read_text()
    assert "\n".join(session_file.formatted(session_file.read(name))) + "\n" == text


def test_the_lines_of_a_file() -> None:
    session = session_file.parse(
        "some",
        ["# About it.", "program: calls -static", "server: {file calls} x", "", "(gdb) up", "gdb> g", "srv>"],
    )
    assert session.about == ["About it."]
    assert session.server == ["{file calls}", "x"]
    assert session.lines == [Line(Kind.COMMAND, "up"), Line(Kind.REQUEST, "g"), Line(Kind.REPLY, "")]
    assert list(session.script) == [Line(Kind.COMMAND, "up")]


def test_a_line_of_no_known_kind_is_named_with_its_place() -> None:
    with pytest.raises(ValueError, match=r"some\.session:2"):
        session_file.parse("some", ["(gdb) up", "gbd> g"])


@pytest.mark.parametrize("data", [b"plain", b'{"\\}', b"\0" * 40, b"a\n\xff#$", b"\0" * 7 + b"x"])
def test_bytes_come_back_from_their_text(transcript: Transcript, data: bytes) -> None:
    assert transcript.encode(printable(data)) == data


def test_escapes_of_binary_data() -> None:
    assert escape_binary(b"a#$*}") == b"a}\x03}\x04}\n}]"
    assert unescape_binary(escape_binary(bytes(range(256)))) == bytes(range(256))


def test_addresses_of_the_program_are_named(transcript: Transcript) -> None:
    names = transcript.names
    for text in ("add+0x4", "counter", "table+0x1c"):
        assert names.place(names.address(text)) == text
    assert names.place(0x10) is None
    with pytest.raises(UnknownName):
        names.address("no_such_function+0x4")


def test_a_packet_with_addresses_turns_into_text_and_back(transcript: Transcript) -> None:
    address = transcript.names.address("add+0x4")
    packet = b"vCont;r%x,%x:p1234.1234;c:p1234.-1" % (address, address + 4)
    assert transcript.gdb_says(packet) == "vCont;r{add+0x4},{add+0x8}:p{pid 1}.{pid 1};c:p{pid 1}.-1"
    assert transcript.encode("vCont;r{add+0x4},{add+0x8}:p{pid 1}.{pid 1};c:p{pid 1}.-1") == packet
    assert transcript.gdb_says(b"m%x,8" % (STACK - 8)) == "m{sp 1-0x8},8"
    assert transcript.gdb_says(b"vFile:unlink:" + f"/proc/{PID}/fd".encode().hex().encode()) == (
        'vFile:unlink:"/proc/{pid 1}/fd"'
    )
    assert transcript.unnamed == set()


def test_an_address_without_a_name_is_remembered(transcript: Transcript) -> None:
    assert transcript.gdb_says(b"m123456789,8") == "m123456789,8"
    assert transcript.unnamed == {0x123456789}


def test_the_stack_pointer_told_last_is_what_names_the_stack(transcript: Transcript) -> None:
    transcript.gdb_says(b"vCont;c")
    told = b"T0506:10d0ffffff7f0000;07:00d0ffffff7f0000;thread:p1234.1235;core:1;"
    assert transcript.server_says(told) == (
        "T0506:{le sp 1+0x10};07:{le sp 1};thread:p{pid 1}.{tid 1};core:{core};"
    )
    assert transcript.encode("m{sp 1},8") == b"m7fffffffd000,8"


def test_memory_is_compared_with_the_file(transcript: Transcript) -> None:
    address = transcript.names.address("motto")
    transcript.gdb_says(b"m%x,4" % address)
    assert transcript.server_says(b"what".hex().encode()) == "{as in the file}"
    assert transcript.server_says(b"that".hex().encode()) == "74686174 {not as in the file}"


def test_memory_of_a_variable_is_shown(transcript: Transcript) -> None:
    transcript.gdb_says(b"m%x,4" % transcript.names.address("counter"))
    assert transcript.server_says(b"07000000") == "07000000"


def test_a_checksum_is_computed_apart(transcript: Transcript) -> None:
    transcript.gdb_says(b"qCRC:%x,9" % transcript.names.address("motto"))
    assert transcript.server_says(b"C%x" % _plain_crc(b"what is c")) == "C{as in the file}"
    assert transcript.server_says(b"C1") == "C{not as in the file}"


def _plain_crc(data: bytes) -> int:
    """The manual's algorithm, a bit at a time."""
    crc = 0xFFFFFFFF
    for byte in data:
        for bit in range(7, -1, -1):
            top = crc >> 31 ^ (byte >> bit & 1)
            crc = (crc << 1 & 0xFFFFFFFF) ^ (0x04C11DB7 if top else 0)
    return crc


def test_an_object_in_pieces_is_one_text(transcript: Transcript) -> None:
    assert transcript.gdb_says(b"qXfer:exec-file:read:1234:0,4") == "qXfer:exec-file:read:{pid 1}:0,4"
    assert transcript.server_says(b"m/bin") is None
    assert transcript.next_piece(transcript.request) == b"qXfer:exec-file:read:1234:4,4"
    assert transcript.gdb_says(b"qXfer:exec-file:read:1234:4,4") is None
    assert transcript.server_says(b"l/sh") == "l/bin/sh"


def test_an_agent_expression_comes_back_from_its_text() -> None:
    code = bytes.fromhex("260006 22dc 1608 02 19 1620 24 00404123 13 200012 22002200 34 02 0003 616200 27")
    text = disassemble(code, {0x404123: "counter"}.get)
    assert "const32 counter" in text and text.endswith("printf 2 616200; end")
    assert assemble(text, {"counter": 0x404123}.__getitem__) == code


def test_registers_are_as_long_as_the_description_says(transcript: Transcript) -> None:
    description = (
        '<target><architecture>i386:x86-64</architecture><feature><reg name="rsp" bitsize="64"/>'
        '<reg name="rip" bitsize="64"/></feature></target>'
    )
    transcript.gdb_says(b"qXfer:features:read:target.xml:0,1000")
    assert transcript.server_says(b"l" + description.encode()) == "l{target description of i386:x86-64}"
    transcript.gdb_says(b"g")
    address = transcript.names.address("add").to_bytes(8, "little").hex().encode()
    block = b"00e0ffffff7f0000" + address
    assert transcript.server_says(block) == "{registers rip add rsp sp 1}"
    assert "not as long" in (transcript.server_says(block[:-2]) or "")
    assert transcript.encode("p{reg rip}") == b"p1"


def _wire(stream: bytes, pipe: tuple[int, int]) -> Wire:
    os.write(pipe[1], stream)
    return Wire(pipe[0], os.open(os.devnull, os.O_WRONLY))


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe, from which a connection reads."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_what_comes_over_the_wire(pipe: tuple[int, int]) -> None:
    wire = _wire(b"$0* #7a%Stop:X09#a1", pipe)
    assert wire.reply() == b"0000"
    assert wire.notification() == b"Stop:X09"


@pytest.mark.parametrize("stream", [b"$OK#00", b"OK", b"\x03"])
def test_what_a_server_must_not_send(pipe: tuple[int, int], stream: bytes) -> None:
    with pytest.raises(BadStream):
        _wire(stream, pipe).reply()


def test_a_reply_without_an_acknowledgement(pipe: tuple[int, int]) -> None:
    wire = _wire(b"$OK#9a", pipe)
    wire.send(b"!")
    with pytest.raises(BadStream, match="acknowledged"):
        wire.reply()

"""The server's replies as text."""

from __future__ import annotations

import os
import re
import stat
from binascii import unhexlify
from collections.abc import Callable
from typing import TYPE_CHECKING

from construct import Int32ub, Int64ub, Padding, Struct
from session_objects import signal_information
from session_requests import string, thread, words
from session_text import printable, unescape_binary

if TYPE_CHECKING:
    from session_transcript import Transcript

_STAT = Struct(Padding(8), "mode" / Int32ub, Padding(16), "size" / Int64ub, Padding(28))
_RESUMES = re.compile(rb"vCont;|vRun;|vAttach;|vStopped|[?cCsS]")
_ERROR = re.compile(rb"E[0-9a-f]{2}|E\..*", re.DOTALL)
_OWN_DATA = 16
"""Bytes of the program's own variables that are shown as they are."""
_FRAME = 0x200
"""How far from the stack pointer words are shown as they are; beyond are arguments and environment."""

Render = Callable[["Transcript", bytes, "re.Match[bytes]"], str]


def reply_text(transcript: Transcript, packet: bytes, stops: bool = False) -> str:
    """The text of a reply to the transcript's last request."""
    request = transcript.request
    if packet in (b"", b"OK") or (_ERROR.fullmatch(packet) and not request.startswith(b"qXfer")):
        return packet.decode()
    if stops or _RESUMES.match(request):
        return _stop(transcript, packet)
    for pattern, render in _REPLIES:
        match = pattern.fullmatch(request)
        if match is not None:
            return render(transcript, packet, match)
    return printable(packet, frozenset())


def _stop(transcript: Transcript, packet: bytes) -> str:
    if packet.startswith(b"T"):
        fields = packet[3:].split(b";")[:-1]
        _learn_stack_pointer(transcript, fields)
        return packet[:3].decode() + "".join(f"{_stop_field(transcript, field)};" for field in fields)
    packet_text = re.sub(
        rb"(process:)([0-9a-f]+)",
        lambda match: match[1] + f"{{{transcript.names.bind('pid', int(match[2], 16))}}}".encode(),
        packet,
    )
    if packet.startswith(b"w"):
        head, _, tail = packet.partition(b";")
        return f"{head.decode()};{thread(transcript, tail)}"
    return packet_text.decode()


def _learn_stack_pointer(transcript: Transcript, fields: list[bytes]) -> None:
    """First of all, since the frame pointer is told before it, and is named after it."""
    key = b"07:" if transcript.names.word == 8 else b"04:"
    for field in fields:
        if field.startswith(key):
            transcript.names.stack_pointer(int.from_bytes(unhexlify(field[3:]), "little"))


def _stop_field(transcript: Transcript, field: bytes) -> str:
    key, _, value = field.partition(b":")
    names = transcript.names
    name = key.decode()
    match name:
        case "thread":
            return f"{name}:{thread(transcript, value)}"
        case "fork" | "vfork":
            names.bind("pid", int(value.rpartition(b".")[2], 16))
            return f"{name}:{thread(transcript, value)}"
        case "core":
            return "core:{core}"
        case "exec":
            return f"exec:{string(transcript, value)}"
        case "watch" | "rwatch" | "awatch":
            return f"{name}:{{{names.place(int(value, 16))}}}"
    if re.fullmatch("[0-9a-f]{2}", name):
        number = int.from_bytes(unhexlify(value), "little")
        if number >= 1 << 16 and names.place(number) is None:
            return f"{name}:{{elsewhere}}"
        return f"{name}:{_loose_words(transcript, value)}"
    return printable(field)


def _memory(transcript: Transcript, packet: bytes, match: re.Match[bytes]) -> str:
    """What memory holds: as the program's file has it, or a value, or for all else its length."""
    names = transcript.names
    address, length = int(match[1], 16), int(match[2], 16)
    contents = unhexlify(packet)
    program = names.program_at(address)
    if len(contents) == length and program is not None:
        in_file = program.contents(address, length)
        if in_file is not None:
            return "{as in the file}" if in_file == contents else f"{packet.decode()} {{not as in the file}}"
        if program.owner(address) not in program.own or length > _OWN_DATA:
            return f"{{{length} bytes}}"
    place = names.place(address) or ""
    if place.startswith("vdso"):
        return "{of the vdso}" if len(contents) <= length else printable(packet)
    base, _, offset = place.replace("-", "+").partition("+")
    in_frame = base.startswith(("sp ", "tls ")) and int(offset or "0", 16) < _FRAME
    if program is None and (length > names.word or not in_frame):
        return f"{{{len(contents)} bytes}}"
    return _loose_words(transcript, packet)


def _loose_words(transcript: Transcript, digits: bytes) -> str:
    """As `words`, without offsets that differ: in a library's functions, and to frames above a signal's."""
    names = transcript.names

    def loosen(match: re.Match[str]) -> str:
        if match[1].startswith("sp ") and int(match[1].partition("+")[2] or "0", 16) >= _FRAME:
            return f"{{above {match[1].partition('+')[0]}}}"
        address = names.address(match[1])
        program = names.program_at(address)
        owner = "" if program is None else program.owner(address)
        if match[1].partition(":")[2].startswith(".program") or match[1].startswith(".program"):
            return "{elsewhere}"
        if program is None or not owner or owner in program.own or match[1].endswith(owner):
            return match[0]
        return f"{{in {owner}}}"

    return re.sub(r"\{le (.*?)\}", loosen, words(transcript, digits))


def _registers(transcript: Transcript, packet: bytes, match: re.Match[bytes]) -> str:
    names = transcript.names
    if len(packet) != 2 * transcript.register_places["all"][1]:
        return f"{packet.decode()} {{not as long as the target description says}}"
    pointer, counter = ("rsp", "rip") if names.word == 8 else ("esp", "eip")
    stack = names.stack_pointer(transcript.register(packet, pointer))
    value = transcript.register(packet, counter)
    return f"{{registers {counter} {names.place(value) or 'elsewhere'} {pointer} {stack}}}"


def _register(transcript: Transcript, packet: bytes, match: re.Match[bytes]) -> str:
    return words(transcript, packet)


def _checksum(transcript: Transcript, packet: bytes, match: re.Match[bytes]) -> str:
    """CRC-32 over what the file has, computed bit by bit as the manual says."""
    address, length = int(match[1], 16), int(match[2], 16)
    program = transcript.names.program_at(address)
    contents = None if program is None else program.contents(address, length, constant=False)
    if contents is None or packet != b"C%x" % _crc(contents):
        return "C{not as in the file}"
    return "C{as in the file}"


def _crc(contents: bytes) -> int:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
        table.append(value & 0xFFFFFFFF)
    crc = 0xFFFFFFFF
    for byte in contents:
        crc = (crc << 8 & 0xFFFFFFFF) ^ table[crc >> 24 ^ byte]
    return crc


def _found(transcript: Transcript, packet: bytes, match: re.Match[bytes]) -> str:
    found, comma, digits = packet.partition(b",")
    if not comma:
        return packet.decode()
    return f"{found.decode()},{{{transcript.names.place(int(digits, 16))}}}"


def _tls(transcript: Transcript, packet: bytes, match: re.Match[bytes]) -> str:
    address = int(packet, 16)
    return f"{{{transcript.names.bind('tls', address)}}}"


def _console(transcript: Transcript, packet: bytes, match: re.Match[bytes]) -> str:
    text = unhexlify(packet[1:]).decode()
    return "O" + repr(text)[1:-1].replace("\\'", "'")


def _opened(transcript: Transcript, packet: bytes, match: re.Match[bytes]) -> str:
    if packet.startswith(b"F-1"):
        return packet.decode()
    descriptor = int(packet[1:], 16)
    transcript.files[descriptor] = unhexlify(match[1]).decode()
    return f"F{{{transcript.names.bind_next('fd', descriptor)}}}"


def _file_contents(transcript: Transcript, packet: bytes, match: re.Match[bytes]) -> str:
    head, _, data = packet.partition(b";")
    if head.startswith(b"F-1"):
        return packet.decode()
    contents = unescape_binary(data)
    assert len(contents) == int(head[1:], 16)
    path = transcript.files[int(match[1], 16)]
    transcript.names.file_position = int(match[2], 16) + len(contents)
    if path.startswith("/proc/") and contents:
        return f"F{{length}};{{of {transcript.names.in_text(path)}}}"
    if contents and not path.startswith(f"{transcript.names.folder}/notes"):
        with open(path, "rb") as file:
            same = os.pread(file.fileno(), len(contents), int(match[2], 16)) == contents
        return "F{length};{as in the file}" if same else "F{length};{not as in the file}"
    return f"{head.decode()};{printable(contents, frozenset())}"


def _status(transcript: Transcript, packet: bytes, match: re.Match[bytes]) -> str:
    contents = unescape_binary(packet.partition(b";")[2])
    assert len(contents) == 64 and packet.startswith(b"F40;")
    status = _STAT.parse(contents)
    real = os.stat(transcript.files[int(match[1], 16)])
    size = "the right size" if real.st_size == status.size else f"size {status.size}, not {real.st_size}"
    return f"F40;{{{stat.filemode(status.mode)}, {size}}}"


def _link(transcript: Transcript, packet: bytes, match: re.Match[bytes]) -> str:
    head, _, data = packet.partition(b";")
    if int(head[1:], 16) != len(unescape_binary(data)):
        return packet.decode()
    return f"F{{length}};{transcript.names.in_text(data.decode())}"


def _signal_information(transcript: Transcript, packet: bytes, match: re.Match[bytes]) -> str:
    """gdb reads all of it, or exactly the field that it wants."""
    contents = unescape_binary(packet[1:])
    if (match[1], match[2]) == (b"0", b"80") and len(contents) == 128:
        return packet[:1].decode() + signal_information(transcript, contents)
    return printable(packet)


def _symbol(transcript: Transcript, packet: bytes, match: re.Match[bytes]) -> str:
    return "qSymbol:" + string(transcript, packet.removeprefix(b"qSymbol:"))


def _thread(transcript: Transcript, packet: bytes, match: re.Match[bytes]) -> str:
    return "QC" + thread(transcript, packet.removeprefix(b"QC"))


def _thread_list(transcript: Transcript, packet: bytes, match: re.Match[bytes]) -> str:
    if packet == b"l":
        return "l"
    return "m" + ",".join(thread(transcript, part) for part in packet[1:].split(b","))


_REPLIES: list[tuple[re.Pattern[bytes], Render]] = [
    (re.compile(pattern, re.DOTALL), render)
    for pattern, render in (
        (rb"m([0-9a-f]+),([0-9a-f]+)", _memory),
        (rb"g", _registers),
        (rb"p([0-9a-f]+)", _register),
        (rb"qCRC:([0-9a-f]+),([0-9a-f]+)", _checksum),
        (rb"qSearch:.*", _found),
        (rb"qGetTLSAddr:.*", _tls),
        (rb"qRcmd,.*", _console),
        (rb"vFile:open:([0-9a-f]*),.*", _opened),
        (rb"vFile:pread:([0-9a-f]+),[0-9a-f]+,([0-9a-f]+)", _file_contents),
        (rb"vFile:readlink:.*", _link),
        (rb"vFile:fstat:([0-9a-f]+)", _status),
        (rb"qSymbol:.*", _symbol),
        (rb"qXfer:siginfo:read::([0-9a-f]+),([0-9a-f]+)", _signal_information),
        (rb"qC", _thread),
        (rb"q[fs]ThreadInfo", _thread_list),
    )
]

"""gdb's packets as text: which pieces of a packet are addresses, threads, strings and so on.

Each pattern's groups are named after what they match (with a number where there are several).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import session_agent
from session_text import escape_binary, printable, unescape_binary

if TYPE_CHECKING:
    from session_transcript import Transcript

_THREAD = rb"(?:p-?[0-9a-f]+\.)?-?[0-9a-f]+|p-?[0-9a-f]+"
_HEX = rb"[0-9a-f]+"
_LOWEST_ADDRESS = 1 << 16
_PATTERNS = [
    re.compile(pattern.replace(b"@", _HEX), re.DOTALL)
    for pattern in (
        rb"[mx](?P<address>@),@",
        rb"M(?P<address>@),@:(?P<word>@)",
        rb"X(?P<address>@),@:(?P<data>.*)",
        rb"[Zz][0-4],(?P<address>@),@(?P<agent>;.*)?",
        rb"vCont;(?P<actions>.*)",
        rb"H[gc](?P<thread>" + _THREAD + rb")",
        rb"T(?P<thread>" + _THREAD + rb")",
        rb"(?:vKill|vAttach|D);(?P<pid>@)",
        rb"qAttached:(?P<pid>@)",
        rb"vFile:setfs:(?P<pid>@)",
        rb"qXfer:exec-file:read:(?P<pid>@):@,@",
        rb"P(?P<register>@)=(?P<word>@)",
        rb"p(?P<register>@)",
        rb"qCRC:(?P<range>@,@)",
        rb"qSearch:memory:(?P<address>@);@;(?P<data>.*)",
        rb"qSymbol:(?P<address>@)?:(?P<string>@)",
        rb"qGetTLSAddr:(?P<thread>" + _THREAD + rb"),@,(?P<address>@)",
        rb"qXfer:libraries-svr4:read:start=(?P<address>@);prev=(?P<address2>@);(?:lmid=@)?:@,@",
        rb"qXfer:siginfo:write::@:(?P<data>.*)",
        rb"qRcmd,(?P<string>@)",
        rb"vRun;(?P<strings>.*)",
        rb"QEnvironment(?:HexEncoded|Unset):(?P<string>@)",
        rb"QSetWorkingDir:(?P<string>@)?",
        rb"vFile:(?:unlink|readlink):(?P<string>@)",
        rb"vFile:open:(?P<string>@),@,@",
        rb"vFile:(?:close|fstat):(?P<descriptor>@)",
        rb"vFile:pread:(?P<descriptor>@),@,(?P<offset>@)",
        rb"vFile:pwrite:(?P<descriptor>@),@,(?P<data>.*)",
    )
]


def request_text(transcript: Transcript, packet: bytes) -> str:
    """The text of a packet from gdb."""
    for pattern in _PATTERNS:
        match = pattern.fullmatch(packet)
        if match is not None:
            return _with_groups(transcript, packet, match)
    return printable(packet)


def _with_groups(transcript: Transcript, packet: bytes, match: re.Match[bytes]) -> str:
    parts, position = [], 0
    for group, found in match.groupdict().items():
        if found is None:
            continue
        start = match.start(group)
        parts.append(printable(packet[position:start]))
        parts.append(_RENDER[group.rstrip("2")](transcript, found))
        position = match.end(group)
    parts.append(printable(packet[position:]))
    return "".join(parts)


def _address(transcript: Transcript, digits: bytes) -> str:
    address = int(digits, 16)
    place = transcript.names.place(address)
    if place is None and address >= _LOWEST_ADDRESS:
        transcript.unnamed.add(address)
    return printable(digits) if place is None else f"{{{place}}}"


def words(transcript: Transcript, digits: bytes) -> str:
    """Memory or a register in hex, in the program's byte order: addresses by name, all else literally."""
    names = transcript.names
    size = 2 * names.word
    if len(digits) % size:
        return printable(digits)
    return "".join(_word(transcript, digits[at : at + size]) for at in range(0, len(digits), size))


def _word(transcript: Transcript, digits: bytes) -> str:
    place = transcript.names.place(int.from_bytes(bytes.fromhex(digits.decode()), "little"))
    return printable(digits) if place is None else f"{{le {place}}}"


def thread(transcript: Transcript, text: bytes) -> str:
    """A thread-id."""
    pid, dot, tid = text.removeprefix(b"p").rpartition(b".") if b"." in text else (b"", b"", text)
    if text.startswith(b"p") and not dot:
        return "p" + _pid(transcript, text[1:])
    if dot:
        return f"p{_pid(transcript, pid)}.{_tid(transcript, tid)}"
    return _tid(transcript, tid)


def _pid(transcript: Transcript, digits: bytes) -> str:
    if digits in (b"0", b"-1"):
        return digits.decode()
    return f"{{{transcript.names.bind('pid', int(digits, 16))}}}"


def _tid(transcript: Transcript, digits: bytes) -> str:
    if digits in (b"0", b"-1"):
        return digits.decode()
    return f"{{{transcript.names.identity(int(digits, 16))}}}"


def string(transcript: Transcript, digits: bytes) -> str:
    """A string in hex."""
    if len(digits) % 2:
        return printable(digits)
    text = transcript.names.in_text(bytes.fromhex(digits.decode()).decode(errors="surrogateescape"))
    if not re.fullmatch(r"[ !#-~]*", text):
        return printable(digits)
    return f'"{text}"'


def _strings(transcript: Transcript, parts: bytes) -> str:
    return ";".join(string(transcript, part) if part else "" for part in parts.split(b";"))


def _data(transcript: Transcript, data: bytes) -> str:
    names = transcript.names
    plain = unescape_binary(data)
    if len(plain) % names.word or escape_binary(plain) != data:
        return printable(data)
    text, literal = "", b""
    for at in range(0, len(plain), names.word):
        piece = plain[at : at + names.word]
        place = names.place(int.from_bytes(piece, "little"))
        if place is None:
            literal += escape_binary(piece)
        else:
            text, literal = f"{text}{printable(literal)}{{raw {place}}}", b""
    return text + printable(literal)


def _actions(transcript: Transcript, actions: bytes) -> str:
    return ";".join(_action(transcript, action) for action in actions.split(b";"))


def _action(transcript: Transcript, action: bytes) -> str:
    what, colon, threads = action.partition(b":")
    text = printable(what)
    if what.startswith(b"r"):
        text = "r" + ",".join(_address(transcript, digits) for digits in what[1:].split(b","))
    return f"{text}:{thread(transcript, threads)}" if colon else text


def _agent(transcript: Transcript, extras: bytes) -> str:
    """Conditions and commands: `XLENGTH,CODE` after each other, and `;cmds:PERSIST,` before the commands."""

    def expression(match: re.Match[bytes]) -> bytes:
        code = bytes.fromhex(match[1].decode())
        return b"{agent %b}" % session_agent.disassemble(code, transcript.names.place).encode()

    return re.sub(rb"X[0-9a-f]+,((?:[0-9a-f]{2})+)", expression, extras).decode()


def _register(transcript: Transcript, digits: bytes) -> str:
    for name, number in transcript.register_numbers.items():
        if number == int(digits, 16):
            return f"{{reg {name}}}"
    return printable(digits)


def _range(transcript: Transcript, text: bytes) -> str:
    """An address and a length: a whole section is named as such."""
    digits, _, length = text.partition(b",")
    program = transcript.names.program_at(int(digits, 16))
    section = None if program is None else program.section_size(int(digits, 16))
    if program is not None and section is not None and section[1] == int(length, 16):
        place = program.address(section[0])
        assert place == int(digits, 16)
        return f"{{{section[0]}}},{{size {section[0]}}}"
    return f"{_address(transcript, digits)},{length.decode()}"


def _descriptor(transcript: Transcript, digits: bytes) -> str:
    name = transcript.names.last_with("fd", int(digits, 16))
    return printable(digits) if name is None else f"{{{name}}}"


def _offset(transcript: Transcript, digits: bytes) -> str:
    """A place in a file whose length differs from run to run: `{end}` where the last read ended."""
    if int(digits, 16) and int(digits, 16) == transcript.names.file_position:
        return "{end}"
    return printable(digits)


_RENDER = {
    "address": _address,
    "word": words,
    "data": _data,
    "agent": _agent,
    "actions": _actions,
    "thread": thread,
    "pid": _pid,
    "register": _register,
    "range": _range,
    "string": string,
    "strings": _strings,
    "descriptor": _descriptor,
    "offset": _offset,
}

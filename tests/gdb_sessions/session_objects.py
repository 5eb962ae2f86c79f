"""Objects that gdb reads with qXfer, as text: each is checked for what must be true of it in every run."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from typing import TYPE_CHECKING

from construct import Bytes, GreedyRange, Int32sl, Int32ul, Int64ul, Struct
from session_requests import thread

if TYPE_CHECKING:
    from session_transcript import Transcript

_SIGINFO = Struct(
    "signo" / Int32sl, "errno" / Int32sl, "code" / Int32sl, "padding" / Int32sl, "fields" / Bytes(112)
)
_SIGINFO_32 = Struct("signo" / Int32sl, "errno" / Int32sl, "code" / Int32sl, "fields" / Bytes(116))
_AUXILIARY = {
    8: GreedyRange(Struct("type" / Int64ul, "value" / Int64ul)),
    4: GreedyRange(Struct("type" / Int32ul, "value" / Int32ul)),
}
_AT_ENTRY = 9
_SIGCHLD = 17
_FAULTS = frozenset((4, 5, 7, 8, 11))
"""Signals whose siginfo holds an address."""


def _target_description(transcript: Transcript, annex: str, contents: bytes) -> str:
    root = ElementTree.fromstring(contents)
    transcript.learn_registers(root)
    return f"{{{root.tag} description of {root.findtext('architecture')}}}"


def _threads(transcript: Transcript, annex: str, contents: bytes) -> str:
    ElementTree.fromstring(contents)
    text = contents.decode().replace("\n", "")
    text = re.sub(r'id="(.*?)"', lambda match: f'id="{thread(transcript, match[1].encode())}"', text)
    return re.sub(r'core="[0-9]+"', 'core="{core}"', text)


def _libraries(transcript: Transcript, annex: str, contents: bytes) -> str:
    """The list without where things are."""
    root = ElementTree.fromstring(contents)
    names = transcript.names
    parts = [f"version {root.get('version')}"]
    if "main-lm" in root.attrib:
        parts.append(f"main-lm {{{names.bind('lm', int(root.attrib['main-lm'], 16))}}}")
    for library in root:
        file_name = library.attrib["name"].rpartition("/")[2]
        place = names.bind("lm", int(library.attrib["lm"], 16))
        namespace = names.bind("lmid", int(library.attrib["lmid"], 16))
        parts.append(f"{file_name} lm={{{place}}} lmid={{{namespace}}}")
    return f"{{{root.tag}: {', '.join(parts)}}}"


def _auxiliary_vector(transcript: Transcript, annex: str, contents: bytes) -> str:
    names = transcript.names
    pairs = {pair.type: pair.value for pair in _AUXILIARY[names.word].parse(contents)}
    assert len(contents) % (2 * names.word) == 0
    for program in names.programs:
        if program.relocatable and (program.entry ^ pairs[_AT_ENTRY]) & 0xFFF == 0:
            program.bias = pairs[_AT_ENTRY] - program.entry
    place = names.place(pairs[_AT_ENTRY])
    return f"{{auxiliary vector: AT_ENTRY {place}, ends with AT_{next(reversed(pairs))}}}"


def _exec_file(transcript: Transcript, annex: str, contents: bytes) -> str:
    return transcript.names.in_text(contents.decode(errors="surrogateescape"))


def signal_information(transcript: Transcript, contents: bytes) -> str:
    """A whole siginfo: what is in it for its kind of signal."""
    names = transcript.names
    found = (_SIGINFO if names.word == 8 else _SIGINFO_32).parse(contents)
    value = int.from_bytes(found.fields[: names.word], "little")
    text = f"signo {found.signo} code {found.code}"
    if found.signo in _FAULTS and found.code > 0:
        text += f" address {names.place(value) or hex(value)}"
    elif found.code <= 0 or found.signo == _SIGCHLD:
        text += f" pid {names.identity(value & 0xFFFFFFFF) if value & 0xFFFFFFFF else 0}"
    return f"{{siginfo {text}}}"


def _osdata(transcript: Transcript, annex: str, contents: bytes) -> str:
    root = ElementTree.fromstring(contents)
    columns = [] if not len(root) else [column.get("name", "") for column in root[0]]
    return f"{{{root.tag} {root.get('type')}: {', '.join(columns)}}}"


OBJECTS = {
    "features": _target_description,
    "threads": _threads,
    "libraries-svr4": _libraries,
    "auxv": _auxiliary_vector,
    "exec-file": _exec_file,
    "osdata": _osdata,
}

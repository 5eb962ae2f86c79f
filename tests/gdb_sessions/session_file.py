"""The file format of recorded gdb sessions: README.md describes it for readers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

FOLDER = Path(__file__).parent / "recorded"


_WORD = re.compile(r"(?:\{[^}]*\}|[^\s{])+")
"""A word of a header; a placeholder is part of one, whatever is in it."""


class Kind(Enum):
    """What a line of a session is; the value is how it begins."""

    COMMAND = "(gdb) "
    REQUEST = "gdb> "
    REPLY = "srv> "
    NOTIFICATION = "srv%> "
    CONSOLE = "| "
    OUTPUT = "out| "
    STEP = "* "


SLEEPS = "program sleeps"
"""A step: wait until all threads of the program sleep."""
FIRST_SLEEPS = "first thread sleeps"
"""A step: wait until the program's first thread sleeps, whatever the others do."""
ENDS = "server ends"
"""A step: the server ends by itself, with success, once gdb has left."""
INTERRUPT = "^C"
"""As a command, a user's Ctrl-C; as a request, the interrupt character."""


@dataclass(frozen=True)
class Line:
    kind: Kind
    text: str

    def __str__(self) -> str:
        return (self.kind.value + self.text).rstrip(" ")


@dataclass(frozen=True)
class ProgramSpec:
    """A program of tests/programs and how it is compiled."""

    name: str
    options: tuple[str, ...]


@dataclass
class SessionFile:
    """A session as its file has it."""

    name: str
    about: list[str] = field(default_factory=list)
    programs: list[ProgramSpec] = field(default_factory=list)
    server: list[str] = field(default_factory=list)
    """Arguments of the server, with placeholders."""
    connect: str = "unix"
    """unix, tcp or stdio."""
    beside: list[str] = field(default_factory=list)
    """A program that runs already, to be attached to: its command, with placeholders."""
    libraries: str = ""
    """Build id of the dynamic loader, where the session holds addresses in libraries."""
    quiet: bool = True
    """Without the packets by which gdb looks at the auxiliary vector and the program's file."""
    lines: list[Line] = field(default_factory=list)

    @property
    def script(self) -> Iterator[Line]:
        """What a recorder has to do: the commands, and what to wait for."""
        for line in self.lines:
            if line.kind is Kind.COMMAND or (line.kind is Kind.STEP and line.text != ENDS):
                yield line

    def of_kind(self, kind: Kind) -> list[str]:
        """The texts of all lines of a kind."""
        return [line.text for line in self.lines if line.kind is kind]


def all_names() -> list[str]:
    """The names of all recorded sessions."""
    return sorted(path.stem for path in FOLDER.glob("*.session"))


def read(name: str) -> SessionFile:
    """The session of a name."""
    return parse(name, (FOLDER / f"{name}.session").read_text().splitlines())


def parse(name: str, lines: Iterable[str]) -> SessionFile:
    """A session from its lines."""
    session = SessionFile(name)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            if line.startswith("#"):
                session.about.append(line[1:].strip())
            elif session.lines or not _header(session, line):
                session.lines.append(_line(line))
        except ValueError as error:
            raise ValueError(f"{name}.session:{number}: {error}: {line}") from None
    return session


def _header(session: SessionFile, line: str) -> bool:
    key, colon, value = line.partition(":")
    words = _WORD.findall(value)
    match key if colon else "":
        case "program":
            session.programs.append(ProgramSpec(words[0], tuple(words[1:])))
        case "server":
            session.server = words
        case "connect":
            session.connect = words[0]
        case "beside":
            session.beside = words
        case "libraries":
            session.libraries = words[0]
        case "quiet":
            session.quiet = words != ["no"]
        case _:
            return False
    return True


def _line(line: str) -> Line:
    for kind in Kind:
        if line.startswith(kind.value.rstrip()):
            return Line(kind, line[len(kind.value) :])
    raise ValueError("a line of no known kind")


def write(session: SessionFile) -> None:
    """Put a session into its file."""
    (FOLDER / f"{session.name}.session").write_text("\n".join(formatted(session)) + "\n")


def formatted(session: SessionFile) -> Iterator[str]:
    """The lines of a session's file."""
    yield from (f"# {line}" for line in session.about)
    for program in session.programs:
        yield " ".join(["program:", program.name, *program.options])
    if session.beside:
        yield " ".join(["beside:", *session.beside])
    yield " ".join(["server:", *session.server])
    yield f"connect: {session.connect}"
    if not session.quiet:
        yield "quiet: no"
    if session.libraries:
        yield f"libraries: {session.libraries}"
    for line in session.lines:
        if line.kind is Kind.COMMAND:
            yield ""
        yield str(line)

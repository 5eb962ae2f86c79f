"""gdbserver's command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

SYNOPSIS = """\
Usage:	gdbstub-server [OPTIONS] COMM PROG [ARGS ...]
	gdbstub-server [OPTIONS] --attach COMM PID
	gdbstub-server [OPTIONS] --multi COMM
"""
USAGE = f"""{SYNOPSIS}
COMM is where to listen for a debugger: HOST:PORT or :PORT (this machine only;
write 0.0.0.0:PORT for all), the path of a unix socket (with a slash in it),
or '-' or 'stdio' for standard input and output.
PROG is the program to debug; ARGS are its arguments. PID is a process to attach to.

Operating modes:
  --attach              Attach to the running process PID.
  --multi               Start without a program; the debugger starts or attaches.
  --once                End when the first debugger leaves.
  --help                Print this text and end.
  --version             Print the version and end.

Starting programs:
  --wrapper WRAPPER --  Run WRAPPER to start programs; it must exec them.
  --startup-with-shell, --no-startup-with-shell
                        Start programs by the shell in SHELL, or directly.
  --disable-randomization, --enable-randomization (or --no-disable-randomization)
                        Load programs at the same addresses each time, or not.

Debugging the server:
  --debug               Print the packets that travel to standard error.
  --debug-format=all|none|timestamp
  --debug-file=FILE     Print them to FILE.
  --disable-packet=NAME[,NAME...]
                        Leave out packets: vCont, T, Tthread, qC, qfThreadInfo, threads.
"""
PACKETS_TO_DISABLE = """\
Disableable packets:
  vCont       \tAll vCont packets
  qC          \tQuerying the current thread
  qfThreadInfo\tThread listing
  Tthread     \tPassing the thread specifier in the T stop reply packet
  threads     \tAll of the above
  T           \tAll 'T' packets
"""


class BadArguments(ValueError):
    """A command line that cannot be; the text says why."""


class BadUsage(BadArguments):
    """Words that are missing, or are not where they belong; the text goes on with how it is done."""

    def __init__(self, why: str) -> None:
        super().__init__(f"{why}\n{SYNOPSIS}".rstrip())


@dataclass
class Arguments:
    """What the command line asks for."""

    address: str = ""
    program: list[str] = field(default_factory=list)
    attach: int | None = None
    multi: bool = False
    once: bool = False
    wrapper: list[str] = field(default_factory=list)
    with_shell: bool = True
    randomize: bool = False
    debug: bool = False
    timestamps: bool = False
    debug_file: str | None = None
    disabled: frozenset[str] = frozenset()
    print_and_end: str = ""
    """help, version or disable-packet."""


def parse(words: Sequence[str]) -> Arguments:
    """Take a command line apart. Raises BadArguments."""
    found = Arguments()
    rest = list(words)
    attaching = False
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if word == "--attach":
            attaching = True
        elif word == "--wrapper":
            found.wrapper, rest = _wrapper(rest)
        elif not _flag(found, word) and not _option(found, word):
            raise BadArguments(f"unknown option {word}")
        if found.print_and_end:
            return found
    if not rest:
        raise BadUsage("no place to listen at is given")
    found.address = rest.pop(0)
    if rest and rest[0] == "--attach":
        attaching = True
        rest.pop(0)
    if attaching:
        found.attach = _pid(rest)
    else:
        found.program = rest
        if not rest and not found.multi:
            raise BadUsage("no program is given")
    return found


def _flag(found: Arguments, word: str) -> bool:
    match word:
        case "--multi":
            found.multi = True
        case "--once":
            found.once = True
        case "--startup-with-shell":
            found.with_shell = True
        case "--no-startup-with-shell":
            found.with_shell = False
        case "--disable-randomization":
            found.randomize = False
        case "--no-disable-randomization" | "--enable-randomization":
            found.randomize = True
        case "--help" | "--version":
            found.print_and_end = word[2:]
        case "--debug" | "--remote-debug":
            found.debug = True
        case "--event-loop-debug":
            pass
        case "--disable-packet":
            found.print_and_end = "disable-packet"
        case _:
            return False
    return True


def _option(found: Arguments, word: str) -> bool:
    name, equals, value = word.partition("=")
    if not equals:
        return False
    match name:
        case "--debug":
            found.debug = True
        case "--debug-file":
            found.debug_file = value
        case "--debug-format":
            if value not in ("all", "none", "timestamp"):
                raise BadArguments(f"Unknown debug-format argument: {value}")
            found.timestamps = value != "none"
        case "--disable-packet":
            found.disabled = _disabled(value)
        case _:
            return False
    return True


def _disabled(value: str) -> frozenset[str]:
    names = frozenset(value.split(","))
    unknown = names - {"vCont", "T", "Tthread", "qC", "qfThreadInfo", "threads"}
    if unknown:
        raise BadArguments(f'Don\'t know how to disable "{sorted(unknown)[0]}".\n\n{PACKETS_TO_DISABLE}')
    if "threads" in names:
        names |= {"vCont", "Tthread", "qC", "qfThreadInfo"}
    return names


def _wrapper(rest: list[str]) -> tuple[list[str], list[str]]:
    if "--" not in rest or rest[0] == "--":
        raise BadUsage("--wrapper takes a command and then --")
    end = rest.index("--")
    return rest[:end], rest[end + 1 :]


def _pid(rest: list[str]) -> int:
    if len(rest) != 1 or not rest[0].isascii() or not rest[0].isdigit():
        raise BadUsage("--attach takes one process id")
    return int(rest[0])

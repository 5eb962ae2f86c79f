"""gdbstub share: let debuggers come to a process, or to a program from its start on."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from gdbstub.cli.main import CommandFailed, complain, process_id


def run(words: Sequence[str]) -> int:
    """PID, or -- PROGRAM [ARGUMENTS]."""
    if len(words) == 1 and words[0] != "--":
        _share(process_id(words[0]))
        return 0
    if len(words) > 1 and words[0] == "--":
        return _become(words[1:])
    raise CommandFailed("what? gdbstub share PID, or gdbstub share -- PROGRAM [ARGUMENTS]")


def _share(pid: int) -> None:
    from gdbstub.hub.control import ask
    from gdbstub.hub.daemon import make_sure

    seat = make_sure(pid)
    place = seat.place
    ask(place, "keep")
    seat.connection.close()
    print(f"Process {pid} is shared: gdbstub gdb {pid}", file=sys.stderr)
    print(f"or in gdb: target remote {place.socket('gdb')}", file=sys.stderr, flush=True)


def _become(arguments: Sequence[str]) -> int:
    """Share this very process and become the program: it is its parent's child as without us."""
    _share(os.getpid())
    for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored_by_python, signal.SIG_DFL)
    try:
        os.execvpe(arguments[0], list(arguments), _environment())
    except OSError as error:
        complain(f"{arguments[0]}: {error.strerror}")
        return 127 if isinstance(error, FileNotFoundError) else 126


def _environment() -> dict[bytes, bytes]:
    """What we were started with; Python may have changed LC_CTYPE since (PEP 538)."""
    variables = Path("/proc/self/environ").read_bytes().split(b"\0")
    return dict(variable.split(b"=", 1) for variable in variables if b"=" in variable)

"""gdbstub: one process, many debuggers. Each subcommand has its own module."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module

USAGE = """\
Usage: gdbstub COMMAND ...

  gdb PID [GDB-ARGUMENTS]              Debug a running process with stock gdb, beside whoever else does.
  share PID | -- PROGRAM [ARGUMENTS]   Share a process, or a program to be started; print how to connect.
  ls [--json]                          What is shared, and who is on it.
  release PID                          Have everybody leave a process; it runs on.

gdbstub-server is used in place of gdbserver.
"""
_COMMANDS = {
    "gdb": "gdb_command",
    "share": "share_command",
    "ls": "list_command",
    "release": "release_command",
}


class CommandFailed(Exception):
    """The command cannot be carried out; the text is for the user."""


def main() -> None:
    """The command."""
    sys.exit(run(sys.argv[1:]))


def run(words: Sequence[str]) -> int:
    """Run with these arguments; the exit status."""
    if not words or words[0] in ("-h", "--help", "help"):
        print(USAGE, end="")
        return 0 if words else 1
    if words[0] == "--version":
        from importlib.metadata import version

        print(f"gdbstub {version('gdbstub-utrace')}")
        return 0
    module = _COMMANDS.get(words[0])
    if module is None:
        return complain(f"there is no command {words[0]}\n{USAGE}".rstrip())
    from gdbstub.hub.control import NoAnswer
    from gdbstub.hub.daemon import CannotShare

    command: Callable[[Sequence[str]], int] = import_module(f"gdbstub.cli.{module}").run
    try:
        return command(words[1:])
    except (CommandFailed, CannotShare, NoAnswer) as error:
        return complain(str(error))
    except OSError as error:
        return complain(str(error))


def complain(text: str) -> int:
    """One line for the user, and the exit status."""
    print(f"gdbstub: {text}", file=sys.stderr, flush=True)
    return 1


def process_id(word: str) -> int:
    """A pid of the command line. Raises CommandFailed."""
    if not word.isascii() or not word.isdigit() or not int(word):
        raise CommandFailed(f"{word} is no process id")
    return int(word)

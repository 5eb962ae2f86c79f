"""qRcmd: the `monitor` command."""

from __future__ import annotations

from binascii import hexlify

from gdbstub.rsp.errors import ClientFault
from gdbstub.rsp.parsing import string_from_hex
from gdbstub.rsp.registry import command
from gdbstub.rsp.session import Session
from gdbstub.target.interfaces import Sharing

_HELP = """The following monitor commands are supported:
  set debug <0|1>
    Log what happens to the program to the server's standard error.
  set remote-debug <0|1>
    Log the packets that travel to the server's standard error.
  set debug-format option1[,option2,...]
    Add extra information to the log: all, none, timestamp.
  status
    Who is on the debugged processes, and who keeps them stopped.
  exit
    Quit the server; what it started is killed, what it attached to goes on.
  help
    This text.
"""
_FORMATS = ("all", "none", "timestamp")


@command("qRcmd")
def monitor(session: Session, arguments: bytes) -> bytes:
    """Run a monitor command; its text goes to the client's console."""
    words = string_from_hex(arguments.removeprefix(b",")).split()
    match words:
        case ["help"]:
            text = _HELP
        case ["exit"]:
            session.on_exit()
            return b"OK"
        case ["status"] if session.has(Sharing):
            text = session.target_as(Sharing).sharing()
        case ["set", "debug", "0" | "1" as value]:
            session.options.log_events(value == "1")
            text = f"Debug output {_state(value)}.\n"
        case ["set", "remote-debug", "0" | "1" as value]:
            session.options.remote_debug = value == "1"
            text = f"Protocol debug output {_state(value)}.\n"
        case ["set", "debug-format", *formats]:
            text = _set_format(session, ",".join(formats))
        case _:
            _print(session, "Unknown monitor command.\n\n" + _HELP)
            raise ClientFault("unknown monitor command")
    _print(session, text)
    return b"OK"


def _state(value: str) -> str:
    return "enabled" if value == "1" else "disabled"


def _set_format(session: Session, text: str) -> str:
    formats = [name for name in text.split(",") if name]
    unknown = [name for name in formats if name not in _FORMATS]
    if not formats or unknown:
        _print(session, f"Unknown debug-format argument: {' '.join(unknown) or '(none)'}\n")
        raise ClientFault("unknown debug-format argument")
    session.options.timestamps = formats[-1] != "none"
    if "all" in formats or "none" in formats:
        return f"All extra debug format options {_state('1' if session.options.timestamps else '0')}.\n"
    return "Debug output format extra information enabled: timestamp.\n"


def _print(session: Session, text: str) -> None:
    """Show a text on the client's console."""
    session.send(b"O" + hexlify(text.encode(errors="surrogateescape")))

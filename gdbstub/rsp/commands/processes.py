"""Processes: starting, attaching, killing, detaching, and how they are started."""

from __future__ import annotations

from gdbstub.rsp.errors import ClientFault, TargetFault
from gdbstub.rsp.parsing import number, string_from_hex
from gdbstub.rsp.registry import command
from gdbstub.rsp.session import Session
from gdbstub.target.interfaces import LaunchSettings, Processes, Resume
from gdbstub.target.values import ThreadStop


@command("vRun", needs=Processes)
def run(session: Session, arguments: bytes) -> bytes:
    """vRun;FILE[;ARGUMENT]...: an empty file is the last one again."""
    parts = [string_from_hex(part) for part in arguments.removeprefix(b";").split(b";")]
    last = session.target_as(LaunchSettings).last_arguments
    if not parts[0]:
        if not last:
            raise ClientFault("no program was run before")
        parts = [last[0], *(parts[1:] or last[1:])]
    session.target_as(Processes).run(parts)
    return _first_stop(session)


def _first_stop(session: Session) -> bytes:
    """The stop that a new process stands at; its thread becomes the general one."""
    stop = session.target_as(Resume).standing_stops()[0]
    if isinstance(stop, ThreadStop):
        session.general = stop.thread
    reply = session.replies.reply(stop)
    if reply is None:
        raise TargetFault("the program has ended")
    return reply


@command("vAttach", needs=Processes)
def attach(session: Session, arguments: bytes) -> bytes:
    """vAttach;PID: all-stop: its stop; non-stop: OK, the stops follow as notifications."""
    session.target_as(Processes).attach(number(arguments.removeprefix(b";")))
    target = session.target_as(Resume)
    return b"OK" if target.non_stop else _first_stop(session)


@command("vKill", needs=Processes)
def kill(session: Session, arguments: bytes) -> bytes:
    """vKill;PID."""
    pid = number(arguments.removeprefix(b";"))
    session.target_as(Processes).kill(pid)
    _forget(session, pid)
    return b"OK"


@command("k", needs=Processes)
def kill_all(session: Session, arguments: bytes) -> None:
    """Kill everything; there is no reply. Outside of extended mode the server ends with it."""
    target = session.target_as(Processes)
    for pid in target.processes():
        target.kill(pid)
        _forget(session, pid)
    if not session.extended:
        session.on_exit()


@command("D", needs=Processes)
def detach(session: Session, arguments: bytes) -> bytes:
    """D: everything; D;PID: one process."""
    target = session.target_as(Processes)
    pids = [number(arguments[1:])] if arguments.startswith(b";") else target.processes()
    if not pids:
        raise TargetFault("there is nothing to detach from")
    for pid in pids:
        target.detach(pid)
        _forget(session, pid)
    return b"OK"


def _forget(session: Session, pid: int) -> None:
    """A process is gone: it is not the chosen one, and of the last one no stop is waited for."""
    if not session.target_as(Processes).processes():
        session.waiting = False
    if session.general is not None and session.general.pid == pid:
        session.general = None


@command("R", needs=Processes)
def restart(session: Session, arguments: bytes) -> None:
    """Kill everything and run the last program again; there is no reply."""
    if not session.extended:
        return
    target = session.target_as(Processes)
    for pid in target.processes():
        target.kill(pid)
        _forget(session, pid)
    last = session.target_as(LaunchSettings).last_arguments
    if last:
        target.run(last)


@command("qAttached", needs=Processes)
def attached(session: Session, arguments: bytes) -> bytes:
    """1 if the process ran before, 0 if it was started for the client: what `quit` will do to it."""
    pid = number(arguments[1:]) if arguments.startswith(b":") else session.general_process()
    return b"1" if session.target_as(Processes).was_attached(pid) else b"0"


@command("QDisableRandomization", needs=LaunchSettings, features=("QDisableRandomization+",))
def disable_randomization(session: Session, arguments: bytes) -> bytes:
    """Load programs at the same addresses each time."""
    session.target_as(LaunchSettings).disable_randomization(_switch(arguments))
    return b"OK"


@command("QStartupWithShell", needs=LaunchSettings, features=("QStartupWithShell+",))
def start_with_shell(session: Session, arguments: bytes) -> bytes:
    """Start programs by the user's shell."""
    session.target_as(LaunchSettings).start_with_shell(_switch(arguments))
    return b"OK"


def _switch(arguments: bytes) -> bool:
    if arguments not in (b":0", b":1"):
        raise ClientFault("0 or 1 is needed")
    return arguments == b":1"


@command("QEnvironmentHexEncoded", needs=LaunchSettings, features=("QEnvironmentHexEncoded+",))
def set_environment(session: Session, arguments: bytes) -> bytes:
    """A NAME=VALUE for programs."""
    name, equals, value = string_from_hex(arguments.removeprefix(b":")).partition("=")
    if not equals or not name:
        raise ClientFault("NAME=VALUE is needed")
    session.target_as(LaunchSettings).set_environment(name, value)
    return b"OK"


@command("QEnvironmentUnset", needs=LaunchSettings, features=("QEnvironmentUnset+",))
def unset_environment(session: Session, arguments: bytes) -> bytes:
    """A variable that programs do not get."""
    session.target_as(LaunchSettings).set_environment(string_from_hex(arguments.removeprefix(b":")), None)
    return b"OK"


@command("QEnvironmentReset", needs=LaunchSettings, features=("QEnvironmentReset+",))
def reset_environment(session: Session, arguments: bytes) -> bytes:
    """The server's own environment again."""
    session.target_as(LaunchSettings).reset_environment()
    return b"OK"


@command("QSetWorkingDir", needs=LaunchSettings, features=("QSetWorkingDir+",))
def set_directory(session: Session, arguments: bytes) -> bytes:
    """The folder that programs start in; empty: the server's own."""
    session.target_as(LaunchSettings).set_directory(string_from_hex(arguments.removeprefix(b":")) or None)
    return b"OK"

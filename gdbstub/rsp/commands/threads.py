"""Threads: selecting, listing, describing."""

from __future__ import annotations

from binascii import hexlify
from html import escape

from gdbstub.rsp.errors import ClientFault, TargetFault
from gdbstub.rsp.parsing import format_thread, thread_pattern
from gdbstub.rsp.registry import command
from gdbstub.rsp.session import PACKET_SIZE, Session
from gdbstub.target import interfaces
from gdbstub.target.values import ALL, ANY, EVERY_THREAD, ThreadId


@command("H")
def select(session: Session, arguments: bytes) -> bytes:
    """Hg: the thread for registers and memory; Hc: the threads for the old resume packets."""
    operation, pattern_text = arguments[:1], arguments[1:]
    if operation not in (b"g", b"c"):
        return b""
    pattern = thread_pattern(pattern_text)
    if operation == b"c":
        session.resumed_by_old_packets = EVERY_THREAD if pattern.tid in (0, ALL) else pattern
    elif pattern.tid in (0, ALL):
        chosen = session.general
        if chosen is None or not pattern.matches(chosen) or not session.target.is_alive(chosen):
            matching = [thread for thread in session.target.threads() if pattern.matches(thread)]
            if not matching and pattern.pid not in (ANY, ALL):
                raise TargetFault("no such process")
            session.general = matching[0] if matching else None
    else:
        session.general = session.any_thread(pattern)
    return b"OK"


@command("T")
def alive(session: Session, arguments: bytes) -> bytes:
    """Whether a thread is there."""
    pattern = thread_pattern(arguments)
    if any(pattern.matches(thread) for thread in session.target.threads()):
        return b"OK"
    raise TargetFault("no such thread")


@command("qC")
def current(session: Session, arguments: bytes) -> bytes:
    """The general thread."""
    return b"QC" + format_thread(session.general_thread(), session.multiprocess)


@command("qfThreadInfo")
def first_threads(session: Session, arguments: bytes) -> bytes:
    """The start of the thread list."""
    session.snapshots[b"threads"] = b",".join(
        format_thread(thread, session.multiprocess) for thread in session.target.threads()
    )
    return _some_threads(session)


@command("qsThreadInfo")
def next_threads(session: Session, arguments: bytes) -> bytes:
    """More of the thread list."""
    return _some_threads(session)


def _some_threads(session: Session) -> bytes:
    """As many threads as a packet holds."""
    rest = session.snapshots.pop(b"threads", b"")
    if not rest:
        return b"l"
    if len(rest) >= PACKET_SIZE:
        cut = rest.rindex(b",", 0, PACKET_SIZE - 1)
        session.snapshots[b"threads"] = rest[cut + 1 :]
        rest = rest[:cut]
    return b"m" + rest


@command("qThreadExtraInfo", needs=interfaces.ThreadDetails)
def extra_info(session: Session, arguments: bytes) -> bytes:
    """A thread's name, for clients that do not read it from the thread list."""
    thread = session.any_thread(thread_pattern(arguments.removeprefix(b",")))
    return hexlify(session.target_as(interfaces.ThreadDetails).thread_name(thread).encode())


@command("QThreadEvents", needs=interfaces.Events, features=("QThreadEvents+",))
def thread_events(session: Session, arguments: bytes) -> bytes:
    """Report new and ended threads."""
    if arguments not in (b":0", b":1"):
        raise ClientFault("QThreadEvents takes 0 or 1")
    session.target_as(interfaces.Events).report_thread_events(arguments == b":1")
    return b"OK"


def thread_list(session: Session) -> bytes:
    """The thread list as XML (gdb manual, section Thread List Format)."""
    target = session.target
    details = target if isinstance(target, interfaces.ThreadDetails) else None
    lines = [_thread_element(session, details, thread) for thread in target.threads()]
    return ('<?xml version="1.0"?>\n<threads>\n' + "".join(lines) + "</threads>\n").encode()


def _thread_element(session: Session, details: interfaces.ThreadDetails | None, thread: ThreadId) -> str:
    identity = format_thread(thread, session.multiprocess).decode()
    core = None if details is None else details.thread_core(thread)
    name = "" if details is None else details.thread_name(thread)
    described = "" if core is None else f' core="{core}"'
    if name:
        printable = "".join(character if character.isprintable() else "?" for character in name)
        described += f' name="{escape(printable)}"'
    return f'<thread id="{identity}"{described}/>\n'

"""Running and stopping: vCont, the old resume packets, interrupts, stop queries."""

from __future__ import annotations

from collections.abc import Sequence

from gdbstub.linux.signals import from_gdb
from gdbstub.rsp.errors import ClientFault, TargetFault
from gdbstub.rsp.parsing import number, thread_pattern
from gdbstub.rsp.registry import command
from gdbstub.rsp.session import Session
from gdbstub.target.interfaces import Resume
from gdbstub.target.values import (
    EVERY_THREAD,
    ResumeAction,
    ResumeKind,
    ThreadPattern,
    ThreadStop,
)

_KINDS = {
    b"c": ResumeKind.CONTINUE,
    b"C": ResumeKind.CONTINUE,
    b"s": ResumeKind.STEP,
    b"S": ResumeKind.STEP,
    b"r": ResumeKind.RANGE_STEP,
    b"t": ResumeKind.STOP,
}


@command("vCont?", needs=Resume, features=("vContSupported+", "multiprocess+"))
def actions_known(session: Session, arguments: bytes) -> bytes:
    """The actions of vCont."""
    return b"" if "vCont" in session.disabled else b"vCont;c;C;t;s;S;r"


@command("vCont", needs=Resume)
def resume(session: Session, arguments: bytes) -> bytes | None:
    """vCont;ACTION[:THREADS]...: for each thread the first action that matches."""
    if not arguments.startswith(b";"):
        raise ClientFault("vCont takes actions")
    return _resume(session, [_action(part) for part in arguments[1:].split(b";")])


def _resume(session: Session, actions: Sequence[ResumeAction]) -> bytes | None:
    target = session.target_as(Resume)
    if not target.non_stop and session.waiting:
        raise ClientFault("the program is running already")
    if not session.target.threads():
        return _what_ended(session)
    session.waiting = not target.non_stop
    try:
        target.resume(actions)
    except Exception:
        session.waiting = False
        raise
    return b"OK" if target.non_stop else None


def _what_ended(session: Session) -> bytes:
    """There is nothing to resume: what was killed while it stood still is told now."""
    ended = None if session.target_as(Resume).non_stop else session.next_stop_reply()
    if ended is None:
        raise TargetFault("there is nothing to resume")
    return ended


def _action(text: bytes) -> ResumeAction:
    what, _, threads_text = text.partition(b":")
    pattern = thread_pattern(threads_text) if threads_text else EVERY_THREAD
    kind = _KINDS.get(what[:1])
    if kind is None:
        raise ClientFault(f"vCont has no action {what[:1].decode(errors='replace')}")
    if kind is ResumeKind.RANGE_STEP:
        start, comma, end = what[1:].partition(b",")
        if not comma:
            raise ClientFault("a range has a start and an end")
        return ResumeAction(kind, pattern, start=number(start), end=number(end))
    signal = _signal(what[1:]) if what[:1] in (b"C", b"S") else 0
    return ResumeAction(kind, pattern, signal)


def _signal(text: bytes) -> int:
    signal = from_gdb(number(text))
    if signal is None:
        raise ClientFault("Linux has no such signal")
    return signal


@command("c", needs=Resume)
def continue_(session: Session, arguments: bytes) -> bytes | None:
    """Continue; an address to continue at is not honoured, as in gdbserver."""
    return _resume_old(session, ResumeKind.CONTINUE, 0)


@command("C", needs=Resume)
def continue_with_signal(session: Session, arguments: bytes) -> bytes | None:
    """Continue with a signal."""
    return _resume_old(session, ResumeKind.CONTINUE, _signal(arguments.partition(b";")[0]))


@command("s", needs=Resume)
def step(session: Session, arguments: bytes) -> bytes | None:
    """Step one instruction."""
    return _resume_old(session, ResumeKind.STEP, 0)


@command("S", needs=Resume)
def step_with_signal(session: Session, arguments: bytes) -> bytes | None:
    """Step with a signal."""
    return _resume_old(session, ResumeKind.STEP, _signal(arguments.partition(b";")[0]))


def _resume_old(session: Session, kind: ResumeKind, signal: int) -> bytes | None:
    """A thread chosen with Hc is the one that steps or gets the signal; chosen alone, it runs alone."""
    chosen = session.resumed_by_old_packets
    if chosen != EVERY_THREAD or not (signal or kind is ResumeKind.STEP):
        return _resume(session, [ResumeAction(kind, chosen, signal)])
    thread = session.general_thread()
    return _resume(
        session,
        [
            ResumeAction(kind, ThreadPattern(*thread), signal),
            ResumeAction(ResumeKind.CONTINUE, EVERY_THREAD),
        ],
    )


@command("vCtrlC", needs=Resume)
def interrupt(session: Session, arguments: bytes) -> bytes:
    """Interrupt, as a packet."""
    session.interrupt()
    return b"OK"


@command("?", needs=Resume)
def why_stopped(session: Session, arguments: bytes) -> bytes:
    """Why the program stands still. In all-stop mode a program that runs is stopped for it."""
    target = session.target_as(Resume)
    if target.non_stop:
        replies = (session.replies.reply(stop) for stop in target.standing_stops())
        return session.notifications.begin(reply for reply in replies if reply is not None) or b"OK"
    session.waiting = False
    target.stop_all_threads()
    stops = target.standing_stops()
    if stops and isinstance(stops[0], ThreadStop):
        session.general = stops[0].thread
    return (session.replies.reply(stops[0]) if stops else None) or b"W00"


@command("vStopped", needs=Resume)
def next_stop(session: Session, arguments: bytes) -> bytes:
    """The next stop after a stop notification."""
    if not session.target_as(Resume).non_stop:
        raise ClientFault("vStopped belongs to non-stop mode")
    return session.notifications.fetch(session.next_stop_reply) or b"OK"

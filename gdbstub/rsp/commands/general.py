"""Getting to know each other: features, acknowledgement, modes."""

from __future__ import annotations

from gdbstub.rsp.commands import xfer
from gdbstub.rsp.errors import ClientFault
from gdbstub.rsp.registry import command
from gdbstub.rsp.session import PACKET_SIZE, Session
from gdbstub.target import interfaces


@command("qSupported")
def supported(session: Session, arguments: bytes) -> bytes:
    """Features of the client, and those of ours (gdb manual, section General Query Packets, qSupported)."""
    client = arguments.removeprefix(b":").decode(errors="replace").split(";")
    session.features = frozenset(feature[:-1] for feature in client if feature.endswith("+"))
    if isinstance(session.target, interfaces.Events):
        known = session.features
        session.target.report_events(
            fork="fork-events" in known, vfork="vfork-events" in known, execs="exec-events" in known
        )
    offered = [
        f"PacketSize={PACKET_SIZE:x}",
        *session.offered_features(),
        *xfer.features(session),
        "no-resumed+",
    ]
    return ";".join(offered).encode()


@command("QStartNoAckMode", features=("QStartNoAckMode+",))
def start_no_ack_mode(session: Session, arguments: bytes) -> bytes:
    """No acknowledgements from the reply on."""
    session.no_ack = True
    return b"OK"


@command("qOffsets")
def offsets(session: Session, arguments: bytes) -> bytes:
    """Where sections were loaded: programs of this kind say so themselves, by their auxiliary vector."""
    return b""


@command("!", needs=interfaces.Processes)
def extended_mode(session: Session, arguments: bytes) -> bytes:
    """The server stays when there is nothing left to debug."""
    session.extended = True
    return b"OK"


@command("QNonStop", needs=interfaces.Resume, features=("QNonStop+",))
def non_stop(session: Session, arguments: bytes) -> bytes:
    """Whether threads stop by themselves."""
    target = session.target_as(interfaces.Resume)
    if arguments not in (b":0", b":1"):
        raise ClientFault("QNonStop takes 0 or 1")
    target.non_stop = arguments == b":1"
    return b"OK"

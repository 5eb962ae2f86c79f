"""One client's session: packets in, replies out, and what the client has chosen.

A session reads no socket: `receive` takes bytes, `write` gets bytes. It talks to a `Target` by its
capabilities. In all-stop mode a resume request has no reply until the target has a stop to tell; in
non-stop mode it is answered at once, and stops travel as notifications.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast

from gdbstub.rsp.errors import NotServed, PacketError, TargetFault
from gdbstub.rsp.notifications import StopNotifications
from gdbstub.rsp.packet import PacketReader, Token, encode_notification, encode_packet
from gdbstub.rsp.registry import COMMANDS, Command, find
from gdbstub.rsp.stop_reply import StopReplies
from gdbstub.target import interfaces
from gdbstub.target.values import EVERY_THREAD, TargetError, ThreadId, ThreadPattern, ThreadStop

_log = logging.getLogger("gdbstub")
_Capability = TypeVar("_Capability")

PACKET_SIZE = 0x20000
"""Bytes of the largest packet: few round trips for memory and files (any gdb takes what is offered)."""

_COMMANDS_TO_DISABLE = frozenset({"vCont", "qC", "qfThreadInfo"})
"""Of the names that --disable-packet knows, those of packets; the others (T) are about replies."""

Log = Callable[[str, bytes], None]
"""(direction, packet): told of everything that travels; and ("event", text) of what happens to programs."""


@dataclass
class Options:
    """What outlives a connection: what `monitor set` changes, and where the program's debugger prints."""

    remote_debug: bool = False
    timestamps: bool = False
    log_events: Callable[[bool], None] = lambda wanted: None
    """Begin or end a log of what happens to the programs."""
    console: Callable[[str], object] = lambda text: None
    """Gets what the commands of breakpoints print."""


def _log_bug(payload: bytes, error: Exception) -> None:
    _log.error("internal error at packet %r", payload, exc_info=error)


class Session:
    """The state of one connection."""

    def __init__(
        self,
        target: interfaces.Target,
        write: Callable[[bytes], object],
        options: Options | None = None,
        disabled: frozenset[str] = frozenset(),
    ) -> None:
        """`disabled`: packets to be left out, by the names of gdbserver's --disable-packet."""
        self.target = target
        self._has: dict[type, bool] = {}
        self.write = write
        self.options = options or Options()
        self.disabled = disabled
        self.log: Log = lambda direction, packet: None
        self.on_exit: Callable[[], None] = lambda: None
        """The client asked the server to end."""
        self.on_bug = _log_bug
        """Told of a packet whose handler failed in a way that it should not have."""
        self._reader = PacketReader(PACKET_SIZE)
        self._last_sent = b""
        self.no_ack = False
        self.extended = False
        self.features: frozenset[str] = frozenset()
        """What the client said in qSupported, without the plus signs."""
        self.general: ThreadId | None = None
        """The thread that registers and memory are about (Hg)."""
        self.resumed_by_old_packets: ThreadPattern = EVERY_THREAD
        """The threads that c, s, C and S are about (Hc)."""
        self.waiting = False
        """All-stop: a resume request waits for its stop reply."""
        self.notifications = StopNotifications()
        self.replies = StopReplies(self)
        self.snapshots: dict[bytes, bytes] = {}
        """Objects that are being read piece by piece, by name."""
        if isinstance(target, interfaces.Resume):
            target.on_stop = self._stop_available
            target.non_stop = False
        if isinstance(target, interfaces.Events):
            target.report_events(fork=False, vfork=False, execs=False)
            target.report_thread_events(False)
            target.pass_signals(frozenset())

    # Bytes.

    def receive(self, data: bytes) -> None:
        """Act on what the client sent."""
        for item in self._reader.feed(data):
            if isinstance(item, bytes):
                self._receive_packet(item)
            elif item is Token.INTERRUPT:
                self.log("interrupt", b"")
                self.interrupt()
            elif item is Token.NACK and not self.no_ack:
                self.write(self._last_sent)
            elif item in (Token.BAD_CHECKSUM, Token.OVERFLOW) and not self.no_ack:
                self.write(b"-")

    def _receive_packet(self, payload: bytes) -> None:
        if not self.no_ack:
            self.write(b"+")
        self.log("client", payload)
        reply = self._answer(payload)
        if reply is not None:
            self.send(reply)

    def _answer(self, payload: bytes) -> bytes | None:
        found = find(payload)
        if found is None or not self.serves(found[0]):
            return b""
        entry, arguments = found
        try:
            return entry.handler(self, arguments)
        except NotServed:
            return b""
        except PacketError as error:
            return error.reply("error-message" in self.features)
        except TargetError as error:
            return TargetFault(str(error)).reply("error-message" in self.features)
        except Exception as error:  # noqa: BLE001 - a bug of ours must not end what is being debugged
            self.on_bug(payload, error)
            return TargetFault(f"internal error: {error!r}").reply("error-message" in self.features)

    def send(self, payload: bytes) -> None:
        """Send a reply."""
        self.log("server", payload)
        self._last_sent = encode_packet(payload)
        self.write(self._last_sent)

    def notify(self, payload: bytes) -> None:
        """Send a notification."""
        self.log("notification", payload)
        self.write(encode_notification(payload))

    # What is offered.

    def serves(self, entry: Command) -> bool:
        """Whether the target can do what a packet needs."""
        if entry.name in self.disabled and entry.name in _COMMANDS_TO_DISABLE:
            return False
        return entry.needs is None or self.has(entry.needs)

    def offered_features(self) -> list[str]:
        """What qSupported says of the packets that are served."""
        return [feature for entry in COMMANDS.values() if self.serves(entry) for feature in entry.features]

    @property
    def multiprocess(self) -> bool:
        """Thread-ids name their process."""
        return "multiprocess" in self.features

    # Threads.

    def general_thread(self) -> ThreadId:
        """The thread that registers and memory are about; the first one if none was chosen."""
        if self.general is not None:
            return self.general
        return self.any_thread(EVERY_THREAD)

    def any_thread(self, pattern: ThreadPattern) -> ThreadId:
        """The first thread that a pattern matches. Raises TargetFault if there is none."""
        for thread in self.target.threads():
            if pattern.matches(thread):
                return thread
        raise TargetFault("no such thread")

    def general_process(self) -> int:
        """The process that memory is about."""
        return self.general_thread().pid

    # Stops.

    def interrupt(self) -> None:
        """The user wants the program to stop."""
        if self.has(interfaces.Resume):
            self.target_as(interfaces.Resume).interrupt()

    def _stop_available(self) -> None:
        target = self.target_as(interfaces.Resume)
        if target.non_stop:
            payload = self.notifications.available(self.next_stop_reply)
            if payload is not None:
                self.notify(b"Stop:" + payload)
        elif self.waiting:
            reply = self.next_stop_reply()
            if reply is not None:
                self.waiting = False
                self.send(reply)

    def next_stop_reply(self) -> bytes | None:
        """The next stop that can be put into words that the client knows."""
        target = self.target_as(interfaces.Resume)
        while (stop := target.take_stop()) is not None:
            reply = self.replies.reply(stop)
            if reply is not None:
                if isinstance(stop, ThreadStop) and not target.non_stop:
                    self.general = stop.thread
                return reply
        return None

    def has(self, capability: type) -> bool:
        """Whether the target has a capability."""
        known = self._has.get(capability)
        if known is None:
            known = self._has[capability] = isinstance(self.target, capability)
        return known

    def target_as(self, capability: type[_Capability]) -> _Capability:
        """The target with a capability. Raises NotServed where it has not."""
        if not self.has(capability):
            raise NotServed
        return cast(_Capability, self.target)

    def closed(self) -> None:
        """The client is gone."""
        if isinstance(self.target, interfaces.Resume):
            self.target.on_stop = lambda: None

"""A debugger's end of a session over a simulated target: packets as text, with a decoder of its own."""

from __future__ import annotations

from gdbstub.rsp import commands as _commands  # noqa: F401 - fills the table of packets
from gdbstub.rsp.session import Options, Session
from gdbstub.target.interfaces import Target
from gdbstub.testing.target import SimulatedTarget

ALL_FEATURES = (
    "multiprocess+;swbreak+;hwbreak+;fork-events+;vfork-events+;exec-events+;vContSupported+;"
    "QThreadEvents+;no-resumed+;error-message+"
)


def to_bytes(text: str) -> bytes:
    """Packets are written as text of which each character is a byte."""
    return text.encode("latin-1")


def frame(payload: bytes) -> bytes:
    """A packet as a client sends it."""
    return b"$" + payload + b"#%02x" % (sum(payload) % 256)


def expand(data: bytes) -> bytes:
    """Undo run-length coding, by the manual's rules."""
    plain = bytearray()
    position = 0
    while position < len(data):
        if data[position] != 0x2A:
            plain.append(data[position])
            position += 1
            continue
        repeats = data[position + 1] - 29
        assert plain, "a run of nothing"
        assert repeats >= 3, f"a run of {repeats} repeats"
        assert data[position + 1] not in b"#$+-", "a count that has another meaning"
        assert 32 <= data[position + 1] <= 126, "a count that is not printable"
        plain += plain[-1:] * repeats
        position += 2
    return bytes(plain)


def take_apart(stream: bytes) -> list[bytes]:
    """What a server sent: `+` and `-` as they are, packets as their payloads, notifications after a `%`."""
    found = []
    position = 0
    while position < len(stream):
        kind = stream[position : position + 1]
        position += 1
        if kind in (b"+", b"-"):
            found.append(kind)
            continue
        assert kind in (b"$", b"%"), f"{kind!r} between packets"
        end = stream.index(b"#", position)
        data = stream[position:end]
        assert b"$" not in data
        assert stream[end + 1 : end + 3] == b"%02x" % (sum(data) % 256), "a wrong checksum"
        found.append((b"%" if kind == b"%" else b"") + expand(data))
        position = end + 3
    return found


def _fail(payload: bytes, error: Exception) -> None:
    """No test but one expects an internal error."""
    raise error


class Client:
    """Sends packets and gives what comes back."""

    def __init__(
        self, target: Target, features: str | None = None, disabled: frozenset[str] = frozenset()
    ) -> None:
        """`features`: what the client says in qSupported; None: it does not ask."""
        self.target = target
        self._sent = bytearray()
        self.printed: list[str] = []
        options = Options(console=self.printed.append)
        self.session = Session(target, self._sent.extend, options, disabled)
        self.session.on_bug = _fail
        self.exits = 0
        self.session.on_exit = self._exit
        self.session.no_ack = True
        if features is not None:
            self.ask("qSupported:" + features)

    def _exit(self) -> None:
        self.exits += 1

    def raw(self, data: bytes) -> bytes:
        """Bytes in, bytes out; the program goes on until something has happened."""
        self.session.receive(data)
        if isinstance(self.target, SimulatedTarget):
            self.target.advance()
        sent = bytes(self._sent)
        self._sent.clear()
        return sent

    def replies(self, packet: str) -> list[str]:
        """Everything that comes back for a packet."""
        return [each.decode("latin-1") for each in take_apart(self.raw(frame(to_bytes(packet))))]

    def ask(self, packet: str) -> str:
        """The one reply to a packet."""
        (reply,) = self.replies(packet)
        return reply

    def talk(self, *exchanges: tuple[str, str | None]) -> None:
        """Packets and their replies, in order; None: there is none."""
        for packet, expected in exchanges:
            replies = self.replies(packet)
            assert replies == ([] if expected is None else [expected]), packet

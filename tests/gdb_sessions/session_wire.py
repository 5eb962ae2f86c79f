"""gdb's end of a connection. It frames and checks packets itself, not with the product's own code."""

from __future__ import annotations

import os
import re
import select
import time
from collections import deque

_FRAME = re.compile(rb"([$%])([^#]*)#([0-9a-f]{2})", re.DOTALL)
_INTERRUPT = b"\x03"
PATIENCE = 20.0


class BadStream(AssertionError):
    """The server sent what a server must not send, or nothing in time."""


class Wire:
    """Packets over two descriptors."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self._buffer = b""
        self._replies: deque[bytes] = deque()
        self._notifications: deque[bytes] = deque()
        self._unacknowledged = 0
        self._no_ack = False
        self._last_sent = b""

    def send(self, packet: bytes) -> None:
        """Send a packet."""
        self._last_sent = packet
        self._write(b"$%b#%02x" % (packet, sum(packet) % 256))
        self._unacknowledged += not self._no_ack

    def interrupt(self) -> None:
        """Send the interrupt character."""
        self._write(_INTERRUPT)

    def reply(self) -> bytes:
        """The next packet."""
        return self._next(self._replies)

    def notification(self) -> bytes:
        """The next notification."""
        return self._next(self._notifications)

    @property
    def left_over(self) -> list[bytes]:
        """What came and was not asked for."""
        return [*self._replies, *self._notifications]

    def close(self) -> None:
        """Hang up."""
        for descriptor in {self._reading, self._writing}:
            os.close(descriptor)

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._writing, data) :]

    def _next(self, queue: deque[bytes]) -> bytes:
        deadline = time.monotonic() + PATIENCE
        while not queue:
            ready, _, _ = select.select([self._reading], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise BadStream(f"no answer to {self._last_sent!r} in {PATIENCE:.0f} seconds")
            data = os.read(self._reading, 1 << 16)
            if not data:
                raise BadStream(f"the server hung up after {self._last_sent!r}")
            self._buffer += data
            self._parse()
        return queue.popleft()

    def _parse(self) -> None:
        while self._buffer:
            if self._buffer.startswith(b"+"):
                self._unacknowledged -= 1
                self._buffer = self._buffer[1:]
                continue
            match = _FRAME.match(self._buffer)
            if match is None:
                if self._buffer[:1] not in (b"$", b"%"):
                    raise BadStream(f"neither a packet nor an acknowledgement: {self._buffer[:50]!r}")
                return
            self._buffer = self._buffer[match.end() :]
            self._take(*match.groups())

    def _take(self, start: bytes, data: bytes, digits: bytes) -> None:
        if sum(data) % 256 != int(digits, 16):
            raise BadStream(f"wrong checksum {digits!r} of {data!r}")
        if start == b"%":
            self._notifications.append(_expand(data))
            return
        if not self._no_ack:
            if self._unacknowledged:
                raise BadStream(f"{self._last_sent!r} was answered without being acknowledged")
            self._write(b"+")
            self._no_ack = self._last_sent == b"QStartNoAckMode" and data == b"OK"
        self._replies.append(_expand(data))


def _expand(data: bytes) -> bytes:
    """Undo run-length coding."""
    return re.sub(rb"(.)\*(.)", lambda match: match[1] * (1 + match[2][0] - 29), data, flags=re.DOTALL)

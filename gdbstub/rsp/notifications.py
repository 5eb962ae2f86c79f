"""The stop notification of non-stop mode (gdb manual, section Notification Packets).

A state machine of two states. Idle: nothing is under way; the first stop is sent as a notification. Sent:
the client has been notified and fetches the rest with vStopped, one stop a reply, until it gets OK; stops
that happen meanwhile wait in the target and are fetched like the rest, without another notification.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

TakeReply = Callable[[], bytes | None]
"""The next stop's reply, None if there is none."""


class StopNotifications:
    """One connection's notification state."""

    def __init__(self) -> None:
        self._sent = False
        self._standing: deque[bytes] = deque()

    def available(self, take: TakeReply) -> bytes | None:
        """A stop has happened: what to send as a notification, if anything."""
        if self._sent:
            return None
        reply = take()
        self._sent = reply is not None
        return reply

    def begin(self, standing: Iterable[bytes]) -> bytes | None:
        """The client asked (`?`) why threads stand still: the first reply; vStopped fetches the others."""
        self._standing = deque(standing)
        self._sent = bool(self._standing)
        return self._standing.popleft() if self._standing else None

    def fetch(self, take: TakeReply) -> bytes | None:
        """The client asked for the next stop (vStopped); None when there is none left."""
        if self._standing:
            return self._standing.popleft()
        reply = take()
        self._sent = reply is not None
        return reply

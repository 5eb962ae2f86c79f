"""A client's byte stream in the tracer's loop: a socket, or standard input and output."""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Callable

from gdbstub.rsp import commands as _commands  # noqa: F401 - fills the table of packets
from gdbstub.rsp.session import Session
from gdbstub.utrace.tracer import Tracer

_READ_SIZE = 1 << 16
_MOST_UNSENT = 1 << 20
"""With more than these bytes unsent, requests stay unread: a client that does not read costs no memory."""


class Connection:
    """Reads for a session and writes what it says, without ever blocking the tracer on a slow client."""

    def __init__(
        self, tracer: Tracer, read_descriptor: int, write_descriptor: int, closed: Callable[[], None]
    ) -> None:
        """`closed` is called once when the client is gone."""
        self._tracer = tracer
        self._read, self._write_to = read_descriptor, write_descriptor
        self._closed = closed
        self._session: Session | None = None
        self._unsent = bytearray()
        self._reading = True
        descriptors = {read_descriptor, write_descriptor}
        self._blocking = {descriptor: os.get_blocking(descriptor) for descriptor in descriptors}
        """How they were, and are to be again: standard input and output may be a terminal that others use."""
        for descriptor in descriptors:
            os.set_blocking(descriptor, False)
        tracer.add_reader(read_descriptor, self._readable)

    def serve(self, session: Session) -> None:
        """The session that gets what is read."""
        self._session = session

    def write(self, data: bytes) -> None:
        """Send; what the client does not take now is sent when it does."""
        if not self._unsent:
            data = data[self._send(data) :]
        if data:
            if not self._unsent:
                self._wait_to_write()
            self._unsent += data
            if self._reading and len(self._unsent) > _MOST_UNSENT:
                self._pause_reading()

    def close(self) -> None:
        """End the connection."""
        if self._session is None:
            return
        session, self._session = self._session, None
        self._tracer.remove_reader(self._read)
        if self._write_to != self._read:
            self._tracer.remove_reader(self._write_to)
        for descriptor, blocking in self._blocking.items():
            with contextlib.suppress(OSError):
                os.set_blocking(descriptor, blocking)
                os.close(descriptor)
        session.closed()
        self._closed()

    def _readable(self) -> None:
        if not self._reading:
            self._writable()
            return
        try:
            data = os.read(self._read, _READ_SIZE)
        except BlockingIOError:
            if self._unsent:
                self._writable()
            return
        except OSError:
            data = b""
        if not data:
            self.close()
        elif self._session is not None:
            self._session.receive(data)

    def _send(self, data: bytes | bytearray) -> int:
        try:
            return os.write(self._write_to, data)
        except BlockingIOError:
            return 0
        except OSError:
            # The client is gone; reading says so, too, and closes.
            return len(data)

    def _wait_to_write(self) -> None:
        if self._write_to == self._read:
            self._tracer.change_reader(self._read, select.EPOLLIN | select.EPOLLOUT)
        else:
            self._tracer.add_reader(self._write_to, self._writable, select.EPOLLOUT)

    def _pause_reading(self) -> None:
        self._reading = False
        self._tracer.change_reader(self._read, select.EPOLLOUT if self._write_to == self._read else 0)

    def _writable(self) -> None:
        del self._unsent[: self._send(self._unsent)]
        if self._unsent:
            return
        if self._write_to != self._read:
            self._tracer.remove_reader(self._write_to)
        if self._write_to == self._read or not self._reading:
            self._tracer.change_reader(self._read, select.EPOLLIN)
        self._reading = True

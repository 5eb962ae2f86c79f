"""A gdb client of a few lines, for what a real gdb would never do."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable

from server_process import PATIENCE


class WireClient:
    """Speaks the remote protocol over a socket."""

    def __init__(self, place: int | str) -> None:
        """`place`: a TCP port of this machine, or the path of a unix socket."""
        if isinstance(place, int):
            self.socket = socket.create_connection(("localhost", place), PATIENCE)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(PATIENCE)
            self.socket.connect(place)
        self._buffer = b""

    def start(self, features: str = "multiprocess+;swbreak+;hwbreak+;vContSupported+") -> WireClient:
        """What each client begins with."""
        assert self.request("QStartNoAckMode", acknowledge=True) == "OK"
        self.request(f"qSupported:{features}")
        return self

    def send(self, payload: str) -> None:
        self.socket.sendall(frame(payload))

    def receive(self) -> str:
        """The next packet's contents; acknowledgements are skipped. Raises EOFError at the end."""
        while True:
            found = re.search(rb"[$]([^#]*)#..", self._buffer, re.S)
            if found:
                self._buffer = self._buffer[found.end() :]
                return expand(found[1].decode("latin-1"))
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self._buffer += data

    def request(self, payload: str, acknowledge: bool = False) -> str:
        self.send(payload)
        reply = self.receive()
        if acknowledge:
            self.socket.sendall(b"+")
        return reply

    def monitor(self, command: str) -> str:
        """A monitor command; its reply, console output being skipped."""
        reply = self.request("qRcmd," + command.encode().hex())
        while reply.startswith("O") and reply != "OK":
            reply = self.receive()
        return reply

    def ended(self) -> bool:
        """Wait until the server closes the connection; False if it says something else instead."""
        try:
            self.receive()
        except (EOFError, ConnectionResetError):
            return True
        return False

    def close(self) -> None:
        self.socket.close()


def frame(payload: str) -> bytes:
    data = payload.encode("latin-1")
    return b"$%s#%02x" % (data, sum(data) & 0xFF)


def expand(payload: str) -> str:
    """Undo run-length encoding."""
    return re.sub(r"(.)[*](.)", lambda run: run[1] * (ord(run[2]) - 28), payload, flags=re.S)


Connect = Callable[..., WireClient]
"""connect(server or path): a client that has said hello."""

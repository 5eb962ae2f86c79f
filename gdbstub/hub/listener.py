"""Where clients connect: TCP, or a unix socket."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import stat
from dataclasses import dataclass

_BACKLOG = 16
LOOPBACK = "localhost"
_PORT = re.compile(r"[0-9]{1,5}\Z")


class BadAddress(ValueError):
    """Text that names no place to listen at; it says why."""


@dataclass(frozen=True)
class TcpAddress:
    """A host and a port; port 0 lets the system choose."""

    host: str
    port: int
    host_given: bool
    """False: only this machine may connect, because nothing else was asked for."""


@dataclass(frozen=True)
class UnixAddress:
    """A path."""

    path: str


@dataclass(frozen=True)
class StandardIo:
    """Standard input and output, for a client that starts the server itself."""


Address = TcpAddress | UnixAddress | StandardIo


def parse_address(text: str) -> Address:
    """gdbserver's COMM argument: [HOST]:PORT, - or stdio, or (ours) the path of a unix socket.

    Raises BadAddress.
    """
    if text in ("-", "stdio"):
        return StandardIo()
    if "/" in text:
        return UnixAddress(text)
    for prefix in ("tcp:", "tcp4:", "tcp6:"):
        text = text.removeprefix(prefix)
    host, colon, port_text = text.rpartition(":")
    if not colon:
        raise BadAddress(f"{text}: neither HOST:PORT nor the path of a socket nor -")
    if not _PORT.match(port_text) or int(port_text) > 65535:
        raise BadAddress(f"{text}: {port_text or 'nothing'} is no port number")
    host = host.removeprefix("[").removesuffix("]")
    return TcpAddress(host or LOOPBACK, int(port_text), bool(host))


class Listener:
    """A listening socket. A path that a dead server left behind is taken over."""

    def __init__(self, address: TcpAddress | UnixAddress) -> None:
        """Raises OSError."""
        self._path: str | None = None
        if isinstance(address, UnixAddress):
            self._socket = _listen_unix(address.path)
            self._path = address.path
            self.name = f"socket {address.path}"
        else:
            self._socket = _listen_tcp(address)
            self.name = f"port {self._socket.getsockname()[1]}"

    def fileno(self) -> int:
        """Readable when a client waits."""
        return self._socket.fileno()

    def accept(self) -> tuple[int, str]:
        """The client's descriptor, and who it is. Raises OSError if it has gone again."""
        connection, peer = self._socket.accept()
        if self._path is not None:
            return connection.detach(), f"Remote debugging over {self.name}"
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection.detach(), f"Remote debugging from host {peer[0]}, port {peer[1]}"

    def close(self) -> None:
        """Stop listening; a socket's path, which somebody else may take next, goes once."""
        self._socket.close()
        path, self._path = self._path, None
        if path is not None:
            with contextlib.suppress(OSError):
                os.unlink(path)


def _listen_tcp(address: TcpAddress) -> socket.socket:
    try:
        candidates = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except socket.gaierror as error:
        raise OSError(0, f"{address.host}: cannot resolve name: {error.strerror}") from None
    except UnicodeError:
        raise OSError(0, f"{address.host}: cannot resolve name: no name of a host") from None
    problem: OSError | None = None
    for family, kind, protocol, _, place in candidates:
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(place)
            listening.listen(_BACKLOG)
        except OSError as error:
            listening.close()
            problem = OSError(error.errno, f"Can't bind address: {error.strerror}.")
            continue
        return listening
    raise problem or OSError(0, f"{address.host}: cannot resolve name: no address")


def _listen_unix(path: str) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if _is_stale(path):
            os.unlink(path)
        previous = os.umask(0o177)
        try:
            listening.bind(path)
        finally:
            os.umask(previous)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise OSError(error.errno, f"Can't bind address: {path}: {error.strerror or error}.") from None
    return listening


def _is_stale(path: str) -> bool:
    """Whether a path is a socket that nobody listens at."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return False
    except OSError:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False

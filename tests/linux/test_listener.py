"""Where a server listens: addresses as gdbserver's users write them."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from gdbstub.hub.listener import (
    LOOPBACK,
    Address,
    BadAddress,
    Listener,
    StandardIo,
    TcpAddress,
    UnixAddress,
    parse_address,
)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":1234", TcpAddress(LOOPBACK, 1234, False)),
        ("localhost:1234", TcpAddress("localhost", 1234, True)),
        ("0.0.0.0:0", TcpAddress("0.0.0.0", 0, True)),
        ("example.org:65535", TcpAddress("example.org", 65535, True)),
        ("[::1]:1234", TcpAddress("::1", 1234, True)),
        ("::1:1234", TcpAddress("::1", 1234, True)),
        ("tcp::1234", TcpAddress(LOOPBACK, 1234, False)),
        ("tcp:localhost:1234", TcpAddress("localhost", 1234, True)),
        ("tcp4:127.0.0.1:1234", TcpAddress("127.0.0.1", 1234, True)),
        ("tcp6:[::1]:1234", TcpAddress("::1", 1234, True)),
        ("-", StandardIo()),
        ("stdio", StandardIo()),
        ("/tmp/socket", UnixAddress("/tmp/socket")),
        ("./socket", UnixAddress("./socket")),
        ("/tmp/odd:1234", UnixAddress("/tmp/odd:1234")),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    ["", "1234", "localhost", "localhost:", ":", ":x", ":-1", ":65536", ":12 ", ":\u0663", ":99999999999"],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(BadAddress):
        parse_address(text)


def test_a_port_that_the_system_chooses() -> None:
    listener = Listener(TcpAddress("127.0.0.1", 0, True))
    try:
        port = int(listener.name.removeprefix("port "))
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            descriptor, peer = listener.accept()
            with socket.socket(fileno=descriptor) as served:
                assert peer == f"Remote debugging from host 127.0.0.1, port {client.getsockname()[1]}"
                assert served.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                client.sendall(b"+")
                assert served.recv(1) == b"+"
    finally:
        listener.close()


def test_a_port_that_is_taken() -> None:
    listener = Listener(TcpAddress("127.0.0.1", 0, True))
    try:
        port = int(listener.name.removeprefix("port "))
        with pytest.raises(OSError, match=r"Can't bind address: Address already in use\."):
            Listener(TcpAddress("127.0.0.1", port, True))
    finally:
        listener.close()


def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    listener = Listener(UnixAddress(str(path)))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600, "for its owner alone"
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        descriptor, peer = listener.accept()
        socket.socket(fileno=descriptor).close()
    assert peer == f"Remote debugging over socket {path}"
    listener.close()
    assert not path.exists()


def test_a_socket_that_a_dead_server_left_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    Listener(UnixAddress(str(path))).close()


def test_a_socket_in_use_and_other_files_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    listener = Listener(UnixAddress(str(path)))
    with pytest.raises(OSError, match="Address already in use"):
        Listener(UnixAddress(str(path)))
    assert path.exists()
    listener.close()
    path.write_text("precious")
    with pytest.raises(OSError, match="Can't bind address"):
        Listener(UnixAddress(str(path)))
    assert path.read_text() == "precious"
    with pytest.raises(OSError, match="Can't bind address"):
        Listener(UnixAddress(str(tmp_path / "absent" / "socket")))

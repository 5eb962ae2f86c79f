"""Where the server listens: TCP, unix sockets, standard input and output."""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
from pathlib import Path

import pytest
from server_client import Connect, WireClient, expand, frame
from server_process import PATIENCE, Serve, wait_until

ONLY_HERE = "Only this machine can connect"


def listening_hosts(port: int) -> set[str]:
    """The local addresses on which somebody listens at a TCP port, in the kernel's hexadecimal."""
    lines = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    return set(re.findall(rf"\d+: ([0-9A-F]+):{port:04X} [0-9A-F:]+ 0A ", lines))


LOOPBACK = {"0100007F", "00000000000000000000000001000000"}
ANY = {"00000000", "0" * 32}


@pytest.mark.parametrize("place", [":0", "localhost:0", "127.0.0.1:0", "tcp:localhost:0", "tcp::0"])
def test_port_zero_is_chosen_and_loopback_is_the_default(serve: Serve, connect: Connect, place: str) -> None:
    server = serve("--multi", place)
    assert server.port > 0
    hosts = listening_hosts(server.port)
    assert hosts and hosts <= LOOPBACK
    assert (ONLY_HERE in server.errors) == (place in (":0", "tcp::0"))
    assert connect(server).request("?") == "W00"
    server.expect(r"Remote debugging from host (127\.0\.0\.1|::1), port \d+\n")


@pytest.mark.parametrize("place", ["0.0.0.0:0", "[::]:0"])
def test_a_wider_address_is_taken_when_written_out(serve: Serve, connect: Connect, place: str) -> None:
    if place.startswith("[") and not Path("/proc/net/if_inet6").exists():
        pytest.skip("no IPv6")
    server = serve("--multi", place)
    assert listening_hosts(server.port) <= ANY
    assert ONLY_HERE not in server.errors
    assert connect(server).request("?") == "W00"


def test_a_port_that_is_written_out(serve: Serve, connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    server = serve("--multi", f"127.0.0.1:{port}")
    assert server.port == port
    assert connect(server).request("?") == "W00"


def test_an_address_in_use(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = serve("--multi", f"127.0.0.1:{taken.getsockname()[1]}")
        assert server.end() == 1
    assert server.errors == "gdbstub-server: Can't bind address: Address already in use.\n"


def test_a_port_that_the_user_may_not_have(serve_as_nobody: Serve) -> None:
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) < 80:
        pytest.skip("everybody may have every port here")
    server = serve_as_nobody("--multi", "127.0.0.1:79")
    assert server.end() == 1
    assert server.errors == "gdbstub-server: Can't bind address: Permission denied.\n"


def test_a_unix_socket_is_its_users_alone_and_goes_with_the_server(
    serve: Serve, connect: Connect, tmp_path: Path
) -> None:
    place = tmp_path / "socket"
    server = serve("--multi", place)
    server.expect(f"Listening on socket {place}\n")
    mode = place.stat().st_mode
    assert stat.S_ISSOCK(mode) and mode & 0o077 == 0
    client = connect(str(place))
    server.expect("Remote debugging over socket")
    assert client.request("?") == "W00"
    assert client.monitor("exit") == "OK"
    assert server.end() == 0
    assert not place.exists()


def test_a_unix_socket_that_a_dead_server_left_is_taken_over(
    serve: Serve, connect: Connect, tmp_path: Path
) -> None:
    place = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(place))
    server = serve("--multi", place)
    server.expect("Listening on socket")
    assert connect(str(place)).request("?") == "W00"


def test_a_unix_socket_in_use_stays_its_owners(serve: Serve, tmp_path: Path) -> None:
    place = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as alive:
        alive.bind(str(place))
        alive.listen()
        server = serve("--multi", place)
        assert server.end() == 1
        assert place.exists()
    assert server.errors == f"gdbstub-server: Can't bind address: {place}: Address already in use.\n"


def test_a_file_is_not_taken_for_a_socket(serve: Serve, tmp_path: Path) -> None:
    place = tmp_path / "precious"
    place.write_text("contents")
    server = serve("--multi", place)
    assert server.end() == 1
    assert "Address already in use" in server.errors
    assert place.read_text() == "contents"


def test_a_path_that_is_too_long(serve: Serve) -> None:
    server = serve("--multi", "/tmp/" + "x" * 200)
    assert server.end() == 1
    assert server.errors.count("\n") == 1 and "AF_UNIX path too long" in server.errors


@pytest.mark.parametrize("place", ["-", "stdio"])
def test_standard_input_and_output(serve: Serve, place: str) -> None:
    server = serve(place, "/bin/true", stdin=subprocess.PIPE)
    server.expect(r"Process /bin/true created; pid = \d+\n")
    server.expect("Remote debugging using stdio\n")
    to_server, from_server = server.process.stdin, server.process.stdout
    assert to_server is not None and from_server is not None
    os.set_blocking(from_server.fileno(), False)
    said = b""

    def has_said(text: bytes) -> bool:
        nonlocal said
        said += from_server.read() or b""
        return text in expand(said.decode("latin-1")).encode("latin-1")

    to_server.write(frame("?"))
    to_server.flush()
    wait_until(lambda: has_said(b"$T05"), "the stop reply")
    to_server.write(b"+" + frame("vCont;c"))
    to_server.flush()
    wait_until(lambda: has_said(b"$W00"), "the exit")
    to_server.write(b"+")
    to_server.close()
    assert server.end() == 0


def test_the_end_of_standard_input_ends_the_server(serve: Serve) -> None:
    server = serve("-", "/bin/cat", stdin=subprocess.PIPE)
    pid = server.program_pid
    assert server.process.stdin is not None
    server.process.stdin.close()
    assert server.end() == 0
    assert not Path(f"/proc/{pid}").exists()


def test_clients_wait_in_line_for_the_first_to_leave(serve: Serve, connect: Connect) -> None:
    server = serve("--multi", ":0")
    first = connect(server)
    second = WireClient(server.port)
    second.socket.sendall(frame("?"))
    second.socket.settimeout(0.05)
    with pytest.raises(TimeoutError):
        second.receive()
    assert first.request("?") == "W00"
    first.close()
    second.socket.settimeout(PATIENCE)
    assert second.receive() == "W00"
    second.close()

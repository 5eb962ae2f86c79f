"""Clients that go without a word, come again, talk nonsense, or do not listen."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import socket
import struct
import termios
from collections.abc import Callable
from pathlib import Path

import pytest
from elf_symbols import address_of
from server_client import Connect, WireClient, frame
from server_process import Serve, ServerProcess, StartTicker, Ticker, is_gone, wait_until

Build = Callable[..., Path]
PLAIN = ("-no-pie",)
REOPENED = (
    r"Remote side has terminated connection\.  GDBserver will reopen the connection\.\nListening on port"
)


@pytest.fixture
def process(ticker: StartTicker) -> Ticker:
    return ticker(*PLAIN)


@pytest.fixture
def tick(build: Build) -> int:
    """The address of a function that all threads call all the time."""
    return address_of(build("ticker", *PLAIN), "tick")


@pytest.fixture
def server(serve: Serve, process: Ticker) -> ServerProcess:
    return serve("--attach", ":0", process.pid)


def at_breakpoint(client: WireClient, tick: int) -> None:
    assert client.request(f"Z0,{tick:x},1") == "OK"
    assert "swbreak" in client.request("vCont;c")


def running(client: WireClient, tick: int) -> None:
    client.send("vCont;c")


def amid_a_packet(client: WireClient, tick: int) -> None:
    client.socket.sendall(b"$vCont;c:p")


def before_its_answer(client: WireClient, tick: int) -> None:
    for _ in range(50):
        client.send(f"m{tick:x},800")


def let_go_and_end(server: ServerProcess, client: WireClient, process: Ticker) -> None:
    """The usual end, after which nothing may be left."""
    assert client.request("D") == "OK"
    client.close()
    assert server.end() == 0
    process.check_untouched()


@pytest.mark.parametrize("leaving", [at_breakpoint, running, amid_a_packet, before_its_answer])
def test_the_next_client_finds_the_process(
    server: ServerProcess,
    connect: Connect,
    process: Ticker,
    tick: int,
    leaving: Callable[[WireClient, int], None],
) -> None:
    first = connect(server)
    leaving(first, tick)
    first.close()
    server.expect(REOPENED)
    if leaving is running:
        process.check_runs()
    else:
        process.check_stands()
    second = connect(server)
    assert second.request("?").startswith("T")
    process.check_stands()
    let_go_and_end(server, second, process)


def test_a_stop_is_told_again_and_its_breakpoint_is_still_there(
    server: ServerProcess, connect: Connect, process: Ticker, tick: int
) -> None:
    """As with gdbserver: a client that dies leaves its breakpoints to the next one."""
    first = connect(server)
    at_breakpoint(first, tick)
    first.close()
    second = connect(server)
    stop = second.request("?")
    assert "swbreak" in stop
    assert "swbreak" in second.request("vCont;c")
    assert second.request(f"m{tick:x},1") == "55"
    assert second.request(f"Z0,{tick:x},1") == "OK"
    assert second.request(f"z0,{tick:x},1") == "OK"
    second.send("vCont;c")
    process.check_runs()
    second.socket.sendall(b"\x03")
    assert second.receive().startswith("T02")
    let_go_and_end(server, second, process)


def test_a_breakpoint_hit_while_nobody_is_connected_waits_for_the_next(
    server: ServerProcess, connect: Connect, process: Ticker, tick: int
) -> None:
    first = connect(server)
    at_breakpoint(first, tick)
    first.send("vCont;c")
    first.close()
    server.expect(REOPENED)
    process.check_stands()
    second = connect(server)
    assert "swbreak" in second.request("?")
    let_go_and_end(server, second, process)


def test_features_of_the_first_client_are_not_those_of_the_next(
    server: ServerProcess, connect: Connect, process: Ticker
) -> None:
    first = connect(server)
    assert first.request("QNonStop:1") == "OK"
    assert "thread:p" in first.request("?")
    first.close()
    second = WireClient(server.port)
    second.send("?")
    stop = second.receive()
    assert stop.startswith("T") and "thread:p" not in stop
    second.socket.sendall(b"+")
    second.start()
    let_go_and_end(server, second, process)


def test_once_ends_with_its_client(serve: Serve, connect: Connect, process: Ticker) -> None:
    server = serve("--once", "--attach", ":0", process.pid)
    client = connect(server)
    with pytest.raises(ConnectionRefusedError):
        WireClient(server.port)
    client.close()
    assert server.end() == 0
    process.check_untouched()


def test_once_and_multi_together(serve: Serve, connect: Connect) -> None:
    server = serve("--once", "--multi", ":0")
    connect(server).close()
    assert server.end() == 0


def test_multi_stays(serve: Serve, connect: Connect, build: Build) -> None:
    server = serve("--multi", ":0")
    for _ in range(3):
        client = connect(server)
        assert client.request("?") == "W00"
        words = [str(build("show_start")), "x"]
        stop = client.request("vRun;" + ";".join(word.encode().hex() for word in words))
        assert stop.startswith("T05")
        assert client.request("vCont;c").startswith("W01")
        client.close()
        server.expect(REOPENED)
    assert server.process.poll() is None


def test_a_program_that_was_killed_while_it_stood_still(serve: Serve, connect: Connect, build: Build) -> None:
    server = serve(":0", build("show_start"))
    pid = server.program_pid
    client = connect(server)
    os.kill(pid, signal.SIGKILL)
    server.expect(r"Child terminated with signal = 0x9")
    assert client.request("vCont;c") == f"X09;process:{pid:x}"
    client.close()
    assert server.end() == 0


def run_shell(script: str) -> str:
    return "vRun;" + ";".join(word.encode().hex() for word in ("/bin/sh", "-c", script))


def test_the_next_client_is_not_told_how_another_s_program_ended(
    serve: Serve, connect: Connect, tmp_path: Path
) -> None:
    server = serve("--multi", ":0")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    first = connect(server)
    assert first.request(run_shell(f"read line < {fifo}; exit 3")).startswith("T05")
    first.send("vCont;c")
    first.close()
    server.expect(REOPENED)
    fifo.write_text("go on\n")
    server.expect(r"Child exited with status 3\n")
    second = connect(server)
    assert second.request("?") == "W00"
    assert second.request(run_shell("exit 4")).startswith("T05")
    assert second.request("vCont;c").startswith("W04")


def test_a_started_program_survives_a_client_but_not_the_server(
    serve: Serve, connect: Connect, build: Build, tmp_path: Path
) -> None:
    server = serve(":0", build("ticker"), tmp_path / "ticks")
    pid = server.program_pid
    client = connect(server)
    client.send("vCont;c")
    client.close()
    process = Ticker(pid, tmp_path / "ticks")
    server.expect(REOPENED)
    process.check_runs()
    server.process.kill()
    assert server.exit_status() == -signal.SIGKILL
    wait_until(lambda: is_gone(pid), "the program dies with its tracer")


def test_a_program_that_ends_after_its_client_has_gone(serve: Serve, connect: Connect) -> None:
    server = serve(":0", "/bin/true")
    client = connect(server)
    client.send("vCont;c")
    client.close()
    server.expect(r"Child exited with status 0\n")
    # gdbserver, too, stays until somebody has been told.
    if server.process.poll() is None:
        late = WireClient(server.port)
        late.close()
    assert server.end() == 0


def test_many_quick_connections(server: ServerProcess, connect: Connect, process: Ticker) -> None:
    for _ in range(40):
        WireClient(server.port).close()
    client = connect(server)
    assert client.request("?").startswith("T05")
    let_go_and_end(server, client, process)


GARBAGE = [
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2,
    b"\x00" * 10000,
    b"$" * 1000 + b"#" * 1000,
    b"$" + b"A" * 300_000 + b"#00",
    b"}" * 100 + b"$}#7d$*#2a$}}}#00",
    b"+-+-\x03\x03\x03$#",
    b"$vCont;c:p-2.-9#" + b"zz" + frame("vCont;") + frame("Z0,,") + frame("qRcmd,zz"),
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=lambda garbage: repr(garbage[:12]))
def test_garbage_harms_nothing(
    server: ServerProcess, connect: Connect, process: Ticker, garbage: bytes
) -> None:
    nonsense = WireClient(server.port)
    nonsense.socket.sendall(garbage)
    nonsense.close()
    server.expect(REOPENED)
    process.check_stands()
    client = connect(server)
    assert client.request("?").startswith("T")
    let_go_and_end(server, client, process)
    assert "Traceback" not in server.errors


def test_a_client_that_does_not_read_does_not_block_the_server(
    serve: Serve, connect: Connect, process: Ticker, tick: int, tmp_path: Path
) -> None:
    place = str(tmp_path / "socket")
    server = serve("--attach", place, process.pid)
    server.expect("Listening")
    client = connect(place)
    requests = 300
    for _ in range(requests):
        client.send(f"m{tick & ~0xFFF:x},1000")
    # The answers are many times what the socket takes, and yet all requests are read.
    wait_until(lambda: unread_by_peer(client.socket) == 0, "the server reads on")
    answers = [client.receive() for _ in range(requests)]
    assert {len(answer) for answer in answers} == {0x2000} and len(set(answers)) == 1
    let_go_and_end(server, client, process)


def unread_by_peer(connection: socket.socket) -> int:
    """Bytes of a unix socket that the other side has not read yet."""
    return int(struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))[0])


def test_a_client_that_never_reads_can_be_ended_by_a_signal(server: ServerProcess, process: Ticker) -> None:
    client = WireClient(server.port).start()
    for _ in range(2000):
        client.send("qXfer:features:read:target.xml:0,4000")
    server.signal(signal.SIGTERM)
    assert server.end() == 0
    process.check_untouched()
    client.close()


def test_a_client_that_trickles(server: ServerProcess, connect: Connect, process: Ticker) -> None:
    client = connect(server)
    for byte in frame("qSupported:multiprocess+"):
        client.socket.sendall(bytes([byte]))
    assert re.search(r"PacketSize=[0-9a-f]+", client.receive())
    let_go_and_end(server, client, process)


def test_a_program_that_forks_is_not_told_about_unless_it_is_asked_for(
    serve: Serve, connect: Connect
) -> None:
    server = serve(":0", "/bin/sh", "-c", "/bin/true; /bin/true; exit 3")
    client = connect(server)
    assert client.request("QPassSignals:14") == "OK"  # SIGCHLD
    assert client.request("vCont;c").startswith("W03")
    client.close()
    assert server.end() == 0
    assert "Detaching" not in server.errors and server.errors.count("Child") == 1

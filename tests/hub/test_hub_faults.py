"""Hubs that are ended or killed, and clients that misbehave."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from elf_symbols import address_of
from hub_support import PLAIN, Build, Command, Connect, Processes, StartGdb, StartWork, Work
from server_client import WireClient, frame
from server_process import PATIENCE, changed_text, is_gone, wait_until

from gdbstub.hub.control import NoAnswer, ask
from gdbstub.hub.daemon import make_sure


@pytest.fixture
def visit(build: Build) -> str:
    """A breakpoint's packet, without its first letter."""
    return f"0,{address_of(build('hub_work', *PLAIN), 'visit'):x},1"


def control(work: Work) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(PATIENCE)
    connection.connect(str(work.place.socket("control")))
    return connection


def check_answers(work: Work) -> None:
    """The hub is as it should be: a status, a debugger, and the process runs."""
    (status,) = ask(work.place, "status")
    assert status["pid"] == work.pid
    client = WireClient(work.gdb_path).start()
    assert client.request("?").startswith("T05")
    assert client.request(f"D;{work.pid:x}") == "OK"
    client.close()
    wait_until(lambda: not work.stands(), "it runs")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("running", [True, False])
def test_a_hub_that_is_ended_lets_everybody_go(
    shared: StartWork, connect: Connect, visit: str, number: int, running: bool
) -> None:
    process = shared(20)
    hub = process.hub
    clients = [connect(process) for _ in range(3)]
    for client in clients:
        assert client.request(f"Z{visit}") == "OK"
    if running:
        for client in clients:
            client.send("vCont;c")
    os.kill(hub, number)
    process.check_left()
    wait_until(lambda: is_gone(hub), "the hub ends")
    for client in clients:
        while not client.ended():
            assert running
    process.check_ends()


def test_a_place_is_free_once_its_process_is(shared: StartWork, command: Command) -> None:
    """The next hub comes as soon as the place has gone, and is not refused by the last one's trace."""
    process = shared(20)
    for _ in range(5):
        hub = process.hub
        os.kill(hub, signal.SIGTERM)
        done = command("share", process.pid)
        assert done.returncode == 0, done.stderr
    command("release", process.pid)
    process.check_left()
    process.check_ends()


@pytest.mark.parametrize("held", [True, False])
def test_a_killed_hub_is_followed_by_another(
    shared: StartWork, command: Command, connect: Connect, visit: str, held: bool
) -> None:
    process = shared()
    hub = process.hub
    if held:
        client = connect(process)
        assert client.request("?").startswith("T05")
    os.kill(hub, signal.SIGKILL)
    wait_until(lambda: process.hub == 0, "the hub is gone")
    assert process.place.socket("gdb").exists()
    assert not process.place.is_live()
    with pytest.raises(NoAnswer, match=f"the hub of process {process.pid} does not answer"):
        ask(process.place, "status")
    wait_until(lambda: not process.stands(), "it runs")
    done = command("share", process.pid)
    assert done.returncode == 0, done.stderr
    assert process.hub not in (0, hub)
    check_answers(process)
    command("release", process.pid)
    process.check_left()
    process.check_ends()


def test_a_killed_hubs_breakpoints_are_taken_out(
    shared: StartWork, command: Command, connect: Connect, build: Build
) -> None:
    process = shared()
    client = connect(process)
    address = address_of(build("hub_work", *PLAIN), "in_child")
    assert client.request(f"Z0,{address:x},1") == "OK"
    client.send("vCont;c")
    wait_until(lambda: not process.stands(), "it runs")
    os.kill(process.hub, signal.SIGKILL)
    wait_until(lambda: process.hub == 0, "the hub is gone")
    command("ls")
    wait_until(lambda: changed_text(process.pid) == [], "the guardian takes it out")
    process.check_left()
    process.tell("f")
    process.says("child 1 3\n")
    process.check_ends(children=1)


def test_ls_removes_what_a_killed_hub_left(shared: StartWork, command: Command) -> None:
    process = shared()
    os.kill(process.hub, signal.SIGKILL)
    wait_until(lambda: process.hub == 0, "the hub is gone")
    done = command("release", process.pid)
    assert done.stderr == f"gdbstub: process {process.pid} is not shared\n"
    assert str(process.pid) not in command("ls").stdout
    assert not process.place.folder.exists()


def test_two_hundred_clients_at_once(work: StartWork, command: Command, visit: str) -> None:
    process = work(4)
    first = command("share", process.pid)
    assert first.returncode == 0
    clients = [WireClient(process.gdb_path) for _ in range(200)]
    for client in clients:
        client.send("QStartNoAckMode")
    for client in clients:
        assert client.receive() == "OK"
        client.socket.sendall(b"+")
    for client in clients:
        client.send("?")
    for client in clients:
        assert client.receive().startswith("T05")
    assert len(ask(process.place, "status")[0]["engines"]) == 201
    assert clients[0].request(f"Z{visit}") == clients[199].request(f"Z{visit}") == "OK"
    for client in clients:
        client.close()
    wait_until(lambda: len(ask(process.place, "status")[0]["engines"]) == 1, "all have left")
    check_answers(process)
    command("release", process.pid)
    process.check_left()
    process.check_ends()


def test_the_last_of_many_that_leave_at_once(work: StartWork, command: Command) -> None:
    """Clients that come and go as fast as they can: the hub ends after them, and never before one."""
    process = work()
    command("share", process.pid)
    script = (
        "import socket, sys\n"
        "for _ in range(50):\n"
        "    client = socket.socket(socket.AF_UNIX)\n"
        "    client.connect(sys.argv[1])\n"
        "    client.close()\n"
    )
    several = [subprocess.Popen([sys.executable, "-c", script, process.gdb_path]) for _ in range(3)]
    assert [each.wait(PATIENCE) for each in several] == [0, 0, 0]
    check_answers(process)
    command("release", process.pid)
    process.check_left()
    process.check_ends()


@pytest.mark.parametrize(
    "data",
    [
        b"\0" * 70000,
        b"$" * 70000,
        b"$g#00" * 3000,
        b"%stop:#zz$" + bytes(range(256)) * 100,
        b"+-+-\x03\x03\x03$X0,ffff:\n#00",
        b"GET / HTTP/1.1\r\n\r\n",
        b"}" * 3000 + b"$}#7d",
    ],
    ids=range(7),
)
def test_a_debugger_that_sends_garbage(shared: StartWork, data: bytes) -> None:
    process = shared(3)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(process.gdb_path)
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
    check_answers(process)
    process.check_ends()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"nonsense", "no request: "),
        (b"[]", "no request: "),
        (b"{}", "no request: "),
        (b'{"id": 7}', "no request: "),
        (b'{"id": 7, "method": []}', "no request: "),
        (b'{"id": 7, "method": "die"}', "no such method"),
        (b'"\xff\xfe"', "no request: "),
        (b"[" * 100000, "no request: "),
        (b"", "no request: "),
    ],
    ids=range(9),
)
def test_a_control_client_that_sends_garbage(shared: StartWork, line: bytes, message: str) -> None:
    process = shared()
    with control(process) as connection, connection.makefile("rb") as lines:
        connection.sendall(line + b"\n")
        reply = json.loads(lines.readline())
        assert reply["error"]["message"].startswith(message)
        assert reply["id"] == (7 if b"7" in line else None)
        connection.sendall(b'{"id": [1], "method": "status"}\n')
        assert json.loads(lines.readline())["id"] == [1]
    check_answers(process)


def test_a_control_client_whose_line_never_ends(shared: StartWork) -> None:
    process = shared()
    with control(process) as connection, pytest.raises((BrokenPipeError, ConnectionResetError)):
        for _ in range(100):
            connection.sendall(b"x" * 100000)
    check_answers(process)


def test_a_control_client_that_never_reads(shared: StartWork) -> None:
    """It is given up; nobody waits for it, and the answers are not kept."""
    process = shared(20)
    with control(process) as connection, pytest.raises((BrokenPipeError, ConnectionResetError)):
        for _ in range(10000):
            connection.sendall(b'{"method": "status"}\n')
    check_answers(process)


def test_a_debugger_that_never_reads(shared: StartWork) -> None:
    """Nobody waits for it, and its requests are not answered without end."""
    process = shared(2)
    request = frame("qXfer:features:read:target.xml:0,1ffff")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(process.gdb_path)
        connection.sendall(frame("QStartNoAckMode") + b"+")
        # It would be answered with several hundred megabytes.
        connection.settimeout(0.5)
        with pytest.raises(TimeoutError):
            for _ in range(300):
                connection.sendall(request * 100)
        check_answers_beside(process)
        assert memory(process.hub) < 150 << 20
    check_answers(process)
    process.check_ends()


def check_answers_beside(work: Work) -> None:
    client = WireClient(work.gdb_path).start()
    assert client.request("?").startswith("T05")
    client.close()


def memory(pid: int) -> int:
    """Resident bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def test_it_is_answered_what_it_reads_late(shared: StartWork) -> None:
    process = shared()
    client = WireClient(process.gdb_path).start()
    expected = client.request("g")
    for _ in range(1500):
        client.send("g")
    assert [client.receive() for _ in range(1500)] == [expected] * 1500
    client.close()
    check_answers(process)


@pytest.mark.parametrize("running", [True, False])
def test_a_gdb_that_is_killed(shared: StartWork, gdb: StartGdb, running: bool) -> None:
    process = shared(20)
    debugger = gdb().join(process)
    debugger.insert("in_child")
    debugger.insert("visit")
    debugger.go("continue")
    debugger.hit()
    if running:
        debugger.console("delete 2")
        debugger.go("continue")
        wait_until(lambda: not process.stands(), "it runs")
    debugger.kill_itself()
    wait_until(lambda: len(ask(process.place, "status")[0]["engines"]) == 1, "it is detached")
    check_answers(process)
    ask(process.place, "release")
    process.check_left()
    process.check_ends()


def test_a_client_that_is_killed_amid_a_request(shared: StartWork, processes: Processes) -> None:
    """Half a packet, half a line of JSON, and many requests whose answers nobody will read."""
    process = shared(20)
    script = """
import socket, sys, time
folder = sys.argv[1]
debugger, half, control = [socket.socket(socket.AF_UNIX) for _ in range(3)]
debugger.connect(folder + "/gdb")
half.connect(folder + "/gdb")
control.connect(folder + "/control")
half.sendall(b"$X401136,100:" + bytes(20))
control.sendall(b'{"method": "expect"}\\n{"method": "sta')
control.recv(1)
debugger.sendall(b"$qXfer:features:read:target.xml:0,1ffff#b6$vCont;c#a8$m0,1#fa" * 100)
print("there", flush=True)
time.sleep(100)
"""
    client = subprocess.Popen([sys.executable, "-c", script, process.place.folder], stdout=subprocess.PIPE)
    processes.append(client)
    assert client.stdout is not None
    assert client.stdout.readline() == b"there\n"
    client.send_signal(signal.SIGKILL)
    client.wait()
    wait_until(lambda: len(ask(process.place, "status")[0]["engines"]) == 1, "it is detached")
    check_answers(process)
    ask(process.place, "release")
    process.check_left()
    process.check_ends()


def test_a_hub_stays_for_a_debugger_that_was_announced(
    work: StartWork, gdb: StartGdb, connect: Connect
) -> None:
    """It finds the hub although all others have left meanwhile; and once it has come, all is as usual."""
    process = work()
    seat = make_sure(process.pid)
    gdb().join(process).console("detach")
    wait_until(lambda: len(ask(process.place, "status")[0]["engines"]) == 1, "gdb has left")
    client = connect(process)
    client.close()
    process.check_left()
    seat.connection.close()
    process.check_ends()


def test_a_hub_waits_no_longer_for_a_debugger_that_will_not_come(work: StartWork) -> None:
    process = work()
    seats = [make_sure(process.pid) for _ in range(2)]
    seats[0].connection.close()
    check_answers(process)
    seats[1].connection.close()
    process.check_left()
    process.check_ends()

"""--attach: the processes that can be debugged, and why others cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from server_client import Connect
from server_process import Serve, StartTicker, wait_until

from gdbstub.linux.permission import is_kernel_thread

Build = Callable[..., Path]


def refusal(serve: Serve, pid: int) -> str:
    """Why attaching is refused: the server's only line."""
    server = serve("--attach", ":0", pid)
    assert server.end() == 1
    start = f"gdbstub-server: Cannot attach to process {pid}: "
    assert server.errors.startswith(start) and server.errors.count("\n") == 1
    return server.errors.removeprefix(start).rstrip("\n")


def test_attached_process_stands_still_and_goes_on_afterwards(
    serve: Serve, connect: Connect, ticker: StartTicker
) -> None:
    process = ticker()
    server = serve("--attach", ":0", process.pid)
    server.expect(f"^Attached; pid = {process.pid}\n")
    process.check_stands()
    client = connect(server)
    assert client.request("?").startswith("T05")
    assert client.request(f"qAttached:{process.pid:x}") == "1"
    assert client.request("D") == "OK"
    server.expect(f"Detaching from process {process.pid}\n")
    process.check_untouched()
    client.close()
    assert server.end() == 0
    process.check_untouched()


def test_the_pid_may_follow_the_address(serve: Serve, ticker: StartTicker) -> None:
    process = ticker()
    server = serve(":0", "--attach", process.pid)
    server.expect(f"^Attached; pid = {process.pid}\n")


def test_a_process_that_is_stopped_stays_stopped_after_it(
    serve: Serve, connect: Connect, ticker: StartTicker
) -> None:
    process = ticker()
    os.kill(process.pid, 19)
    wait_until(lambda: set(process.states()) == {"T"}, "the process stops")
    server = serve("--attach", ":0", process.pid)
    client = connect(server)
    assert client.request("D") == "OK"
    client.close()
    assert server.end() == 0
    assert process.tracers() == {0} and set(process.states()) == {"T"}
    os.kill(process.pid, 18)
    process.check_untouched()


def test_no_such_process(serve: Serve) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert refusal(serve, ended.pid) == "no such process"
    assert refusal(serve, 0) == "no such process"
    assert refusal(serve, 1 << 40) == "no such process"


def test_a_thread_that_is_no_process(serve: Serve, ticker: StartTicker) -> None:
    process = ticker()
    thread = max(int(name) for name in os.listdir(f"/proc/{process.pid}/task"))
    assert refusal(serve, thread) == f"it is a thread of process {process.pid}"
    process.check_untouched()


def test_a_kernel_thread(serve: Serve) -> None:
    found = [int(name) for name in os.listdir("/proc") if name.isdigit() and is_kernel_thread(int(name))]
    if not found:
        pytest.skip("no kernel thread to be seen (a container)")
    assert refusal(serve, found[0]) == "it is a kernel thread"


def test_a_zombie(serve: Serve) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    wait_until(lambda: Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z", "the zombie")
    assert refusal(serve, pid) == "it has ended and waits for its parent (zombie)"
    os.waitpid(pid, 0)


def test_itself(server_program: Path) -> None:
    command = ["sh", "-c", 'exec "$0" --attach :0 $$', str(server_program)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert result.returncode == 1
    assert result.stderr.endswith(": it is this debugger itself\n") and result.stderr.count("\n") == 1


def test_another_users_process(serve_as_nobody: Serve, ticker: StartTicker) -> None:
    process = ticker()
    server = serve_as_nobody("--attach", ":0", process.pid)
    assert server.end() == 1
    assert server.errors == (
        f"gdbstub-server: Cannot attach to process {process.pid}: Operation not permitted; "
        "it belongs to user 0, and only that user or root may trace it\n"
    )
    process.check_untouched()


@pytest.fixture
def strace(processes: list[subprocess.Popen[bytes]]) -> Callable[[int], int]:
    """strace(pid): a strace that traces a process; its id."""

    def start(pid: int) -> int:
        command = ["strace", "-f", "-o", os.devnull, "-p", str(pid)]
        tracer = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        processes.append(tracer)
        status = Path(f"/proc/{pid}/status")
        wait_until(lambda: f"TracerPid:\t{tracer.pid}\n" in status.read_text(), "strace traces")
        return tracer.pid

    return start


def test_a_process_that_strace_traces(
    serve: Serve, ticker: StartTicker, strace: Callable[[int], int]
) -> None:
    process = ticker()
    tracer = strace(process.pid)
    assert refusal(serve, process.pid) == f"already traced by strace (process {tracer})"
    process.check_runs()


def test_a_process_that_another_server_debugs(serve: Serve, ticker: StartTicker) -> None:
    process = ticker()
    first = serve("--attach", ":0", process.pid)
    assert first.port
    assert refusal(serve, process.pid) == f"already traced by gdbstub-server (process {first.pid})"


def test_refusals_reach_a_client_that_takes_texts(serve: Serve, connect: Connect) -> None:
    server = serve("--multi", ":0")
    client = connect(server, "multiprocess+;error-message+")
    ended = subprocess.Popen(["true"])
    ended.wait()
    reply = client.request(f"vAttach;{ended.pid:x}")
    assert reply == f"E.Cannot attach to process {ended.pid}: no such process"
    assert client.request(f"vAttach;{server.pid:x}").endswith("it is this debugger itself")
    assert client.request("?") == "W00"


def test_a_process_with_a_thread_that_ends_all_the_time(
    serve: Serve, connect: Connect, processes: list[subprocess.Popen[bytes]]
) -> None:
    script = (
        "import threading\nprint(flush=True)\n"
        "while True:\n t = threading.Thread(target=int); t.start(); t.join()"
    )
    busy = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    processes.append(busy)
    assert busy.stdout is not None
    busy.stdout.readline()
    for _ in range(3):
        server = serve("--attach", ":0", busy.pid)
        client = connect(server)
        assert client.request("?").startswith("T05")
        assert client.request("D") == "OK"
        client.close()
        assert server.end() == 0
        assert busy.poll() is None

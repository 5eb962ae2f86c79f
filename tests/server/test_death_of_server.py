"""SIGKILL to the server: its guardian takes breakpoints out of a process that was attached."""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from elf_symbols import address_of
from server_client import Connect, WireClient
from server_process import Serve, ServerProcess, StartTicker, Ticker, changed_text, is_gone, wait_until

from gdbstub import Engine, Tracer
from gdbstub.linux import restorer

Build = Callable[..., Path]
PLAIN = ("-no-pie",)


class Attached:
    """A server attached to ticker.c, and its client."""

    def __init__(self, serve: Serve, connect: Connect, ticker: StartTicker, build: Build) -> None:
        self.program = build("ticker", *PLAIN)
        self.process: Ticker = ticker(*PLAIN)
        self.server: ServerProcess = serve("--attach", ":0", self.process.pid)
        self.client: WireClient = connect(self.server)

    def insert(self, function: str) -> int:
        address = address_of(self.program, function)
        assert self.client.request(f"Z0,{address:x},1") == "OK"
        return address

    def children(self) -> list[int]:
        text = Path(f"/proc/{self.server.pid}/task/{self.server.pid}/children").read_text()
        return [int(word) for word in text.split()]

    def kill_server(self) -> None:
        """Kill it once its guardian is on watch."""
        (guardian,) = self.children()
        wait_until(lambda: sleeps_for_mutex(guardian), "the guardian is on watch")
        self.server.process.kill()
        assert self.server.exit_status() == -signal.SIGKILL
        wait_until(lambda: is_gone(guardian), "the guardian has done its work")


def sleeps_for_mutex(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return stat == "S" and "futex" in Path(f"/proc/{pid}/wchan").read_text()


@pytest.fixture
def attached(serve: Serve, connect: Connect, ticker: StartTicker, build: Build) -> Attached:
    return Attached(serve, connect, ticker, build)


def test_a_running_process_runs_on(attached: Attached) -> None:
    attached.insert("main")
    attached.client.send("vCont;c")
    attached.process.check_runs()
    attached.kill_server()
    attached.process.check_untouched()
    assert attached.client.ended()


def test_a_standing_process_runs_on(attached: Attached) -> None:
    attached.insert("main")
    attached.kill_server()
    attached.process.check_untouched()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's guardian is sure to be in time")
def test_a_process_that_stands_at_a_breakpoint_runs_on(attached: Attached) -> None:
    attached.insert("tick")
    attached.insert("change")
    assert "swbreak" in attached.client.request("vCont;c")
    attached.kill_server()
    attached.process.check_untouched()


def test_what_was_written_under_a_breakpoint_stays(attached: Attached) -> None:
    address = attached.insert("main")
    assert attached.client.request(f"M{address:x},1:90") == "OK"
    attached.kill_server()
    with open(f"/proc/{attached.process.pid}/mem", "rb") as memory:
        memory.seek(address)
        assert memory.read(1) == b"\x90"


def test_a_breakpoint_that_was_removed_is_forgotten(attached: Attached) -> None:
    address = attached.insert("main")
    attached.insert("tick")
    assert attached.client.request(f"z0,{address:x},1") == "OK"
    # From here on the byte is the program's own.
    assert attached.client.request(f"M{address:x},1:cc") == "OK"
    attached.kill_server()
    assert [place.split()[0] for place in changed_text(attached.process.pid)] == [f"{address:#x}"]


def test_the_guardian_comes_with_the_first_breakpoint_and_goes_with_the_server(attached: Attached) -> None:
    assert attached.children() == []
    attached.insert("main")
    attached.insert("tick")
    (guardian,) = attached.children()
    assert attached.client.request("D") == "OK"
    attached.client.close()
    assert attached.server.end() == 0
    assert is_gone(guardian)
    attached.process.check_untouched()


def test_a_started_program_needs_none(serve: Serve, connect: Connect, build: Build, tmp_path: Path) -> None:
    program = build("ticker", *PLAIN)
    server = serve(":0", program, tmp_path / "ticks")
    pid = server.program_pid
    client = connect(server)
    assert client.request(f"Z0,{address_of(program, 'main'):x},1") == "OK"
    assert Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split() == [str(pid)]
    server.process.kill()
    assert server.exit_status() == -signal.SIGKILL
    wait_until(lambda: is_gone(pid), "the program dies with its tracer")


def test_breakpoints_are_inserted_without_a_guardian_if_need_be(
    ticker: StartTicker, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = ticker(*PLAIN)
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    engine = Engine()
    with Tracer() as tracer:
        breakpoints = tracer.attach(process.pid, [engine]).address_space.breakpoints
        breakpoints.insert(engine, address_of(build("ticker", *PLAIN), "main"))
        assert changed_text(process.pid) != []
    process.check_untouched()


@pytest.mark.parametrize(
    ("found", "start_delta", "left"),
    [(b"\xcc", 0, b"\x55"), (b"\x90", 0, b"\x90"), (b"\xcc", 1, b"\xcc")],
    ids=["planted", "something else is there", "another process has the pid"],
)
def test_only_what_is_planted_is_restored(found: bytes, start_delta: int, left: bytes) -> None:
    memory = ctypes.create_string_buffer(found, 1)
    pid = os.getpid()
    record = restorer.RECORD.pack(
        pid, 1, restorer.start_time(pid) + start_delta, ctypes.addressof(memory), b"\x55", b"\xcc"
    )
    with mmap.mmap(-1, restorer.MUTEX_SIZE + 3 * restorer.RECORD.size) as table:
        start = restorer.MUTEX_SIZE + restorer.RECORD.size
        table[start : start + len(record)] = record
        restorer.restore(table)
    assert memory.raw == left

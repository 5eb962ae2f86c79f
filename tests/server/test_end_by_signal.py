"""SIGTERM, SIGINT and SIGHUP: what was attached goes on unharmed; what was started is killed."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from elf_symbols import address_of
from server_client import Connect, WireClient
from server_process import Serve, ServerProcess, StartTicker, is_gone, wait_until

Build = Callable[..., Path]
SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
PLAIN = ("-no-pie",)


class Planter:
    """Plants what a debugger plants."""

    def __init__(self, client: WireClient, program: Path) -> None:
        self.client = client
        self.tick = address_of(program, "tick")
        self.change = address_of(program, "change")
        self.watched = address_of(program, "watched")

    def breakpoints(self) -> None:
        """Unconditional ones, which all threads hit at once."""
        for address in (self.tick, self.tick + 1, self.change):
            assert self.client.request(f"Z0,{address:x},1") == "OK"

    def passed_breakpoints(self) -> None:
        """Conditions that never hold: threads run through them all the time, out of line."""
        for address in (self.tick, self.change):
            assert self.client.request(f"Z0,{address:x},1;X3,220027") == "OK"

    def watchpoint(self) -> None:
        assert self.client.request(f"Z2,{self.watched:x},8") == "OK"

    def run_to_stop(self) -> str:
        return self.client.request("vCont;c")


def stopped_at_breakpoint(planter: Planter) -> None:
    planter.breakpoints()
    assert "swbreak" in planter.run_to_stop()


def stopped_at_watchpoint(planter: Planter) -> None:
    planter.passed_breakpoints()
    planter.watchpoint()
    assert "watch" in planter.run_to_stop()


def stopped_inside(planter: Planter) -> None:
    planter.passed_breakpoints()
    planter.watchpoint()
    planter.run_to_stop()
    planter.client.request("vCont;s")


def running_through_breakpoints(planter: Planter) -> None:
    planter.passed_breakpoints()
    planter.client.send("vCont;c")


def running_free(planter: Planter) -> None:
    planter.client.send("vCont;c")


def standing_untouched(planter: Planter) -> None:
    pass


def non_stop_with_one_stopped(planter: Planter) -> None:
    assert planter.client.request("QNonStop:1") == "OK"
    planter.breakpoints()
    assert planter.client.request("vCont;c") == "OK"


STATES: list[Callable[[Planter], None]] = [
    stopped_at_breakpoint,
    stopped_at_watchpoint,
    stopped_inside,
    running_through_breakpoints,
    running_free,
    standing_untouched,
    non_stop_with_one_stopped,
]


def end(server: ServerProcess, number: signal.Signals) -> None:
    server.signal(number)
    assert server.end() == 0
    assert "Traceback" not in server.errors


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_an_attached_process_goes_on_unharmed(
    serve: Serve, connect: Connect, ticker: StartTicker, build: Build, state: Callable[[Planter], None]
) -> None:
    process = ticker(*PLAIN)
    server = serve("--attach", ":0", process.pid)
    planter = Planter(connect(server), build("ticker", *PLAIN))
    state(planter)
    if "running" in state.__name__:
        process.check_runs()
    end(server, SIGNALS[STATES.index(state) % 3])
    assert f"Detaching from process {process.pid}\n" in server.errors
    process.check_untouched()


@pytest.mark.parametrize("number", SIGNALS)
def test_without_any_client(serve: Serve, ticker: StartTicker, number: signal.Signals) -> None:
    process = ticker()
    server = serve("--attach", ":0", process.pid)
    assert server.port
    end(server, number)
    process.check_untouched()


@pytest.mark.parametrize("number", SIGNALS)
def test_a_started_program_is_killed(
    serve: Serve, connect: Connect, build: Build, tmp_path: Path, number: signal.Signals
) -> None:
    server = serve(":0", build("ticker", *PLAIN), tmp_path / "ticks")
    pid = server.program_pid
    client = connect(server)
    planter = Planter(client, build("ticker", *PLAIN))
    planter.passed_breakpoints()
    client.send("vCont;c")
    wait_until(lambda: (tmp_path / "ticks").exists(), "the program runs")
    end(server, number)
    assert f"Killing process(es): {pid}\n" in server.errors
    assert is_gone(pid)
    assert client.ended()


def test_several_processes_each_by_its_origin(
    serve: Serve, connect: Connect, ticker: StartTicker, build: Build, tmp_path: Path
) -> None:
    process = ticker(*PLAIN)
    server = serve("--multi", ":0")
    client = connect(server)
    assert client.request(f"vAttach;{process.pid:x}").startswith("T05")
    words = [str(build("ticker", *PLAIN)), str(tmp_path / "ticks")]
    stop = client.request("vRun;" + ";".join(word.encode().hex() for word in words))
    started = int(stop.split("thread:p")[1].split(".")[0], 16)
    end(server, signal.SIGTERM)
    assert is_gone(started)
    process.check_untouched()


def test_an_ignored_signal_stays_ignored(serve: Serve, ticker: StartTicker) -> None:
    """nohup: the server outlives its terminal."""
    process = ticker()
    server = serve("--attach", ":0", process.pid, preexec_fn=_ignore_hangup)
    assert server.port
    server.signal(signal.SIGHUP)
    process.check_stands()
    assert server.process.poll() is None
    end(server, signal.SIGTERM)
    process.check_untouched()


def _ignore_hangup() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

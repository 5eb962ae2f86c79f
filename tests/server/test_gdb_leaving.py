"""The ways in which a real gdb ends its work, and comes again."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from server_gdb import Gdb, StartGdb
from server_process import Serve, ServerProcess, StartTicker, Ticker, is_gone, wait_until

Build = Callable[..., Path]
REOPENED = r"GDBserver will reopen the connection\.\nListening on"


class Started:
    """A server that started ticker.c, and a gdb at a breakpoint in it."""

    def __init__(self, serve: Serve, gdb: StartGdb, build: Build, tmp_path: Path, *options: str) -> None:
        program = build("ticker")
        self.server: ServerProcess = serve(*options, ":0", program, tmp_path / "ticks")
        self.pid = self.server.program_pid
        self.process = Ticker(self.pid, tmp_path / "ticks")
        self.gdb: Gdb = gdb(program)
        self.gdb.target(self.server.port)
        self.gdb.insert("tick")
        assert self.gdb.resume("continue")["reason"] == "breakpoint-hit"


@pytest.fixture
def started(serve: Serve, gdb: StartGdb, build: Build, tmp_path: Path) -> Iterator[Started]:
    found = Started(serve, gdb, build, tmp_path)
    descriptor = os.pidfd_open(found.pid)
    yield found
    # It may have been let go: then nobody else ends it.
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    os.close(descriptor)


@pytest.mark.parametrize("command", ["kill", "quit", "monitor exit"])
def test_a_started_program_is_killed(started: Started, command: str) -> None:
    if command == "quit":
        started.gdb.request("-gdb-exit")
    else:
        started.gdb.console(command)
    assert started.server.end() == 0
    assert is_gone(started.pid)


def test_a_started_program_that_is_let_go_runs_on_and_is_waited_for(started: Started) -> None:
    started.gdb.console("detach")
    started.server.expect(f"Detaching from process {started.pid}\n")
    started.process.check_untouched()
    started.gdb.request("-gdb-exit")
    started.process.check_untouched()
    assert started.server.process.poll() is None
    os.kill(started.pid, signal.SIGKILL)
    assert started.server.exit_status() == 0


def test_waiting_for_a_program_that_was_let_go_ends_by_a_signal(started: Started) -> None:
    started.gdb.console("detach")
    started.gdb.request("-gdb-exit")
    wait_until(lambda: listens_no_more(started.server), "the server has nothing more to do")
    started.server.process.terminate()
    started.server.exit_status()
    started.process.check_untouched()
    os.kill(started.pid, signal.SIGKILL)


def listens_no_more(server: ServerProcess) -> bool:
    """Whether a server has closed its sockets."""
    descriptors = Path(f"/proc/{server.pid}/fd").iterdir()
    return not any(os.readlink(each).startswith("socket:") for each in descriptors)


def test_disconnect_leaves_the_program_standing_for_the_next_gdb(
    started: Started, gdb: StartGdb, build: Build
) -> None:
    started.gdb.console("disconnect")
    started.server.expect(REOPENED)
    started.process.check_stands()
    second = gdb(build("ticker"))
    second.target(started.server.port)
    assert second.frames()[:2] == ["tick", "count"]
    second.insert("change")
    assert second.resume("continue")["frame"]["func"] == "change"
    second.console("kill")
    assert started.server.end() == 0


def test_a_killed_gdb_leaves_the_program_to_the_next(started: Started, gdb: StartGdb, build: Build) -> None:
    started.gdb.kill_itself()
    started.server.expect(REOPENED)
    second = gdb(build("ticker"))
    second.target(started.server.port)
    assert second.frames()[0] == "tick"
    second.insert("tick")
    assert second.resume("continue")["reason"] == "breakpoint-hit"
    second.console("delete")
    second.console("detach")
    started.process.check_untouched()


def test_a_killed_gdb_whose_program_runs(started: Started, gdb: StartGdb, build: Build) -> None:
    started.gdb.console("delete")
    started.gdb.go("continue")
    started.process.check_runs()
    started.gdb.kill_itself()
    started.server.expect(REOPENED)
    started.process.check_runs()
    second = gdb(build("ticker"))
    second.target(started.server.port)
    started.process.check_stands()
    second.console("kill")
    assert started.server.end() == 0
    assert is_gone(started.pid)


@pytest.mark.parametrize("ending", ["detach", "quit"])
def test_two_rounds_on_one_process(
    serve: Serve, gdb: StartGdb, ticker: StartTicker, build: Build, ending: str
) -> None:
    process = ticker()
    for function in ("tick", "change"):
        server = serve("--attach", ":0", process.pid)
        debugger = gdb(build("ticker"))
        debugger.target(server.port)
        debugger.insert(function)
        debugger.console("watch watched")
        for _ in range(4):
            assert debugger.resume("continue")["reason"] in ("breakpoint-hit", "watchpoint-trigger")
        if ending == "detach":
            debugger.console("detach")
        debugger.request("-gdb-exit")
        assert server.end() == 0
        process.check_untouched()


def test_two_rounds_of_one_gdb_by_extended_remote(
    serve: Serve, gdb: StartGdb, ticker: StartTicker, build: Build
) -> None:
    process = ticker()
    server = serve("--multi", ":0")
    debugger = gdb(build("ticker"))
    debugger.target(server.port, "extended-remote")
    for _ in range(2):
        debugger.done(debugger.request(f"-target-attach {process.pid}"))
        server.expect(f"Attached; pid = {process.pid}\n")
        debugger.stop()
        debugger.insert("tick")
        assert debugger.resume("continue")["reason"] == "breakpoint-hit"
        debugger.console("delete")
        debugger.console("detach")
        process.check_untouched()
    debugger.request("-gdb-exit")
    server.expect(REOPENED)
    assert server.process.poll() is None


def test_run_twice_by_extended_remote(serve: Serve, gdb: StartGdb, build: Build) -> None:
    program = build("show_start")
    server = serve("--multi", ":0")
    debugger = gdb(program)
    debugger.target(server.port, "extended-remote")
    debugger.console(f"set remote exec-file {program}")
    debugger.console("set args one 'two words'")
    debugger.console("set environment SHOWN by gdb")
    debugger.insert("main")
    for _ in range(2):
        stop = debugger.resume("run")
        server.expect(rf"Process {program} created; pid = \d+\n")
        assert (stop["reason"], stop["frame"]["func"]) == ("breakpoint-hit", "main")
        assert debugger.evaluate("argc") == "3"
        assert '"two words"' in debugger.evaluate("argv[2]")
        stop = debugger.resume("continue")
        assert (stop["reason"], stop["exit-code"]) == ("exited", "02")
        server.expect("Child exited with status 2")
    debugger.console("monitor exit")
    assert server.end() == 0
    assert server.process.stdout is not None
    assert server.process.stdout.read().count(b"variable [by gdb]") == 2


def test_kill_in_extended_mode_keeps_the_server(serve: Serve, gdb: StartGdb, build: Build) -> None:
    server = serve("--multi", ":0", build("everyday"))
    pid = server.program_pid
    debugger = gdb(build("everyday"))
    debugger.target(server.port, "extended-remote")
    debugger.stop()
    debugger.console("kill")
    wait_until(lambda: is_gone(pid), "the program ends")
    debugger.console(f"set remote exec-file {build('everyday')}")
    debugger.insert("spin")
    assert debugger.resume("run")["frame"]["func"] == "spin"
    debugger.request("-gdb-exit")
    server.expect(REOPENED)


def test_once_with_a_real_gdb(serve: Serve, gdb: StartGdb, build: Build) -> None:
    server = serve("--once", ":0", build("everyday"))
    debugger = gdb(build("everyday"))
    debugger.target(server.port)
    debugger.console("disconnect")
    assert server.end() == 0


def test_the_end_of_the_program_ends_the_server(serve: Serve, gdb: StartGdb, build: Build) -> None:
    server = serve(":0", build("show_start"), "x", "y", "z")
    debugger = gdb(build("show_start"))
    debugger.target(server.port)
    stop = debugger.resume("continue")
    assert (stop["reason"], stop["exit-code"]) == ("exited", "03")
    assert server.end() == 0
    assert server.errors.endswith("\nChild exited with status 3\n")


def test_a_program_that_a_signal_ends(serve: Serve, gdb: StartGdb) -> None:
    server = serve(":0", "/bin/sh", "-c", "kill -SEGV $$")
    debugger = gdb("/bin/sh")
    debugger.target(server.port)
    assert debugger.resume("continue")["signal-name"] == "SIGSEGV"
    stop = debugger.resume("continue")
    assert (stop["reason"], stop["signal-name"]) == ("exited-signalled", "SIGSEGV")
    assert server.end() == 0
    assert server.errors.endswith("\nChild terminated with signal = 0xb (SIGSEGV)\n")

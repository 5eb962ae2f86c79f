"""What people do with gdb every day, over the server."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from server_gdb import Gdb, StartGdb
from server_process import Serve

Build = Callable[..., Path]
WIDTHS = [(), ("-m32",)]


class Debugged:
    """everyday.c under a server, with a gdb connected."""

    def __init__(self, serve: Serve, gdb: StartGdb, program: Path, **options: Any) -> None:
        self.program = program
        self.server = serve(":0", program)
        self.pid = self.server.program_pid
        self.gdb: Gdb = gdb(program, **options)
        self.gdb.target(self.server.port)

    def run_to(self, function: str) -> None:
        self.gdb.insert(function)
        stop = self.gdb.resume("continue")
        assert (stop["reason"], stop["frame"]["func"]) == ("breakpoint-hit", function)


@pytest.fixture(params=WIDTHS, ids=["64", "32"])
def debugged(request: pytest.FixtureRequest, serve: Serve, gdb: StartGdb, build: Build) -> Debugged:
    return Debugged(serve, gdb, build("everyday", *request.param))


def test_break_backtrace_print_and_finish(debugged: Debugged) -> None:
    gdb = debugged.gdb
    debugged.run_to("add")
    assert gdb.frames() == ["add", "main"]
    assert (gdb.evaluate("a"), gdb.evaluate("b")) == ("3", "4")
    assert gdb.evaluate("origin").startswith("{x = 3, y = 4, name = 0x")
    assert '"origin"' in gdb.evaluate("origin.name")
    assert gdb.evaluate("sizeof(long)") in ("4", "8")
    stop = gdb.resume("finish")
    assert stop["reason"] == "function-finished" and stop["return-value"] == "7"
    assert "first line" in gdb.console("list *$pc")


def test_step_next_and_until(debugged: Debugged) -> None:
    gdb = debugged.gdb
    debugged.run_to("main")
    assert gdb.resume("next")["reason"] == "end-stepping-range"
    stop = gdb.resume("step")
    assert (stop["reason"], stop["frame"]["func"]) == ("end-stepping-range", "add")
    first = int(stop["frame"]["line"])
    assert int(gdb.resume("next")["frame"]["line"]) == first + 1
    gdb.resume("step-instruction")
    assert gdb.frames()[0] == "add"
    assert gdb.resume("finish")["frame"]["func"] == "main"
    gdb.console("tbreak factorial if n == 1")
    stop = gdb.resume("continue")
    assert gdb.frames() == ["factorial"] * 5 + ["main"]
    assert gdb.resume("finish")["return-value"] == "1"


def test_watch_a_variable(debugged: Debugged) -> None:
    gdb = debugged.gdb
    debugged.run_to("main")
    gdb.done(gdb.request("-break-watch counter"))
    seen = []
    for _ in range(3):
        stop = gdb.resume("continue")
        assert stop["reason"] == "watchpoint-trigger"
        seen.append((stop["value"]["old"], stop["value"]["new"]))
    assert seen[:2] == [("0", "7"), ("7", "120")]
    # Both threads may have written before the first one's stop is told.
    assert seen[2] in [("120", "130"), ("120", "140"), ("120", "150")]


def test_threads(debugged: Debugged) -> None:
    gdb = debugged.gdb
    debugged.run_to("worker")
    threads = gdb.done(gdb.request("-thread-info"))["threads"]
    assert len(threads) in (2, 3)
    assert {thread["name"] for thread in threads} == {debugged.program.name[:15]}
    assert all(re.match(rf"Thread {debugged.pid}\.\d+", thread["target-id"]) for thread in threads)
    assert gdb.evaluate("*(int *) argument") in ("10", "20")
    everywhere = gdb.console("thread apply all backtrace")
    assert "worker" in everywhere and everywhere.count("\nThread ") == len(threads)
    if "m32" not in debugged.program.name:
        # The 32-bit C library has no unwind information where the main thread may be.
        gdb.done(gdb.request("-thread-select 1"))
        assert gdb.frames()[-1] == "main"


def test_call_a_function_and_change_a_variable(debugged: Debugged) -> None:
    gdb = debugged.gdb
    debugged.run_to("add")
    gdb.console("delete")
    assert gdb.evaluate("factorial(6)") == "720"
    assert gdb.evaluate("add(40, 2)") == "42"
    assert gdb.frames() == ["add", "main"]
    assert gdb.evaluate("b = 100") == "100"
    assert gdb.resume("finish")["return-value"] == "103"


def test_interrupt_look_and_let_it_end(debugged: Debugged) -> None:
    gdb = debugged.gdb
    debugged.run_to("spin")
    gdb.console("delete")
    gdb.go("continue")
    gdb.request("-exec-interrupt")
    stop = gdb.stop()
    assert stop["signal-name"] == "SIGINT"
    assert gdb.frames()[-2:] == ["spin", "main"]
    assert gdb.evaluate("go_on = 0") == "0"
    stop = gdb.resume("continue")
    assert (stop["reason"], stop["exit-code"]) == ("exited", "052")
    assert debugged.server.end() == 0
    assert debugged.server.process.stdout is not None
    assert debugged.server.process.stdout.read() == b"counter 150\n"


def test_ctrl_c_typed_at_gdb(serve: Serve, gdb: StartGdb, build: Build) -> None:
    """SIGINT to gdb itself, which is what a terminal sends."""
    debugged = Debugged(serve, gdb, build("everyday"), takes_commands_while_running=False)
    debugged.run_to("spin")
    debugged.gdb.console("delete")
    debugged.gdb.go("continue")
    os.kill(debugged.gdb.pid, signal.SIGINT)
    assert debugged.gdb.stop()["signal-name"] == "SIGINT"
    assert debugged.gdb.frames()[-1] == "main"


def test_the_registers_and_the_code(debugged: Debugged) -> None:
    gdb = debugged.gdb
    debugged.run_to("add")
    program_counter = int(gdb.evaluate("(long) $pc"))
    assert int(gdb.evaluate("(long) &add")) <= program_counter < int(gdb.evaluate("(long) &factorial"))
    names = gdb.done(gdb.request("-data-list-register-names"))["register-names"]
    assert names[8] in ("r8", "eip") and "eflags" in names
    listing = gdb.console("disassemble /r add")
    here = next(line for line in listing.splitlines() if line.startswith("=>"))
    assert not here.split("\t")[1].startswith("cc"), "the breakpoint shows"


def test_a_breakpoint_with_commands_and_a_hit_count(debugged: Debugged) -> None:
    gdb = debugged.gdb
    gdb.insert("factorial")
    gdb.console("ignore 1 2")
    gdb.resume("continue")
    assert gdb.evaluate("n") == "3"
    assert "breakpoint already hit 3 times" in gdb.console("info breakpoints")


def test_catch_a_system_call(debugged: Debugged) -> None:
    gdb = debugged.gdb
    debugged.run_to("spin")
    gdb.console("catch syscall clock_nanosleep")
    gdb.console("catch syscall nanosleep")
    gdb.console("catch syscall clock_nanosleep_time64")
    assert gdb.resume("continue")["reason"] == "syscall-entry"
    assert gdb.resume("continue")["reason"] == "syscall-return"


def test_a_signal_for_the_program(debugged: Debugged) -> None:
    gdb = debugged.gdb
    debugged.run_to("spin")
    gdb.console("delete")
    gdb.go("continue")
    os.kill(debugged.pid, signal.SIGUSR1)
    assert gdb.stop()["signal-name"] == "SIGUSR1"
    assert gdb.evaluate("$_siginfo.si_signo") == "10"
    assert gdb.evaluate("$_siginfo._sifields._kill.si_pid") == str(os.getpid())
    stop = gdb.resume("continue")
    assert (stop["reason"], stop["signal-name"]) == ("exited-signalled", "SIGUSR1")

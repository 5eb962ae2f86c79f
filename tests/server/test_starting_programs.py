"""Programs as the server starts them: arguments, environment, terminal, wrappers, shells."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from server_client import Connect, WireClient
from server_process import Serve, ServerProcess, wait_until

Build = Callable[..., Path]
AWKWARD = ["two words", "", "$HOME", "`id`", "a'b\"c", "*", "tab\there", "-x", "ä€", "\\", "new\nline"]


def output_of(server: ServerProcess, client: WireClient) -> str:
    """Let the program run to its end; what it wrote to standard output."""
    client.request("vCont;c")
    client.close()
    assert server.end() == 0
    assert server.process.stdout is not None
    return server.process.stdout.read().decode()


@pytest.mark.parametrize("option", ["--startup-with-shell", "--no-startup-with-shell"])
def test_arguments_arrive_as_they_are(serve: Serve, connect: Connect, build: Build, option: str) -> None:
    server = serve(option, ":0", build("show_start"), *AWKWARD)
    server.expect(r"Process .*/show_start created; pid = \d+\n")
    output = output_of(server, connect(server))
    shown = [f"argument [{argument}]\n" for argument in AWKWARD]
    assert output.startswith("".join(shown) + "variable")
    assert f"\nChild exited with status {len(AWKWARD)}\n" in server.errors


def test_the_program_has_the_servers_environment_and_input(
    serve: Serve, connect: Connect, build: Build, tmp_path: Path
) -> None:
    given = tmp_path / "input"
    given.write_text("a line")
    environment = os.environ | {"SHOWN": "a 'value'"}
    with given.open() as file:
        server = serve(":0", build("show_start"), env=environment, stdin=file)
        output = output_of(server, connect(server))
    assert "variable [a 'value']\ninput [a line]\n" in output


def test_a_wrapper_execs_the_program(serve: Serve, connect: Connect, build: Build) -> None:
    server = serve(
        "--wrapper", "env", "-u", "HOME", "SHOWN=by wrapper", "--", ":0", build("show_start"), "x y"
    )
    client = connect(server)
    assert Path(f"/proc/{server_child(server)}/exe").resolve() == build("show_start")
    output = output_of(server, client)
    assert output.startswith("argument [x y]\nvariable [by wrapper]\n")


@pytest.mark.parametrize("option", ["--startup-with-shell", "--no-startup-with-shell"])
def test_the_first_stop_is_the_programs_own_first_instruction(
    serve: Serve, connect: Connect, build: Build, option: str
) -> None:
    server = serve(option, ":0", build("show_start", "-static", "-no-pie"))
    client = connect(server, "multiprocess+")
    header = subprocess.run(
        ["readelf", "-h", build("show_start", "-static", "-no-pie")],
        capture_output=True,
        text=True,
        check=True,
    )
    entry = int(re.findall(r"Entry point address:\s+(0x[0-9a-f]+)", header.stdout)[0], 16)
    stop = client.request("?")
    assert stop.startswith("T05")
    pc = int.from_bytes(bytes.fromhex(re.findall(r"10:([0-9a-f]{16});", stop)[0]), "little")
    assert pc == entry


def test_the_shell_named_in_the_environment_is_used(
    serve: Serve, connect: Connect, build: Build, tmp_path: Path
) -> None:
    shell = tmp_path / "shell"
    shell.symlink_to("/bin/sh")
    server = serve(":0", build("show_start"), env=os.environ | {"SHELL": str(shell), "SHOWN": "1"})
    assert "variable [1]" in output_of(server, connect(server))
    refusing = os.environ | {"SHELL": "/bin/false"}
    server = serve(":0", build("show_start"), env=refusing)
    assert server.end() == 1
    assert "the program ended before it started: exit code 1" in server.errors
    server = serve("--no-startup-with-shell", ":0", build("show_start"), env=refusing)
    assert "variable" in output_of(server, connect(server))


def personality(server: ServerProcess) -> int:
    return int(Path(f"/proc/{server_child(server)}/personality").read_text(), 16)


def server_child(server: ServerProcess) -> int:
    """The program that a server started."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    assert len(children) == 1
    return int(children[0])


def test_randomization_is_off_unless_it_is_wanted(serve: Serve) -> None:
    no_randomize = 0x40000
    for option, off in (
        ("--once", True),
        ("--disable-randomization", True),
        ("--enable-randomization", False),
        ("--no-disable-randomization", False),
    ):
        server = serve(option, ":0", "/bin/true")
        assert server.port
        assert bool(personality(server) & no_randomize) == off


class Terminal:
    """A pseudo terminal whose session the server leads, as a shell would start it."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.said = ""

    def options(self) -> dict[str, Any]:
        return {"stdin": self.slave, "stdout": self.slave, "preexec_fn": self._take}

    def _take(self) -> None:
        os.setsid()
        os.close(os.open(os.ttyname(0), os.O_RDWR))

    def says(self, text: str) -> bool:
        while select.select([self.master], [], [], 0)[0]:
            self.said += os.read(self.master, 4096).decode()
        return text in self.said

    def close(self) -> None:
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def terminal() -> Any:
    found = Terminal()
    yield found
    found.close()


def test_a_program_on_a_terminal_is_in_the_foreground(
    serve: Serve, connect: Connect, build: Build, terminal: Terminal
) -> None:
    server = serve(":0", build("show_start"), **terminal.options())
    client = connect(server)
    child = server_child(server)
    assert os.tcgetpgrp(terminal.master) == child
    client.send("vCont;c")
    os.write(terminal.master, b"typed\n")
    wait_until(lambda: terminal.says("foreground 1"), "the program's output")
    assert "input [typed" in terminal.said
    assert client.receive() == f"W00;process:{child:x}"
    client.close()
    assert server.end() == 0


def test_a_later_program_has_the_signals_of_the_first(
    serve: Serve, connect: Connect, terminal: Terminal
) -> None:
    """The server itself must be able to write to a terminal that it has lent to the first."""
    server = serve("--multi", ":0", "/bin/true", **terminal.options())
    client = connect(server)
    first = signals_of(server_child(server))
    assert client.request("vCont;c").startswith("W00")
    assert client.request("vRun;" + b"/bin/true".hex()).startswith("T05")
    later = int(client.request("qC").removeprefix("QCp").partition(".")[0], 16)
    assert signals_of(later) == first


def signals_of(pid: int) -> list[str]:
    """Which signals a process blocks and ignores."""
    status = Path(f"/proc/{pid}/status").read_text()
    return re.findall(r"^Sig(?:Blk|Ign):\s*(\w+)", status, re.M)


def test_a_terminal_blocks_again_after_the_server(serve: Serve, terminal: Terminal) -> None:
    server = serve("-", "/bin/true", stdin=terminal.slave, stdout=terminal.slave)
    server.expect("Remote debugging using stdio")
    wait_until(lambda: not os.get_blocking(terminal.slave), "the server reads")
    server.signal(signal.SIGTERM)
    assert server.end() == 0
    assert os.get_blocking(terminal.slave)


def test_in_stdio_mode_the_program_has_no_input_and_writes_to_the_errors(serve: Serve, build: Build) -> None:
    server = serve("-", build("show_start"), stdin=subprocess.PIPE)
    server.expect("Remote debugging using stdio")
    assert server.process.stdin is not None and server.process.stdout is not None
    packets = b"$QStartNoAckMode#b0+$vCont;c#a8"
    server.process.stdin.write(packets)
    server.process.stdin.flush()
    server.expect(r"input \[none\]")
    server.expect("Child exited with status 0")
    server.process.stdin.close()
    assert server.end() == 0
    assert b"input" not in server.process.stdout.read()


@pytest.fixture
def odd_programs(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    (tmp_path / "not-executable").write_text("#!/bin/sh\n")
    (tmp_path / "bad-format").write_bytes(b"\x7fELF nonsense")
    (tmp_path / "no-interpreter").write_text("#!/nonexistent/interpreter\n")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("bad-format", "no-interpreter"):
        (tmp_path / name).chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("shell", ["--startup-with-shell", "--no-startup-with-shell"])
@pytest.mark.parametrize(
    ("program", "direct", "by_shell"),
    [
        ("./missing", "no such file", "no such file"),
        ("./folder", "not executable", "not executable"),
        ("./not-executable", "not executable", "not executable"),
        ("./bad-format", "Exec format error", "exit code"),
        ("./no-interpreter", "No such file or directory", "exit code"),
        ("./loop", "no such file", "no such file"),
        ("no-such-program-anywhere", "no such program along PATH", "no such program along PATH"),
    ],
)
def test_a_program_that_cannot_be_run(
    serve: Serve, odd_programs: Path, shell: str, program: str, direct: str, by_shell: str
) -> None:
    server = serve(shell, ":0", program, cwd=odd_programs)
    assert server.end() == 1
    wanted = by_shell if shell == "--startup-with-shell" else direct
    *_, last = server.errors.splitlines()
    assert last.startswith(f"gdbstub-server: Cannot run {program}: ") and wanted in last
    assert "Traceback" not in server.errors and "Listening" not in server.errors


def test_a_wrapper_that_cannot_be_run(serve: Serve) -> None:
    server = serve("--no-startup-with-shell", "--wrapper", "/nonexistent/wrapper", "--", ":0", "/bin/true")
    assert server.end() == 1
    assert server.errors == (
        "gdbstub-server: Cannot run /bin/true: /nonexistent/wrapper: No such file or directory\n"
    )


def test_a_wrapper_that_does_not_exec_the_program(serve: Serve) -> None:
    server = serve("--wrapper", "true", "--", ":0", "/bin/false")
    assert server.end() == 1
    assert "the program ended before it started: exit code 0" in server.errors


def test_a_program_of_the_current_folder_goes_before_one_along_the_path(
    serve: Serve, connect: Connect, build: Build, tmp_path: Path
) -> None:
    (tmp_path / "true").symlink_to(build("show_start"))
    server = serve(":0", "true", cwd=tmp_path)
    assert "variable" in output_of(server, connect(server))

"""gdbstub share -- PROGRAM: the program is its starter's child, and all else is as without us."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hub_support import PLAIN, Build, Command, Processes
from server_client import WireClient
from server_process import PATIENCE, is_gone, wait_until

from gdbstub.hub.runtime import Place
from gdbstub.linux import procfs


@pytest.fixture
def program(build: Build) -> Path:
    return build("hub_start", *PLAIN)


def same_run(gdbstub_program: Path, command: Sequence[object], **options: Any) -> tuple[int, str]:
    """How a command ends and what it writes, which is the same when it is shared."""
    options |= {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "timeout": PATIENCE}
    words = list(map(str, command))
    plain, shared = (
        subprocess.run([*before, *words], **options) for before in ([], [str(gdbstub_program), "share", "--"])
    )
    assert shared.stdout.decode() == plain.stdout.decode()
    assert shared.returncode == plain.returncode
    return shared.returncode, shared.stdout.decode()


def test_a_program_starts_as_without_us(gdbstub_program: Path, program: Path, tmp_path: Path) -> None:
    status, output = same_run(gdbstub_program, [program, "one", "two words", ""], cwd=tmp_path)
    assert status == 23
    assert f"parent {os.getpid()}, group 0, session {os.getsid(0)}, directory {tmp_path}\n" in output
    assert "argument two words\n" in output
    assert output.endswith("children: \n")


@pytest.mark.parametrize("variables", [{}, {"LANG": "C", "PATH": "/bin", "X": "a=b"}, {"LC_ALL": "POSIX"}])
def test_its_environment_is_the_starters(
    gdbstub_program: Path, program: Path, variables: dict[str, str]
) -> None:
    _, output = same_run(gdbstub_program, [program], env=variables)
    assert output.count("environment ") == len(variables)


def test_what_its_starter_ignores_or_blocks_it_does(gdbstub_program: Path, program: Path) -> None:
    def prepare() -> None:
        for number in (signal.SIGINT, signal.SIGCHLD, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})
        os.umask(0o31)

    _, output = same_run(gdbstub_program, [program], preexec_fn=prepare)
    assert "signal 2 is ignored\n" in output
    assert "Umask:\t0031\n" in output


def test_its_descriptors_are_the_starters(gdbstub_program: Path, program: Path) -> None:
    reading, writing = os.pipe()
    try:
        _, output = same_run(gdbstub_program, [program], pass_fds=(reading, writing))
        assert f"descriptor {writing}\n" in output
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGUSR2])
def test_it_dies_of_its_signals(gdbstub_program: Path, program: Path, number: int) -> None:
    status, _ = same_run(gdbstub_program, [program, "signal", int(number)])
    assert status == -number


def test_a_shell_function_of_programs(gdbstub_program: Path) -> None:
    script = "trap 'echo got' USR1; kill -USR1 $$; (exit 3); echo $?; echo one | cat; sleep 0 & wait; exit 9"
    assert same_run(gdbstub_program, ["sh", "-c", script]) == (9, "got\n3\none\n")


def test_its_place_goes_with_it(gdbstub_program: Path, processes: Processes) -> None:
    process = subprocess.Popen(
        [gdbstub_program, "share", "--", "cat"], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    processes.append(process)
    wait_until(lambda: procfs.name(process.pid) == "cat", "the program runs")
    place = Place.of(process.pid)
    hub = procfs.tracer(process.pid)
    assert place.is_live()
    client = WireClient(str(place.socket("gdb"))).start()
    wait_until(lambda: procfs.stat(process.pid).state == "t", "it stands for its debugger")
    client.send(f"D;{process.pid:x}")
    client.close()
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(PATIENCE) == 0
    wait_until(lambda: is_gone(hub), "the hub ends")
    assert not place.folder.exists()


@pytest.mark.parametrize(("name", "status"), [("/nonexistent/program", 127), ("/etc/passwd", 126)])
def test_what_cannot_be_executed(command: Command, name: str, status: int) -> None:
    done = command("share", "--", name)
    assert done.returncode == status
    assert f"gdbstub: {name}: " in done.stderr


def test_what_follows_the_dashes_is_the_programs(command: Command) -> None:
    done = command("share", "--", "echo", "--json", "--", "-x")
    assert (done.returncode, done.stdout) == (0, "--json -- -x\n")


def in_terminal(words: Sequence[object]) -> tuple[int, int]:
    """Start a command as a shell does, in a terminal of its own; its pid and the terminal's other end."""
    pid, terminal = pty.fork()
    if pid == 0:
        try:
            os.execvp(str(words[0]), list(map(str, words)))
        finally:
            os._exit(99)
    return pid, terminal


def read_until(terminal: int, text: bytes) -> bytes:
    found = b""
    deadline = time.monotonic() + PATIENCE
    while text not in found:
        assert time.monotonic() < deadline, found
        ready, _, _ = select.select([terminal], [], [], PATIENCE)
        assert ready, found
        found += os.read(terminal, 4096)
    return found


_SHELL = """
import os, signal, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
child = os.fork()
if child == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execvp(sys.argv[1], sys.argv[1:])
while True:
    _, status = os.waitpid(child, os.WUNTRACED | os.WCONTINUED)
    print("status", hex(status), flush=True)
    if os.WIFSTOPPED(status):
        os.tcsetpgrp(0, os.getpgrp())
        sys.stdin.readline()
        os.tcsetpgrp(0, child)
        os.killpg(child, signal.SIGCONT)
    elif not os.WIFCONTINUED(status):
        break
"""


@pytest.mark.parametrize("shared", [False, True], ids=["plain", "shared"])
def test_the_terminal_and_job_control(gdbstub_program: Path, shared: bool) -> None:
    """Keys of the terminal stop, continue and interrupt it, and its parent is told as it is without us."""
    script = "echo terminal $(tty); while read line; do echo got $line; done"
    before = [gdbstub_program, "share", "--"] if shared else []
    pid, terminal = in_terminal([sys.executable, "-c", _SHELL, *before, "sh", "-c", script])
    try:
        read_until(terminal, b"terminal /dev/pts/")
        os.write(terminal, b"one\n")
        read_until(terminal, b"got one")
        os.write(terminal, b"\x1a")
        read_until(terminal, b"status %#x" % (signal.SIGTSTP << 8 | 0x7F))
        os.write(terminal, b"go on\n")
        read_until(terminal, b"status 0xffff")
        os.write(terminal, b"two\n")
        read_until(terminal, b"got two")
        os.write(terminal, b"\x03")
        read_until(terminal, b"status %#x" % signal.SIGINT)
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)


def test_the_end_of_the_terminal_ends_it(gdbstub_program: Path) -> None:
    pid, terminal = in_terminal([gdbstub_program, "share", "--", "cat"])
    wait_until(lambda: procfs.name(pid) == "cat", "the program runs")
    hub = procfs.tracer(pid)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGHUP
    wait_until(lambda: is_gone(hub), "the hub ends")

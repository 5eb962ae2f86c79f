"""What a session runs with: its programs, a process to attach to, and the server."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from session_file import SessionFile
from session_names import Names
from session_wire import PATIENCE, Wire

SERVER = Path(sys.executable).parent / "gdbstub-server"
OPTIONS = ("-fcf-protection=none", "-fno-stack-protector", "-fno-stack-clash-protection")
"""What compilers differ in by default, for all programs: places in functions are offsets."""
_LISTENING = re.compile(r"Listening on (?:port (\d+)|socket (.*))")
_POLL = 0.002
Found = TypeVar("Found")


def environment() -> dict[str, str]:
    """The same environment for every run."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return {**kept, "LC_ALL": "C", "SHELL": "/bin/sh"}


class SessionRun:
    """The programs and the server of one run; close it to end what it started."""

    def __init__(self, session: SessionFile, programs: list[Path], folder: Path) -> None:
        self.session = session
        self.names = Names(programs, folder)
        self._folder = folder
        self._output = folder / "output"
        self._errors = folder / "errors"
        self.server: subprocess.Popen[bytes] | None = None
        self._beside: subprocess.Popen[bytes] | None = None
        if session.beside:
            words = [self.names.from_text(word) for word in session.beside]
            self._beside = subprocess.Popen(words, cwd=folder, stdin=subprocess.DEVNULL, env=environment())
            self.names.bind("pid", self._beside.pid)
            self.wait_until_asleep()

    def arguments(self, address: str) -> list[str]:
        """The server's command line."""
        words = [word.replace("{address}", address) for word in self.session.server]
        return [self.names.from_text(word) for word in words]

    def start(self, *options: str) -> str:
        """Start a server that listens; where it does."""
        given = str(self._folder / "socket") if self.session.connect == "unix" else "localhost:0"
        self._start([*options, *self.arguments(given)], stdin=subprocess.DEVNULL)
        match = wait_for(lambda: _LISTENING.search(self._errors.read_text()), self.alive)
        assert match is not None
        return match[2] or f"localhost:{match[1]}"

    def _start(self, arguments: list[str], stdin: int, stdout: int | None = None) -> None:
        with self._output.open("wb") as output, self._errors.open("wb") as errors:
            self.server = subprocess.Popen(
                [SERVER, *arguments],
                stdin=stdin,
                stdout=output if stdout is None else stdout,
                stderr=errors,
                cwd=self._folder,
                env=environment(),
            )

    def connect(self) -> Wire:
        """A connection to the server, which is started for the first one."""
        if self.session.connect == "stdio":
            self._start(self.arguments("-"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            assert self.server is not None and self.server.stdin and self.server.stdout
            return Wire(os.dup(self.server.stdout.fileno()), os.dup(self.server.stdin.fileno()))
        if self.server is None:
            self._address = self.start()
        host, colon, port = self._address.rpartition(":")
        if colon:
            connection = socket.create_connection((host, int(port)))
        else:
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(self._address)
        descriptor = connection.detach()
        return Wire(descriptor, descriptor)

    def alive(self) -> bool:
        """Whether the server is there."""
        return self.server is not None and self.server.poll() is None

    def wait_until_asleep(self, all_threads: bool = True) -> None:
        """Wait until the first process's threads, or the first one of them, sleep."""
        pid = self.names.value("pid 1")
        wait_for(lambda: _asleep(pid, all_threads))

    def output(self) -> list[str]:
        """What the program and the server printed so far."""
        return [self.names.in_text(line) for line in self._output.read_text().splitlines()]

    def errors(self) -> str:
        """What the server said of itself."""
        return self._errors.read_text()

    def ended(self, patience: float = PATIENCE) -> int | None:
        """The server's exit status once it ends; None if it does not."""
        assert self.server is not None
        for stream in (self.server.stdin, self.server.stdout):
            if stream is not None:
                stream.close()
        try:
            return self.server.wait(patience)
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        """End the server and the process beside it."""
        if self.server is not None and self.ended(0) is None:
            self.server.terminate()
            if self.ended() is None:
                self.server.kill()
                self.server.wait()
        if self._beside is not None:
            self._beside.kill()
            self._beside.wait()


def wait_for(condition: Callable[[], Found], possible: Callable[[], bool] = lambda: True) -> Found:
    """Wait until a condition holds; its value."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline and possible(), "what is waited for does not happen"
        time.sleep(_POLL)
    return found


def _asleep(pid: int, all_threads: bool) -> bool:
    tids = os.listdir(f"/proc/{pid}/task") if all_threads else [str(pid)]
    stats = [Path(f"/proc/{pid}/task/{tid}/stat").read_text() for tid in tids]
    return all(stat.rpartition(") ")[2].startswith("S") for stat in stats)

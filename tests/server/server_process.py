"""gdbstub-server as its users have it: a command that is started and whose lines are read."""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 20.0
"""Seconds after which a test gives up on something that should come at once."""


class NeverCame(AssertionError):
    """What a test waited for did not happen."""


def wait_until(condition: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Look again and again until a condition (a function) holds."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise NeverCame(what)
        time.sleep(0.005)


class ServerProcess:
    """A running server. Its standard error is collected; `expect` reads on in it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.errors = ""
        """All of its standard error so far."""
        self._seen = 0
        self._port = 0

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def port(self) -> int:
        """Where it listens (waits until it says so)."""
        if not self._port:
            self._port = int(self.expect(r"Listening on port (\d+)\n")[1])
        return self._port

    @property
    def program_pid(self) -> int:
        """The process that it started or attached to."""
        return int(self.expect(r"pid = (\d+)\n")[1])

    def expect(self, pattern: str) -> re.Match[str]:
        """The next place of standard error that matches; what comes before it is skipped."""
        deadline = time.monotonic() + PATIENCE
        while True:
            found = re.compile(pattern).search(self.errors, self._seen)
            if found:
                self._seen = found.end()
                return found
            if not self._read(deadline):
                raise NeverCame(f"{pattern!r} in {self.errors!r}")

    def end(self) -> int:
        """Wait for its end; the exit status, negative for a signal. The rest of its errors is read."""
        deadline = time.monotonic() + PATIENCE
        while self._read(deadline):
            pass
        return self.process.wait(max(0.1, deadline - time.monotonic()))

    def exit_status(self) -> int:
        """Wait for its end alone: what it started may still hold its standard error open."""
        return self.process.wait(PATIENCE)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def _read(self, deadline: float) -> bool:
        """Read more of its errors; False at their end or when time is up."""
        assert self.process.stderr is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stderr, selectors.EVENT_READ)
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise NeverCame(f"the end of the server, which said {self.errors!r}")
        data = os.read(self.process.stderr.fileno(), 65536)
        self.errors += data.decode(errors="replace")
        return bool(data)


class Ticker:
    """A process of tests/programs/ticker.c, seen from outside."""

    def __init__(self, pid: int, shown: Path) -> None:
        self.pid = pid
        self._shown = shown

    def ticks(self) -> int:
        contents = self._shown.read_bytes() if self._shown.exists() else b""
        return int.from_bytes(contents[:8], "little")

    def check_runs(self) -> None:
        """It counts on, a good deal."""
        before = self.ticks()
        wait_until(lambda: self.ticks() > before + 20, f"process {self.pid} runs ({self.states()})")

    def check_stands(self) -> None:
        """All its threads are in a stop of the tracer's."""
        wait_until(lambda: set(self.states()) == {"t"}, f"process {self.pid} stands still")

    def check_untouched(self) -> None:
        """Nobody traces it, its text is that of its files, and it goes on running."""
        wait_until(lambda: self.tracers() == {0}, "nobody traces it")
        assert changed_text(self.pid) == []
        self.check_runs()
        assert not set(self.states()) & {"t", "T", "Z"}

    def states(self) -> list[str]:
        return [stat.rpartition(")")[2].split()[0] for stat in self._read_tasks("stat")]

    def tracers(self) -> set[int]:
        statuses = self._read_tasks("status")
        return {int(re.findall(r"^TracerPid:\s*(\d+)", status, re.M)[0]) for status in statuses}

    def _read_tasks(self, name: str) -> list[str]:
        folder = Path(f"/proc/{self.pid}/task")
        return [(task / name).read_text() for task in folder.iterdir()]


def changed_text(pid: int) -> list[str]:
    """Where the executable mappings of a process differ from the files that they are mapped from."""
    changed = []
    with open(f"/proc/{pid}/mem", "rb") as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            addresses, permissions, offset, _, inode, *path = line.split(maxsplit=5)
            if "x" not in permissions or inode == "0":
                continue
            start, end = (int(part, 16) for part in addresses.split("-"))
            memory.seek(start)
            mapped = memory.read(end - start)
            with open(path[0], "rb") as file:
                file.seek(int(offset, 16))
                original = file.read(end - start).ljust(end - start, b"\0")
            if mapped != original:
                first = next(i for i in range(len(mapped)) if mapped[i] != original[i])
                changed.append(f"{start + first:#x} of {path[0]}")
    return changed


def is_gone(pid: int) -> bool:
    """Whether a process has ended (a zombie has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


Serve = Callable[..., ServerProcess]
"""serve(*arguments): a server that is started; options are those of Popen."""
StartTicker = Callable[..., Ticker]
"""ticker(*gcc_options): a running process of ticker.c."""

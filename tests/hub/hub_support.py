"""What the tests of shared processes have in common: programs, places, and gdbs that come to them."""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from server_client import WireClient
from server_gdb import Gdb
from server_process import PATIENCE, changed_text, wait_until

from gdbstub.hub.runtime import Place
from gdbstub.linux import procfs

Build = Callable[..., Path]
Processes = list[subprocess.Popen[bytes]]
Command = Callable[..., subprocess.CompletedProcess[str]]
"""command(*arguments): `gdbstub ARGUMENTS`, carried out; options are those of subprocess.run."""
PLAIN = ("-no-pie",)
"""Compiler options with which the addresses in the file are those in memory."""


class Work:
    """A running process of hub_work.c."""

    def __init__(self, process: subprocess.Popen[bytes], threads: int) -> None:
        self.process = process
        self.pid = process.pid
        self.place = Place.of(process.pid)
        self.output = ""
        self.threads = threads
        self.says(f"ready {threads}\n")

    @property
    def gdb_path(self) -> str:
        return str(self.place.socket("gdb"))

    @property
    def hub(self) -> int:
        """The process that traces it; 0: nobody."""
        return procfs.tracer(self.pid)

    def says(self, text: str) -> None:
        """Wait until it has written a text."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + PATIENCE
        while text not in self.output:
            remaining = max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([self.process.stdout], [], [], remaining)
            part = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            assert part, f"{text!r} in {self.output!r}"
            self.output += part.decode()

    def tell(self, text: str) -> None:
        """A byte for its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def check_left(self) -> None:
        """Nobody traces it, its text is that of its file, and nothing of its place is left."""
        wait_until(lambda: self.hub == 0, "nobody traces it")
        wait_until(lambda: not self.place.folder.exists(), "its place goes")
        assert changed_text(self.pid) == []
        wait_until(lambda: not set(self.states()) & {"t", "T"}, "it runs")

    def states(self) -> list[str]:
        return [procfs.stat(tid).state for tid in procfs.tasks(self.pid)]

    def stands(self) -> bool:
        """All its threads are in a stop of the tracer's."""
        return set(self.states()) == {"t"}

    def check_ends(self, value: int = 5, caught: tuple[int, int] = (0, 0), children: int = 0) -> None:
        """It comes to the end that it has when nobody has traced it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.output += self.process.stdout.read().decode()
        assert self.process.wait(PATIENCE) == 7
        total = (self.threads - 1) * sum(range(1000))
        assert self.output == (
            f"ready {self.threads}\n"
            + "child 1 3\n" * children
            + f"sum {total}, value {value}, caught {caught[0]} and {caught[1]}\n"
        )


StartWork = Callable[..., Work]
"""work(threads=1): a running process of hub_work.c."""


class Colleague(Gdb):
    """A gdb that comes to a shared process."""

    def __init__(self, program: object = "") -> None:
        super().__init__(program)
        self.console("set sysroot")

    def join(self, work: Work) -> Colleague:
        """Connect; the process stands still for it."""
        self.done(self.request(f"-target-select remote {work.gdb_path}"))
        self.stop()
        return self

    def join_by_name(self, path: str) -> str:
        """Connect; gdb's answer."""
        return str(self.request(f"-target-select remote {path}")["message"])

    def hit(self) -> str:
        """Wait for a stop at a breakpoint; the function."""
        stop = self.stop()
        assert stop["reason"] == "breakpoint-hit", stop
        return str(stop["frame"]["func"])

    def interrupt(self) -> None:
        """Stop the program, and wait until it stands."""
        self.done(self.request("-exec-interrupt"))
        self.stop()

    def engines(self) -> dict[str, str]:
        """What `monitor status` tells: what each engine does. This gdb's is called `you`."""
        lines = re.findall(r"^  (.+?): (.*)$", self.console("monitor status"), re.M)
        return {"you" if name.endswith("(you)") else name: does for name, does in lines}

    @property
    def name(self) -> str:
        """What the others see it called."""
        return f"debugger of gdb (process {self.pid})"


StartGdb = Callable[..., Colleague]
"""gdb(program): a gdb that is started."""
Connect = Callable[[Work], WireClient]
"""connect(work): a client that has said hello to a shared process."""

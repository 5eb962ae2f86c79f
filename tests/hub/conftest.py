"""Fixtures that start programs, share them, and bring debuggers to them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_support import PLAIN, Build, Colleague, Command, Connect, Processes, StartGdb, StartWork, Work
from server_client import WireClient
from server_process import PATIENCE


@pytest.fixture(scope="session")
def gdbstub_program() -> Path:
    """The installed command, beside the interpreter that runs the tests."""
    return Path(os.path.dirname(sys.executable)) / "gdbstub"


@pytest.fixture
def command(gdbstub_program: Path) -> Command:
    def run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
        words = [str(gdbstub_program), *map(str, arguments)]
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE * 2, **options)

    return run


@pytest.fixture
def work(build: Build, processes: Processes) -> StartWork:
    def start(threads: int = 1) -> Work:
        process = subprocess.Popen(
            [build("hub_work", *PLAIN), str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        processes.append(process)
        return Work(process, threads)

    return start


@pytest.fixture
def shared(work: StartWork, command: Command) -> StartWork:
    """shared(threads=1): a program that is shared from now on."""

    def start(threads: int = 1) -> Work:
        found = work(threads)
        done = command("share", found.pid)
        assert done.returncode == 0, done.stderr
        return found

    return start


@pytest.fixture
def gdb(build: Build) -> Iterator[StartGdb]:
    started: list[Colleague] = []

    def start(program: object = "") -> Colleague:
        found = Colleague(program or build("hub_work", *PLAIN))
        started.append(found)
        return found

    yield start
    for each in started:
        each.end()


@pytest.fixture
def connect() -> Iterator[Connect]:
    clients: list[WireClient] = []

    def make(work: Work) -> WireClient:
        client = WireClient(work.gdb_path)
        clients.append(client)
        return client.start()

    yield make
    for client in clients:
        client.close()

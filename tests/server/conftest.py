"""Fixtures that start servers, clients and gdbs, and end them after the test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from server_client import Connect, WireClient
from server_gdb import Gdb, StartGdb
from server_process import Serve, ServerProcess, StartTicker, Ticker, wait_until


def _word(argument: object) -> str | bytes:
    return argument if isinstance(argument, bytes) else str(argument)


@pytest.fixture
def serve(server_program: Path, processes: list[subprocess.Popen[bytes]]) -> Serve:
    """serve(*arguments): a server that is started; options are those of Popen."""

    def start(*arguments: object, **options: Any) -> ServerProcess:
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        words = [str(server_program), *map(_word, arguments)]
        process = subprocess.Popen(words, stderr=subprocess.PIPE, **options)
        processes.append(process)
        return ServerProcess(process)

    return start


_AS_NOBODY = """
import encodings.idna, os, sys
import gdbstub.hub.hub, gdbstub.hub.server, gdbstub.target.live.target, gdbstub.utrace.tracer
from gdbstub.cli.server import run

os.setgroups([])
os.setgid(65534)
os.setuid(65534)
sys.exit(run(sys.argv[1:]))
"""


@pytest.fixture
def serve_as_nobody(processes: list[subprocess.Popen[bytes]]) -> Serve:
    """serve_as_nobody(*arguments): a server of a user who may do little.

    Everything is imported before, since that user need not be able to read the package's folder.
    """
    if os.getuid() != 0:
        pytest.skip("needs root to become somebody else")

    def start(*arguments: object, **options: Any) -> ServerProcess:
        words = [sys.executable, "-c", _AS_NOBODY, *map(str, arguments)]
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
        )
        processes.append(process)
        return ServerProcess(process)

    return start


@pytest.fixture
def connect() -> Iterator[Connect]:
    """connect(server or path): a client that has said hello."""
    clients: list[WireClient] = []

    def make(to: ServerProcess | str, features: str | None = None) -> WireClient:
        client = WireClient(to if isinstance(to, str) else to.port)
        clients.append(client)
        return client.start() if features is None else client.start(features)

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def ticker(
    build: Callable[..., Path], processes: list[subprocess.Popen[bytes]], tmp_path: Path
) -> StartTicker:
    """ticker(): a running process of ticker.c."""

    def start(*options: str) -> Ticker:
        shown = tmp_path / f"ticks{len(processes)}"
        process = subprocess.Popen([build("ticker", *options), shown])
        processes.append(process)
        found = Ticker(process.pid, shown)
        wait_until(lambda: found.ticks() > 0, "the program starts")
        return found

    return start


@pytest.fixture
def gdb() -> Iterator[StartGdb]:
    """gdb(program): a real gdb, driven over its machine interface."""
    started: list[Gdb] = []

    def start(program: object, **options: Any) -> Gdb:
        found = Gdb(program, **options)
        started.append(found)
        return found

    yield start
    for each in started:
        each.end()


@pytest.fixture(autouse=True)
def _plain_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs are started by /bin/sh, whatever shell the tests are run from."""
    monkeypatch.delenv("SHELL", raising=False)

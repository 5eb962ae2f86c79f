"""Fixtures for all tests: C programs compiled on demand, and the processes that tests start."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

# Runs are alike, on a busy machine too; `--hypothesis-profile=default` looks further.
settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")

PROGRAMS = Path(__file__).parent / "programs"
Build = Callable[..., Path]
"""build(name, *gcc_options): path of the executable made from tests/programs/name.c."""


@cache
def makes_32_bit_programs() -> bool:
    """Whether the C library for 32-bit programs is installed."""
    command = ["gcc", "-m32", "-x", "c", "-o", os.devnull, "-"]
    return subprocess.run(command, input=b"int main(void) {}", stderr=subprocess.DEVNULL).returncode == 0


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Compile a program of tests/programs, once for each set of options in a test run."""
    folder = tmp_path_factory.mktemp("programs")

    def compile_once(name: str, *options: str) -> Path:
        executable = folder / "-".join([name, *(option.strip("-").replace("/", "_") for option in options)])
        if not executable.exists():
            source = PROGRAMS / f"{name}.c"
            command = ["gcc", "-g", "-O0", "-pthread", *options, "-o", executable, source]
            if "-m32" in options and not makes_32_bit_programs():
                pytest.skip("gcc makes no 32-bit programs here (Debian: gcc-multilib)")
            subprocess.run(command, check=True)
        return executable

    return compile_once


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that a test starts; those still there are ended after it, by their ids."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()


@pytest.fixture(scope="session")
def server_program() -> Path:
    """The installed gdbstub-server, beside the interpreter that runs the tests."""
    return Path(os.path.dirname(sys.executable)) / "gdbstub-server"

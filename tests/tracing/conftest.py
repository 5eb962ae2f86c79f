"""A tracer for each test, and the program that most of them trace."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tracing_support import FIXED, Build

from gdbstub import Engine, Task, Tracer


@pytest.fixture
def tracer(processes: list[subprocess.Popen[bytes]]) -> Iterator[Tracer]:
    """Closed after the test, before `processes` are ended; the test fails if an engine raised."""
    failures: list[Exception] = []

    def failed(task: Task, engine: Engine, error: Exception) -> None:
        failures.append(error)

    with Tracer() as tracer:
        tracer.on_engine_error = failed
        yield tracer
    if failures:
        raise failures[0]


@pytest.fixture
def visits(build: Build) -> Path:
    """The program that calls visit() in several threads."""
    return build("traced_visits", *FIXED)

"""A tracer for each test."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

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

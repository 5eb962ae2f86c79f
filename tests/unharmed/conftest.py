"""A tracer that is closed after each test, which fails if an engine raised; programs to be traced."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from unharmed_support import Starter

from gdbstub import Engine, Task, Tracer


@pytest.fixture
def tracer(starter: Starter) -> Iterator[Tracer]:
    failures: list[Exception] = []

    def failed(task: Task, engine: Engine, error: Exception) -> None:
        failures.append(error)

    with Tracer() as tracer:
        tracer.on_engine_error = failed
        yield tracer
    if failures:
        raise failures[0]


@pytest.fixture
def starter() -> Iterator[Starter]:
    starter = Starter()
    yield starter
    starter.close()

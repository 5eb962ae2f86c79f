"""The tracer's loop: on its own, inside another loop, and called by other threads."""

from __future__ import annotations

import asyncio
import select
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tracing_support import (
    Build,
    Recorder,
    Visitor,
    launch,
    symbols,
    until,
)

import gdbstub
from gdbstub import Process, Tracer
from gdbstub.linux.wait import Exited


def test_embedded_in_another_loop(tracer: Tracer, visits: Path) -> None:
    visitor = Visitor(symbols(visits)["visit"])

    async def drive() -> int:
        loop = asyncio.get_running_loop()
        gone: asyncio.Future[Process] = loop.create_future()
        tracer.on_gone.append(gone.set_result)
        loop.add_reader(tracer.fileno(), tracer.step)
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        ticking = asyncio.create_task(tick())
        process, _ = launch(tracer, visits, "1", "50", engines=[visitor])
        assert await asyncio.wait_for(gone, 30) is process
        ticking.cancel()
        loop.remove_reader(tracer.fileno())
        assert process.outcome == Exited(0)
        return ticks

    assert asyncio.run(drive()) > 10
    assert visitor.hits == 100


def test_calls_from_other_threads(tracer: Tracer, build: Build) -> None:
    launch(tracer, build("traced_wait"), engines=[Recorder("any", [])])
    results: list[object] = []

    def elsewhere() -> None:
        results.append(tracer.call(threading.get_ident))
        try:
            tracer.call(lambda: tracer.attach(0))
        except OSError as error:
            results.append(type(error))
        tracer.post(lambda: results.append("posted"))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    until(tracer, lambda: len(results) == 3)
    thread.join()
    assert results == [threading.get_ident(), gdbstub.NoTask, "posted"]
    assert tracer.call(lambda: 5) == 5


def test_loop_conditions_and_time_limits(tracer: Tracer) -> None:
    done: list[str] = []
    tracer.soon(lambda: done.append("soon"))
    assert tracer.run_until(lambda: bool(done))
    assert not tracer.run_until(lambda: False, timeout=0)
    tracer.run()
    assert done == ["soon"]


@pytest.mark.parametrize("way", [Tracer.soon, Tracer.post])
def test_an_embedding_loop_sees_what_is_to_be_called(
    tracer: Tracer, way: Callable[[Tracer, Callable[[], None]], None]
) -> None:
    done: list[str] = []

    def first() -> None:
        done.append("first")
        way(tracer, lambda: done.append("second"))
        way(tracer, lambda: way(tracer, lambda: done.append("third")))

    way(tracer, first)
    for _ in range(10):
        if select.select([tracer.fileno()], [], [], 0)[0]:
            tracer.step()
    assert done == ["first", "second", "third"]
    tracer.step()
    assert not select.select([tracer.fileno()], [], [], 0)[0]

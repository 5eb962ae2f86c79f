"""The end of a process and its collection by its parent, as this kernel and older ones tell of them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from gdbstub.linux import process_watch
from gdbstub.linux.event_loop import Poller
from gdbstub.linux.process_watch import ProcessWatch
from gdbstub.linux.procfs import is_zombie

_BOUND = 20.0


@pytest.fixture(params=[True, False], ids=["hangs up", "asked again and again"])
def watch(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[ProcessWatch, Poller]]:
    if request.param and not process_watch.kernel_tells_collection():
        pytest.skip("this kernel does not tell of collections")
    monkeypatch.setattr(process_watch, "kernel_tells_collection", lambda: request.param)
    poller = Poller()
    watching = ProcessWatch(poller)
    yield watching, poller
    watching.close()
    poller.close()


def poll_until(poller: Poller, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _BOUND
    while not condition():
        if time.monotonic() > deadline:
            return False
        poller.poll(0.05)
    return True


def test_a_collection_is_told_after_the_end(watch: tuple[ProcessWatch, Poller]) -> None:
    watching, poller = watch
    told: list[str] = []
    process = subprocess.Popen(["sleep", "100"])
    assert watching.on_end(process.pid, lambda: told.append("end"))
    assert watching.on_collection(process.pid, lambda: told.append("collection"))
    os.kill(process.pid, 9)
    assert poll_until(poller, lambda: told == ["end"])
    assert is_zombie(process.pid)
    for _ in range(5):
        poller.poll(0.03)
    assert told == ["end"]
    process.wait()
    assert poll_until(poller, lambda: told == ["end", "collection"])
    poller.poll(0.03)
    assert told == ["end", "collection"]


def test_what_is_gone_cannot_be_watched(watch: tuple[ProcessWatch, Poller]) -> None:
    watching, _ = watch
    process = subprocess.Popen(["true"])
    process.wait()
    assert not watching.on_end(process.pid, lambda: None)
    assert not watching.on_collection(process.pid, lambda: None)


def test_nothing_stays_open(watch: tuple[ProcessWatch, Poller]) -> None:
    watching, _ = watch
    before = len(os.listdir("/proc/self/fd"))
    with subprocess.Popen(["sleep", "100"]) as process:
        watching.on_end(process.pid, lambda: None)
        watching.on_collection(process.pid, lambda: None)
        watching.close()
        assert len(os.listdir("/proc/self/fd")) == before
        process.kill()

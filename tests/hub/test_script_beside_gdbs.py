"""A script's engine in the tracer that two stock gdbs share."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hub_support import StartGdb, StartWork
from server_process import wait_until

from gdbstub import Engine, Event, Process, Task, Tracer
from gdbstub.hub.hub import Hub
from gdbstub.utrace.engine import Answer
from gdbstub.utrace.syscall import SyscallExit

POLL = 7


class Calls(Engine):
    """Counts system calls by number."""

    events = Event.SYSCALL_EXIT
    label = "script"

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()

    def report_syscall_exit(self, task: Task, action: int, call: SyscallExit) -> Answer:
        self.counts[call.number] += 1
        return None


class SharingScript:
    """A tracer with a hub in a thread of its own, as a script would have it."""

    def __init__(self) -> None:
        self.failures: list[Exception] = []
        self._ready = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._ready.wait()

    def _run(self) -> None:
        with Tracer() as self.tracer:
            self.tracer.on_engine_error = lambda task, engine, error: self.failures.append(error)
            self.hub = Hub(self.tracer)
            self._ready.set()
            self.tracer.run_until(lambda: self._ended)
            self.hub.close()

    def do(self, function: Callable[[], object]) -> None:
        self.tracer.call(function)

    def attach(self, pid: int, engine: Engine) -> Process:
        return self.tracer.call(lambda: self.tracer.attach(pid, [engine]))

    def close(self) -> None:
        self._ended = True
        self.tracer.wake()
        self._thread.join()


@pytest.fixture
def script() -> Iterator[SharingScript]:
    found = SharingScript()
    yield found
    found.close()
    assert found.failures == []


@pytest.mark.parametrize(
    ("threads", "children"), [(1, 0), (20, 0), (1, 2)], ids=["single", "threads", "forking"]
)
@pytest.mark.parametrize("leaving", ["script first", "script last", "script between"])
def test_two_gdbs_and_a_script(
    work: StartWork, gdb: StartGdb, script: SharingScript, threads: int, children: int, leaving: str
) -> None:
    process = work(threads)
    calls = Calls()
    traced = script.attach(process.pid, calls)
    wait_until(process.place.socket("gdb").exists, "the process is shared")
    first, second = gdb().join(process), gdb().join(process)
    held = calls.counts.total()
    for each in (first, second):
        each.insert("visit")
        each.go("continue")
    for _ in range(3):
        assert [each.hit() for each in (first, second)] == ["visit", "visit"]
        assert first.engines()["script"] == "holds nothing"
        for each in (first, second):
            each.go("continue")
    assert [each.hit() for each in (first, second)] == ["visit", "visit"]
    for each in (first, second):
        each.console("delete")
        each.go("continue")
    wait_until(lambda: calls.counts[POLL] > held + 5, "the script counts beside them")
    for number in range(children):
        process.tell("f")
        process.says("child 1 3\n" * (number + 1))
    steps: dict[str, Callable[[], object]] = {
        "script": lambda: script.do(lambda: script.tracer.leave(traced, calls)),
        "first": lambda: (first.interrupt(), first.console("detach")),
        "second": lambda: second.kill_itself(),
    }
    order = {
        "script first": ["script", "first", "second"],
        "script last": ["second", "first", "script"],
        "script between": ["first", "script", "second"],
    }[leaving]
    for name in order:
        steps[name]()
    process.check_left()
    process.check_ends(children=children)


def test_the_script_goes_and_comes_while_gdb_stays(
    work: StartWork, gdb: StartGdb, script: SharingScript
) -> None:
    process = work(3)
    calls = Calls()
    traced = script.attach(process.pid, calls)
    wait_until(process.place.socket("gdb").exists, "the process is shared")
    debugger = gdb().join(process)
    for _ in range(3):
        script.do(lambda: script.tracer.leave(traced, calls))
        assert "script" not in debugger.engines()
        debugger.insert("other")
        debugger.go("continue")
        assert debugger.hit() == "other"
        before = calls.counts.total()
        script.do(lambda: script.tracer.join(traced, calls))
        debugger.go("continue")
        assert debugger.hit() == "other"
        assert calls.counts.total() > before
    script.do(lambda: script.tracer.leave(traced, calls))
    debugger.console("detach")
    process.check_left()
    process.check_ends()

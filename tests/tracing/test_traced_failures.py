"""Engines that raise or answer nonsense while a real process runs."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from signal import SIGKILL, SIGUSR1
from subprocess import PIPE
from typing import Any

import pytest
from tracing_support import (
    PATIENCE,
    Build,
    Holder,
    Processes,
    Recorder,
    Visitor,
    finish,
    launch,
    leader,
    read_line,
    run,
    start,
    state,
    symbols,
    until,
    waits_unharmed,
)

import gdbstub
from gdbstub import Engine, Event, Resume, Task, Tracer
from gdbstub.linux.wait import Exited
from gdbstub.utrace.engine import Answer


class Broken(Visitor):
    """Fails at its second hit."""

    def report_breakpoint(self, task: Task, action: int, breakpoint: Any) -> Answer:
        super().report_breakpoint(task, action, breakpoint)
        if self.hits == 2:
            raise LookupError("broken")
        return None


@pytest.fixture
def failures(tracer: Tracer) -> list[tuple[Engine, str]]:
    """The engines that raised, which is expected here."""
    failures: list[tuple[Engine, str]] = []
    tracer.on_engine_error = lambda task, engine, error: failures.append((engine, str(error)))
    return failures


def test_one_that_raises_is_detached_and_the_rest_goes_on(
    tracer: Tracer, visits: Path, failures: list[tuple[Engine, str]]
) -> None:
    place = symbols(visits)["visit"]
    before, broken, after = Visitor(place), Broken(place), Visitor(place)
    only_broken_wants = Broken(place + 1)
    engines = [before, broken, only_broken_wants, after]
    assert run(tracer, visits, "2", "5", engines=engines) == "15\n"
    assert failures == [(broken, "broken"), (only_broken_wants, "broken")]
    assert (before.hits, broken.hits, after.hits, only_broken_wants.hits) == (15, 2, 15, 2)


def test_the_hold_of_one_that_raises_ends(
    tracer: Tracer, build: Build, failures: list[tuple[Engine, str]]
) -> None:
    class HoldsAndFails(Holder):
        def report_quiesce(self, task: Task, action: int, event: int) -> Answer:
            if failing:
                raise LookupError("broken")
            return super().report_quiesce(task, action, event)

    failing = False
    engine, other = HoldsAndFails(), Recorder("other", [], Event.QUIESCE)
    process, output = launch(tracer, build("traced_wait"), engines=[engine, other])
    task = leader(process)
    assert task.held
    failing = True
    gdbstub.control(task, engine, Resume.REPORT)
    until(tracer, lambda: output.text == "ready\n")
    assert [error for _, error in failures] == ["broken"]
    assert list(process.engines) == [other]


@pytest.mark.parametrize("answer", [7, 0x10, 0xF0])
def test_an_answer_that_means_nothing_is_a_failure(
    tracer: Tracer, build: Build, failures: list[tuple[Engine, str]], answer: int
) -> None:
    class Odd(Engine):
        events = int(Event.EXIT)

        def report_exit(self, task: Task, action: int, code: int) -> Answer:
            return answer

    process, output = launch(tracer, build("traced_life"), "again", engines=[Odd(), Recorder("other", [])])
    finish(tracer, output)
    assert len(failures) == 1
    assert f"{answer:#x}" in failures[0][1]
    assert process.outcome == Exited(7)


def test_one_that_cannot_even_be_attached_or_released(
    tracer: Tracer, build: Build, failures: list[tuple[Engine, str]]
) -> None:
    class NotAttached(Engine):
        def attached(self, task: Task) -> None:
            raise LookupError("attached")

    class NotReleased(Engine):
        def release(self, task: Task) -> None:
            raise LookupError("released")

    other = Recorder("other", [], Event.EXIT)
    engines = [NotAttached(), NotReleased(), other]
    run(tracer, build("traced_life"), "again", engines=engines)
    assert failures == [(engines[0], "attached"), (engines[1], "released")]
    assert [report.event for report in other.log] == ["exit"]


def test_a_process_whose_only_engine_fails_at_once_is_let_go(
    tracer: Tracer, build: Build, processes: Processes, failures: list[tuple[Engine, str]]
) -> None:
    class NotAttached(Engine):
        def attached(self, task: Task) -> None:
            raise LookupError("attached")

    waiting, _ = start(processes, build("traced_wait"))
    for traced in (
        tracer.attach(waiting.pid, [NotAttached()]),
        launch(tracer, build("traced_life"), "again", engines=[NotAttached()])[0],
    ):
        assert traced.releasing
    until(tracer, lambda: not tracer.processes)
    until(tracer, lambda: waits_unharmed(waiting.pid))
    assert len(failures) == 2


def test_what_the_user_interrupts_in_a_callback_can_be_let_go(
    tracer: Tracer, build: Build, processes: Processes
) -> None:
    """Ctrl-C while a signal is being reported: it is still delivered."""

    class Interrupted(Engine):
        events = int(Event.SIGNAL)

        def report_signal(self, task: Task, action: int, *_: object) -> Answer:
            raise KeyboardInterrupt

    started, line = start(processes, build("traced_signals"))
    assert line == "ready"
    interrupted = Interrupted()
    traced = tracer.attach(started.pid, [interrupted])
    started.send_signal(SIGUSR1)
    with pytest.raises(KeyboardInterrupt):
        until(tracer, lambda: False)
    tracer.leave(traced, interrupted)
    until(tracer, lambda: not tracer.processes)
    assert read_line(started) == f"{SIGUSR1:d} from {os.getpid()}"


def test_a_child_that_is_killed_before_its_birth_is_told(
    tracer: Tracer, build: Build, processes: Processes
) -> None:
    """Its end comes together with its parent's stop in fork; the parent goes on."""
    parent = subprocess.Popen(["sh", "-c", "read line; (exit 3); echo $?"], stdin=PIPE, stdout=PIPE)
    processes.append(parent)
    assert parent.stdin is not None
    recorder = Recorder("any", [], Event.CLONE | Event.DEATH)
    recorder.follow = gdbstub.Follow.ALL
    tracer.attach(parent.pid, [recorder])
    parent.stdin.write(b"\n")
    parent.stdin.flush()
    born: list[str] = []
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
    while not born:
        born = children.read_text().split()
    child = int(born[0])
    wait_for_state(child, "t")
    os.kill(child, SIGKILL)
    wait_for_state(child, "Z")
    until(tracer, lambda: not tracer.processes)
    assert read_line(parent) == str(128 + SIGKILL)
    assert [
        (report.event, report.tid) for report in recorder.log if child in (report.tid, report.detail)
    ] == [
        ("clone", parent.pid),
        ("death", child),
    ]


def wait_for_state(tid: int, letter: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while state(tid) != letter:
        assert time.monotonic() < deadline

"""Signals of a real process: what each counts as, and what engines make of it."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from signal import SIGCHLD, SIGHUP, SIGKILL, SIGQUIT, SIGSTOP, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, Signals

import pytest
from tracing_support import (
    EVENTS,
    Build,
    Output,
    Processes,
    Recorder,
    finish,
    launch,
    leader,
    read_line,
    start,
    until,
)

import gdbstub
from gdbstub import Disposition, Event, Process, Resume, SigInfo, Signal, Task, Tracer
from gdbstub.linux.wait import Killed
from gdbstub.utrace.engine import Answer

US = os.getpid()
CLASSES = {
    SIGUSR1: (Event.SIGNAL, Signal.DELIVER, Disposition.HANDLED),
    SIGUSR2: (Event.SIGNAL_IGN, Signal.IGN, Disposition.IGNORED),
    SIGCHLD: (Event.SIGNAL_IGN, Signal.IGN, Disposition.DEFAULT),
    SIGWINCH: (Event.SIGNAL_IGN, Signal.IGN, Disposition.DEFAULT),
    SIGSTOP: (Event.SIGNAL_STOP, Signal.STOP, Disposition.DEFAULT),
    SIGTERM: (Event.SIGNAL_TERM, Signal.TERM, Disposition.DEFAULT),
    SIGQUIT: (Event.SIGNAL_CORE, Signal.CORE, Disposition.DEFAULT),
}


class Judge(Recorder):
    """Answers each signal as it is told, and notes what would have become of it."""

    def __init__(self, events: int, judge: Callable[[Task, SigInfo], Answer] | None = None) -> None:
        super().__init__("judge", [], events)
        self.judge = judge
        self.seen: list[tuple[int, Signal, Disposition | None]] = []

    def report_signal(
        self, task: Task, action: int, info: SigInfo, disposition: Disposition | None
    ) -> Answer:
        self.seen.append((info.number, Signal(action & 0xF0), disposition))
        return self.judge(task, info) if self.judge is not None else None

    @property
    def numbers(self) -> list[int]:
        return [number for number, _, _ in self.seen]


def ready(tracer: Tracer, build: Build, *engines: Recorder) -> tuple[Process, Output]:
    process, output = launch(tracer, build("traced_signals"), engines=engines)
    until(tracer, lambda: output.text == "ready\n")
    output.text = ""
    return process, output


def drop(task: Task, info: SigInfo) -> Answer:
    return Signal.IGN | Resume.RESUME


@pytest.mark.parametrize("number", CLASSES)
def test_the_class_of_a_signal(tracer: Tracer, build: Build, number: Signals) -> None:
    """Told to who wants its class or all, and to nobody who wants all others."""
    event, action, disposition = CLASSES[number]
    exact, every = Judge(event), Judge(Event.SIGNAL_ALL, drop)
    others = Judge(Event.SIGNAL_ALL & ~event)
    process, _ = ready(tracer, build, exact, others, every)
    os.kill(process.pid, number)
    until(tracer, lambda: bool(every.seen))
    assert exact.seen == every.seen == [(number, action, disposition)]
    assert not others.seen


def test_a_dropped_signal_does_nothing(tracer: Tracer, build: Build) -> None:
    judge = Judge(Event.SIGNAL_ALL, lambda task, info: drop(task, info) if info.number != SIGHUP else None)
    process, output = ready(tracer, build, judge)
    for number in (SIGTERM, SIGQUIT, SIGUSR1, SIGHUP):
        os.kill(process.pid, number)
        until(tracer, lambda number=number: number in judge.numbers)  # type: ignore[misc]
    until(tracer, lambda: output.text == f"{SIGHUP:d} from {US}\n")


def test_another_signal_instead(tracer: Tracer, build: Build) -> None:
    def change(task: Task, info: SigInfo) -> Answer:
        info.number = SIGHUP
        return Signal.DELIVER | Resume.RESUME

    process, output = ready(tracer, build, Judge(Event.SIGNAL_TERM, change))
    os.kill(process.pid, SIGTERM)
    until(tracer, lambda: output.text == f"{SIGHUP:d} from {US}\n")


@pytest.mark.parametrize(("action", "outcome"), [(Signal.TERM, SIGTERM), (Signal.CORE, SIGQUIT)])
def test_an_end_that_the_program_would_have_caught(
    tracer: Tracer, build: Build, action: Signal, outcome: Signals
) -> None:
    process, output = ready(tracer, build, Judge(Event.SIGNAL, lambda task, info: action | Resume.RESUME))
    os.kill(process.pid, SIGUSR1)
    assert finish(tracer, output) == ""
    assert isinstance(process.outcome, Killed)
    assert process.outcome.signal == outcome


def test_a_signal_action_by_itself_does_not_hold(tracer: Tracer, build: Build) -> None:
    judge = Judge(Event.SIGNAL, lambda task, info: Signal.DELIVER if len(judge.seen) > 1 else Signal.IGN)
    process, output = ready(tracer, build, judge)
    os.kill(process.pid, SIGUSR1)
    until(tracer, lambda: len(judge.seen) == 1)
    os.kill(process.pid, SIGUSR1)
    until(tracer, lambda: output.text == f"{SIGUSR1:d} from {US}\n")


def test_the_last_of_several_decides(tracer: Tracer, build: Build) -> None:
    first = Judge(Event.SIGNAL_ALL, drop)
    second = Judge(Event.SIGNAL_ALL, lambda task, info: Signal.DELIVER | Resume.RESUME)
    process, output = ready(tracer, build, first, second)
    os.kill(process.pid, SIGUSR1)
    until(tracer, lambda: output.text == f"{SIGUSR1:d} from {US}\n")
    assert second.seen == [(SIGUSR1, Signal.IGN, Disposition.HANDLED)]


def test_a_signal_put_back_comes_again(tracer: Tracer, build: Build) -> None:
    def later(task: Task, info: SigInfo) -> Answer:
        return Signal.IGN | gdbstub.HOLD | Resume.RESUME if len(judge.seen) < 3 else None

    judge = Judge(Event.SIGNAL_ALL, later)
    process, output = ready(tracer, build, judge)
    os.kill(process.pid, SIGUSR1)
    until(tracer, lambda: output.text == f"{SIGUSR1:d} from {US}\n")
    assert judge.numbers == [SIGUSR1] * 3


def test_a_signal_made_up_in_a_report(tracer: Tracer, build: Build) -> None:
    def make_up(task: Task, info: SigInfo) -> Answer:
        if info.number:
            return None
        info.raw = SigInfo.make(SIGUSR1, pid=4242).raw
        return Signal.DELIVER | Resume.RESUME

    judge = Judge(Event.QUIESCE, make_up)
    process, output = ready(tracer, build, judge)
    gdbstub.control(leader(process), judge, Resume.INTERRUPT)
    until(tracer, lambda: output.text == f"{SIGUSR1:d} from 4242\n")
    assert judge.seen[0] == (0, Signal.REPORT, None)


def test_a_handler_is_told_of_at_its_first_instruction(tracer: Tracer, build: Build) -> None:
    places: list[int] = []

    def stay(task: Task, info: SigInfo) -> Answer:
        places.append(task.registers.pc)
        return (Signal.DELIVER if info.number else Signal.HANDLER) | Resume.STOP

    judge = Judge(Event.SIGNAL | Event.QUIESCE, stay)
    process, output = ready(tracer, build, judge)
    task = leader(process)
    os.kill(process.pid, SIGUSR1)
    until(tracer, lambda: task.held)
    assert judge.seen == [(SIGUSR1, Signal.DELIVER, Disposition.HANDLED), (0, Signal.HANDLER, None)]
    assert places[0] != places[1] == task.registers.pc
    assert task.registers["rdi"] == SIGUSR1
    assert output.text == ""
    gdbstub.control(task, judge, Resume.RESUME)
    until(tracer, lambda: output.text == f"{SIGUSR1:d} from {US}\n")


def test_a_kill_is_told_as_the_end_alone(tracer: Tracer, build: Build) -> None:
    judge = Judge(EVENTS)
    process, output = ready(tracer, build, judge)
    before = len(judge.log)
    os.kill(process.pid, SIGKILL)
    finish(tracer, output)
    told = [report.event for report in judge.log[before:] if not report.event.startswith("syscall")]
    assert told == ["exit", "death", "reap"]
    assert not judge.seen


def test_a_signal_that_is_put_back_by_one_who_leaves_is_not_lost(
    tracer: Tracer, build: Build, processes: Processes
) -> None:
    def later(task: Task, info: SigInfo) -> Answer:
        return Signal.IGN | gdbstub.HOLD | Resume.DETACH

    started, line = start(processes, build("traced_signals"))
    assert line == "ready"
    tracer.attach(started.pid, [Judge(Event.SIGNAL_ALL, later)])
    started.send_signal(SIGUSR1)
    until(tracer, lambda: not tracer.processes)
    assert read_line(started) == f"{SIGUSR1:d} from {US}"


def test_a_signal_made_up_for_a_task_of_another_pid_namespace(
    tracer: Tracer, build: Build, processes: Processes
) -> None:
    """It comes once, as it was made up, though the task cannot see who sent it."""
    unshare = ["unshare", "--pid", "--fork"]
    if subprocess.run([*unshare, "true"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("not permitted to make a PID namespace")

    def make_up(task: Task, info: SigInfo) -> Answer:
        if info.number or len(judge.seen) > 1:
            return None
        info.raw = SigInfo.make(SIGUSR1, pid=4242).raw
        return Signal.DELIVER | Resume.RESUME

    started, line = start(processes, unshare[0], *unshare[1:], str(build("traced_signals")))
    assert line == "ready"
    inside = int(Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text())
    judge = Judge(Event.SIGNAL_ALL | Event.QUIESCE, make_up)
    process = tracer.attach(inside, [judge])
    gdbstub.control(leader(process), judge, Resume.INTERRUPT)
    reading = threading.Thread(target=lambda: lines.append(read_line(started)))
    lines: list[str] = []
    reading.start()
    until(tracer, lambda: bool(lines))
    reading.join()
    assert lines == [f"{SIGUSR1:d} from 4242"]
    assert judge.numbers == [0]
    tracer.kill(process)
    until(tracer, lambda: not tracer.processes)

"""In which order engines are told of the events of a real process."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
from tracing_support import EVENTS, Build, Recorder, Report, finish, launch, leader, until

import gdbstub
from gdbstub import Event, Follow, Task, Tracer
from gdbstub.utrace.engine import Answer

FORWARD = ("clone", "exec", "exit", "syscall_exit", "signal", "jctl", "death", "reap", "vfork_done")


def run_life(tracer: Tracer, build: Build, *engines: Recorder) -> int:
    """Run the program of all events to its end, continuing it from its stop; its pid."""
    process, output = launch(tracer, build("traced_life"), engines=engines)
    main = leader(process)
    stopped = [Report("jctl", engine.name, main.tid, gdbstub.Jctl.STOPPED) for engine in engines]
    until(tracer, lambda: any(report in engines[0].log for report in stopped))
    os.kill(process.pid, signal.SIGCONT)
    finish(tracer, output)
    return process.pid


@pytest.fixture
def log(tracer: Tracer, build: Build) -> list[Report]:
    """What engines A and B, attached in this order, were told of the whole program."""
    log: list[Report] = []
    first, second = Recorder("A", log), Recorder("B", log)
    run_life(tracer, build, first, second)
    return log


def test_attach_order_and_its_reverse_at_syscall_entry(log: list[Report]) -> None:
    for event in (*FORWARD, "syscall_entry"):
        reports = [report for report in log if report.event == event]
        order = ["B", "A"] if event == "syscall_entry" else ["A", "B"]
        assert reports, event
        assert [report.engine for report in reports] == order * (len(reports) // 2), event
        for one, other in zip(reports[::2], reports[1::2], strict=True):
            assert (one.tid, one.detail) == (other.tid, other.detail)


def test_what_a_program_does_is_told_in_order(log: list[Report]) -> None:
    main = next(report.tid for report in log if report.event == "clone")
    told = [
        (report.event, report.detail if report.event in ("jctl", "exit", "signal") else None)
        for report in log
        if report.engine == "A" and report.tid == main and not report.event.startswith("syscall")
    ]
    without_children = [report for report in told if report != ("signal", signal.SIGCHLD)]
    assert without_children == [
        ("clone", None),
        ("clone", None),
        ("vfork_done", None),
        ("clone", None),
        ("signal", signal.SIGUSR1),
        ("signal", signal.SIGSTOP),
        ("jctl", gdbstub.Jctl.STOPPED),
        ("jctl", gdbstub.Jctl.CONTINUED),
        ("signal", signal.SIGCONT),
        ("exec", None),
        ("exit", 7 << 8),
        ("death", None),
        ("reap", None),
    ]


class Inviting(Recorder):
    """Attaches a second engine in the middle of the first clone's report."""

    def __init__(self, log: list[Report], guest: Recorder) -> None:
        super().__init__("host", log)
        self.guest = guest

    def report_clone(self, task: Task, action: int, flags: int, child: Task) -> Answer:
        if not self.guest.log:
            self.guest.note("attached", task)
            gdbstub.attach(task, self.guest)
            gdbstub.set_events(task, self.guest, EVENTS)
        return super().report_clone(task, action, flags, child)


def test_an_engine_attached_in_a_callback_is_told_of_the_next_event_first(
    tracer: Tracer, build: Build
) -> None:
    guest = Recorder("guest", [])
    host = Inviting([], guest)
    run_life(tracer, build, host)
    first_clone = next(index for index, report in enumerate(host.log) if report.event == "clone")

    def rest(log: list[Report]) -> list[tuple[str, Any]]:
        main = host.log[first_clone].tid
        return [(report.event, report.detail) for report in log if report.tid == main]

    assert rest(guest.log)[0] == ("attached", None)
    assert rest(guest.log)[1:] == rest(host.log[first_clone + 1 :])
    assert rest(guest.log)[1][0] == "syscall_exit"


class Greedy(Recorder):
    """Asks for more in report_quiesce than its mask had at the event's start."""

    def report_quiesce(self, task: Task, action: int, event: int) -> Answer:
        if event == Event.EXEC:
            gdbstub.set_events(task, self, self.events | Event.EXEC)
        return None


def test_an_event_asked_for_in_its_own_quiesce_report_is_told(tracer: Tracer, build: Build) -> None:
    greedy = Greedy("greedy", [], Event.QUIESCE)
    waker = Recorder("waker", [], Event.JCTL | Event.EXEC)
    run_life(tracer, build, waker, greedy)
    assert [report.event for report in greedy.log] == ["exec"]


class Everywhere(Recorder):
    follow = Follow.ALL


def test_children_and_threads_are_followed_as_asked(tracer: Tracer, build: Build) -> None:
    threads_only, all_of_them = Recorder("threads", []), Everywhere("all", [])
    pid = run_life(tracer, build, threads_only, all_of_them)

    def ended(engine: Recorder) -> list[tuple[int, Any]]:
        return [(report.tid, report.detail) for report in engine.log if report.event == "exit"]

    children = [report.detail for report in all_of_them.log if report.event == "clone"]
    forked, vforked, thread = children
    assert ended(threads_only) == [(thread, 0), (pid, 7 << 8)]
    assert ended(all_of_them) == [(forked, 3 << 8), (vforked, 4 << 8), (thread, 0), (pid, 7 << 8)]

"""The core's hooks, as a real program comes by them."""

from __future__ import annotations

import os
import signal

from tracing_support import Build, Recorder, finish, hold, launch, leader, resume, until

import gdbstub
from gdbstub import Event, Resume, Task, Tracer
from gdbstub.utrace.engine import Answer
from gdbstub.utrace.hook_log import HOOKS, HookLog


class Stepping(Recorder):
    """Steps into the signal handler, which takes a report of its own, and on by one instruction."""

    def report_signal(
        self, task: Task, action: int, info: gdbstub.SigInfo, disposition: gdbstub.Disposition | None
    ) -> Answer:
        super().report_signal(task, action, info, disposition)
        handler = gdbstub.Signal(action & 0xF0) is gdbstub.Signal.HANDLER
        if info.number == signal.SIGUSR1 or handler:
            return action & 0xF0 | Resume.SINGLESTEP
        return None


def test_every_hook_in_the_program_s_order(tracer: Tracer, build: Build) -> None:
    hooks: list[tuple[str, Task]] = []
    log = HookLog(tracer.core, lambda hook, task: hooks.append((hook, task)))
    everything = Stepping("all", [], ~0 & (1 << 20) - 1)
    process, output = launch(tracer, build("traced_life"), engines=[everything])
    main = leader(process)
    until(tracer, lambda: ("notify_jctl", main) in hooks)
    hold(main, everything)
    until(tracer, lambda: main.held)
    resume(main, everything)
    os.kill(process.pid, signal.SIGCONT)
    finish(tracer, output)
    log.close()

    assert {hook for hook, _ in hooks} == set(HOOKS)
    ordinary = ("report_syscall_entry", "report_syscall_exit", "get_signal", "notify_resume")
    assert [hook for hook, task in hooks if task is main and hook not in ordinary] == [
        "report_clone",
        "report_clone",
        "report_vfork_done",
        "report_clone",
        "signal_handler",
        "report_traps",
        "notify_jctl",
        "job_stop",
        "notify_jctl",
        "report_exec",
        "report_exit",
        "report_death",
        "release_task",
    ]
    thread = next(task for _, task in hooks if task.process is main.process and task is not main)
    assert [hook for hook, task in hooks if task is thread and hook not in ordinary] == [
        "report_exit",
        "report_death",
        "release_task",
    ]


def test_signals_reach_the_core_once_each(tracer: Tracer, build: Build) -> None:
    hooks: list[str] = []
    HookLog(tracer.core, lambda hook, task: hooks.append(hook))
    told = Recorder("signals", [], Event.SIGNAL_ALL | Event.JCTL)
    process, output = launch(tracer, build("traced_life"), engines=[told])
    until(tracer, lambda: "notify_jctl" in hooks)
    os.kill(process.pid, signal.SIGCONT)
    finish(tracer, output)
    signals = [report.detail for report in told.log if report.event == "signal"]
    assert len(signals) == hooks.count("get_signal")
    assert [number for number in signals if number != signal.SIGCHLD] == [
        signal.SIGUSR1,
        signal.SIGSTOP,
        signal.SIGCONT,
    ]


def test_a_closed_log_is_silent(tracer: Tracer, build: Build) -> None:
    hooks: list[str] = []
    log = HookLog(tracer.core, lambda hook, task: hooks.append(hook))
    _, output = launch(tracer, build("traced_life"), "again", engines=[Recorder("one", [])])
    until(tracer, lambda: "report_syscall_exit" in hooks)
    log.close()
    told = len(hooks)
    finish(tracer, output)
    assert len(hooks) == told

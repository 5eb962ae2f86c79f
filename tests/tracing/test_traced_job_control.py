"""Job control as a user does it, on a terminal, with engines that look on and hold."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
from collections.abc import Iterator

import pytest
from tracing_support import (
    Build,
    Output,
    Processes,
    Recorder,
    hold,
    leader,
    read_line,
    resume,
    state,
    unblock_child_signal,
    until,
)

import gdbstub
from gdbstub import Event, Jctl, Process, Resume, Task, Tracer
from gdbstub.linux import procfs
from gdbstub.utrace.engine import Answer

STOPPED = f"5 {signal.SIGTSTP:d}\n"
CONTINUED = f"6 {signal.SIGCONT:d}\n"
KILLED = f"2 {signal.SIGKILL:d}\n"
"""What the shell says: CLD_* code and status."""


class Shell:
    """A shell with one job in the foreground of a terminal of its own."""

    def __init__(self, tracer: Tracer, build: Build, threads: int) -> None:
        self.terminal, self._far_end = pty.openpty()
        command = [build("traced_shell"), os.ttyname(self._far_end), build("traced_wait"), str(threads)]
        self.process = subprocess.Popen(
            [str(word) for word in command], stdout=subprocess.PIPE, preexec_fn=unblock_child_signal
        )
        lines = {read_line(self.process), read_line(self.process)}
        lines.remove("ready")
        self.job = int(lines.pop())
        assert self.process.stdout is not None
        self._output = Output(tracer, os.dup(self.process.stdout.fileno()))
        self._tracer = tracer
        self._told = ""

    def stop(self) -> None:
        os.write(self.terminal, b"\x1a")

    def foreground(self) -> None:
        os.write(self.terminal, b"fg\n")

    def says(self, line: str) -> None:
        """Wait for what the shell says next, which has to be this."""
        self._told += line
        until(self._tracer, lambda: len(self._output.text) >= len(self._told))
        assert self._output.text == self._told

    def close(self) -> None:
        os.close(self.terminal)
        os.close(self._far_end)


@pytest.fixture(params=[0, 2], ids=["one thread", "three threads"])
def shell(
    tracer: Tracer, build: Build, request: pytest.FixtureRequest, processes: Processes
) -> Iterator[Shell]:
    shell = Shell(tracer, build, request.param)
    processes.append(shell.process)
    yield shell
    with contextlib.suppress(ProcessLookupError):
        os.kill(shell.job, signal.SIGKILL)
    shell.close()


class Watcher(Recorder):
    """Notes for which changes the parent is told, and does with a SIGTSTP what it is told."""

    def __init__(self, answer: Answer = None) -> None:
        super().__init__("watcher", [], Event.JCTL | Event.SIGNAL_ALL)
        self.notified: list[int] = []
        self.answer = answer

    def report_jctl(self, task: Task, action: int, kind: Jctl, notify: int) -> Answer:
        if notify:
            self.notified.append(notify)
        return super().report_jctl(task, action, kind, notify)

    def report_signal(
        self, task: Task, action: int, info: gdbstub.SigInfo, disposition: gdbstub.Disposition | None
    ) -> Answer:
        self.note("signal", task, info.number)
        return self.answer if info.number == signal.SIGTSTP else None

    def count(self, kind: Jctl) -> int:
        return sum(1 for report in self.log if (report.event, report.detail) == ("jctl", kind))

    def signals(self) -> list[int]:
        return [report.detail for report in self.log if report.event == "signal"]


def all_are(pid: int, letter: str) -> bool:
    return all(state(tid) == letter for tid in procfs.tasks(pid))


def stopped(tracer: Tracer, shell: Shell, watcher: Watcher) -> Process:
    """Attach, and stop the job by its terminal."""
    process = tracer.attach(shell.job, [watcher])
    shell.stop()
    until(tracer, lambda: watcher.count(Jctl.STOPPED) == len(process.tasks))
    shell.says(STOPPED)
    return process


def stands_in_a_call(task: Task) -> bool:
    """Whether a task's registers are those of a wait in the kernel."""
    instruction = task.process.architecture.syscall.instructions[0]
    pc = task.registers.pc - len(instruction)
    return task.process.address_space.read(pc, len(instruction)) == instruction


def test_stop_and_foreground_go_as_without_a_tracer(tracer: Tracer, shell: Shell) -> None:
    watcher = Watcher()
    process = stopped(tracer, shell, watcher)
    threads = len(process.tasks)
    shell.foreground()
    shell.says(CONTINUED)
    until(tracer, lambda: watcher.count(Jctl.CONTINUED) == threads and all_are(shell.job, "S"))
    shell.stop()
    shell.says(STOPPED)
    until(tracer, lambda: watcher.count(Jctl.STOPPED) == 2 * threads)
    shell.foreground()
    shell.says(CONTINUED)
    until(tracer, lambda: watcher.count(Jctl.CONTINUED) == 2 * threads and all_are(shell.job, "S"))
    assert watcher.notified == [Jctl.STOPPED] * 2
    assert watcher.signals() == [signal.SIGTSTP, signal.SIGCONT] * 2


def test_a_stopped_job_can_be_held_and_read_and_stays_stopped(tracer: Tracer, shell: Shell) -> None:
    watcher = Watcher()
    process = stopped(tracer, shell, watcher)
    for task in process.tasks.values():
        with pytest.raises(gdbstub.Running):
            assert task.registers.pc
        gdbstub.control(task, watcher, Resume.STOP)
        stop = gdbstub.prepare_examine(task, watcher)
        assert stop.kind.name == "JOB_STOP"
        assert stands_in_a_call(task)
        gdbstub.finish_examine(task, watcher, stop)
        resume(task, watcher)
        with pytest.raises(gdbstub.Running):
            assert task.registers.pc
    shell.foreground()
    shell.says(CONTINUED)
    until(tracer, lambda: all_are(shell.job, "S"))
    assert watcher.count(Jctl.STOPPED) == watcher.count(Jctl.CONTINUED) == len(process.tasks)


def test_a_job_that_is_continued_while_held_runs_when_the_hold_ends(tracer: Tracer, shell: Shell) -> None:
    watcher = Watcher()
    process = stopped(tracer, shell, watcher)
    tasks = list(process.tasks.values())
    for task in tasks:
        gdbstub.control(task, watcher, Resume.STOP)
    shell.foreground()
    until(tracer, lambda: procfs.signal_sets(shell.job)["ShdPnd"] != 0)
    assert all(task.held for task in tasks)
    assert watcher.count(Jctl.CONTINUED) == 0
    for task in tasks:
        resume(task, watcher)
    shell.says(CONTINUED)
    until(tracer, lambda: watcher.count(Jctl.CONTINUED) == len(tasks) and all_are(shell.job, "S"))


def test_a_job_left_while_stopped_stays_stopped(tracer: Tracer, shell: Shell) -> None:
    watcher = Watcher()
    process = stopped(tracer, shell, watcher)
    tracer.leave(process, watcher)
    until(tracer, lambda: not tracer.processes)
    until(tracer, lambda: all_are(shell.job, "T"))
    shell.foreground()
    shell.says(CONTINUED)
    until(tracer, lambda: all_are(shell.job, "S"))


def test_a_stopped_job_can_be_attached_to(tracer: Tracer, shell: Shell) -> None:
    shell.stop()
    shell.says(STOPPED)
    watcher = Watcher()
    process = tracer.attach(shell.job, [watcher])
    until(tracer, lambda: watcher.count(Jctl.STOPPED) == len(process.tasks))
    task = leader(process)
    gdbstub.control(task, watcher, Resume.STOP)
    assert stands_in_a_call(task)
    resume(task, watcher)
    shell.foreground()
    shell.says(CONTINUED)
    until(tracer, lambda: all_are(shell.job, "S"))


def test_a_hold_asked_for_before_the_stop_outlasts_it(tracer: Tracer, shell: Shell) -> None:
    watcher = Watcher()
    process = stopped(tracer, shell, watcher)
    task = leader(process)
    other = Recorder("other", [], 0)
    gdbstub.attach(task, other)
    gdbstub.control(task, other, Resume.STOP)
    hold(task, watcher)
    resume(task, other)
    assert task.held
    assert stands_in_a_call(task)
    resume(task, watcher)
    assert not task.held


def test_a_stopped_job_can_be_killed(tracer: Tracer, shell: Shell) -> None:
    process = stopped(tracer, shell, Watcher())
    tracer.kill(process)
    until(tracer, lambda: not tracer.processes)
    shell.foreground()
    shell.says(KILLED)


def test_a_stop_that_an_engine_drops_does_not_happen(tracer: Tracer, shell: Shell) -> None:
    watcher = Watcher(gdbstub.Signal.IGN | Resume.RESUME)
    tracer.attach(shell.job, [watcher])
    shell.stop()
    until(tracer, lambda: signal.SIGTSTP in watcher.signals() and all_are(shell.job, "S"))
    os.kill(shell.job, signal.SIGKILL)
    shell.says(KILLED)
    assert watcher.count(Jctl.STOPPED) == 0


def test_a_signal_that_an_engine_makes_a_stop(tracer: Tracer, shell: Shell) -> None:
    class Stopping(Watcher):
        def report_signal(
            self, task: Task, action: int, info: gdbstub.SigInfo, disposition: gdbstub.Disposition | None
        ) -> Answer:
            usr1 = info.number == signal.SIGUSR1
            return gdbstub.Signal.STOP | Resume.RESUME if usr1 else None

    watcher = Stopping()
    process = tracer.attach(shell.job, [watcher])
    os.kill(shell.job, signal.SIGUSR1)
    shell.says(f"5 {signal.SIGSTOP:d}\n")
    until(tracer, lambda: watcher.count(Jctl.STOPPED) == len(process.tasks))
    shell.foreground()
    shell.says(CONTINUED)

"""The errors that need a real process: each errno as utrace's callers know it."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
from collections.abc import Callable

import pytest
from tracing_support import (
    Build,
    Holder,
    Processes,
    Recorder,
    finish,
    held,
    hold,
    launch,
    leader,
    resume,
    start,
    until,
)

import gdbstub
from gdbstub import Event, Resume, Task, Tracer, UtraceError
from gdbstub.linux import procfs
from gdbstub.linux.permission import is_kernel_thread
from gdbstub.utrace.engine import Answer


def kernel_thread() -> int:
    for pid in procfs.processes():
        if is_kernel_thread(pid):
            return pid
    pytest.skip("no kernel thread is visible here")


def test_a_kernel_thread_is_eperm(tracer: Tracer) -> None:
    with pytest.raises(gdbstub.NotPermitted, match="kernel thread") as refused:
        tracer.attach(kernel_thread())
    assert refused.value.errno == errno.EPERM


def test_a_process_with_another_tracer_is_eperm_and_names_it(
    tracer: Tracer, build: Build, processes: Processes
) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    traced, _ = start(processes, build("traced_wait"))
    strace = subprocess.Popen(["strace", "-p", str(traced.pid)], stderr=subprocess.DEVNULL)
    processes.append(strace)
    until(tracer, lambda: procfs.tracer(traced.pid) == strace.pid)
    with pytest.raises(gdbstub.NotPermitted, match=rf"traced by strace \(process {strace.pid}\)") as refused:
        tracer.attach(traced.pid)
    assert refused.value.errno == errno.EPERM
    assert not tracer.processes


def test_a_vanished_process_is_esrch(tracer: Tracer, processes: Processes) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    for attach in (tracer.attach, tracer.attach_task):
        with pytest.raises(gdbstub.NoTask) as refused:
            attach(gone.pid)
        assert refused.value.errno == errno.ESRCH


def test_a_zombie_is_refused_in_words(tracer: Tracer, processes: Processes) -> None:
    zombie = subprocess.Popen(["true"])
    processes.append(zombie)
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(UtraceError, match="zombie"):
        tracer.attach(zombie.pid)


class Mourner(Recorder):
    """Tries to get away while its task's death is being reported."""

    def __init__(self) -> None:
        super().__init__("mourner", [], Event.DEATH | Event.REAP)
        self.errors: list[int | None] = []

    def report_death(self, task: Task, group_dead: bool, signal: int) -> Answer:
        attempts: list[Callable[[], object]] = [
            lambda: gdbstub.control(task, self, Resume.DETACH),
            lambda: gdbstub.set_events(task, self, Event.REAP),
            lambda: gdbstub.control(task, self, Resume.STOP),
            lambda: task.registers.pc,
        ]
        for attempt in attempts:
            with pytest.raises(UtraceError) as refused:
                attempt()
            self.errors.append(refused.value.errno)
        return super().report_death(task, group_dead, signal)


def test_what_comes_too_late_for_a_death_is_ealready(tracer: Tracer, build: Build) -> None:
    mourner = Mourner()
    process, output = launch(tracer, build("traced_life"), "again", engines=[mourner])
    task = leader(process)
    finish(tracer, output)
    assert mourner.errors == [errno.EALREADY, errno.EALREADY, errno.ESRCH, errno.ESRCH]
    with pytest.raises(gdbstub.NoTask):
        gdbstub.control(task, mourner, Resume.RESUME)
    with pytest.raises(gdbstub.NoTask):
        gdbstub.barrier(task, mourner)


def test_a_task_that_runs_cannot_be_examined_until_it_is_held(tracer: Tracer, build: Build) -> None:
    engine = Recorder("engine", [], 0)
    process, output = launch(tracer, build("traced_spin"), engines=[engine])
    task = leader(process)
    until(tracer, lambda: output.text == "ready\n")
    with pytest.raises(gdbstub.Invalid):
        gdbstub.prepare_examine(task, engine)
    with pytest.raises(gdbstub.Running) as running:
        assert task.registers.pc
    assert running.value.errno == errno.EAGAIN
    with pytest.raises(gdbstub.InProgress) as asked:
        gdbstub.control(task, engine, Resume.STOP)
    assert asked.value.errno == errno.EINPROGRESS
    with pytest.raises(gdbstub.Running):
        gdbstub.prepare_examine(task, engine)
    held(tracer, task)
    stop = gdbstub.prepare_examine(task, engine)
    assert process.address_space.read(task.registers.pc, 1)
    gdbstub.finish_examine(task, engine, stop)
    resume(task, engine)
    hold(task, engine)
    held(tracer, task)
    with pytest.raises(gdbstub.Running):
        gdbstub.finish_examine(task, engine, stop)


def test_a_fifth_debug_register_is_enospc(tracer: Tracer, build: Build) -> None:
    holder = Holder()
    process, output = launch(tracer, build("traced_life"), "again", engines=[holder])
    for slot in range(4):
        process.watchpoints.insert(holder, "write", 0x1000 * slot, 8)
    with pytest.raises(gdbstub.NoSpace) as refused:
        process.watchpoints.insert(holder, "write", 0x8000, 8)
    assert refused.value.errno == errno.ENOSPC
    resume(leader(process), holder)
    finish(tracer, output)


def test_an_engine_is_attached_once(tracer: Tracer, build: Build) -> None:
    holder = Holder()
    process, output = launch(tracer, build("traced_life"), "again", engines=[holder])
    task = leader(process)
    with pytest.raises(gdbstub.Exists) as refused:
        gdbstub.attach(task, holder)
    assert refused.value.errno == errno.EEXIST
    assert gdbstub.attach(task, Holder, gdbstub.Attach.MATCH_OPS) is holder
    with pytest.raises(gdbstub.NoMatch) as missing:
        gdbstub.attach(task, Recorder, gdbstub.Attach.MATCH_OPS)
    assert missing.value.errno == errno.ENOENT
    resume(task, holder)
    finish(tracer, output)


def test_a_program_that_cannot_be_started(tracer: Tracer) -> None:
    with pytest.raises(FileNotFoundError, match="/nonexistent/program"):
        tracer.launch(["/nonexistent/program"])
    with pytest.raises(PermissionError):
        tracer.launch(["/etc/passwd"])
    with pytest.raises(gdbstub.LaunchFailed, match="exit code 3"):
        tracer.launch(["/bin/sh", "-c", "exit 3"], programs=2)
    with pytest.raises(gdbstub.LaunchFailed, match=signal.Signals.SIGTERM.name):
        tracer.launch(["/bin/sh", "-c", "kill -TERM $$"], programs=2)
    assert not tracer.processes

"""A debugger's stops in delicate places, without a protocol in between: the live target by itself."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from unharmed_debugger import Debugger
from unharmed_support import FIXED, Build, Program, Starter, leader, until

from gdbstub import Tracer
from gdbstub.linux import procfs
from gdbstub.target.values import (
    EVERY_THREAD,
    ForkStop,
    ProcessExited,
    ResumeAction,
    ResumeKind,
    SignalStop,
    ThreadId,
    VforkDoneStop,
)


@pytest.fixture
def debugger(tracer: Tracer) -> Debugger:
    return Debugger(tracer)


def run(debugger: Debugger, build: Build, *arguments: str) -> ThreadId:
    """Start a program under the debugger, its output thrown away."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    debugger.target.descriptors = {0: nowhere, 1: nowhere}
    debugger.target.run([str(build("unharmed_children", *FIXED)), *arguments])
    os.close(nowhere)
    (pid,) = debugger.target.processes()
    return ThreadId(pid, pid)


def test_no_false_end_of_everything_after_a_vfork(debugger: Debugger, tracer: Tracer, build: Build) -> None:
    """The parent has reached its own stop by the time that everything is resumed again."""
    parent = run(debugger, build, "vfork")
    debugger.target.report_events(fork=True, vfork=True, execs=True)
    debugger.target.pass_signals(frozenset({signal.SIGCHLD}))
    debugger.resume()
    forked = debugger.stop()
    assert isinstance(forked, ForkStop)
    assert forked.vfork
    child = forked.child
    debugger.resume()
    # The kernel tells of either first.
    first = debugger.stop()
    until(lambda: debugger.target.thread(parent).task.held, tracer)
    debugger.resume()
    assert [first, debugger.stop()] in (
        [ProcessExited(child.pid, 4), VforkDoneStop(parent)],
        [VforkDoneStop(parent), ProcessExited(child.pid, 4)],
    )
    debugger.resume()
    assert debugger.stop() == ProcessExited(parent.pid, 0)


def test_only_the_child_of_a_vfork_is_resumed(debugger: Debugger, build: Build) -> None:
    parent = run(debugger, build, "vfork")
    debugger.target.report_events(fork=True, vfork=True, execs=True)
    debugger.resume()
    forked = debugger.stop()
    assert isinstance(forked, ForkStop)
    pattern = EVERY_THREAD._replace(pid=forked.child.pid)
    debugger.target.resume([ResumeAction(ResumeKind.CONTINUE, pattern)])
    assert debugger.stop() == ProcessExited(forked.child.pid, 4)
    debugger.resume()
    assert debugger.stop() == VforkDoneStop(parent)
    debugger.target.detach(parent.pid)


@pytest.fixture(scope="module")
def parent_program(build: Build) -> Path:
    return build("unharmed_parent", *FIXED)


def start_child(starter: Starter, program: Path) -> tuple[Program, ThreadId]:
    started = starter.untraced(program)
    until(lambda: started.has_written("\n"))
    child = int(started.text.split()[1])
    until(lambda: procfs.command_line(child)[1:] == ["child"] and procfs.stat(child).state == "S")
    return started, ThreadId(child, child)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGKILL, 40])
def test_the_signal_that_stopped_a_process_is_delivered_when_it_is_detached(
    starter: Starter, debugger: Debugger, tracer: Tracer, parent_program: Path, number: int
) -> None:
    started, child = start_child(starter, parent_program)
    debugger.target.attach(child.pid)
    debugger.resume()
    os.kill(child.pid, number)
    if number != signal.SIGKILL:
        assert debugger.stop() == SignalStop(child, number)
        debugger.target.detach(child.pid)
    until(lambda: not tracer.processes, tracer)
    assert f"killed {number}\n1 signals: " in started.finish()


def test_a_signal_that_may_not_be_passed_is_dropped_when_detached(
    starter: Starter, debugger: Debugger, tracer: Tracer, parent_program: Path
) -> None:
    """QProgramSignals: the client's `handle SIGUSR1 nopass`."""
    started, child = start_child(starter, parent_program)
    debugger.target.program_signals(frozenset({signal.SIGTERM}))
    debugger.target.attach(child.pid)
    debugger.resume()
    os.kill(child.pid, signal.SIGUSR1)
    assert debugger.stop() == SignalStop(child, signal.SIGUSR1)
    debugger.target.detach(child.pid)
    until(lambda: not tracer.processes, tracer)
    started.write("e")
    assert "exited 3\n" in started.finish()


def test_signals_still_pending_at_a_detach_are_not_lost(
    starter: Starter, debugger: Debugger, tracer: Tracer, parent_program: Path
) -> None:
    started, child = start_child(starter, parent_program)
    debugger.target.attach(child.pid)
    os.kill(child.pid, signal.SIGTERM)
    assert leader(tracer.processes[child.pid]).held
    debugger.target.detach(child.pid)
    until(lambda: not tracer.processes, tracer)
    assert "killed 15\n" in started.finish()


def test_a_stop_signal_that_a_debugger_saw_stops_the_process_when_detached(
    starter: Starter, debugger: Debugger, tracer: Tracer, parent_program: Path
) -> None:
    started, child = start_child(starter, parent_program)
    debugger.target.attach(child.pid)
    debugger.resume()
    os.kill(child.pid, signal.SIGTSTP)
    assert debugger.stop() == SignalStop(child, signal.SIGTSTP)
    debugger.target.detach(child.pid)
    until(lambda: started.has_written("stopped 20"), tracer)
    until(lambda: procfs.stat(child.pid).state == "T")
    os.kill(child.pid, signal.SIGCONT)
    until(lambda: started.has_written("continued"))
    started.write("e")
    assert "exited 3\n" in started.finish()

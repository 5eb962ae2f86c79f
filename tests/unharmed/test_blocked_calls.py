"""A program that blocks in a system call does not notice that it is stopped there, attached to or let go.

PTRACE_INTERRUPT makes some calls fail with EINTR (epoll_wait, semop, sigtimedwait, io_getevents, receive
with a time-out); others are restarted by the kernel. All must end as they do when nobody looks. A signal
that is caught interrupts them then as now.
"""

from __future__ import annotations

import os
import signal
from functools import lru_cache
from pathlib import Path
from typing import Literal

import pytest
from unharmed_debugger import Debugger
from unharmed_support import FIXED, SIGUSR1, Build, Holder, Program, Starter, leader, symbols, until

from gdbstub import Process, Resume, Tracer, control
from gdbstub.linux import procfs, signals
from gdbstub.target.values import SignalStop, ThreadId
from gdbstub.utrace.hook_log import HookLog

DATA_CALLS = {
    "read": 0,
    "poll": 7,
    "ppoll": 271,
    "select": 23,
    "recv": 45,
    "recv_timeout": 45,
    "msgrcv": 70,
    "inotify": 0,
    "wait4": 61,
    "epoll_wait": 232,
    "semop": 65,
    "sigtimedwait": 128,
    "io_getevents": 208,
}
"""Calls that wait for data (or a child, or a signal that is not delivered), and their numbers."""
TIMED_CALLS = {
    "nanosleep": 35,
    "clock_nanosleep": 230,
    "futex": 202,
    "recv_timing_out": 45,
    "epoll_timing_out": 232,
}
"""Calls that end by their time-outs."""
SIGNAL_CALLS = {"pause": 34, "sigsuspend": 130}
NUMBERS = DATA_CALLS | TIMED_CALLS | SIGNAL_CALLS
LETTER = dict.fromkeys(DATA_CALLS, "d") | dict.fromkeys(TIMED_CALLS, "") | dict.fromkeys(SIGNAL_CALLS, "s")
"""What ends each call."""
RESTART = 219
"""restart_syscall, by which the kernel goes on with calls that have a time-out."""
HOLDS = 3
BREAKS = {"recv_timeout", "recv_timing_out", "epoll_wait", "epoll_timing_out", "semop", "sigtimedwait"} | {
    "io_getevents"
}
"""Calls that a stop makes fail with EINTR (signal(7)): there is something to repair."""


@pytest.fixture(scope="module")
def program(build: Build) -> Path:
    return build("unharmed_blocked", *FIXED)


def is_blocked(pid: int, call: str) -> bool:
    """Whether a process sleeps in a call."""
    try:
        number = procfs.current_syscall(pid).number
        return procfs.stat(pid).state == "S" and number in (NUMBERS[call], RESTART)
    except (BlockingIOError, ProcessLookupError):
        return False


def start(starter: Starter, program: Path, call: str, *arguments: str) -> Program:
    started = starter.untraced(program, call, *arguments)
    until(lambda: is_blocked(started.pid, call))
    return started


@lru_cache
def untraced(program: Path, call: str, how: str, *arguments: str) -> str:
    """What the program says when nobody traces it, and the call is ended in this way."""
    starter = Starter()
    try:
        started = start(starter, program, call, *arguments)
        for what in how.split():
            if what == "stop":
                os.kill(started.pid, signal.SIGSTOP)
                until(lambda: procfs.stat(started.pid).state == "T")
                os.kill(started.pid, signal.SIGCONT)
                until(lambda: started.has_written("\n") or is_blocked(started.pid, call))
            else:
                started.write(what)
            if what == "s":
                until(lambda: started.has_written("caught"))
        return started.finish()
    finally:
        starter.close()


def attach(tracer: Tracer, started: Program, holder: Holder) -> Process:
    return tracer.attach(started.pid, [holder])


def hold_and_let_go(tracer: Tracer, process: Process, holder: Holder, call: str) -> int:
    """Stop it in its call and let it go; the call's result that the stop showed."""
    task = leader(process)
    holder.hold(tracer, task)
    result = task.registers.signed("rax")
    assert task.registers.signed("orig_rax") in (NUMBERS[call], RESTART)
    holder.let_go(process)
    until(lambda: is_blocked(process.pid, call), tracer)
    return result


@pytest.mark.parametrize("call", NUMBERS)
def test_a_call_that_was_interrupted_ends_as_if_nobody_had_looked(
    starter: Starter, tracer: Tracer, program: Path, call: str
) -> None:
    started = start(starter, program, call)
    holder = Holder()
    process = attach(tracer, started, holder)
    results = {
        hold_and_let_go(tracer, process, holder, call) for _ in range(1 if call in TIMED_CALLS else HOLDS)
    }
    assert (-4 in results) == (call in BREAKS)
    tracer.leave(process, holder)
    until(lambda: not tracer.processes, tracer)
    # A signal that comes just before the call is made again ends no `pause`, traced or not.
    until(lambda: started.has_written("\n") or is_blocked(started.pid, call))
    started.write(LETTER[call])
    assert started.finish() == untraced(program, call, LETTER[call])


@pytest.mark.parametrize("call", NUMBERS)
def test_a_held_process_can_be_left_at_once(
    starter: Starter, tracer: Tracer, program: Path, call: str
) -> None:
    started = start(starter, program, call)
    holder = Holder()
    process = attach(tracer, started, holder)
    holder.hold(tracer, leader(process))
    tracer.leave(process, holder)
    until(lambda: not tracer.processes, tracer)
    # A signal that comes just before the call is made again ends no `pause`, traced or not.
    until(lambda: started.has_written("\n") or is_blocked(started.pid, call))
    started.write(LETTER[call])
    assert started.finish() == untraced(program, call, LETTER[call])


@pytest.mark.parametrize("restart", ["", "restart"])
@pytest.mark.parametrize("call", DATA_CALLS | SIGNAL_CALLS)
def test_a_caught_signal_interrupts_as_ever(
    starter: Starter, tracer: Tracer, program: Path, call: str, restart: str
) -> None:
    started = start(starter, program, call, restart)
    holder = Holder()
    process = attach(tracer, started, holder)
    hold_and_let_go(tracer, process, holder, call)
    started.write("s")
    until(lambda: started.has_written("caught"), tracer)
    started.write("d")
    assert started.finish(tracer) == untraced(program, call, "s d", restart)


@pytest.mark.parametrize("restart", ["", "restart"])
@pytest.mark.parametrize("call", DATA_CALLS | SIGNAL_CALLS)
def test_a_signal_caught_while_held_interrupts_the_call(
    starter: Starter, tracer: Tracer, program: Path, call: str, restart: str
) -> None:
    started = start(starter, program, call, restart)
    holder = Holder()
    process = attach(tracer, started, holder)
    holder.hold(tracer, leader(process))
    started.write("s")
    until(lambda: signals.is_member(procfs.signal_sets(started.pid)["ShdPnd"], SIGUSR1))
    holder.let_go(process)
    until(lambda: started.has_written("caught"), tracer)
    started.write("d")
    assert started.finish(tracer) == untraced(program, call, "s d", restart)


@pytest.mark.parametrize("call", DATA_CALLS)
def test_an_ignored_signal_interrupts_nothing(
    starter: Starter, tracer: Tracer, program: Path, call: str
) -> None:
    started = start(starter, program, call)
    seen: list[str] = []
    log = HookLog(tracer.core, lambda hook, task: seen.append(hook))
    holder = Holder()
    process = attach(tracer, started, holder)
    hold_and_let_go(tracer, process, holder, call)
    started.write("i")
    until(lambda: "get_signal" in seen, tracer)
    until(lambda: is_blocked(started.pid, call), tracer)
    log.close()
    started.write("d")
    assert started.finish(tracer) == untraced(program, call, "i d")


@pytest.mark.parametrize("call", DATA_CALLS)
def test_a_job_control_stop_interrupts_as_ever(
    starter: Starter, tracer: Tracer, program: Path, call: str
) -> None:
    started = start(starter, program, call)
    stopped: list[str] = []
    log = HookLog(tracer.core, lambda hook, task: stopped.append(hook))
    holder = Holder()
    process = attach(tracer, started, holder)
    hold_and_let_go(tracer, process, holder, call)
    os.kill(started.pid, signal.SIGSTOP)
    until(lambda: "notify_jctl" in stopped, tracer)
    os.kill(started.pid, signal.SIGCONT)
    until(lambda: started.has_written("\n") or is_blocked(started.pid, call), tracer)
    log.close()
    started.write("d")
    assert started.finish(tracer) == untraced(program, call, "stop d")


@pytest.mark.parametrize("does", ["nothing", "calls a function"])
@pytest.mark.parametrize("call", DATA_CALLS | SIGNAL_CALLS | {"nanosleep": 35})
def test_a_debugger_that_stopped_a_call_lets_it_end(
    starter: Starter, tracer: Tracer, program: Path, call: str, does: Literal["nothing", "calls a function"]
) -> None:
    started = start(starter, program, call)
    debugger = Debugger(tracer)
    names = symbols(program)
    thread = ThreadId(started.pid, started.pid)
    debugger.target.attach(started.pid)
    for _ in range(HOLDS):
        if does == "calls a function":
            assert debugger.call(thread, names["call_me"], 41, names["_start"]) == 42
        debugger.resume()
        if call != "nanosleep":
            until(lambda: is_blocked(started.pid, call), tracer)
        assert debugger.interrupt() == SignalStop(thread, signal.SIGINT)
    debugger.target.detach(started.pid)
    until(lambda: not tracer.processes, tracer)
    # A signal that comes just before the call is made again ends no `pause`, traced or not.
    until(lambda: started.has_written("\n") or is_blocked(started.pid, call))
    started.write(LETTER[call])
    assert started.finish() == untraced(program, call, LETTER[call])


@pytest.mark.parametrize("call", DATA_CALLS)
def test_the_signal_that_a_debugger_leaves_with_interrupts_as_ever(
    starter: Starter, tracer: Tracer, program: Path, call: str
) -> None:
    started = start(starter, program, call)
    debugger = Debugger(tracer)
    debugger.target.attach(started.pid)
    debugger.resume()
    until(lambda: is_blocked(started.pid, call), tracer)
    started.write("s")
    assert debugger.stop() == SignalStop(ThreadId(started.pid, started.pid), signal.SIGUSR1)
    debugger.target.detach(started.pid)
    until(lambda: started.has_written("caught"), tracer)
    started.write("d")
    assert started.finish() == untraced(program, call, "s d")


@pytest.mark.parametrize("call", ["epoll_wait", "semop"])
def test_an_interruption_that_was_asked_for_is_seen(
    starter: Starter, tracer: Tracer, program: Path, call: str
) -> None:
    """INTERRUPT is meant to get a task out of its call."""
    started = start(starter, program, call)
    holder = Holder()
    process = tracer.attach(started.pid, [holder])
    control(leader(process), holder, Resume.INTERRUPT)
    assert started.finish(tracer) == "-1 EINTR\n"

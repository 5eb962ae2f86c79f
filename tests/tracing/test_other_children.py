"""The tracer leaves alone what its process does besides: children that are not traced."""

from __future__ import annotations

import select
import signal
import subprocess
import threading
from pathlib import Path

import gdbstub
from gdbstub.linux.wait import Exited

_BOUND = 20.0


class _Calls(gdbstub.Engine):
    events = gdbstub.Event.SYSCALL_EXIT

    def __init__(self) -> None:
        self.count = 0

    def report_syscall_exit(self, task: gdbstub.Task, action: int, call: gdbstub.SyscallExit) -> None:
        self.count += 1


def test_an_untraced_child_keeps_its_exit_status() -> None:
    with gdbstub.Tracer() as tracer:
        other = subprocess.Popen(["sh", "-c", "exit 3"])
        tracer.launch(["true"], [_Calls()])
        assert tracer.run_until(lambda: not tracer.processes, _BOUND)
        assert other.wait(_BOUND) == 3


def test_a_program_that_was_started_and_let_go_leaves_no_zombie() -> None:
    engine = _Calls()
    with gdbstub.Tracer() as tracer:
        process = tracer.launch(["sleep", "60"], [engine])
        assert tracer.run_until(lambda: engine.count > 5, _BOUND)
        tracer.leave(process, engine)
        assert tracer.run_until(lambda: not tracer.processes, _BOUND)
        tracer.kill(process)
        assert tracer.run_until(lambda: not Path(f"/proc/{process.pid}").exists(), _BOUND)


def test_a_thread_that_takes_sigchld_away_does_not_keep_the_tracer_waiting() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait, args=(_BOUND,))
    thread.start()
    try:
        for _ in range(20):
            engine = _Calls()
            with gdbstub.Tracer() as tracer:
                tracer.launch(["true"], [engine])
                assert tracer.run_until(lambda: not tracer.processes, _BOUND)
            assert engine.count > 5
    finally:
        done.set()
        thread.join()


def test_fileno_tells_another_loop_of_tracees_also_beside_other_threads() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait, args=(_BOUND,))
    thread.start()
    try:
        with gdbstub.Tracer() as tracer:
            tracer.launch(["true"], [_Calls()])
            while tracer.processes:
                assert select.select([tracer.fileno()], [], [], _BOUND)[0]
                tracer.step()
    finally:
        done.set()
        thread.join()


def test_sigchld_that_is_ignored_does_not_keep_the_tracer_waiting() -> None:
    """Whoever starts this process can have it ignored; the kernel then sends none for a stop."""
    former = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        engine = _Calls()
        with gdbstub.Tracer() as tracer:
            process = tracer.launch(["sh", "-c", "exit 3"], [engine])
            assert tracer.run_until(lambda: not tracer.processes, _BOUND)
        assert engine.count > 5
        assert process.outcome == Exited(3)
    finally:
        signal.signal(signal.SIGCHLD, former)

"""The tracer leaves alone what its process does besides: children that are not traced."""

from __future__ import annotations

import subprocess

import gdbstub

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
        assert tracer.backend.released_children == {process.pid}
        tracer.kill(process)
        assert tracer.run_until(lambda: not tracer.backend.released_children, _BOUND)

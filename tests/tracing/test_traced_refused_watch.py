"""Debug registers that the kernel does not give: the program runs on unwatched, and the log says so."""

from __future__ import annotations

import errno
import logging

import pytest

import gdbstub
from gdbstub.linux import ptrace
from gdbstub.utrace import traps


def test_a_refused_debug_register_does_not_keep_the_program_from_running(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(tid: int, offset: int, value: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    class Watcher(gdbstub.Engine):
        events = gdbstub.Event.WATCHPOINT

        def attached(self, task: gdbstub.Task) -> None:
            task.process.watchpoints.insert(self, "write", 0x1000, 8)

    monkeypatch.setattr(traps.ptrace, "poke_user", refuse)
    assert ptrace.poke_user is refuse
    with caplog.at_level(logging.ERROR), gdbstub.Tracer() as tracer:
        tracer.launch(["true"], [Watcher()])
        assert tracer.run_until(lambda: not tracer.processes, 20)
    assert "no debug register is free" in caplog.text

"""What the core asks of whatever runs the tasks: ptrace, or a simulation in tests.

The other direction, what a back end tells the core, is `gdbstub.utrace.core.Utrace`'s report_* hooks.
"""

from __future__ import annotations

from typing import Protocol

from gdbstub.utrace.engine import Engine
from gdbstub.utrace.task import Departure, Process, Task


class Backend(Protocol):
    """Runs tasks. None of these calls report anything to engines before they return."""

    @property
    def single_step(self) -> bool:
        """The machine can run one instruction."""

    @property
    def block_step(self) -> bool:
        """The machine can step from branch to branch."""

    def depart(self, task: Task, departure: Departure) -> None:
        """Let a task leave its stop. One that is being killed meanwhile is simply gone later."""

    def request_stop(self, task: Task, interrupt: bool) -> None:
        """Bring a running task to a stop at its return to user mode, once.

        Without `interrupt` the program must not be able to notice: a system call that the stop broke off
        is made again.
        """

    def hold_job_stopped(self, task: Task) -> bool:
        """Turn a job control stop into one at which registers can be read; False if it is in none."""

    def interests_changed(self, task: Task) -> None:
        """The events that are wanted of a task have changed."""

    def left(self, process: Process, engine: Engine) -> None:
        """An engine is on no task of a process any more."""

    def engine_failed(self, task: Task, engine: Engine, error: Exception) -> None:
        """An engine raised from a callback and has been detached."""

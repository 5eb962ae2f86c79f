"""A log of the points at which tasks come to the core: what happens to a program, in order."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from gdbstub.utrace.core import Utrace
from gdbstub.utrace.task import Task

HOOKS = (
    "report_syscall_entry",
    "report_syscall_exit",
    "report_clone",
    "report_vfork_done",
    "report_exec",
    "report_exit",
    "notify_jctl",
    "job_stop",
    "get_signal",
    "signal_handler",
    "notify_resume",
    "report_traps",
    "report_death",
    "release_task",
)
"""The core's hooks, which a back end calls (kernel: include/linux/tracehook.h)."""


class HookLog:
    """Tells of every hook of a core, until it is closed."""

    def __init__(self, core: Utrace, write: Callable[[str, Task], None]) -> None:
        """`write` gets each hook's name and its task, before the hook runs."""
        self._core = core
        self._write = write
        for name in HOOKS:
            setattr(core, name, partial(self._called, name, getattr(core, name)))

    def _called(self, name: str, hook: Callable[..., None], task: Task, *arguments: Any) -> None:
        self._write(name, task)
        hook(task, *arguments)

    def close(self) -> None:
        """Log no more."""
        for name in HOOKS:
            delattr(self._core, name)

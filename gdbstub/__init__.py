"""Many debuggers and tracers on one Linux process.

    class Errors(gdbstub.Engine):
        events = gdbstub.Event.SYSCALL_EXIT

        def report_syscall_exit(self, task, action, call):
            if call.error:
                print(task.tid, call.error_name)

    with gdbstub.Tracer() as tracer:
        tracer.launch(["ls", "/nonexistent"], [Errors()])
        tracer.run()

`gdbstub.utrace` holds the layer behind these names; each is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gdbstub.linux.siginfo import SigInfo
    from gdbstub.linux.spawn import Launch
    from gdbstub.utrace.actions import HOLD, RESUMED, Attach, Follow, Resume, Signal, Syscall
    from gdbstub.utrace.breakpoints import Breakpoint
    from gdbstub.utrace.control import (
        attach,
        barrier,
        control,
        finish_examine,
        prepare_examine,
        raise_event,
        set_events,
    )
    from gdbstub.utrace.engine import Engine
    from gdbstub.utrace.errors import (
        Exists,
        InProgress,
        Interrupted,
        Invalid,
        NoMatch,
        NoSpace,
        NoTask,
        NotPermitted,
        NotSupported,
        Running,
        TooLate,
        UtraceError,
    )
    from gdbstub.utrace.events import Event, Jctl
    from gdbstub.utrace.syscall import SyscallEntry, SyscallExit, current_syscall
    from gdbstub.utrace.task import Disposition, Process, Program, Task
    from gdbstub.utrace.tracer import LaunchFailed, Tracer
    from gdbstub.utrace.watchpoints import Watchpoint

__all__ = [
    "HOLD",
    "RESUMED",
    "Attach",
    "Breakpoint",
    "Disposition",
    "Engine",
    "Event",
    "Exists",
    "Follow",
    "InProgress",
    "Interrupted",
    "Invalid",
    "Jctl",
    "Launch",
    "LaunchFailed",
    "NoMatch",
    "NoSpace",
    "NoTask",
    "NotPermitted",
    "NotSupported",
    "Process",
    "Program",
    "Resume",
    "Running",
    "SigInfo",
    "Signal",
    "Syscall",
    "SyscallEntry",
    "SyscallExit",
    "Task",
    "TooLate",
    "Tracer",
    "UtraceError",
    "Watchpoint",
    "attach",
    "barrier",
    "control",
    "current_syscall",
    "finish_examine",
    "prepare_examine",
    "raise_event",
    "set_events",
]

_HOMES = {
    "gdbstub.utrace.actions": ("HOLD", "RESUMED", "Attach", "Follow", "Resume", "Signal", "Syscall"),
    "gdbstub.utrace.breakpoints": ("Breakpoint",),
    "gdbstub.utrace.control": (
        "attach",
        "barrier",
        "control",
        "finish_examine",
        "prepare_examine",
        "raise_event",
        "set_events",
    ),
    "gdbstub.utrace.engine": ("Engine",),
    "gdbstub.utrace.events": ("Event", "Jctl"),
    "gdbstub.utrace.syscall": ("SyscallEntry", "SyscallExit", "current_syscall"),
    "gdbstub.utrace.task": ("Disposition", "Process", "Program", "Task"),
    "gdbstub.utrace.tracer": ("LaunchFailed", "Tracer"),
    "gdbstub.utrace.watchpoints": ("Watchpoint",),
    "gdbstub.linux.siginfo": ("SigInfo",),
    "gdbstub.linux.spawn": ("Launch",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(_HOME_OF.get(name, "gdbstub.utrace.errors")), name)
    globals()[name] = found
    return found

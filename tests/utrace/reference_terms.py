"""The numbers of utrace's interface and the records of `reference_model`, written down by themselves."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any


class Act:
    """Resume actions."""

    STOP, INTERRUPT, REPORT, SINGLESTEP, BLOCKSTEP, RESUME, DETACH = range(7)
    MASK = 0x7


STEPS = (Act.SINGLESTEP, Act.BLOCKSTEP)


class Sig:
    """Signal actions."""

    DELIVER, IGN, TERM, CORE, STOP, TSTP, REPORT, HANDLER = range(0, 0x80, 0x10)
    MASK, HOLD = 0xF0, 0x100


class Sys:
    """System call actions."""

    RUN, ABORT, MASK, RESUMED = 0x00, 0x10, 0xF0, 0x100


class Follow:
    """What an engine is attached to by itself."""

    THREADS, CHILDREN, ALL = 1, 2, 3


class Ev:
    """Events, and the mark of an engine's hold."""

    QUIESCE, REAP, CLONE, EXEC, EXIT, DEATH, SYSCALL_ENTRY, SYSCALL_EXIT = (1 << bit for bit in range(8))
    SIGNAL, SIGNAL_IGN, SIGNAL_STOP, SIGNAL_TERM, SIGNAL_CORE, JCTL = (1 << bit for bit in range(8, 14))
    ENGINE_STOP = 1 << 14
    STEP, VFORK_DONE = 1 << 17, 1 << 18
    PROBE, ALARM, NOTE = (1 << bit for bit in range(19, 22))
    """Registered at run time, in this order."""
    SIGNAL_ALL = SIGNAL | SIGNAL_IGN | SIGNAL_STOP | SIGNAL_TERM | SIGNAL_CORE
    AT_DEATH = DEATH | QUIESCE


REGISTERED = {Ev.PROBE: "probe", Ev.ALARM: "alarm", Ev.NOTE: "note"}
"""Names of the events that are registered at the beginning."""


class Attach:
    """Flags of attaching."""

    MATCH_OPS, CREATE, EXCLUSIVE = 0x1, 0x10, 0x20


CLONE_VFORK = 0x4000
SIGQUIT, SIGTERM, SIGSTOP, SIGTSTP = 3, 15, 19, 20
KERNEL_COREDUMP = (3, 4, 5, 6, 7, 8, 11, 24, 25, 31)
KERNEL_IGNORE = (17, 18, 23, 28)
KERNEL_STOP = (19, 20, 21, 22)
REPRESENTATIVE = {Sig.TERM: SIGTERM, Sig.CORE: SIGQUIT, Sig.STOP: SIGSTOP, Sig.TSTP: SIGTSTP}
"""A signal whose default action is what was decided."""

MOST_ROUNDS = 1000
"""Reports at one stop; the task leaves after them whatever else is asked for."""

RUNNING, JOB_STOPPED, TRACED, DEAD = "running", "job-stopped", "traced", "dead"
"""States of a task."""
DEFAULT, IGNORED, HANDLED = "default", "ignored", "handled"
"""What a process has arranged for a signal."""


class CallbackFailed(Exception):
    """What a script raises."""


class SigInfo:
    """What callbacks may change of a signal."""

    def __init__(self, number: int) -> None:
        self.number = number


class Ops:
    """An engine's callbacks: all in one function of the task, the callback's name and its arguments."""

    def __init__(
        self, name: str, own_report_signal: bool, call: Callable[[Any, str, tuple[Any, ...]], int | None]
    ) -> None:
        self.name = name
        self.own_report_signal = own_report_signal
        self.call = call


DETACHED_OPS = Ops("detached", False, lambda task, method, arguments: Act.DETACH)
"""The inert table of an engine that is leaving."""


class Engine:
    """struct utrace_engine: one engine on one task."""

    def __init__(self, ops: Ops, number: int) -> None:
        self.ops = ops
        self.original_ops = ops
        self.number = number
        """How many were attached to any task before it."""
        self.flags = 0
        self.follow = 0
        self.step_wanted = False
        """It asked for the step that is being made."""


class Report:
    """struct utrace_report: what a pass has come to so far."""

    def __init__(self) -> None:
        self.result = 0
        self.action = Act.RESUME
        self.resume_action = Act.RESUME
        self.detaches = False
        self.spurious = True


@dataclass(frozen=True)
class Departure:
    """How a task goes on after an event."""

    step: int = Act.RESUME
    signal: int | None = None
    effect: str | None = None
    """What becomes of the signal: handler, stop, tstp, term or core."""
    abort: bool = False
    report: bool = False
    requeue: tuple[int, ...] = ()


Sleep = Generator[None, None, None]
"""Code of a task that may be held in it."""
Flow = Generator[None, None, Departure]

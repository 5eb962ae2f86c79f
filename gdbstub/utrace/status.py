"""What goes on in a process that several engines trace, for people and programs to look at."""

from __future__ import annotations

from dataclasses import dataclass

from gdbstub.utrace.engine import Engine
from gdbstub.utrace.events import Event
from gdbstub.utrace.task import Process, Task


@dataclass(frozen=True)
class EngineStatus:
    """One engine on a process."""

    label: str
    events: str
    """Names of the events that it wants of any thread."""
    holds: list[int]
    """Ids of the threads that it keeps stopped."""
    breakpoints: list[int]
    """Their addresses."""
    watchpoints: list[int]


@dataclass(frozen=True)
class ThreadStatus:
    """One thread."""

    tid: int
    name: str
    held_by: list[str]
    """Labels of the engines that keep it stopped; none: it runs, or is about to."""


@dataclass(frozen=True)
class ProcessStatus:
    """One process; engines in the order in which they are asked."""

    pid: int
    threads: list[ThreadStatus]
    engines: list[EngineStatus]


def label_of(engine: Engine) -> str:
    """What an engine is called."""
    return engine.label or type(engine).__name__


def status_of(process: Process) -> ProcessStatus:
    """How a process stands now."""
    return ProcessStatus(
        process.pid,
        [_thread(task) for task in process.tasks.values()],
        [_engine(process, engine) for engine in process.engines],
    )


def _thread(task: Task) -> ThreadStatus:
    held_by = [label_of(attachment.engine) for attachment in task.attachments if attachment.hold]
    return ThreadStatus(task.tid, task.name, held_by)


def _engine(process: Process, engine: Engine) -> EngineStatus:
    attachments = [task.attachment(engine) for task in process.tasks.values()]
    mask, holds = 0, []
    for attachment in attachments:
        if attachment is not None:
            mask |= attachment.mask
            if attachment.hold:
                holds.append(attachment.task.tid)
    return EngineStatus(
        label_of(engine),
        Event.names(mask),
        holds,
        [breakpoint.address for breakpoint in process.address_space.breakpoints.of(engine)],
        [watchpoint.address for watchpoint in process.watchpoints.of(engine)],
    )

"""The machine of `reference_model`: all tasks, which of them run, and the events registered at run time."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING

from reference_terms import (
    DETACHED_OPS,
    JOB_STOPPED,
    REGISTERED,
    RUNNING,
    TRACED,
    Departure,
    Engine,
    Ev,
    Flow,
    Ops,
)

if TYPE_CHECKING:
    from reference_model import Utrace


class Machine:
    """All tasks, and what the processor can do."""

    def __init__(
        self,
        departed: Callable[[Utrace, Departure], None],
        failed: Callable[[Utrace, Ops], None],
        single_step: bool = True,
        block_step: bool = True,
    ) -> None:
        self.departed = departed
        self.failed = failed
        self.single_step = single_step
        self.block_step = block_step
        self.tasks: dict[int, Utrace] = {}
        self.run_queue: list[Utrace] = []
        self.engines_made = 0
        self.registered = dict(REGISTERED)

    def register(self, name: str) -> int:
        """[deviation: extension events] The kernel has no events but its own. A free event of this name."""
        if name in self.registered.values():
            return -errno.EEXIST
        event = Ev.PROBE
        while event in self.registered:
            event <<= 1
        self.registered[event] = name
        return event

    def unregister(self, event: int) -> int:
        return 0 if self.registered.pop(event, None) else -errno.ENOENT

    def is_event(self, event: int) -> bool:
        return event == Ev.STEP or event in self.registered

    def new_engine(self, ops: Ops) -> Engine:
        self.engines_made += 1
        return Engine(ops, self.engines_made)

    def happen(self, task: Utrace, code: Flow) -> None:
        """A task that was running comes to a point that is reported."""
        task.code = code
        self.run_queue.append(task)
        self.schedule()

    def schedule(self) -> None:
        """Let each task that is awake run until it sleeps or leaves the kernel."""
        while self.run_queue:
            task = self.run_queue.pop(0)
            if task.state is TRACED and not task.utrace_flags & Ev.ENGINE_STOP:
                task.state = RUNNING
            if task.code is None or task.state is not RUNNING:
                continue
            try:
                next(task.code)
            except StopIteration as end:
                task.code = None
                task.state = JOB_STOPPED if task.group_stop else RUNNING
                self.departed(task, end.value)

    def engine_failed(self, failing: Utrace, ops: Ops) -> None:
        """[deviation: failure] An engine whose callback raises is detached from everything, in this order."""
        found = [(engine, task) for task in self.tasks.values() for engine in task.engines]
        mine = [(engine, task) for engine, task in found if engine.ops is ops]
        for engine, task in sorted(mine, key=lambda each: each[0].number):
            engine.ops = DETACHED_OPS
            if task is not failing and task.reporting is None:
                task.utrace_reset()
        self.failed(failing, ops)

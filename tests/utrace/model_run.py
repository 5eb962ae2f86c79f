"""The reference model's side of the comparison."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from model_programs import (
    BIRTHS,
    CAUGHT_SIGNALS,
    CLONE_THREAD,
    IGNORED_SIGNALS,
    LEADER,
    Happens,
    Program,
    Run,
)
from reference_events import Task
from reference_machine import Machine
from reference_model import Utrace
from reference_terms import (
    HANDLED,
    IGNORED,
    JOB_STOPPED,
    RUNNING,
    TRACED,
    Departure,
    Ev,
    Ops,
    SigInfo,
)


class ModelRun(Run):
    """The side of the reference model."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.machine = Machine(self._departed, self._failed, program.single_step, program.block_step)
        self.tasks: dict[int, Task] = {}
        self.ops = [
            Ops(f"engine {index}", script.report_signal, self._caller(index))
            for index, script in enumerate(program.engines)
        ]
        self.callbacks = 0
        """How many are running."""
        self._new_task(LEADER, LEADER)

    def _new_task(self, tid: int, tgid: int) -> Task:
        task = self.tasks[tid] = Task(tid, tgid, self.machine)
        task.sigaction = dict.fromkeys(CAUGHT_SIGNALS, HANDLED) | dict.fromkeys(IGNORED_SIGNALS, IGNORED)
        return task

    def _caller(self, index: int) -> Callable[[Utrace, str, tuple[Any, ...]], int | None]:
        def call(task: Utrace, method: str, arguments: tuple[Any, ...]) -> int | None:
            info, child = None, 0
            if method == "report_signal":
                action, info, original = arguments
                arguments = (action, info.number, original)
            elif method == "report_clone":
                child = arguments[2]
            self.callbacks += 1
            try:
                return self.callback(index, task.tid, method, arguments, info, child)
            finally:
                self.callbacks -= 1

        return call

    def _departed(self, task: Utrace, departure: Departure) -> None:
        self.departed(task.tid, departure)

    def _failed(self, task: Utrace, ops: Ops) -> None:
        self.log.append(("failed", ops.name, task.tid))

    def _schedule(self) -> None:
        """What somebody has woken goes on, but not in the middle of a callback."""
        if not self.callbacks:
            self.machine.schedule()

    def attach(self, tid: int, index: int, flags: int) -> int:
        found = self.tasks[tid].utrace_attach_task(flags, self.ops[index])
        return found if isinstance(found, int) else self.ops.index(found)

    def join(self, tid: int, index: int, follow: int) -> int:
        task, ops = self.tasks[tid], self.ops[index]
        if task.exit_state or task.engine_of(ops):
            return 0
        task.join(ops, follow, self.program.engines[index].events)
        self._schedule()
        return 1

    def set_events(self, tid: int, index: int, events: int) -> int:
        task = self.tasks[tid]
        return task.utrace_set_events(task.engine_of(self.ops[index]), events)

    def control(self, tid: int, index: int, action: int) -> int:
        task = self.tasks[tid]
        outcome = task.utrace_control(task.engine_of(self.ops[index]), action)
        self._schedule()
        return outcome

    def raise_event(self, tid: int, index: int, event: int) -> int:
        return self.tasks[tid].raise_event(event, f"raised for {index}")

    def register(self, name: str) -> int:
        return self.machine.register(name)

    def unregister(self, event: int) -> int:
        return self.machine.unregister(event)

    def reap(self, tid: int) -> None:
        self.tasks[tid].release_task()
        self._schedule()

    def happens(self, tid: int, what: str, action: Happens) -> None:
        task, value = self.tasks[tid], action.value
        if what == "death":
            task.report_death(tid == LEADER, value)
        elif what in ("stop", "continue"):
            task.job_stop(what == "stop")
        else:
            if what == "killed":
                task.killed()
            self.machine.happen(task, self._code(task, what, action))
        self.machine.schedule()

    def _code(self, task: Task, what: str, action: Happens) -> Any:
        value = action.value
        match what:
            case "entry":
                return task.syscall_entry()
            case "sysexit":
                return task.syscall_exit()
            case "clone" | "vfork" | "fork":
                child = self.tids[-1]
                tgid = task.tgid if BIRTHS[what] & CLONE_THREAD else child
                return task.clone(BIRTHS[what], self._new_task(child, tgid))
            case "exec":
                return task.event(Ev.EXEC, "report_exec", "/bin/true")
            case "vfork_done":
                return task.event(Ev.VFORK_DONE, "report_vfork_done")
            case "jctl":
                return task.event(Ev.JCTL, "report_jctl", 5 + value % 2, value % 7)
            case "exit" | "killed":
                return task.exit(value)
            case "return":
                return task.exit_to_user_mode()
            case "signal":
                return task.exit_to_user_mode([SigInfo(value)])
            case "handler":
                return task.utrace_signal_handler()
        probed = [self.ops[each % len(self.ops)] for each in action.named]
        signals = [SigInfo(value)] if what == "trap and signal" else []
        return task.trap(probed, signals, step_done=what != "hit")

    def state(self, tid: int) -> str:
        task = self.tasks[tid]
        if task.exit_state:
            return "reaped" if task.reap else "dead"
        return {RUNNING: "running", JOB_STOPPED: "stopped", TRACED: "held"}[task.state]

    def holders(self, tid: int) -> list[int]:
        task = self.tasks[tid]
        if task.state is not TRACED:
            return []
        holding = [engine for engine in task.engines if engine.flags & Ev.ENGINE_STOP]
        return [self.ops.index(engine.original_ops) for engine in holding]

    def snapshot(self) -> dict[int, tuple[Any, ...]]:
        return {tid: self._snapshot(task) for tid, task in self.tasks.items()}

    def _snapshot(self, task: Task) -> tuple[Any, ...]:
        engines = [
            (
                engine.original_ops.name,
                hex(engine.flags & ~Ev.ENGINE_STOP),
                bool(engine.flags & Ev.ENGINE_STOP),
                engine.follow,
                engine.step_wanted,
            )
            for engine in task.engines
        ]
        state = self.state(task.tid)
        if task.exit_state:
            return (state, engines)
        step = self.carried_out(task.cpu_step)
        return (state, self.carried_out(task.resume), step, task.signal_handler, task.raised, engines)

"""Programs for comparing the core with `reference_model`: what scripted engines and tasks do.

A `Program` says which engines there are, what their callbacks do one after the other, and what happens from
outside. `ModelRun` here and `CoreRun` in `core_run` carry it out and record the same things in the same
words.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from reference_events import Task
from reference_model import Machine, Utrace
from reference_terms import (
    DETACHED_OPS,
    HANDLED,
    IGNORED,
    JOB_STOPPED,
    RUNNING,
    TRACED,
    Act,
    Attach,
    CallbackFailed,
    Departure,
    Ev,
    Ops,
    SigInfo,
    Sys,
)

LEADER = 100
CAUGHT_SIGNALS, IGNORED_SIGNALS = (10, 12, 20), (1, 13)
"""What the processes have arranged."""
CLONE_THREAD, CLONE_VFORK = 0x10000, 0x4000
MOST_TASKS = 3


@dataclass(frozen=True)
class Effect:
    """Something that a callback does, or somebody from outside."""

    kind: str
    """attach, set_events, control, or (in report_signal) signal: change its number."""
    engine: int = 0
    value: int = 0
    child: bool = False
    """In report_clone: do it to the new task."""


@dataclass(frozen=True)
class Step:
    """What one callback does and answers."""

    answer: int | None = None
    effects: tuple[Effect, ...] = ()
    fails: bool = False


@dataclass(frozen=True)
class Script:
    """An engine: its first mask, whether it has a report_signal, and its callbacks in order; then RESUME."""

    events: int
    report_signal: bool = False
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Outside:
    """Somebody does something to a task from outside of callbacks."""

    effect: Effect
    task: int = 0


@dataclass(frozen=True)
class Happens:
    """A task comes to a point that is reported; one that is held is let go by its holders first."""

    what: str
    value: int = 0
    task: int = 0
    wake: int = Act.RESUME
    """The action with which holders let it go."""
    named: tuple[int, ...] = ()
    """The engines that an extension event is for."""


@dataclass(frozen=True)
class Program:
    """Engines, and what happens."""

    engines: tuple[Script, ...]
    actions: tuple[Outside | Happens, ...]
    single_step: bool = True
    block_step: bool = True
    sensible: bool = False
    """Of each answer, only the part that means something for the callback is taken."""


class Run(ABC):
    """One side of the comparison."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.log: list[tuple[Any, ...]] = []
        self.tids = [LEADER]
        self.cursors = [0] * len(program.engines)
        self.effects: dict[int, str] = {}
        """What has become of the last signal of each task, if something has."""

    def callback(
        self, index: int, tid: int, method: str, arguments: tuple[Any, ...], info: Any = None, child: int = 0
    ) -> int | None:
        """One callback of an engine: the next step of its script."""
        self.log.append((f"engine {index}", tid, method, *arguments))
        if method == "release":
            return None
        steps = self.program.engines[index].steps
        cursor = self.cursors[index]
        self.cursors[index] += 1
        step = steps[cursor] if cursor < len(steps) else Step(Act.RESUME)
        for effect in step.effects:
            if effect.kind != "signal":
                self.perform(effect, child if effect.child and child else tid)
            elif info is not None:
                info.number = effect.value
        if step.fails:
            raise CallbackFailed
        return self._possible(method, step.answer)

    def _possible(self, method: str, answer: int | None) -> int | None:
        """An answer on this machine: a step that it cannot make is nothing."""
        if answer is None:
            return None
        if not self.program.single_step and answer & Act.MASK in (Act.SINGLESTEP, Act.BLOCKSTEP):
            answer = answer & ~Act.MASK | Act.RESUME
        if method == "report_signal" or not self.program.sensible:
            return answer
        return answer & (Act.MASK | Sys.ABORT) if method == "report_syscall_entry" else answer & Act.MASK

    def perform(self, effect: Effect, tid: int) -> None:
        """Attach, set_events or control, and what comes of it."""
        index = effect.engine % len(self.program.engines)
        position = len(self.log)
        self.log.append(())
        call = {"attach": self.attach, "set_events": self.set_events, "control": self.control}[effect.kind]
        outcome = call(tid, index, effect.value)
        self.log[position] = (effect.kind, tid, index, effect.value, outcome)
        if effect.kind == "attach" and effect.value & Attach.CREATE and outcome == index:
            self.set_events(tid, index, self.program.engines[index].events)

    def act(self, action: Outside | Happens) -> None:
        """Do one thing, if it can happen now."""
        tid = self.tids[action.task % len(self.tids)]
        if isinstance(action, Outside):
            self.perform(action.effect, tid)
        elif action.what == "reap":
            if self.state(tid) == "dead":
                self.happens(tid, "reap", action)
        elif self.state(tid) in ("dead", "reaped"):
            pass
        elif action.what in ("death", "killed"):
            if action.what == "killed":
                self.happens(tid, "killed", action)
            self.happens(tid, "death", action)
        elif action.what == "continue":
            self.happens(tid, "continue", action)
        else:
            for index in self.holders(tid):
                self.perform(Effect("control", index, action.wake), tid)
            if self.state(tid) == "running":
                self._come_to(tid, action)

    def _come_to(self, tid: int, action: Happens) -> None:
        """An event, or the one that has to come first: the handler's beginning, the end."""
        effect = self.effects.pop(tid, None)
        what = action.what
        if effect in ("term", "core"):
            what = "exit"
        elif effect == "handler":
            what = "handler"
        elif what == "handler":
            what = "return"
        if effect == "exiting" or what == "exit":
            self.effects[tid] = "exiting"
        if effect == "exiting":
            return
        if what in ("clone", "vfork"):
            if len(self.tids) == MOST_TASKS:
                return
            self.tids.append(LEADER + len(self.tids))
        self.happens(tid, what, action)

    def departed(self, tid: int, departure: Departure) -> None:
        """A task leaves a stop."""
        departure = replace(departure, step=self.carried_out(departure.step))
        self.log.append(("departs", tid, departure))
        if departure.effect:
            self.effects[tid] = departure.effect

    def carried_out(self, action: int) -> int:
        """Without block step, the core leaves it to the back end to make a step of it."""
        block_step = action == Act.BLOCKSTEP and not self.program.block_step
        return Act.SINGLESTEP if block_step else int(action)

    @abstractmethod
    def attach(self, tid: int, index: int, flags: int) -> int:
        """The engine's index, or a negative errno."""

    @abstractmethod
    def set_events(self, tid: int, index: int, events: int) -> int:
        """0 or a negative errno."""

    @abstractmethod
    def control(self, tid: int, index: int, action: int) -> int:
        """0 or a negative errno."""

    @abstractmethod
    def happens(self, tid: int, what: str, action: Happens) -> None:
        """Bring a task to a point."""

    @abstractmethod
    def state(self, tid: int) -> str:
        """running, stopped (by job control), held, dead or reaped."""

    @abstractmethod
    def holders(self, tid: int) -> list[int]:
        """The engines that hold a task where it stands."""

    @abstractmethod
    def snapshot(self) -> dict[int, tuple[Any, ...]]:
        """For each task its state, what is pending, and its engines with masks and holds."""


class ModelRun(Run):
    """The reference model's side."""

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

    def attach(self, tid: int, index: int, flags: int) -> int:
        found = self.tasks[tid].utrace_attach_task(flags, self.ops[index])
        return found if isinstance(found, int) else self.ops.index(found)

    def set_events(self, tid: int, index: int, events: int) -> int:
        task = self.tasks[tid]
        return task.utrace_set_events(task.engine_of(self.ops[index]), events)

    def control(self, tid: int, index: int, action: int) -> int:
        task = self.tasks[tid]
        outcome = task.utrace_control(task.engine_of(self.ops[index]), action)
        if not self.callbacks:
            self.machine.schedule()
        return outcome

    def happens(self, tid: int, what: str, action: Happens) -> None:
        task, value = self.tasks[tid], action.value
        if what == "death":
            task.report_death(tid == LEADER, value)
        elif what == "reap":
            task.release_task()
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
            case "clone":
                return task.clone(CLONE_THREAD, self._new_task(self.tids[-1], task.tgid))
            case "vfork":
                return task.clone(CLONE_VFORK, self._new_task(self.tids[-1], self.tids[-1]))
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
                return task.exit_to_user_mode([SigInfo(value, taken=True)])
            case "handler":
                return task.utrace_signal_handler()
        named = [self.ops[each % len(self.ops)] for each in action.named]
        step = (Ev.STEP, "report_step", (Act.SINGLESTEP,), named)
        probe = (Ev.PROBE, "report_extension", (Ev.PROBE, "payload"), named[:1])
        signals = [SigInfo(value, taken=True)] if what == "trap and signal" else []
        return task.extension([step, probe] if value % 2 else [step], signals)

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
            )
            for engine in task.engines
            if engine.ops is not DETACHED_OPS
        ]
        if task.exit_state:
            return (self.state(task.tid), engines)
        return (self.state(task.tid), self.carried_out(task.resume), task.signal_handler, engines)

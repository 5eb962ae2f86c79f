"""Programs for comparing the core with `reference_model`: scripts, happenings, two runners.

A `Program` says which engines there are, what their callbacks do one after the other, and what happens from
outside. `ModelRun` and `CoreRun` carry it out and record the same things in the same words.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any

import reference_model as model
import reference_terms as terms

from gdbstub.linux import signals
from gdbstub.linux.siginfo import SigInfo
from gdbstub.testing.simulation import SimulatedMachine, SimulatedTask
from gdbstub.utrace import control
from gdbstub.utrace.actions import Attach, Signal
from gdbstub.utrace.breakpoints import Breakpoint
from gdbstub.utrace.engine import Answer, Engine
from gdbstub.utrace.errors import UtraceError
from gdbstub.utrace.events import Event, Jctl
from gdbstub.utrace.stops import StopKind
from gdbstub.utrace.syscall import Syscall, SyscallEntry, SyscallExit
from gdbstub.utrace.task import Departure, Disposition, Task
from gdbstub.utrace.task import Program as StartedProgram

LEADER = 100
HANDLED, IGNORED = (10, 12, 20), (1, 13)
"""Signals that the simulated process catches, and ignores."""
CALL = 39
VFORK = 0x4000
THREAD = 0x10000


@dataclass(frozen=True)
class Effect:
    """Something that a callback does, or somebody from outside."""

    kind: str
    """attach, set_events, control, or (in a callback) signal: change the number."""
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
    """An engine: its first mask, whether it has a report_signal, and its callbacks in order."""

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
    wake: int = terms.Act.RESUME
    named: tuple[int, ...] = ()


@dataclass(frozen=True)
class Program:
    """Engines, and what happens."""

    engines: tuple[Script, ...]
    actions: tuple[Outside | Happens, ...]
    single_step: bool = True
    block_step: bool = True


def fitting(method: str, answer: int | None) -> int | None:
    """The part of an answer that means something for this callback."""
    if answer is None:
        return None
    if method == "report_signal":
        return answer & 0x1F7
    if method == "report_syscall_entry":
        return answer & 0x17
    return answer & terms.Act.MASK if method.startswith("report_") else None


class Run(ABC):
    """One side of the comparison."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.log: list[tuple[Any, ...]] = []
        self.tids = [LEADER]
        self.cursors = [0] * len(program.engines)
        self.effects: dict[int, str | None] = {}
        """What became of the last signal of each task."""

    # What scripts do

    def callback(
        self, index: int, tid: int, method: str, arguments: tuple[Any, ...], info: Any, child: int | None
    ) -> int | None:
        """One callback of an engine."""
        self.log.append((f"engine {index}", tid, method, *arguments))
        if method == "release":
            return None
        steps = self.program.engines[index].steps
        cursor = self.cursors[index]
        if cursor >= len(steps):
            return terms.Act.RESUME
        self.cursors[index] += 1
        step = steps[cursor]
        for effect in step.effects:
            if effect.kind == "signal":
                if info is not None:
                    info.number = effect.value
            else:
                self.perform(effect, child if effect.child and child is not None else tid)
        if step.fails:
            raise terms.CallbackFailed
        answer = fitting(method, step.answer)
        if answer is not None and not self.program.single_step and answer & 7 in (3, 4):
            return answer & ~terms.Act.MASK | terms.Act.RESUME
        return answer

    def perform(self, effect: Effect, tid: int) -> None:
        """Attach, set_events or control, and what comes of it."""
        index = effect.engine % len(self.program.engines)
        position = len(self.log)
        self.log.append(())
        call = {"attach": self.attach, "set_events": self.set_events, "control": self.control}[effect.kind]
        outcome = call(tid, index, effect.value)
        self.log[position] = (effect.kind, tid, index, effect.value, outcome)
        if effect.kind == "attach" and effect.value & terms.Attach.CREATE and outcome == index:
            self.set_events(tid, index, self.program.engines[index].events)

    @abstractmethod
    def attach(self, tid: int, index: int, flags: int) -> int:
        """The engine's index, or a negative errno."""

    @abstractmethod
    def set_events(self, tid: int, index: int, events: int) -> int:
        """0 or a negative errno."""

    @abstractmethod
    def control(self, tid: int, index: int, action: int) -> int:
        """0 or a negative errno."""

    # What happens

    def act(self, action: Outside | Happens) -> None:
        """Do one thing, if it can happen now."""
        tid = self.tids[action.task % len(self.tids)]
        if isinstance(action, Outside):
            self.perform(action.effect, tid)
            return
        if action.what == "reap":
            if self.state(tid) == "dead":
                self.happens(tid, "reap", 0, ())
            return
        if self.state(tid) in ("dead", "reaped"):
            return
        if action.what in ("death", "killed"):
            if action.what == "killed":
                self.happens(tid, "killed", 9, ())
            self.happens(tid, "death", action.value, ())
            return
        if action.what == "continue":
            self.happens(tid, "continue", 0, ())
            return
        for index in self.holders(tid):
            self.perform(Effect("control", index, action.wake), tid)
        if self.state(tid) != "running":
            return
        self._happen(tid, action)

    def _happen(self, tid: int, action: Happens) -> None:
        effect = self.effects.pop(tid, None)
        what = action.what
        if effect in ("term", "core", "exiting"):
            if effect != "exiting":
                self.effects[tid] = "exiting"
                self.happens(tid, "exit", 15, ())
            else:
                self.effects[tid] = "exiting"
            return
        if what == "exit":
            self.effects[tid] = "exiting"
        if effect == "handler":
            what = "handler"
        elif what == "handler":
            what = "return"
        if what in ("clone", "vfork"):
            if len(self.tids) == 3:
                return
            self.tids.append(LEADER + len(self.tids))
        self.happens(tid, what, action.value, action.named)

    def carried_out(self, action: int) -> int:
        """Without block step, the core leaves it to the back end to make a step of it."""
        block_step = action == terms.Act.BLOCKSTEP and not self.program.block_step
        return terms.Act.SINGLESTEP if block_step else int(action)

    def departed(self, tid: int, departure: terms.Departure) -> None:
        """A task leaves a stop."""
        departure = replace(departure, step=self.carried_out(departure.step))
        self.log.append(("departs", tid, departure))
        if departure.effect:
            self.effects[tid] = departure.effect

    @abstractmethod
    def happens(self, tid: int, what: str, value: int, named: tuple[int, ...]) -> None:
        """Bring a task to a point."""

    @abstractmethod
    def state(self, tid: int) -> str:
        """running, stopped (by job control), held, dead or reaped."""

    @abstractmethod
    def holders(self, tid: int) -> list[int]:
        """The engines that hold a task."""

    @abstractmethod
    def snapshot(self) -> dict[int, tuple[Any, ...]]:
        """For each task its state, what is pending, and its engines with masks and holds."""


class ModelRun(Run):
    """The reference model's side."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.machine = model.Machine(self._departed, self._failed, program.single_step, program.block_step)
        self.callbacks = 0
        """How many are running."""
        self.ops = [
            terms.Ops(f"engine {index}", script.report_signal, self._caller(index))
            for index, script in enumerate(program.engines)
        ]
        self._task(LEADER)

    def _task(self, tid: int) -> model.Task:
        task = self.machine.new_task(tid)
        task.sigaction = {
            **dict.fromkeys(HANDLED, terms.HANDLED), **dict.fromkeys(IGNORED, terms.IGNORED)
        }  # fmt: skip
        return task

    def _caller(self, index: int) -> Any:
        def call(task: model.Task, method: str, arguments: tuple[Any, ...]) -> int | None:
            info = child = None
            self.callbacks += 1
            if method == "report_signal":
                action, info, original = arguments
                arguments = (action, info.number, original)
            elif method == "report_clone":
                child = arguments[2]
            try:
                return self.callback(index, task.tid, method, arguments, info, child)
            finally:
                self.callbacks -= 1

        return call

    def _departed(self, task: model.Task, departure: terms.Departure) -> None:
        self.departed(task.tid, departure)

    def _failed(self, task: model.Task, ops: terms.Ops) -> None:
        self.log.append(("failed", ops.name, task.tid))

    def attach(self, tid: int, index: int, flags: int) -> int:
        found = self.machine.tasks[tid].utrace_attach_task(flags, self.ops[index])
        return found if isinstance(found, int) else self.ops.index(found)

    def set_events(self, tid: int, index: int, events: int) -> int:
        task = self.machine.tasks[tid]
        return task.utrace_set_events(task.engine_of(self.ops[index]), events)

    def control(self, tid: int, index: int, action: int) -> int:
        task = self.machine.tasks[tid]
        number = task.utrace_control(task.engine_of(self.ops[index]), action)
        if not self.callbacks:
            self.machine.schedule()
        return number

    def happens(self, tid: int, what: str, value: int, named: tuple[int, ...]) -> None:
        task = self.machine.tasks[tid]
        ended = {
            "stop": lambda: task.job_stop(True),
            "continue": lambda: task.job_stop(False),
            "death": lambda: task.report_death(tid == LEADER, value),
            "reap": task.release_task,
        }
        if what in ended:
            ended[what]()
            self.machine.schedule()
            return
        if what == "killed":
            task.killed()
        codes = {
            "entry": lambda: task.syscall_entry(),
            "sysexit": lambda: task.syscall_exit(),
            "clone": lambda: task.clone(THREAD, self._task(self.tids[-1])),
            "vfork": lambda: task.clone(VFORK, self._task(self.tids[-1])),
            "exec": lambda: task.event(terms.Ev.EXEC, "report_exec", "/bin/true"),
            "vfork_done": lambda: task.event(terms.Ev.VFORK_DONE, "report_vfork_done"),
            "jctl": lambda: task.event(terms.Ev.JCTL, "report_jctl", 5 + value % 2, value % 7),
            "exit": lambda: task.exit(value),
            "killed": lambda: task.exit(value),
            "return": lambda: task.exit_to_user_mode(),
            "signal": lambda: task.exit_to_user_mode([terms.SigInfo(value, True)]),
            "handler": lambda: task.utrace_signal_handler(),
            "step": lambda: task.extension(
                [(terms.Ev.STEP, "report_step", 3, [self.ops[each % len(self.ops)] for each in named])],
                [terms.SigInfo(value, True)] if value else [],
            ),
        }
        self.machine.happen(task, codes[what]())

    def state(self, tid: int) -> str:
        task = self.machine.tasks[tid]
        if task.exit_state:
            return "reaped" if task.reap else "dead"
        return {terms.RUNNING: "running", terms.JOB_STOPPED: "stopped", terms.TRACED: "held"}[task.state]

    def holders(self, tid: int) -> list[int]:
        task = self.machine.tasks[tid]
        if task.state is not terms.TRACED:
            return []
        holding = [engine for engine in task.engines if engine.flags & terms.Ev.ENGINE_STOP]
        return [self.ops.index(engine.original_ops) for engine in holding]

    def snapshot(self) -> dict[int, tuple[Any, ...]]:
        return {
            tid: (
                self.state(tid),
                *((self.carried_out(task.resume), task.signal_handler) if not task.exit_state else ()),
                [
                    (
                        engine.original_ops.name,
                        hex(engine.flags & ~terms.Ev.ENGINE_STOP),
                        bool(engine.flags & terms.Ev.ENGINE_STOP),
                    )
                    for engine in task.engines
                ],
            )
            for tid, task in self.machine.tasks.items()
        }


class ScriptedEngine(Engine):
    """An engine of the core that follows a script."""

    def __init__(self, run: CoreRun, index: int) -> None:
        self.run = run
        self.index = index

    def _called(
        self, task: Task, method: str, *arguments: Any, info: Any = None, child: Any = None
    ) -> Answer:
        return self.run.callback(self.index, task.tid, method, arguments, info, child)

    def report_quiesce(self, task: Task, action: int, event: Event) -> Answer:
        return self._called(task, "report_quiesce", int(action), int(event))

    def report_clone(self, task: Task, action: int, flags: int, child: Task) -> Answer:
        return self._called(task, "report_clone", int(action), flags, child.tid, child=child.tid)

    def report_jctl(self, task: Task, action: int, kind: Jctl, notify: int) -> Answer:
        return self._called(task, "report_jctl", int(action), int(kind), notify)

    def report_exec(self, task: Task, action: int, program: StartedProgram) -> Answer:
        return self._called(task, "report_exec", int(action), program.path)

    def report_syscall_entry(self, task: Task, action: int, call: SyscallEntry) -> Answer:
        return self._called(task, "report_syscall_entry", int(action))

    def report_syscall_exit(self, task: Task, action: int, call: SyscallExit) -> Answer:
        return self._called(task, "report_syscall_exit", int(action))

    def report_exit(self, task: Task, action: int, code: int) -> Answer:
        return self._called(task, "report_exit", int(action), code)

    def report_death(self, task: Task, group_dead: bool, signal: int) -> Answer:
        return self._called(task, "report_death", group_dead, signal)

    def report_reap(self, task: Task) -> None:
        self._called(task, "report_reap")

    def report_step(self, task: Task, action: int, kind: int) -> Answer:
        return self._called(task, "report_step", int(action), int(kind))

    def report_breakpoint(self, task: Task, action: int, breakpoint: Breakpoint) -> Answer:
        raise AssertionError("there are none")

    def report_vfork_done(self, task: Task, action: int) -> Answer:
        return self._called(task, "report_vfork_done", int(action))

    def release(self, task: Task) -> None:
        self._called(task, "release")


class SignalEngine(ScriptedEngine):
    """One with a report_signal of its own."""

    def report_signal(
        self, task: Task, action: int, info: SigInfo, disposition: Disposition | None
    ) -> Answer:
        original = None if disposition is None else disposition.name.lower()
        return self._called(task, "report_signal", int(action), info.number, original, info=info)


class RecordingMachine(SimulatedMachine):
    """A simulated machine that tells of departures and failures at once."""

    def __init__(self, run: CoreRun, single_step: bool, block_step: bool) -> None:
        super().__init__(single_step, block_step)
        self.run = run

    def depart(self, task: Task, departure: Departure) -> None:
        super().depart(task, departure)
        assert isinstance(task, SimulatedTask)
        task.stop_requests.clear()
        self.run.departed(task.tid, in_model_words(task, departure))

    def engine_failed(self, task: Task, engine: Engine, error: Exception) -> None:
        super().engine_failed(task, engine, error)
        assert isinstance(error, terms.CallbackFailed), error
        assert isinstance(engine, ScriptedEngine)
        self.run.log.append(("failed", f"engine {engine.index}", task.tid))


def in_model_words(task: SimulatedTask, departure: Departure) -> terms.Departure:
    """A departure of the core as the model puts it."""
    number = departure.signal.number if departure.signal else 0
    effect = _effect(task, number, departure) if departure.signal else None
    requeue = (departure.requeue.number,) if departure.requeue else ()
    return terms.Departure(
        int(departure.step), number if effect else None, effect, departure.abort, departure.report, requeue
    )


def _effect(task: SimulatedTask, number: int, departure: Departure) -> str | None:
    action = departure.signal_action
    if action in (Signal.TERM, Signal.CORE, Signal.STOP, Signal.TSTP):
        return action.name.lower()
    if action != Signal.DELIVER or not number:
        return None
    disposition = task.disposition(number)
    if disposition is Disposition.HANDLED:
        return "handler"
    default = signals.default_action(number)
    if disposition is Disposition.IGNORED or default in (signals.Default.IGNORE, signals.Default.CONTINUE):
        return None
    if default is signals.Default.STOP:
        return "stop" if number == signals.SIGSTOP else "tstp"
    return "core" if default is signals.Default.CORE else "term"


class CoreRun(Run):
    """The side of the real core."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.machine = RecordingMachine(self, program.single_step, program.block_step)
        self.process = self.machine.process(LEADER)
        self.engines: list[Engine] = [
            (SignalEngine if script.report_signal else ScriptedEngine)(self, index)
            for index, script in enumerate(program.engines)
        ]
        self.tasks: dict[int, SimulatedTask] = {}
        leader = self.process.leader
        assert isinstance(leader, SimulatedTask)
        self._prepare(leader)
        self.reaped: set[int] = set()

    def _prepare(self, task: SimulatedTask) -> SimulatedTask:
        self.tasks[task.tid] = task
        task.dispositions = {
            **dict.fromkeys(HANDLED, Disposition.HANDLED), **dict.fromkeys(IGNORED, Disposition.IGNORED)
        }  # fmt: skip
        return task

    def attach(self, tid: int, index: int, flags: int) -> int:
        try:
            found = control.attach(self.tasks[tid], self.engines[index], Attach(flags))
        except UtraceError as error:
            return -error.number
        return self.engines.index(found)

    def set_events(self, tid: int, index: int, events: int) -> int:
        try:
            control.set_events(self.tasks[tid], self.engines[index], events)
        except UtraceError as error:
            return -error.number
        return 0

    def control(self, tid: int, index: int, action: int) -> int:
        try:
            control.control(self.tasks[tid], self.engines[index], action)
        except UtraceError as error:
            return -error.number
        return 0

    def happens(self, tid: int, what: str, value: int, named: tuple[int, ...]) -> None:
        task = self.tasks[tid]
        if what in ("stop", "continue"):
            task.job_stopped = what == "stop"
        elif what == "reap":
            self.reaped.add(tid)
            self.machine.core.release_task(task)
        elif what == "death":
            self.machine.core.report_death(task, tid == LEADER, value)
        else:
            self._report(task, what, value, named)

    def _report(self, task: SimulatedTask, what: str, value: int, named: tuple[int, ...]) -> None:
        core = self.machine.core
        abi = Syscall(task, task.process.architecture.syscall)
        info = SigInfo.make(value) if value else None

        def child() -> Task:
            return self._prepare(self.machine.task(self.tids[-1], self.process))

        def step() -> None:
            recipients = [task.attachment(self.engines[each % len(self.engines)]) for each in named]
            attachments = [each for each in recipients if each is not None]
            core.report_traps(task, [(Event.STEP, (3,), attachments)], info)

        kinds = {
            "entry": (StopKind.SYSCALL_ENTRY, lambda: core.report_syscall_entry(task, SyscallEntry(abi, CALL, ()))),
            "sysexit": (StopKind.SYSCALL_EXIT, lambda: core.report_syscall_exit(task, SyscallExit(abi, CALL, 0))),
            "clone": (StopKind.CLONE, lambda: core.report_clone(task, THREAD, child())),
            "vfork": (StopKind.VFORK, lambda: core.report_clone(task, VFORK, child())),
            "exec": (StopKind.EXEC, lambda: core.report_exec(task, StartedProgram("/bin/true", task.tid))),
            "vfork_done": (StopKind.VFORK_DONE, lambda: core.report_vfork_done(task)),
            "jctl": (StopKind.USER, lambda: core.notify_jctl(task, Jctl(5 + value % 2), value % 7)),
            "exit": (StopKind.EXIT, lambda: core.report_exit(task, value, False)),
            "killed": (StopKind.EXIT, lambda: core.report_exit(task, value, True)),
            "return": (StopKind.USER, lambda: core.notify_resume(task)),
            "signal": (StopKind.SIGNAL, lambda: core.get_signal(task, SigInfo.make(value))),
            "handler": (StopKind.USER, lambda: core.signal_handler(task)),
            "step": (StopKind.TRAP, step),
        }  # fmt: skip
        kind, hook = kinds[what]
        task.job_stopped = False
        self.machine.stand(task, kind)
        hook()

    def state(self, tid: int) -> str:
        task = self.tasks[tid]
        if task.dead:
            return "reaped" if tid in self.reaped else "dead"
        if task.held:
            return "held"
        return "stopped" if task.job_stopped else "running"

    def holders(self, tid: int) -> list[int]:
        task = self.tasks[tid]
        return [
            self.engines.index(attachment.engine)
            for attachment in task.attachments
            if task.held and attachment.hold and not attachment.detached
        ]

    def snapshot(self) -> dict[int, tuple[Any, ...]]:
        return {
            tid: (
                self.state(tid),
                *((self.carried_out(task.pending), task.signal_handler) if not task.dead else ()),
                [
                    (f"engine {self.engines.index(each.engine)}", hex(each.mask), each.hold)
                    for each in task.attachments
                    if not each.detached
                ],
            )
            for tid, task in self.tasks.items()
        }

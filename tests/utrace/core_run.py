"""The core's side of the comparison with `reference_model`: programs run over the simulated machine."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any, cast

from model_programs import (
    BIRTHS,
    CAUGHT_SIGNALS,
    CLONE_THREAD,
    IGNORED_SIGNALS,
    LEADER,
    Happens,
    Outside,
    Program,
    Run,
)
from reference_terms import REGISTERED, CallbackFailed, Ev
from reference_terms import Departure as ModelDeparture

from gdbstub.linux import signals
from gdbstub.linux.siginfo import SigInfo
from gdbstub.testing.simulation import SimulatedMachine, SimulatedTask
from gdbstub.utrace import control, traps
from gdbstub.utrace.actions import Attach, Follow, Resume, Signal
from gdbstub.utrace.engine import Answer, Engine
from gdbstub.utrace.errors import UtraceError
from gdbstub.utrace.events import Jctl
from gdbstub.utrace.flows import Trap
from gdbstub.utrace.ptrace_task import PtraceTask
from gdbstub.utrace.stops import StopKind
from gdbstub.utrace.syscall import Syscall, SyscallEntry, SyscallExit
from gdbstub.utrace.task import Departure, Disposition, Task
from gdbstub.utrace.task import Program as StartedProgram

_KINDS = {
    "entry": StopKind.SYSCALL_ENTRY,
    "sysexit": StopKind.SYSCALL_EXIT,
    "clone": StopKind.CLONE,
    "fork": StopKind.CLONE,
    "vfork": StopKind.VFORK,
    "exec": StopKind.EXEC,
    "vfork_done": StopKind.VFORK_DONE,
    "exit": StopKind.EXIT,
    "killed": StopKind.EXIT,
    "signal": StopKind.SIGNAL,
    "trap": StopKind.TRAP,
    "trap and signal": StopKind.TRAP,
    "hit": StopKind.TRAP,
}
"""Where a task stands at each event; else at its return to user mode."""


class ScriptedEngine(Engine):
    """An engine of the core that follows a script."""

    def __init__(self, run: CoreRun, index: int) -> None:
        self.run = run
        self.index = index

    def _called(self, task: Task, method: str, *arguments: Any, **extra: Any) -> Answer:
        return self.run.callback(self.index, task.tid, method, arguments, **extra)

    def attached(self, task: Task) -> None:
        self._called(task, "attached")

    def report_quiesce(self, task: Task, action: int, event: int) -> Answer:
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

    def report_extension(self, task: Task, action: int, event: int, payload: Any) -> Answer:
        return self._called(task, "report_extension", int(action), int(event), payload)

    def report_step(self, task: Task, action: int, kind: int) -> Answer:
        return self._called(task, "report_step", int(action), int(kind))

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
    """A simulated machine that tells of departures and failures when they come."""

    def __init__(self, run: CoreRun, single_step: bool, block_step: bool) -> None:
        super().__init__(single_step, block_step)
        self.run = run
        self.report_owed: dict[Task, bool] = {}
        """Whether each task left its last stop to report again."""

    def depart(self, task: Task, departure: Departure) -> None:
        super().depart(task, departure)
        assert isinstance(task, SimulatedTask)
        task.stop_requests.clear()
        self.report_owed[task] = departure.report
        self.run.departed(task.tid, in_model_terms(task, departure))

    def engine_failed(self, task: Task, engine: Engine, error: Exception) -> None:
        super().engine_failed(task, engine, error)
        if not isinstance(error, CallbackFailed) and "is no action" not in str(error):
            raise error
        assert isinstance(engine, ScriptedEngine)
        self.run.log.append(("failed", f"engine {engine.index}", task.tid))


def in_model_terms(task: Task, departure: Departure) -> ModelDeparture:
    """A departure of the core as the model puts it."""
    effect = _effect(task, departure)
    signal = departure.signal.number if departure.signal and effect else None
    if departure.report and effect == "handler":
        assert departure.handler, "the back end would not stop where the handler begins"
    requeue = tuple(info.number for info in departure.requeue)
    return ModelDeparture(
        int(departure.step), signal, effect, departure.abort, departure.report, requeue
    )  # fmt: skip


def _effect(task: Task, departure: Departure) -> str | None:
    """What becomes of the signal, if something does."""
    if departure.signal is None:
        return None
    action, number = departure.signal_action, departure.signal.number
    if action in (Signal.TERM, Signal.CORE, Signal.STOP, Signal.TSTP):
        return action.name.lower()
    if action is not Signal.DELIVER:
        return None
    if not number:
        return "no signal is delivered"
    disposition = task.disposition(number)
    if disposition is not Disposition.DEFAULT:
        return "handler" if disposition is Disposition.HANDLED else None
    return {
        signals.Default.STOP: "stop" if number == signals.SIGSTOP else "tstp",
        signals.Default.CORE: "core",
        signals.Default.TERMINATE: "term",
    }.get(signals.default_action(number))


def _errno(call: Callable[..., object], *arguments: object) -> int:
    try:
        call(*arguments)
    except UtraceError as error:
        return -error.number
    return 0


class CoreRun(Run):
    """The side of the real core."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.machine = RecordingMachine(self, program.single_step, program.block_step)
        self.extensions = self.machine.core.extensions
        for event, name in REGISTERED.items():
            assert self.extensions.register(name) == event
        self.engines: list[Engine] = [
            (SignalEngine if script.report_signal else ScriptedEngine)(self, index)
            for index, script in enumerate(program.engines)
        ]
        self.tasks: dict[int, SimulatedTask] = {}
        self._add(self.machine.process(LEADER).leader)

    def _add(self, task: Task | None) -> SimulatedTask:
        assert isinstance(task, SimulatedTask)
        self.tasks[task.tid] = task
        caught = dict.fromkeys(CAUGHT_SIGNALS, Disposition.HANDLED)
        task.dispositions = caught | dict.fromkeys(IGNORED_SIGNALS, Disposition.IGNORED)
        return task

    def attach(self, tid: int, index: int, flags: int) -> int:
        try:
            found = control.attach(self.tasks[tid], self.engines[index], Attach(flags))
        except UtraceError as error:
            return -error.number
        return self.engines.index(found)

    def join(self, tid: int, index: int, follow: int) -> int:
        task, engine = self.tasks[tid], self.engines[index]
        if task.dead or task.attachment(engine):
            return 0
        self.machine.core.join(task, engine, Follow(follow), self.program.engines[index].events)
        return 1

    def set_events(self, tid: int, index: int, events: int) -> int:
        return _errno(control.set_events, self.tasks[tid], self.engines[index], events)

    def control(self, tid: int, index: int, action: int) -> int:
        return _errno(control.control, self.tasks[tid], self.engines[index], action)

    def raise_event(self, tid: int, index: int, event: int) -> int:
        return _errno(control.raise_event, self.tasks[tid], event, f"raised for {index}")

    def register(self, name: str) -> int:
        try:
            return self.extensions.register(name)
        except ValueError:
            return -errno.EEXIST

    def unregister(self, event: int) -> int:
        try:
            self.extensions.unregister(event)
        except KeyError:
            return -errno.ENOENT
        return 0

    def act(self, action: Outside | Happens) -> None:
        super().act(action)
        self._check_reports_will_come()

    def _check_reports_will_come(self) -> None:
        """What is pending of a running task needs a stop that the back end has been asked for."""
        for task in self.tasks.values():
            runs = task.stop is None and not task.dead and not task.job_stopped
            if runs and (task.raised or task.pending != Resume.RESUME):
                assert task.stop_requests or self.machine.report_owed.get(task), f"{task} will not report"

    def reap(self, tid: int) -> None:
        self.machine.core.release_task(self.tasks[tid])

    def happens(self, tid: int, what: str, action: Happens) -> None:
        task, core = self.tasks[tid], self.machine.core
        if what == "death":
            core.report_death(task, tid == LEADER, action.value)
        elif what in ("stop", "continue"):
            task.job_stopped = what == "stop"
        else:
            task.job_stopped = False
            self.machine.stand(task, _KINDS.get(what, StopKind.USER))
            self._report(task, what, action)

    def _report(self, task: SimulatedTask, what: str, action: Happens) -> None:
        core, value = self.machine.core, action.value
        call = Syscall(task, task.process.architecture.syscall)
        match what:
            case "entry":
                core.report_syscall_entry(task, SyscallEntry(call, 39, ()))
            case "sysexit":
                core.report_syscall_exit(task, SyscallExit(call, 39, 0))
            case "clone" | "vfork" | "fork":
                core.report_clone(task, BIRTHS[what], self._child(task, BIRTHS[what]))
            case "exec":
                core.report_exec(task, StartedProgram("/bin/true", task.tid))
            case "vfork_done":
                core.report_vfork_done(task)
            case "jctl":
                core.notify_jctl(task, Jctl(5 + value % 2), value % 7)
            case "exit" | "killed":
                core.report_exit(task, value, killed=what == "killed")
            case "return":
                core.notify_resume(task)
            case "signal":
                core.get_signal(task, SigInfo.make(value))
            case "handler":
                core.signal_handler(task)
            case "trap" | "trap and signal" | "hit":
                self._trap(task, action)

    def _child(self, task: SimulatedTask, flags: int) -> SimulatedTask:
        if flags & CLONE_THREAD:
            return self._add(self.machine.task(self.tids[-1], task.process))
        return self._add(self.machine.process(self.tids[-1]).leader)

    def _trap(self, task: SimulatedTask, action: Happens) -> None:
        found: list[Trap] = []
        if action.what != "hit" and task.step != Resume.RESUME:
            found.append(traps.step_done(cast(PtraceTask, task), self.program.block_step))
        engines = [self.engines[each % len(self.engines)] for each in action.named]
        probed = [each for each in task.attachments if each.engine in engines and not each.detached]
        found.append((Ev.PROBE, ("payload",), probed))
        signal = SigInfo.make(action.value) if action.what == "trap and signal" else None
        self.machine.core.report_traps(task, found, signal)

    def state(self, tid: int) -> str:
        task = self.tasks[tid]
        if task.dead:
            return "reaped" if task.reaping else "dead"
        if task.held:
            return "held"
        return "stopped" if task.job_stopped else "running"

    def holders(self, tid: int) -> list[int]:
        task = self.tasks[tid]
        if not task.held:
            return []
        holding = [each for each in task.attachments if each.hold and not each.detached]
        return [self.engines.index(each.engine) for each in holding]

    def snapshot(self) -> dict[int, tuple[Any, ...]]:
        return {tid: self._snapshot(task) for tid, task in self.tasks.items()}

    def _snapshot(self, task: SimulatedTask) -> tuple[Any, ...]:
        engines = [
            (
                f"engine {self.engines.index(each.engine)}",
                hex(each.mask),
                each.hold,
                int(each.follow),
                each.step_wanted,
            )
            for each in task.attachments
            if not each.detached
        ]
        if task.dead:
            return (self.state(task.tid), engines)
        step = self.carried_out(task.step)
        pending = self.carried_out(task.pending)
        return (self.state(task.tid), pending, step, task.signal_handler, task.raised, engines)

"""The kernel's report machine once more, transcribed by itself, for comparing the core with.

It is written the way the description of the kernel's utrace reads: one `Utrace` has the fields of struct
utrace and of struct task_struct that matter, and a method for each function. Nothing of `gdbstub` is used,
numbers included. Where the task would sleep, a generator yields. `reference_events` has the events,
`reference_machine` what all tasks share.

Each place that differs from the kernel on purpose names the difference as the core's documentation does.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from typing import Any

from reference_machine import Machine
from reference_terms import (
    DETACHED_OPS,
    JOB_STOPPED,
    RUNNING,
    STEPS,
    TRACED,
    Act,
    Attach,
    CallbackFailed,
    Departure,
    Engine,
    Ev,
    Flow,
    Follow,
    Ops,
    Report,
    Sig,
    SigInfo,
    Sleep,
)


class Utrace:
    """struct utrace, with what matters of its struct task_struct: the calls and the passes."""

    def __init__(self, tid: int, tgid: int, machine: Machine) -> None:
        self.tid = tid
        self.tgid = tgid
        self.machine = machine
        machine.tasks[tid] = self
        self.attached: list[Engine] = []
        self.attaching: list[Engine] = []
        self.pending_attach = False
        self.resume = Act.RESUME
        self.reporting: Engine | None = None
        self.signal_handler = False
        self.vfork_stop = False
        self.death = False
        self.reap = False
        self.raised: list[tuple[int, object]] = []

        self.state = RUNNING
        self.code: Flow | None = None
        self.group_stop = False
        self.fatal_signal_pending = False
        self.exit_state = False
        self.cpu_step = Act.RESUME
        """The processor's stepping mode."""
        self.sigaction: dict[int, str] = {}
        self.queue: list[SigInfo] = []
        self.pushed_back: list[int] = []

    @property
    def engines(self) -> list[Engine]:
        """Those that have not left, in attach order."""
        return [engine for engine in (*self.attached, *self.attaching) if engine.ops is not DETACHED_OPS]

    @property
    def utrace_flags(self) -> int:
        """[deviation: masks] Just what the engines want; the kernel narrows it only when it resets."""
        flags = 0
        for engine in self.engines:
            flags |= engine.flags | Ev.REAP
        return flags

    def engine_of(self, ops: Ops) -> Engine | None:
        """The pointer that a caller would have."""
        return next((engine for engine in self.engines if engine.ops is ops), None)

    # What engines ask for

    def utrace_attach_task(self, flags: int, ops: Ops) -> Ops | int:
        matches = [
            engine.original_ops
            for engine in self.engines
            if not flags & Attach.MATCH_OPS or engine.original_ops.own_report_signal == ops.own_report_signal
        ]
        if not flags & Attach.CREATE:
            return matches[0] if matches else -errno.ENOENT
        if flags & Attach.EXCLUSIVE and matches:
            return -errno.EEXIST
        if self.engine_of(ops):
            return -errno.EEXIST  # [deviation: identity] An engine object is on a task once.
        if self.reap:
            return -errno.ESRCH
        self.add_engine(ops)
        return ops

    def add_engine(self, ops: Ops) -> Engine:
        engine = self.machine.new_engine(ops)
        self.attaching.append(engine)
        self.pending_attach = True
        return engine

    def join(self, ops: Ops, follow: int, events: int) -> None:
        """[deviation: following] Attached as a process's engines are: with a mask, following, told of it."""
        engine = self.add_engine(ops)
        engine.follow, engine.flags = follow, events
        try:
            ops.call(self, "attached", ())
        except CallbackFailed:
            self.machine.engine_failed(self, ops)
            if self.reporting is None:
                self.utrace_reset()

    def engines_follow(self, child: Utrace) -> None:
        """[deviation: following] In the kernel an engine has to attach to each new task by itself."""
        kind = Follow.THREADS if child.tgid == self.tgid else Follow.CHILDREN
        for engine in self.engines:
            if engine.ops is not DETACHED_OPS and engine.follow & kind and not child.engine_of(engine.ops):
                child.join(engine.ops, engine.follow, engine.flags & ~Ev.ENGINE_STOP)
                self.machine.schedule()

    def utrace_set_events(self, engine: Engine | None, events: int) -> int:
        events &= ~Ev.ENGINE_STOP
        if engine is None:
            return -errno.ESRCH
        old = engine.flags & ~Ev.ENGINE_STOP
        if self.exit_state and (
            events & ~old & Ev.AT_DEATH
            or (self.death and old & ~events & Ev.AT_DEATH)
            or (self.reap and old & ~events & Ev.REAP)
        ):
            return -errno.EALREADY
        engine.flags = events | engine.flags & Ev.ENGINE_STOP
        return 0  # [deviation: serialized] Never EINPROGRESS: calls and callbacks are serialized.

    def utrace_control(self, engine: Engine | None, action: int) -> int:
        if not Act.STOP <= action <= Act.DETACH:
            return -errno.EINVAL
        if engine is None:
            return -errno.ESRCH
        reset = self.state is TRACED
        if self.exit_state:
            if action != Act.DETACH or self.reap:
                return -errno.ESRCH
            if self.death:
                return -errno.EALREADY
            reset = True
        # [deviation: dead first] The kernel looks at this before it looks whether the task is dead.
        if Act.REPORT <= action < Act.RESUME and not engine.flags & Ev.QUIESCE:
            return -errno.EINVAL
        if action == Act.STOP:
            engine.flags |= Ev.ENGINE_STOP
            return 0 if reset or self.utrace_do_stop() else -errno.EINPROGRESS
        steps = action in STEPS
        if steps and not self.machine.single_step:
            return -errno.EOPNOTSUPP
        engine.step_wanted = steps
        if action == Act.DETACH:
            engine.ops = DETACHED_OPS
            # [deviation: detach] Unlinked now, or at the end of the pass; the kernel arms a REPORT for it.
            # [deviation: serialized] Never EINPROGRESS: calls and callbacks are serialized.
            reset = reset or self.reporting is None
        else:
            if action == Act.BLOCKSTEP and not self.machine.block_step:
                action = Act.SINGLESTEP
            engine.flags &= ~Ev.ENGINE_STOP
            self.resume = min(self.resume, action)
            if action == Act.RESUME and reset and not any(each.step_wanted for each in self.engines):
                # [deviation: steps] The kernel ends steps of other engines, too, and with DETACH.
                self.cpu_step = Act.RESUME
        if reset:
            self.utrace_reset()
        return 0

    def raise_event(self, event: int, payload: object) -> int:
        """[deviation: extension events] To be reported before the task is in user mode."""
        if event not in self.machine.registered:
            return -errno.EINVAL
        if self.exit_state:
            return -errno.ESRCH
        if self.utrace_flags & event:
            self.raised.append((event, payload))
        return 0

    def utrace_do_stop(self) -> bool:
        if self.state is JOB_STOPPED:
            self.state = TRACED
            self.code = self.job_control_stop()
            next(self.code)
            return True
        self.resume = min(self.resume, Act.REPORT)
        return False

    def utrace_reset(self) -> bool:
        self.splice_attaching()
        gone = [engine for engine in self.attached if engine.ops is DETACHED_OPS]
        self.attached = self.engines
        if not self.attached:
            self.resume = Act.RESUME
            self.signal_handler = False
            self.raised = []
        # [deviation: steps] The kernel ends a step here if nothing is pending; see utrace_control.
        if self.state is TRACED and not self.utrace_flags & Ev.ENGINE_STOP:
            # [deviation: serialized] It wakes after the current callbacks, if it is not held again till then.
            self.machine.run_queue.append(self)
        for engine in gone:
            engine.original_ops.call(self, "release", ())
        return not self.attached

    def utrace_stop(self, action: int) -> Sleep:
        self.resume = min(self.resume, action)
        if not self.utrace_flags & Ev.ENGINE_STOP:
            self.utrace_reset()
        elif not self.fatal_signal_pending:
            self.state = TRACED
            yield

    # A reporting pass

    def splice_attaching(self) -> None:
        self.attached += self.attaching
        self.attaching = []
        self.pending_attach = False

    def start_report(self) -> int:
        resume = self.resume
        if self.pending_attach or Act.INTERRUPT < resume < Act.RESUME:
            self.splice_attaching()
            if resume > Act.INTERRUPT:
                self.resume = Act.RESUME
        return resume

    def call(self, engine: Engine, operations: int, method: str, *arguments: Any) -> int | None:
        """Run a callback that can answer operations up to the given one."""
        self.reporting = engine
        ops = engine.ops
        try:
            answer = ops.call(self, method, arguments)
            if answer is not None and (answer & Act.MASK > Act.DETACH or answer & Sig.MASK > operations):
                raise CallbackFailed  # [deviation: operations] In the kernel it means nothing.
        except CallbackFailed:
            self.machine.engine_failed(self, ops)
            return Act.DETACH  # [deviation: failure] One that raises answers DETACH.
        finally:
            self.reporting = None
        return answer

    def start_callback(self, report: Report, engine: Engine, event: int) -> bool:
        if engine.ops is DETACHED_OPS:
            report.detaches = True
            return False
        if engine.flags & Ev.QUIESCE:
            answer = self.call(engine, 0, "report_quiesce", report.action, event)
            # [deviation: operations] The kernel lets this answer wipe out the operation.
            if self.finish_callback(report, engine, answer):
                return False
        if engine.flags & Ev.ENGINE_STOP:
            report.action = Act.STOP
        if engine.flags & event:
            report.spurious = False
            return True
        return False

    def finish_callback(
        self, report: Report, engine: Engine, answer: int | None, operations: int = 0
    ) -> bool:
        """Take an answer into account, of its other bits only `operations`; True if the engine leaves."""
        if answer is None:
            answer = Act.RESUME  # [deviation: none] None: go on, and the operation stands.
        elif operations:
            # [deviation: operations] The kernel takes all bits, from every callback.
            report.result = answer & operations
        action = answer & Act.MASK
        if action == Act.DETACH:
            engine.ops = DETACHED_OPS
        if engine.ops is DETACHED_OPS:
            report.detaches = True
            return True
        report.action = min(report.action, action)
        if action in STEPS:
            engine.step_wanted = True
        if action == Act.STOP:
            engine.flags |= Ev.ENGINE_STOP
        else:
            report.resume_action = min(report.resume_action, action)
            engine.flags &= ~Ev.ENGINE_STOP
        return False

    def finish_report_reset(self, report: Report) -> None:
        # [deviation: detach] One that was detached after its turn leaves now; the kernel owes it a REPORT.
        everybody = (*self.attached, *self.attaching)
        detaches = report.detaches or any(engine.ops is DETACHED_OPS for engine in everybody)
        if (report.spurious or detaches) and self.utrace_reset():
            report.action = Act.RESUME

    def finish_report(self, report: Report, will_not_stop: bool) -> None:
        resume = report.action
        if resume == Act.STOP:
            resume = Act.REPORT if will_not_stop else Act.RESUME
        self.resume = min(self.resume, resume)
        self.finish_report_reset(report)

    def report_callbacks(
        self, report: Report, engines: Iterable[Engine], event: int, method: str, *arguments: Any
    ) -> None:
        for engine in list(engines):
            if self.start_callback(report, engine, event):
                answer = self.call(engine, 0, method, report.action, *arguments)
                self.finish_callback(report, engine, answer)

    def report(self, event: int, method: str, *arguments: Any, will_not_stop: bool = True) -> Report:
        """REPORT(), for events that somebody wants."""
        report = Report()
        if self.utrace_flags & event:
            self.start_report()
            self.report_callbacks(report, self.attached, event, method, *arguments)
            self.finish_report(report, will_not_stop)
        return report

    # Job control

    def job_stop(self, stopped: bool) -> None:
        """Job control stops or continues the task; one that is held stays so."""
        self.group_stop = stopped
        if self.state is not TRACED:
            self.state = JOB_STOPPED if stopped else RUNNING

    def job_control_stop(self) -> Flow:
        yield
        return self.inside_kernel()

    def inside_kernel(self, abort: bool = False) -> Departure:
        return Departure(step=self.cpu_step, abort=abort, report=self.owes_report())

    def owes_report(self) -> bool:
        return self.resume < Act.RESUME or bool(self.raised)

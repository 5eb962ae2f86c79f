"""The kernel's report machine once more, transcribed by itself, for comparing the core with.

It is written the way the description of the kernel's utrace reads: one `Task` has the fields of struct
utrace and of struct task_struct that matter, and a method for each function. Nothing of `gdbstub` is used,
numbers included. Where the task would sleep, a generator yields.

Each place that differs from the kernel on purpose says so with "[deviation]"; "[deviation, unlisted]" is
one that the core's own documentation does not name. `Machine.note` marks places where the core is known not
to do this.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Generator, Iterable
from typing import Any

from reference_terms import (
    CLONE_VFORK,
    DEAD,
    DEFAULT,
    DETACHED_OPS,
    HANDLED,
    IGNORED,
    JOB_STOPPED,
    KERNEL_COREDUMP,
    KERNEL_IGNORE,
    KERNEL_STOP,
    REPRESENTATIVE,
    RUNNING,
    SIGSTOP,
    SIGTRAP,
    TRACED,
    Act,
    Attach,
    CallbackFailed,
    Departure,
    Engine,
    Ev,
    Flow,
    Ops,
    Report,
    Sig,
    SigInfo,
    Sleep,
    Sys,
)


class Machine:
    """All tasks, and what the processor can do."""

    def __init__(
        self,
        departed: Callable[[Task, Departure], None],
        failed: Callable[[Task, Ops], None],
        single_step: bool = True,
        block_step: bool = True,
    ) -> None:
        self.departed = departed
        self.failed = failed
        self.single_step = single_step
        self.block_step = block_step
        self.tasks: dict[int, Task] = {}
        self.run_queue: list[Task] = []
        self.notes: set[str] = set()

    def new_task(self, tid: int) -> Task:
        self.tasks[tid] = Task(tid, self)
        return self.tasks[tid]

    def note(self, place: str) -> None:
        """A place was passed where core and kernel are known to differ."""
        self.notes.add(place)

    def happen(self, task: Task, code: Flow) -> None:
        """A task that was running comes to a point that is reported."""
        task.code = code
        self.run_queue.append(task)
        self.schedule()

    def schedule(self) -> None:
        """Let each task that is awake run until it sleeps or leaves the kernel."""
        while self.run_queue:
            task = self.run_queue.pop(0)
            if task.code is None or task.state is not RUNNING:
                continue
            try:
                next(task.code)
            except StopIteration as end:
                task.code = None
                task.state = JOB_STOPPED if task.group_stop else RUNNING
                self.departed(task, end.value)

    def engine_failed(self, failing: Task, ops: Ops) -> None:
        """[deviation] An engine whose callback raises is detached from everything."""
        for task in list(self.tasks.values()):
            engine = task.engine_of(ops)
            if task is not failing and engine is not None:
                task.utrace_control(engine, Act.DETACH)
        self.failed(failing, ops)


class Task:
    """struct task_struct and its struct utrace."""

    def __init__(self, tid: int, machine: Machine) -> None:
        self.tid = tid
        self.machine = machine
        self.attached: list[Engine] = []
        self.attaching: list[Engine] = []
        self.pending_attach = False
        self.resume = Act.RESUME
        self.reporting: Engine | None = None
        self.signal_handler = False
        self.vfork_stop = False
        self.death = False
        self.reap = False

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
        """[deviation, unlisted] Always just what the engines want; the kernel narrows it at the next reset."""
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
            return -errno.EEXIST  # [deviation] An engine object is on a task once.
        if self.reap:
            return -errno.ESRCH
        self.attaching.append(Engine(ops))
        self.pending_attach = True
        return ops

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
        return 0  # [deviation] Never EINPROGRESS: calls and callbacks are serialized.

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
        # [deviation, unlisted] The kernel looks at this before it looks whether the task is dead.
        if Act.REPORT <= action < Act.RESUME and not engine.flags & Ev.QUIESCE:
            return -errno.EINVAL
        if action == Act.STOP:
            engine.flags |= Ev.ENGINE_STOP
            return 0 if reset or self.utrace_do_stop() else -errno.EINPROGRESS
        if action == Act.DETACH:
            engine.ops = DETACHED_OPS
            # [deviation, unlisted] Unlinked now, or at the end of the pass; the kernel arms a REPORT for it.
            # [deviation] Never EINPROGRESS: calls and callbacks are serialized.
            reset = reset or self.reporting is None
        elif action in (Act.SINGLESTEP, Act.BLOCKSTEP) and not self.machine.single_step:
            return -errno.EOPNOTSUPP
        else:
            if action == Act.BLOCKSTEP and not self.machine.block_step:
                action = Act.SINGLESTEP
            engine.flags &= ~Ev.ENGINE_STOP
            self.resume = min(self.resume, action)
        stepping = self.state is TRACED and self.cpu_step != Act.RESUME
        if reset:
            self.utrace_reset()
        if stepping and (self.cpu_step == Act.RESUME) != (action == Act.RESUME):
            self.machine.note("held in the middle of a step")
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
            if self.resume != Act.RESUME or self.signal_handler:
                self.machine.note("nobody is left")
            self.resume = Act.RESUME
            self.signal_handler = False
        if self.state is TRACED and not self.utrace_flags & Ev.ENGINE_STOP:
            if self.resume == Act.RESUME:
                self.cpu_step = Act.RESUME
            self.state = RUNNING
            self.machine.run_queue.append(self)
        for engine in gone:
            engine.original_ops.call(self, "release", ())
        return not self.attached

    def utrace_stop(self, action: int) -> Sleep:
        self.resume = min(self.resume, action)
        if not self.utrace_flags & Ev.ENGINE_STOP:
            self.machine.note("the hold has gone")
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

    def call(self, engine: Engine, method: str, *arguments: Any) -> int | None:
        self.reporting = engine
        ops = engine.ops
        assert ops is not None
        try:
            return ops.call(self, method, arguments)
        except CallbackFailed:
            self.machine.engine_failed(self, ops)
            return Act.DETACH  # [deviation] One that raises answers DETACH.
        finally:
            self.reporting = None

    def start_callback(self, report: Report, engine: Engine, event: int) -> bool:
        if engine.ops is DETACHED_OPS:
            report.detaches = True
            return False
        if engine.flags & Ev.QUIESCE:
            result = report.result
            answer = self.call(engine, "report_quiesce", report.action, event)
            detached = self.finish_callback(report, engine, answer)
            report.result = result  # [deviation] The kernel lets this answer wipe out the operation.
            if detached:
                return False
        if engine.flags & Ev.ENGINE_STOP:
            report.action = Act.STOP
        if engine.flags & event:
            report.spurious = False
            return True
        return False

    def finish_callback(self, report: Report, engine: Engine, answer: int | None) -> bool:
        if answer is None:
            answer = report.result | Act.RESUME  # [deviation] None: go on, and the operation stands.
        report.result = answer & ~Act.MASK
        action = answer & Act.MASK
        if action == Act.DETACH:
            engine.ops = DETACHED_OPS
        if engine.ops is DETACHED_OPS:
            report.detaches = True
            return True
        report.action = min(report.action, action)
        if action == Act.STOP:
            engine.flags |= Ev.ENGINE_STOP
        else:
            report.resume_action = min(report.resume_action, action)
            engine.flags &= ~Ev.ENGINE_STOP
        return False

    def finish_report_reset(self, report: Report) -> None:
        if not report.detaches and any(engine.ops is DETACHED_OPS for engine in self.attached):
            self.machine.note("detached after its turn")
            report.detaches = True
        if (report.spurious or report.detaches) and self.utrace_reset():
            if report.action != Act.RESUME:
                self.machine.note("nobody is left")
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
                answer = self.call(engine, method, report.action, *arguments)
                self.finish_callback(report, engine, answer)

    def report(self, event: int, method: str, *arguments: Any, will_not_stop: bool = True) -> Report:
        """REPORT(), for events that somebody wants."""
        report = Report()
        if self.utrace_flags & event:
            self.start_report()
            self.report_callbacks(report, self.attached, event, method, *arguments)
            self.finish_report(report, will_not_stop)
        return report

    # Events inside the kernel

    def inside_kernel(self, abort: bool = False) -> Departure:
        return Departure(step=self.cpu_step, abort=abort, report=self.resume < Act.RESUME)

    def event(self, event: int, method: str, *arguments: Any) -> Flow:
        """EXEC, JCTL and VFORK_DONE: a hold waits for the return to user mode."""
        self.report(event, method, *arguments)
        yield from ()
        return self.inside_kernel()

    def syscall_entry(self) -> Flow:
        report = Report()
        flag = 0
        if not self.utrace_flags & Ev.SYSCALL_ENTRY:
            return self.inside_kernel()
        while True:
            self.start_report()
            for engine in reversed(self.attached):
                if self.start_callback(report, engine, Ev.SYSCALL_ENTRY):
                    answer = self.call(engine, "report_syscall_entry", flag | report.result | report.action)
                    self.finish_callback(report, engine, answer)
            self.finish_report(report, will_not_stop=False)
            if report.action != Act.STOP:
                break
            yield from self.utrace_stop(report.resume_action)
            if self.resume > Act.REPORT:
                break
            report.detaches, report.spurious = False, True
            report.action = report.resume_action = Act.RESUME
            flag = Sys.RESUMED
        return self.inside_kernel(abort=report.result & Sys.MASK == Sys.ABORT)

    def syscall_exit(self) -> Flow:
        self.report(Ev.SYSCALL_EXIT, "report_syscall_exit")
        return (yield from self.exit_to_user_mode())

    def clone(self, flags: int, child: Task) -> Flow:
        vfork = bool(flags & CLONE_VFORK)
        report = self.report(Ev.CLONE, "report_clone", flags, child.tid, will_not_stop=not vfork)
        self.vfork_stop = vfork and report.action == Act.STOP
        if self.vfork_stop:
            self.vfork_stop = False
            # [deviation, unlisted] The kernel forgets what engines asked for besides the hold.
            yield from self.utrace_stop(report.resume_action)
        return self.inside_kernel()

    def exit(self, code: int) -> Flow:
        report = self.report(Ev.EXIT, "report_exit", code, will_not_stop=self.fatal_signal_pending)
        if report.action == Act.STOP:
            yield from self.utrace_stop(report.resume_action)
        return self.inside_kernel()

    # The end

    def killed(self) -> None:
        """SIGKILL takes the task out of wherever it is held. [deviation] ptrace shows nothing in between."""
        self.state, self.code, self.fatal_signal_pending = RUNNING, None, True
        self.group_stop = False

    def report_death(self, group_dead: bool, signal: int) -> None:
        self.state, self.code, self.exit_state = DEAD, None, True
        if self.utrace_flags & Ev.AT_DEATH:
            self.death = True
            self.resume = Act.RESUME
            self.splice_attaching()
            report = Report()
            for engine in list(self.attached):
                if self.start_callback(report, engine, Ev.DEATH):
                    answer = self.call(engine, "report_death", group_dead, signal)
                    self.finish_callback(report, engine, answer)
            self.death = False
            self.utrace_reset()

    def release_task(self) -> None:
        """[deviation] Never during the death report: calls and callbacks are serialized."""
        self.reap = True
        engines = self.attached + self.attaching
        for engine in engines:
            if engine.flags & Ev.REAP and engine.ops is not DETACHED_OPS:
                if engine in self.attaching:
                    self.machine.note("a zombie's new engine")
                self.call(engine, "report_reap")
        self.attached, self.attaching = [], []
        for engine in engines:
            engine.original_ops.call(self, "release", ())

    # Job control

    def job_stop(self, stopped: bool) -> None:
        """Job control stops or continues the task; one that is held stays so."""
        self.group_stop = stopped
        if self.state is not TRACED:
            self.state = JOB_STOPPED if stopped else RUNNING

    def job_control_stop(self) -> Flow:
        yield
        return self.inside_kernel()

    # The way back to user mode

    def exit_to_user_mode(self, signals: Iterable[SigInfo] = ()) -> Flow:
        """The loop in the return path of system calls and interrupts."""
        self.queue = list(signals)
        self.pushed_back = []
        info = SigInfo(0)
        while True:
            if self.queue or self.resume == Act.INTERRUPT:
                info, departure = yield from self.get_signal_to_deliver(info)
                if departure:
                    return departure
            elif self.resume < Act.RESUME or self.signal_handler:
                yield from self.utrace_resume()
            elif self.utrace_flags & Ev.ENGINE_STOP:
                # [deviation] The kernel overlooks a hold here if no engine has QUIESCE.
                yield from self.utrace_stop(Act.RESUME)
            else:
                return Departure(step=self.cpu_step)

    def utrace_resume(self) -> Sleep:
        report = Report()
        if self.signal_handler and self.resume < Act.RESUME:
            self.machine.note("a report where a handler begins")
        self.signal_handler = False
        report.action = self.start_report()
        if report.action == Act.RESUME:
            return
        if report.action != Act.REPORT:
            report.spurious = False
        else:
            # [deviation] The kernel does this only if an engine has QUIESCE, and overlooks a hold if none has.
            report.action = Act.RESUME
            for engine in list(self.attached):
                self.start_callback(report, engine, 0)
        yield from self.finish_resume_report(report)

    def finish_resume_report(self, report: Report) -> Sleep:
        self.finish_report_reset(report)
        if report.action == Act.STOP:
            yield from self.utrace_stop(report.resume_action)
        elif report.action == Act.INTERRUPT:
            self.resume = Act.INTERRUPT  # [deviation] The kernel lets this come to nothing.
        elif report.action in (Act.SINGLESTEP, Act.BLOCKSTEP):
            if self.machine.single_step:
                self.cpu_step = report.action if self.machine.block_step else Act.SINGLESTEP
        else:
            self.cpu_step = Act.RESUME

    def get_signal_to_deliver(self, info: SigInfo) -> Generator[None, None, tuple[SigInfo, Departure | None]]:
        while True:
            signal, info, handler = yield from self.utrace_get_signal(info)
            if self.pushed_back:
                # [deviation, unlisted] A signal goes back to the queue as the task leaves, which it does now.
                return info, self.departure(None, None)
            if signal == 0:
                if not self.queue:
                    return info, None
                if self.utrace_flags & Ev.ENGINE_STOP:
                    self.machine.note("a signal that nobody asks for passes a hold")
                info = self.queue.pop(0)
                signal, handler = info.number, self.sigaction.get(info.number, DEFAULT)
            if signal < 0 or handler == IGNORED or (handler == DEFAULT and signal in KERNEL_IGNORE):
                continue
            if handler == HANDLED:
                effect = "handler"
            elif signal in KERNEL_STOP:
                effect = "stop" if signal == SIGSTOP else "tstp"
            else:
                effect = "core" if signal in KERNEL_COREDUMP else "term"
            return info, self.departure(info.number, effect)

    def departure(self, signal: int | None, effect: str | None) -> Departure:
        """[deviation] What is left in the queue was taken off it by ptrace already, and no hold is overlooked."""
        requeue = (*self.pushed_back, *(info.number for info in self.queue))
        owes = self.resume < Act.RESUME or bool(self.utrace_flags & Ev.ENGINE_STOP)
        return Departure(self.cpu_step, signal, effect, report=owes, requeue=requeue)

    def classify(self, signal: int) -> tuple[int, int]:
        handler = self.sigaction.get(signal, DEFAULT)
        if handler == IGNORED:
            return Ev.SIGNAL_IGN, Sig.IGN
        if handler == HANDLED:
            return Ev.SIGNAL, Sig.DELIVER
        if signal in KERNEL_COREDUMP:
            return Ev.SIGNAL_CORE, Sig.CORE
        if signal in KERNEL_IGNORE:
            return Ev.SIGNAL_IGN, Sig.IGN
        if signal in KERNEL_STOP:
            return Ev.SIGNAL_STOP, Sig.STOP if signal == SIGSTOP else Sig.TSTP
        return Ev.SIGNAL_TERM, Sig.TERM

    def utrace_get_signal(self, info: SigInfo) -> Generator[None, None, tuple[int, SigInfo, str]]:
        """A signal to act on and how it is caught; -1: look again, 0: take the next one unasked."""
        report = Report()
        if self.resume < Act.RESUME or self.signal_handler:
            # [deviation, unlisted] In the kernel a pending attach, too, comes here, and ends a step.
            self.splice_attaching()
            report.result = Sig.HANDLER if self.signal_handler else Sig.REPORT
            self.signal_handler = False
            resume, self.resume = self.resume, Act.RESUME
            if resume > Act.REPORT:
                report.action = resume
                report.spurious = False
                yield from self.finish_resume_report(report)
                return -1, info, DEFAULT
            if not self.utrace_flags & Ev.QUIESCE:
                return -1, info, DEFAULT
            if info.taken:
                self.machine.note("a signal's info is left over")
            event = 0
            original = None
        elif not self.utrace_flags & Ev.SIGNAL_ALL or not self.queue:
            return 0, info, DEFAULT
        else:
            self.splice_attaching()
            info = self.queue.pop(0)
            original = self.sigaction.get(info.number, DEFAULT)
            event, report.result = self.classify(info.number)
        self.ask_about_signal(report, event, info, original)
        return (yield from self.act_on_signal(report, info))

    def ask_about_signal(self, report: Report, event: int, info: SigInfo, original: str | None) -> None:
        for engine in list(self.attached):
            if engine.ops is DETACHED_OPS:
                report.detaches = True
            elif engine.flags & (event | Ev.QUIESCE):
                if engine.original_ops.own_report_signal:
                    action = report.result | report.action
                    answer = self.call(engine, "report_signal", action, info, original)
                else:
                    answer = self.call(engine, "report_quiesce", report.action, event)
                    # [deviation] The kernel takes an operation from here, where it means nothing.
                    answer = report.result | (Act.RESUME if answer is None else answer & Act.MASK)
                if answer is not None and answer & Act.MASK in (Act.INTERRUPT, Act.REPORT):
                    answer = answer & ~Act.MASK | Act.RESUME
                self.finish_callback(report, engine, answer)
            if engine.ops is not DETACHED_OPS and engine.flags & Ev.ENGINE_STOP:
                report.action = Act.STOP  # [deviation] The kernel overlooks a hold here.

    def act_on_signal(self, report: Report, info: SigInfo) -> Generator[None, None, tuple[int, SigInfo, str]]:
        # [deviation, unlisted] The process's own disposition counts: ptrace knows no other.
        handler = self.sigaction.get(info.number, DEFAULT)
        operation = report.result & Sig.MASK
        deliver = operation == Sig.DELIVER and info.number
        if deliver and handler == HANDLED:
            if report.action != Act.RESUME:
                report.action = Act.INTERRUPT
        elif operation in REPRESENTATIVE or (
            deliver and handler == DEFAULT and info.number not in KERNEL_IGNORE
        ):
            handler = DEFAULT
        else:
            if operation == Sig.DELIVER:
                self.machine.note("delivers nothing")
            yield from self.finish_resume_report(report)
            self.push_back_signal(report, info)
            return -1, info, DEFAULT
        self.finish_report(report, will_not_stop=True)
        if handler == DEFAULT and self.resume in (Act.SINGLESTEP, Act.BLOCKSTEP):
            # [deviation, unlisted] A step is not kept for after a stop signal, but begun with it.
            self.cpu_step, self.resume = self.resume, Act.RESUME
        if report.result & Sig.HOLD:
            self.machine.note("acts on a signal and holds it")
        if info.number & 0x80 and handler == DEFAULT:
            self.machine.note("bogus signal")
            info.number = SIGTRAP
        self.push_back_signal(report, info)
        return REPRESENTATIVE.get(operation, info.number), info, handler

    def push_back_signal(self, report: Report, info: SigInfo) -> None:
        if report.result & Sig.HOLD and info.number:
            self.pushed_back.append(info.number)

    def utrace_signal_handler(self) -> Flow:
        """A handler has been set up; then the way back to user mode."""
        self.signal_handler = True
        if self.resume > Act.INTERRUPT and self.cpu_step != Act.RESUME:
            self.resume = Act.INTERRUPT
        return (yield from self.exit_to_user_mode())

    def extension(self, events: Iterable[tuple[int, str, Any, list[Ops]]], signals: list[SigInfo]) -> Flow:
        """[deviation] Extension events: for the engines named, at a point where the task can be held."""
        self.splice_attaching()
        report = Report()
        for event, method, payload, named in events:
            told = [engine for engine in self.attached if engine.ops in named]
            self.report_callbacks(report, told, event, method, payload)
        yield from self.finish_resume_report(report)
        return (yield from self.exit_to_user_mode(signals))

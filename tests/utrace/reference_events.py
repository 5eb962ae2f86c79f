"""The events of `reference_model`: what a task does at each, and the way back to user mode."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

from reference_model import Utrace
from reference_terms import (
    CLONE_VFORK,
    DEAD,
    DEFAULT,
    DETACHED_OPS,
    HANDLED,
    IGNORED,
    KERNEL_COREDUMP,
    KERNEL_IGNORE,
    KERNEL_STOP,
    MOST_ROUNDS,
    REPRESENTATIVE,
    RUNNING,
    SIGSTOP,
    Act,
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


class Task(Utrace):
    """A task that goes through events. `Utrace` has what they are made of."""

    # Events inside the kernel

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
                    action = flag | report.result | report.action
                    answer = self.call(engine, Sys.ABORT, "report_syscall_entry", action)
                    self.finish_callback(report, engine, answer, Sys.MASK)
            self.finish_report(report, will_not_stop=False)
            if report.action != Act.STOP:
                break
            yield from self.utrace_stop(report.resume_action)
            if self.resume > Act.REPORT:
                break
            report.detaches, report.spurious = False, True
            report.action = report.resume_action = Act.RESUME
            flag = Sys.RESUMED
        return self.inside_kernel(abort=report.result == Sys.ABORT)

    def syscall_exit(self) -> Flow:
        self.report(Ev.SYSCALL_EXIT, "report_syscall_exit")
        return (yield from self.exit_to_user_mode())

    def clone(self, flags: int, child: Utrace) -> Flow:
        self.engines_follow(child)
        vfork = bool(flags & CLONE_VFORK)
        report = self.report(Ev.CLONE, "report_clone", flags, child.tid, will_not_stop=not vfork)
        self.vfork_stop = vfork and report.action == Act.STOP
        if self.vfork_stop:
            self.vfork_stop = False
            # [deviation] The kernel forgets what engines asked for besides the hold.
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
                    answer = self.call(engine, 0, "report_death", group_dead, signal)
                    self.finish_callback(report, engine, answer)
            self.death = False
            self.utrace_reset()
            if self.reap:
                self.report_reap()

    def release_task(self) -> None:
        """The task's parent has collected it, perhaps while its death is being reported."""
        self.reap = True
        if not self.death:
            self.report_reap()

    def report_reap(self) -> None:
        engines = self.attached + self.attaching
        for engine in engines:
            if engine.flags & Ev.REAP and engine.ops is not DETACHED_OPS:
                self.call(engine, 0, "report_reap")
        self.attached, self.attaching = [], []
        for engine in engines:
            engine.original_ops.call(self, "release", ())

    # The way back to user mode

    def exit_to_user_mode(self, signals: Iterable[SigInfo] = ()) -> Flow:
        """The loop in the return path of system calls and interrupts."""
        self.queue = list(signals)
        self.pushed_back = []
        for _ in range(MOST_ROUNDS):
            if self.queue or self.resume == Act.INTERRUPT:
                departure = yield from self.get_signal_to_deliver()
                if departure:
                    return departure
            elif self.resume < Act.RESUME or self.signal_handler:
                yield from self.utrace_resume()
            elif self.utrace_flags & Ev.ENGINE_STOP:
                # [deviation] The kernel overlooks a hold here if no engine has QUIESCE.
                yield from self.utrace_stop(Act.RESUME)
            else:
                return Departure(step=self.cpu_step)
        # [deviation] The kernel goes on for ever.
        self.resume = Act.RESUME
        if self.queue:
            return self.deliver(self.queue.pop(0))
        return Departure(step=self.cpu_step)

    def utrace_resume(self) -> Sleep:
        report = Report()
        self.signal_handler = False
        report.action = self.start_report()
        if report.action == Act.RESUME:
            return
        if report.action != Act.REPORT:
            report.spurious = False
        else:
            # [deviation] The kernel does this only if an engine has QUIESCE, else it overlooks a hold.
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
            self.end_step()

    def end_step(self) -> list[Engine]:
        """[deviation] The kernel does not know who asked for a step: these engines."""
        self.cpu_step = Act.RESUME
        wanting = [engine for engine in self.engines if engine.step_wanted]
        for engine in wanting:
            engine.step_wanted = False
        return wanting

    def get_signal_to_deliver(self) -> Generator[None, None, Departure | None]:
        signal, info, handler = yield from self.utrace_get_signal()
        if self.pushed_back and signal < 0:
            # [deviation] A signal goes back to the queue as the task leaves, which it does now.
            return self.departure(None, None)
        if signal == 0 and self.queue:
            if self.utrace_flags & Ev.ENGINE_STOP:
                # [deviation] The kernel overlooks a hold here if the signal is delivered; and the task leaves
                # even with a signal that is ignored.
                self.resume = min(self.resume, Act.REPORT)
            return self.deliver(self.queue.pop(0))
        if signal <= 0:
            return None
        return self.deliver(info, signal, handler)

    def deliver(self, info: SigInfo, signal: int = 0, handler: str = "") -> Departure:
        """Leave with a signal, which counts as `signal` so caught; else as the process has it."""
        signal = signal or info.number
        handler = handler or self.sigaction.get(signal, DEFAULT)
        if handler == HANDLED:
            effect = "handler"
        elif handler == IGNORED or signal in KERNEL_IGNORE:
            return self.departure(None, None)
        elif signal in KERNEL_STOP:
            effect = "stop" if signal == SIGSTOP else "tstp"
        else:
            effect = "core" if signal in KERNEL_COREDUMP else "term"
        return self.departure(info.number, effect)

    def departure(self, signal: int | None, effect: str | None) -> Departure:
        """[deviation] What is left in the queue was taken off it by ptrace; and no hold is overlooked."""
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

    def utrace_get_signal(self) -> Generator[None, None, tuple[int, SigInfo, str]]:
        """A signal to act on and how it is caught; -1: look again, 0: take the next one unasked."""
        report = Report()
        info = SigInfo(0)  # [deviation] In the kernel what the last report left in it.
        if self.resume < Act.RESUME or self.signal_handler:
            # [deviation] In the kernel a pending attach, too, comes here, and ends a step.
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
                    operations = Sig.MASK | Sig.HOLD
                    answer = self.call(engine, Sig.HANDLER, "report_signal", action, info, original)
                else:
                    # [deviation] The kernel takes an operation from here, where it means nothing.
                    operations = 0
                    answer = self.call(engine, 0, "report_quiesce", report.action, event)
                if answer is not None and answer & Act.MASK in (Act.INTERRUPT, Act.REPORT):
                    answer = answer & ~Act.MASK | Act.RESUME
                self.finish_callback(report, engine, answer, operations)
            if engine.ops is not DETACHED_OPS and engine.flags & Ev.ENGINE_STOP:
                report.action = Act.STOP  # [deviation] The kernel overlooks a hold here.

    def act_on_signal(self, report: Report, info: SigInfo) -> Generator[None, None, tuple[int, SigInfo, str]]:
        # [deviation] The process's own disposition counts: ptrace knows no other.
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
            yield from self.finish_resume_report(report)
            self.push_back_signal(report, info)
            return -1, info, DEFAULT
        self.finish_report(report, will_not_stop=True)
        if handler == DEFAULT and self.resume in (Act.SINGLESTEP, Act.BLOCKSTEP):
            # [deviation] A step is not kept for after a stop signal, but begun with it.
            self.cpu_step, self.resume = self.resume, Act.RESUME
        # [deviation] A number beyond 0x7f stays; the kernel makes a SIGTRAP of it.
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

    def trap(self, probed: Iterable[Ops], signals: Iterable[SigInfo]) -> Flow:
        """[deviation] Extension events: for some engines only, at a point where the task can be held.

        STEP is for those that asked for the step that is done now, PROBE for the ones given.
        """
        step = self.cpu_step if self.machine.block_step else Act.SINGLESTEP
        stepping = [engine.original_ops for engine in self.end_step()] if self.cpu_step != Act.RESUME else []
        self.splice_attaching()
        report = Report()
        for event, arguments, named in (
            (Ev.STEP, ("report_step", step), stepping),
            (Ev.PROBE, ("report_extension", Ev.PROBE, "payload"), list(probed)),
        ):
            told = [engine for engine in self.attached if engine.ops in named]
            self.report_callbacks(report, told, event, *arguments)
        yield from self.finish_resume_report(report)
        return (yield from self.exit_to_user_mode(signals))

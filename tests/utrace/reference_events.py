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
    REPRESENTATIVE,
    RUNNING,
    SIGSTOP,
    SIGTRAP,
    Act,
    Departure,
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
        if report.result & Sys.MASK not in (Sys.RUN, Sys.ABORT):
            self.machine.note("an operation that does not exist")
        return self.inside_kernel(abort=report.result & Sys.MASK == Sys.ABORT)

    def syscall_exit(self) -> Flow:
        self.report(Ev.SYSCALL_EXIT, "report_syscall_exit")
        return (yield from self.exit_to_user_mode())

    def clone(self, flags: int, child: Utrace) -> Flow:
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
            self.cpu_step = Act.RESUME

    def get_signal_to_deliver(self, info: SigInfo) -> Generator[None, None, tuple[SigInfo, Departure | None]]:
        signal, info, handler = yield from self.utrace_get_signal(info)
        if self.pushed_back and signal < 0:
            # [deviation, unlisted] A signal goes back to the queue as the task leaves, which it does now.
            return info, self.departure(None, None)
        if signal == 0 and self.queue:
            if self.utrace_flags & Ev.ENGINE_STOP:
                self.machine.note("a signal that nobody asks for passes a hold")
            info = self.queue.pop(0)
            signal, handler = info.number, self.sigaction.get(info.number, DEFAULT)
        if signal <= 0 or handler == IGNORED or (handler == DEFAULT and signal in KERNEL_IGNORE):
            # [deviation, unlisted] The kernel goes on here till no signal is left, so that what is reported
            # then comes to report_signal, too.
            return info, None
        if handler == HANDLED:
            effect = "handler"
        elif signal in KERNEL_STOP:
            effect = "stop" if signal == SIGSTOP else "tstp"
        else:
            effect = "core" if signal in KERNEL_COREDUMP else "term"
        return info, self.departure(info.number, effect)

    def departure(self, signal: int | None, effect: str | None) -> Departure:
        """[deviation] What is left in the queue was taken off it by ptrace; and no hold is overlooked."""
        requeue = (*self.pushed_back, *(info.number for info in self.queue))
        if len(requeue) > 1:
            self.machine.note("two signals go back")
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
        if operation > Sig.HANDLER:
            self.machine.note("an operation that does not exist")
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

    def extension(
        self, events: Iterable[tuple[int, str, tuple[Any, ...], list[Ops]]], signals: Iterable[SigInfo]
    ) -> Flow:
        """[deviation] Extension events: for the engines named, at a point where the task can be held."""
        self.splice_attaching()
        report = Report()
        for event, method, payload, named in events:
            told = [engine for engine in self.attached if engine.ops in named]
            self.report_callbacks(report, told, event, method, *payload)
        yield from self.finish_resume_report(report)
        return (yield from self.exit_to_user_mode(signals))

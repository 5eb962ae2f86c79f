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
    STEPS,
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
        """The child, which has not run yet, is followed before anybody is told of it."""
        self.engines_follow(child)
        return self.report_clone(flags, child)

    def report_clone(self, flags: int, child: Utrace) -> Flow:
        vfork = bool(flags & CLONE_VFORK)
        report = self.report(Ev.CLONE, "report_clone", flags, child.tid, will_not_stop=not vfork)
        self.vfork_stop = vfork and report.action == Act.STOP
        if self.vfork_stop:
            self.vfork_stop = False
            # [deviation: vfork hold] The kernel forgets what engines asked for besides the hold.
            yield from self.utrace_stop(report.resume_action)
        return self.inside_kernel()

    def exit(self, code: int) -> Flow:
        """[deviation: exit code] Engines of the kernel can change the code."""
        report = self.report(Ev.EXIT, "report_exit", code, will_not_stop=self.fatal_signal_pending)
        if report.action == Act.STOP:
            yield from self.utrace_stop(report.resume_action)
        return self.inside_kernel()

    # The end

    def killed(self) -> None:
        """SIGKILL takes the task out of wherever it is held.

        [deviation: sigkill] In the kernel it goes on from there, if only to its end.
        """
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
            if self.raised:
                yield from self.report_raised()
            elif self.queue or self.resume == Act.INTERRUPT:
                departure = yield from self.get_signal_to_deliver()
                if departure:
                    return departure
            elif self.resume < Act.RESUME or self.signal_handler:
                yield from self.utrace_resume()
            elif self.utrace_flags & Ev.ENGINE_STOP:
                # [deviation: holds] The kernel overlooks a hold here if no engine has QUIESCE.
                yield from self.utrace_stop(Act.RESUME)
            else:
                return Departure(step=self.cpu_step)
        # [deviation: rounds] The kernel goes on for ever.
        self.resume = Act.RESUME
        self.raised = []
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
            # [deviation: holds] The kernel does this only if an engine has QUIESCE, else it overlooks a hold.
            report.action = Act.RESUME
            for engine in list(self.attached):
                self.start_callback(report, engine, 0)
        yield from self.finish_resume_report(report)

    def finish_resume_report(self, report: Report) -> Sleep:
        self.finish_report_reset(report)
        if report.action == Act.STOP:
            yield from self.utrace_stop(report.resume_action)
        elif report.action == Act.INTERRUPT:
            self.resume = Act.INTERRUPT  # [deviation: interrupt] The kernel lets this come to nothing.
        elif report.action in STEPS:
            if self.machine.single_step:
                self.cpu_step = report.action if self.machine.block_step else Act.SINGLESTEP
        else:
            self.cpu_step = Act.RESUME
            if self.resume not in STEPS:
                self.forget_steps(self.engines)

    def forget_steps(self, engines: Iterable[Engine]) -> None:
        """[deviation: steps] The kernel does not know who asked for a step."""
        for engine in engines:
            engine.step_wanted = False

    def report_extensions(self, found: list[tuple[int, tuple[Any, ...], list[Engine]]]) -> Sleep:
        """Extension events, each with its callback and the engines that are told of it.

        [deviation: steps] A step that was not finished goes on for the engines that are not asked; the kernel
        would end it for all.
        """
        report = Report()
        others: list[Engine] = []
        if self.cpu_step != Act.RESUME and self.resume not in STEPS:
            for event, _, engines in found:
                if self.machine.is_event(event):
                    self.forget_steps(engine for engine in engines if engine.flags & event)
            others = [engine for engine in self.engines if engine.step_wanted]
        for event, arguments, engines in found:
            if self.machine.is_event(event):
                told = [engine for engine in self.attached if engine in engines]
                self.report_callbacks(report, told, event, *arguments)
        if any(engine.step_wanted and engine.ops is not DETACHED_OPS for engine in others):
            report.action = min(report.action, self.cpu_step)
            report.resume_action = min(report.resume_action, self.cpu_step)
        yield from self.finish_resume_report(report)

    def report_raised(self) -> Sleep:
        """Events that were raised, for everybody; one that was unregistered meanwhile is forgotten."""
        raised, self.raised = self.raised, []
        self.splice_attaching()
        yield from self.report_extensions(
            [(event, ("report_extension", event, payload), list(self.attached)) for event, payload in raised]
        )

    def get_signal_to_deliver(self) -> Generator[None, None, Departure | None]:
        signal, info, handler = yield from self.utrace_get_signal()
        if self.pushed_back and signal < 0:
            # [deviation: held-back signals] They go back to the queue as the task leaves, which it does now.
            return self.departure(None, None)
        if signal == 0 and self.queue:
            if self.utrace_flags & Ev.ENGINE_STOP:
                # [deviation: holds] The kernel overlooks a hold here if the signal is delivered.
                self.resume = min(self.resume, Act.REPORT)
            return self.deliver(self.queue.pop(0))
        if signal <= 0:
            # [deviation: reports after signals] The kernel stays here till no signal is left, so that what is
            # owed then comes to report_signal, too.
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
        """Leave with what engines decided.

        [deviation: held-back signals] What is left in the queue goes back: ptrace has taken it off.
        [deviation: holds] The kernel overlooks a hold here.
        """
        requeue = (*self.pushed_back, *(info.number for info in self.queue))
        owes = self.owes_report() or bool(self.utrace_flags & Ev.ENGINE_STOP)
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
        info = SigInfo(0)  # [deviation: blank siginfo] In the kernel what the last report left in it.
        if self.resume < Act.RESUME or self.signal_handler:
            # [deviation: pending attach] In the kernel a pending attach, too, comes here, and ends a step.
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
                    # [deviation: operations] The kernel takes an operation from here, where it means nothing.
                    operations = 0
                    answer = self.call(engine, 0, "report_quiesce", report.action, event)
                if answer is not None and answer & Act.MASK in (Act.INTERRUPT, Act.REPORT):
                    answer = answer & ~Act.MASK | Act.RESUME
                self.finish_callback(report, engine, answer, operations)
            if engine.ops is not DETACHED_OPS and engine.flags & Ev.ENGINE_STOP:
                report.action = Act.STOP  # [deviation: holds] The kernel overlooks a hold here.

    def act_on_signal(self, report: Report, info: SigInfo) -> Generator[None, None, tuple[int, SigInfo, str]]:
        # [deviation: disposition] The process's own disposition counts: ptrace knows no other.
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
        if handler == DEFAULT and self.resume in STEPS:
            # [deviation: stop and step] A step is not kept for after a stop signal, but begun with it.
            self.cpu_step, self.resume = self.resume, Act.RESUME
        # [deviation: bogus signals] A number beyond 0x7f stays; the kernel makes a SIGTRAP of it.
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

    def trap(self, probed: Iterable[Ops], signals: Iterable[SigInfo], step_done: bool) -> Flow:
        """[deviation: extension events] What engines had the processor trap for: told to those only.

        STEP is for those that asked for the step that is done, PROBE for the ones given.
        """
        found: list[tuple[int, tuple[Any, ...], list[Engine]]] = []
        if step_done and self.cpu_step != Act.RESUME:
            step = self.cpu_step if self.machine.block_step else Act.SINGLESTEP
            self.cpu_step = Act.RESUME
            stepping = [engine for engine in self.engines if engine.step_wanted]
            self.forget_steps(stepping)
            found.append((Ev.STEP, ("report_step", step), stepping))
        engines = [engine for engine in self.engines if engine.ops in probed]
        found.append((Ev.PROBE, ("report_extension", Ev.PROBE, "payload"), engines))
        self.splice_attaching()
        yield from self.report_extensions(found)
        return (yield from self.exit_to_user_mode(signals))

"""The report machine: what happens to a task at each point, and what engines can do to it meanwhile.

The kernel's utrace runs a task's reports in the task itself, which sleeps where an engine holds it. Here a
back end brings the task to a stop and calls a `report_*` hook; the hook starts a *flow* (see `flows`), a
generator that reads like the kernel's code and yields where the task would sleep. When the last hold goes,
the flow goes on; when it ends, its `Departure` tells the back end how the task leaves.

Differences from the kernel, all on purpose, by names that the reference model of the tests uses too:

* identity: one engine object is on a task once; attaching it again is refused with EEXIST.
* following: engines can be attached to new tasks by themselves (`Follow`), before anybody hears of the task.
* masks: they narrow at once, not at the next reset.
* serialized: callbacks run one at a time and nothing beside them, so `set_events` and DETACH never answer
  EINPROGRESS and `barrier` never waits. Tasks that a callback wakes go on after it.
* detach: an engine that leaves is unlinked at once, or at the end of the pass that runs.
* dead first: `control` of a dead task answers ESRCH even where a live one would answer EINVAL.
* failure: an engine that raises from a callback is detached from all its tasks.
* operations: a signal or system call action counts only from report_signal and report_syscall_entry, so what
  earlier engines chose outlives an answer to report_quiesce; one that is undefined fails its engine.
* none: None as an answer means RESUME and leaves the action to the others.
* holds: no task returns to user mode while any engine holds it. (The kernel overlooks holds at a signal's
  delivery, and those of engines without QUIESCE if no other engine has QUIESCE.)
* vfork hold: it keeps what other engines asked for.
* exit code: it cannot be changed.
* sigkill: a killed task does not go on from where it was held, but comes up again at its end.
* interrupt: INTERRUPT as an answer to report_quiesce makes a report to report_signal, as the header promises.
* pending attach: alone it neither enters the signal path nor ends a step.
* reports after signals: a REPORT owed when the signals are done comes as report_quiesce(0).
* blank siginfo: each report without a signal starts with one.
* disposition: the process's own stands in for return_ka, ptrace having no other.
* held-back signals: the task leaves at once for them to go back to the queue, all that are in hand.
* bogus signals: a number beyond 0x7f stays as it is.
* steps: a step belongs to the engines that asked for it. It goes on, and is reported to them, when another
  engine is asked about a breakpoint or an extension event, or lets its own hold go.
* stop and step: a step asked for at a stopping or deadly signal is begun with the departure.
* extension events: breakpoints, watchpoints and finished steps are reported to those whose they are; what
  is registered at run time and raised (`control.raise_event`), to all that want it, before anything else is
  reported on the way to user mode.
* rounds: a task leaves after 1000 reports at one stop, whatever else is asked for.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator, Sequence

from gdbstub.linux.siginfo import SigInfo
from gdbstub.utrace import flows
from gdbstub.utrace.actions import Follow, Resume
from gdbstub.utrace.backend import Backend
from gdbstub.utrace.engine import Attachment, Engine
from gdbstub.utrace.events import Event, ExtensionEvents, Jctl
from gdbstub.utrace.report import Report
from gdbstub.utrace.syscall import SyscallEntry, SyscallExit
from gdbstub.utrace.task import Flow, Program, Task

_RESUME, _REPORT, _INTERRUPT = int(Resume.RESUME), int(Resume.REPORT), int(Resume.INTERRUPT)
_STEPS = (int(Resume.SINGLESTEP), int(Resume.BLOCKSTEP))
_CLONE_VFORK = 0x4000


class Utrace:
    """All tasks' report machines over one back end."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.extensions = ExtensionEvents()
        self._attachments: dict[Engine, dict[Attachment, None]] = {}
        """Of each engine, in the order in which they came."""
        self._busy = False
        """A flow is running: what wakes other tasks has to wait for it."""
        self._to_wake: deque[Task] = deque()

    # The hooks: the back end calls each when a task stands at that point (kernel: linux/tracehook.h).

    def report_syscall_entry(self, task: Task, call: SyscallEntry) -> None:
        """A system call has not been made yet."""
        if task.mask & Event.SYSCALL_ENTRY:
            self._run(task, flows.syscall_entry(self, task, (call,)))
        else:
            self.backend.depart(task, flows.inside_kernel(task))

    def report_syscall_exit(self, task: Task, call: SyscallExit) -> None:
        """A system call has returned."""
        if task.mask & Event.SYSCALL_EXIT:
            self._run(task, flows.syscall_exit(self, task, (call,)))
        else:
            self._run(task, flows.user_return(self, task))

    def report_clone(self, task: Task, flags: int, child: Task) -> None:
        """The task has made another, which does not run before this returns."""
        self._follow(task, child)
        self._event(task, Event.CLONE, (flags, child), stops_here=bool(flags & _CLONE_VFORK))

    def report_vfork_done(self, task: Task) -> None:
        """The wait for a vfork child is over."""
        self._event(task, Event.VFORK_DONE, ())

    def report_exec(self, task: Task, program: Program) -> None:
        """The task runs a new program."""
        self._event(task, Event.EXEC, (program,))

    def report_exit(self, task: Task, code: int, killed: bool) -> None:
        """The task is about to end with wait status `code`; a task that was `killed` cannot be held."""
        self._event(task, Event.EXIT, (code,), stops_here=not killed)

    def notify_jctl(self, task: Task, kind: Jctl, notify: int) -> None:
        """Job control has stopped or continued the task."""
        self._event(task, Event.JCTL, (kind, notify))

    def get_signal(self, task: Task, info: SigInfo) -> None:
        """A signal was taken off the queue."""
        self._run(task, flows.user_return(self, task, info))

    def signal_handler(self, task: Task) -> None:
        """A signal handler has been set up; the task is at its first instruction."""
        task.signal_handler = True
        if task.step != _RESUME:
            self.owe(task, _INTERRUPT)
        self._run(task, flows.user_return(self, task))

    def notify_resume(self, task: Task) -> None:
        """The task is about to return to user mode."""
        self._run(task, flows.user_return(self, task))

    def report_traps(self, task: Task, found: Sequence[flows.Trap], signal: SigInfo | None = None) -> None:
        """Extension events have happened, for the attachments named with each; then a signal in hand."""
        self._run(task, flows.traps(self, task, found, signal))

    def job_stop(self, task: Task) -> None:
        """A task that job control has stopped is held."""
        self._run(task, flows.job_stop(self, task))

    def report_death(self, task: Task, group_dead: bool, signal: int) -> None:
        """The task has ended."""
        self._discard(task)
        if task.stop is not None:
            task.stop.alive = False
        task.stop = None
        task.dead = True
        with self._undisturbed():
            task.reporting_death = True
            self.splice(task)
            report = self.report(task)
            for attachment in task.attached:
                if report.quiesce(attachment, Event.DEATH) and attachment.mask & Event.DEATH:
                    callback = attachment.engine.report_death
                    report.apply(attachment, report.ask(attachment, 0, callback, task, group_dead, signal))
            task.reporting_death = False
            self.reset(task)
            if task.reaping:
                self._report_reap(task)

    def release_task(self, task: Task) -> None:
        """The task's status has been collected: nothing of it is left, and every engine is detached.

        While its death is being reported, that is done first.
        """
        task.reaping = True
        if not task.reporting_death:
            with self._undisturbed():
                self._report_reap(task)

    def _report_reap(self, task: Task) -> None:
        self.splice(task)
        report = self.report(task)
        for attachment in task.attached:
            if attachment.mask & Event.REAP and not attachment.detached:
                report.ask(attachment, 0, attachment.engine.report_reap, task)
        for attachment in task.attachments:
            attachment.detached = True
        self.reset(task)

    # What the flows are made of.

    @property
    def busy(self) -> bool:
        """A callback is running: no task leaves a stop before it has returned."""
        return self._busy

    def report(self, task: Task, result: int = 0) -> Report:
        """A new pass over a task's engines."""
        return Report(task, self.engine_failed, result)

    def engine_failed(self, task: Task, engine: Engine, error: Exception) -> None:
        """Detach an engine that raised from everything, and say so."""
        for attachment in list(self._attachments.get(engine, ())):
            attachment.detached = True
            attachment.hold = False
            if attachment.task is not task:
                self.detached(attachment.task)
        self.backend.engine_failed(task, engine, error)

    def start_report(self, task: Task) -> int:
        """Let new engines join, and take what is owed: an INTERRUPT is left for the signal path."""
        asked = task.pending
        if _INTERRUPT < asked < _RESUME:
            task.pending = _RESUME
        self.splice(task)
        return asked

    def finish_report(self, task: Task, report: Report, stops_here: bool) -> None:
        """Owe what the pass came to; a hold that does not take effect here is owed as a report."""
        action = report.action
        if action == Resume.STOP:
            action = _RESUME if stops_here else _REPORT
        self.owe(task, action)
        self.reset_after(task, report)

    def owe(self, task: Task, action: int) -> None:
        """Have at least this done before the task runs in user mode."""
        task.pending = min(task.pending, action)

    def reset_after(self, task: Task, report: Report) -> None:
        """Unlink engines that left during a pass."""
        if report.detaches or task.left_meanwhile or not report.wanted:
            self.reset(task)
            if not task.attachments:
                report.action = _RESUME

    def splice(self, task: Task) -> None:
        """Engines attached since the last pass join at the end."""
        if task.attaching:
            task.attached += task.attaching
            task.attaching = []

    def reset(self, task: Task) -> None:
        """Drop detached engines and narrow the mask to what is left."""
        gone = [attachment for attachment in task.attachments if attachment.detached]
        before = task.mask
        task.left_meanwhile = False
        if gone:
            task.attached = [attachment for attachment in task.attached if not attachment.detached]
            task.attaching = [attachment for attachment in task.attaching if not attachment.detached]
        task.narrow()
        if not task.attachments:
            task.pending = _RESUME
            task.raised.clear()
        if task.mask != before and not task.dead:
            self.backend.interests_changed(task)
        if gone:
            with self._undisturbed():
                for attachment in gone:
                    self._released(attachment)

    def detached(self, task: Task) -> None:
        """An attachment was marked detached: unlink it, now or after the callback that runs, and wake the
        task.
        """
        if task.reporting is None:
            self.reset(task)
            self.wake(task)
        else:
            task.left_meanwhile = True

    def stop_stepping(self, task: Task) -> None:
        """Nobody wants the task to step any more, unless a step has been asked for that is still to begin."""
        task.step = _RESUME
        if task.pending not in _STEPS:
            for attachment in task.attachments:
                attachment.step_wanted = False

    def is_held(self, task: Task) -> bool:
        """Whether any engine holds the task."""
        for attachment in task.attachments:  # noqa: SIM110 - twice as fast as any()
            if attachment.hold:
                return True
        return False

    def wake(self, task: Task) -> None:
        """Let a held task go on if nothing holds it any more (after the current callback)."""
        if not task.held or self.is_held(task):
            return
        self._to_wake.append(task)
        self._drain()

    def _released(self, attachment: Attachment) -> None:
        task, engine = attachment.task, attachment.engine
        try:
            engine.release(task)
        except Exception as error:  # noqa: BLE001 - an engine's bug must not reach the other engines
            self.backend.engine_failed(task, engine, error)
        del self._attachments[engine][attachment]
        engines = task.process.engines
        engines[engine] -= 1
        if not engines[engine]:
            del engines[engine]
            if not self._attachments[engine]:
                del self._attachments[engine]
            self.backend.left(task.process, engine)

    def _event(self, task: Task, number: int, payload: tuple[object, ...], stops_here: bool = False) -> None:
        if task.mask & number:
            self._run(task, flows.event(self, task, number, payload, stops_here))
        else:
            self._discard(task)
            self.backend.depart(task, flows.inside_kernel(task))

    def _run(self, task: Task, flow: Flow) -> None:
        self._discard(task)
        task.flow = flow
        self._to_wake.append(task)
        self._drain()

    def _drain(self) -> None:
        if self._busy:
            return
        self._busy = True
        try:
            while self._to_wake:
                self._advance(self._to_wake.popleft())
        finally:
            self._busy = False

    @contextlib.contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """Callbacks run one at a time outside of flows, too: tasks that they wake go on afterwards."""
        busy, self._busy = self._busy, True
        try:
            yield
        finally:
            self._busy = busy
        self._drain()

    def _advance(self, task: Task) -> None:
        if task.flow is None or (task.held and self.is_held(task)):
            return
        task.held = False
        try:
            next(task.flow)
            task.held = True
        except StopIteration as finished:
            task.flow = None
            self.backend.depart(task, finished.value)
        except BaseException:
            # The user's Ctrl-C in a callback: the task stays where it stands until it is let go.
            task.flow = None
            raise

    def _discard(self, task: Task) -> None:
        """Forget where the task was held: SIGKILL has taken it from there."""
        if task.flow is not None:
            task.flow.close()
        task.flow = None
        task.held = False

    def _follow(self, task: Task, child: Task) -> None:
        kind = Follow.THREADS if child.process is task.process else Follow.CHILDREN
        for attachment in list(task.attachments):
            engine = attachment.engine
            if attachment.follow & kind and not attachment.detached and child.attachment(engine) is None:
                self.join(child, engine, attachment.follow, attachment.mask)

    def join(self, task: Task, engine: Engine, follow: Follow, mask: int) -> None:
        """Attach an engine as a process's engines are: with a mask, following, and told of it."""
        attachment = self.link(task, engine)
        attachment.follow = follow
        attachment.mask = mask
        task.narrow()
        self.backend.interests_changed(task)
        with self._undisturbed():
            try:
                engine.attached(task)
            except Exception as error:  # noqa: BLE001 - an engine's bug must not reach the other engines
                self.engine_failed(task, engine, error)
                attachment.detached = True
                self.detached(task)

    def link(self, task: Task, engine: Engine) -> Attachment:
        """Put a new attachment on a task, to join at its next pass."""
        attachment = Attachment(engine, task)
        task.attaching.append(attachment)
        self._attachments.setdefault(engine, {})[attachment] = None
        engines = task.process.engines
        engines[engine] = engines.get(engine, 0) + 1
        return attachment

"""Bringing a debugger's threads to a stand and letting them go, all together or each by itself."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence

from gdbstub.linux import signals
from gdbstub.linux.siginfo import SigInfo
from gdbstub.target import interfaces
from gdbstub.target.live.engine import DebuggerEngine
from gdbstub.target.live.stop_queue import StopQueue
from gdbstub.target.live.thread import LiveThread
from gdbstub.target.values import (
    BreakpointStop,
    ForkStop,
    NoResumed,
    ResumeAction,
    ResumeKind,
    SignalStop,
    Stop,
    SyscallStop,
)
from gdbstub.utrace.actions import Resume
from gdbstub.utrace.control import control
from gdbstub.utrace.errors import InProgress, NoTask
from gdbstub.utrace.tracer import Tracer

_PATIENCE = 5.0
"""Seconds for threads to come to a stand where the client waits for it."""


class Running(DebuggerEngine, interfaces.Resume):
    """All-stop and non-stop execution control."""

    def __init__(self, tracer: Tracer) -> None:
        super().__init__(tracer)
        self.on_stop = lambda: None
        self.non_stop = False
        self._queue = StopQueue(self._still_stands_for)
        self._moving: set[LiveThread] = set()
        """Threads that are to stand still and do not yet."""
        self._stopping = False
        """All-stop: something has happened, and the other threads are being stopped for it."""
        self._interrupted = False
        self._awaited = False
        """All-stop: the client has resumed something and waits for a stop."""
        self._check_due = False
        self._told_last: LiveThread | None = None

    @property
    def is_stopping(self) -> bool:
        """All threads are being brought to a stand."""
        return self._stopping

    @property
    def running(self) -> bool:
        """Whether any thread runs, as far as the client knows."""
        return any(thread.resumed for thread in self._threads.values())

    # What happens.

    def happened(self, thread: LiveThread, stop: Stop) -> None:
        """Something for the client happened to a thread."""
        self._queue.add(thread, stop)
        thread.go = False
        self._moving.add(thread)
        self._something_happened()

    def happened_elsewhere(self, stop: Stop) -> None:
        """Something for the client happened that no thread stands still for."""
        self._queue.add(None, stop)
        self._something_happened()

    def thread_gone(self, thread: LiveThread) -> None:
        """A thread has ended or begun to end. A child that it made goes on if nobody knows of it."""
        self._moving.discard(thread)
        for child in self._untold_children(thread.task.process.pid, thread.task.tid):
            self.tracer.soon(functools.partial(self.tracer.leave, self._processes[child], self))
        self._queue.drop(thread)
        self.check_soon()

    def hold(self, thread: LiveThread) -> None:
        """Bring a thread to a stand."""
        thread.go = False
        try:
            control(thread.task, self, Resume.STOP)
        except InProgress:
            self._moving.add(thread)
        except NoTask:
            return
        self.check_soon()

    def _something_happened(self) -> None:
        if not self.non_stop:
            self._stop_all()
        self.check_soon()

    def _stop_all(self) -> None:
        if self._stopping:
            return
        self._stopping = True
        for thread in list(self._threads.values()):
            if thread.go and not thread.ending:
                self.hold(thread)

    def check_soon(self) -> None:
        """See who stands still once the current round of events is over."""
        if not self._check_due:
            self._check_due = True
            self.tracer.soon(self._check)

    def _check(self) -> None:
        """After each round of events: see who stands still by now, and tell."""
        self._check_due = False
        self._moving = {thread for thread in self._moving if not thread.quiet}
        if self.non_stop:
            if self._queue.has(_is_quiet):
                self.on_stop()
            return
        if self._awaited and not self._may_stop():
            self._stopping = True
        if self._stopping and not self._moving:
            self._stopping = False
            if self._awaited:
                self._settled()

    def _settled(self) -> None:
        """All threads stand still (all-stop): tell one stop, or go on if none is left to tell."""
        if not self._queue.has(_is_resumed):
            if self._interrupted:
                self._queue_interrupt()
            elif not self._may_stop():
                self._queue.add(None, NoResumed())
            else:
                self._go(list(filter(_is_resumed, self._threads.values())))
                return
        self._interrupted = False
        self.on_stop()

    def _may_stop(self) -> bool:
        """Whether a resumed thread is left that can stop, or whose process's end will be told."""
        lasting = {thread.task.process for thread in self._threads.values() if not thread.ending}
        return any(
            thread.resumed and not (thread.ending and thread.task.process in lasting)
            for thread in self._threads.values()
        )

    def _queue_interrupt(self) -> None:
        for thread in self._threads.values():
            if thread.resumed and not thread.ending:
                self._queue.add(thread, SignalStop(thread.id, signals.SIGINT))
                return

    def take_stop(self) -> Stop | None:
        """The next stop to be told. In all-stop mode nothing is resumed after it, for the client."""
        if self._stopping:
            return None
        taken = self._queue.take(_is_quiet if self.non_stop else _is_resumed)
        if taken is None:
            return None
        thread, stop = taken
        if thread is not None:
            self.now_told(thread, stop)
        if not self.non_stop:
            self._nothing_resumed()
        return stop

    def now_told(self, thread: LiveThread, stop: Stop) -> None:
        """The client knows why a thread stands still."""
        thread.told = stop
        thread.resumed = False
        self._told_last = thread

    def _nothing_resumed(self) -> None:
        """All-stop: for the client everything stands still."""
        self._awaited = False
        for thread in self._threads.values():
            thread.resumed = False

    def standing_stops(self) -> list[Stop]:
        """Why each thread that stands still does so, the last told first."""
        stands = [thread for thread in self.known_threads() if not thread.resumed]
        stands.sort(key=lambda thread: thread is not self._told_last)
        told = [thread.told for thread in stands if thread.told is not None]
        return told + [SignalStop(thread.id, 0) for thread in stands if thread.told is None]

    def known_threads(self) -> list[LiveThread]:
        """The threads that the client may know of: not those of a child whose fork it has not been told."""
        untold = set(self._untold_children())
        return [thread for thread in self._threads.values() if thread.task.process.pid not in untold]

    def _untold_children(self, parent: int | None = None, tid: int | None = None) -> list[int]:
        """Child processes whose fork (by that process, that thread) the client has not been told."""
        return [
            stop.child.pid
            for stop in self._queue.stops()
            if isinstance(stop, ForkStop)
            and parent in (None, stop.thread.pid)
            and tid in (None, stop.thread.tid)
            and stop.child.pid in self._processes
        ]

    def _still_stands_for(self, thread: LiveThread, stop: Stop) -> bool:
        """A breakpoint that was removed, or that the thread was moved away from, is not reported late; nor is
        a system call that is not caught any more.
        """
        if isinstance(stop, SyscallStop):
            return self.is_caught(thread, stop.number)
        if not isinstance(stop, BreakpointStop) or thread.task.stop is None:
            return True
        if thread.task.registers.pc != stop.address:
            return False
        process = thread.task.process
        if stop.hardware:
            return any(watchpoint.address == stop.address for watchpoint in process.watchpoints.of(self))
        return self._stands_at_own_breakpoint(thread.task)

    # What the client asks for.

    def resume(self, actions: Sequence[ResumeAction]) -> None:
        """Resume threads, each by the first action that matches it."""
        chosen = []
        for thread in self.known_threads():
            action = next((action for action in actions if action.threads.matches(thread.id)), None)
            if action is None:
                continue
            if action.kind is ResumeKind.STOP:
                self._stop_one(thread)
            elif not thread.resumed and not (self.non_stop and self._queue.waits(thread)):
                self._prepare(thread, action)
                chosen.append(thread)
        self._awaited = not self.non_stop
        if self._awaited and (not chosen or self._queue.has(_is_resumed)):
            self._stopping = True
            self.check_soon()
        else:
            self._go(chosen)

    def _prepare(self, thread: LiveThread, action: ResumeAction) -> None:
        if action.signal:
            parked = thread.parked
            same = parked is not None and parked.number == action.signal
            thread.deliver = parked if same else SigInfo.make(action.signal, pid=os.getpid(), uid=os.getuid())
        thread.resumed = True
        thread.told = None
        if not self._queue.waits(thread):
            thread.parked = None
        thread.stepping = action.kind is not ResumeKind.CONTINUE
        thread.step_range = range(action.start, action.end)

    def _go(self, threads: Sequence[LiveThread]) -> None:
        for thread in threads:
            thread.go = True
            try:
                control(thread.task, self, self._resume_action(thread))
            except NoTask:
                continue

    def _resume_action(self, thread: LiveThread) -> int:
        if thread.deliver is not None:
            return Resume.INTERRUPT
        return Resume.SINGLESTEP if thread.stepping else Resume.RESUME

    def _stop_one(self, thread: LiveThread) -> None:
        if thread.resumed and thread.go:
            self.hold(thread)
            self._queue.add(thread, SignalStop(thread.id, 0))

    def interrupt(self) -> None:
        """Stop as if the user had typed an interrupt character: a SIGINT that nobody was sent."""
        if not self.running:
            return
        if not self.non_stop:
            self._interrupted = True
            self._something_happened()
            return
        thread = next((thread for thread in self._threads.values() if thread.resumed and thread.go), None)
        if thread is not None:
            self.hold(thread)
            self._queue.add(thread, SignalStop(thread.id, signals.SIGINT))

    def forget_ends(self) -> None:
        """A new client is not told how processes ended that it has never heard of."""
        self._queue.drop(None)

    def stop_all_threads(self) -> None:
        """Bring everything to a stand and wait for it, telling nothing."""
        for thread in list(self._threads.values()):
            if thread.go and not thread.ending:
                self.hold(thread)
        self.tracer.settle(lambda: all(thread.quiet for thread in self._moving), _PATIENCE)
        self._moving.clear()
        self._stopping = self._interrupted = False
        self._nothing_resumed()


def _is_resumed(thread: LiveThread) -> bool:
    return thread.resumed


def _is_quiet(thread: LiveThread) -> bool:
    return thread.quiet

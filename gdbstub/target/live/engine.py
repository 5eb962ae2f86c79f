"""The debugger's engine: what happens to its threads becomes stops for the client."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Iterator
from weakref import WeakKeyDictionary

from gdbstub.linux import signals
from gdbstub.linux.siginfo import SigInfo
from gdbstub.linux.wait import Exited
from gdbstub.target.live.breakpoint import LiveBreakpoint
from gdbstub.target.live.thread import LiveThread
from gdbstub.target.values import (
    BreakpointStop,
    ExecStop,
    ForkStop,
    NoSuchThread,
    ProcessExited,
    ProcessKilled,
    SignalStop,
    Stop,
    SyscallStop,
    ThreadCreated,
    ThreadExited,
    ThreadId,
    VforkDoneStop,
    WatchpointStop,
)
from gdbstub.utrace.actions import RESUMED, Follow, Resume, Signal, signal_action
from gdbstub.utrace.breakpoints import Breakpoint
from gdbstub.utrace.control import set_events
from gdbstub.utrace.engine import Answer, Engine
from gdbstub.utrace.events import Event
from gdbstub.utrace.syscall import SyscallEntry, SyscallExit
from gdbstub.utrace.task import Disposition, Process, Program, Task
from gdbstub.utrace.tracer import Tracer
from gdbstub.utrace.watchpoints import Watchpoint

_BASE_EVENTS = (
    Event.QUIESCE
    | Event.CLONE
    | Event.EXEC
    | Event.DEATH
    | Event.SIGNAL_ALL
    | Event.BREAKPOINT
    | Event.WATCHPOINT
    | Event.STEP
    | Event.VFORK_DONE
)
_CLONE_VFORK = 0x4000
_BREAKPOINT_LIKE = frozenset({4, 11})
"""SIGILL and SIGSEGV: what a breakpoint raises where nothing can be executed. gdb puts one onto the stack,
to have a function that it calls return there.
"""


class DebuggerEngine(Engine):
    """The callbacks, and the threads that they are about. `happened` is what becomes of a stop."""

    events = _BASE_EVENTS
    follow = Follow.THREADS

    def __init__(self, tracer: Tracer) -> None:
        self.tracer = tracer
        self._threads: dict[Task, LiveThread] = {}
        self._processes: dict[int, Process] = {}
        self._pass_signals: frozenset[int] = frozenset()
        self._program_signals: frozenset[int] = frozenset(range(1, signals.LAST + 1))
        self._caught: dict[int, frozenset[int] | None] = {}
        self._report_fork = self._report_vfork = self._report_exec = False
        self._report_threads = False
        self._symbol_values: WeakKeyDictionary[Process, dict[str, int]] = WeakKeyDictionary()
        self._hold_new = False
        self._ending: set[int] = set()
        """Processes that the client kills or lets go: nothing is told of them."""

    @abstractmethod
    def happened(self, thread: LiveThread, stop: Stop) -> None:
        """Something for the client happened to a thread, which is held from here on."""

    @abstractmethod
    def happened_elsewhere(self, stop: Stop) -> None:
        """Something for the client happened that no thread stands still for."""

    @abstractmethod
    def thread_gone(self, thread: LiveThread) -> None:
        """A thread has ended."""

    @abstractmethod
    def hold(self, thread: LiveThread) -> None:
        """Bring a thread to a stand."""

    @abstractmethod
    def check_soon(self) -> None:
        """A thread is about to stand still: see about it once it does."""

    @property
    @abstractmethod
    def is_stopping(self) -> bool:
        """All threads are being brought to a stand."""

    @contextlib.contextmanager
    def holding_new_threads(self) -> Iterator[None]:
        """Threads that join the debugger meanwhile stand still."""
        before, self._hold_new = self._hold_new, True
        try:
            yield
        finally:
            self._hold_new = before

    def thread(self, thread: ThreadId) -> LiveThread:
        """The thread with these numbers. Raises NoSuchThread."""
        task = self.process(thread.pid).tasks.get(thread.tid)
        found = None if task is None else self._threads.get(task)
        if found is None:
            raise NoSuchThread(f"no thread {thread.tid} of process {thread.pid}")
        return found

    def process(self, pid: int) -> Process:
        """A process that is debugged. Raises NoSuchThread."""
        try:
            return self._processes[pid]
        except KeyError:
            raise NoSuchThread(f"no process {pid}") from None

    def update_events(self, process: Process) -> None:
        """Ask the core for what the client's settings need."""
        for task in process.tasks.values():
            if task in self._threads:
                self._update_events_of(task)

    def _update_events_of(self, task: Task) -> None:
        set_events(task, self, self._wanted(task))

    def _wanted(self, task: Task) -> int:
        wanted = _BASE_EVENTS
        if self._caught.get(task.process.pid, frozenset()) != frozenset():
            wanted |= Event.SYSCALL
        if task.tid == task.process.pid:
            # A leader that exits before its threads stays as a zombie and comes to no stop: this tells.
            wanted |= Event.EXIT
        if self._threads[task].inside_call:
            wanted |= Event.SYSCALL_EXIT
        return wanted

    # Callbacks.

    def attached(self, task: Task) -> None:
        """A task joins the debugger."""
        self._processes[task.process.pid] = task.process
        thread = self._threads[task] = LiveThread(task)
        self._update_events_of(task)
        if self._hold_new or self.is_stopping:
            self.hold(thread)
        else:
            thread.resumed = thread.go = True

    def release(self, task: Task) -> None:
        """A task has left the debugger."""
        thread = self._threads.pop(task, None)
        if thread is not None:
            self.thread_gone(thread)
        process = task.process
        if not any(each.process is process for each in self._threads):
            self._processes.pop(process.pid, None)
            self._caught.pop(process.pid, None)
            self._ending.discard(process.pid)

    def report_quiesce(self, task: Task, action: int, event: int) -> Answer:
        """Hold, or go on with a step.

        Before an event nothing is asked for but a hold: whether a step goes on is answered to the event.
        """
        thread = self._threads.get(task)
        if thread is None or (event and thread.go):
            return Resume.RESUME
        return self._answer(thread)

    def _answer(self, thread: LiveThread) -> int:
        if not thread.go:
            self.check_soon()
            return Resume.STOP
        return Resume.SINGLESTEP if thread.stepping else Resume.RESUME

    def report_signal(
        self, task: Task, action: int, info: SigInfo, disposition: Disposition | None
    ) -> Answer:
        """Keep a signal until the client has decided about it; deliver what it has decided.

        Without a disposition it is one that an engine before this one kept, and has decided to deliver.
        """
        thread = self._threads[task]
        kind = signal_action(action)
        if kind is Signal.HANDLER and thread.stepping and thread.go:
            self.happened(thread, SignalStop(thread.id, signals.SIGTRAP))
        given_by_earlier = kind is Signal.DELIVER and thread.deliver is None
        if disposition is None and not given_by_earlier:
            return self._deliver_decided(thread, info, kind)
        if self._is_passed(thread, info, kind, disposition):
            return kind | self._answer(thread)
        thread.parked = SigInfo(info.raw)
        self.happened(thread, SignalStop(thread.id, info.number))
        return Resume.STOP | Signal.IGN

    def _deliver_decided(self, thread: LiveThread, info: SigInfo, kind: Signal) -> int:
        decided, thread.deliver = thread.deliver, None
        if decided is None:
            return kind | self._answer(thread)
        info.raw = decided.raw
        if thread.task.process.pid in self._ending:
            return Signal.DELIVER | Resume.DETACH
        return Signal.DELIVER | self._answer(thread)

    def _is_passed(
        self, thread: LiveThread, info: SigInfo, kind: Signal, disposition: Disposition | None
    ) -> bool:
        """Whether a signal goes on without the client: it asked for that, or another engine dropped it."""
        dropped = kind is Signal.IGN and not (
            disposition is Disposition.IGNORED
            or signals.default_action(info.number) in (signals.Default.IGNORE, signals.Default.CONTINUE)
        )
        if dropped or thread.task.process.pid in self._ending:
            return True
        if info.number in _BREAKPOINT_LIKE and self._stands_at_own_breakpoint(thread.task):
            return False
        return info.number in self._pass_signals and not thread.stepping

    def _stands_at_own_breakpoint(self, task: Task) -> bool:
        plant = task.process.address_space.breakpoints.at(task.registers.pc)
        return plant is not None and any(owner.engine is self for owner in plant.owners)

    def report_step(self, task: Task, action: int, kind: int) -> Answer:
        """A step is a stop, unless it is one of many through a range."""
        thread = self._threads[task]
        if thread.go and task.registers.pc in thread.step_range:
            return Resume.SINGLESTEP
        if thread.go:
            self.happened(thread, SignalStop(thread.id, signals.SIGTRAP))
        return Resume.STOP

    def report_breakpoint(self, task: Task, action: int, breakpoint: Breakpoint) -> Answer:
        """Stop if the breakpoint's conditions say so."""
        thread = self._threads[task]
        wanted = breakpoint.data
        assert isinstance(wanted, LiveBreakpoint)
        if not wanted.stops(task):
            return self._answer(thread)
        self.happened(thread, BreakpointStop(thread.id, hardware=False, address=breakpoint.address))
        return Resume.STOP

    def report_watchpoint(self, task: Task, action: int, watchpoint: Watchpoint) -> Answer:
        """Stop for a data access, or for a hardware breakpoint whose conditions say so."""
        thread = self._threads[task]
        wanted = watchpoint.data
        assert isinstance(wanted, LiveBreakpoint)
        if not wanted.stops(task):
            return self._answer(thread)
        if watchpoint.kind == "execute":
            self.happened(thread, BreakpointStop(thread.id, hardware=True, address=watchpoint.address))
        else:
            self.happened(thread, WatchpointStop(thread.id, watchpoint.kind, watchpoint.address))
        return Resume.STOP

    def report_syscall_entry(self, task: Task, action: int, call: SyscallEntry) -> Answer:
        """Stop for a call that is caught, once."""
        if action & RESUMED:
            return self._answer(self._threads[task])
        return self._syscall(self._threads[task], call.number, entry=True)

    def report_syscall_exit(self, task: Task, action: int, call: SyscallExit) -> Answer:
        """Stop for a call that is caught."""
        return self._syscall(self._threads[task], call.number, entry=False)

    def _syscall(self, thread: LiveThread, number: int, entry: bool) -> int:
        if thread.inside_call:
            thread.inside_call = False
            self._update_events_of(thread.task)
            self.happened(thread, SyscallStop(thread.id, number, entry))
        elif self.is_caught(thread, number):
            self.happened(thread, SyscallStop(thread.id, number, entry))
        return self._answer(thread)

    def is_caught(self, thread: LiveThread, number: int) -> bool:
        """Whether the client wants to know of a system call, by its current settings."""
        caught = self._caught.get(thread.task.process.pid, frozenset())
        return caught is None or number in caught

    def _happened_inside_call(self, thread: LiveThread, stop: Stop) -> None:
        """Something happened inside a system call, which the thread will leave before it stands still.

        Whether its return is a stop, too, is decided by what the client has set when its turn comes.
        """
        thread.inside_call = True
        self._update_events_of(thread.task)
        self.happened(thread, stop)

    def report_clone(self, task: Task, action: int, flags: int, child: Task) -> Answer:
        """Follow a child process if its event is reported; threads have joined by themselves."""
        thread = self._threads[task]
        if child.process is task.process:
            if self._report_threads and child in self._threads:
                created = self._threads[child]
                self.happened(created, ThreadCreated(created.id))
                self.hold(created)
            return self._answer(thread)
        vfork = bool(flags & _CLONE_VFORK)
        if self._report_vfork if vfork else self._report_fork:
            stop = ForkStop(thread.id, ThreadId(child.process.pid, child.tid), vfork)
            if vfork:
                self.happened(thread, stop)
            else:
                self._happened_inside_call(thread, stop)
            with self.holding_new_threads():
                self.tracer.join(child.process, self)
            self._symbol_values[child.process] = dict(self._symbol_values.get(task.process, {}))
        return self._answer(thread)

    def report_vfork_done(self, task: Task, action: int) -> Answer:
        """Stop for the end of a vfork whose start was reported."""
        thread = self._threads[task]
        if self._report_vfork:
            self._happened_inside_call(thread, VforkDoneStop(thread.id))
        return self._answer(thread)

    def report_exec(self, task: Task, action: int, program: Program) -> Answer:
        """Stop for a new program."""
        thread = self._threads[task]
        self._update_events_of(task)
        if self._report_exec:
            self._happened_inside_call(thread, ExecStop(thread.id, program.path))
        return self._answer(thread)

    def report_exit(self, task: Task, action: int, code: int) -> Answer:
        """Nothing holds a thread that ends; nobody waits for it any more."""
        thread = self._threads[task]
        thread.go = thread.ending = True
        self.thread_gone(thread)
        return Resume.RESUME

    def report_death(self, task: Task, group_dead: bool, signal: int) -> Answer:
        """Tell of a process's end, and of a thread's if that is wanted."""
        process = task.process
        thread = self._threads[task]
        if process.pid in self._ending:
            return None
        if group_dead:
            self.happened_elsewhere(_process_end(process))
        elif self._report_threads and thread.resumed:
            code = task.outcome.code if isinstance(task.outcome, Exited) else 0
            self.happened_elsewhere(ThreadExited(thread.id, code))
        return None


def _process_end(process: Process) -> ProcessExited | ProcessKilled:
    outcome = process.outcome
    if outcome is None or isinstance(outcome, Exited):
        return ProcessExited(process.pid, 0 if outcome is None else outcome.code)
    return ProcessKilled(process.pid, outcome.signal)

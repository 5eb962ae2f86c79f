"""Running simulated threads.

The programs are straight lines of one-byte instructions. Nothing happens inside of `resume`: a test calls
`advance` to let the running threads go on until something stops one of them. In this order, that is what the
client has asked for, the end of a step, a software breakpoint ahead of a thread, the next stop in `upcoming`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from gdbstub.arch.description import Architecture
from gdbstub.linux.signals import SIGINT, SIGTRAP
from gdbstub.target import interfaces
from gdbstub.target.values import (
    BreakpointKind,
    BreakpointRequest,
    BreakpointStop,
    ExecStop,
    ForkStop,
    NoResumed,
    ProcessExited,
    ProcessKilled,
    ResumeAction,
    ResumeKind,
    SignalStop,
    Stop,
    SyscallStop,
    TargetError,
    ThreadCreated,
    ThreadExited,
    ThreadId,
    ThreadStop,
)
from gdbstub.testing.simulated_state import SimulatedState, SimulatedThread

_KINDS = frozenset(BreakpointKind) - {BreakpointKind.READ}


class ThreadView:
    """A thread as a breakpoint's condition looks at it."""

    def __init__(self, state: SimulatedState, thread: SimulatedThread) -> None:
        self._state = state
        self._thread = thread

    def register(self, number: int) -> int:
        """A register's value."""
        return self._thread.register(self._thread.architecture.registers[number].name)

    def memory(self, address: int, length: int) -> bytes:
        """Memory. Raises MemoryFault."""
        return self._state.process(self._thread.id.pid).memory.read(address, length)


class SimulatedRunning(SimulatedState, interfaces.Resume, interfaces.Breakpoints, interfaces.Events):
    """Resuming, stopping, breakpoints, and which events are reported."""

    def __init__(self, architecture: Architecture | None = None) -> None:
        super().__init__(architecture)
        self.on_stop = lambda: None
        self.non_stop = False
        self.upcoming: deque[Stop] = deque()
        """What will happen to threads that run, as far as the client wants to know it."""
        self.resumptions: list[tuple[ResumeAction, ...]] = []
        """What was asked of `resume`, oldest first."""
        self.breakpoints: dict[tuple[int, BreakpointKind, int], BreakpointRequest] = {}
        """By process, kind and address."""
        self.reported: frozenset[str] = frozenset()
        """Of fork, vfork and exec."""
        self.thread_events = False
        self.caught: dict[int, frozenset[int] | None] = {}
        self.passed: frozenset[int] = frozenset()
        self.program: frozenset[int] = frozenset()
        self._stops: deque[Stop] = deque()
        self._requested: deque[SignalStop] = deque()
        """Of threads that are to stop, and do so once the client's request is over."""
        self._steps: dict[ThreadId, ResumeAction] = {}

    # Resume.

    @property
    def running(self) -> bool:
        """Whether any thread runs."""
        return any(thread.running for thread in self.every_thread())

    def resume(self, actions: Sequence[ResumeAction]) -> None:
        """Let threads run, each by the first action that matches it."""
        self.resumptions.append(tuple(actions))
        for thread in self.every_thread():
            action = next((action for action in actions if action.threads.matches(thread.id)), None)
            if action is None:
                continue
            if action.kind is ResumeKind.STOP:
                self.request_stop(thread, 0)
            elif not thread.running:
                thread.running, thread.told = True, None
                if action.kind is not ResumeKind.CONTINUE:
                    self._steps[thread.id] = action

    def interrupt(self) -> None:
        """The first running thread stops with SIGINT."""
        thread = next((thread for thread in self.every_thread() if thread.running), None)
        if thread is not None:
            self.request_stop(thread, SIGINT)

    def request_stop(self, thread: SimulatedThread, signal: int) -> None:
        """A thread that runs is to stop."""
        self._requested.append(SignalStop(thread.id, signal))

    def advance(self) -> bool:
        """Let running threads go on until one stops. False: none runs, or nothing will ever stop one."""
        stop = self._next_event() if self.running else None
        if stop is not None:
            self.happen(stop)
        return stop is not None

    def _next_event(self) -> Stop | None:
        running = [thread for thread in self.every_thread() if thread.running]
        while self._requested:
            request = self._requested.popleft()
            if self.is_alive(request.thread) and self.thread(request.thread).running:
                return request
        for thread in running:
            action = self._steps.pop(thread.id, None)
            if action is not None:
                thread.pc = action.end if action.kind is ResumeKind.RANGE_STEP else thread.pc + 1
                return SignalStop(thread.id, SIGTRAP)
        for thread in running:
            address = self._breakpoint_ahead(thread)
            if address is not None:
                thread.pc = address
                return BreakpointStop(thread.id, hardware=False, address=address)
        for stop in list(self.upcoming):
            if self._is_about_running(stop):
                self.upcoming.remove(stop)
                if self._is_wanted(stop):
                    return stop
                self._take_effect(stop)
        return None if self.running else NoResumed()

    def _is_about_running(self, stop: Stop) -> bool:
        match stop:
            case ProcessExited(pid, _) | ProcessKilled(pid, _):
                return any(thread.running for thread in self.every_thread() if thread.id.pid == pid)
            case ThreadCreated(thread):
                return thread.pid in self.all
            case ThreadStop(thread):
                return self.is_alive(thread) and self.thread(thread).running
        return True

    def _breakpoint_ahead(self, thread: SimulatedThread) -> int | None:
        """The first breakpoint on a running thread's way that stops it; commands of others are run."""
        ahead = sorted(
            address
            for pid, kind, address in self.breakpoints
            if (pid, kind) == (thread.id.pid, BreakpointKind.SOFTWARE) and address > thread.pc
        )
        start = thread.pc
        for address in ahead:
            thread.pc = address
            request = self.breakpoints[thread.id.pid, BreakpointKind.SOFTWARE, address]
            if request.stops(ThreadView(self, thread)):
                return address
        thread.pc = start
        return None

    def _is_wanted(self, stop: Stop) -> bool:
        match stop:
            case SignalStop(_, signal):
                return signal not in self.passed
            case SyscallStop(thread, number):
                caught = self.caught.get(thread.pid, frozenset())
                return caught is None or number in caught
            case ForkStop(_, _, vfork):
                return ("vfork" if vfork else "fork") in self.reported
            case ExecStop():
                return "exec" in self.reported
            case ThreadCreated() | ThreadExited():
                return self.thread_events
        return True

    def happen(self, stop: Stop) -> None:
        """Something happens: it takes effect, and the client can be told."""
        self._take_effect(stop)
        self._stops.append(stop)
        self.on_stop()

    def _take_effect(self, stop: Stop) -> None:
        match stop:
            case ForkStop(thread, child) if self._is_wanted(stop):
                process = self.add_process(child.pid)
                process.executable = self.process(thread.pid).executable
            case ExecStop(thread, path):
                self.process(thread.pid).executable = path
            case ThreadCreated(thread) if thread.tid not in self.process(thread.pid).threads:
                self.add_thread(self.process(thread.pid), thread.tid)
            case ThreadExited(thread, _):
                self.process(thread.pid).threads.pop(thread.tid, None)
            case ProcessExited(pid, _) | ProcessKilled(pid, _):
                self.forget_process(pid)
        if isinstance(stop, ThreadStop) and self.is_alive(stop.thread) and self._is_wanted(stop):
            self.thread(stop.thread).running = False

    def take_stop(self) -> Stop | None:
        """The oldest stop not told; in all-stop mode everything stands still after it."""
        if not self._stops:
            return None
        stop = self._stops.popleft()
        if isinstance(stop, ThreadStop) and self.is_alive(stop.thread):
            self.thread(stop.thread).told = stop
        if not self.non_stop:
            self._stand()
        return stop

    def standing_stops(self) -> list[Stop]:
        """For each thread that stands still what was told, or that nothing happened to it."""
        return [
            thread.told or SignalStop(thread.id, 0) for thread in self.every_thread() if not thread.running
        ]

    def stop_all_threads(self) -> None:
        """Everything stands still."""
        self._stand()

    def _stand(self) -> None:
        self._steps.clear()
        self._requested.clear()
        for thread in self.every_thread():
            thread.running = False

    def forget_process(self, pid: int) -> None:
        """A process is gone, and with it its breakpoints and its stops not told."""
        del self.all[pid]
        self.caught.pop(pid, None)
        self.breakpoints = {key: value for key, value in self.breakpoints.items() if key[0] != pid}
        self._steps = {thread: action for thread, action in self._steps.items() if thread.pid != pid}
        self._stops = deque(
            stop for stop in self._stops if not (isinstance(stop, ThreadStop) and stop.thread.pid == pid)
        )

    # Breakpoints.

    def insert_breakpoint(self, pid: int, request: BreakpointRequest) -> None:
        """Anything but watching for reads, where there is memory."""
        if request.kind not in _KINDS:
            raise NotImplementedError(request.kind.name)
        if not self.read_memory(pid, request.address, 1):
            raise TargetError(f"Cannot insert a breakpoint at {request.address:#x}")
        self.breakpoints[pid, request.kind, request.address] = request

    def remove_breakpoint(self, pid: int, request: BreakpointRequest) -> None:
        """Take it out."""
        self.breakpoints.pop((self.process(pid).pid, request.kind, request.address), None)

    # Events.

    def report_events(self, *, fork: bool, vfork: bool, execs: bool) -> None:
        """Report these."""
        wanted = {"fork": fork, "vfork": vfork, "exec": execs}
        self.reported = frozenset(name for name, switch in wanted.items() if switch)

    def report_thread_events(self, wanted: bool) -> None:
        """Report new and ended threads."""
        self.thread_events = wanted

    def catch_syscalls(self, pid: int, numbers: frozenset[int] | None) -> None:
        """Stop at these."""
        self.caught[self.process(pid).pid] = numbers

    def pass_signals(self, numbers: frozenset[int]) -> None:
        """Do not stop for these."""
        self.passed = numbers

    def program_signals(self, numbers: frozenset[int]) -> None:
        """Remember them."""
        self.program = numbers

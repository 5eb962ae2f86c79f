"""The tracer: the one thread that owns processes, engines' callbacks and the loop that drives them."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from gdbstub.linux import ptrace, signals
from gdbstub.linux.child_notice import child_notice
from gdbstub.linux.event_loop import Poller
from gdbstub.linux.permission import explain
from gdbstub.linux.process_watch import ProcessWatch
from gdbstub.linux.procfs import thread_group
from gdbstub.linux.spawn import Launch, spawn
from gdbstub.linux.wait import Exited, Killed, Stopped, collect, decode, has_ended, wait_for
from gdbstub.utrace import births
from gdbstub.utrace.engine import Engine
from gdbstub.utrace.errors import Interrupted, NoTask, NotPermitted
from gdbstub.utrace.ptrace_backend import PtraceBackend
from gdbstub.utrace.stops import Stop, StopKind
from gdbstub.utrace.task import Process, Task

if TYPE_CHECKING:
    from concurrent.futures import Future

_log = logging.getLogger("gdbstub")
_Result = TypeVar("_Result")


class LaunchFailed(OSError):
    """A program ended before its first instruction; the text says how."""


class Tracer:
    """Traces processes for any number of engines.

    Everything but `post` and `call` belongs to the thread that made the tracer. Drive it with `run` or
    `run_until`, or from another loop: wait until `fileno()` is readable and call `step()`.
    """

    def __init__(self) -> None:
        self.backend = PtraceBackend(
            self._engine_failed, self._process_new, self._process_gone, self._watch_reap
        )
        self.core = self.backend.core
        self.on_engine_error: Callable[[Task, Engine, Exception], None] = _log_engine_error
        """Told when an engine raised and was detached."""
        self.on_new: list[Callable[[Process], None]] = []
        """Told when a process is traced from now on, before any engine is on it."""
        self.on_gone: list[Callable[[Process], None]] = []
        """Told when a process has ended or has been let go."""
        self._children = child_notice()
        self._poller = Poller()
        self._poller.add(self._children.fileno(), self._collect)
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poller.add(self._wake_read, self._woken)
        self._soon: deque[Callable[[], None]] = deque()
        self._thread = threading.get_ident()
        self._watch = ProcessWatch(self._poller)
        self._stepping = False
        self._calls: set[Future[Any]] = set()
        """What other threads wait for; under `_calls_lock`, as is `_closed`."""
        self._calls_lock = threading.RLock()
        self._closed = False

    @property
    def processes(self) -> dict[int, Process]:
        """The traced processes by pid."""
        return self.backend.processes

    # Processes.

    def launch(
        self, launch: Launch | Sequence[str], engines: Iterable[Engine] = (), programs: int = 1
    ) -> Process:
        """Start a program; engines join it before its first instruction.

        `launch`: the program and its arguments suffice. `programs`: how many programs run one after the
        other by exec in the process until the wanted one does (a shell that starts it counts). Raises
        OSError when it cannot be run, LaunchFailed when it ends before.
        """
        if not isinstance(launch, Launch):
            launch = Launch(launch)
        launch.signal_mask = self._children.former_mask
        options = ptrace.O_TRACEEXEC | ptrace.O_TRACESYSGOOD | ptrace.O_EXITKILL
        pid = spawn(launch, options)
        self._wait_for_program(pid, programs)
        options = births.BASE_OPTIONS | ptrace.O_EXITKILL
        ptrace.set_options(pid, options)
        process = self.backend.adopt(pid, [pid], launched=True, options=options)
        task = self.backend.tasks[pid]
        task.stop = Stop(StopKind.USER)
        self._join_all(process, engines)
        if not process.releasing:
            self.core.notify_resume(task)
        self._children.expect()
        return process

    def attach(self, pid: int, engines: Iterable[Engine] = ()) -> Process:
        """Trace a running process; its threads go on running unless an engine holds them.

        Raises NoTask or NotPermitted, whose text names the cause. A process that is still being let go is
        waited for first; NoTask inside a callback, where that is not possible.
        """
        process = self.processes.get(pid)
        if process is not None and process.releasing and not self.core.busy:
            self.settle(lambda: pid not in self.processes, _LAST_PATIENCE)
            process = self.processes.get(pid)
        if process is None:
            tids = births.seize_all(pid, births.BASE_OPTIONS)
            try:
                process = self.backend.adopt(pid, tids, launched=False, options=births.BASE_OPTIONS)
            except OSError as error:
                births.unseize(tids)
                raise NotPermitted(explain(pid, error)) from None
        self._join_all(process, engines)
        self._children.expect()
        return process

    def attach_task(self, tid: int) -> Task:
        """The task with this thread id, its process being traced from now on if it was not.

        Raises NoTask, NotPermitted.
        """
        if tid not in self.backend.tasks:
            try:
                self.attach(thread_group(tid))
            except ProcessLookupError as error:
                raise NoTask(explain(tid, error)) from None
        try:
            return self.backend.tasks[tid]
        except KeyError:
            raise NoTask(f"no thread {tid}") from None

    def join(self, process: Process, engine: Engine) -> None:
        """Attach an engine to all tasks of a process, and to what they make, as `Engine.follow` says.

        Raises NoTask when the last engine has left the process, which is let go.
        """
        if process.releasing:
            raise NoTask(f"process {process.pid} is being let go")
        for task in list(process.tasks.values()):
            if task.attachment(engine) is None:
                self.core.join(task, engine, engine.follow, engine.events)

    def _join_all(self, process: Process, engines: Iterable[Engine]) -> None:
        """Let engines join; one that fails at once leaves the process to those that come after it."""
        engines = list(engines)
        process.gathering = True
        try:
            for engine in engines:
                self.join(process, engine)
        finally:
            process.gathering = False
        if engines and not process.engines:
            self.backend.release(process)

    def leave(self, process: Process, engine: Engine) -> None:
        """Detach an engine from all tasks of a process; nothing of it stays behind."""
        tasks = list(process.tasks.values())
        for task in tasks:
            attachment = task.attachment(engine)
            if attachment is not None:
                attachment.detached = True
                attachment.hold = False
        for task in tasks:
            if task.reporting is None:
                self.core.reset(task)
            else:
                task.left_meanwhile = True
        for task in tasks:
            self.core.wake(task)

    def kill(self, process: Process) -> None:
        """SIGKILL, which no engine can hold up."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signals.SIGKILL)

    # The loop.

    def fileno(self) -> int:
        """Readable when `step` has something to do."""
        return self._poller.fileno()

    def step(self, timeout: float | None = 0) -> None:
        """Wait for at most `timeout` seconds (None: without end) and act on what has happened."""
        self._stepping = True
        try:
            self._run_soon()
            if self._closed:
                return
            self._poller.poll(0 if self._soon or self.backend.backlog else timeout)
            self._run_backlog()
            self._run_soon()
        finally:
            self._stepping = False
        if self._soon and not self._closed:
            self.wake()

    def run(self) -> None:
        """Go on until no process is traced."""
        self.run_until(lambda: not self.processes)

    def run_until(self, condition: Callable[[], bool], timeout: float | None = None) -> bool:
        """Go on until a condition holds; False if it does not within `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not condition():
            remaining = None if deadline is None else deadline - time.monotonic()
            if remaining is not None and remaining <= 0:
                return False
            self.step(remaining)
        return True

    def settle(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Like `run_until`, but acting on tasks alone: no other descriptor's callback runs meanwhile."""
        deadline = time.monotonic() + timeout
        poller = select.poll()
        poller.register(self._children.fileno(), select.POLLIN)
        while not condition():
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return False
            if not self.backend.backlog:
                poller.poll(remaining * 1000)
            self._collect()
        return True

    def add_reader(self, descriptor: int, callback: Callable[[], None], events: int = select.EPOLLIN) -> None:
        """Call back from the loop whenever a descriptor is readable, or other epoll events hold."""
        self._poller.add(descriptor, callback, events)

    def change_reader(self, descriptor: int, events: int) -> None:
        """Wait for other epoll events of a descriptor."""
        self._poller.change(descriptor, events)

    def remove_reader(self, descriptor: int) -> None:
        """Stop calling back for a descriptor."""
        self._poller.remove(descriptor)

    def soon(self, callback: Callable[[], None]) -> None:
        """Call back from the loop once what is being done now is done."""
        self._soon.append(callback)
        if not self._stepping:
            self.wake()

    def post(self, callback: Callable[[], None]) -> None:
        """Call back from the loop; may be used in any thread."""
        self._soon.append(callback)
        if threading.get_ident() != self._thread or not self._stepping:
            self.wake()

    def wake(self) -> None:
        """Have the loop look at its condition; may be used in any thread and in a signal handler."""
        with self._calls_lock, contextlib.suppress(BlockingIOError):
            if not self._closed:
                os.write(self._wake_write, b"\0")

    def call(self, function: Callable[[], _Result]) -> _Result:
        """Have the tracer's thread call a function, and wait for the result; for other threads.

        While it runs no callback does. Raises what the function raises, Interrupted if the tracer closes.
        """
        from concurrent.futures import CancelledError, Future

        if threading.get_ident() == self._thread:
            return function()
        future: Future[_Result] = Future()
        with self._calls_lock:
            if self._closed:
                raise Interrupted("the tracer has been closed")
            self._calls.add(future)
            self.post(lambda: _fulfil(future, function))
        try:
            return future.result()
        except CancelledError:
            raise Interrupted("the tracer has been closed") from None
        finally:
            with self._calls_lock:
                self._calls.discard(future)

    def close(self) -> None:
        """Kill what was launched, let everything else go, and give up the loop. What is closed stays so."""
        if self._closed:
            return
        for process in list(self.processes.values()):
            if process.launched:
                self.kill(process)
            else:
                for engine in list(process.engines):
                    self.leave(process, engine)
                self.backend.release(process)
        self.settle(lambda: not self.processes, _LAST_PATIENCE)
        with self._calls_lock:
            self._closed = True
            for future in self._calls:
                future.cancel()
        self.backend.guardian.close()
        self._watch.close()
        self._poller.close()
        self._children.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def __enter__(self) -> Tracer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _collect(self) -> None:
        self._children.clear()
        self._run_backlog()
        # All in the backlog: whoever looks for a task's next stop has to know what has been collected.
        self.backend.backlog += collect()
        self._run_backlog()
        self._children.expect()
        self._run_backlog()

    def _run_backlog(self) -> None:
        backlog = self.backend.backlog
        while backlog:
            self.backend.dispatch(*backlog.pop(0))

    def _run_soon(self) -> None:
        for _ in range(len(self._soon)):
            self._soon.popleft()()

    def _woken(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)

    def _wait_for_program(self, pid: int, programs: int) -> None:
        """Bring a new process to the first instruction of its last program."""
        seen = 0
        request = ptrace.CONT
        while True:
            status = wait_for(pid)
            outcome = Exited(0) if status is None else decode(status)
            if not isinstance(outcome, Stopped):
                raise LaunchFailed(f"the program ended before it started: {_describe(outcome)}")
            signal = 0
            if outcome.event == ptrace.EVENT_EXEC:
                seen += 1
                if seen == programs:
                    ptrace.interrupt(pid)
            elif outcome.event == ptrace.EVENT_STOP:
                if seen == programs:
                    return
            elif not outcome.event:
                signal = outcome.signal
            ptrace.request(request, pid, 0, signal)

    def _engine_failed(self, task: Task, engine: Engine, error: Exception) -> None:
        self.on_engine_error(task, engine, error)

    def _process_new(self, process: Process) -> None:
        for callback in self.on_new:
            callback(process)

    def _process_gone(self, process: Process) -> None:
        if process.launched and process.outcome is None:
            # Let go: it is our child still, and nobody else collects it.
            self._watch.on_end(process.pid, lambda: has_ended(process.pid))
        for callback in self.on_gone:
            callback(process)

    def _watch_reap(self, task: Task) -> None:
        """Report the reaping of a process that is somebody else's child."""
        if not self._watch.on_collection(task.tid, lambda: self.core.release_task(task)):
            self.core.release_task(task)


_LAST_PATIENCE = 10.0
"""Seconds for killed and released processes to be gone."""


def _fulfil(future: Future[_Result], function: Callable[[], _Result]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(function())
    except BaseException as error:  # noqa: BLE001 - handed to the thread that asked
        future.set_exception(error)


def _describe(outcome: Exited | Killed) -> str:
    if isinstance(outcome, Exited):
        return f"exit code {outcome.code}"
    return signals.name(outcome.signal)


def _log_engine_error(task: Task, engine: Engine, error: Exception) -> None:
    _log.error("%s raised on task %d and was detached", type(engine).__name__, task.tid, exc_info=error)

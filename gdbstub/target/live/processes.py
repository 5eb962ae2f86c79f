"""Starting, attaching, killing and letting go of processes for a client."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence

from gdbstub.linux import signals
from gdbstub.linux.spawn import Launch
from gdbstub.target import interfaces
from gdbstub.target.live.running import Running
from gdbstub.target.values import SignalStop, TargetError
from gdbstub.utrace.actions import Resume
from gdbstub.utrace.control import control
from gdbstub.utrace.errors import NoTask, UtraceError
from gdbstub.utrace.task import Process
from gdbstub.utrace.tracer import Tracer

_PATIENCE = 10.0
"""Seconds for a process to stop, to end after SIGKILL, or to be let go."""


class LiveProcesses(Running, interfaces.Processes, interfaces.LaunchSettings):
    """Processes come and go; how programs are started is kept for the next one."""

    def __init__(self, tracer: Tracer) -> None:
        super().__init__(tracer)
        self.last_arguments: Sequence[str] = ()
        self.wrapper: Sequence[str] = ()
        """A program (and its arguments) that is to start the program by exec."""
        self.descriptors: Mapping[int, int] = {}
        """Standard descriptors of started programs, where they are not ours."""
        self.say: Callable[[str], None] = lambda text: None
        """Gets the lines about starting and attaching that users of gdbserver know."""
        self.on_detached: Callable[[Process], None] = lambda process: None
        """Told when the client has let a process go."""
        self._randomize = False
        self._with_shell = True
        self._environment = dict(os.environ)
        self._directory: str | None = None

    def processes(self) -> list[int]:
        """The processes that are debugged, as far as the client may know."""
        untold = self._untold_children()
        return [pid for pid in self._processes if pid not in untold]

    def was_attached(self, pid: int) -> bool:
        """True if the process ran before it was debugged."""
        return not self.process(pid).launched

    def attach(self, pid: int) -> None:
        """Debug a running process and bring it to a stand."""
        if pid in self._processes:
            raise TargetError(f"process {pid} is being debugged already")
        try:
            with self.holding_new_threads():
                process = self.tracer.attach(pid, [self])
        except UtraceError as error:
            raise TargetError(str(error.strerror)) from None
        self._stands_first(process.pid, told=not self.non_stop)
        self.say(f"Attached; pid = {pid}")

    def run(self, arguments: Sequence[str]) -> None:
        """Start a program; it stands still at its first instruction."""
        command, programs = self._command([self._program_path(arguments[0]), *arguments[1:]])
        launch = Launch(
            arguments=command,
            environment=self._environment,
            directory=self._directory,
            randomize=self._randomize,
            descriptors=self.descriptors,
        )
        try:
            with self.holding_new_threads():
                process = self.tracer.launch(launch, [self], programs)
        except OSError as error:
            raise TargetError(f"Cannot run {arguments[0]}: {error.strerror or error}") from None
        self.last_arguments = tuple(arguments)
        self._stands_first(process.pid, told=True)
        self.say(f"Process {arguments[0]} created; pid = {process.pid}")

    def _stands_first(self, pid: int, *, told: bool) -> None:
        """Wait for a process that joined to stand still. `told`: the reply to the request tells of its first
        thread's stop; else each thread's stop is queued.
        """
        threads = [thread for thread in self._threads.values() if thread.task.process.pid == pid]
        self.tracer.settle(lambda: all(thread.quiet for thread in threads), _PATIENCE)
        self._moving.difference_update(threads)
        threads = [thread for thread in threads if thread.task in self._threads]
        if not threads:
            raise TargetError(f"process {pid} has ended")
        if told:
            self.now_told(threads[0], SignalStop(threads[0].id, signals.SIGTRAP))
            return
        for thread in threads:
            self._queue.add(thread, SignalStop(thread.id, 0))
        self.check_soon()

    def _program_path(self, name: str) -> str:
        """A program in the current folder goes before one of that name along PATH."""
        if "/" in name:
            path = os.path.join(self._directory or "", name)
            if not os.path.exists(path):
                raise TargetError(f"Cannot run {name}: no such file")
            if not os.access(path, os.X_OK) or os.path.isdir(path):
                raise TargetError(f"Cannot run {name}: it is not executable")
            return name
        if os.path.isfile(name):
            return os.path.abspath(name)
        if shutil.which(name, path=self._environment.get("PATH")) is None:
            raise TargetError(f"Cannot run {name}: no such program along PATH")
        return name

    def _command(self, arguments: Sequence[str]) -> tuple[list[str], int]:
        """What to execute, and how many programs that is until the wanted one runs."""
        wanted = [*self.wrapper, *arguments]
        programs = 2 if self.wrapper else 1
        if not self._with_shell:
            return wanted, programs
        shell = self._environment.get("SHELL") or "/bin/sh"
        return [shell, "-c", "exec " + shlex.join(wanted)], programs + 1

    def kill(self, pid: int) -> None:
        """End a process; nothing more is told of it, nor of its children that nobody has been told of."""
        process = self.process(pid)
        for child in self._untold_children(pid):
            self.kill(child)
        self._ending.add(pid)
        self.tracer.kill(process)
        if not self.tracer.settle(lambda: pid not in self._processes, _PATIENCE):
            raise TargetError(f"process {pid} does not end")

    def detach(self, pid: int) -> None:
        """Let a process go, with the signals that its threads stopped for and may have, and its children that
        nobody has been told of.
        """
        process = self.process(pid)
        for child in self._untold_children(pid):
            self.detach(child)
        self._ending.add(pid)
        for thread in [thread for thread in self._threads.values() if thread.task.process is process]:
            parked = thread.parked
            if parked is not None and parked.number in self._program_signals and thread.task.held:
                thread.deliver = parked
                try:
                    control(thread.task, self, Resume.INTERRUPT)
                except NoTask:
                    continue
        self.tracer.leave(process, self)
        self.tracer.settle(lambda: not process.releasing or not process.tasks, _PATIENCE)
        self.on_detached(process)

    def disable_randomization(self, wanted: bool) -> None:
        """Load programs at the same addresses each time."""
        self._randomize = not wanted

    def start_with_shell(self, wanted: bool) -> None:
        """Start programs by the user's shell."""
        self._with_shell = wanted

    def set_environment(self, name: str, value: str | None) -> None:
        """Set or (None) remove a variable."""
        if value is None:
            self._environment.pop(name, None)
        else:
            self._environment[name] = value

    def reset_environment(self) -> None:
        """Go back to the server's own environment."""
        self._environment = dict(os.environ)

    def set_directory(self, path: str | None) -> None:
        """Start programs in a folder; None: the server's own."""
        self._directory = path

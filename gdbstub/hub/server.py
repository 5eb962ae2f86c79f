"""A gdb server: one client at a time on one debugger's target, and what happens when it leaves."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from gdbstub.hub.connection import Connection
from gdbstub.hub.listener import Listener
from gdbstub.linux import signals
from gdbstub.linux.wait import Exited
from gdbstub.rsp.session import Log, Options, Session
from gdbstub.target.live.target import LiveTarget
from gdbstub.utrace.hook_log import HookLog
from gdbstub.utrace.task import Process
from gdbstub.utrace.tracer import Tracer


class GdbServer:
    """Serves a target until nothing is left to do.

    As gdbserver: without extended mode it ends when the client has gone and nothing is debugged any more;
    else it listens again, and what is debugged stays as the client left it.
    """

    def __init__(
        self,
        tracer: Tracer,
        target: LiveTarget,
        say: Callable[[str], None],
        *,
        once: bool = False,
        extended: bool = False,
        disabled: frozenset[str] = frozenset(),
    ) -> None:
        """`say` gets the lines that users of gdbserver know. `once`: end with the first client."""
        self.tracer = tracer
        self.target = target
        self.say = say
        self.once = once
        self.extended = extended
        self.disabled = disabled
        self.options = Options(log_events=self._log_events, console=_print)
        self.log: Log = lambda direction, packet: None
        self.ended = False
        self.others_stay: Callable[[], bool] = lambda: False
        """Whether somebody else is on what is served: the server outlives its own client for them."""
        self._asked_to_end = False
        self._hook_log: HookLog | None = None
        self._listener: Listener | None = None
        self._connection: Connection | None = None
        self._session: Session | None = None
        self.left_running: list[int] = []
        """Outside of extended mode: what was started and the client let go; its end is to be waited for."""
        tracer.on_gone.append(self._process_gone)
        target.say = say
        target.on_detached = self._detached
        target.label = "debugger of gdbstub-server"

    def listen(self, listener: Listener) -> None:
        """Take clients from a listener, one after the other."""
        self._listener = listener
        self.say(f"Listening on {listener.name}")
        self.tracer.add_reader(listener.fileno(), self._accept)

    def serve(self, read_descriptor: int, write_descriptor: int) -> None:
        """Serve a client that is connected already."""
        self.target.forget_ends()
        connection = Connection(self.tracer, read_descriptor, write_descriptor, self._client_gone)
        session = Session(self.target, connection.write, self.options, self.disabled)
        session.extended = self.extended
        session.on_exit = self.end
        session.log = self.log
        connection.serve(session)
        self._connection, self._session = connection, session

    def run(self) -> None:
        """Serve until the end. What was started and is still there is killed when the tracer closes."""
        self.tracer.run_until(lambda: self.ended and (self._asked_to_end or not self.others_stay()))
        debugged = [self.tracer.processes[pid] for pid in self.target.processes()]
        started = [str(process.pid) for process in debugged if process.launched]
        if started:
            self.say(f"Killing process(es): {' '.join(started)}")
        for process in debugged:
            if not process.launched:
                self.say(f"Detaching from process {process.pid}")
        if self._connection is not None:
            self._connection.close()

    def end(self) -> None:
        """Serve no more, and wait for nothing."""
        self.left_running.clear()
        self._asked_to_end = True
        self._finish()

    def _finish(self) -> None:
        self.ended = True
        self.tracer.wake()

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            descriptor, peer = self._listener.accept()
        except OSError:
            return
        self.tracer.remove_reader(self._listener.fileno())
        if self.once:
            self._listener.close()
        self.say(peer)
        self.serve(descriptor, descriptor)

    def _client_gone(self) -> None:
        assert self._session is not None
        self.extended = self.extended or self._session.extended
        self.target.close_all_files()
        self._connection = self._session = None
        if (
            self.ended
            or self.once
            or self._listener is None
            or not (self.extended or self.target.processes())
        ):
            self._finish()
            return
        self.say("Remote side has terminated connection.  GDBserver will reopen the connection.")
        self.listen(self._listener)

    def _log_events(self, wanted: bool) -> None:
        if self._hook_log is not None:
            self._hook_log.close()
            self._hook_log = None
        if wanted:
            self._hook_log = HookLog(
                self.tracer.core,
                lambda hook, task: self.log("event", f"{task.process.pid}.{task.tid} {hook}".encode()),
            )

    def _detached(self, process: Process) -> None:
        self.say(f"Detaching from process {process.pid}")
        extended = self.extended or (self._session is not None and self._session.extended)
        if process.launched and not extended:
            self.left_running.append(process.pid)

    def _process_gone(self, process: Process) -> None:
        outcome = process.outcome
        if outcome is None or (self.ended and process.launched):
            return
        if isinstance(outcome, Exited):
            self.say(f"\nChild exited with status {outcome.code}")
        else:
            self.say(f"\nChild terminated with signal = {outcome.signal:#x} ({signals.name(outcome.signal)})")


def _print(text: str) -> None:
    """What programs are made to print goes where gdbserver prints it, at once and byte for byte."""
    if sys.stdout is not None:
        sys.stdout.buffer.write(text.encode(errors="surrogateescape"))
        sys.stdout.buffer.flush()


def use_standard_io() -> tuple[int, int]:
    """Take standard input and output for the protocol; the program gets no input and writes to our errors."""
    reading, writing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return reading, writing

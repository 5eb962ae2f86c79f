"""A hub: shares the processes of one tracer with whoever comes to their places."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

from gdbstub.hub.control_client import ControlClient
from gdbstub.hub.debugger import Debugger
from gdbstub.hub.runtime import WAYS_IN, Claim, Place
from gdbstub.linux import procfs
from gdbstub.utrace.engine import Engine
from gdbstub.utrace.status import ProcessStatus, status_of
from gdbstub.utrace.task import Process
from gdbstub.utrace.tracer import Tracer

_BACKLOG = 256
_PATIENCE = 10.0
"""Seconds for processes to be let go."""
_CREDENTIALS = struct.Struct("<iII")
"""struct ucred (unix(7), SO_PEERCRED): pid, uid, gid."""


@dataclass(frozen=True)
class Peer:
    """The process at the other end of a connection."""

    pid: int

    def __str__(self) -> str:
        try:
            return f"{procfs.name(self.pid)} (process {self.pid})"
        except ProcessLookupError:
            return f"process {self.pid}"


class Keeper(Engine):
    """Keeps a process traced while no client is on it; wants nothing and holds nothing."""

    label = "hub"


class Hub:
    """Makes a place for each process that an engine traces, and serves who comes there."""

    def __init__(self, tracer: Tracer) -> None:
        self.tracer = tracer
        self.keeper = Keeper()
        self.kept: set[int] = set()
        """Processes that stay shared when no client is left, because somebody asked for it."""
        self.expected: set[ControlClient] = set()
        """Those who have announced a debugger that has not come yet: processes stay shared for them, too."""
        self.debuggers: list[Debugger] = []
        self._entries: dict[int, Entry] = {}
        tracer.on_new.append(lambda process: tracer.soon(lambda: self._share_new(process)))
        tracer.on_gone.append(self._gone)

    def share(self, process: Process, claim: Claim | None = None) -> bool:
        """Make the process's place; False if another hub has it. Raises OSError."""
        if process.pid in self._entries:
            return True
        claim = claim or Place.of(process.pid).claim()
        if claim is None:
            return False
        self._entries[process.pid] = Entry(self, claim)
        return True

    def statuses(self) -> list[ProcessStatus]:
        """What is shared, and how it stands."""
        return [
            status_of(self.tracer.processes[pid]) for pid in self._entries if pid in self.tracer.processes
        ]

    def open_debugger(self, pid: int, descriptor: int, peer: Peer) -> None:
        """A debugger has connected: its engine joins the process."""
        debugger = Debugger(self, pid, descriptor, str(peer))
        if debugger.connected:
            self.debuggers.append(debugger)
            self.expected -= {client for client in self.expected if (client.pid, client.peer) == (pid, peer)}

    def debugger_gone(self, debugger: Debugger) -> None:
        """A debugger's engine has left everything."""
        self.debuggers.remove(debugger)
        self.let_go_of_unused()

    def let_go_of_unused(self) -> None:
        """Leave processes that nobody is on and nobody asked to keep."""
        needed = self.kept | {client.pid for client in self.expected}
        for process in list(self.tracer.processes.values()):
            others = [engine for engine in process.engines if engine is not self.keeper]
            if not others and process.pid not in needed and self.keeper in process.engines:
                self.tracer.leave(process, self.keeper)

    def release(self, pid: int) -> None:
        """Have every debugger leave a process, and let it go."""
        self.kept.discard(pid)
        process = self.tracer.processes.get(pid)
        if process is None:
            return
        for debugger in [each for each in self.debuggers if pid in each.target.processes()]:
            debugger.close()
        for engine in list(process.engines):
            self.tracer.leave(process, engine)

    def close(self) -> None:
        """Everybody leaves everything, and the places go once nothing is traced there any more."""
        self.expected.clear()
        processes = self.tracer.processes
        # What was launched ends with the tracer.
        attached = [pid for pid in self._entries if pid in processes and not processes[pid].launched]
        for pid in attached:
            self.release(pid)
        for debugger in list(self.debuggers):
            debugger.close()
        self.tracer.settle(lambda: not any(pid in processes for pid in attached), _PATIENCE)
        for pid in list(self._entries):
            self._entries.pop(pid).close()

    def _share_new(self, process: Process) -> None:
        if process.engines and process.pid in self.tracer.processes:
            with contextlib.suppress(OSError):
                self.share(process)

    def _gone(self, process: Process) -> None:
        self.kept.discard(process.pid)
        entry = self._entries.pop(process.pid, None)
        if entry is not None:
            entry.close()


class Entry:
    """The listening sockets of one shared process."""

    def __init__(self, hub: Hub, claim: Claim) -> None:
        self._hub = hub
        self._claim = claim
        self._sockets: list[socket.socket] = []
        serve: dict[str, Callable[[int, Peer], None]] = {"gdb": self._debugger, "control": self._control}
        try:
            for way in WAYS_IN:
                self._listen(way, serve[way])
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Nobody comes in any more."""
        for listening in self._sockets:
            self._hub.tracer.remove_reader(listening.fileno())
            listening.close()
        self._sockets.clear()
        self._claim.release()

    def _listen(self, way: str, serve: Callable[[int, Peer], None]) -> None:
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sockets.append(listening)
        before = os.umask(0o177)
        try:
            listening.bind(str(self._claim.place.socket(way)))
        finally:
            os.umask(before)
        listening.listen(_BACKLOG)
        self._hub.tracer.add_reader(listening.fileno(), lambda: _accept(listening, serve), select.EPOLLIN)

    def _debugger(self, descriptor: int, peer: Peer) -> None:
        self._hub.open_debugger(self._claim.place.pid, descriptor, peer)

    def _control(self, descriptor: int, peer: Peer) -> None:
        ControlClient(self._hub, self._claim.place.pid, descriptor, peer)


def _accept(listening: socket.socket, serve: Callable[[int, Peer], None]) -> None:
    try:
        connection, _ = listening.accept()
    except OSError:
        return
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, user, _ = _CREDENTIALS.unpack(credentials)
    if user not in (0, os.geteuid()):
        connection.close()
        return
    serve(connection.detach(), Peer(pid))

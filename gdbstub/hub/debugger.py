"""One debugger on a shared process: a connection, its session, and its engine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gdbstub.hub.connection import Connection
from gdbstub.rsp.session import Options, Session
from gdbstub.target.live.target import LiveTarget
from gdbstub.target.values import TargetError

if TYPE_CHECKING:
    from gdbstub.hub.hub import Hub


class SharedTarget(LiveTarget):
    """A debugger's view of what a hub shares: it joins what is there and starts nothing."""

    def attach(self, pid: int) -> None:
        """Join a process that the hub shares."""
        if pid not in self.tracer.processes:
            raise TargetError(f"process {pid} is not shared here: gdbstub gdb {pid} debugs it")
        super().attach(pid)

    def run(self, arguments: Sequence[str]) -> None:
        """Nothing is started here."""
        raise TargetError("programs are started by gdbstub-server or gdbstub share, not by what shares one")


class Debugger:
    """Comes with its connection and goes with it; what it leaves behind is nothing."""

    def __init__(self, hub: Hub, pid: int, descriptor: int, who: str) -> None:
        self._hub = hub
        self.target = SharedTarget(hub.tracer)
        self.target.label = f"debugger of {who}"
        self.connected = False
        try:
            self.target.attach(pid)
        except TargetError:
            os.close(descriptor)
            return
        self.connected = True
        self._connection = Connection(hub.tracer, descriptor, descriptor, self._gone)
        session = Session(self.target, self._connection.write, Options())
        session.on_exit = self.close
        self._connection.serve(session)

    def close(self) -> None:
        """Leave, and end the connection."""
        self._connection.close()

    def _gone(self) -> None:
        self.target.close_all_files()
        for pid in self.target.processes():
            self.target.detach(pid)
        self._hub.debugger_gone(self)

"""A client's breakpoints and watchpoints on live processes."""

from __future__ import annotations

from gdbstub.target import interfaces
from gdbstub.target.live.breakpoint import LiveBreakpoint
from gdbstub.target.live.engine import DebuggerEngine
from gdbstub.target.values import BreakpointKind, BreakpointRequest, TargetError
from gdbstub.utrace.breakpoints import Breakpoint
from gdbstub.utrace.errors import UtraceError
from gdbstub.utrace.task import Process
from gdbstub.utrace.watchpoints import Watchpoint

_WATCHED = {
    BreakpointKind.HARDWARE: "execute",
    BreakpointKind.WRITE: "write",
    BreakpointKind.ACCESS: "access",
}


class LiveBreakpoints(DebuggerEngine, interfaces.Breakpoints):
    """Insertion and removal; the core keeps them."""

    def insert_breakpoint(self, pid: int, request: BreakpointRequest) -> None:
        """Insert it, or replace the conditions and commands of one that is there."""
        process = self.process(pid)
        existing = self._find(process, request)
        if existing is not None:
            existing.data = LiveBreakpoint(request)
            return
        try:
            if request.kind is BreakpointKind.SOFTWARE:
                process.address_space.breakpoints.insert(self, request.address, LiveBreakpoint(request))
            elif request.kind in _WATCHED:
                kind = _WATCHED[request.kind]
                length = 1 if kind == "execute" else request.length
                process.watchpoints.insert(self, kind, request.address, length, LiveBreakpoint(request))
            else:
                raise NotImplementedError(f"this machine cannot watch for {request.kind.name.lower()}")
        except UtraceError as error:
            raise TargetError(str(error.strerror)) from None
        except OSError as error:
            raise TargetError(
                f"Cannot insert a breakpoint at {request.address:#x}: {error.strerror}"
            ) from None

    def remove_breakpoint(self, pid: int, request: BreakpointRequest) -> None:
        """Take it out; one that is not there (its program is gone) needs nothing."""
        process = self.process(pid)
        existing = self._find(process, request)
        if isinstance(existing, Breakpoint):
            try:
                process.address_space.breakpoints.remove(existing)
            except OSError as error:
                raise TargetError(str(error.strerror)) from None
        elif existing is not None:
            process.watchpoints.remove(existing)

    def _find(self, process: Process, request: BreakpointRequest) -> Breakpoint | Watchpoint | None:
        if request.kind is BreakpointKind.SOFTWARE:
            plant = process.address_space.breakpoints.at(request.address)
            owners = plant.owners if plant is not None else []
            return next((owner for owner in owners if owner.engine is self), None)
        wanted = (_WATCHED.get(request.kind), request.address)
        for watchpoint in process.watchpoints.of(self):
            if (watchpoint.kind, watchpoint.address) == wanted and (
                request.kind is BreakpointKind.HARDWARE or watchpoint.length == request.length
            ):
                return watchpoint
        return None

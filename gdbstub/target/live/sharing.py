"""Who else is on a debugger's processes, for its user to read."""

from __future__ import annotations

from gdbstub.target import interfaces
from gdbstub.target.live.engine import DebuggerEngine
from gdbstub.utrace.status import EngineStatus, ProcessStatus, label_of, status_of


class LiveSharing(DebuggerEngine, interfaces.Sharing):
    """All engines on the processes that this one is on."""

    def sharing(self) -> str:
        """A paragraph for each process."""
        statuses = [status_of(process) for process in self._processes.values()]
        return "".join(self._paragraph(status) for status in statuses) or "No process is debugged.\n"

    def _paragraph(self, status: ProcessStatus) -> str:
        lines = [f"process {status.pid}, {_count(len(status.threads), 'thread')}"]
        for engine in status.engines:
            you = " (you)" if engine.label == label_of(self) else ""
            lines.append(f"  {engine.label}{you}: {_what(engine, len(status.threads))}")
        return "\n".join(lines) + "\n"


def _what(engine: EngineStatus, threads: int) -> str:
    if not engine.holds:
        holds = "holds nothing"
    elif len(engine.holds) == threads:
        holds = "holds all threads"
    else:
        holds = f"holds {_count(len(engine.holds), 'thread')} ({', '.join(map(str, engine.holds))})"
    parts = [holds]
    if engine.breakpoints:
        parts.append("breakpoints at " + ", ".join(f"{address:#x}" for address in engine.breakpoints))
    if engine.watchpoints:
        parts.append("watchpoints at " + ", ".join(f"{address:#x}" for address in engine.watchpoints))
    return "; ".join(parts)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"

"""What describes a live process: auxiliary vector, executable, libraries, siginfo."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import TypeVar

from gdbstub.linux import procfs, signals
from gdbstub.linux.link_map import namespaces, objects
from gdbstub.linux.siginfo import SigInfo
from gdbstub.target import interfaces
from gdbstub.target.live.engine import DebuggerEngine
from gdbstub.target.values import NoSuchThread, TargetError, ThreadId
from gdbstub.utrace.task import Process

_Contents = TypeVar("_Contents")


class LiveData(DebuggerEngine, interfaces.ProcessData, interfaces.SignalData):
    """Files of /proc, and structures of the dynamic linker."""

    def auxiliary_vector(self, pid: int) -> bytes:
        """AT_* pairs. A process whose leader has ended has it still under another thread's id."""
        return self._of_any_task(self.process(pid), procfs.auxv)

    def executable(self, pid: int) -> str:
        """The program's path."""
        return self._of_any_task(self.process(pid), procfs.executable)

    def libraries(self, pid: int, start: Mapping[str, int]) -> str:
        """The library list; `start` names a link_map and the one before it, to list from there on."""
        process = self.process(pid)
        bits = process.architecture.bits
        read = process.address_space.read_some
        if start.get("start"):
            lists = [(start.get("lmid", 0), start["start"], start.get("prev", 0))]
            main = ""
        else:
            found = namespaces(read, self.auxiliary_vector(pid), bits)
            if found is None:
                raise TargetError("the program does not say where its libraries are")
            lists = [(namespace.debug, namespace.first, 0) for namespace in found]
            main = f' main-lm="{found[0].first:#x}"' if found and found[0].first else ""
        items = []
        for debug, first, previous in lists:
            for loaded in objects(read, first, previous, bits):
                if loaded.name:
                    items.append(
                        f'<library name="{escape(loaded.name)}" lm="{loaded.link_map:#x}"'
                        f' l_addr="{loaded.base:#x}" l_ld="{loaded.dynamic:#x}" lmid="{debug:#x}"/>'
                    )
        return f'<library-list-svr4 version="1.0"{main}>{"".join(items)}</library-list-svr4>'

    def read_siginfo(self, thread: ThreadId) -> bytes:
        """The siginfo of the signal that the thread stopped for, in the program's layout."""
        found = self.thread(thread)
        info = found.parked or found.task.siginfo
        if found.task.process.architecture.bits == 32:
            from gdbstub.linux.siginfo_layout import to_32_bit

            return to_32_bit(info.raw)
        return info.raw

    def write_siginfo(self, thread: ThreadId, contents: bytes) -> None:
        """Replace the siginfo of a signal that will be delivered.

        A debugger that has called a function restores with it what the thread had stopped for.
        """
        found = self.thread(thread)
        if found.task.process.architecture.bits == 32:
            from gdbstub.linux.siginfo_layout import from_32_bit

            contents = from_32_bit(contents)
        info = SigInfo(contents)
        if found.parked is not None or info.number != signals.SIGTRAP:
            found.parked = info

    def _of_any_task(self, process: Process, read: Callable[[int], _Contents]) -> _Contents:
        for tid in process.tasks:
            try:
                return read(tid)
            except (ProcessLookupError, PermissionError):
                continue
        raise NoSuchThread(f"process {process.pid} has ended")

"""The order in which stops are told, when several happened at once.

A pure piece of policy: stops are told oldest first, one each time, and only those of threads that the
client has resumed; the others wait with their threads. What is no longer true is dropped when its turn
comes.
"""

from __future__ import annotations

from collections.abc import Callable

from gdbstub.target.live.thread import LiveThread
from gdbstub.target.values import Stop


class StopQueue:
    """Stops that have happened and have not been told."""

    def __init__(self, still_true: Callable[[LiveThread, Stop], bool]) -> None:
        """`still_true` says whether a thread still stands for its stop."""
        self._still_true = still_true
        self._entries: list[tuple[LiveThread | None, Stop]] = []

    def add(self, thread: LiveThread | None, stop: Stop) -> None:
        """A stop happened; without a thread it is one that nothing stands still for."""
        if thread is not None:
            if thread.pending is not None:
                return
            thread.pending = stop
        self._entries.append((thread, stop))

    def take(self, may_be_told: Callable[[LiveThread], bool]) -> tuple[LiveThread | None, Stop] | None:
        """The next stop to be told, and its thread."""
        self.drop_untrue(may_be_told)
        for entry in self._entries:
            thread, _ = entry
            if thread is None or may_be_told(thread):
                self._entries.remove(entry)
                if thread is not None:
                    thread.pending = None
                return entry
        return None

    def has(self, may_be_told: Callable[[LiveThread], bool]) -> bool:
        """Whether there is a stop to be told."""
        self.drop_untrue(may_be_told)
        return any(thread is None or may_be_told(thread) for thread, _ in self._entries)

    def drop(self, thread: LiveThread) -> None:
        """A thread is gone, and what it stood for with it."""
        thread.pending = None
        self._entries = [entry for entry in self._entries if entry[0] is not thread]

    def drop_untrue(self, may_be_told: Callable[[LiveThread], bool]) -> None:
        """Forget stops, of threads whose turn it is, that are no longer true."""
        for thread, stop in list(self._entries):
            if thread is not None and may_be_told(thread) and not self._still_true(thread, stop):
                self.drop(thread)

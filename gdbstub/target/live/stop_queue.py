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
        self._entries.append((thread, stop))

    def stops(self) -> list[Stop]:
        """The stops that have not been told."""
        return [stop for _, stop in self._entries]

    def waits(self, thread: LiveThread) -> bool:
        """Whether a stop of this thread has not been told."""
        return any(entry[0] is thread for entry in self._entries)

    def take(self, may_be_told: Callable[[LiveThread], bool]) -> tuple[LiveThread | None, Stop] | None:
        """The next stop to be told, and its thread."""
        entry = self._next(may_be_told)
        if entry is not None:
            self._entries.remove(entry)
        return entry

    def has(self, may_be_told: Callable[[LiveThread], bool]) -> bool:
        """Whether there is a stop to be told."""
        return self._next(may_be_told) is not None

    def drop(self, thread: LiveThread | None) -> None:
        """A thread is gone, and what it stood for with it; None: all that no thread stands still for."""
        self._entries = [entry for entry in self._entries if entry[0] is not thread]

    def _next(self, may_be_told: Callable[[LiveThread], bool]) -> tuple[LiveThread | None, Stop] | None:
        """The first stop whose turn it is, those before it that are no longer true forgotten."""
        for entry in list(self._entries):
            thread, stop = entry
            if thread is not None and not may_be_told(thread):
                continue
            if thread is None or self._still_true(thread, stop):
                return entry
            self._entries.remove(entry)
        return None

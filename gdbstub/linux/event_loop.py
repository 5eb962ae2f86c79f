"""What the tracer's loop waits with: callbacks over epoll."""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Callable

_PATIENCE = 50e-6
"""Seconds of active waiting."""


class Poller:
    """Callbacks for readable descriptors over one epoll, which is itself a pollable descriptor."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        # On a single processor it would only keep away whoever is waited for.
        self._patience = _PATIENCE if len(os.sched_getaffinity(0)) > 1 else 0.0
        self._callbacks: dict[int, Callable[[], None]] = {}

    def fileno(self) -> int:
        """Readable when a callback is due."""
        return self._epoll.fileno()

    def add(self, descriptor: int, callback: Callable[[], None], events: int = select.EPOLLIN) -> None:
        """Call back whenever `events` hold."""
        self._epoll.register(descriptor, events)
        self._callbacks[descriptor] = callback

    def change(self, descriptor: int, events: int) -> None:
        """Wait for other events of a descriptor."""
        self._epoll.modify(descriptor, events)

    def remove(self, descriptor: int) -> None:
        """Stop calling back."""
        if self._callbacks.pop(descriptor, None) is not None:
            with contextlib.suppress(OSError):
                self._epoll.unregister(descriptor)

    def poll(self, timeout: float | None) -> None:
        """Wait for at most `timeout` seconds (None: without end) and make the calls that are due.

        In the middle of a conversation the next thing comes within microseconds: it is looked out for
        actively for a moment, since going to sleep and being woken up takes longer than that.
        """
        ready = self._epoll.poll(0)
        if not ready and timeout != 0:
            if self._patience:
                ready = self._look_out()
            if not ready:
                ready = self._epoll.poll(-1 if timeout is None else timeout)
        for descriptor, _ in ready:
            callback = self._callbacks.get(descriptor)
            if callback is not None:
                callback()

    def _look_out(self) -> list[tuple[int, int]]:
        poll, now = self._epoll.poll, time.perf_counter
        end = now() + self._patience
        ready = poll(0)
        while not ready and now() < end:
            ready = poll(0)
        return ready

    def close(self) -> None:
        """Give up the epoll; nothing is called back any more."""
        self._callbacks.clear()
        self._epoll.close()

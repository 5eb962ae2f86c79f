"""gdbstub release: everybody leaves a process, and it runs on."""

from __future__ import annotations

import time
from collections.abc import Sequence

from gdbstub.cli.main import CommandFailed, process_id

_PATIENCE = 20.0
_POLL_INTERVAL = 0.01


def run(words: Sequence[str]) -> int:
    """PID: returns when the process is not traced any more."""
    from gdbstub.hub.control import ask
    from gdbstub.hub.runtime import Place

    if len(words) != 1:
        raise CommandFailed("which process? gdbstub release PID")
    place = Place.of(process_id(words[0]))
    if not place.is_live():
        raise CommandFailed(f"process {place.pid} is not shared")
    ask(place, "release")
    deadline = time.monotonic() + _PATIENCE
    while place.is_live():
        if time.monotonic() > deadline:
            raise CommandFailed(f"process {place.pid} is still traced")
        time.sleep(_POLL_INTERVAL)
    return 0

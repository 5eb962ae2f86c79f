"""The background process that shares one process (and its followed children) until nobody needs it."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass

from gdbstub.hub.control import NoAnswer, announce
from gdbstub.hub.runtime import Place
from gdbstub.utrace.errors import UtraceError

_PATIENCE = 20.0
"""Seconds for a hub to start, and for a first client to come to one that was started for it."""
_POLL_INTERVAL = 0.01


class CannotShare(Exception):
    """The process cannot be traced; the text says why."""


@dataclass(frozen=True)
class Seat:
    """A place where a debugger is expected."""

    place: Place
    connection: socket.socket
    """The hub stays until a debugger has come from this process, or this is closed."""


def make_sure(pid: int) -> Seat:
    """A seat on a process that is shared from now on, by the hub that is there or by a new one.

    Raises CannotShare.
    """
    place = Place.of(pid)
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if not place.is_live() and not _start(pid):
            continue
        try:
            return Seat(place, announce(place))
        except NoAnswer:
            # Somebody else has just begun to share it, or the last one has just left.
            time.sleep(_POLL_INTERVAL)
    raise CannotShare(f"Cannot share process {pid}: whoever has claimed it does not answer")


def _start(pid: int) -> bool:
    """Start a hub; False if somebody else has claimed the process meanwhile."""
    with subprocess.Popen(
        [sys.executable, "-m", "gdbstub.hub.daemon", str(pid)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    ) as first:
        assert first.stdout is not None
        line = first.stdout.readline()
    if not line:
        raise CannotShare(f"Cannot share process {pid}: the hub did not start")
    outcome = json.loads(line)
    if "error" in outcome:
        raise CannotShare(outcome["error"])
    return bool(outcome["claimed"])


def main() -> int:
    """`python -m gdbstub.hub.daemon PID`: tells in a line of JSON how it went, in the background."""
    pid = int(sys.argv[1])
    if os.fork():
        # The parent ends at once, so that the hub is nobody's child.
        os._exit(0)
    _start_afresh()
    from gdbstub.hub.hub import Hub
    from gdbstub.utrace.tracer import Tracer

    try:
        claim = Place.of(pid).claim()
        if claim is None:
            _tell({"claimed": False})
            return 0
    except OSError as error:
        _tell({"error": f"Cannot share process {pid}: {error}"})
        return 1
    with Tracer() as tracer:
        hub = Hub(tracer)
        ended = False

        def end() -> None:
            nonlocal ended
            ended = True
            tracer.wake()

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda number, frame: end())
        try:
            process = tracer.attach(pid, [hub.keeper])
            hub.share(process, claim)
        except (UtraceError, OSError) as error:
            claim.release()
            _tell({"error": error.strerror or str(error)})
            return 1
        _tell({"claimed": True})
        tracer.run_until(
            lambda: bool(ended or hub.expected or hub.debuggers or hub.kept or not tracer.processes),
            _PATIENCE,
        )
        hub.let_go_of_unused()
        # Debuggers stay until they have been told of the end, and leave by themselves.
        tracer.run_until(lambda: bool(ended or not (tracer.processes or hub.debuggers)))
        hub.close()
    return 0


def _start_afresh() -> None:
    """What whoever started us has set for itself is not for us."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _tell(outcome: dict[str, object]) -> None:
    """To whoever started us, who waits for a line and then for nothing more."""
    with contextlib.suppress(BrokenPipeError):
        os.write(1, json.dumps(outcome).encode() + b"\n")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)
    os.close(nothing)


if __name__ == "__main__":
    sys.exit(main())

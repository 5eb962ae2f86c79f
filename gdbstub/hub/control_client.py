"""One client of a hub's control socket: requests and replies as lines of JSON.

{"id": 1, "method": "status"} is answered {"id": 1, "result": ...} or {"id": 1, "error": {"message": "..."}}.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gdbstub.hub.hub import Hub, Peer

_READ_SIZE = 1 << 16
_LONGEST_LINE = 1 << 20


class _Refused(Exception):
    """A request that cannot be carried out; the text says why."""


class ControlClient:
    """Serves one connection until the client closes it or sends what is no request."""

    def __init__(self, hub: Hub, pid: int, descriptor: int, peer: Peer) -> None:
        self._hub = hub
        self.pid = pid
        self.peer = peer
        self._descriptor = descriptor
        self._buffer = b""
        self._closed = False
        self._methods: dict[str, Callable[[], Any]] = {
            "status": self._status,
            "expect": self._expect,
            "keep": self._keep,
            "release": self._release,
        }
        os.set_blocking(descriptor, False)
        hub.tracer.add_reader(descriptor, self._readable)

    def _readable(self) -> None:
        try:
            data = os.read(self._descriptor, _READ_SIZE)
        except OSError:
            data = b""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        if not data or len(self._buffer) > _LONGEST_LINE:
            self._close()
            return
        for line in lines:
            if not self._closed:
                self._answer(line)

    def _answer(self, line: bytes) -> None:
        identity: object = None
        try:
            request = json.loads(line)
            identity = request.get("id") if isinstance(request, dict) else None
            method = self._methods.get(request["method"])
            reply = (
                {"id": identity, "result": method()}
                if method is not None
                else _error(identity, "no such method")
            )
        except _Refused as error:
            reply = _error(identity, str(error))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            reply = _error(identity, f"no request: {error!r}")
        self._send(json.dumps(reply).encode() + b"\n")

    def _send(self, line: bytes) -> None:
        """A client that does not read is given up: the tracer waits for nobody."""
        try:
            sent = os.write(self._descriptor, line)
        except OSError:
            sent = 0
        if sent < len(line):
            self._close()

    def _status(self) -> list[dict[str, Any]]:
        return [asdict(status) for status in self._hub.statuses()]

    def _expect(self) -> bool:
        """A debugger is about to come from this client's process: stay until it has, or the client goes."""
        self._check_shared()
        self._hub.expected.add(self)
        return True

    def _keep(self) -> bool:
        self._check_shared()
        self._hub.kept.add(self.pid)
        return True

    def _check_shared(self) -> None:
        process = self._hub.tracer.processes.get(self.pid)
        if process is None or process.releasing:
            raise _Refused(f"process {self.pid} is not shared any more")

    def _release(self) -> bool:
        self._hub.tracer.soon(lambda: self._hub.release(self.pid))
        return True

    def _close(self) -> None:
        self._closed = True
        self._hub.tracer.remove_reader(self._descriptor)
        os.close(self._descriptor)
        if self in self._hub.expected:
            self._hub.expected.discard(self)
            self._hub.let_go_of_unused()


def _error(identity: object, message: str) -> dict[str, object]:
    return {"id": identity, "error": {"message": message}}

"""Asking a hub: one request, one reply."""

from __future__ import annotations

import json
import socket
from typing import Any

from gdbstub.hub.runtime import Place

_PATIENCE = 20.0
"""Seconds for an answer."""


class NoAnswer(Exception):
    """The hub is gone or does not answer; the text says which."""


def ask(place: Place, method: str) -> Any:
    """The result of a request. Raises NoAnswer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        return _ask(connection, place, method)


def announce(place: Place) -> socket.socket:
    """Have the hub stay until a debugger has come from this process, or the connection is closed.

    Raises NoAnswer.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _ask(connection, place, "expect")
    except NoAnswer:
        connection.close()
        raise
    return connection


def _ask(connection: socket.socket, place: Place, method: str) -> Any:
    try:
        connection.settimeout(_PATIENCE)
        connection.connect(str(place.socket("control")))
        connection.sendall(json.dumps({"id": 1, "method": method}).encode() + b"\n")
        with connection.makefile("rb") as lines:
            line = lines.readline()
        reply = (
            json.loads(line) if line else {"error": {"message": f"the hub of process {place.pid} has gone"}}
        )
    except (OSError, ValueError) as error:
        raise NoAnswer(f"the hub of process {place.pid} does not answer: {error}") from None
    if "error" in reply:
        raise NoAnswer(reply["error"]["message"])
    return reply["result"]

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
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_PATIENCE)
            connection.connect(str(place.socket("control")))
            connection.sendall(json.dumps({"id": 1, "method": method}).encode() + b"\n")
            with connection.makefile("rb") as lines:
                reply = json.loads(lines.readline())
    except (OSError, ValueError) as error:
        raise NoAnswer(f"the hub of process {place.pid} does not answer: {error}") from None
    if "error" in reply:
        raise NoAnswer(reply["error"]["message"])
    return reply["result"]

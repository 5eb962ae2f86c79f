"""The table of packets: each command module enters its handlers here.

A packet is found by its name: the first letter for the old one-letter packets, else everything up to the
first colon, semicolon or comma. What a server offers in qSupported is computed from this table and from
the capabilities of its target, so it cannot promise what is not there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gdbstub.rsp.session import Session

Handler = Callable[["Session", bytes], bytes | None]
"""(session, what follows the name) -> the reply; None: it comes later, or there is none."""

_LONG_NAME = re.compile(rb"[qQv][A-Za-z]+(?:-[a-z]+)?\??")


@dataclass(frozen=True, slots=True)
class Command:
    """One packet."""

    name: str
    handler: Handler
    needs: type | None
    """The capability that the target must have; without it the packet is answered empty."""
    features: tuple[str, ...]
    """What qSupported says for it."""


COMMANDS: dict[bytes, Command] = {}


def command(
    name: str, needs: type | None = None, features: tuple[str, ...] = ()
) -> Callable[[Handler], Handler]:
    """Enter a handler for a packet."""

    def enter(handler: Handler) -> Handler:
        COMMANDS[name.encode()] = Command(name, handler, needs, features)
        return handler

    return enter


def find(payload: bytes) -> tuple[Command, bytes] | None:
    """The command that a packet is, and what follows its name."""
    match = _LONG_NAME.match(payload)
    name = payload[:1] if match is None else match.group()
    found = COMMANDS.get(name)
    return None if found is None else (found, payload[len(name) :])

"""gdb's packets of all recorded sessions get replies of the recorded kinds over a simulated program, too."""

from __future__ import annotations

import re
from collections import deque

import pytest
import session_file
from session_file import INTERRUPT, Kind, Line, SessionFile
from session_grammar import MadeUpNames, SimulatedProgram, kind_of, stop_of
from session_text import encode

from gdbstub.rsp import commands as _commands  # noqa: F401 - fills the table of packets
from gdbstub.rsp.session import Session

_STOPS = re.compile(r"T[0-9a-f]{2}|[WX][0-9a-f]{2}")


@pytest.mark.parametrize("name", session_file.all_names())
def test_replies_are_of_the_recorded_kind(name: str) -> None:
    Conversation(session_file.read(name)).hold()


class Conversation:
    """gdb's side of a session, said to a session over a simulated program."""

    def __init__(self, recorded: SessionFile) -> None:
        self._recorded = recorded
        self._target = SimulatedProgram(recorded)
        architecture = self._target.machine
        self._names = MadeUpNames(recorded, architecture.by_name[architecture.pc].size)
        self._target.provide_files(recorded, self._names)
        self._registers = architecture.number
        self._replies: deque[str] = deque()
        self._notifications: deque[str] = deque()
        self._session = self._connect()
        self._request = b""

    def _connect(self) -> Session:
        session = Session(self._target, lambda data: None)
        session.log = self._log
        return session

    def _log(self, direction: str, packet: bytes) -> None:
        if direction == "server":
            self._replies.append(packet.decode("latin-1"))
        elif direction == "notification":
            self._notifications.append(packet.decode("latin-1"))

    def hold(self) -> None:
        """Say everything, and look at what comes back."""
        for line in self._recorded.lines:
            match line.kind:
                case Kind.COMMAND if line.text.startswith("target "):
                    self._session = self._connect()
                case Kind.REQUEST:
                    assert not self._replies, self._request
                    self._say(line.text)
                case Kind.REPLY:
                    self._look(line, line.text, self._replies)
                case Kind.NOTIFICATION:
                    self._look(line, line.text.removeprefix("Stop:"), self._notifications)

    def _say(self, text: str) -> None:
        if text == INTERRUPT:
            self._session.receive(b"\x03")
            return
        self._request = encode(text, self._names, self._registers)
        self._session.receive(b"$%b#%02x" % (self._request, sum(self._request) % 256))

    def _look(self, line: Line, recorded: str, found: deque[str]) -> None:
        if not found and _STOPS.match(recorded):
            self._target.make_threads()
            self._target.happen(stop_of(recorded, self._names))
        assert found, f"nothing comes in reply to {self._request!r}"
        actual = found.popleft().removeprefix("Stop:")
        self._names.learn(recorded, actual)
        assert kind_of(self._request, actual) == kind_of(self._request, recorded), f"{self._request!r}"

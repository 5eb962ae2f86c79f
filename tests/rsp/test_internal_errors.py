"""A bug in the handling of one packet: the client is told, and the session goes on."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest

from gdbstub.rsp import commands as _commands  # noqa: F401 - fills the table of packets
from gdbstub.rsp.session import Session
from gdbstub.target.values import ResumeAction, ThreadId
from gdbstub.testing.target import SimulatedTarget


class Broken(SimulatedTarget):
    def threads(self) -> list[ThreadId]:
        raise RuntimeError("a bug of ours")


def test_a_bug_is_an_error_reply_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    sent = bytearray()
    session = Session(Broken(), sent.extend)
    with caplog.at_level(logging.ERROR):
        session.receive(b"$g#67")
        session.receive(b"$qSupported#37")
    assert "internal error at packet b'g'" in caplog.text and "a bug of ours" in caplog.text
    refused, supported = bytes(sent).split(b"+")[1:3]
    assert refused == b"$E01#a6"
    assert supported.startswith(b"$PacketSize=")


class BrokenOnce(SimulatedTarget):
    def resume(self, actions: Sequence[ResumeAction]) -> None:
        self.resumptions.append(tuple(actions))
        if len(self.resumptions) == 1:
            raise RuntimeError("a bug of ours")


def test_a_resume_that_fails_by_a_bug_can_be_asked_for_again() -> None:
    target = BrokenOnce()
    target.add_process(10)
    sent = bytearray()
    session = Session(target, sent.extend)
    session.receive(b"$vCont;c#a8" * 2)
    assert bytes(sent) == b"+$E01#a6+"
    assert len(target.resumptions) == 2

"""A bug in the handling of one packet: the client is told, and the session goes on."""

from __future__ import annotations

import logging

import pytest

from gdbstub.rsp import commands as _commands  # noqa: F401 - fills the table of packets
from gdbstub.rsp.session import Session
from gdbstub.target.values import ThreadId
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

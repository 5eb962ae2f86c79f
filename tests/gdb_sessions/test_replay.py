"""Recorded sessions of stock gdb, replayed against the server."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import session_file
from session_elf import build_id
from session_file import Kind, Line, SessionFile
from session_run import OPTIONS, SessionRun
from session_transcript import Transcript
from session_wire import Wire

Build = Callable[..., Path]
_LOADER = Path("/lib64/ld-linux-x86-64.so.2")


@pytest.mark.parametrize("name", session_file.all_names())
def test_the_server_answers_gdb_as_recorded(name: str, build: Build, tmp_path: Path) -> None:
    session = session_file.read(name)
    if session.libraries and session.libraries != build_id(_LOADER.resolve()):
        pytest.skip("recorded with other libraries: run record_session.py to record it anew")
    programs = [
        _under_its_own_name(build(program.name, *OPTIONS, *program.options), program.name, tmp_path)
        for program in session.programs
    ]
    run = SessionRun(session, programs, tmp_path)
    try:
        Replay(session, run).play()
    finally:
        run.close()
    assert "Traceback" not in run.errors()


def _under_its_own_name(executable: Path, name: str, folder: Path) -> Path:
    """Threads are called after the program's file."""
    path = folder / name
    try:
        os.link(executable, path)
    except OSError:
        shutil.copy2(executable, path)
    return path


class Replay:
    """Plays gdb's side of a session."""

    def __init__(self, session: SessionFile, run: SessionRun) -> None:
        self._session = session
        self._run = run
        self._transcript = Transcript(run.names)
        self._wire: Wire | None = None

    def play(self) -> None:
        """From the first line to the last."""
        try:
            for line in self._session.lines:
                self._step(line)
        finally:
            self._hang_up()
        assert self._run.output() == self._session.of_kind(Kind.OUTPUT)

    def _step(self, line: Line) -> None:
        match line.kind:
            case Kind.COMMAND if line.text.startswith(("target remote", "target extended-remote")):
                self._hang_up()
                self._wire = self._run.connect()
            case Kind.REQUEST:
                self._request(line.text)
            case Kind.REPLY:
                self._check(line, self._reply())
            case Kind.NOTIFICATION:
                assert self._wire is not None
                self._check(line, self._transcript.server_notifies(self._wire.notification()))
            case Kind.STEP if line.text == session_file.ENDS:
                self._hang_up()
                assert self._run.ended() == 0
            case Kind.STEP:
                self._run.wait_until_asleep(line.text == session_file.SLEEPS)

    def _request(self, text: str) -> None:
        assert self._wire is not None
        if text == session_file.INTERRUPT:
            self._wire.interrupt()
            return
        self._skip_without_registers(text)
        packet = self._transcript.encode(text)
        assert self._transcript.gdb_says(packet) == text
        self._wire.send(packet)

    def _skip_without_registers(self, text: str) -> None:
        known = self._transcript.register_numbers
        for name in re.findall(r"\{reg (\w+)\}", text):
            if known and name not in known:
                pytest.skip(f"this processor has no {name}")

    def _reply(self) -> str:
        """The reply's text; an object that comes in pieces is read to its end."""
        assert self._wire is not None
        while (text := self._transcript.server_says(self._wire.reply())) is None:
            packet = self._transcript.next_piece(self._transcript.request)
            assert self._transcript.gdb_says(packet) is None
            self._wire.send(packet)
        return text

    def _check(self, line: Line, actual: str) -> None:
        request = self._transcript.request.decode("latin-1")
        if request.startswith("qSupported"):
            missing = set(line.text.split(";")) - set(actual.split(";"))
            assert not missing, f"no longer offered: {missing}"
            return
        assert actual.rstrip(" ") == line.text.rstrip(" "), f"in reply to {request}"

    def _hang_up(self) -> None:
        if self._wire is not None:
            wire, self._wire = self._wire, None
            wire.close()
            assert not wire.left_over

"""Record sessions of stock gdb anew: python tests/gdb_sessions/record_session.py NAME...

What gdb is to do stands in the session's file (the header, the `(gdb)` lines and the steps); everything else
in the file is replaced by what happens now. For a new session write a file with these lines alone.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import session_file
from pygdbmi.gdbcontroller import GdbController
from session_elf import build_id
from session_file import Kind, Line, SessionFile
from session_run import OPTIONS, SERVER, SessionRun, environment
from session_transcript import Transcript

PROGRAMS = Path(__file__).parents[1] / "programs"
ALWAYS = (
    "set confirm off",
    "set width 0",
    "set height 0",
    "set style enabled off",
    "set debuginfod enabled off",
    "set sysroot /",
)
QUIET = ("set remote read-aux-vector-packet off", "set exec-file-mismatch off")
_ABOUT_THE_MACHINE = ("info os ",)
"""Commands whose output tells about the machine: only its first line, the headings, is kept."""
_PATIENCE = 10
_MORE_OUTPUT_WITHIN = 0.02
_ENDS_WITHIN = 1.5


class Gdb:
    """Stock gdb, given commands as a user would type them."""

    def __init__(self, folder: Path) -> None:
        os.chdir(folder)
        self._mi = GdbController(["gdb", "-nx", "-q", "--interpreter=mi3"], _MORE_OUTPUT_WITHIN)
        assert self._mi.gdb_process is not None
        self._process = self._mi.gdb_process
        self._token = 0
        self._running = False

    def command(self, text: str, wait: bool) -> list[str]:
        """Give a command; its output, if `wait` until the program has stopped again."""
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        output = self._mi_command(f'-interpreter-exec console "{quoted}"')
        return output + self._until_stopped() if wait else output

    def interrupt(self) -> list[str]:
        """Ctrl-C."""
        os.kill(self._process.pid, signal.SIGINT)
        return self._until_stopped()

    def quit(self) -> None:
        """Leave."""
        self._mi.write("-gdb-exit", read_response=False)
        self._process.wait(_PATIENCE)

    def _until_stopped(self) -> list[str]:
        output = []
        while self._running:
            output += [text for text in map(self._take, self._responses()) if text]
        # Once this is answered, gdb has done all that a stop makes it do.
        return output + self._mi_command("-list-features")

    def _mi_command(self, text: str) -> list[str]:
        self._token += 1
        self._mi.write(f"{self._token}{text}", read_response=False)
        output: list[str] = []
        while True:
            responses = self._responses()
            output += [text for text in map(self._take, responses) if text]
            if any(one["type"] == "result" and one["token"] == self._token for one in responses):
                return output

    def _responses(self) -> list[dict[str, Any]]:
        responses: list[dict[str, Any]] = self._mi.get_gdb_response(_PATIENCE)
        return responses

    def _take(self, response: dict[str, Any]) -> str:
        if response["type"] == "notify" and response["message"] in ("running", "stopped"):
            self._running = response["message"] == "running"
        if response["type"] == "result" and response["message"] == "error":
            return str(response["payload"]["msg"])
        return str(response["payload"] or "") if response["type"] in ("console", "target") else ""


class Recorder:
    """Plays a session's script and writes down what travels and what gdb prints."""

    def __init__(self, session: SessionFile, programs: list[Path], folder: Path) -> None:
        self.session = session
        self._run = SessionRun(session, programs, folder)
        self._transcript = Transcript(self._run.names)
        self._log = (folder / "packets").open("w+")
        self._lines: list[Line] = []
        self._gdb = Gdb(folder)
        self._address = ""
        self._programs = programs

    def record(self) -> None:
        """Record, and write the file."""
        try:
            self._prepare()
            script = list(self.session.script)
            for line, following in zip(script, [*script[1:], None], strict=True):
                self._step(line, following)
            self._gdb.quit()
            self._take_packets()
            self._end()
        finally:
            self._run.close()
        self.session.lines = self._lines
        self.session.libraries = self._libraries()
        session_file.write(self.session)
        for address in sorted(self._transcript.unnamed):
            print(f"{self.session.name}: gdb uses {address:#x}, which no placeholder stands for")

    def _prepare(self) -> None:
        options = ["--debug", f"--debug-file={self._log.name}"]
        if self.session.connect == "stdio":
            self._address = " ".join(["|", str(SERVER), *options, *self._run.arguments("-")])
        else:
            self._address = self._run.start(*options)
        file = [f"file {self._programs[0]}"] if self.session.programs else []
        for command in chain(ALWAYS, QUIET if self.session.quiet else (), file):
            self._gdb.command(command, wait=True)

    def _step(self, line: Line, following: Line | None) -> None:
        if line.kind is Kind.STEP:
            self._run.wait_until_asleep(line.text == session_file.SLEEPS)
            self._take_packets()
            self._lines.append(line)
            return
        self._lines.append(line)
        command = self._run.names.from_text(line.text.replace("{address}", self._address))
        if line.text == session_file.INTERRUPT:
            output = self._gdb.interrupt()
        else:
            wait = not command.endswith("&") and (following is None or following.kind is Kind.COMMAND)
            output = self._gdb.command(command, wait)
        self._take_packets()
        printed = self._readable("".join(output)).splitlines()
        if command.startswith(_ABOUT_THE_MACHINE):
            del printed[1:]
        self._lines += [Line(Kind.CONSOLE, part) for part in printed]

    def _readable(self, text: str) -> str:
        """gdb's output without what differs from run to run."""
        names = self._run.names
        text = names.in_text(text.replace(f"{PROGRAMS}/", "").replace(self._address, "{address}"))

        def identity(match: re.Match[str]) -> str:
            number = int(match[0])
            return f"{{{names.identity(number)}}}" if names.knows(number) else match[0]

        text = re.sub(r"(?<=process )\d+", identity, text)
        return re.sub(r"(?<=Thread )[\d.]+", lambda match: re.sub(r"\d+", identity, match[0]), text)

    def _take_packets(self) -> None:
        for entry in self._log.read().splitlines():
            arrow, _, text = entry.partition(" ")
            packet = text.encode("ascii").decode("unicode_escape").encode("latin-1")
            if entry.startswith("<- ^C"):
                self._lines.append(Line(Kind.REQUEST, session_file.INTERRUPT))
            elif arrow == "<-":
                self._request(packet)
            elif arrow == "->":
                self._add(Kind.REPLY, self._transcript.server_says(packet))
            elif arrow == "->%":
                self._add(Kind.NOTIFICATION, self._transcript.server_notifies(packet))

    def _request(self, packet: bytes) -> None:
        text = self._transcript.gdb_says(packet)
        self._add(Kind.REQUEST, text)
        if text is not None and self._transcript.encode(text) != packet:
            raise ValueError(f"{packet!r} cannot be made from its text {text}")

    def _add(self, kind: Kind, text: str | None) -> None:
        if text is not None:
            self._lines.append(Line(kind, text))

    def _end(self) -> None:
        if self._run.server is None:
            # gdb started it, and nobody else can connect to it: replaying shows that it ends.
            self._lines.append(Line(Kind.STEP, session_file.ENDS))
            return
        if self._run.ended(_ENDS_WITHIN) == 0:
            self._lines.append(Line(Kind.STEP, session_file.ENDS))
        self._lines += [Line(Kind.OUTPUT, text) for text in self._run.output()]

    def _libraries(self) -> str:
        """The loader's build id, if what gdb asked depends on it."""
        asked = " ".join(line.text for line in self._lines if line.kind is Kind.REQUEST)
        return build_id(loader()) if any(name in asked for name in self._run.names.in_libraries) else ""


def loader() -> Path:
    """The dynamic loader of this machine's programs."""
    return Path(os.path.realpath("/lib64/ld-linux-x86-64.so.2"))


def compile_programs(session: SessionFile, folder: Path) -> Iterator[Path]:
    """The session's programs, made as the tests' `build` fixture makes them."""
    for program in session.programs:
        executable = folder / program.name
        source = PROGRAMS / f"{program.name}.c"
        options = ["-g", "-O0", "-pthread", *OPTIONS, *program.options]
        subprocess.run(["gcc", *options, "-o", executable, source], check=True)
        yield executable


def main(names: list[str]) -> None:
    """Record the named sessions."""
    os.environ.update(environment())
    for name in names:
        session = session_file.read(name.removesuffix(".session").rpartition("/")[2])
        with tempfile.TemporaryDirectory() as folder:
            programs = list(compile_programs(session, Path(folder)))
            Recorder(session, programs, Path(folder)).record()


if __name__ == "__main__":
    main(sys.argv[1:])

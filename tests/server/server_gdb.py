"""A real gdb as its user has it: verbs over the machine interface."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from pygdbmi.constants import GdbTimeoutError
from pygdbmi.gdbcontroller import GdbController
from server_process import PATIENCE, NeverCame

Record = dict[str, Any]
_LULL = 0.002
"""Seconds without output after which what gdb has said is looked at."""


class Gdb:
    """One gdb process."""

    def __init__(self, program: object = "", *, takes_commands_while_running: bool = True) -> None:
        """Without taking commands while the program runs, gdb interrupts it when it gets a SIGINT."""
        command = ["gdb", "--nx", "--quiet", "--interpreter=mi3"]
        words = [*command, str(program)] if program else command
        self._controller = GdbController(words, time_to_check_for_additional_output_sec=_LULL)
        self._records: list[Record] = []
        for setting in ("confirm off", "pagination off", "height 0", "width 0"):
            self.console(f"set {setting}")
        self.console(f"set mi-async {'on' if takes_commands_while_running else 'off'}")

    @property
    def pid(self) -> int:
        assert self._controller.gdb_process is not None
        return self._controller.gdb_process.pid

    def request(self, command: str) -> Record:
        """A machine interface command; its result record."""
        self._controller.write(command, read_response=False)
        return self._next(lambda record: record["type"] == "result")

    def console(self, command: str) -> str:
        """A command as a user types it; what gdb prints. A failure's text is its message."""
        text: list[str] = []

        def is_result(record: Record) -> bool:
            if record["type"] in ("console", "target", "log") and record["payload"]:
                text.append(record["payload"])
            return bool(record["type"] == "result")

        quoted = command.replace("\\", "\\\\").replace('"', '\\"')
        self._controller.write(f'-interpreter-exec console "{quoted}"', read_response=False)
        result = self._next(is_result)
        if result["message"] == "error":
            return str(result["payload"]["msg"])
        return "".join(text)

    def target(self, port: int, kind: str = "remote") -> None:
        """Connect. The stop that the program stands at is taken."""
        self.done(self.request(f"-target-select {kind} localhost:{port}"))
        if kind == "remote":
            self.stop()

    def done(self, result: Record) -> Record:
        """The payload of a result that must not be an error."""
        if result["message"] not in ("done", "running", "connected", "exit"):
            raise AssertionError(result)
        return result["payload"] or {}

    def stop(self) -> Record:
        """Wait for the next stop; its payload."""
        record = self._next(lambda record: record["type"] == "notify" and record["message"] == "stopped")
        return dict(record["payload"] or {})

    def resume(self, command: str) -> Record:
        """A command that lets the program run (continue, step...); the stop after it."""
        self.go(command)
        return self.stop()

    def go(self, command: str) -> None:
        """A command that lets the program run."""
        self.done(self.request(f"-{command}" if command.startswith("exec") else f"-exec-{command}"))

    def insert(self, place: str) -> None:
        self.done(self.request(f"-break-insert {place}"))

    def evaluate(self, expression: str) -> str:
        result = self.request(f'-data-evaluate-expression "{expression}"')
        return str(self.done(result)["value"])

    def frames(self) -> list[str]:
        """The functions of the selected thread's stack, innermost first."""
        return [frame["func"] for frame in self.done(self.request("-stack-list-frames"))["stack"]]

    def kill_itself(self) -> None:
        """gdb dies of SIGKILL: it says nothing to anybody."""
        assert self._controller.gdb_process is not None
        self._controller.gdb_process.send_signal(signal.SIGKILL)
        self._controller.gdb_process.wait(PATIENCE)

    def end(self) -> None:
        process = self._controller.gdb_process
        if process is None:
            return
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        self._controller.gdb_process = None

    def _next(self, wanted: Any) -> Record:
        """Read on to the record that is wanted; stops on the way stay for `stop`."""
        kept: list[Record] = []
        while True:
            while self._records:
                record = self._records.pop(0)
                if wanted(record):
                    self._records[:0] = kept
                    return record
                if record["type"] == "notify" and record["message"] == "stopped":
                    kept.append(record)
            try:
                self._records += self._controller.get_gdb_response(PATIENCE)
            except GdbTimeoutError:
                raise NeverCame(f"gdb says nothing; it said {kept}") from None


StartGdb = Callable[..., Gdb]
"""gdb(program): a gdb that is started."""

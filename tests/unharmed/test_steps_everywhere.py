"""Steps across system calls, into and out of signal handlers, and over fork, vfork, clone and exec: one stop
for each instruction, at the right place, and the program none the wiser.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from unharmed_support import FIXED, Build, Starter, plain_run, symbols

from gdbstub import Engine, Event, Resume, Task, Tracer
from gdbstub.utrace.breakpoints import Breakpoint
from gdbstub.utrace.engine import Answer
from gdbstub.utrace.syscall import SyscallEntry, SyscallExit
from gdbstub.utrace.task import Program as ExecutedProgram

ENOUGH = 5000
AT_CALL = ("at_call", "at_call+3", "at_call+6", "at_syscall", "at_return", "at_return+2")
"""The instructions of `call`, in order."""


class Walker(Engine):
    """Steps from a breakpoint at `call` on until it has returned from there."""

    events = Event.BREAKPOINT | Event.STEP | Event.QUIESCE | Event.SIGNAL_ALL | Event.EXEC

    def __init__(self, names: dict[str, int]) -> None:
        self.names = names
        self.places: list[int] = []
        self.walking = False
        self.executed_at = 0

    def attached(self, task: Task) -> None:
        task.process.address_space.breakpoints.insert(self, self.names["at_call"])

    def report_breakpoint(self, task: Task, action: int, breakpoint: Breakpoint) -> Answer:
        self.walking = True
        self.places.append(task.registers.pc)
        return Resume.SINGLESTEP

    def report_step(self, task: Task, action: int, kind: int) -> Answer:
        self.places.append(task.registers.pc)
        before = self.places[-2]
        if before == self.names["at_return"] + 2 or len(self.places) > ENOUGH:
            self.walking = False
            return Resume.RESUME
        return Resume.SINGLESTEP

    def report_quiesce(self, task: Task, action: int, event: int) -> Answer:
        return Resume.SINGLESTEP if self.walking and not event else Resume.RESUME

    def report_signal(self, task: Task, action: int, info: object, disposition: object) -> Answer:
        if disposition is None and action & 0x70 == 0x70:
            self.places.append(task.registers.pc)
        return (action & 0x70) | (Resume.SINGLESTEP if self.walking else Resume.RESUME)

    def report_exec(self, task: Task, action: int, program: ExecutedProgram) -> Answer:
        self.executed_at = task.registers.pc
        return Resume.SINGLESTEP

    def words(self) -> list[str]:
        """The places as offsets from labels."""
        labels = "at_call", "at_syscall", "at_return", "handler"
        found = []
        for place in self.places:
            base = max(
                (name for name in labels if self.names[name] <= place < self.names[name] + 64),
                key=lambda name: self.names[name],
                default=None,
            )
            offset = place - self.names[base] if base else 0
            found.append("elsewhere" if base is None else base + (f"+{offset}" if offset else ""))
        return found


class Calls(Engine):
    """Looks on at system calls."""

    events = Event.SYSCALL

    def __init__(self) -> None:
        self.seen: list[tuple[str, int]] = []

    def report_syscall_entry(self, task: Task, action: int, call: SyscallEntry) -> Answer:
        self.seen.append(("entry", call.number))
        return None

    def report_syscall_exit(self, task: Task, action: int, call: SyscallExit) -> Answer:
        self.seen.append(("exit", call.number))
        return None


@pytest.fixture(scope="module")
def program(build: Build) -> Path:
    return build("unharmed_calls", *FIXED)


def walk(starter: Starter, tracer: Tracer, program: Path, what: str, *others: Engine) -> tuple[Walker, str]:
    walker = Walker(symbols(program))
    _, started = starter.traced(tracer, program, what, engines=[walker, *others])
    started.go()
    return walker, started.finish(tracer)


@pytest.mark.parametrize("traced", [False, True], ids=["", "with system calls traced"])
@pytest.mark.parametrize("call", ["getpid", "fork", "vfork", "clone"])
def test_one_step_for_each_instruction_of_a_call(
    starter: Starter, tracer: Tracer, program: Path, call: str, traced: bool
) -> None:
    calls = Calls()
    walker, text = walk(starter, tracer, program, call, *([calls] if traced else []))
    assert text == plain_run(program, call)
    words = walker.words()
    assert words[:-1] == list(AT_CALL)
    assert words[-1] == "elsewhere"
    number = {"getpid": 39, "fork": 57, "vfork": 58, "clone": 56}[call]
    if traced:
        assert calls.seen.count(("entry", number)) == calls.seen.count(("exit", number)) >= 1


@pytest.mark.parametrize("traced", [False, True], ids=["", "with system calls traced"])
def test_a_step_over_exec_ends_at_the_new_programs_first_instruction(
    starter: Starter, tracer: Tracer, program: Path, traced: bool
) -> None:
    walker, text = walk(starter, tracer, program, "exec", *([Calls()] if traced else []))
    assert text == "executed\n"
    assert walker.words()[: len(AT_CALL) - 2] == list(AT_CALL[:4])
    assert walker.places[4] == walker.executed_at


@pytest.mark.parametrize("traced", [False, True], ids=["", "with system calls traced"])
def test_steps_go_into_a_handler_and_back(
    starter: Starter, tracer: Tracer, program: Path, traced: bool
) -> None:
    """The call is kill: its signal is there when it returns."""
    walker, text = walk(starter, tracer, program, "kill", *([Calls()] if traced else []))
    assert text == "0, handled 1\n" == plain_run(program, "kill")
    words = walker.words()
    assert words[:4] == list(AT_CALL[:4])
    first = words.index("handler")
    assert [word for word in words[4:first] if word != "at_return"] == []
    assert words.count("handler") == 1
    assert words.count("at_return+2") == 1
    assert words[-3:-1] == ["at_return", "at_return+2"]
    assert len(words) < ENOUGH

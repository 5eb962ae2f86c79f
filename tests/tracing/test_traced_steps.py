"""Steps that several engines have a say in, counted on a program of known instructions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tracing_support import BARE, Build, Holder, held, launch, leader, resume, run, symbols

import gdbstub
from gdbstub import Engine, Event, Resume, Task, Tracer
from gdbstub.linux.wait import Exited
from gdbstub.utrace.engine import Answer

LOOPS = 10


@pytest.fixture
def program(build: Build) -> Path:
    return build("traced_count", *BARE)


@pytest.fixture
def label(program: Path) -> dict[str, int]:
    return symbols(program)


def way(label: dict[str, int]) -> list[int]:
    """Where the program counter stands after each step, from the first instruction on."""
    names = ["i1", "i2"] * LOOPS + ["i3", "i4", "i5"]
    return [label[name] for name in names]


class Stepper(Engine):
    """Steps its task all the way and notes where."""

    events = Event.QUIESCE | Event.STEP

    def __init__(self, action: Resume = Resume.SINGLESTEP) -> None:
        self.action = action
        self.way: list[int] = []
        self.kinds: set[int] = set()

    def attached(self, task: Task) -> None:
        gdbstub.control(task, self, self.action)

    def report_step(self, task: Task, action: int, kind: int) -> Answer:
        self.way.append(task.registers.pc)
        self.kinds.add(kind)
        return self.action


class Visitor(Engine):
    """Counts the hits of its breakpoint."""

    events = int(Event.BREAKPOINT)

    def __init__(self, address: int) -> None:
        self.address = address
        self.hits = 0

    def attached(self, task: Task) -> None:
        task.process.address_space.breakpoints.insert(self, self.address)

    def report_breakpoint(self, task: Task, action: int, breakpoint: Any) -> Answer:
        assert task.registers.pc == breakpoint.address == self.address
        self.hits += 1
        return Resume.RESUME


def test_every_instruction_once(tracer: Tracer, program: Path, label: dict[str, int]) -> None:
    stepper = Stepper()
    run(tracer, program, engines=[stepper])
    assert stepper.way == way(label)
    assert stepper.kinds == {Resume.SINGLESTEP}


def test_two_steppers_share_each_step(tracer: Tracer, program: Path, label: dict[str, int]) -> None:
    one, other = Stepper(), Stepper()
    run(tracer, program, engines=[one, other])
    assert one.way == other.way == way(label)


def test_a_block_step_yields_to_a_single_step(tracer: Tracer, program: Path, label: dict[str, int]) -> None:
    blocks, singles = Stepper(Resume.BLOCKSTEP), Stepper()
    run(tracer, program, engines=[blocks, singles])
    assert singles.way == blocks.way == way(label)
    assert blocks.kinds == {Resume.SINGLESTEP}


def test_a_block_step_goes_to_the_next_taken_branch_or_says_that_it_cannot(
    tracer: Tracer, program: Path, label: dict[str, int]
) -> None:
    blocks = Stepper(Resume.BLOCKSTEP)
    run(tracer, program, engines=[blocks])
    if blocks.kinds == {Resume.BLOCKSTEP}:
        assert blocks.way == [label["i1"]] * (LOOPS - 1)
    else:
        assert blocks.kinds == {Resume.SINGLESTEP}
        assert blocks.way == way(label)


@pytest.mark.parametrize("name", ["i0", "i1", "i2", "i3", "i5"])
@pytest.mark.parametrize("visitor_first", [True, False])
def test_a_breakpoint_of_another_is_no_step_and_takes_none(
    tracer: Tracer, program: Path, label: dict[str, int], name: str, visitor_first: bool
) -> None:
    stepper, visitor = Stepper(), Visitor(label[name])
    engines: list[Engine] = [visitor, stepper] if visitor_first else [stepper, visitor]
    run(tracer, program, engines=engines)
    assert stepper.way == way(label)
    assert visitor.hits == [label["i0"], *way(label)].count(label[name])


def test_breakpoints_everywhere(tracer: Tracer, program: Path, label: dict[str, int]) -> None:
    names = ["i0", "i1", "i2", "i3", "i4", "i5"]
    stepper = Stepper()
    visitors = [Visitor(label[name]) for name in names]
    run(tracer, program, engines=[*visitors, stepper])
    assert stepper.way == way(label)
    assert [visitor.hits for visitor in visitors] == [1, LOOPS, LOOPS, 1, 1, 1]


def test_breakpoints_everywhere_without_steps(tracer: Tracer, program: Path, label: dict[str, int]) -> None:
    visitors = [Visitor(label[name]) for name in ("i0", "i1", "i2", "i3", "i4", "i5")]
    run(tracer, program, engines=visitors)
    assert [visitor.hits for visitor in visitors] == [1, LOOPS, LOOPS, 1, 1, 1]


class Answering(Engine):
    """Gives an answer before user mode, and holds the task after the step that came of it."""

    events = Event.QUIESCE | Event.STEP

    def __init__(self, answer: Resume) -> None:
        self.answer = answer
        self.steps: list[int] = []

    def report_quiesce(self, task: Task, action: int, event: int) -> Answer:
        return None if event else self.answer

    def report_step(self, task: Task, action: int, kind: int) -> Answer:
        assert kind == Resume.SINGLESTEP
        self.steps.append(task.registers.pc)
        return Resume.STOP


def answer_at_start(tracer: Tracer, program: Path, *answers: Resume) -> tuple[Task, list[Answering]]:
    """Have engines answer at the first instruction, where another engine holds the task and leaves then."""
    holder, engines = Holder(), [Answering(answer) for answer in answers]
    process, _ = launch(tracer, program, engines=[holder, *engines])
    task = leader(process)
    assert task.held
    tracer.leave(process, holder)
    return task, engines


STEP, BLOCK, RUN = Resume.SINGLESTEP, Resume.BLOCKSTEP, Resume.RESUME


@pytest.mark.parametrize(("first", "second"), [(STEP, RUN), (RUN, STEP), (BLOCK, STEP), (STEP, BLOCK)])
def test_the_smaller_answer_makes_one_instruction(
    tracer: Tracer, program: Path, label: dict[str, int], first: Resume, second: Resume
) -> None:
    task, engines = answer_at_start(tracer, program, first, second)
    held(tracer, task)
    assert task.registers.pc == label["i1"]
    for engine, answer in zip(engines, (first, second), strict=True):
        assert engine.steps == ([] if answer is RUN else [label["i1"]])


def test_a_report_asked_for_asks_again_for_what_is_to_be_done(
    tracer: Tracer, program: Path, label: dict[str, int]
) -> None:
    holder, stepping, running = Holder(), Answering(STEP), Answering(RUN)
    process, _ = launch(tracer, program, engines=[holder, stepping, running])
    task = leader(process)
    stepping.answer, running.answer = RUN, STEP
    gdbstub.control(task, running, Resume.REPORT)
    tracer.leave(process, holder)
    held(tracer, task)
    assert task.registers.pc == label["i1"]
    assert running.steps == [label["i1"]]


@pytest.mark.parametrize(("first", "second"), [(STEP, Resume.STOP), (Resume.STOP, STEP)])
def test_a_hold_comes_before_a_step(
    tracer: Tracer, program: Path, label: dict[str, int], first: Resume, second: Resume
) -> None:
    task, engines = answer_at_start(tracer, program, first, second)
    holding, stepping = engines if first is Resume.STOP else reversed(engines)
    assert task.held
    assert task.registers.pc == label["i0"]
    resume(task, holding)
    assert not task.held
    held(tracer, task)
    assert task.registers.pc == label["i1"]
    assert stepping.steps == [label["i1"]]
    assert not holding.steps


class StepsFromVisit(Engine):
    """Asks for a step by a call, not by its answer, in the report of its breakpoint."""

    events = Event.QUIESCE | Event.BREAKPOINT | Event.STEP

    def __init__(self, address: int) -> None:
        self.address = address
        self.steps: list[int] = []

    def attached(self, task: Task) -> None:
        task.process.address_space.breakpoints.insert(self, self.address)

    def report_breakpoint(self, task: Task, action: int, breakpoint: Any) -> Answer:
        gdbstub.control(task, self, Resume.SINGLESTEP)
        return None

    def report_step(self, task: Task, action: int, kind: int) -> Answer:
        self.steps.append(task.registers.pc)
        return None


def test_a_step_asked_for_by_a_call_in_a_callback(
    tracer: Tracer, program: Path, label: dict[str, int]
) -> None:
    engine = StepsFromVisit(label["i3"])
    run(tracer, program, engines=[engine])
    assert engine.steps == [label["i4"]]


def test_a_step_asked_for_from_outside_waits_for_the_last_hold(
    tracer: Tracer, program: Path, label: dict[str, int]
) -> None:
    one, other = Holder(), Holder()
    process, _ = launch(tracer, program, engines=[one, other])
    task = leader(process)
    gdbstub.control(task, one, Resume.SINGLESTEP)
    assert task.held
    assert task.registers.pc == label["i0"]
    resume(task, other)
    held(tracer, task)
    assert task.registers.pc == label["i1"]
    resume(task, one)
    tracer.run()
    assert process.outcome == Exited(0)

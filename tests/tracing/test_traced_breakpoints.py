"""Breakpoints that engines share, and traps that are nobody's but the program's."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tracing_support import (
    FIXED,
    PATIENCE,
    Build,
    Holder,
    finish,
    held,
    hold,
    launch,
    leader,
    resume,
    run,
    run_to,
    state,
    symbols,
    until,
)

import gdbstub
from gdbstub import Engine, Event, Resume, Task, Tracer
from gdbstub.linux import procfs
from gdbstub.linux.memory import MemoryFault, ProcessMemory
from gdbstub.linux.siginfo import SI_USER
from gdbstub.linux.signals import SI_KERNEL, TRAP_TRACE
from gdbstub.linux.wait import Exited, Killed
from gdbstub.utrace.engine import Answer

NOTHING, INT3 = b"\x90", b"\xcc"


@pytest.fixture
def visit(visits: Path) -> int:
    return symbols(visits)["visit"]


class Visitor(Engine):
    """Counts hits, and at each of them does what it is told."""

    events = int(Event.BREAKPOINT)

    def __init__(self, address: int, at_hit: Callable[[Task], Answer] | None = None) -> None:
        self.address = address
        self.hits = 0
        self.at_hit = at_hit
        self.breakpoint: Any = None

    def attached(self, task: Task) -> None:
        if self.breakpoint is None:
            self.breakpoint = task.process.address_space.breakpoints.insert(self, self.address)

    def report_breakpoint(self, task: Task, action: int, breakpoint: Any) -> Answer:
        assert breakpoint is self.breakpoint
        assert task.registers.pc == self.address
        self.hits += 1
        return self.at_hit(task) if self.at_hit is not None else None


def test_each_owner_is_told_of_each_hit(tracer: Tracer, visits: Path, visit: int) -> None:
    visitors = [Visitor(visit) for _ in range(3)]
    assert run(tracer, visits, "0", "5", engines=visitors) == "5\n"
    assert [visitor.hits for visitor in visitors] == [5, 5, 5]


@pytest.mark.parametrize("leaver", [0, 1])
def test_an_owner_that_leaves_takes_only_its_own(
    tracer: Tracer, visits: Path, visit: int, leaver: int
) -> None:
    one, other = visitors = [Visitor(visit), Visitor(visit)]
    visitors[leaver].at_hit = lambda task: Resume.DETACH if visitors[leaver].hits == 2 else None
    assert run(tracer, visits, "0", "5", engines=[one, other]) == "5\n"
    assert visitors[leaver].hits == 2
    assert visitors[1 - leaver].hits == 5


def test_a_breakpoint_taken_out_in_its_own_report(tracer: Tracer, visits: Path, visit: int) -> None:
    def take_out(task: Task) -> Answer:
        task.process.address_space.breakpoints.remove(one.breakpoint)
        return None

    one, other = Visitor(visit, take_out), Visitor(visit)
    assert run(tracer, visits, "0", "5", engines=[one, other]) == "5\n"
    assert (one.hits, other.hits) == (1, 5)


def test_no_hit_is_lost_between_threads(tracer: Tracer, visits: Path, visit: int) -> None:
    visitors = [Visitor(visit), Visitor(visit)]
    assert run(tracer, visits, "3", "40", engines=visitors) == "160\n"
    assert [visitor.hits for visitor in visitors] == [160, 160]


def test_one_holds_at_a_hit_while_the_other_goes_on(tracer: Tracer, visits: Path, visit: int) -> None:
    holder, visitor = Holder(), Visitor(visit)
    process, output = launch(tracer, visits, "0", "3", engines=[holder, visitor])
    task = leader(process)
    run_to(tracer, task, holder, visit)
    assert visitor.hits == 1
    run_to(tracer, task, holder, visit)
    assert visitor.hits == 2
    resume(task, holder)
    assert finish(tracer, output) == "3\n"
    assert visitor.hits == 3


def test_everybody_reads_the_program_s_own_bytes(tracer: Tracer, visits: Path, visit: int) -> None:
    holder, visitor = Holder(), Visitor(visit)
    process, output = launch(tracer, visits, "0", "3", engines=[holder])
    original = process.address_space.read(visit - 8, 16)
    tracer.join(process, visitor)
    memory = ProcessMemory(process.pid)
    assert memory.read(visit, 1) == INT3
    for address, length in ((visit - 8, 16), (visit, 1), (visit - 1, 2), (visit + 1, 1)):
        start = address - (visit - 8)
        assert process.address_space.read(address, length) == original[start : start + length]
    tracer.leave(process, visitor)
    assert memory.read(visit - 8, 16) == original
    memory.close()
    resume(leader(process), holder)
    assert finish(tracer, output) == "3\n"


def test_what_is_written_over_a_breakpoint_stays_when_it_goes(
    tracer: Tracer, visits: Path, visit: int
) -> None:
    holder, visitor = Holder(), Visitor(visit)
    process, output = launch(tracer, visits, "0", "3", engines=[holder, visitor])
    space, memory = process.address_space, ProcessMemory(process.pid)
    return_at_once = b"\xc3" + NOTHING * 3
    space.write(visit, return_at_once)
    assert memory.read(visit, 4) == INT3 + return_at_once[1:]
    assert space.read(visit, 4) == return_at_once
    resume(leader(process), holder)
    assert finish(tracer, output) == "0\n"
    assert visitor.hits == 3
    memory.close()


def test_a_breakpoint_where_there_is_no_memory(tracer: Tracer, visits: Path) -> None:
    holder = Holder()
    process, output = launch(tracer, visits, "0", "1", engines=[holder])
    with pytest.raises(MemoryFault):
        process.address_space.breakpoints.insert(holder, 0)
    assert not process.address_space.breakpoints.of(holder)
    resume(leader(process), holder)
    assert finish(tracer, output) == "1\n"


class Signals(Engine):
    """Notes signals and traps of a task that it steps or lets run."""

    events = Event.QUIESCE | Event.SIGNAL_ALL | Event.BREAKPOINT | Event.STEP | Event.WATCHPOINT

    def __init__(self, steps: bool) -> None:
        self.signals: list[tuple[int, int]] = []
        self.steps = steps
        self.steps_made = 0

    def report_signal(
        self, task: Task, action: int, info: gdbstub.SigInfo, disposition: gdbstub.Disposition | None
    ) -> Answer:
        if disposition is not None:
            self.signals.append((info.number, info.code))
        return action & 0xF0 | (Resume.SINGLESTEP if self.steps else Resume.RESUME)

    def report_step(self, task: Task, action: int, kind: int) -> Answer:
        self.steps_made += 1
        return Resume.SINGLESTEP


TRAPS = [SI_KERNEL, SI_USER, TRAP_TRACE, SI_KERNEL]
"""si_code of what the program of traps gets."""


def test_the_program_s_own_traps_are_its_signals(tracer: Tracer, build: Build) -> None:
    program = build("traced_traps", *FIXED)
    first, second = Signals(steps=False), Signals(steps=False)
    process, output = launch(tracer, program, engines=[first, second])
    assert finish(tracer, output).split() == [str(code) for code in TRAPS]
    assert process.outcome == Exited(0)
    assert first.signals == second.signals == [(signal.SIGTRAP, code) for code in TRAPS]


def test_a_step_ends_at_no_int3_and_no_sent_signal(tracer: Tracer, build: Build) -> None:
    """A trap flag that a stepped program sets itself is the one trap that cannot be told from the step."""
    program = build("traced_traps", *FIXED)
    stepping, watching = Signals(steps=True), Signals(steps=False)
    told = [code for code in TRAPS if code != TRAP_TRACE]
    assert run(tracer, program, engines=[watching, stepping]).split() == [str(code) for code in told]
    assert stepping.signals == watching.signals == [(signal.SIGTRAP, code) for code in told]
    assert stepping.steps_made > 100


def test_an_own_int3_under_a_breakpoint_stays_the_program_s(tracer: Tracer, build: Build) -> None:
    program = build("traced_traps", *FIXED)
    place = symbols(program)["own_int3"]
    visitor, signals = Visitor(place), Signals(steps=False)
    assert run(tracer, program, engines=[visitor, signals]).split() == [str(code) for code in TRAPS]
    assert visitor.hits == 1
    assert [code for _, code in signals.signals] == TRAPS


def test_a_breakpoint_planted_while_a_thread_is_in_its_copy(tracer: Tracer, visits: Path, visit: int) -> None:
    """Holds come at any time, also inside a relocated instruction; the program counter never shows it."""
    visitor, watcher = Visitor(visit), Holder()
    process, output = launch(tracer, visits, "0", "20000", engines=[visitor])
    task = leader(process)
    span = range(*text_of(visits))
    until(tracer, lambda: visitor.hits > 2)
    gdbstub.attach(task, watcher)
    for _ in range(50):
        hold(task, watcher)
        held(tracer, task)
        assert task.registers.pc in span or task.registers.pc > 0x7F0000000000
        resume(task, watcher)
    tracer.leave(process, visitor)
    tracer.leave(process, watcher)
    assert finish(tracer, output) == "20000\n"


def text_of(program: Path) -> tuple[int, int]:
    """Addresses of the code in a program's file."""
    from elftools.elf.elffile import ELFFile

    with open(program, "rb") as file:
        section = ELFFile(file).get_section_by_name(".text")
        assert section is not None
        return section["sh_addr"], section["sh_addr"] + section["sh_size"]


def test_a_task_killed_at_a_breakpoint_can_be_told_to_go_on(tracer: Tracer, visits: Path) -> None:
    """SIGKILL takes it and its memory from the stop before the tracer hears of that."""
    holder = Holder()
    process, _ = launch(tracer, visits, "1", "5", engines=[holder])
    task = leader(process)
    process.address_space.breakpoints.insert(holder, symbols(visits)["main"])
    resume(task, holder)
    held(tracer, task)
    assert task.registers.pc == symbols(visits)["main"]
    tracer.kill(process)
    deadline = time.monotonic() + PATIENCE
    while state(task.tid) != "Z":
        assert time.monotonic() < deadline
    resume(task, holder)
    until(tracer, lambda: not tracer.processes)
    assert process.outcome == Killed(signal.SIGKILL, False)


def test_what_the_program_writes_over_a_breakpoint_stays(tracer: Tracer, visits: Path, visit: int) -> None:
    """As when it unloads a library and loads another one there."""
    holder = Holder()
    process, _ = launch(tracer, visits, "1", "5", engines=[holder])
    held(tracer, leader(process))
    space = process.address_space
    breakpoint = space.breakpoints.insert(holder, visit)
    space.memory.write(visit, NOTHING)
    space.breakpoints.remove(breakpoint)
    assert space.memory.read(visit, 1) == NOTHING


def test_a_write_that_ends_in_a_hole_changes_the_byte_under_a_breakpoint_before_it(
    tracer: Tracer, visits: Path, visit: int
) -> None:
    holder = Holder()
    process, _ = launch(tracer, visits, "1", "5", engines=[holder])
    held(tracer, leader(process))
    space = process.address_space
    (end,) = [each.end for each in procfs.maps(process.pid) if each.start <= visit < each.end]
    while any(each.start == end for each in procfs.maps(process.pid)):
        (end,) = [each.end for each in procfs.maps(process.pid) if each.start == end]
    place = end - 2
    breakpoint = space.breakpoints.insert(holder, place)
    with pytest.raises(MemoryFault):
        space.write(place, NOTHING * 4)
    space.breakpoints.remove(breakpoint)
    assert space.memory.read(place, 2) == NOTHING * 2

"""An instruction under a breakpoint does what it does without, wherever it is run and however it ends."""

from __future__ import annotations

import signal
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import pytest
from unharmed_support import FIXED, Build, Hits, Holder, Starter, leader, plain_run, symbols, until

from gdbstub import Engine, Event, Process, Resume, Task, Tracer
from gdbstub.linux import procfs
from gdbstub.linux.signals import send_to_thread
from gdbstub.utrace.breakpoints import Breakpoint
from gdbstub.utrace.engine import Answer
from gdbstub.utrace.watchpoints import Watchpoint

ORDINARY = (
    *("call_relative", "call_register", "call_memory", "call_stack", "call_stack_indexed", "call_far"),
    *("jump_short", "jump_near", "jump_register", "jump_memory", "branch_taken", "branch_not_taken"),
    *("branch_near", "load", "store", "compare_immediate", "address", "push_register", "push_memory"),
    *("push_stack_pointer", "pop_register", "pop_stack_pointer", "push_flags", "pop_flags", "plain_return"),
    *("return_immediate", "leave_frame", "enter_frame", "system_call", "move_string", "compare_string"),
    *("loop_taken", "loop_not_taken", "jrcxz_taken", "jrcxz_not_taken", "locked", "thread_local", "vector"),
    *("identify", "one_byte"),
)
FAULTING = (
    *("own_int3", "own_int_3", "load_fault", "store_fault", "load_noncanonical", "divide_by_zero"),
    *("undefined", "privileged", "misaligned", "jump_astray", "call_astray", "return_astray"),
    *("call_memory_fault", "call_push_fault", "push_fault", "move_string_fault", "load_fault_repaired"),
)
TIMES = {"loop_taken": 5, "load_fault_repaired": 2}
"""How often an instruction is come to, where not once."""

RESUME_FLAG = 0x10000
"""RF of EFLAGS: an execution breakpoint is to be passed once; emulated instructions leave it set."""


@pytest.fixture(scope="module")
def program(build: Build) -> Path:
    return build("unharmed_instructions", *FIXED)


@lru_cache
def untraced(program: Path, *arguments: str) -> str:
    return plain_run(program, *arguments)


def test_all_instructions_are_tested(program: Path) -> None:
    labels = {name[3:] for name in symbols(program) if name.startswith("at_")}
    assert labels == {*ORDINARY, *FAULTING}


@pytest.mark.parametrize("case", ORDINARY + FAULTING)
def test_an_instruction_does_the_same_under_a_breakpoint(
    starter: Starter, tracer: Tracer, program: Path, case: str
) -> None:
    hits = Hits()
    process, started = starter.traced(tracer, program, case, engines=[hits])
    hits.insert(process, **{case: symbols(program)[f"at_{case}"]})
    started.go()
    assert started.finish(tracer) == untraced(program, case)
    assert hits.of_place == {case: TIMES.get(case, 1)}


@pytest.mark.parametrize("others", [(), (Event.SYSCALL,), (Event.SIGNAL_ALL | Event.QUIESCE,)])
def test_all_instructions_together(
    starter: Starter, tracer: Tracer, program: Path, others: tuple[int, ...]
) -> None:
    """With another engine that owns the same breakpoints and looks on at other events."""
    both = Hits(), Hits()
    both[1].events |= sum(others)
    process, started = starter.traced(tracer, program, engines=both)
    names = symbols(program)
    for hits in both:
        hits.insert(process, **{case: names[f"at_{case}"] for case in ORDINARY + FAULTING})
    started.go()
    assert started.finish(tracer) == untraced(program)
    expected = {case: TIMES.get(case, 1) for case in ORDINARY + FAULTING}
    assert [hits.of_place for hits in both] == [expected, expected]


class State(NamedTuple):
    """What a task's registers are after a step."""

    pc: int
    sp: int
    flags: int
    result: int
    counter: int


class Stepper(Engine):
    """Steps once from wherever a breakpoint or a hardware breakpoint is hit."""

    events = Event.BREAKPOINT | Event.WATCHPOINT | Event.STEP | Event.QUIESCE

    def __init__(self) -> None:
        self.states: list[State] = []

    def report_breakpoint(self, task: Task, action: int, breakpoint: Breakpoint) -> Answer:
        return Resume.SINGLESTEP

    def report_watchpoint(self, task: Task, action: int, watchpoint: Watchpoint) -> Answer:
        return Resume.SINGLESTEP

    def report_step(self, task: Task, action: int, kind: int) -> Answer:
        registers = task.registers
        flags = registers["eflags"] & ~RESUME_FLAG
        result = 0 if registers["rax"] == task.process.pid else registers["rax"]
        self.states.append(State(registers.pc, registers.sp, flags, result, registers["rcx"]))
        return None


@pytest.mark.parametrize("events", [0, Event.SYSCALL], ids=["", "with system calls traced"])
@pytest.mark.parametrize("case", ORDINARY)
def test_a_step_from_a_breakpoint_ends_where_it_ends_without(
    starter: Starter, tracer: Tracer, program: Path, case: str, events: int
) -> None:
    address = symbols(program)[f"at_{case}"]
    steppers = Stepper(), Stepper()
    for stepper in steppers:
        stepper.events |= events
        process, started = starter.traced(tracer, program, case, engines=[stepper])
        if stepper is steppers[0]:
            process.watchpoints.insert(stepper, "execute", address, 1)
        else:
            process.address_space.breakpoints.insert(stepper, address)
        started.go()
        assert started.finish(tracer) == untraced(program, case)
    assert len(steppers[0].states) == TIMES.get(case, 1)
    assert steppers[0].states == steppers[1].states


class Signaller(Hits):
    """Sends a signal to each task that hits: it comes while the task is on its way past the breakpoint."""

    def report_breakpoint(self, task: Task, action: int, breakpoint: Breakpoint) -> Answer:
        send_to_thread(task.process.pid, task.tid, signal.SIGUSR1)
        return super().report_breakpoint(task, action, breakpoint)


@pytest.mark.parametrize("case", ORDINARY)
def test_a_handler_interrupts_the_original_not_a_copy(
    starter: Starter, tracer: Tracer, program: Path, case: str
) -> None:
    signaller, times = Signaller(), TIMES.get(case, 1)
    process, started = starter.traced(tracer, program, case, engines=[signaller])
    signaller.insert(process, **{case: symbols(program)[f"at_{case}"]})
    started.go()
    assert started.finish(tracer) == f"{untraced(program, case)}{times} interruptions\n"
    assert signaller.of_place == {case: times}


BLOCKING = {"read": 0, "epoll_wait": 232}


@pytest.mark.parametrize("call", BLOCKING)
def test_a_breakpoint_at_a_blocking_call_is_hit_once(
    starter: Starter, tracer: Tracer, build: Build, call: str
) -> None:
    """Stopping the call has it made again, from the same instruction."""
    hits, holder = Hits(), Holder()
    process, started = starter.traced(tracer, build("unharmed_calls", *FIXED), call, engines=[hits, holder])
    hits.insert(process, call=symbols(build("unharmed_calls", *FIXED))["at_syscall"])
    started.go()
    task = leader(process)
    for _ in range(3):
        until(lambda: is_blocked(process, BLOCKING[call]), tracer)
        holder.hold(tracer, task)
        holder.let_go(process)
    until(lambda: is_blocked(process, BLOCKING[call]), tracer)
    assert hits.total == 1
    started.write("x")
    assert started.finish(tracer) == "1\n"
    assert hits.total == 1


def is_blocked(process: Process, number: int) -> bool:
    try:
        found = procfs.current_syscall(process.pid).number
    except BlockingIOError:
        return False
    return found == number and procfs.stat(process.pid).state == "S"


def test_an_instruction_that_cannot_be_moved_is_run_by_one_thread_alone(
    starter: Starter, tracer: Tracer, build: Build
) -> None:
    program = build("unharmed_hammer", *FIXED)
    hits = Hits()
    process, started = starter.traced(tracer, program, "12", "20", "far", engines=[hits])
    hits.insert(process, far=symbols(program)["at_far"])
    started.go()
    assert started.finish(tracer) == "ready\n240 calls\n"
    assert list(hits.of_task.values()) == [20] * 12

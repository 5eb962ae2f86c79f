"""Two hundred threads at one breakpoint, with a second engine at their system calls: every hit is seen, no
thread is lost, and what is left behind is the program as its file has it.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from unharmed_support import FIXED, Build, Hits, Holder, Starter, changed_text, symbols, until

from gdbstub import Engine, Event, Process, Task, Tracer
from gdbstub.linux import procfs
from gdbstub.utrace.engine import Answer
from gdbstub.utrace.syscall import SyscallEntry, SyscallExit

THREADS = 200
CALLS_EACH = 10
ENOUGH = 2000
"""Hits, of a program that does not end by itself."""
GETPPID = 110
COUNTER_SIZE = 64


class Calls(Engine):
    """Counts entries and exits of getppid, which have to alternate in each thread."""

    events = Event.SYSCALL

    def __init__(self) -> None:
        self.entries: dict[int, int] = {}
        self.exits: dict[int, int] = {}

    def report_syscall_entry(self, task: Task, action: int, call: SyscallEntry) -> Answer:
        if call.number == GETPPID:
            self.entries[task.tid] = self.entries.get(task.tid, 0) + 1
        return None

    def report_syscall_exit(self, task: Task, action: int, call: SyscallExit) -> Answer:
        if call.number == GETPPID:
            self.exits[task.tid] = self.exits.get(task.tid, 0) + 1
            assert call.result > 0
            assert self.entries.get(task.tid, 0) - self.exits[task.tid] in (0, -1)
        return None


@pytest.fixture(scope="module")
def program(build: Build) -> Path:
    return build("unharmed_hammer", *FIXED)


def counted(process: Process, names: dict[str, int]) -> dict[int, int]:
    """The program's own counters by thread."""
    read = process.address_space.read
    tids = read(names["tids"], 4 * THREADS)
    counters = read(names["counters"], COUNTER_SIZE * THREADS)
    return {
        int.from_bytes(tids[4 * index : 4 * index + 4], "little"): int.from_bytes(
            counters[COUNTER_SIZE * index : COUNTER_SIZE * index + 8], "little"
        )
        for index in range(THREADS)
    }


def test_every_hit_of_a_launched_program_is_counted(starter: Starter, tracer: Tracer, program: Path) -> None:
    hits, calls = Hits(), Calls()
    process, started = starter.traced(tracer, program, str(THREADS), str(CALLS_EACH), engines=[hits, calls])
    hits.insert(process, work=symbols(program)["work"])
    started.go()
    assert started.finish(tracer) == f"ready\n{THREADS * CALLS_EACH} calls\n"
    until(lambda: not tracer.processes, tracer)
    assert list(hits.of_task.values()) == [CALLS_EACH] * THREADS
    assert list(calls.entries.values()) == list(calls.exits.values()) == [CALLS_EACH] * THREADS


def test_engines_come_and_go_while_the_program_runs(starter: Starter, tracer: Tracer, program: Path) -> None:
    names = symbols(program)
    started = starter.untraced(program, str(THREADS), "0")
    until(lambda: started.has_written("ready"))
    until(lambda: len(procfs.tasks(started.pid)) == THREADS + 1)
    hits, calls, holder = Hits(), Calls(), Holder()
    process = tracer.attach(started.pid, [holder])
    until(lambda: 0 not in counted(process, names), tracer)
    holder.hold_all(tracer, process)
    assert len(process.tasks) == THREADS + 1
    before = counted(process, names)
    tracer.join(process, hits)
    tracer.join(process, calls)
    hits.insert(process, work=names["work"])
    holder.let_go(process)
    until(lambda: hits.total >= ENOUGH, tracer)

    holder.hold_all(tracer, process)
    for tid, count in counted(process, names).items():
        task = process.tasks[tid]
        told_and_not_run = task.passed == names["work"] == task.registers.pc
        assert hits.of_task.get(tid, 0) == count - before[tid] + told_and_not_run, f"thread {tid}"
    assert not any(calls.entries.get(tid, 0) - calls.exits.get(tid, 0) not in (-1, 0, 1) for tid in before)

    for engine in (hits, calls, holder):
        tracer.leave(process, engine)
    until(lambda: not tracer.processes, tracer)
    check_untouched(started.pid)
    started.write("x")
    total = int(started.finish().splitlines()[-1].split()[0])
    assert started.text == f"ready\n{total} calls\n"
    assert total >= hits.total - THREADS


def test_both_engines_leave_running_threads(starter: Starter, tracer: Tracer, program: Path) -> None:
    """No thread stands still when they go: each is somewhere between hit, copy and system call."""
    started = starter.untraced(program, str(THREADS), "0")
    until(lambda: started.has_written("ready"))
    for _ in range(3):
        hits, calls = Hits(), Calls()
        process = tracer.attach(started.pid, [hits, calls])
        hits.insert(process, work=symbols(program)["work"])
        until(lambda hits=hits: hits.total >= ENOUGH // 4, tracer)  # type: ignore[misc]
        tracer.leave(process, hits)
        tracer.leave(process, calls)
        until(lambda: not tracer.processes, tracer)
        check_untouched(started.pid)
    started.write("x")
    assert started.finish().endswith(" calls\n")
    assert len(started.text.splitlines()) == 2


def check_untouched(pid: int) -> None:
    """Nothing of us is in a process."""
    assert changed_text(pid) == []
    assert {procfs.tracer(tid) for tid in procfs.tasks(pid)} == {0}
    assert {procfs.stat(tid).state for tid in procfs.tasks(pid)} <= {"R", "S", "D"}

"""Debug registers that engines share: who is told, who has to wait, and what is left behind."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tracing_support import (
    FIXED,
    Build,
    Holder,
    Processes,
    finish,
    held,
    hold,
    launch,
    leader,
    resume,
    run,
    start,
    symbols,
    until,
)

import gdbstub
from gdbstub import Engine, Event, Follow, Process, Resume, Task, Tracer
from gdbstub.linux import ptrace
from gdbstub.linux.wait import Stopped, decode, wait_for
from gdbstub.utrace.engine import Answer
from gdbstub.utrace.watchpoints import Watchpoint

RESULT = "3 15 0\n"
"""What the program writes: three times touched in its own memory, and its child ended well."""
DR7 = 848 + 7 * 8
"""offsetof(struct user, u_debugreg[7])."""


@pytest.fixture
def program(build: Build) -> Path:
    return build("traced_watch", *FIXED)


@pytest.fixture
def place(program: Path) -> dict[str, int]:
    return symbols(program)


class Watcher(Engine):
    """Has a watchpoint, and counts its hits by task."""

    events = Event.WATCHPOINT | Event.SIGNAL_ALL

    def __init__(self, kind: str, address: int, length: int) -> None:
        self.what = (kind, address, length)
        self.watchpoint: Watchpoint | None = None
        self.hits: list[int] = []
        self.values: list[int] = []
        self.signals: list[int] = []
        self.at_hit: Callable[[Task], Answer] | None = None

    def attached(self, task: Task) -> None:
        if self.watchpoint is None:
            self.watchpoint = task.process.watchpoints.insert(self, *self.what)

    def report_watchpoint(self, task: Task, action: int, watchpoint: Any) -> Answer:
        assert watchpoint is self.watchpoint
        self.hits.append(task.tid)
        _, address, length = self.what
        self.values.append(int.from_bytes(task.process.address_space.read(address, length), "little"))
        return self.at_hit(task) if self.at_hit is not None else None

    def report_signal(
        self, task: Task, action: int, info: gdbstub.SigInfo, disposition: gdbstub.Disposition | None
    ) -> Answer:
        self.signals.append(info.number)
        return None


def slots_in_use(process: Process) -> int:
    return sum(1 for slot in process.watchpoints.slots if slot is not None)


def test_a_write_is_told_after_it_happened_in_every_thread(
    tracer: Tracer, program: Path, place: dict[str, int]
) -> None:
    watcher = Watcher("write", place["written"], 8)
    process, output = launch(tracer, program, engines=[watcher])
    assert finish(tracer, output) == RESULT
    assert watcher.values == [1, 2, 3]
    assert watcher.hits[:2] == [process.pid] * 2
    assert watcher.hits[2] != process.pid
    assert 5 not in watcher.signals


def test_one_engine_s_watch_leaves_the_other_s_alone(
    tracer: Tracer, program: Path, place: dict[str, int]
) -> None:
    first, second = place["written"], place["written"] + 8
    watchers = [
        Watcher("write", first, 8),
        Watcher("write", second, 8),
        Watcher("access", place["read_only"], 8),
    ]
    assert run(tracer, program, engines=watchers) == RESULT
    assert [watcher.values for watcher in watchers] == [[1, 2, 3], [5, 10, 15], [5, 5, 5]]
    assert all(5 not in watcher.signals for watcher in watchers)


def test_equal_watches_share_a_register_until_both_have_gone(
    tracer: Tracer, program: Path, place: dict[str, int]
) -> None:
    watchers = one, other = [Watcher("write", place["written"], 8) for _ in range(2)]
    one.at_hit = lambda task: Resume.DETACH
    holder = Holder()
    process, output = launch(tracer, program, engines=[*watchers, holder])
    assert slots_in_use(process) == 1
    for number in range(3):
        extra = place["written"] + 8 + 2 * number
        process.watchpoints.insert(holder, "write", extra, 2)
    with pytest.raises(gdbstub.NoSpace):
        process.watchpoints.insert(holder, "write", place["read_only"], 8)
    process.watchpoints.remove_all(holder)
    assert slots_in_use(process) == 1
    resume(leader(process), holder)
    assert finish(tracer, output) == RESULT
    assert (one.values, other.values) == ([1], [1, 2, 3])


def test_two_lengths_at_one_place(tracer: Tracer, program: Path, place: dict[str, int]) -> None:
    watchers = [Watcher("write", place["written"], length) for length in (8, 4)]
    assert run(tracer, program, engines=watchers) == RESULT
    assert [watcher.values for watcher in watchers] == [[1, 2, 3], [1, 2, 3]]


def test_a_range_takes_the_registers_that_it_needs(
    tracer: Tracer, program: Path, place: dict[str, int]
) -> None:
    watcher, holder = Watcher("write", place["written"] + 4, 8), Holder()
    process, output = launch(tracer, program, engines=[watcher, holder])
    assert slots_in_use(process) == 2
    with pytest.raises(gdbstub.NoSpace):
        process.watchpoints.insert(holder, "write", 0x1001, 8)
    assert slots_in_use(process) == 2
    resume(leader(process), holder)
    assert finish(tracer, output) == RESULT
    assert len(watcher.hits) == 6


def test_execution_is_watched_before_it_happens(tracer: Tracer, program: Path, place: dict[str, int]) -> None:
    watcher = Watcher("execute", place["touch"], 1)
    counters: list[int] = []

    def look(task: Task) -> Answer:
        assert task.registers.pc == place["touch"]
        counters.append(task.process.address_space.read(place["written"], 1)[0])
        return None

    watcher.at_hit = look
    assert run(tracer, program, engines=[watcher]) == RESULT
    assert counters == [0, 1, 2]


def test_slots_are_free_when_their_owner_leaves(tracer: Tracer, program: Path, place: dict[str, int]) -> None:
    holder, greedy = Holder(), Holder()
    process, output = launch(tracer, program, engines=[holder, greedy])
    for number in range(4):
        process.watchpoints.insert(greedy, "write", place["written"] + 4 * number, 4)
    with pytest.raises(gdbstub.NoSpace):
        process.watchpoints.insert(holder, "write", place["read_only"], 8)
    tracer.leave(process, greedy)
    assert slots_in_use(process) == 0
    process.watchpoints.insert(holder, "write", place["read_only"], 8)
    resume(leader(process), holder)
    assert finish(tracer, output) == RESULT


def test_a_watch_set_on_a_running_task(tracer: Tracer, program: Path, place: dict[str, int]) -> None:
    quiet, late = Watcher("write", place["read_only"], 8), Watcher("write", place["written"], 8)
    reading, writing = os.pipe()
    output_reading, output_writing = os.pipe()
    process = tracer.launch(
        gdbstub.Launch([str(program), "wait"], descriptors={0: reading, 1: output_writing}), [quiet]
    )
    os.close(reading)
    os.close(output_writing)
    said: list[bytes] = []
    tracer.add_reader(output_reading, lambda: said.append(os.read(output_reading, 100)))
    until(tracer, lambda: said == [b"ready\n"])
    tracer.join(process, late)
    os.write(writing, b"\n")
    until(tracer, lambda: not tracer.processes)
    assert late.values == [4]
    assert not quiet.hits
    tracer.remove_reader(output_reading)
    for descriptor in (writing, output_reading):
        os.close(descriptor)


class Family(Watcher):
    follow = Follow.ALL


def test_a_child_process_has_watches_of_its_own(tracer: Tracer, program: Path, place: dict[str, int]) -> None:
    """A fork copies no debug registers; an engine that follows may set them in the child."""
    watcher = Family("write", place["written"], 8)
    in_child: list[Process] = []

    class Elder(Engine):
        events = Event.CLONE

        def report_clone(self, task: Task, action: int, flags: int, child: Task) -> Answer:
            if child.process is not task.process:
                in_child.append(child.process)
                assert slots_in_use(child.process) == 0
                child.process.watchpoints.insert(watcher, "write", place["written"] + 8, 8)
                watcher.watchpoint = child.process.watchpoints.of(watcher)[0]
            return None

    assert run(tracer, program, engines=[watcher, Elder()]) == RESULT
    (child,) = in_child
    assert watcher.hits.count(child.pid) == 1
    assert len(watcher.hits) == 4


def test_nothing_is_left_in_the_debug_registers(
    tracer: Tracer, program: Path, place: dict[str, int], processes: Processes
) -> None:
    """Looked at by tracing the process anew, and by letting it write to what was watched."""
    waiting, _ = start(processes, program, "wait")
    watcher = Watcher("write", place["written"], 8)
    process = tracer.attach(waiting.pid, [watcher])
    task = leader(process)
    hold(task, watcher)
    held(tracer, task)
    resume(task, watcher)
    hold(task, watcher)
    held(tracer, task)
    assert debug_registers(waiting.pid)[0] == place["written"]
    assert debug_registers(waiting.pid)[7] != 0
    tracer.leave(process, watcher)
    until(tracer, lambda: not tracer.processes)

    ptrace.seize(waiting.pid, 0)
    ptrace.interrupt(waiting.pid)
    status = wait_for(waiting.pid)
    assert status is not None
    assert isinstance(decode(status), Stopped)
    assert debug_registers(waiting.pid) == [0] * 8
    ptrace.detach(waiting.pid)

    answer, _ = waiting.communicate(b"\n")
    assert answer == b"4 20 0\n"
    assert waiting.returncode == 0


def debug_registers(tid: int) -> list[int]:
    """DR0 to DR7 of a stopped task; what DR6 has fixed to one is left out."""
    values = [ptrace.peek_user(tid, 848 + 8 * number) for number in range(8)]
    values[4:6] = [0, 0]
    values[6] &= 0xF
    return values


@pytest.mark.parametrize("address", [(1 << 47) - 4096, 0xFFFF_FFFF_8100_0000])
@pytest.mark.parametrize("kind", ["execute", "write"])
def test_the_kernel_s_own_memory_is_not_watched(
    tracer: Tracer, program: Path, kind: str, address: int
) -> None:
    """The kernel refuses it, but only when the task is about to run."""
    process, output = launch(tracer, program)
    length = 8
    with pytest.raises(gdbstub.Invalid):
        process.watchpoints.insert(Watcher(kind, address, length), kind, address, length)
    assert finish(tracer, output) == RESULT


def test_the_last_words_of_user_space_can_be_watched(tracer: Tracer, program: Path) -> None:
    address = (1 << 47) - 4096 - 8
    watcher = Watcher("write", address, 8)
    process, output = launch(tracer, program, engines=[watcher])
    process.watchpoints.insert(watcher, "write", address, 8)
    assert finish(tracer, output) == RESULT

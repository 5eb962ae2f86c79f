"""System calls of real tasks: looked at, changed, left out, made again."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tracing_support import FIXED, Build, Processes, finish, launch, run, start, symbols, until

import gdbstub
from gdbstub import Engine, Event, Syscall, Task, Tracer
from gdbstub.linux.wait import Exited
from gdbstub.utrace.engine import Answer
from gdbstub.utrace.syscall import SyscallEntry, SyscallExit

READ, GETPID, GETPPID, NANOSLEEP, OPENAT = 0, 39, 110, 230, 257
AT_ENTRY = Callable[[Task, SyscallEntry], Answer]
AT_EXIT = Callable[[Task, SyscallExit], None]


class Meddler(Engine):
    """Does something at the entry and the exit of certain calls."""

    events = Event.SYSCALL

    def __init__(
        self, entries: dict[int, AT_ENTRY] | None = None, exits: dict[int, AT_EXIT] | None = None
    ) -> None:
        self.entries = entries or {}
        self.exits = exits or {}
        self.log: list[tuple[str, int, int]] = []

    def report_syscall_entry(self, task: Task, action: int, call: SyscallEntry) -> Answer:
        assert call.syscall.number == call.number
        assert call.syscall.arguments() == call.arguments
        self.log.append(("entry", call.number, 0))
        at_entry = self.entries.get(call.number)
        return at_entry(task, call) if at_entry is not None else None

    def report_syscall_exit(self, task: Task, action: int, call: SyscallExit) -> Answer:
        assert call.syscall.result == call.result
        assert call.syscall.error == call.error
        self.log.append(("exit", call.number, call.result))
        at_exit = self.exits.get(call.number)
        if at_exit is not None:
            at_exit(task, call)
        return None

    def count(self, kind: str, number: int) -> int:
        return sum(1 for entry in self.log if entry[:2] == (kind, number))


@pytest.fixture
def program(build: Build) -> Path:
    return build("traced_calls", *FIXED)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("first file")
    other.write_text("second file")
    return one, other


def outputs(tracer: Tracer, program: Path, file: Path, *engines: Engine) -> tuple[str, list[str]]:
    """What the program shows of the file, and its four results."""
    shown, *results = run(tracer, program, str(file), engines=engines).splitlines()
    return shown, results


def test_untouched(tracer: Tracer, program: Path, files: tuple[Path, Path]) -> None:
    process, output = launch(tracer, program, str(files[0]), engines=[Meddler()])
    shown, *results = finish(tracer, output).splitlines()
    assert shown == "first file"
    assert results == [f"{os.getpid()} 0"] * 3 + [f"{process.pid} 0"]


def test_a_path_changed_at_entry(tracer: Tracer, program: Path, files: tuple[Path, Path]) -> None:
    one, other = files
    place = symbols(program)["other_path"]

    def divert(task: Task, call: SyscallEntry) -> Answer:
        (pointer,) = call.syscall.arguments(1, 1)
        path = str(one).encode() + b"\0"
        if task.process.address_space.read_some(pointer, len(path)) == path:
            task.process.address_space.write(place, str(other).encode() + b"\0")
            call.syscall.set_arguments(1, (place,))
        return None

    assert outputs(tracer, program, one, Meddler({OPENAT: divert}))[0] == "second file"


def test_a_result_changed_at_exit(tracer: Tracer, program: Path, files: tuple[Path, Path]) -> None:
    def shorten(task: Task, call: SyscallExit) -> None:
        if call.result == len("first file"):
            call.syscall.result = 5

    assert outputs(tracer, program, files[0], Meddler(exits={READ: shorten}))[0] == "first"


def abort(task: Task, call: SyscallEntry) -> Answer:
    return Syscall.ABORT | gdbstub.Resume.RESUME


def test_a_call_left_out_fails_with_enosys(tracer: Tracer, program: Path, files: tuple[Path, Path]) -> None:
    meddler = Meddler({GETPPID: abort})
    _, results = outputs(tracer, program, files[0], meddler)
    assert results[:3] == [f"-1 {errno.ENOSYS}"] * 3
    assert meddler.log.count(("exit", GETPPID, -errno.ENOSYS)) == 3


def test_a_call_left_out_by_one_who_leaves(tracer: Tracer, program: Path, files: tuple[Path, Path]) -> None:
    """With its last engine gone the process is let go from the very entry of the call."""

    def abort_and_leave(task: Task, call: SyscallEntry) -> Answer:
        return Syscall.ABORT | gdbstub.Resume.DETACH

    meddler = Meddler({GETPPID: abort_and_leave})
    _, results = outputs(tracer, program, files[0], meddler)
    assert meddler.count("entry", GETPPID) == 1
    assert results[0] == f"-1 {errno.ENOSYS}"
    assert results[1].endswith(" 0")


def test_a_call_left_out_with_a_result(tracer: Tracer, program: Path, files: tuple[Path, Path]) -> None:
    answers = iter((4242, -errno.EACCES, 0))

    def answer(task: Task, call: SyscallExit) -> None:
        call.syscall.result = next(answers)

    _, results = outputs(tracer, program, files[0], Meddler({GETPPID: abort}, {GETPPID: answer}))
    assert results[:3] == ["4242 0", f"-1 {errno.EACCES}", "0 0"]


def test_another_call_instead(tracer: Tracer, program: Path, files: tuple[Path, Path]) -> None:
    def other(task: Task, call: SyscallEntry) -> Answer:
        call.syscall.number = GETPID
        return None

    _, results = outputs(tracer, program, files[0], Meddler({GETPPID: other}))
    assert len(set(results)) == 1


def test_a_call_rolled_back_and_made_again(tracer: Tracer, program: Path, files: tuple[Path, Path]) -> None:
    rolled: list[int] = []

    def again(task: Task, call: SyscallExit) -> None:
        if not rolled:
            call.syscall.rollback()
            rolled.append(call.syscall.result)
            task.registers.pc -= task.process.architecture.syscall.instruction_length

    meddler = Meddler(exits={GETPPID: again})
    _, results = outputs(tracer, program, files[0], meddler)
    assert rolled == [GETPPID]
    assert results[:3] == [f"{os.getpid()} 0"] * 3
    assert meddler.count("entry", GETPPID) == meddler.count("exit", GETPPID) == 4


def test_the_last_of_several_decides_and_the_others_see_it(
    tracer: Tracer, program: Path, files: tuple[Path, Path]
) -> None:
    """The engine that came last is asked first at an entry: it sees the program's own call."""
    seen: list[Syscall] = []

    class Watching(Meddler):
        def report_syscall_entry(self, task: Task, action: int, call: SyscallEntry) -> Answer:
            if call.number == GETPPID:
                seen.append(Syscall(action & 0xF0))
            return None

    engines = [Watching(), Meddler({GETPPID: abort}), Watching()]
    _, results = outputs(tracer, program, files[0], *engines)
    assert results[0] == f"-1 {errno.ENOSYS}"
    assert seen == [Syscall.RUN, Syscall.ABORT] * 3


def test_an_abort_by_itself_does_not_hold(tracer: Tracer, program: Path, files: tuple[Path, Path]) -> None:
    engine = Meddler({GETPPID: lambda task, call: Syscall.ABORT})
    _, results = outputs(tracer, program, files[0], engine)
    assert results[0] == f"-1 {errno.ENOSYS}"


def test_an_entry_is_reported_again_after_a_hold(
    tracer: Tracer, program: Path, files: tuple[Path, Path]
) -> None:
    flags: list[bool] = []

    class Holding(Meddler):
        events = Event.SYSCALL | Event.QUIESCE

        def report_syscall_entry(self, task: Task, action: int, call: SyscallEntry) -> Answer:
            if call.number != GETPPID:
                return None
            flags.append(bool(action & gdbstub.RESUMED))
            return None if flags[-1] else gdbstub.Resume.STOP

    engine = Holding()
    process, output = launch(tracer, program, str(files[0]), engines=[engine])
    task = process.leader
    assert task is not None
    for _ in range(3):
        until(tracer, lambda: task.held)
        assert gdbstub.prepare_examine(task, engine).kind.name == "SYSCALL_ENTRY"
        gdbstub.control(task, engine, gdbstub.Resume.REPORT)
    assert finish(tracer, output).splitlines()[1:4] == [f"{os.getpid()} 0"] * 3
    assert flags == [False, True] * 3


def test_there_are_no_more_than_six_arguments(
    tracer: Tracer, program: Path, files: tuple[Path, Path]
) -> None:
    refused: list[int | None] = []

    def ask(task: Task, call: SyscallEntry) -> Answer:
        attempts: list[Callable[[], object]] = [
            lambda: call.syscall.arguments(0, 7),
            lambda: call.syscall.arguments(6, 1),
            lambda: call.syscall.arguments(-1, 1),
            lambda: call.syscall.set_arguments(5, (1, 2)),
        ]
        for attempt in attempts:
            with pytest.raises(gdbstub.Invalid) as error:
                attempt()
            refused.append(error.value.errno)
        assert call.syscall.arguments(6, 0) == ()
        return None

    outputs(tracer, program, files[0], Meddler({GETPPID: ask}))
    assert refused == [errno.EINVAL] * 12


@pytest.mark.parametrize("options", [FIXED, (*FIXED, "-m32")])
def test_calls_by_int_0x80(tracer: Tracer, build: Build, options: tuple[str, ...]) -> None:
    program = build("traced_int80", *options)
    text = symbols(program)["text"]
    closed: list[tuple[tuple[int, ...], int, str]] = []
    written: list[tuple[int, ...]] = []

    class Int80(Engine):
        events = Event.SYSCALL

        def report_syscall_entry(self, task: Task, action: int, call: SyscallEntry) -> Answer:
            if call.syscall.abi.audit_arch == 0x40000003 and call.number == 4:
                written.append(call.syscall.arguments(0, 3))
                call.syscall.set_arguments(2, (6,))
            return None

        def report_syscall_exit(self, task: Task, action: int, call: SyscallExit) -> Answer:
            if call.error == errno.EBADF:
                closed.append((call.syscall.arguments(0, 1), call.number, call.error_name))
            return None

    process, output = launch(tracer, program, engines=[Int80()])
    assert finish(tracer, output) == "by int"
    assert written == [(1, text, 12)]
    assert closed == [((99,), 6, "EBADF")]
    assert process.outcome == Exited(errno.EBADF)


def test_what_a_sleeper_sleeps_in(build: Build, tracer: Tracer, processes: Processes) -> None:
    sleeper, place = start(processes, build("traced_sleep"))
    tid = sleeper.pid

    def sleeps() -> bool:
        try:
            return gdbstub.current_syscall(tid).number == NANOSLEEP
        except gdbstub.Running:
            return False

    until(tracer, sleeps)
    clock_monotonic, timer_abstime = 1, 1
    found = gdbstub.current_syscall(tid, 4)
    assert found.arguments == (clock_monotonic, timer_abstime, int(place), 0)
    assert gdbstub.current_syscall(tid, 2).arguments == (clock_monotonic, timer_abstime)
    assert gdbstub.current_syscall(tid, 0).arguments == ()
    for count in (7, -1):
        with pytest.raises(gdbstub.Invalid) as refused:
            gdbstub.current_syscall(tid, count)
        assert refused.value.errno == errno.EINVAL


def test_a_runner_is_in_no_call(build: Build, processes: Processes) -> None:
    runner, _ = start(processes, build("traced_spin"))
    with pytest.raises(gdbstub.Running) as refused:
        gdbstub.current_syscall(runner.pid)
    assert refused.value.errno == errno.EAGAIN
    runner.kill()
    runner.wait()
    with pytest.raises(ProcessLookupError):
        gdbstub.current_syscall(runner.pid)

"""Two stock gdbs on one process: each sees what docs/debuggers.md says, and the process notices nothing."""

from __future__ import annotations

import os
import signal

import pytest
from elf_symbols import address_of
from hub_support import PLAIN, Build, Colleague, StartGdb, StartWork, Work
from server_process import wait_until

from gdbstub.hub.control import NoAnswer, ask
from gdbstub.hub.daemon import make_sure
from gdbstub.hub.runtime import Place

PROGRAMS = pytest.mark.parametrize(
    ("threads", "children"), [(1, 0), (20, 0), (1, 2)], ids=["single", "threads", "forking"]
)


@pytest.fixture
def visit(build: Build) -> int:
    return address_of(build("hub_work", *PLAIN), "visit")


def finish(work: Work, value: int = 5, caught: tuple[int, int] = (0, 0), children: int = 0) -> None:
    """Once all have left: nothing has stayed, and it ends as it should."""
    work.check_left()
    for _ in range(children):
        work.tell("f")
    work.check_ends(value, caught, children)


def run_on(gdb: Colleague) -> None:
    """Delete all breakpoints and let it run."""
    gdb.console("delete")
    gdb.go("continue")


@PROGRAMS
@pytest.mark.parametrize("first_leaves_first", [True, False])
@pytest.mark.parametrize("ending", ["detach", "quit", "kill -9"])
def test_each_order_of_coming_and_leaving(
    work: StartWork, gdb: StartGdb, threads: int, children: int, first_leaves_first: bool, ending: str
) -> None:
    process = work(threads)
    with make_sure(process.pid).connection:
        first = gdb().join(process)
    first.insert("visit")
    first.go("continue")
    assert first.hit() == "visit"
    second = gdb().join(process)
    second.insert("other")
    second.go("continue")
    # It waits for the first one; then runs to its own breakpoint.
    assert process.stands()
    run_on(first)
    assert second.hit() == "other"
    for _ in range(2):
        second.go("continue")
        assert second.hit() == "other"
    leaver, stayer = (first, second) if first_leaves_first else (second, first)
    leave(leaver, ending, held=leaver is second)
    if stayer is first:
        # It runs, and is stopped to be given a breakpoint.
        stayer.interrupt()
    stayer.console("delete")
    stayer.insert("visit")
    stayer.go("continue")
    assert stayer.hit() == "visit"
    assert [name for name in stayer.engines() if name.startswith("debugger")] == []
    leave(stayer, ending, held=True)
    finish(process, children=children)


def leave(gdb: Colleague, ending: str, *, held: bool) -> None:
    if ending == "kill -9":
        gdb.kill_itself()
        return
    if not held:
        gdb.interrupt()
    if ending == "detach":
        gdb.console("detach")
    else:
        gdb.request("-gdb-exit")


@PROGRAMS
def test_breakpoints_at_one_address(
    shared: StartWork, gdb: StartGdb, visit: int, threads: int, children: int
) -> None:
    """Both stop at each hit; neither sees the other's in memory; one's removal leaves the other's."""
    process = shared(threads)
    both = first, second = gdb().join(process), gdb().join(process)
    original = first.evaluate(f"*(unsigned char *) {visit}")
    for each in both:
        each.insert("visit")
        each.go("continue")
    for _ in range(3):
        assert [each.hit() for each in both] == ["visit", "visit"]
        assert [each.evaluate(f"*(unsigned char *) {visit}") for each in both] == [original] * 2
        assert first.evaluate("$_thread") == second.evaluate("$_thread")
        for each in both:
            each.go("continue")
    assert [each.hit() for each in both] == ["visit", "visit"]
    run_on(first)
    for _ in range(3):
        second.go("continue")
        assert second.hit() == "visit"
    for each in both:
        each.kill_itself()
    release(process)
    finish(process, children=children)


def release(work: Work) -> None:
    ask(work.place, "release")


def test_breakpoints_at_different_addresses(shared: StartWork, gdb: StartGdb) -> None:
    """Each stops at its own only; and while one holds, the other's waits."""
    process = shared()
    first, second = gdb().join(process), gdb().join(process)
    first.insert("visit")
    second.insert("other")
    for each in (first, second):
        each.go("continue")
    for _ in range(3):
        assert first.hit() == "visit"
        # Interrupted, the second one finds it where the first one holds it, and no stop of its own.
        second.interrupt()
        assert second.frames()[0] == "visit"
        second.go("continue")
        first.go("continue")
        assert second.hit() == "other"
        first.interrupt()
        assert first.frames()[0] == "other"
        first.go("continue")
        second.go("continue")
    for each in (first, second):
        each.kill_itself()
    release(process)
    finish(process)


def test_one_steps_while_the_other_holds(shared: StartWork, gdb: StartGdb) -> None:
    """The step waits until the other one lets go, is its owner's alone, and is one instruction."""
    process = shared()
    first, second = gdb().join(process), gdb().join(process)
    second.insert("other")
    for each in (first, second):
        each.go("continue")
    assert second.hit() == "other"
    first.interrupt()
    start = int(first.evaluate("(long) $pc"))
    first.go("step-instruction")
    assert process.stands()
    engines = first_words(second.engines())
    assert engines == {"hub": "holds nothing", first.name: "holds nothing", "you": "holds all threads"}
    run_on(second)
    first.stop()
    assert int(first.evaluate("(long) $pc")) > start
    engines = first_words(first.engines())
    assert engines == {"hub": "holds nothing", second.name: "holds nothing", "you": "holds all threads"}
    # The other one's program runs, for all that it knows.
    first.go("continue")
    second.interrupt()
    for each in (first, second):
        each.console("detach")
    release(process)
    finish(process)


def first_words(engines: dict[str, str]) -> dict[str, str]:
    """What each holds; gdb has breakpoints of its own, too."""
    return {name: does.partition(";")[0] for name, does in engines.items()}


def test_both_step_together(shared: StartWork, gdb: StartGdb) -> None:
    """Two steps asked for at once are one instruction, and each gets its stop."""
    process = shared()
    both = gdb().join(process), gdb().join(process)
    for each in both:
        each.insert("*other")
        each.go("continue")
    assert [each.hit() for each in both] == ["other", "other"]
    for each in both:
        each.go("step-instruction")
    for each in both:
        assert each.stop()["reason"] == "end-stepping-range"
    assert len({each.evaluate("(long) $pc") for each in both}) == 1
    for each in both:
        each.console("detach")
    release(process)
    finish(process)


def test_registers_and_memory_that_one_changes_the_other_sees(shared: StartWork, gdb: StartGdb) -> None:
    process = shared()
    both = first, second = gdb().join(process), gdb().join(process)
    for each in both:
        each.insert("other")
        each.go("continue")
    for each in both:
        each.hit()
    first.console("set variable value = 77")
    first.console("set variable $r11 = 0x1234")
    # gdb keeps what it has read until the program runs or is told to forget it.
    second.console("maintenance flush register-cache")
    second.console("maintenance flush dcache")
    assert second.evaluate("value") == "77"
    assert second.evaluate("$r11") == "4660"
    second.console("set variable value = 78")
    for each in both:
        run_on(each)
    for each in both:
        each.interrupt()
        assert each.evaluate("value") == "78"
        each.console("detach")
    release(process)
    finish(process, value=78)


@PROGRAMS
@pytest.mark.parametrize("how", ["kill", "signal", "end"])
def test_the_end_of_the_process_is_told_to_both(
    shared: StartWork, gdb: StartGdb, threads: int, children: int, how: str
) -> None:
    process = shared(threads)
    first, second = gdb().join(process), gdb().join(process)
    second.go("continue")
    if how == "kill":
        wait_until(lambda: first.engines()[second.name].startswith("holds nothing"), "the second one goes on")
        first.console("kill")
        status = -signal.SIGKILL
    else:
        first.go("continue")
        wait_until(lambda: not process.stands(), "it runs")
        if how == "signal":
            os.kill(process.pid, signal.SIGKILL)
            status = -signal.SIGKILL
        else:
            for _ in range(children):
                process.tell("f")
            process.check_ends(children=children)
            status = 7
        assert exit_of(first) == status
    assert exit_of(second) == status
    assert process.process.wait() == status
    wait_until(lambda: not process.place.folder.exists(), "its place goes")


def exit_of(gdb: Colleague) -> int:
    """Wait for the end of the program; its status, negative for a signal."""
    stop = gdb.stop()
    if stop["reason"] == "exited-signalled":
        assert stop["signal-name"] == "SIGKILL"
        return -signal.SIGKILL
    assert stop["reason"] == "exited"
    return int(stop["exit-code"], 8)


def test_a_signal_is_told_to_each_that_wants_it(shared: StartWork, gdb: StartGdb) -> None:
    """One after the other, in the order in which they came; it is delivered when the last one goes on."""
    process = shared()
    first, second = gdb().join(process), gdb().join(process)
    second.console("handle SIGUSR2 nostop noprint pass")
    for each in (first, second):
        each.go("continue")
    wait_until(lambda: not process.stands(), "it runs")
    os.kill(process.pid, signal.SIGUSR1)
    for each in (first, second):
        assert each.stop()["signal-name"] == "SIGUSR1"
        assert each.evaluate("first_caught") == "0"
        each.go("continue")
    wait_until(lambda: not process.stands(), "it runs")
    os.kill(process.pid, signal.SIGUSR2)
    assert first.stop()["signal-name"] == "SIGUSR2"
    first.go("continue")
    for each in (first, second):
        each.interrupt()
        assert each.evaluate("first_caught + second_caught") == "2"
        each.console("detach")
    release(process)
    finish(process, caught=(1, 1))


@pytest.mark.parametrize("dropper", [0, 1])
def test_a_signal_that_one_does_not_pass_is_not_delivered(
    shared: StartWork, gdb: StartGdb, dropper: int
) -> None:
    """Each may change it, in the order in which they came; what is dropped is not told to the next."""
    process = shared()
    both = gdb().join(process), gdb().join(process)
    both[dropper].console("handle SIGUSR1 stop print nopass")
    for each in both:
        each.go("continue")
    wait_until(lambda: not process.stands(), "it runs")
    os.kill(process.pid, signal.SIGUSR1)
    for each in both[: dropper + 1]:
        assert each.stop()["signal-name"] == "SIGUSR1"
        each.go("continue")
    wait_until(lambda: not process.stands(), "it runs")
    os.kill(process.pid, signal.SIGUSR2)
    for each in both:
        assert each.stop()["signal-name"] == "SIGUSR2"
        each.go("continue")
    for each in both:
        each.interrupt()
        each.console("detach")
    release(process)
    finish(process, caught=(0, 1))


def test_one_changes_a_signal(shared: StartWork, gdb: StartGdb) -> None:
    process = shared()
    first, second = gdb().join(process), gdb().join(process)
    second.console("handle all nostop noprint pass")
    for each in (first, second):
        each.go("continue")
    wait_until(lambda: not process.stands(), "it runs")
    os.kill(process.pid, signal.SIGUSR1)
    assert first.stop()["signal-name"] == "SIGUSR1"
    first.console("queue-signal SIGUSR2")
    first.go("continue")
    for each in (first, second):
        each.interrupt()
        each.console("detach")
    release(process)
    finish(process, caught=(0, 1))


def test_fork_is_told_to_each_by_its_settings(shared: StartWork, gdb: StartGdb) -> None:
    process = shared()
    first, second, third = (gdb().join(process) for _ in range(3))
    for each in (first, second):
        each.console("catch fork")
    second.console("set detach-on-fork off")
    third.insert("in_child")
    for each in (first, second, third):
        each.go("continue")
    wait_until(lambda: not process.stands(), "it runs")
    process.tell("f")
    stops = [first.stop(), second.stop()]
    assert [stop["reason"] for stop in stops] == ["fork", "fork"]
    child = int(stops[0]["newpid"])
    assert int(stops[1]["newpid"]) == child
    first.go("continue")
    assert shared_at(child) == [child]
    # The child is the second one's from here on, and waits for it.
    second.go("continue")
    second.interrupt()
    assert f"process {child}" in second.console("info inferiors")
    second.console("detach inferiors 2")
    second.go("continue")
    process.says("child 1 3\n")
    wait_until(lambda: not Place.of(child).folder.exists(), "the child's place goes")
    for each in (first, second, third):
        each.kill_itself()
    release(process)
    process.check_left()
    process.check_ends(children=1)


def shared_at(pid: int) -> list[int]:
    """The process that a followed child's own place tells of."""
    try:
        statuses = ask(Place.of(pid), "status")
    except NoAnswer as error:
        raise AssertionError(error) from None
    return [status["pid"] for status in statuses if status["pid"] == pid]


def test_exec_is_told_to_each_by_its_settings(shared: StartWork, gdb: StartGdb) -> None:
    process = shared(20)
    both = first, _ = gdb().join(process), gdb().join(process)
    first.console("catch exec")
    for each in both:
        each.go("continue")
    wait_until(lambda: not process.stands(), "it runs")
    process.output = ""
    process.tell("e")
    stop = first.stop()
    assert stop["reason"] == "exec"
    assert stop["new-exec"].endswith("hub_work-no-pie")
    first.go("continue")
    process.says("ready 1\n")
    process.threads = 1
    for each in both:
        each.interrupt()
        assert len(each.done(each.request("-thread-info"))["threads"]) == 1
        each.insert("other")
        each.go("continue")
    for each in both:
        assert each.hit() == "other"
        each.console("detach")
    release(process)
    finish(process)

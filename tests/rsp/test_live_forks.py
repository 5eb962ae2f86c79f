"""Children that are there before the client has been told that they were made."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gdbstub.target.live.target import LiveTarget
from gdbstub.target.values import EVERY_THREAD, ForkStop, ResumeAction, ResumeKind, ThreadStop
from gdbstub.utrace.tracer import Tracer

PATIENCE = 20.0


class TwoForks:
    """A program both of whose threads have made a child, of which nothing has been told."""

    def __init__(self, tracer: Tracer, program: Path) -> None:
        self.tracer, self.said = tracer, b""
        self.target = LiveTarget(tracer)
        self._output, theirs = os.pipe()
        tracer.add_reader(self._output, self._read)
        self._ended = False
        self.target.descriptors = {1: theirs}
        self.target.run([str(program)])
        os.close(theirs)
        (self.pid,) = self.target.processes()
        # Stops wait to be taken in non-stop mode, while the other threads run on.
        self.target.non_stop = True
        self.target.report_events(fork=True, vfork=False, execs=False)
        self.target.resume([ResumeAction(ResumeKind.CONTINUE, EVERY_THREAD)])
        assert tracer.run_until(lambda: len(tracer.processes) == 3, PATIENCE)

    def _read(self) -> None:
        more = os.read(self._output, 100)
        self.said += more
        if not more:
            self.tracer.remove_reader(self._output)
            os.close(self._output)
            self._ended = True

    def words_of_children(self) -> bytes:
        """What the children have said when none of the processes is left."""
        assert self.tracer.run_until(lambda: self._ended and not self.tracer.processes, PATIENCE)
        return self.said

    def debugged(self) -> set[int]:
        """The processes that the client can know of, by the list of threads."""
        assert set(self.target.processes()) == {thread.pid for thread in self.target.threads()}
        return set(self.target.processes())

    def next_child(self) -> int:
        """Be told of a child."""
        stops = []

        def told() -> bool:
            stop = self.target.take_stop()
            stops.append(stop)
            return stop is not None

        assert self.tracer.run_until(told, PATIENCE)
        assert isinstance(stops[-1], ForkStop)
        return stops[-1].child.pid


@pytest.fixture
def forks(build: Callable[..., Path]) -> Iterator[TwoForks]:
    with Tracer() as tracer:
        yield TwoForks(tracer, build("forks_at_once"))


def test_a_child_is_listed_when_its_fork_has_been_told(forks: TwoForks) -> None:
    """gdb takes a process in the list for one that it knows, and the fork then for a contradiction."""
    assert forks.debugged() == {forks.pid}
    stops = forks.target.standing_stops()
    assert all(isinstance(stop, ThreadStop) and stop.thread.pid == forks.pid for stop in stops)
    first = forks.next_child()
    assert forks.debugged() == {forks.pid, first}
    second = forks.next_child()
    assert forks.debugged() == {forks.pid, first, second}


def test_it_is_not_resumed_with_the_others(forks: TwoForks) -> None:
    first = forks.next_child()
    forks.target.resume([ResumeAction(ResumeKind.CONTINUE, EVERY_THREAD)])
    assert forks.tracer.run_until(lambda: forks.said == b"child\n", PATIENCE)
    assert forks.next_child() != first
    assert forks.said == b"child\n"


def test_it_is_let_go_with_its_parent(forks: TwoForks) -> None:
    forks.target.detach(forks.pid)
    assert forks.words_of_children() == b"child\n" * 2


def test_it_is_killed_with_its_parent(forks: TwoForks) -> None:
    forks.target.kill(forks.pid)
    assert forks.words_of_children() == b""


def test_it_goes_on_when_its_parent_dies(forks: TwoForks) -> None:
    os.kill(forks.pid, signal.SIGKILL)
    assert forks.words_of_children() == b"child\n" * 2

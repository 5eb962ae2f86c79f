"""The order in which stops are told, when several happened at once."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from gdbstub.target.live.stop_queue import StopQueue
from gdbstub.target.live.thread import LiveThread
from gdbstub.target.values import NoResumed, ProcessExited, SignalStop, Stop, ThreadId
from gdbstub.testing.simulation import SimulatedMachine

Entry = tuple[int | None, int]
"""A thread's index (None: nothing stands still for it) and the stop's number."""


def make_threads(count: int) -> list[LiveThread]:
    process = SimulatedMachine().process(1, tuple(range(2, count + 1)))
    return [LiveThread(task) for task in process.tasks.values()]


def stop_of(thread: LiveThread, signal: int) -> SignalStop:
    return SignalStop(ThreadId(1, thread.task.tid), signal)


def always(thread: LiveThread) -> bool:
    return True


def resumed(*threads: LiveThread) -> Callable[[LiveThread], bool]:
    return lambda thread: thread in threads


def test_oldest_first() -> None:
    first, second = make_threads(2)
    queue = StopQueue(lambda thread, stop: True)
    stops = [stop_of(second, 1), stop_of(first, 2), stop_of(second, 3)]
    for thread, stop in zip((second, first, second), stops, strict=True):
        queue.add(thread, stop)
    taken = [queue.take(always) for _ in range(4)]
    assert taken == [(second, stops[0]), (first, stops[1]), (second, stops[2]), None]


def test_only_threads_that_may_be_told_of() -> None:
    first, second = make_threads(2)
    queue = StopQueue(lambda thread, stop: True)
    queue.add(first, stop_of(first, 1))
    queue.add(second, stop_of(second, 2))
    assert queue.take(resumed(second)) == (second, stop_of(second, 2))
    assert not queue.has(resumed(second))
    assert queue.waits(first)
    assert queue.take(resumed(first, second)) == (first, stop_of(first, 1))
    assert not queue.waits(first)


def test_what_no_thread_stands_for_is_always_told() -> None:
    (thread,) = make_threads(1)
    queue = StopQueue(lambda thread, stop: True)
    queue.add(thread, stop_of(thread, 1))
    queue.add(None, ProcessExited(5, 0))
    assert queue.take(resumed()) == (None, ProcessExited(5, 0))


def test_what_is_no_longer_true_is_forgotten_when_its_turn_comes() -> None:
    (thread,) = make_threads(1)
    untrue: list[Stop] = [stop_of(thread, 1)]
    queue = StopQueue(lambda thread, stop: stop not in untrue)
    queue.add(thread, stop_of(thread, 1))
    queue.add(thread, stop_of(thread, 2))
    assert queue.take(resumed()) is None
    assert queue.take(always) == (thread, stop_of(thread, 2))
    untrue.clear()
    assert queue.take(always) is None, "it was forgotten, not put off"


def test_a_thread_that_is_gone_takes_its_stops_along() -> None:
    first, second = make_threads(2)
    queue = StopQueue(lambda thread, stop: True)
    for thread in (first, second, first):
        queue.add(thread, stop_of(thread, 1))
    queue.add(None, NoResumed())
    queue.drop(first)
    assert [queue.take(always) for _ in range(3)] == [(second, stop_of(second, 1)), (None, NoResumed()), None]


@given(
    st.lists(st.tuples(st.none() | st.integers(0, 3), st.integers(1, 64)), max_size=12),
    st.sets(st.integers(0, 3)),
)
def test_taking_until_nothing_is_left(entries: list[Entry], chosen: set[int]) -> None:
    threads = make_threads(4)
    queue = StopQueue(lambda thread, stop: True)
    expected: list[tuple[LiveThread | None, Stop]] = []
    for index, number in entries:
        if index is None:
            expected.append((None, ProcessExited(number, 0)))
        else:
            thread = threads[index]
            expected.append((thread, stop_of(thread, number)))
        queue.add(*expected[-1])
    may = resumed(*(threads[index] for index in chosen))
    told = [entry for entry in expected if entry[0] is None or may(entry[0])]
    found = []
    while queue.has(may):
        entry = queue.take(may)
        assert entry is not None
        found.append(entry)
    assert found == told
    rest = [entry for entry in expected if entry not in told]
    assert [queue.take(always) for _ in rest] == rest

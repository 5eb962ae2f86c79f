"""Tracer.call: other threads' calls, and what becomes of them, and of the rest, when the tracer closes."""

from __future__ import annotations

import errno
import itertools
import os
import select
import threading
from collections.abc import Callable

from gdbstub.utrace.errors import ERESTARTSYS, Interrupted, NoTask
from gdbstub.utrace.tracer import Tracer

PATIENCE = 10.0


class Caller(threading.Thread):
    """A thread that makes one call and keeps what it comes to."""

    def __init__(self, tracer: Tracer, function: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self.tracer = tracer
        self.function = function
        self.result: object = None
        self.start()

    def run(self) -> None:
        try:
            self.result = self.tracer.call(self.function)
        except BaseException as error:  # noqa: BLE001 - for the test to look at
            self.result = error

    def outcome(self) -> object:
        self.join(PATIENCE)
        assert not self.is_alive()
        return self.result


def wait_for_call(tracer: Tracer) -> None:
    """Until somebody has asked the loop for something."""
    readable, _, _ = select.select([tracer.fileno()], [], [], PATIENCE)
    assert readable


def test_a_call_runs_in_the_tracer_s_thread() -> None:
    with Tracer() as tracer:
        caller = Caller(tracer, threading.get_ident)
        wait_for_call(tracer)
        tracer.step()
        assert caller.outcome() == threading.get_ident()


def test_a_call_raises_what_its_function_raises() -> None:
    def fail() -> None:
        raise NoTask

    with Tracer() as tracer:
        caller = Caller(tracer, fail)
        wait_for_call(tracer)
        tracer.step()
        error = caller.outcome()
    assert isinstance(error, NoTask)
    assert error.errno == errno.ESRCH


def test_a_call_is_interrupted_when_the_tracer_closes() -> None:
    called: list[bool] = []
    tracer = Tracer()
    caller = Caller(tracer, lambda: called.append(True))
    wait_for_call(tracer)
    tracer.close()
    error = caller.outcome()
    assert isinstance(error, Interrupted)
    assert error.errno == ERESTARTSYS
    assert not called


def test_a_call_after_the_tracer_has_closed() -> None:
    tracer = Tracer()
    tracer.close()
    assert isinstance(Caller(tracer, threading.get_ident).outcome(), Interrupted)


def test_a_call_that_closes_the_tracer_is_done() -> None:
    tracer = Tracer()
    caller = Caller(tracer, tracer.close)
    wait_for_call(tracer)
    tracer.step()
    assert caller.outcome() is None


def test_closing_again_does_nothing() -> None:
    """Descriptors that others have got meanwhile are not touched: not closed, not written to."""
    tracer = Tracer()
    tracer.close()
    others = [os.pipe() for _ in range(4)]
    tracer.close()
    tracer.post(lambda: None)
    tracer.wake()
    for reading, writing in others:
        os.close(writing)
        assert os.read(reading, 1) == b""
        os.close(reading)


def test_closing_while_other_descriptors_are_ready() -> None:
    tracer = Tracer()
    called: list[bool] = []
    pipes = [os.pipe() for _ in range(2)]

    def close() -> None:
        called.append(True)
        tracer.close()

    for reading, writing in pipes:
        os.write(writing, b"x")
        tracer.add_reader(reading, close)
    tracer.wake()
    tracer.step(PATIENCE)
    assert called == [True]
    for descriptor in itertools.chain(*pipes):
        os.close(descriptor)

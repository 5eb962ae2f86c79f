"""What simulated programs cannot show: which stops a real one leaves to be told after it was run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rsp_client import ALL_FEATURES, Client

from gdbstub.target.live.target import LiveTarget
from gdbstub.utrace.tracer import Tracer

PROGRAM = b"/bin/true".hex()


@pytest.fixture
def live() -> Iterator[LiveTarget]:
    tracer = Tracer()
    target = LiveTarget(tracer)
    yield target
    for pid in target.processes():
        target.kill(pid)
    tracer.close()


@pytest.mark.parametrize("non_stop", [0, 1])
def test_the_reply_to_a_run_is_all_that_is_told_of_it(live: LiveTarget, non_stop: int) -> None:
    """gdb 13 ends with an internal error when it is notified of a thread that vRun's reply told of."""
    client = Client(live, ALL_FEATURES)
    client.talk((f"QNonStop:{non_stop}", "OK"))
    reply = client.ask("vRun;" + PROGRAM)
    (pid,) = live.processes()
    assert reply.startswith("T05")
    assert f"thread:p{pid:x}.{pid:x};" in reply
    assert live.take_stop() is None


def test_a_thread_that_runs_does_not_tell_where_its_variables_are(live: LiveTarget) -> None:
    client = Client(live, ALL_FEATURES)
    client.ask("vRun;" + PROGRAM)
    (pid,) = live.processes()
    assert client.replies("vCont;c") == []
    assert client.ask(f"qGetTLSAddr:p{pid:x}.{pid:x},0,0") == f"E.task {pid} is running"


def test_two_programs_have_their_own_symbols(live: LiveTarget) -> None:
    """Their thread libraries lie at different addresses."""
    client = Client(live, ALL_FEATURES)
    for _ in range(2):
        client.ask("vRun;" + PROGRAM)
    first, second = live.processes()
    wanted = "_thread_db_pthread_dtvp"
    for pid, address in ((first, 0x10), (second, 0x20)):
        client.talk((f"Hgp{pid:x}.{pid:x}", "OK"))
        client.ask(f"qSymbol:{address:x}:{wanted.encode().hex()}")
    for pid, address in ((first, 0x10), (second, 0x20)):
        assert client.ask(f"qGetTLSAddr:p{pid:x}.{pid:x},0,0") == f"E.Cannot access memory at {address:#x}"

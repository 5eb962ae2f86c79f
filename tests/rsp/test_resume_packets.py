"""Running and stopping: vCont, the old packets, interrupts, `?`, non-stop mode."""

from __future__ import annotations

import pytest
from rsp_client import ALL_FEATURES, Client

from gdbstub.target.values import (
    EVERY_THREAD,
    ProcessExited,
    ProcessKilled,
    ResumeAction,
    ResumeKind,
    SignalStop,
    TargetError,
    ThreadId,
    ThreadPattern,
)
from gdbstub.testing.simulated_state import CODE
from gdbstub.testing.target import SimulatedTarget

C, S, R, T = ResumeKind.CONTINUE, ResumeKind.STEP, ResumeKind.RANGE_STEP, ResumeKind.STOP
LEADER, OTHER = ThreadId(10, 10), ThreadId(10, 11)
SIGSEGV, SIGINT = 11, 2


def stop(signal: int, tid: str = "a", pc: int = CODE, reason: str = "") -> str:
    """A stop reply of process 10 to a plain client."""
    rip = pc.to_bytes(8, "little").hex()
    return f"T{signal:02x}{reason}06:{'00' * 8};07:00e8ffffff7f0000;10:{rip};thread:{tid};core:0;"


@pytest.mark.parametrize(
    ("packet", "actions"),
    [
        ("vCont;c", [ResumeAction(C, EVERY_THREAD)]),
        ("vCont;s:b;c", [ResumeAction(S, ThreadPattern(0, 11)), ResumeAction(C, EVERY_THREAD)]),
        ("vCont;s:pa.b", [ResumeAction(S, ThreadPattern(10, 11))]),
        ("vCont;c:pa.-1", [ResumeAction(C, ThreadPattern(10, -1))]),
        ("vCont;c:pa", [ResumeAction(C, ThreadPattern(10, -1))]),
        ("vCont;c:p-1.-1", [ResumeAction(C, ThreadPattern(-1, -1))]),
        ("vCont;c:-1", [ResumeAction(C, ThreadPattern(0, -1))]),
        ("vCont;C0b:a;c", [ResumeAction(C, ThreadPattern(0, 10), SIGSEGV), ResumeAction(C, EVERY_THREAD)]),
        ("vCont;S1e:a", [ResumeAction(S, ThreadPattern(0, 10), 10)]),
        ("vCont;C00", [ResumeAction(C, EVERY_THREAD, 0)]),
        ("vCont;r401000,40100a:b", [ResumeAction(R, ThreadPattern(0, 11), 0, 0x401000, 0x40100A)]),
        ("vCont;t:a", [ResumeAction(T, ThreadPattern(0, 10))]),
        ("c", [ResumeAction(C, EVERY_THREAD)]),
        ("c401000", [ResumeAction(C, EVERY_THREAD)]),
        ("C0b", [ResumeAction(C, ThreadPattern(10, 10), SIGSEGV), ResumeAction(C, EVERY_THREAD)]),
        ("C0b;401000", [ResumeAction(C, ThreadPattern(10, 10), SIGSEGV), ResumeAction(C, EVERY_THREAD)]),
        ("s", [ResumeAction(S, ThreadPattern(10, 10)), ResumeAction(C, EVERY_THREAD)]),
        ("S02", [ResumeAction(S, ThreadPattern(10, 10), SIGINT), ResumeAction(C, EVERY_THREAD)]),
    ],
)
def test_what_is_resumed(
    client: Client, target: SimulatedTarget, packet: str, actions: list[ResumeAction]
) -> None:
    client.replies(packet)
    assert target.resumptions == [tuple(actions)]


def test_old_packets_are_about_the_threads_chosen_for_them(client: Client, target: SimulatedTarget) -> None:
    client.talk(("Hcb", "OK"), ("s", stop(5, "b", CODE + 1)))
    assert target.resumptions == [(ResumeAction(S, ThreadPattern(0, 11)),)]
    client.talk(("Hc-1", "OK"), ("Hgb", "OK"), ("s", stop(5, "b", CODE + 2)))
    assert target.resumptions[1][0] == ResumeAction(S, ThreadPattern(10, 11))


@pytest.mark.parametrize(
    "packet",
    [
        *("vCont", "vCont;", "vCont;x", "vCont;c;", "vCont;c:x", "vCont;C", "vCont;Czz", "vCont;Cff"),
        *("vCont;r1", "vCont;r1,x", "vCont;r,:a", "C", "Cff", "S", "Szz"),
    ],
)
def test_what_cannot_be_asked_resumes_nothing(client: Client, target: SimulatedTarget, packet: str) -> None:
    client.talk((packet, "E01"))
    assert target.resumptions == []
    assert not target.running


def test_the_actions_known(client: Client) -> None:
    assert client.ask("vCont?") == "vCont;c;C;t;s;S;r"


def test_steps(client: Client) -> None:
    client.talk(
        ("vCont;s:a", stop(5, "a", CODE + 1)),
        ("vCont;s:b", stop(5, "b", CODE + 1)),
        (f"vCont;r{CODE:x},{CODE + 9:x}:b", stop(5, "b", CODE + 9)),
        ("qC", "QCb"),
    )


def test_the_thread_that_stops_becomes_the_general_one(client: Client, target: SimulatedTarget) -> None:
    target.upcoming.append(SignalStop(OTHER, SIGSEGV))
    client.talk(("qC", "QCa"), ("vCont;c", stop(11, "b")), ("qC", "QCb"), ("?", stop(0, "a")))


def test_a_resume_waits_until_something_happens(client: Client, target: SimulatedTarget) -> None:
    client.talk(("vCont;c", None), ("vCont;c", "E01"), ("s", "E01"), ("qC", "QCa"))
    assert len(target.resumptions) == 1
    target.upcoming.append(SignalStop(LEADER, SIGSEGV))
    assert client.replies("qAttached") == ["1", stop(11)]


def test_interrupts(client: Client) -> None:
    assert client.raw(b"\x03") == b"", "nothing runs"
    client.talk(("vCont;c", None))
    assert client.replies("vCtrlC") == ["OK", stop(SIGINT)]
    client.talk(("vCont;c", None))
    assert client.raw(b"\x03").startswith(b"$T02")
    assert client.raw(b"\x03") == b""


def test_a_program_that_ends(client: Client, target: SimulatedTarget) -> None:
    target.upcoming.append(ProcessExited(10, 7))
    client.talk(("vCont;c", "W07"), ("?", "W00"), ("qfThreadInfo", "l"), ("vCont;c", "E01"), ("c", "E01"))


def test_a_program_that_is_killed(modern: Client, target: SimulatedTarget) -> None:
    target.upcoming.append(ProcessKilled(10, 9))
    modern.talk(("vCont;c", "X09;process:a"), ("?", "W00"))


def test_a_program_that_was_killed_while_it_stood_still(modern: Client, target: SimulatedTarget) -> None:
    target.happen(ProcessKilled(10, SIGSEGV))
    modern.talk(("vCont;c", "X0b;process:a"))
    assert modern.ask("vCont;c").startswith("E")


def test_a_resume_that_fails_does_not_leave_the_session_waiting(target: SimulatedTarget) -> None:
    class Reluctant(SimulatedTarget):
        refuses = True

        def resume(self, actions: object) -> None:
            if self.refuses:
                raise TargetError("not now")
            super().resume([ResumeAction(S, EVERY_THREAD)])

    reluctant = Reluctant()
    reluctant.add_process(10)
    client = Client(reluctant)
    client.talk(("vCont;c", "E01"))
    reluctant.refuses = False
    client.talk(("vCont;c", stop(5, "a", CODE + 1)))


def test_why_a_program_stands_still(client: Client, target: SimulatedTarget) -> None:
    client.talk(("?", stop(0)), ("?", stop(0)))
    target.upcoming.append(SignalStop(LEADER, SIGSEGV))
    client.talk(("vCont;c", stop(11)), ("?", stop(11)), ("?", stop(11)))


def test_a_running_program_is_stopped_to_ask_why(client: Client, target: SimulatedTarget) -> None:
    client.talk(("vCont;c", None), ("?", stop(0)))
    assert not target.running
    client.talk(("vCont;s:a", stop(5, "a", CODE + 1)))


class TestNonStop:
    """Threads stop by themselves, and are told by notifications."""

    @pytest.fixture
    def non_stop(self, client: Client) -> Client:
        client.talk(("QNonStop:1", "OK"), ("?", stop(0, "a")), ("vStopped", stop(0, "b")), ("vStopped", "OK"))
        return client

    def test_a_step_is_answered_at_once_and_told_later(self, non_stop: Client) -> None:
        assert non_stop.replies("vCont;s:a") == ["OK", "%Stop:" + stop(5, "a", CODE + 1)]
        non_stop.talk(("vStopped", "OK"))

    def test_the_other_thread_runs_on(self, non_stop: Client, target: SimulatedTarget) -> None:
        non_stop.talk(("vCont;c", "OK"))
        target.upcoming.append(SignalStop(OTHER, SIGSEGV))
        assert non_stop.replies("qC") == ["QCa", "%Stop:" + stop(11, "b")]
        assert target.thread(LEADER).running
        non_stop.talk(("vStopped", "OK"))
        assert non_stop.replies("vCont;t") == ["OK", "%Stop:" + stop(0, "a")]

    def test_stops_meanwhile_are_fetched(self, non_stop: Client, target: SimulatedTarget) -> None:
        non_stop.talk(("vCont;c", "OK"))
        assert non_stop.raw(b"") == b""
        target.happen(SignalStop(LEADER, SIGSEGV))
        target.happen(SignalStop(OTHER, SIGINT))
        assert non_stop.replies("vStopped") == ["%Stop:" + stop(11, "a"), stop(2, "b")]
        non_stop.talk(("vStopped", "OK"), ("vStopped", "OK"))

    def test_stopping_one_thread(self, non_stop: Client) -> None:
        non_stop.talk(("vCont;c", "OK"))
        assert non_stop.replies("vCont;t:b") == ["OK", "%Stop:" + stop(0, "b")]
        non_stop.talk(("vStopped", "OK"), ("?", stop(0, "b")), ("vStopped", "OK"))

    def test_interrupt(self, non_stop: Client) -> None:
        non_stop.talk(("vCont;c", "OK"))
        assert non_stop.replies("vCtrlC") == ["OK", "%Stop:" + stop(2, "a")]

    def test_a_chosen_thread_stays_chosen(self, non_stop: Client) -> None:
        non_stop.talk(("Hga", "OK"))
        assert non_stop.replies("vCont;s:b") == ["OK", "%Stop:" + stop(5, "b", CODE + 1)]
        non_stop.talk(("qC", "QCa"))

    def test_nothing_to_ask_for(self) -> None:
        Client(SimulatedTarget(), ALL_FEATURES).talk(("QNonStop:1", "OK"), ("?", "OK"), ("vStopped", "OK"))


def test_vstopped_belongs_to_non_stop_mode(client: Client) -> None:
    client.talk(("vStopped", "E01"))


def test_a_new_session_begins_in_all_stop_mode(client: Client, target: SimulatedTarget) -> None:
    client.talk(("QNonStop:1", "OK"))
    Client(target)
    assert not target.non_stop

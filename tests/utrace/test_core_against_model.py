"""The core against `reference_model`, over random programs."""

from __future__ import annotations

import os

from core_run import CoreRun
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_programs import Effect, Happens, ModelRun, Outside, Program, Script, Step
from reference_terms import Act, Attach, Ev, Sig

EVENTS = (
    Ev.QUIESCE, Ev.REAP, Ev.CLONE, Ev.EXEC, Ev.EXIT, Ev.DEATH,
    Ev.SYSCALL_ENTRY, Ev.SYSCALL_EXIT, Ev.SIGNAL, Ev.SIGNAL_IGN,
    Ev.SIGNAL_STOP, Ev.SIGNAL_TERM, Ev.SIGNAL_CORE, Ev.JCTL, Ev.STEP, Ev.PROBE,
    Ev.VFORK_DONE,
)  # fmt: skip
ALL = sum(EVENTS)
SIGNALS = (1, 10, 11, 12, 13, 15, 17, 19, 20, 21)
ATTACH = (
    Attach.CREATE,
    Attach.CREATE | Attach.EXCLUSIVE,
    Attach.CREATE | Attach.EXCLUSIVE | Attach.MATCH_OPS,
    Attach.MATCH_OPS,
    0,
)
KINDS = (
    *(
        "entry",
        "entry",
        "entry",
        "sysexit",
        "sysexit",
        "clone",
        "vfork",
        "exec",
        "exec",
        "vfork_done",
        "jctl",
    ),
    *("exit", "return", "return", "return", "signal", "signal", "signal", "signal", "handler"),
    *("trap", "trap and signal", "stop", "continue", "death", "killed", "reap", "reap"),
)

masks = st.one_of(
    st.just(ALL),
    st.just(ALL & ~Ev.QUIESCE),
    st.just(Ev.QUIESCE),
    st.sets(st.sampled_from(EVENTS)).map(sum),
    st.sampled_from(EVENTS).map(lambda event: event | Ev.QUIESCE),
)
engines = st.integers(0, 4)
resume_actions = st.integers(Act.STOP, Act.DETACH)
actions = st.sampled_from((0, 0, 1, 2, 3, 4, 5, 5, 6, 7, -1))
effects = st.one_of(
    st.builds(Effect, st.just("attach"), engines, st.sampled_from(ATTACH), st.booleans()),
    st.builds(Effect, st.just("set_events"), engines, masks, st.booleans()),
    st.builds(Effect, st.just("control"), engines, actions, st.booleans()),
    st.builds(Effect, st.just("signal"), st.just(0), st.sampled_from((0, *SIGNALS))),
)
answers = st.one_of(
    st.none(),
    resume_actions,
    st.builds(
        lambda resume, operation, flag: resume | operation | flag,
        resume_actions,
        st.sampled_from(range(0, 0x80, 0x10)),
        st.sampled_from((0, 0, 0, Sig.HOLD)),
    ),
)
steps = st.builds(
    Step,
    answers,
    st.one_of(st.just(()), st.lists(effects, max_size=2).map(tuple)),
    st.sampled_from((False,) * 15 + (True,)),
)
scripts = st.builds(Script, masks, st.booleans(), st.lists(steps, min_size=5, max_size=20).map(tuple))
outside = st.builds(
    Outside,
    st.one_of(
        st.builds(Effect, st.just("control"), engines, actions),
        st.builds(Effect, st.just("control"), engines, actions),
        st.builds(Effect, st.just("set_events"), engines, masks),
        st.builds(Effect, st.just("attach"), engines, st.sampled_from(ATTACH)),
        st.builds(Effect, st.just("control"), engines, st.just(Act.STOP)),
    ),
    st.integers(0, 2),
)
happens = st.builds(
    Happens,
    st.sampled_from(KINDS),
    st.sampled_from(SIGNALS),
    st.integers(0, 2),
    st.sampled_from((1, 2, 3, 4, 5, 5, 5, 6)),
    st.lists(engines, max_size=2).map(tuple),
)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    roster = draw(st.lists(scripts, min_size=1, max_size=5))
    first = [
        Outside(Effect("attach", index, Attach.CREATE))
        for index in range(draw(st.integers(1, min(4, len(roster)))))
    ]
    rest = draw(st.lists(st.one_of(outside, happens, happens, happens), min_size=6, max_size=30))
    return Program(
        tuple(roster), (*first, *rest), draw(st.sampled_from((True,) * 7 + (False,))), draw(st.booleans())
    )


OPEN = {
    "the hold has gone", "held in the middle of a step", "detached after its turn", "two signals go back",
    "it failed in another process", "a signal that nobody asks for passes a hold", "nobody is left",
    "a zombie's new engine", "a report where a handler begins", "a signal's info is left over",
    "delivers nothing", "acts on a signal and holds it", "bogus signal",
}  # fmt: skip


def compare(program: Program) -> None:
    expected, actual = ModelRun(program), CoreRun(program)
    seen = 0
    for number, action in enumerate(program.actions):
        expected.act(action)
        actual.act(action)
        if expected.machine.notes & OPEN:
            return
        where = f"action {number}: {action}"
        assert actual.log[seen:] == expected.log[seen:], where
        assert actual.snapshot() == expected.snapshot(), where
        seen = len(expected.log)


@settings(
    max_examples=int(os.environ.get("UTRACE_EXAMPLES", "400")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(programs())
def test_core_does_what_the_model_does(program: Program) -> None:
    compare(program)

"""The core against `reference_model`, over programs made by hand and at random."""

from __future__ import annotations

import os

import pytest
from core_run import CoreRun
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_cases import ALL, HAND_CASES, attach, join
from model_cases_extensions import EXTENSION_CASES
from model_programs import CHILD, HERE, MOST_TASKS, Effect, Happens, Outside, Program, Script, Step
from model_run import ModelRun
from reference_terms import STEPS, Act, Attach, Ev, Sig

MAX_EXAMPLES = int(os.environ.get("UTRACE_MODEL_EXAMPLES", "500"))

EVENTS = (
    *(Ev.QUIESCE, Ev.REAP, Ev.CLONE, Ev.EXEC, Ev.EXIT, Ev.DEATH, Ev.SYSCALL_ENTRY, Ev.SYSCALL_EXIT),
    *(Ev.SIGNAL, Ev.SIGNAL_IGN, Ev.SIGNAL_STOP, Ev.SIGNAL_TERM, Ev.SIGNAL_CORE, Ev.JCTL),
    *(Ev.STEP, Ev.VFORK_DONE, Ev.PROBE, Ev.ALARM, Ev.NOTE),
)
SIGNALS = (1, 10, 11, 12, 13, 15, 17, 19, 20, 21)
ATTACH_FLAGS = (
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
        "fork",
        "exec",
        "exec",
        "vfork_done",
    ),
    *("jctl", "exit", "return", "return", "return", "signal", "signal", "signal", "signal", "handler"),
    *("trap", "trap", "hit", "trap and signal", "stop", "continue", "death", "killed", "reap", "reap"),
)

masks = st.one_of(
    st.just(ALL),
    st.just(ALL & ~Ev.QUIESCE),
    st.just(Ev.QUIESCE),
    st.sets(st.sampled_from(EVENTS)).map(sum),
    st.sampled_from(EVENTS).map(lambda event: event | Ev.QUIESCE),
)
engines = st.integers(0, 4)
actions = st.sampled_from((*range(Act.STOP, Act.DETACH + 1), Act.STOP, Act.RESUME, Act.DETACH + 1, -1))
places = st.sampled_from((HERE, HERE, HERE, CHILD, *range(MOST_TASKS)))
attaches = st.builds(Effect, st.just("attach"), engines, st.sampled_from(ATTACH_FLAGS), places)
joins = st.builds(Effect, st.just("join"), engines, st.sampled_from((0, 1, 2, 3, 3)), places)
set_events = st.builds(Effect, st.just("set_events"), engines, masks, places)
controls = st.builds(Effect, st.just("control"), engines, actions, places)
holds = st.builds(Effect, st.just("control"), engines, st.just(Act.STOP), places)
raised = (Ev.ALARM, Ev.NOTE, Ev.NOTE << 1)
"""The last is not registered at first."""
raises = st.builds(Effect, st.just("raise"), engines, st.sampled_from(raised), places)
registrations = st.one_of(
    st.builds(Effect, st.just("unregister"), st.just(0), st.sampled_from(raised)),
    st.builds(Effect, st.just("register"), st.just(0), st.sampled_from((Ev.ALARM, Ev.NOTE))),
)
paces = st.builds(Effect, st.just("control"), engines, st.sampled_from(STEPS), places)
numbers = st.builds(Effect, st.just("signal"), st.just(0), st.sampled_from((0, *SIGNALS)))
reaps = st.just(Effect("reap"))
answers = st.one_of(
    st.none(),
    st.integers(Act.STOP, Act.DETACH),
    st.builds(
        lambda resume, operation, flag: resume | operation | flag,
        st.integers(Act.STOP, Act.DETACH),
        st.sampled_from(range(Sig.DELIVER, Sig.HANDLER + 1, 0x10)),
        st.sampled_from((0, 0, 0, Sig.HOLD)),
    ),
)
calls = st.one_of(controls, controls, set_events, attaches, joins, raises, registrations)
effects = st.lists(st.one_of(calls, numbers, reaps), max_size=2)
steps = st.one_of(
    *(st.builds(Step, answers),) * 7,
    *(st.builds(Step, answers, effects.map(tuple)),) * 7,
    st.builds(Step, answers, effects.map(tuple), st.just(True)),
    st.builds(Step, st.integers(0, 0x1FF), effects.map(tuple), wild=st.just(True)),
)
scripts = st.builds(Script, masks, st.booleans(), st.lists(steps, min_size=5, max_size=20).map(tuple))
outside = st.builds(Outside, st.one_of(calls, holds, paces, raises), st.integers(0, MOST_TASKS - 1))
happens = st.builds(
    Happens,
    st.sampled_from(KINDS),
    st.sampled_from(SIGNALS),
    st.integers(0, MOST_TASKS - 1),
    st.sampled_from((*range(Act.INTERRUPT, Act.DETACH + 1), Act.RESUME, Act.RESUME)),
    st.lists(engines, max_size=2).map(tuple),
)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    roster = tuple(draw(st.lists(scripts, min_size=2, max_size=5)))
    first = [
        draw(st.sampled_from((*attach(index), join(index, 3))))
        for index in range(draw(st.integers(1, len(roster))))
    ]
    rest = draw(st.lists(st.one_of(outside, happens, happens, happens), min_size=6, max_size=30))
    single_step = draw(st.sampled_from((True,) * 7 + (False,)))
    return Program(roster, (*first, *rest), single_step, draw(st.booleans()))


CASES = HAND_CASES | EXTENSION_CASES


def compare(program: Program) -> None:
    expected, actual = ModelRun(program), CoreRun(program)
    seen = 0
    for number, action in enumerate(program.actions):
        expected.act(action)
        actual.act(action)
        where = f"action {number}: {action}"
        assert actual.log[seen:] == expected.log[seen:], where
        assert actual.snapshot() == expected.snapshot(), where
        seen = len(expected.log)


# A program on which they differ is made smaller, which hypothesis ends after five minutes.
@pytest.mark.timeout(400)
@settings(
    max_examples=MAX_EXAMPLES,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
@given(programs())
def test_core_does_what_the_model_does(program: Program) -> None:
    compare(program)


@pytest.mark.parametrize("case", CASES)
def test_by_hand(case: str) -> None:
    compare(CASES[case])

"""The core against `reference_model`, over random programs.

Where the core is known to differ from the model, the model makes a note of the place when it passes it, and
the rest of that program is not compared. `KNOWN` has the smallest programs for each such place; their test
fails when the core agrees, and then the entry goes, and the note.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from core_run import CoreRun
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from model_cases import HAND_CASES, KNOWN, attach
from model_programs import Effect, Happens, ModelRun, Outside, Program, Script, Step
from reference_terms import Act, Attach, Ev, Sig

MAX_EXAMPLES = int(os.environ.get("UTRACE_MODEL_EXAMPLES", "700"))

EVENTS = (
    *(Ev.QUIESCE, Ev.REAP, Ev.CLONE, Ev.EXEC, Ev.EXIT, Ev.DEATH, Ev.SYSCALL_ENTRY, Ev.SYSCALL_EXIT),
    *(Ev.SIGNAL, Ev.SIGNAL_IGN, Ev.SIGNAL_STOP, Ev.SIGNAL_TERM, Ev.SIGNAL_CORE, Ev.JCTL),
    *(Ev.STEP, Ev.VFORK_DONE, Ev.PROBE),
)
ALL = sum(EVENTS)
SIGNALS = (1, 10, 11, 12, 13, 15, 17, 19, 20, 21)
ATTACH_FLAGS = (
    Attach.CREATE,
    Attach.CREATE | Attach.EXCLUSIVE,
    Attach.CREATE | Attach.EXCLUSIVE | Attach.MATCH_OPS,
    Attach.MATCH_OPS,
    0,
)
KINDS = (
    *("entry", "entry", "entry", "sysexit", "sysexit", "clone", "vfork", "exec", "exec", "vfork_done"),
    *("jctl", "exit", "return", "return", "return", "signal", "signal", "signal", "signal", "handler"),
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
actions = st.sampled_from((*range(Act.STOP, Act.DETACH + 1), Act.STOP, Act.RESUME, Act.DETACH + 1, -1))
attaches = st.builds(Effect, st.just("attach"), engines, st.sampled_from(ATTACH_FLAGS), st.booleans())
set_events = st.builds(Effect, st.just("set_events"), engines, masks, st.booleans())
controls = st.builds(Effect, st.just("control"), engines, actions, st.booleans())
holds = st.builds(Effect, st.just("control"), engines, st.just(Act.STOP))
numbers = st.builds(Effect, st.just("signal"), st.just(0), st.sampled_from((0, *SIGNALS)))
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
effects = st.lists(st.one_of(controls, set_events, attaches, numbers), max_size=2).map(tuple)
steps = st.builds(Step, answers, st.one_of(st.just(()), effects), st.sampled_from((False,) * 15 + (True,)))
scripts = st.builds(Script, masks, st.booleans(), st.lists(steps, min_size=5, max_size=20).map(tuple))
outside = st.builds(Outside, st.one_of(controls, controls, holds, set_events, attaches), st.integers(0, 2))
happens = st.builds(
    Happens,
    st.sampled_from(KINDS),
    st.sampled_from(SIGNALS),
    st.integers(0, 2),
    st.sampled_from((*range(Act.INTERRUPT, Act.DETACH + 1), Act.RESUME, Act.RESUME)),
    st.lists(engines, max_size=2).map(tuple),
)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    roster = tuple(draw(st.lists(scripts, min_size=1, max_size=5)))
    first = attach(*range(draw(st.integers(1, min(4, len(roster))))))
    rest = draw(st.lists(st.one_of(outside, happens, happens, happens), min_size=6, max_size=30))
    single_step = draw(st.sampled_from((True,) * 7 + (False,)))
    return Program(roster, (*first, *rest), single_step, draw(st.booleans()), sensible=True)


def compare(program: Program, known: frozenset[str] = frozenset()) -> ModelRun:
    expected, actual = ModelRun(program), CoreRun(program)
    seen = 0
    for number, action in enumerate(program.actions):
        expected.act(action)
        if expected.machine.notes & known:
            break
        actual.act(action)
        where = f"action {number}: {action}"
        assert actual.log[seen:] == expected.log[seen:], where
        assert actual.snapshot() == expected.snapshot(), where
        seen = len(expected.log)
    return expected


Test = Callable[..., Any]


def hand_cases(test: Test) -> Test:
    for program in HAND_CASES:
        test = example(program)(test)
    return test


@settings(max_examples=MAX_EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs())
@hand_cases
def test_core_does_what_the_model_does(program: Program) -> None:
    compare(program, frozenset(KNOWN))


@pytest.mark.parametrize("number", range(len(HAND_CASES)))
def test_hand_cases_pass_no_place_that_is_known_to_differ(number: int) -> None:
    assert not compare(HAND_CASES[number]).machine.notes


@pytest.mark.xfail(
    strict=True, raises=(AssertionError, ValueError), reason="the core is known to differ here"
)
@pytest.mark.parametrize(("place", "program"), [(place, each) for place in KNOWN for each in KNOWN[place]])
def test_known_difference(place: str, program: Program) -> None:
    compare(program)

"""More programs made by hand: steps of several engines, events registered at run time, release and death."""

from __future__ import annotations

from model_cases import ALL, ENTRY, EXEC, HOLD_AT_EXEC, QUIESCE, answers, attach, control, join, run
from model_programs import CHILD, Effect, Happens, Outside, Program, Script, Step
from reference_terms import MOST_ROUNDS, Act, Attach, Ev, Follow, Sig


def raised(event: int, number: int = 0, task: int = 0) -> Outside:
    return Outside(Effect("raise", number, event), task)


def step(*effects: Effect, answer: int | None = None) -> Step:
    return Step(answer, effects)


RAISE_ALARM = Effect("raise", 0, Ev.ALARM)
UNREGISTER_ALARM = Effect("unregister", 0, Ev.ALARM)
REGISTER_ALARM = Effect("register", 0, Ev.ALARM)
STEPPER = Script(QUIESCE | Ev.STEP | Ev.PROBE)

STEP_CASES = {
    "a step goes on after another engine's hit": run(
        STEPPER,
        Script(Ev.PROBE),
        actions=(
            *(control(0, Act.SINGLESTEP), Happens("return")),
            *(Happens("hit", named=(1,)), Happens("trap")),
        ),
    ),
    "a step ends at the engine's own hit": run(
        STEPPER,
        actions=(control(0, Act.SINGLESTEP), Happens("return"), Happens("hit", named=(0,)), Happens("trap")),
    ),
    "the engine's own hit ends its part of two engines' step": run(
        STEPPER,
        STEPPER,
        actions=(
            *(control(0, Act.SINGLESTEP), control(1, Act.SINGLESTEP), Happens("return")),
            *(Happens("hit", named=(1,)), Happens("trap")),
        ),
    ),
    "a step that the engine wants again at its hit": run(
        Script(Ev.STEP | Ev.PROBE | QUIESCE, steps=answers(Act.RESUME, Act.BLOCKSTEP)),
        actions=(control(0, Act.SINGLESTEP), Happens("return"), Happens("hit", named=(0,)), Happens("trap")),
    ),
    "a step that has not begun outlives a hit": run(
        STEPPER,
        Script(Ev.PROBE),
        actions=(control(0, Act.SINGLESTEP), Happens("hit", named=(0, 1)), Happens("trap")),
    ),
    "a hit holds in the middle of another engine's step": run(
        STEPPER,
        Script(Ev.PROBE, steps=answers(Act.STOP)),
        actions=(
            *(control(0, Act.SINGLESTEP), Happens("return"), Happens("hit", named=(1,))),
            *(control(1, Act.RESUME), Happens("trap")),
        ),
    ),
    "the stepping engine leaves during another engine's hit": run(
        STEPPER,
        Script(Ev.PROBE, steps=(step(Effect("control", 0, Act.DETACH)),)),
        actions=(control(0, Act.SINGLESTEP), Happens("return"), Happens("hit", named=(1,))),
    ),
    "a step into a signal handler": run(
        Script(QUIESCE | Ev.STEP, True),
        actions=(
            *(control(0, Act.SINGLESTEP), Happens("return"), Happens("signal", 10)),
            *(Happens("handler"), Happens("trap")),
        ),
    ),
    "a step of one engine, a raised event for another": run(
        STEPPER,
        Script(Ev.ALARM),
        actions=(
            *(control(0, Act.SINGLESTEP), Happens("return"), raised(Ev.ALARM)),
            *(Happens("return"), Happens("trap")),
        ),
    ),
}

RAISED_CASES = {
    "a raised event is told to all in attach order, with QUIESCE before": run(
        Script(QUIESCE | Ev.ALARM),
        Script(Ev.NOTE),
        Script(Ev.ALARM),
        Script(QUIESCE),
        actions=(raised(Ev.ALARM, 7), Happens("return")),
    ),
    "several raised events are told in the order in which they were raised": run(
        Script(Ev.ALARM | Ev.NOTE),
        actions=(raised(Ev.NOTE, 1), raised(Ev.ALARM, 2), raised(Ev.NOTE, 3), Happens("return")),
    ),
    "a raised event that nobody wants is nothing": run(
        Script(QUIESCE), actions=(raised(Ev.ALARM), Happens("return"))
    ),
    "an event that is not registered": run(Script(ALL), actions=(raised(Ev.NOTE << 1), Happens("return"))),
    "an event that is unregistered while it is pending": run(
        Script(QUIESCE | Ev.ALARM | Ev.NOTE),
        actions=(raised(Ev.ALARM), raised(Ev.NOTE), Outside(UNREGISTER_ALARM), Happens("return")),
    ),
    "an event that is unregistered by the callback before": run(
        Script(Ev.NOTE, steps=(step(UNREGISTER_ALARM),)),
        Script(Ev.ALARM),
        actions=(raised(Ev.NOTE), raised(Ev.ALARM), Happens("return"), raised(Ev.ALARM)),
    ),
    "an event that is registered again is another one": run(
        Script(Ev.ALARM),
        actions=(
            *(Outside(REGISTER_ALARM), Outside(UNREGISTER_ALARM), Outside(UNREGISTER_ALARM)),
            *(raised(Ev.ALARM), Outside(REGISTER_ALARM), raised(Ev.ALARM), Happens("return")),
        ),
    ),
    "raised from a callback": run(
        Script(QUIESCE | ENTRY, steps=(step(RAISE_ALARM),)),
        Script(Ev.ALARM, steps=answers(Act.STOP)),
        actions=(Happens("entry"), Happens("sysexit"), control(1, Act.RESUME)),
    ),
    "raised from its own callback": run(
        Script(Ev.ALARM, steps=(step(RAISE_ALARM), step(RAISE_ALARM), Step())),
        actions=(raised(Ev.ALARM), Happens("return")),
    ),
    "raised without end": run(
        Script(Ev.ALARM, steps=(step(RAISE_ALARM),) * (MOST_ROUNDS + 10)),
        actions=(raised(Ev.ALARM), Happens("return"), Happens("return")),
    ),
    "raised where a report is made that does not tell of it": run(
        Script(Ev.ALARM | ENTRY), actions=(raised(Ev.ALARM), Happens("entry"), Happens("sysexit"))
    ),
    "raised before a signal with a handler": run(
        Script(Ev.ALARM), actions=(raised(Ev.ALARM), Happens("signal", 10), Happens("handler"))
    ),
    "raised on a held task": run(
        HOLD_AT_EXEC,
        Script(Ev.ALARM),
        actions=(Happens("exec"), Happens("return"), raised(Ev.ALARM), control(0, Act.RESUME)),
    ),
    "raised for an engine that leaves": run(
        Script(Ev.ALARM), actions=(raised(Ev.ALARM), control(0, Act.DETACH), *attach(0), Happens("return"))
    ),
    "raised for an engine that wants it no more": run(
        Script(Ev.ALARM | QUIESCE),
        actions=(raised(Ev.ALARM), Outside(Effect("set_events", 0, QUIESCE)), Happens("return")),
    ),
    "raised on the dead": run(Script(ALL), actions=(Happens("death"), raised(Ev.ALARM))),
    "raised on another task": Program(
        (Script(ALL & ~QUIESCE, steps=(Step(), Step(), step(Effect("raise", 0, Ev.ALARM, 1)))),),
        (join(0, Follow.THREADS), Happens("clone"), Happens("exec"), Happens("return", task=1)),
    ),
}

END_CASES = {
    "a callback at death lets another task go": Program(
        (
            Script(Ev.DEATH, steps=(Step(), step(Effect("control", 1, Act.RESUME, 1)))),
            Script(EXEC, steps=(Step(), Step(), Step(Act.STOP))),
        ),
        (
            *(join(0, 0), join(1, Follow.THREADS), Happens("clone"), Happens("exec", task=1)),
            *(Happens("return", task=1), Happens("death")),
        ),
    ),
    "what an engine is refused while its task's death is reported": run(
        Script(
            Ev.DEATH | QUIESCE,
            steps=(
                step(*(Effect("control", 0, action) for action in range(Act.DETACH + 1))),
                step(Effect("set_events", 0, 0), Effect("set_events", 0, ALL), Effect("attach", 1, 0x10)),
            ),
        ),
        Script(Ev.REAP),
        actions=(Happens("death"), Outside(Effect("set_events", 0, Ev.REAP)), Happens("reap")),
    ),
    "left at its death, it is not told of the reaping": run(
        Script(Ev.DEATH | Ev.REAP, steps=answers(Act.DETACH)),
        Script(Ev.DEATH | Ev.REAP),
        Script(Ev.REAP),
        actions=(Happens("death"), control(2, Act.DETACH), Happens("reap")),
    ),
    "release attaches the engine again": run(
        Script(EXEC, steps=(step(Effect("attach", 0, Attach.CREATE)),)),
        actions=(control(0, Act.DETACH), Happens("exec")),
    ),
    "release lets another engine's hold go": run(
        Script(0, steps=(step(Effect("control", 1, Act.RESUME)),)),
        HOLD_AT_EXEC,
        actions=(Happens("exec"), Happens("return"), control(0, Act.DETACH)),
    ),
    "the child is held, or left, by who follows": Program(
        (
            Script(ALL & ~QUIESCE, steps=(Step(), step(Effect("control", 0, Act.STOP)))),
            Script(ALL & ~QUIESCE, steps=(Step(), Step(), step(Effect("control", 1, Act.DETACH)))),
        ),
        (
            *(join(0, Follow.THREADS), join(1, Follow.CHILDREN), Happens("clone"), Happens("fork")),
            *(Happens("return", task=1), control(0, Act.RESUME, 1), Happens("exec", task=2)),
        ),
    ),
    "a hold of the child that is to follow, from report_clone": Program(
        (
            Script(Ev.CLONE, steps=(Step(), step(), step(Effect("control", 0, Act.STOP, CHILD)))),
            Script(Ev.CLONE | QUIESCE, True, steps=(Step(), Step(), Step(Act.RESUME | Sig.IGN))),
        ),
        (
            *(join(0, Follow.ALL), join(1, Follow.ALL), Happens("vfork"), Happens("return", task=1)),
            *(Happens("vfork_done"), control(0, Act.RESUME, 1), Happens("return", task=1)),
        ),
    ),
}

EXTENSION_CASES = STEP_CASES | RAISED_CASES | END_CASES

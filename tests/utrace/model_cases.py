"""Programs made by hand for comparing the core with `reference_model`."""

from __future__ import annotations

from model_programs import CHILD, Effect, Happens, Outside, Program, Script, Step
from reference_terms import MOST_ROUNDS, Act, Attach, Ev, Follow, Sig, Sys

ALL = sum(
    (
        *(Ev.QUIESCE, Ev.REAP, Ev.CLONE, Ev.EXEC, Ev.EXIT, Ev.DEATH, Ev.SYSCALL_ENTRY, Ev.SYSCALL_EXIT),
        *(Ev.SIGNAL_ALL, Ev.JCTL, Ev.STEP, Ev.VFORK_DONE, Ev.PROBE, Ev.ALARM, Ev.NOTE),
    )
)


def attach(*indexes: int) -> tuple[Outside, ...]:
    return tuple(Outside(Effect("attach", index, Attach.CREATE)) for index in indexes)


def control(index: int, action: int, task: int = 0) -> Outside:
    return Outside(Effect("control", index, action), task)


def answers(*found: int | None) -> tuple[Step, ...]:
    return tuple(Step(answer) for answer in found)


def join(index: int, follow: int) -> Outside:
    return Outside(Effect("join", index, follow))


def run(*engines: Script, actions: tuple[Outside | Happens, ...]) -> Program:
    """All engines attached, in order."""
    return Program(engines, (*attach(*range(len(engines))), *actions))


QUIESCE, EXEC, ENTRY = Ev.QUIESCE, Ev.EXEC, Ev.SYSCALL_ENTRY
HOLD_AT_EXEC = Script(Ev.QUIESCE | Ev.EXEC, steps=answers(Act.RESUME, Act.STOP, Act.STOP))
_FIRST = (
    # Attach order everywhere but at a system call's entry.
    Program(
        (Script(ALL), Script(ALL)),
        (*attach(0, 1), *(Happens(what, 15) for what in ("exec", "clone", "entry", "sysexit", "signal"))),
    ),
    # Two engines hold; one lets go, then the other.
    Program(
        (HOLD_AT_EXEC, HOLD_AT_EXEC),
        (
            *attach(0, 1),
            Happens("exec"),
            Happens("return"),
            control(0, Act.RESUME),
            control(1, Act.RESUME),
        ),
    ),
    # SIGKILL while both hold: death and reaping, once for each.
    Program(
        (Script(ALL, steps=answers(None, Act.STOP)), Script(ALL, steps=answers(None, Act.STOP))),
        (*attach(0, 1), Happens("entry"), Happens("killed"), Happens("reap")),
    ),
    # An engine attached in a callback sees nothing of this event, and the next.
    Program(
        (Script(ALL, steps=(Step(None, (Effect("attach", 1, Attach.CREATE),)),)), Script(ALL)),
        (*attach(0), Happens("exec"), Happens("exec")),
    ),
    # report_quiesce may ask for the very event.
    Program(
        (Script(Ev.QUIESCE, steps=(Step(None, (Effect("set_events", 0, ALL),)),)), Script(Ev.EXEC)),
        (*attach(0, 1), Happens("exec")),
    ),
    # A step and a run is a step; a step and a hold is a hold, and then the step; two kinds of step.
    *(
        Program(
            (Script(ALL, steps=answers(first)), Script(ALL, steps=answers(second))),
            (*attach(0, 1), control(0, Act.REPORT), Happens("return"), control(1, Act.RESUME)),
        )
        for first, second in (
            (Act.SINGLESTEP, Act.RESUME),
            (Act.SINGLESTEP, Act.STOP),
            (Act.BLOCKSTEP, Act.SINGLESTEP),
            (Act.DETACH, Act.BLOCKSTEP),
        )
    ),
    # Held at a system call's entry and let go with a report: asked again, and the abort stands.
    Program(
        (
            Script(
                Ev.SYSCALL_ENTRY | Ev.QUIESCE, steps=answers(None, Act.STOP | Sys.ABORT, Act.RESUME, None)
            ),
            Script(Ev.SYSCALL_ENTRY | Ev.QUIESCE),
        ),
        (*attach(0, 1), Happens("entry"), control(0, Act.REPORT)),
    ),
    # The last answer about a signal stands, and a hold waits where the signal is dropped.
    Program(
        (
            Script(ALL, True, answers(Act.RESUME | Sig.CORE, Act.RESUME | Sig.IGN)),
            Script(ALL, True, answers(Act.STOP | Sig.IGN, Act.RESUME | Sig.TERM)),
        ),
        (*attach(0, 1), Happens("signal", 15), control(1, Act.RESUME), Happens("signal", 15)),
    ),
    # A step asked for at a signal with a handler ends at the handler's beginning.
    Program(
        (Script(ALL, True, answers(Act.SINGLESTEP | Sig.DELIVER, Act.RESUME | Sig.IGN)),),
        (*attach(0), Happens("signal", 10), Happens("handler")),
    ),
    # A hold without QUIESCE holds at the return to user mode.
    Program(
        (Script(Ev.EXEC, steps=answers(Act.STOP)),),
        (*attach(0), Happens("exec"), Happens("return"), control(0, Act.RESUME)),
    ),
    # A job control stop becomes a hold and goes back to it.
    Program(
        (Script(ALL),),
        (*attach(0), Happens("jctl"), Happens("stop"), control(0, Act.STOP), control(0, Act.RESUME)),
    ),
    # The child is held before its first instruction.
    Program(
        (
            Script(
                Ev.CLONE,
                steps=(
                    Step(
                        Act.RESUME,
                        (Effect("attach", 0, Attach.CREATE, CHILD), Effect("control", 0, Act.STOP, CHILD)),
                    ),
                ),
            ),
        ),
        (*attach(0), Happens("clone"), Happens("return", task=1), control(0, Act.RESUME, task=1)),
    ),
    # One that raises goes, on all its tasks; the others are asked all the same.
    Program(
        (Script(ALL, steps=(Step(None), Step(None, fails=True))), Script(ALL)),
        (*attach(0, 1), Happens("clone"), Outside(Effect("attach", 0, Attach.CREATE), 1), Happens("exec")),
    ),
)


HOLD = Act.RESUME | Sig.IGN | Sig.HOLD
MORE_CASES: dict[str, Program] = {
    "a hold that has gone before the pass ends, by the own answer": run(
        Script(QUIESCE | ENTRY, steps=answers(Act.STOP, Act.RESUME)), actions=(Happens("entry"),)
    ),
    "a hold that has gone before the pass ends, by another's callback": run(
        Script(QUIESCE, steps=answers(Act.STOP)),
        Script(QUIESCE, steps=(Step(Act.RESUME, (Effect("control", 0, Act.RESUME),)),)),
        actions=(control(0, Act.REPORT), Happens("return")),
    ),
    "a signal that nobody asks for, ignored, of a held task": run(
        Script(0), actions=(control(0, Act.STOP), Happens("signal", 1))
    ),
    "a signal that nobody asks for, caught, of a held task": run(
        Script(0), actions=(control(0, Act.STOP), Happens("signal", 10), Happens("handler"))
    ),
    "a report without a signal delivers nothing, and holds": run(
        Script(QUIESCE, True, answers(Act.STOP)), actions=(control(0, Act.INTERRUPT), Happens("return"))
    ),
    "a report before a signal delivers nothing": run(
        Script(QUIESCE, True, answers(Act.RESUME)), actions=(control(0, Act.INTERRUPT), Happens("signal", 15))
    ),
    "an ignored signal is delivered and held": run(
        Script(QUIESCE | Ev.SIGNAL_IGN, True, answers(Act.STOP | Sig.DELIVER)),
        actions=(Happens("signal", 1),),
    ),
    "a report without a signal ends the task": run(
        Script(QUIESCE, True, answers(Act.RESUME | Sig.TERM)),
        actions=(control(0, Act.INTERRUPT), Happens("return")),
    ),
    "two signals go back": run(
        Script(QUIESCE, True, (Step(HOLD, (Effect("signal", 0, 12),)),)),
        actions=(control(0, Act.REPORT), Happens("signal", 15)),
    ),
    "a signal is delivered and goes back": run(
        Script(Ev.SIGNAL, True, answers(Act.RESUME | Sig.DELIVER | Sig.HOLD)),
        actions=(Happens("signal", 10),),
    ),
    "a zombie's new engine": Program((Script(Ev.REAP),), (Happens("death"), *attach(0), Happens("reap"))),
    "detached after its turn": run(
        Script(EXEC),
        Script(EXEC, steps=(Step(Act.RESUME, (Effect("control", 0, Act.DETACH),)),)),
        actions=(Happens("exec"),),
    ),
    "it fails and is in another process, too": Program(
        (
            Script(
                EXEC | Ev.CLONE,
                steps=(Step(None, (Effect("attach", 0, Attach.CREATE, CHILD),)), Step(fails=True)),
            ),
        ),
        (*attach(0), Happens("vfork"), Happens("exec")),
    ),
    "held in the middle of a step and left": run(
        Script(QUIESCE | ENTRY, steps=answers(Act.SINGLESTEP, Act.RESUME, Act.STOP)),
        actions=(control(0, Act.REPORT), Happens("return"), Happens("entry"), control(0, Act.DETACH)),
    ),
    "a step belongs to who asked for it": run(
        Script(QUIESCE | ENTRY, steps=answers(Act.SINGLESTEP)),
        Script(ENTRY, steps=answers(Act.STOP)),
        actions=(
            *(control(0, Act.REPORT), Happens("return"), Happens("entry"), control(1, Act.RESUME)),
            *(Happens("entry"), control(0, Act.RESUME), Happens("entry")),
        ),
    ),
    "a step that is done is told to who asked for it": run(
        Script(ALL, steps=answers(Act.SINGLESTEP)),
        Script(ALL),
        actions=(control(0, Act.REPORT), Happens("return"), Happens("trap", named=(1,)), Happens("trap")),
    ),
    "nobody is left": run(Script(EXEC), actions=(control(0, Act.STOP), control(0, Act.DETACH))),
    "nobody is left after a report that was to step": run(
        Script(QUIESCE, steps=answers(Act.SINGLESTEP)),
        Script(QUIESCE, steps=(Step(Act.DETACH, (Effect("control", 0, Act.DETACH),)),)),
        actions=(control(0, Act.REPORT), Happens("return")),
    ),
    "a report where a handler begins": run(
        Script(QUIESCE, True), actions=(Happens("signal", 10), control(0, Act.REPORT), Happens("handler"))
    ),
    "a new report starts with a blank siginfo": run(
        Script(QUIESCE | Ev.SIGNAL_TERM, True, answers(Act.STOP | Sig.IGN, Act.RESUME | Sig.IGN)),
        actions=(Happens("signal", 15), control(0, Act.INTERRUPT)),
    ),
    "an operation where there is none": run(
        Script(EXEC, steps=(Step(Act.RESUME | 0x10, wild=True),)), Script(EXEC), actions=(Happens("exec"),)
    ),
    "an operation from report_quiesce": run(
        Script(QUIESCE, steps=(Step(Act.RESUME | 0x10, wild=True),)), actions=(Happens("signal", 15),)
    ),
    "a system call action that does not exist": run(
        Script(ENTRY, steps=(Step(Act.RESUME | 0x20, wild=True),)), actions=(Happens("entry"),)
    ),
    "a signal action that does not exist": run(
        Script(Ev.SIGNAL_TERM, True, (Step(Act.RESUME | 0x90, wild=True),)), actions=(Happens("signal", 15),)
    ),
    "a resume action that does not exist": run(
        Script(QUIESCE | EXEC, steps=(Step(Act.DETACH + 1, wild=True),)),
        Script(EXEC),
        actions=(Happens("exec"),),
    ),
    "a flag where there is none is not passed on": run(
        Script(ENTRY),
        Script(ENTRY, steps=(Step(Act.RESUME | 0x110, wild=True),)),
        actions=(Happens("entry"),),
    ),
    "reports without end": run(
        Script(QUIESCE, steps=(Step(None, (Effect("control", 0, Act.REPORT),)),) * (MOST_ROUNDS + 10)),
        actions=(control(0, Act.REPORT), Happens("return"), Happens("return")),
    ),
    "reports without end before a signal": run(
        Script(QUIESCE, True, (Step(None, (Effect("control", 0, Act.REPORT),)),) * (MOST_ROUNDS + 10)),
        actions=(control(0, Act.REPORT), Happens("signal", 10), Happens("handler")),
    ),
    "threads and children are followed": Program(
        (Script(ALL), Script(ALL), Script(ALL), Script(ALL)),
        (
            *(join(0, 0), join(1, Follow.THREADS), join(2, Follow.CHILDREN), join(3, 3)),
            *(Happens("clone"), Happens("fork"), Happens("clone", task=2)),
        ),
    ),
    "a follower's mask is what it is now, and a hold is not followed": Program(
        (Script(ALL),),
        (
            join(0, Follow.THREADS),
            Outside(Effect("set_events", 0, EXEC)),
            control(0, Act.STOP),
            Happens("clone"),
            Happens("exec", task=1),
        ),
    ),
    "a follower that leaves the child at once": Program(
        (Script(ALL, steps=(Step(), Step(None, (Effect("control", 0, Act.DETACH),)))),),
        (join(0, Follow.THREADS), Happens("clone"), Happens("exec", task=1)),
    ),
    "a follower that fails on the child": Program(
        (Script(ALL, steps=(Step(), Step(fails=True))), Script(ALL)),
        (join(0, Follow.THREADS), join(1, Follow.THREADS), Happens("clone")),
    ),
    "a follower that was attached to the child already": Program(
        (Script(ALL, steps=(Step(), Step(None, (Effect("attach", 1, Attach.CREATE),)))), Script(ALL)),
        (
            *(join(0, Follow.THREADS), join(1, Follow.THREADS), Happens("clone")),
            *(Happens("exec", task=1), Happens("death", task=1), Happens("reap", task=1)),
        ),
    ),
    "it leaves and comes again in one callback": run(
        Script(
            EXEC,
            steps=(Step(None, (Effect("control", 0, Act.DETACH), Effect("attach", 0, Attach.CREATE))),),
        ),
        actions=(Happens("exec"), Happens("exec"), control(0, Act.DETACH)),
    ),
    "it leaves, comes again and fails in one callback": run(
        Script(
            EXEC,
            steps=(
                Step(
                    None, (Effect("control", 0, Act.DETACH), Effect("attach", 0, Attach.CREATE)), fails=True
                ),
            ),
        ),
        actions=(Happens("exec"), Happens("exec")),
    ),
    "reaped while its death is reported": Program(
        (
            Script(Ev.DEATH, steps=(Step(None, (Effect("reap"), Effect("control", 0, Act.DETACH))),)),
            Script(Ev.DEATH | Ev.REAP, steps=(Step(None, (Effect("attach", 2, Attach.CREATE),)),)),
            Script(ALL),
        ),
        (*attach(0, 1), Happens("death"), Happens("reap")),
    ),
    "a callback lets another task go": Program(
        (
            Script(Ev.CLONE | EXEC, steps=(Step(None, (Effect("control", 1, Act.STOP, CHILD),)),)),
            Script(0),
            Script(EXEC, steps=(Step(None, (Effect("control", 1, Act.RESUME, 1),)),)),
        ),
        (
            *attach(0),
            join(1, Follow.THREADS),
            *attach(2),
            Happens("clone"),
            Happens("return", task=1),
            Happens("exec"),
        ),
    ),
}

HAND_CASES = {str(n): each for n, each in enumerate(_FIRST)} | MORE_CASES

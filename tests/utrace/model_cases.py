"""Programs made by hand for comparing the core with `reference_model`.

`KNOWN` has the smallest programs for each place where the core is known to differ; the model makes a note of
that name when it passes the place.
"""

from __future__ import annotations

from model_programs import Effect, Happens, Outside, Program, Script, Step
from reference_terms import Act, Attach, Ev, Sig, Sys

ALL = sum(
    (
        *(Ev.QUIESCE, Ev.REAP, Ev.CLONE, Ev.EXEC, Ev.EXIT, Ev.DEATH, Ev.SYSCALL_ENTRY, Ev.SYSCALL_EXIT),
        *(Ev.SIGNAL_ALL, Ev.JCTL, Ev.STEP, Ev.VFORK_DONE, Ev.PROBE),
    )
)


def attach(*indexes: int) -> tuple[Outside, ...]:
    return tuple(Outside(Effect("attach", index, Attach.CREATE)) for index in indexes)


def control(index: int, action: int, task: int = 0) -> Outside:
    return Outside(Effect("control", index, action), task)


def answers(*found: int | None) -> tuple[Step, ...]:
    return tuple(Step(answer) for answer in found)


HOLD_AT_EXEC = Script(Ev.QUIESCE | Ev.EXEC, steps=answers(Act.RESUME, Act.STOP, Act.STOP))
HAND_CASES = (
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
                        (Effect("attach", 0, Attach.CREATE, True), Effect("control", 0, Act.STOP, True)),
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

QUIESCE, EXEC, ENTRY = Ev.QUIESCE, Ev.EXEC, Ev.SYSCALL_ENTRY
KNOWN: dict[str, tuple[Program, ...]] = {
    "the hold has gone": (
        Program(
            (Script(QUIESCE | ENTRY, steps=answers(Act.STOP, Act.RESUME)),), (*attach(0), Happens("entry"))
        ),
        Program(
            (
                Script(QUIESCE, steps=answers(Act.STOP)),
                Script(QUIESCE, steps=(Step(Act.RESUME, (Effect("control", 0, Act.RESUME),)),)),
            ),
            (*attach(0, 1), control(0, Act.REPORT), Happens("return")),
        ),
    ),
    "a signal that nobody asks for passes a hold": (
        Program((Script(0),), (*attach(0), control(0, Act.STOP), Happens("signal", 1))),
        Program((Script(0),), (*attach(0), control(0, Act.STOP), Happens("signal", 10))),
    ),
    "delivers nothing": (
        Program(
            (Script(QUIESCE, True, answers(Act.STOP)),),
            (*attach(0), control(0, Act.INTERRUPT), Happens("return")),
        ),
        Program(
            (Script(QUIESCE, True, answers(Act.RESUME)),),
            (*attach(0), control(0, Act.INTERRUPT), Happens("signal", 15)),
        ),
        Program(
            (Script(QUIESCE | Ev.SIGNAL_IGN, True, answers(Act.STOP | Sig.DELIVER)),),
            (*attach(0), Happens("signal", 1)),
        ),
    ),
    "two signals go back": (
        Program(
            (Script(QUIESCE, True, (Step(Act.RESUME | Sig.IGN | Sig.HOLD, (Effect("signal", 0, 12),)),)),),
            (*attach(0), control(0, Act.REPORT), Happens("signal", 15)),
        ),
    ),
    "acts on a signal and holds it": (
        Program(
            (Script(Ev.SIGNAL, True, answers(Act.RESUME | Sig.DELIVER | Sig.HOLD)),),
            (*attach(0), Happens("signal", 10)),
        ),
    ),
    "a zombie's new engine": (Program((Script(Ev.REAP),), (Happens("death"), *attach(0), Happens("reap"))),),
    "detached after its turn": (
        Program(
            (Script(EXEC), Script(EXEC, steps=(Step(Act.RESUME, (Effect("control", 0, Act.DETACH),)),))),
            (*attach(0, 1), Happens("exec")),
        ),
    ),
    "it failed in another process": (
        Program(
            (
                Script(
                    EXEC | Ev.CLONE,
                    steps=(Step(None, (Effect("attach", 0, Attach.CREATE, True),)), Step(fails=True)),
                ),
            ),
            (*attach(0), Happens("vfork"), Happens("exec")),
        ),
    ),
    "held in the middle of a step": (
        Program(
            (Script(QUIESCE | ENTRY, steps=answers(Act.SINGLESTEP, Act.RESUME, Act.STOP)),),
            (
                *attach(0),
                control(0, Act.REPORT),
                Happens("return"),
                Happens("entry"),
                control(0, Act.DETACH),
            ),
        ),
    ),
    "nobody is left": (Program((Script(EXEC),), (*attach(0), control(0, Act.STOP), control(0, Act.DETACH))),),
    "a report where a handler begins": (
        Program(
            (Script(QUIESCE, True),),
            (*attach(0), Happens("signal", 10), control(0, Act.REPORT), Happens("handler")),
        ),
    ),
    "a signal's info is left over": (
        Program(
            (Script(QUIESCE | Ev.SIGNAL_TERM, True, answers(Act.STOP | Sig.IGN, Act.RESUME | Sig.IGN)),),
            (*attach(0), Happens("signal", 15), control(0, Act.INTERRUPT)),
        ),
    ),
    "bogus signal": (
        Program(
            (Script(Ev.SIGNAL_TERM, True, (Step(Act.RESUME | Sig.TERM, (Effect("signal", 0, 0x85),)),)),),
            (*attach(0), Happens("signal", 15)),
        ),
    ),
    "an operation where there is none": (
        Program(
            (Script(EXEC, steps=answers(Act.RESUME | 0x10)), Script(EXEC)), (*attach(0, 1), Happens("exec"))
        ),
    ),
    "an operation that does not exist": (
        Program((Script(ENTRY, steps=answers(Act.RESUME | 0x20)),), (*attach(0), Happens("entry"))),
        Program(
            (Script(Ev.SIGNAL_TERM, True, answers(Act.RESUME | 0x90)),), (*attach(0), Happens("signal", 15))
        ),
    ),
}

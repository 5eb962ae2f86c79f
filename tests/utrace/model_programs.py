"""Programs for comparing the core with `reference_model`: what scripted engines and tasks do.

A `Program` says which engines there are, what their callbacks do one after the other, and what happens from
outside. `ModelRun` in `model_run` and `CoreRun` in `core_run` carry it out and record the same things in the
same words.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any

from reference_terms import REGISTERED, Act, Attach, CallbackFailed, Departure, Sig, Sys

LEADER = 100
CAUGHT_SIGNALS, IGNORED_SIGNALS = (10, 12, 20), (1, 13)
"""What the processes have arranged."""
CLONE_THREAD, CLONE_VFORK, CLONE_CHILD = 0x10000, 0x4000, 17
"""clone's flags for a thread, a child that has its parent wait, and one that does not."""
BIRTHS = {"clone": CLONE_THREAD, "vfork": CLONE_VFORK, "fork": CLONE_CHILD}
MOST_TASKS = 4
HERE, CHILD = -1, -2
"""Where an effect is, besides at the task with a number."""
OPERATIONS = {"report_signal": Sig.MASK | Sig.HOLD, "report_syscall_entry": int(Sys.ABORT)}
"""What else than a resume action is in the answers of callbacks."""
VOID = ("attached", "report_reap", "release")
"""Callbacks that answer nothing."""


@dataclass(frozen=True)
class Effect:
    """Something that a callback does, or somebody from outside."""

    kind: str
    """attach, set_events, control, join; raise: an event, with the number of an engine; unregister or (by the
    number of its first event) register; in report_signal, signal: change its number; in report_death, reap:
    have the task collected."""
    engine: int = 0
    value: int = 0
    where: int = HERE
    """In a callback: to its task, to the new one in report_clone, or to any other."""


@dataclass(frozen=True)
class Step:
    """What one callback does and answers."""

    answer: int | None = None
    effects: tuple[Effect, ...] = ()
    fails: bool = False
    wild: bool = False
    """Answer just that; else only the part that means something for the callback is taken."""


@dataclass(frozen=True)
class Script:
    """An engine: its first mask, whether it has a report_signal, and its callbacks in order; then RESUME."""

    events: int
    report_signal: bool = False
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Outside:
    """Somebody does something to a task from outside of callbacks."""

    effect: Effect
    task: int = 0


@dataclass(frozen=True)
class Happens:
    """A task comes to a point that is reported; one that is held is let go by its holders first."""

    what: str
    value: int = 0
    task: int = 0
    wake: int = Act.RESUME
    """The action with which holders let it go."""
    named: tuple[int, ...] = ()
    """The engines that an extension event is for."""


@dataclass(frozen=True)
class Program:
    """Engines, and what happens."""

    engines: tuple[Script, ...]
    actions: tuple[Outside | Happens, ...]
    single_step: bool = True
    block_step: bool = True


class Run(ABC):
    """One side of the comparison."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.log: list[tuple[Any, ...]] = []
        self.tids = [LEADER]
        self.cursors = [0] * len(program.engines)
        self.effects: dict[int, str] = {}
        """What has become of the last signal of each task, if something has."""

    def callback(
        self, index: int, tid: int, method: str, arguments: tuple[Any, ...], info: Any = None, child: int = 0
    ) -> int | None:
        """One callback of an engine: the next step of its script."""
        self.log.append((f"engine {index}", tid, method, *arguments))
        steps = self.program.engines[index].steps
        cursor = self.cursors[index]
        self.cursors[index] += 1
        step = steps[cursor] if cursor < len(steps) else Step(Act.RESUME)
        for effect in step.effects:
            if effect.kind == "signal":
                if info is not None:
                    info.number = effect.value
            elif effect.kind != "reap":
                self.perform(effect, self._place(effect.where, tid, child))
            elif method == "report_death" and self.state(tid) == "dead":
                self.log.append(("reap", tid))
                self.reap(tid)
        if step.fails and method != "release":
            raise CallbackFailed
        return self._answer(method, step)

    def _place(self, where: int, tid: int, child: int) -> int:
        if where == HERE:
            return tid
        if where == CHILD:
            return child or tid
        return self.tids[where % len(self.tids)]

    def _answer(self, method: str, step: Step) -> int | None:
        """An answer on this machine: a step that it cannot make is nothing."""
        answer = step.answer
        if answer is None or method in VOID:
            return None
        if not self.program.single_step and answer & Act.MASK in (Act.SINGLESTEP, Act.BLOCKSTEP):
            answer = answer & ~Act.MASK | Act.RESUME
        return answer if step.wild else answer & (Act.MASK | OPERATIONS.get(method, 0))

    def perform(self, effect: Effect, tid: int) -> None:
        """Attach, join, set_events or control, and what comes of it."""
        index = effect.engine if effect.kind == "raise" else effect.engine % len(self.program.engines)
        if effect.kind == "register":
            self.log.append(("register", self.register(REGISTERED[effect.value])))
            return
        if effect.kind == "unregister":
            self.log.append(("unregister", self.unregister(effect.value)))
            return
        position = len(self.log)
        self.log.append(())
        calls = {
            "attach": self.attach,
            "join": self.join,
            "set_events": self.set_events,
            "control": self.control,
            "raise": self.raise_event,
        }
        outcome = calls[effect.kind](tid, index, effect.value)
        self.log[position] = (effect.kind, tid, index, effect.value, outcome)
        if effect.kind == "attach" and effect.value & Attach.CREATE and outcome == index:
            self.set_events(tid, index, self.program.engines[index].events)

    def act(self, action: Outside | Happens) -> None:
        """Do one thing, if it can happen now."""
        tid = self.tids[action.task % len(self.tids)]
        if isinstance(action, Outside):
            self.perform(action.effect, tid)
        elif action.what == "reap":
            if self.state(tid) == "dead":
                self.reap(tid)
        elif self.state(tid) in ("dead", "reaped"):
            pass
        elif action.what in ("death", "killed"):
            if action.what == "killed":
                self.happens(tid, "killed", action)
            self.happens(tid, "death", action)
        elif action.what == "continue":
            self.happens(tid, "continue", action)
        else:
            for index in self.holders(tid):
                self.perform(Effect("control", index, action.wake), tid)
            if self.state(tid) == "running":
                self._come_to(tid, action)

    def _come_to(self, tid: int, action: Happens) -> None:
        """An event, or the one that has to come first: the handler's beginning, the end."""
        effect = self.effects.pop(tid, None)
        what = action.what
        if effect in ("term", "core"):
            what = "exit"
        elif effect == "handler":
            what = "handler"
        elif what == "handler":
            what = "return"
        if effect == "exiting" or what == "exit":
            self.effects[tid] = "exiting"
        if effect == "exiting":
            return
        if what in BIRTHS:
            if len(self.tids) == MOST_TASKS:
                return
            self.tids.append(LEADER + len(self.tids))
        self.happens(tid, what, action)

    def departed(self, tid: int, departure: Departure) -> None:
        """A task leaves a stop."""
        departure = replace(departure, step=self.carried_out(departure.step))
        self.log.append(("departs", tid, departure))
        if departure.effect:
            self.effects[tid] = departure.effect

    def carried_out(self, action: int) -> int:
        """Without block step, the core leaves it to the back end to make a step of it."""
        block_step = action == Act.BLOCKSTEP and not self.program.block_step
        return Act.SINGLESTEP if block_step else int(action)

    @abstractmethod
    def attach(self, tid: int, index: int, flags: int) -> int:
        """The engine's index, or a negative errno."""

    @abstractmethod
    def join(self, tid: int, index: int, follow: int) -> int:
        """Attach as a whole process's engines are: 1; or 0 if the task has ended, or has the engine."""

    @abstractmethod
    def set_events(self, tid: int, index: int, events: int) -> int:
        """0 or a negative errno."""

    @abstractmethod
    def control(self, tid: int, index: int, action: int) -> int:
        """0 or a negative errno."""

    @abstractmethod
    def raise_event(self, tid: int, index: int, event: int) -> int:
        """Raise an event that carries the engine's number: 0 or a negative errno."""

    @abstractmethod
    def register(self, name: str) -> int:
        """The event, or a negative errno."""

    @abstractmethod
    def unregister(self, event: int) -> int:
        """0 or a negative errno."""

    @abstractmethod
    def reap(self, tid: int) -> None:
        """A task that has ended, or whose end is being reported, is collected."""

    @abstractmethod
    def happens(self, tid: int, what: str, action: Happens) -> None:
        """Bring a task to a point."""

    @abstractmethod
    def state(self, tid: int) -> str:
        """running, stopped (by job control), held, dead or reaped."""

    @abstractmethod
    def holders(self, tid: int) -> list[int]:
        """The engines that hold a task where it stands."""

    @abstractmethod
    def snapshot(self) -> dict[int, tuple[Any, ...]]:
        """For each task its state, what is pending, its stepping, and its engines with masks and holds."""

"""What the live target remembers of a thread."""

from __future__ import annotations

from gdbstub.linux.siginfo import SigInfo
from gdbstub.target.values import Stop, ThreadId
from gdbstub.utrace.task import Task


class LiveThread:
    """One task as its debugger sees it."""

    __slots__ = (
        "deliver",
        "ending",
        "go",
        "inside_call",
        "parked",
        "resumed",
        "step_range",
        "stepping",
        "task",
        "told",
    )

    def __init__(self, task: Task) -> None:
        self.task = task
        self.resumed = False
        """The client thinks that it runs."""
        self.go = False
        """We let it run; else it is held from its next stop on."""
        self.ending = False
        """It has begun to exit and comes to no stop any more."""
        self.inside_call = False
        """Something was reported from inside a system call that it has not left yet."""
        self.stepping = False
        self.step_range = range(0)
        """While the program counter is in here, a step goes on."""
        self.told: Stop | None = None
        """What the client was last told of it, until it is resumed."""
        self.parked: SigInfo | None = None
        """The signal that it stopped for; the client decides what becomes of it."""
        self.deliver: SigInfo | None = None
        """The signal that it gets when it is resumed."""

    @property
    def id(self) -> ThreadId:
        """Its numbers; the thread that calls exec takes over its process's."""
        return ThreadId(self.task.process.pid, self.task.tid)

    @property
    def quiet(self) -> bool:
        """It stands still, or runs no code of the program until something else has happened."""
        return self.task.held or self.ending or self.task.unstoppable or self.task.dead

"""What a tracing engine is: a class of callbacks.

Derive from `Engine`, set `events`, define the callbacks of those events. Callbacks run one at a time in the
tracer's thread while the task stands still; they may read and change its registers and memory, and must not
wait for anything. A callback returns a `Resume` action (combined with a `Signal` or `Syscall` action where
it takes one); None means: nothing special, go on. A callback that raises detaches its engine, which is
reported, and everything else goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gdbstub.utrace.actions import Follow
from gdbstub.utrace.events import Jctl

if TYPE_CHECKING:
    from gdbstub.linux.siginfo import SigInfo
    from gdbstub.utrace.breakpoints import Breakpoint
    from gdbstub.utrace.syscall import SyscallEntry, SyscallExit
    from gdbstub.utrace.task import Disposition, Program, Task
    from gdbstub.utrace.watchpoints import Watchpoint

Answer = int | None
"""A callback's return value."""


class Engine:
    """One party that traces tasks. An engine object can be attached to any number of tasks."""

    events: int = 0
    """Mask of `Event` bits that it starts with on a task when it is attached to a process."""
    follow: Follow = Follow.THREADS
    """What the engine is attached to by itself, when attached to a process."""
    data: object = None
    """For Attach.MATCH_DATA."""
    label: str = ""
    """What others see it called; empty: its class's name."""

    def attached(self, task: Task) -> None:
        """Called once on each task that the engine is attached to by a process or by following."""

    def report_quiesce(self, task: Task, action: int, event: int) -> Answer:
        """The task stands at a safe point, before `event` is reported (0: about to return to user mode)."""

    def report_signal(
        self, task: Task, action: int, info: SigInfo, disposition: Disposition | None
    ) -> Answer:
        """A signal, or (disposition None) a Signal.REPORT or Signal.HANDLER report.

        `info` may be changed. In a report without a signal, filling in `info` and returning
        Signal.DELIVER delivers that signal.
        """

    def report_clone(self, task: Task, action: int, flags: int, child: Task) -> Answer:
        """The task made `child`, with these CLONE_* flags; engines may attach to it now."""

    def report_jctl(self, task: Task, action: int, kind: Jctl, notify: int) -> Answer:
        """Job control; `notify` is the CLD_* code that the parent will be told, 0 for none."""

    def report_exec(self, task: Task, action: int, program: Program) -> Answer:
        """The task runs a new program; its registers are that program's."""

    def report_syscall_entry(self, task: Task, action: int, call: SyscallEntry) -> Answer:
        """The task is about to make a system call. Engines are asked in reverse order of attaching."""

    def report_syscall_exit(self, task: Task, action: int, call: SyscallExit) -> Answer:
        """A system call has returned."""

    def report_exit(self, task: Task, action: int, code: int) -> Answer:
        """The task is about to end with this wait status. A hold here cannot be broken by SIGKILL."""

    def report_death(self, task: Task, group_dead: bool, signal: int) -> Answer:
        """The task has ended. Only DETACH means anything as an answer.

        `signal`: what the parent is told with; 0 none, -1 nobody is told (the task reaps itself), -2 the
        leader ended before the other threads and nobody is told yet.
        """

    def report_reap(self, task: Task) -> None:
        """The task's status has been collected: this is the last that is heard of it."""

    def report_extension(self, task: Task, action: int, event: int, payload: Any) -> Answer:
        """An event that was registered at run time."""

    def report_breakpoint(self, task: Task, action: int, breakpoint: Breakpoint) -> Answer:
        """A breakpoint of this engine was hit; the program counter is its address."""

    def report_watchpoint(self, task: Task, action: int, watchpoint: Watchpoint) -> Answer:
        """A watchpoint of this engine was hit: after a data access, before an execution."""

    def report_step(self, task: Task, action: int, kind: int) -> Answer:
        """The step is done; `kind` is Resume.SINGLESTEP or BLOCKSTEP, as it was really carried out."""

    def report_vfork_done(self, task: Task, action: int) -> Answer:
        """The vfork child has given the memory back."""

    def release(self, task: Task) -> None:
        """The engine is not attached to the task any more, for whatever reason."""


class Attachment:
    """An engine on one task: the kernel's struct utrace_engine."""

    __slots__ = ("detached", "engine", "follow", "hold", "mask", "step_wanted", "task")

    def __init__(self, engine: Engine, task: Task) -> None:
        self.engine = engine
        self.task = task
        self.mask = 0
        self.hold = False
        """The task is kept stopped by this engine (ENGINE_STOP)."""
        self.detached = False
        self.follow = Follow.NOTHING
        self.step_wanted = False
        """The engine asked for the step that is being made."""

    def __repr__(self) -> str:
        return f"<{type(self.engine).__name__} on task {self.task.tid}>"

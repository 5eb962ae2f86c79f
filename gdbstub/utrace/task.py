"""Tasks (threads) and processes as the core sees them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

from gdbstub.linux import signals
from gdbstub.linux.siginfo import SigInfo
from gdbstub.utrace.actions import Resume, Signal
from gdbstub.utrace.engine import Attachment, Engine
from gdbstub.utrace.errors import NotSupported
from gdbstub.utrace.stops import Stop
from gdbstub.utrace.watchpoints import Watchpoints

if TYPE_CHECKING:
    from gdbstub.arch.description import Architecture, RegisterSet
    from gdbstub.linux.wait import Exited, Killed
    from gdbstub.utrace.address_space import AddressSpace
    from gdbstub.utrace.breakpoints import OutOfLineCopy
    from gdbstub.utrace.core import Utrace
    from gdbstub.utrace.registers import Registers

Flow = Generator[None, None, "Departure"]
"""A task's way through one stop, as the kernel's code would run it: it yields where the task is held."""


class Disposition(Enum):
    """What a process has arranged for a signal."""

    DEFAULT = auto()
    IGNORED = auto()
    HANDLED = auto()


@dataclass(frozen=True, slots=True)
class Program:
    """What an exec started."""

    path: str
    former_tid: int
    """The thread that called exec, when that was not the process's leader; else the task's own id."""


@dataclass(slots=True)
class Departure:
    """How a task leaves the stop that it stands at."""

    step: int = Resume.RESUME
    """RESUME, SINGLESTEP or BLOCKSTEP."""
    signal: SigInfo | None = None
    """A signal to act on as `signal_action` says."""
    signal_action: Signal = Signal.DELIVER
    abort: bool = False
    """From SYSCALL_ENTRY: leave the call out."""
    handler: bool = False
    """The signal is known to have a handler, which will run."""
    report: bool = False
    """Stop again at the return to user mode."""
    requeue: list[SigInfo] = field(default_factory=list)
    """Signals that were taken off the queue and go back to it."""


class Task(ABC):
    """One thread. What it is made of (registers, memory) comes from the back end's subclass."""

    def __init__(self, tid: int, process: Process) -> None:
        self.tid = tid
        self.process = process
        self.attached: list[Attachment] = []
        self.attaching: list[Attachment] = []
        self.mask = 0
        """The events that any engine wants of this task."""
        self.pending: int = Resume.RESUME
        """The most urgent thing asked for before the task may run in user mode."""
        self.raised: list[tuple[int, object]] = []
        """Events registered at run time that are still to be reported, with what they carry."""
        self.reporting: Attachment | None = None
        """Whose callback is running."""
        self.left_meanwhile = False
        """An engine was detached from it while a callback was running."""
        self.signal_handler = False
        """A signal handler has just been set up."""
        self.step: int = Resume.RESUME
        """The processor's stepping mode: RESUME (off), SINGLESTEP or BLOCKSTEP."""
        self.stop: Stop | None = None
        """Where the task stands; None while it runs."""
        self.flow: Flow | None = None
        self.held = False
        """`flow` waits for the holds to go."""
        self.passed: int | None = None
        """Address of a breakpoint whose hit has been reported here and whose instruction has not run yet."""
        self.out_of_line: OutOfLineCopy | None = None
        """The relocated instruction that the task was last sent into."""
        self.outcome: Exited | Killed | None = None
        """How it ended."""
        self.dead = False
        self.reporting_death = False
        self.reaping = False

    @property
    def attachments(self) -> list[Attachment]:
        """All attachments in attach order; not to be changed."""
        return self.attached + self.attaching if self.attaching else self.attached

    def attachment(self, engine: Engine) -> Attachment | None:
        """The live attachment of an engine."""
        for attachment in self.attachments:
            if attachment.engine is engine and not attachment.detached:
                return attachment
        return None

    def narrow(self) -> None:
        """Recompute `mask` after an attachment changed or went."""
        mask = 0
        for attachment in self.attachments:
            mask |= attachment.mask
        self.mask = mask

    @property
    @abstractmethod
    def registers(self) -> Registers:
        """The registers; raises Running while the task runs."""

    @property
    def unstoppable(self) -> bool:
        """A hold would have to wait for something else; the task runs no code of the program meanwhile."""
        return False

    @abstractmethod
    def read_regset(self, regset: RegisterSet) -> bytearray:
        """A whole register set as the kernel has it."""

    @abstractmethod
    def write_regset(self, regset: RegisterSet, contents: bytes | bytearray) -> None:
        """Replace a whole register set. Raises Invalid for contents that the task cannot have."""

    @abstractmethod
    def disposition(self, signal: int) -> Disposition:
        """What the process has arranged for a signal."""

    @property
    def siginfo(self) -> SigInfo:
        """The siginfo of the current stop; of a stop without a signal, a SIGTRAP."""
        return SigInfo.make(signals.SIGTRAP)

    @property
    def thread_pointer(self) -> int:
        """Where the thread's own block of memory is (the TCB)."""
        register = self.process.architecture.thread_pointer
        if register is None:
            raise NotSupported("no register holds the thread pointer")
        return self.registers[register]

    @property
    @abstractmethod
    def name(self) -> str:
        """The thread's name."""

    def __repr__(self) -> str:
        return f"<task {self.tid} of process {self.process.pid}>"


class Process:
    """A thread group."""

    def __init__(self, pid: int, core: Utrace, address_space: AddressSpace) -> None:
        self.pid = pid
        self.core = core
        self.address_space = address_space
        self.tasks: dict[int, Task] = {}
        """Live tasks by thread id, in the order in which they were seen."""
        self.engines: dict[Engine, int] = {}
        """On how many tasks each engine is, in the order in which the engines came."""
        self.watchpoints = self.new_watchpoints()
        self.launched = False
        """We started it: it does not outlive us."""
        self.releasing = False
        """No engine is left: each task is let go at its next stop."""
        self.gathering = False
        """Engines are joining: it is not let go meanwhile for want of any."""
        self.exiting = False
        """One of its tasks is ending the whole group."""
        self.outcome: Exited | Killed | None = None
        """How it ended."""
        address_space.processes.append(self)

    def new_watchpoints(self) -> Watchpoints:
        """An empty pool of debug registers; changes of it reach the running tasks too."""
        return Watchpoints(self.architecture.debug_registers, self._watchpoints_changed)

    def _watchpoints_changed(self) -> None:
        for task in self.tasks.values():
            self.core.backend.interests_changed(task)

    @property
    def architecture(self) -> Architecture:
        """What kind of program it runs."""
        return self.address_space.architecture

    @property
    def leader(self) -> Task | None:
        """The task whose id is the process's; None once it has ended."""
        return self.tasks.get(self.pid)

    def __repr__(self) -> str:
        return f"<process {self.pid}>"

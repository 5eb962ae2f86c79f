"""A task whose registers come from ptrace, and what the ptrace back end has to remember of it."""

from __future__ import annotations

from gdbstub.arch.description import RegisterSet
from gdbstub.linux import procfs, ptrace, signals
from gdbstub.linux.siginfo import SigInfo
from gdbstub.utrace.errors import Invalid, NoTask, Running
from gdbstub.utrace.registers import Registers
from gdbstub.utrace.task import Departure, Disposition, Process, Task


class Redelivery:
    """A signal sent again in place of one that was taken off the queue or made up."""

    __slots__ = ("departure", "info")

    def __init__(self, info: SigInfo, departure: Departure | None) -> None:
        self.info = info
        self.departure = departure
        """How its stop is left; None: engines are asked."""


class BrokenCall:
    """A system call that our own interruption made fail with EINTR: to be made again."""

    __slots__ = ("number", "pc", "sp")

    def __init__(self, number: int, pc: int, sp: int) -> None:
        self.number = number
        self.pc = pc
        self.sp = sp


class PtraceTask(Task):
    """One thread that we trace."""

    def __init__(self, tid: int, process: Process) -> None:
        super().__init__(tid, process)
        self._registers: Registers | None = None
        self.options = 0
        """The PTRACE_O_* in force."""
        self.newborn = False
        """Its first stop, before any instruction, has not been seen."""
        self.interrupting = False
        """PTRACE_INTERRUPT was sent and its stop has not been seen."""
        self.may_break_calls = False
        """The interruption was asked for as such: EINTR is what the engine wants."""
        self.broken_call: BrokenCall | None = None
        self.call_interrupted = False
        """A signal that stops the process has made its system call fail: what comes before it runs in user
        mode again has not.
        """
        self.restarting_at: int | None = None
        """Address of a system call instruction that will be run again because we stopped the task."""
        self.traces_syscalls = False
        """It was last resumed with PTRACE_SYSCALL."""
        self.syscall_number = -1
        """The system call that it is in."""
        self.step_ends_at_exit = False
        """A step of a system call instruction under syscall tracing: done at the call's exit."""
        self.internal_step = False
        """It was last resumed with a step that no engine asked for."""
        self.job_stopped = False
        self.listening = False
        """Job-stopped with PTRACE_LISTEN: it takes no requests."""
        self.vforking = False
        """It waits for its vfork child and cannot be stopped."""
        self.signal: SigInfo | None = None
        """The signal of the signal-delivery-stop that it is in, as the kernel has it."""
        self.stepped_from: int | None = None
        """Where the instruction lies that it was last sent to step over; None if it was not."""
        self.runs_original = False
        """It was last sent to run the instruction under a breakpoint in its place."""
        self.returns_to: tuple[int, int] | None = None
        """(pc, sp) of a breakpoint that it has been told of, where a signal handler is to return to."""
        self.left_copy = range(0)
        """Addresses of the relocated instruction that it was last found in."""
        self.deferred: list[SigInfo] = []
        """Signals that came before a relocated instruction had run; they are reported after it."""
        self.redeliveries: list[Redelivery] = []
        self.debug_generation = 0
        """Which state of the watchpoints its debug registers hold."""
        self.doomed = False
        """It takes no requests any more: a zombie leader, or on the way to its end."""

    @property
    def unstoppable(self) -> bool:
        """It waits for its vfork child, or is a zombie leader, or is on the way to its end."""
        return self.vforking or self.doomed

    @property
    def registers(self) -> Registers:
        """The registers at the current stop."""
        if self._registers is None:
            if self.dead:
                raise NoTask(f"task {self.tid} has ended")
            if self.stop is None:
                raise Running(f"task {self.tid} is running")
            self._registers = Registers(self, self.process.architecture)
        return self._registers

    def forget_registers(self) -> None:
        """The task runs: what was read is stale."""
        self._registers = None

    def write_back(self) -> None:
        """Hand changed registers to the kernel."""
        if self._registers is not None:
            self._registers.write_back()

    def read_regset(self, regset: RegisterSet) -> bytearray:
        """A whole register set. Raises NoTask when SIGKILL has taken the task meanwhile."""
        try:
            if regset.own_view:
                return ptrace.get_registers(self.tid)
            return ptrace.get_regset(self.tid, regset.note_type)
        except ProcessLookupError:
            raise NoTask(f"task {self.tid} is gone") from None

    def write_regset(self, regset: RegisterSet, contents: bytes | bytearray) -> None:
        """Replace a whole register set. Raises NoTask when SIGKILL has taken the task meanwhile."""
        try:
            if regset.own_view:
                ptrace.set_registers(self.tid, contents)
            else:
                ptrace.set_regset(self.tid, regset.note_type, contents)
        except ProcessLookupError:
            raise NoTask(f"task {self.tid} is gone") from None
        except OSError as error:
            raise Invalid(
                f"the kernel refuses these contents of register set {regset.name}: {error}"
            ) from None

    def disposition(self, signal: int) -> Disposition:
        """From SigIgn and SigCgt of /proc/TID/status."""
        try:
            sets = procfs.signal_sets(self.tid)
        except ProcessLookupError:
            return Disposition.DEFAULT
        if signals.is_member(sets["SigIgn"], signal):
            return Disposition.IGNORED
        return Disposition.HANDLED if signals.is_member(sets["SigCgt"], signal) else Disposition.DEFAULT

    @property
    def thread_pointer(self) -> int:
        """Where the thread's own block of memory is (the TCB)."""
        segment = self.process.architecture.thread_area_segment
        if segment is None:
            return super().thread_pointer
        return ptrace.get_thread_area(self.tid, self.registers[segment] >> 3)

    @property
    def siginfo(self) -> SigInfo:
        """The siginfo of the current stop."""
        return super().siginfo if self.signal is None else SigInfo(self.signal.raw)

    @property
    def name(self) -> str:
        """The thread's name, empty once it is gone."""
        try:
            return procfs.name(self.tid)
        except ProcessLookupError:
            return ""

"""The back end on ptrace: brings tasks to their stops, says what the stops are, and lets the tasks go on.

All of it runs in one OS thread, since only the thread that seized a task may talk of it to the kernel. A
request that fails with ESRCH means that SIGKILL has taken the task: its end is on the way, and nothing else
is to be done.
"""

from __future__ import annotations

from collections.abc import Callable

from gdbstub.arch.description import Mark
from gdbstub.linux import procfs, ptrace, signals
from gdbstub.linux.machine import architecture
from gdbstub.linux.siginfo import SigInfo
from gdbstub.linux.wait import Exited, Killed, Stopped, decode
from gdbstub.utrace import births, interruption, passing, redelivery, traps
from gdbstub.utrace.actions import Resume
from gdbstub.utrace.core import Utrace
from gdbstub.utrace.engine import Engine
from gdbstub.utrace.errors import NoTask
from gdbstub.utrace.events import Event, Jctl
from gdbstub.utrace.guardian import Guardian
from gdbstub.utrace.ptrace_task import PtraceTask
from gdbstub.utrace.resuming import Resuming
from gdbstub.utrace.stops import Stop, StopKind
from gdbstub.utrace.syscall import Syscall, SyscallEntry, SyscallExit
from gdbstub.utrace.task import Process, Program, Task
from gdbstub.utrace.tracehook import Hook, name_stop


class PtraceBackend(Resuming):
    """Every task that this process traces."""

    def __init__(
        self,
        engine_failed: Callable[[Task, Engine, Exception], None],
        process_new: Callable[[Process], None],
        process_gone: Callable[[Process], None],
        watch_reap: Callable[[Task], None],
    ) -> None:
        """The callables are told of engines that raised, of processes that are new, of those that ended or
        were let go, and of tasks that have ended and whose parent has yet to collect them.
        """
        super().__init__(process_gone)
        self.engine_failed = engine_failed
        self.process_new = process_new
        self.watch_reap = watch_reap
        self.core = Utrace(self)
        self.processes: dict[int, Process] = {}
        self.tasks: dict[int, PtraceTask] = {}
        self.guardian = Guardian()
        self._strays: dict[int, list[int]] = {}
        handlers: dict[Hook, Callable[[PtraceTask, Stopped, Mark | None], None]] = {
            Hook.NOTIFY_RESUME: self._notify_resume,
            Hook.JOB_STOP: self._job_stop,
            Hook.GET_SIGNAL: self._get_signal,
            Hook.TRAP: self._trap,
            Hook.SIGNAL_HANDLER: self._signal_handler,
            Hook.SYSCALL: self._syscall,
            Hook.CLONE: self._clone,
            Hook.VFORK_DONE: self._vfork_done,
            Hook.EXEC: self._exec,
            Hook.EXIT: self._exit,
        }
        self._at = [handlers[hook] for hook in Hook]

    def adopt(self, pid: int, tids: list[int], launched: bool, options: int) -> Process:
        """Take over the seized threads of a process. Raises OSError if it is gone."""
        guardian = None if launched else self.guardian
        # The leader may have ended before its threads: it has no memory then.
        space = births.address_space(tids[0], architecture(tids[0]), guardian)
        process = Process(pid, self.core, space)
        process.launched = launched
        self.processes[pid] = process
        for tid in tids:
            task = PtraceTask(tid, process)
            task.options = options
            process.tasks[tid] = task
            self.tasks[tid] = task
        self.process_new(process)
        return process

    def guardian_of(self, process: Process) -> Guardian | None:
        """Who takes care of a process if we die of SIGKILL; what was launched dies with us."""
        return None if process.launched else self.guardian

    def dispatch(self, tid: int, status: int) -> None:
        """Act on one wait status."""
        outcome = decode(status)
        if isinstance(outcome, Stopped) and outcome.event == ptrace.EVENT_EXEC:
            self._move_execing_task(tid)
        task = self.tasks.get(tid)
        if task is None:
            self._strays.setdefault(tid, []).append(status)
        elif isinstance(outcome, Stopped):
            try:
                self._stopped(task, outcome)
            except (ProcessLookupError, NoTask):
                task.doomed = True
        else:
            self._ended(task, outcome)

    def left(self, process: Process, engine: Engine) -> None:
        """Nothing of an engine stays in a process; without any engine the process is let go."""
        if not process.tasks:
            return
        sharing = process.address_space.processes
        if not any(engine in other.engines for other in sharing if other is not process):
            process.address_space.breakpoints.remove_all(engine)
        process.watchpoints.remove_all(engine)
        if not process.engines and not process.gathering:
            self.release(process)

    def _stopped(self, task: PtraceTask, stopped: Stopped) -> None:
        task.forget_registers()
        # Any stop clears an interruption that is pending (kernel/signal.c, ptrace_stop).
        task.interrupting = False
        task.stop = Stop(StopKind.USER)
        hook, task.signal = name_stop(task, stopped)
        mark = None
        if hook is Hook.TRAP and task.stepped_from is not None:
            traps.hide_step(task)
        if task.out_of_line is not None:
            mark = passing.position(task)
            if mark is not None and not mark.executed and self._finishes_copy(task, hook, mark):
                return
            slot = task.out_of_line.slot
            task.left_copy = range(slot.address, slot.address + len(slot.planted))
            passing.leave(task)
        if hook is not Hook.TRAP:
            task.restarting_at = None
            for info in task.deferred:
                redelivery.send(task, info, None)
            task.deferred = []
        self._at[hook - 1](task, stopped, mark)

    def _finishes_copy(self, task: PtraceTask, hook: Hook, mark: Mark) -> bool:
        """Step a task out of a relocated instruction that it is in the middle of, before anything else.

        Without it a signal handler would run in between, and return to the breakpoint. A system call is
        not made first, since the signal may be what is to end it; that its handler returns to the
        breakpoint is remembered.
        """
        info, copy = task.signal, task.out_of_line
        if info is None or copy is None:
            return False
        if hook is Hook.GET_SIGNAL and info.number not in signals.FAULTS:
            if copy.code.is_syscall:
                task.returns_to = mark.pc, task.registers.sp
                return False
            task.deferred.append(info)
        elif hook is not Hook.TRAP or info.code == signals.SI_KERNEL:
            return False
        elif task.step != Resume.RESUME and task.registers.pc == copy.slot.address:
            # One round of a repeated string instruction, which is a step.
            return False
        self.resume(task, ptrace.SINGLESTEP, internal=True)
        return True

    def _notify_resume(self, task: PtraceTask, stopped: Stopped, mark: Mark | None) -> None:
        if task.newborn:
            self._first_stop(task)
        elif task.job_stopped:
            task.job_stopped = task.listening = False
            self.core.notify_jctl(task, Jctl.CONTINUED, 0)
        elif traps.is_waiting(task):
            self.resume(task, ptrace.CONT)
        else:
            interruption.note_broken_call(task)
            self.core.notify_resume(task)

    def _first_stop(self, task: PtraceTask) -> None:
        """A new task before its first instruction; a child that nobody follows is let go, cleaned up.

        A vfork child stays until it has a memory of its own: it runs over its parent's breakpoints.
        """
        task.newborn = False
        process = task.process
        if task.tid == process.pid and process.address_space.processes == [process]:
            process.address_space.breakpoints.clean(process.engines)
            process.releasing = not process.engines
        self.core.notify_resume(task)

    def _job_stop(self, task: PtraceTask, stopped: Stopped, mark: Mark | None) -> None:
        task.stop = Stop(StopKind.JOB_STOP)
        known, task.job_stopped, task.listening = task.job_stopped, True, False
        if known:
            self.core.job_stop(task)
            return
        everybody = all(each.job_stopped for each in self.tasks.values() if each.process is task.process)
        self.core.notify_jctl(task, Jctl.STOPPED, Jctl.STOPPED if everybody else 0)

    def _get_signal(self, task: PtraceTask, stopped: Stopped, mark: Mark | None) -> None:
        info = task.signal
        assert info is not None
        task.stop = Stop(StopKind.SIGNAL)
        shown = SigInfo(info.raw)
        again = redelivery.take(task, info)
        if again is not None:
            shown = again.info
            if again.departure is not None:
                self.depart(task, again.departure)
                return
        if mark is not None and shown.number in signals.FAULTS and shown.address in task.left_copy:
            shown.address = mark.pc
        interruption.note_broken_call(task)
        self.core.get_signal(task, shown)

    def _trap(self, task: PtraceTask, stopped: Stopped, mark: Mark | None) -> None:
        info = task.signal
        assert info is not None
        found = traps.classify(task, info, mark is not None, self.block_step)
        task.restarting_at = None
        if found.own:
            task.stop = Stop(StopKind.SIGNAL)
            self.core.get_signal(task, SigInfo(info.raw))
            return
        task.stop = Stop(StopKind.TRAP)
        deferred, task.deferred = task.deferred, []
        for info in deferred[1:]:
            redelivery.send(task, info, None)
        first = SigInfo(deferred[0].raw) if deferred else None
        self.core.report_traps(task, found.events, first)

    def _signal_handler(self, task: PtraceTask, stopped: Stopped, mark: Mark | None) -> None:
        task.stop = Stop(StopKind.TRAP)
        self.core.signal_handler(task)

    def _syscall(self, task: PtraceTask, stopped: Stopped, mark: Mark | None) -> None:
        info = ptrace.get_syscall_info(task.tid)
        abi = task.process.architecture.syscall_abi(info.arch)
        syscall = Syscall(task, abi)
        if info.op == ptrace.SYSCALL_INFO_ENTRY:
            task.stop = Stop(StopKind.SYSCALL_ENTRY)
            task.syscall_number = info.number
            if mark is not None and abi.clobbered_by_pc is not None:
                task.registers[abi.clobbered_by_pc] = mark.pc
            self.core.report_syscall_entry(task, SyscallEntry(syscall, info.number, info.arguments))
        else:
            task.stop = Stop(StopKind.SYSCALL_EXIT)
            number, task.syscall_number = task.syscall_number, -1
            if number < 0:
                number = syscall.number
            self.core.report_syscall_exit(task, SyscallExit(syscall, number, info.result))

    def _clone(self, task: PtraceTask, stopped: Stopped, mark: Mark | None) -> None:
        tid = ptrace.event_message(task.tid)
        flags = births.clone_flags(task, stopped.event)
        task.vforking = stopped.event == ptrace.EVENT_VFORK
        if task.vforking:
            flags |= births.CLONE_VFORK
        task.stop = Stop(StopKind.VFORK if task.vforking else StopKind.CLONE)
        child = births.child_of(self, task, tid, flags)
        self.core.report_clone(task, flags, child)
        for status in self._strays.pop(tid, []):
            self.dispatch(tid, status)

    def _vfork_done(self, task: PtraceTask, stopped: Stopped, mark: Mark | None) -> None:
        task.stop = Stop(StopKind.VFORK_DONE)
        task.vforking = False
        self.core.report_vfork_done(task)

    def _move_execing_task(self, tid: int) -> None:
        """The thread that called exec goes on under the leader's id; the leader is no more (ptrace(2))."""
        try:
            former = ptrace.event_message(tid)
        except ProcessLookupError:
            return
        moved = self.tasks.get(former)
        if former == tid or moved is None:
            return
        leader = self.tasks.get(tid)
        if leader is not None:
            self._bury(leader, group_dead=False)
        del self.tasks[former], moved.process.tasks[former]
        moved.tid = tid
        self.tasks[tid] = moved.process.tasks[tid] = moved

    def _exec(self, task: PtraceTask, stopped: Stopped, mark: Mark | None) -> None:
        task.stop = Stop(StopKind.EXEC)
        former = ptrace.event_message(task.tid)
        process = task.process
        old = process.address_space
        guardian = self.guardian_of(process)
        process.address_space = births.address_space(process.pid, architecture(process.pid), guardian)
        process.address_space.processes.append(process)
        old.processes.remove(process)
        if not old.processes:
            old.close()
        process.watchpoints = process.new_watchpoints()
        task.debug_generation = 0
        task.out_of_line = task.passed = task.broken_call = None
        task.vforking = False
        process.releasing = not process.engines
        self.core.report_exec(task, Program(procfs.executable(process.pid), former))

    def _exit(self, task: PtraceTask, stopped: Stopped, mark: Mark | None) -> None:
        task.stop = Stop(StopKind.EXIT)
        code = ptrace.event_message(task.tid)
        self.core.report_exit(task, code, self._is_killed(task, code))

    def _is_killed(self, task: PtraceTask, code: int) -> bool:
        """Whether something else ends the task: SIGKILL, its group's end, or a sibling's exec."""
        abi = task.process.architecture.syscall
        call = abi.exit_numbers.get(task.registers.signed(abi.number))
        signal = code & 0x7F
        late, ends_group = task.process.exiting, bool(signal) or call == "exit_group"
        task.process.exiting = late or ends_group
        return late or signal == signals.SIGKILL or (call is None and not signal)

    def _ended(self, task: PtraceTask, outcome: Exited | Killed) -> None:
        process = task.process
        task.outcome = outcome
        if task.tid == process.pid:
            process.outcome = outcome
        self._bury(task, group_dead=len(process.tasks) == 1)

    def _bury(self, task: PtraceTask, group_dead: bool) -> None:
        process = task.process
        is_leader = task.tid == process.pid
        self.core.report_death(task, group_dead, signals.SIGCHLD if is_leader and group_dead else -1)
        if is_leader and group_dead and not process.launched and task.mask & Event.REAP:
            self.watch_reap(task)
        else:
            self.core.release_task(task)
        self.forget(task)

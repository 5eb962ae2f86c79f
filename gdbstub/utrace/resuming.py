"""How tasks leave their stops: each with exactly one ptrace request, or for ever."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from gdbstub.linux import procfs, ptrace, signals
from gdbstub.linux.block_step import block_step_works
from gdbstub.linux.memory import MemoryFault
from gdbstub.linux.siginfo import SigInfo
from gdbstub.linux.wait import Stopped, decode, wait_for
from gdbstub.utrace import interruption, passing, redelivery, traps
from gdbstub.utrace.actions import Resume, Signal
from gdbstub.utrace.breakpoints import Plant
from gdbstub.utrace.errors import NoTask
from gdbstub.utrace.events import Event
from gdbstub.utrace.ptrace_task import PtraceTask
from gdbstub.utrace.stops import StopKind
from gdbstub.utrace.task import Departure, Disposition, Process, Task
from gdbstub.utrace.tracehook import is_processor_trap, is_signal_delivery

if TYPE_CHECKING:
    from gdbstub.utrace.core import Utrace

_RUN = int(Resume.RESUME)
_SYSCALLS, _EXIT = Event.SYSCALL, Event.EXIT
_STEPS = (ptrace.SINGLESTEP, ptrace.SINGLEBLOCK)
_PATIENCE = 0.5
"""Seconds for a thread to stop; one that takes longer is stuck in the kernel and runs no code meanwhile."""
_TO_USER = frozenset({StopKind.USER, StopKind.SIGNAL, StopKind.TRAP, StopKind.SYSCALL_EXIT})


class Resuming:
    """The half of the ptrace back end that acts on tasks."""

    core: Utrace
    processes: dict[int, Process]
    tasks: dict[int, PtraceTask]
    single_step = True

    def __init__(self, process_gone: Callable[[Process], None]) -> None:
        self.process_gone = process_gone
        self.backlog: list[tuple[int, int]] = []
        """Wait statuses that were collected out of turn and are still to be acted on."""

    @cached_property
    def block_step(self) -> bool:
        """The machine can step from branch to branch (a virtual machine's may not)."""
        return block_step_works()

    def depart(self, task: Task, departure: Departure) -> None:
        """Let a task leave its stop."""
        assert isinstance(task, PtraceTask)
        try:
            self._depart(task, departure)
        except (ProcessLookupError, NoTask):
            task.doomed = True

    def _depart(self, task: PtraceTask, departure: Departure) -> None:
        assert task.stop is not None
        kind = task.stop.kind
        if task.process.releasing:
            self._let_go(task, departure)
            return
        if kind is StopKind.JOB_STOP:
            self._stay_job_stopped(task)
            return
        if kind is StopKind.SYSCALL_EXIT and task.step_ends_at_exit:
            task.step_ends_at_exit = False
            if departure.signal is not None:
                redelivery.send(task, departure.signal, Departure(signal=departure.signal))
            self.core.report_traps(task, [traps.step_done(task, self.block_step)])
            return
        for info in departure.requeue:
            redelivery.send(task, info, None)
        if departure.signal is not None and task.signal is None:
            self._send_first(task, departure)
            return
        number = redelivery.deliver(task, departure)
        if departure.abort:
            task.registers[task.process.architecture.syscall.number] = -1
        if kind in _TO_USER:
            self._to_user(task, departure, number)
        else:
            self._inside_kernel(task, departure, number)

    def _inside_kernel(self, task: PtraceTask, departure: Departure, number: int) -> None:
        """Go on inside a system call; a report that is owed is made at the call's exit."""
        stepping = task.step != _RUN
        if departure.report or task.mask & _SYSCALLS or task.step_ends_at_exit:
            task.step_ends_at_exit = stepping
            self.resume(task, ptrace.SYSCALL, number)
        else:
            self.resume(task, self._step_request(task) if stepping else ptrace.CONT, number)

    def _to_user(self, task: PtraceTask, departure: Departure, number: int) -> None:
        traps.load_debug_registers(task)
        self._mend_call(task, number)
        plant = self._plant_to_pass(task, departure)
        copy = None
        if plant is not None:
            copy = passing.copy_of(task.process.address_space, plant)
            if copy is None:
                self._step_alone(task, plant, departure)
                return
            passing.enter(task, copy)
        request, internal = self._request(task, departure)
        if copy is not None and copy.code.is_syscall:
            task.step_ends_at_exit = task.step != _RUN and bool(task.mask & _SYSCALLS)
            request = ptrace.SYSCALL
        if departure.report and not internal:
            ptrace.interrupt(task.tid)
            task.interrupting = True
            task.may_break_calls = False
        self.resume(task, request, number, internal)

    def _request(self, task: PtraceTask, departure: Departure) -> tuple[int, bool]:
        """The ptrace request, and whether it is a step that no engine asked for."""
        if departure.handler and departure.report:
            return ptrace.SINGLESTEP, True
        if task.step != _RUN:
            if task.mask & _SYSCALLS and self._at_syscall_instruction(task):
                task.step_ends_at_exit = True
                return ptrace.SYSCALL, False
            return self._step_request(task), False
        return (ptrace.SYSCALL if task.mask & _SYSCALLS else ptrace.CONT), False

    def _step_request(self, task: PtraceTask) -> int:
        if task.step == Resume.BLOCKSTEP and self.block_step:
            return ptrace.SINGLEBLOCK
        return ptrace.SINGLESTEP

    def _at_syscall_instruction(self, task: PtraceTask) -> bool:
        instructions = task.process.architecture.syscall.instructions
        code = task.process.address_space.read_some(task.registers.pc, len(instructions[0]))
        return code in instructions

    def _mend_call(self, task: PtraceTask, number: int) -> None:
        """Make a system call again that we broke, unless the signal that is delivered breaks it, too."""
        if self._interrupts(task, number):
            interruption.accept(task, stopping=task.disposition(number) is Disposition.DEFAULT)
        else:
            interruption.repair(task)

    def _interrupts(self, task: PtraceTask, number: int) -> bool:
        """Whether a signal interrupts a system call of an untraced thread: it is caught, or stops."""
        if not number:
            return False
        disposition = task.disposition(number)
        return disposition is Disposition.HANDLED or (
            disposition is Disposition.DEFAULT and number in signals.STOP_SIGNALS
        )

    def _plant_to_pass(self, task: PtraceTask, departure: Departure) -> Plant | None:
        """The breakpoint that the task stands at and has been told of, if its instruction is to run now."""
        passed = task.passed
        if passed is None:
            return None
        if task.registers.pc != passed:
            task.passed = None
            return None
        signal = departure.signal
        if signal is not None and self._interrupts(task, signal.number):
            return None
        task.passed = task.returns_to = None
        return task.process.address_space.breakpoints.at(passed)

    def _send_first(self, task: PtraceTask, departure: Departure) -> None:
        """Have a signal delivered that the current stop cannot take: queue it, and go to its own stop."""
        info = departure.signal
        assert info is not None
        number = redelivery.acting_signal(task, info.number, departure.signal_action)
        blocked = signals.is_member(ptrace.get_signal_mask(task.tid), number)
        departure.signal_action = Signal.DELIVER
        if number != info.number:
            info.number = number
        if blocked:
            redelivery.send(task, info, Departure(signal=info))
            self._depart(task, Departure(step=departure.step, report=departure.report))
        else:
            redelivery.send(task, info, departure)
            self.resume(task, ptrace.CONT)

    def _stay_job_stopped(self, task: PtraceTask) -> None:
        if self.core.is_held(task):
            self.core.job_stop(task)
            return
        task.listening = True
        self.resume(task, ptrace.LISTEN)

    def _step_alone(self, task: PtraceTask, plant: Plant, departure: Departure) -> None:
        """Run an instruction that cannot be relocated in its place, with all other threads stopped."""
        space = task.process.address_space
        for process in space.processes:
            for other in self._running(process, task):
                self._stop_now(other)
        calls = self._at_syscall_instruction(task)
        request = ptrace.SYSCALL if calls else ptrace.SINGLESTEP
        task.step_ends_at_exit = calls and task.step != _RUN and bool(task.mask & _SYSCALLS)
        with contextlib.suppress(MemoryFault):
            # Where the program has unmapped the instruction meanwhile, the task is to find that out itself.
            space.memory.write(plant.address, bytes(plant.original))
        try:
            task.write_back()
            ptrace.request(request, task.tid, 0, redelivery.deliver(task, departure))
            status = wait_for(task.tid)
            while status is not None and self._is_too_early(task, status, plant.address, calls):
                ptrace.request(request, task.tid)
                status = wait_for(task.tid)
        finally:
            with contextlib.suppress(MemoryFault):
                space.memory.write(plant.address, plant.planted)
        self._left_stop(task, request, internal=task.step == _RUN)
        task.runs_original, task.stepped_from = True, None if calls else plant.address
        if status is not None:
            self.backlog.append((task.tid, status))

    def _is_in_backlog(self, task: PtraceTask) -> bool:
        return any(tid == task.tid for tid, _ in self.backlog)

    def _is_too_early(self, task: PtraceTask, status: int, address: int, calls: bool) -> bool:
        """Whether a task has stopped before the instruction that it is to run alone.

        An interruption that came too late for the stop before has no meaning. A signal is put off, since
        its handler would return to the breakpoint; unless it may be what is to end a system call.
        """
        outcome = decode(status)
        if isinstance(outcome, Stopped) and outcome.event == ptrace.EVENT_STOP:
            task.forget_registers()
            early = outcome.signal == signals.SIGTRAP and not traps.is_waiting(task)
            return early and task.registers.pc == address
        if calls or not is_signal_delivery(outcome):
            return False
        info = SigInfo(ptrace.get_siginfo(task.tid))
        if is_processor_trap(info) or info.number in signals.FAULTS:
            return False
        task.deferred.append(info)
        return True

    def _running(self, process: Process, besides: PtraceTask) -> list[PtraceTask]:
        return [
            task
            for task in self.tasks.values()
            if task.process is process
            and task is not besides
            and task.stop is None
            and not (task.newborn or task.listening or task.vforking or task.doomed)
        ]

    def _stop_now(self, task: PtraceTask) -> None:
        """Wait for the next stop of a running task, to be acted on later."""
        if self._is_in_backlog(task):
            return
        self.request_stop(task, interrupt=False)
        if not task.doomed:
            status = wait_for(task.tid, _PATIENCE)
            if status is not None:
                self.backlog.append((task.tid, status))

    def resume(self, task: PtraceTask, request: int, signal: int = 0, internal: bool = False) -> None:
        """One request that lets a stopped task go; `internal`: a step that no engine asked for."""
        task.write_back()
        if bool(task.mask & _EXIT) != bool(task.options & ptrace.O_TRACEEXIT):
            task.options ^= ptrace.O_TRACEEXIT
            ptrace.set_options(task.tid, task.options)
        self._left_stop(task, request, internal)
        ptrace.request(request, task.tid, 0, signal)

    def _left_stop(self, task: PtraceTask, request: int, internal: bool) -> None:
        task.traces_syscalls = request == ptrace.SYSCALL
        task.internal_step = internal
        task.runs_original = False
        task.stepped_from = task.registers.pc if request in _STEPS else None
        task.forget_registers()
        task.signal = None
        if task.stop is not None:
            task.stop.consume()
            task.stop = None

    def request_stop(self, task: Task, interrupt: bool) -> None:
        """Bring a running task to a stop at its return to user mode."""
        assert isinstance(task, PtraceTask)
        if task.newborn or task.doomed or task.listening:
            return
        task.may_break_calls = interrupt
        if not task.interrupting:
            self._interrupt(task)

    def _interrupt(self, task: PtraceTask) -> None:
        try:
            ptrace.interrupt(task.tid)
            task.interrupting = True
        except ProcessLookupError:
            task.doomed = True

    def hold_job_stopped(self, task: Task) -> bool:
        """Turn a job control stop into one at which registers can be read."""
        assert isinstance(task, PtraceTask)
        if not task.listening or self._is_in_backlog(task):
            return False
        self._interrupt(task)
        status = None if task.doomed else wait_for(task.tid)
        if status is None:
            return False
        self.dispatch(task.tid, status)
        return task.held

    def dispatch(self, tid: int, status: int) -> None:
        """Act on one wait status."""
        raise NotImplementedError

    def interests_changed(self, task: Task) -> None:
        """Have a running task stop once if what is asked of the kernel for it has to change."""
        assert isinstance(task, PtraceTask)
        if task.stop is not None or task.process.releasing:
            return
        if (
            (task.mask & _SYSCALLS and not task.traces_syscalls)
            or (task.mask & _EXIT and not task.options & ptrace.O_TRACEEXIT)
            or task.debug_generation != task.process.watchpoints.generation
        ):
            self.request_stop(task, interrupt=False)

    def release(self, process: Process) -> None:
        """Let a process go, unharmed; its running tasks are stopped once for it."""
        if process.releasing:
            return
        process.releasing = True
        for task in [task for task in self.tasks.values() if task.process is process and not task.dead]:
            if task.stop is not None:
                if task.flow is None:
                    in_hand = task.signal if task.stop.kind is StopKind.SIGNAL else None
                    self.depart(task, Departure(signal=in_hand))
            elif procfs.is_zombie(task.tid):
                self.forget(task)
            elif task.listening:
                self._interrupt(task)
            else:
                self.request_stop(task, interrupt=False)

    def _let_go(self, task: PtraceTask, departure: Departure) -> None:
        process = task.process
        traps.clear_debug_registers(task)
        number = redelivery.deliver(task, departure)
        again = list(departure.requeue)
        if departure.signal is not None and task.signal is None:
            again.append(departure.signal)
        for info in again:
            signals.send_to_thread(process.pid, task.tid, info.number)
        if departure.abort:
            task.registers[process.architecture.syscall.number] = -1
        self._mend_call(task, number)
        task.write_back()
        if len(process.tasks) == 1 and process.address_space.processes == [process]:
            process.address_space.breakpoints.clean(())
        ptrace.detach(task.tid, number)
        task.stop = None
        self.forget(task)

    def forget(self, task: PtraceTask) -> None:
        """A task is not ours any more; with the last one its process is not either."""
        self.tasks.pop(task.tid, None)
        process = task.process
        process.tasks.pop(task.tid, None)
        if not process.tasks:
            self.processes.pop(process.pid, None)
            space = process.address_space
            space.processes.remove(process)
            if not space.processes:
                space.close()
            self.process_gone(process)

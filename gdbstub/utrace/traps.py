"""What a SIGTRAP of the processor was: a breakpoint, a watchpoint, a step, or the program's own affair.

si_code tells on x86 (gdb's nat/linux-ptrace.h has the same table): SI_KERNEL after int3, TRAP_TRACE after a
step, TRAP_BRKPT after a step over a system call, TRAP_HWBKPT after a debug register's condition.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gdbstub.linux import ptrace, signals
from gdbstub.linux.memory import MemoryFault
from gdbstub.linux.siginfo import SigInfo
from gdbstub.utrace.actions import Resume
from gdbstub.utrace.engine import Attachment
from gdbstub.utrace.events import Event
from gdbstub.utrace.flows import Trap
from gdbstub.utrace.ptrace_task import PtraceTask
from gdbstub.utrace.tracehook import is_processor_trap

if TYPE_CHECKING:
    from gdbstub.arch.description import DebugRegisters, Watch

_LONGEST_FLAG_PUSH = 2
_log = logging.getLogger("gdbstub")
_STEP_CODES = (signals.TRAP_TRACE, signals.TRAP_BRKPT)


@dataclass
class Found:
    """What is to be reported of a trap."""

    events: list[Trap] = field(default_factory=list)
    own: bool = False
    """Nobody here caused it: it is the program's signal."""


def classify(task: PtraceTask, info: SigInfo, inside_copy: bool, block_step: bool) -> Found:
    """Find the cause of a trap; puts the program counter back onto a breakpoint that was hit.

    `inside_copy`: the thread was in a relocated instruction, so a breakpoint there is the program's own.
    `block_step`: the machine steps by branches where it is told to.
    """
    found = Found()
    if info.code == signals.SI_KERNEL:
        if inside_copy or task.runs_original:
            found.own = True
        else:
            _breakpoint(task, found)
        return found
    stepped = task.step != Resume.RESUME and info.code in _STEP_CODES
    watched = info.code in (signals.TRAP_HWBKPT, signals.TRAP_TRACE) and _watchpoints(task, found)
    if stepped:
        found.events.append(step_done(task, block_step))
    if not stepped and not watched and not (task.internal_step and info.code in _STEP_CODES):
        found.own = True
    return found


def step_done(task: PtraceTask, block_step: bool) -> Trap:
    """The event of a finished step, for those who asked for it."""
    kind = task.step if block_step else Resume.SINGLESTEP
    task.step = Resume.RESUME
    askers = [attachment for attachment in task.attachments if attachment.step_wanted]
    for attachment in askers:
        attachment.step_wanted = False
    return Event.STEP, (kind,), askers


def hide_step(task: PtraceTask) -> None:
    """After a step over an instruction that pushes the flags: take out the one that made it a step.

    The program would later pop it, and trap with nobody there to expect it.
    """
    start, task.stepped_from = task.stepped_from, None
    machine, registers = task.process.architecture, task.registers
    if start is None or not 0 < registers.pc - start <= _LONGEST_FLAG_PUSH:
        return
    # The bytes as they are in memory: the instruction may be a relocated one.
    memory = task.process.address_space.memory
    if memory.read_some(start, registers.pc - start) not in machine.flag_pushes:
        return
    if not registers[machine.flags] & machine.trap_flag:
        # SIGKILL can have taken the memory away, or another thread.
        with contextlib.suppress(MemoryFault):
            pushed = int.from_bytes(memory.read(registers.sp, 2), "little") & ~machine.trap_flag
            memory.write(registers.sp, pushed.to_bytes(2, "little"))


def is_waiting(task: PtraceTask) -> bool:
    """Whether a processor's SIGTRAP is queued behind the stop that the task is in.

    An interruption is reported before it, with the program counter still behind the breakpoint.
    """
    return any(is_processor_trap(SigInfo(raw)) for raw in ptrace.pending_siginfo(task.tid))


def _breakpoint(task: PtraceTask, found: Found) -> None:
    space = task.process.address_space
    registers = task.registers
    address = registers.pc - space.architecture.breakpoint_pc_offset
    plant = space.breakpoints.at(address)
    if plant is None:
        traps = space.architecture.breakpoint_traps
        if any(space.read_some(registers.pc - len(trap), len(trap)) == trap for trap in traps):
            found.own = True
        else:
            registers.pc = address
        return
    registers.pc = address
    if not task.process.launched:
        # If the tracer dies now the task goes on from here, with the guardian having put the byte back.
        task.write_back()
    task.passed = address
    returns, task.returns_to = task.returns_to == (address, registers.sp), None
    if task.restarting_at == address or returns:
        return
    for attachment in task.attachments:
        for owner in plant.owners:
            if owner.engine is attachment.engine:
                found.events.append((Event.BREAKPOINT, (owner,), [attachment]))


def _watchpoints(task: PtraceTask, found: Found) -> bool:
    """Report the watchpoints that the debug status names; True if the trap was a debug register's."""
    if not task.debug_generation:
        return False
    machine = task.process.architecture.debug_registers
    offset = machine.user_offset + 8 * machine.status
    status = ptrace.peek_user(task.tid, offset)
    if not machine.hits(status):
        return False
    ptrace.poke_user(task.tid, offset, 0)
    for watchpoint in task.process.watchpoints.hit(status):
        attachment = _attachment_of(task, watchpoint.engine)
        if attachment is not None:
            found.events.append((Event.WATCHPOINT, (watchpoint,), [attachment]))
    return True


def _attachment_of(task: PtraceTask, engine: object) -> Attachment | None:
    return next((each for each in task.attachments if each.engine is engine), None)


def load_debug_registers(task: PtraceTask) -> None:
    """Bring a stopped task's debug registers up to date with its process's watchpoints."""
    watchpoints = task.process.watchpoints
    if task.debug_generation == watchpoints.generation:
        return
    task.debug_generation = watchpoints.generation
    try:
        _load(task.tid, task.process.architecture.debug_registers, watchpoints.slots)
    except ProcessLookupError:
        raise
    except OSError as error:
        # Others of the machine have taken them (perf_event_open(2), PERF_TYPE_BREAKPOINT).
        _log.error("task %d is not watched: no debug register is free (%s)", task.tid, error.strerror)


def _load(tid: int, machine: DebugRegisters, slots: Sequence[Watch | None]) -> None:
    control = machine.user_offset + 8 * machine.control
    ptrace.poke_user(tid, control, 0)
    for slot, watch in enumerate(slots):
        if watch is not None:
            ptrace.poke_user(tid, machine.user_offset + 8 * slot, watch.address)
    ptrace.poke_user(tid, control, machine.control_value(slots))


def clear_debug_registers(task: PtraceTask) -> None:
    """Leave nothing in a task's debug registers, nor an address that the next tracer would wonder about."""
    if not task.debug_generation:
        return
    machine = task.process.architecture.debug_registers
    ptrace.poke_user(task.tid, machine.user_offset + 8 * machine.control, 0)
    for slot in range(machine.slots):
        offset = machine.user_offset + 8 * slot
        if ptrace.peek_user(task.tid, offset):
            ptrace.poke_user(task.tid, offset, 0)

"""Stopping a thread without the program noticing.

PTRACE_INTERRUPT knocks a thread out of a sleeping system call. Most calls are restarted by the kernel when
the thread goes on; some (epoll_wait, semop, sigtimedwait, io_getevents, receive with a time-out) return
EINTR instead, as after a signal handler (signal(7), "Interruption of system calls"). Those are made again.
A signal that is ignored does the same to a traced thread, which has to stop for it, and gets the same cure.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from gdbstub.linux import procfs, signals
from gdbstub.utrace.ptrace_task import BrokenCall

if TYPE_CHECKING:
    from gdbstub.utrace.ptrace_task import PtraceTask

_RESTARTS = frozenset({-512, -513, -514, -516})
"""ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK (include/linux/errno.h)."""


def note_broken_call(task: PtraceTask) -> None:
    """At a stop that would not have been without us: remember what it did to a system call."""
    abi = task.process.architecture.syscall
    registers = task.registers
    number = registers.signed(abi.number)
    if number < 0:
        return
    result = registers.signed(abi.result)
    if result == -errno.EINTR and not task.may_break_calls and not task.call_interrupted:
        task.broken_call = BrokenCall(number, registers.pc, registers.sp)
    if result in _RESTARTS or task.broken_call is not None:
        task.restarting_at = registers.pc - abi.instruction_length


def accept(task: PtraceTask, stopping: bool) -> None:
    """A signal is delivered that breaks a call by itself; `stopping`: by stopping the process."""
    task.broken_call = None
    task.call_interrupted = stopping


def repair(task: PtraceTask) -> None:
    """Before the task goes on: make a call again that we broke, unless a signal would have broken it too.

    The note is kept while the registers are not those of the stop (a debugger calls a function).
    """
    if task.call_interrupted:
        # What continues the process mostly has a stop of its own before user mode.
        task.call_interrupted = _signal_is_pending(task.tid)
    broken = task.broken_call
    if broken is None:
        return
    abi = task.process.architecture.syscall
    registers = task.registers
    if (
        registers.signed(abi.number) != broken.number
        or registers.signed(abi.result) != -errno.EINTR
        or (registers.pc, registers.sp) != (broken.pc, broken.sp)
    ):
        return
    task.broken_call = None
    if _interrupting_signal_is_pending(task.tid):
        task.restarting_at = None
        return
    registers[abi.result] = broken.number
    registers.pc = broken.pc - abi.instruction_length


def _signal_is_pending(tid: int) -> bool:
    sets = procfs.signal_sets(tid)
    return bool((sets["SigPnd"] | sets["ShdPnd"]) & ~sets["SigBlk"])


def _interrupting_signal_is_pending(tid: int) -> bool:
    """Whether a signal waits that would interrupt a call of an untraced thread: unblocked, not ignored."""
    sets = procfs.signal_sets(tid)
    deliverable = (sets["SigPnd"] | sets["ShdPnd"]) & ~sets["SigBlk"] & ~sets["SigIgn"]
    return any(
        deliverable >> (number - 1) & 1
        and (
            signals.is_member(sets["SigCgt"], number)
            or signals.default_action(number) not in (signals.Default.IGNORE, signals.Default.CONTINUE)
        )
        for number in range(1, signals.LAST + 1)
    )

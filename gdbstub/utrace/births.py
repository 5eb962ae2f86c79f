"""How tasks and processes come to be known: by attaching, by launching, and by clone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from gdbstub.arch.description import Architecture
from gdbstub.linux import elf, procfs, ptrace
from gdbstub.linux.memory import MemoryFault, NoMemory, ProcessMemory
from gdbstub.linux.permission import explain
from gdbstub.linux.wait import decode, wait_for
from gdbstub.utrace.address_space import AddressSpace
from gdbstub.utrace.errors import NoTask, NotPermitted
from gdbstub.utrace.guardian import Guard, Guardian
from gdbstub.utrace.ptrace_task import PtraceTask
from gdbstub.utrace.task import Process
from gdbstub.utrace.tracehook import is_signal_delivery

if TYPE_CHECKING:
    from gdbstub.utrace.ptrace_backend import PtraceBackend

CLONE_VM, CLONE_VFORK, CLONE_THREAD = 0x100, 0x4000, 0x10000
_SIGCHLD = 17

BASE_OPTIONS = (
    ptrace.O_TRACESYSGOOD
    | ptrace.O_TRACEFORK
    | ptrace.O_TRACEVFORK
    | ptrace.O_TRACECLONE
    | ptrace.O_TRACEVFORKDONE
    | ptrace.O_TRACEEXEC
)


def address_space(pid: int, architecture: Architecture, guardian: Guardian | None) -> AddressSpace:
    """The address space that a process has now. Raises OSError.

    `pid`: any thread of the process will do that has not ended, which the leader may have.
    """
    guard = None if guardian is None else Guard(guardian, pid)
    return AddressSpace(ProcessMemory(pid), architecture, lambda: elf.unused_text(pid), guard)


def seize_all(pid: int, options: int) -> list[int]:
    """Seize every thread of a process, those made meanwhile too; their ids.

    A thread cloned by one that is seized already is traced from birth and announced by its parent.
    Raises NoTask or NotPermitted, whose text says why.
    """
    try:
        leader = procfs.thread_group(pid)
    except ProcessLookupError as error:
        raise NoTask(explain(pid, error)) from None
    if leader != pid:
        raise NotPermitted(f"Cannot attach to process {pid}: it is a thread of process {leader}")
    seized: list[int] = []
    tried: set[int] = set()
    while True:
        try:
            # The leader first, whatever its id: if it cannot be traced nothing else is touched.
            fresh = sorted((tid for tid in procfs.tasks(pid) if tid not in tried), key=lambda tid: tid != pid)
        except ProcessLookupError as error:
            raise NoTask(explain(pid, error)) from None
        if not fresh:
            break
        for tid in fresh:
            tried.add(tid)
            try:
                ptrace.seize(tid, options)
            except OSError as error:
                if tid == pid and not procfs.is_zombie(tid):
                    raise NotPermitted(explain(pid, error)) from None
                continue
            seized.append(tid)
    if not seized:
        raise NotPermitted(explain(pid, PermissionError(1, "")))
    return seized


def unseize(tids: Iterable[int]) -> None:
    """Let threads go that were seized and have not been shown to anybody."""
    for tid in tids:
        with contextlib.suppress(OSError):
            ptrace.interrupt(tid)
            status = wait_for(tid)
            if status is not None:
                outcome = decode(status)
                signal = outcome.signal if is_signal_delivery(outcome) else 0
                ptrace.detach(tid, signal)


def clone_flags(task: PtraceTask, event: int) -> int:
    """The CLONE_* flags with which a task, stopped inside clone or fork, made its child."""
    abi = task.process.architecture.syscall
    registers = task.registers
    call = abi.clone_numbers.get(registers.signed(abi.number))
    argument = registers[abi.arguments[0]]
    if call == "clone":
        return argument
    if call == "clone3":
        with contextlib.suppress(MemoryFault):
            fields = task.process.address_space.read(argument, 40)
            return int.from_bytes(fields[:8], "little") | int.from_bytes(fields[32:40], "little")
    if event == ptrace.EVENT_VFORK:
        return CLONE_VM | CLONE_VFORK | _SIGCHLD
    if event == ptrace.EVENT_CLONE and call is None:
        return CLONE_VM | CLONE_THREAD
    return _SIGCHLD


def child_of(backend: PtraceBackend, parent: PtraceTask, tid: int, flags: int) -> PtraceTask:
    """Make the task (and, unless it is a thread, the process) for a child that has not run yet.

    A process with a memory of its own starts with a copy of the parent's breakpoints; those that nobody
    follows are taken out before it runs.
    """
    if flags & CLONE_THREAD:
        process = parent.process
    else:
        if flags & CLONE_VM:
            space = parent.process.address_space
        else:
            guardian = backend.guardian_of(parent.process)
            machine = parent.process.architecture
            try:
                space = address_space(tid, machine, guardian)
                space.breakpoints.inherit(parent.process.address_space.breakpoints)
            except ProcessLookupError:
                # SIGKILL was faster; its end has been collected together with the parent's stop.
                space = AddressSpace(NoMemory(), machine, list)
        process = Process(tid, backend.core, space)
        process.launched = parent.process.launched
        backend.processes[tid] = process
    child = PtraceTask(tid, process)
    child.newborn = True
    child.options = parent.options
    process.tasks[tid] = child
    backend.tasks[tid] = child
    if process is not parent.process:
        backend.process_new(process)
    return child

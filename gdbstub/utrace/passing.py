"""Passing a breakpoint without taking it out, so that no other thread can slip by it.

The instruction under the breakpoint runs from a relocated copy that jumps back by itself: a thread is sent
there by its program counter alone, needs no step and no stop, and any number of threads can be on the way.
At whatever stop a thread is next found inside a copy, its program counter is put back to what it means in
the original before anybody looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbstub.utrace.breakpoints import OutOfLineCopy, Plant

if TYPE_CHECKING:
    from gdbstub.arch.description import Mark
    from gdbstub.utrace.address_space import AddressSpace
    from gdbstub.utrace.task import Task

_LONGEST_INSTRUCTION = 15


def copy_of(space: AddressSpace, plant: Plant) -> OutOfLineCopy | None:
    """The relocated copy of the instruction under a plant; None if it cannot be relocated or there is no
    room.
    """
    source = space.read_some(plant.address, _LONGEST_INSTRUCTION)
    copy = plant.out_of_line
    if copy is not None:
        if source.startswith(copy.source):
            return copy
        space.scratch.free(copy.slot)
        plant.out_of_line = None
    relocate = space.architecture.relocate
    placed = space.scratch.place(plant.address, lambda address: relocate(source, plant.address, address))
    if placed is None:
        return None
    slot, code = placed
    plant.out_of_line = OutOfLineCopy(slot, code, source[: code.length])
    return plant.out_of_line


def enter(task: Task, copy: OutOfLineCopy) -> None:
    """Send a stopped task into a copy when it is resumed."""
    task.registers.pc = copy.slot.address
    task.out_of_line = copy


def position(task: Task) -> Mark | None:
    """Where a stopped task stands inside the copy that it was sent into; None if it is elsewhere."""
    copy = task.out_of_line
    if copy is None:
        return None
    return copy.code.marks.get(task.registers.pc - copy.slot.address)


def leave(task: Task) -> Mark | None:
    """Show a stopped task where it is in terms of the original.

    A task whose instruction has not run yet stands at its breakpoint again, and has been told of it.
    """
    mark = position(task)
    copy = task.out_of_line
    task.out_of_line = None
    if mark is None or copy is None:
        return None
    registers = task.registers
    registers.pc = mark.pc
    if mark.stack_adjust:
        registers.sp += mark.stack_adjust
    if not mark.executed:
        task.passed = copy.code.address
    return mark

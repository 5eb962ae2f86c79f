"""The program of the guardian's process: puts bytes back once the thread that planted them has died.

It is run by its path, apart from the package, so that it starts quickly and needs nothing but the standard
library. Standard input is the table, a file in memory. It begins with a robust mutex that the planter holds:
the kernel gives it away as the first thing of all when the planter dies, before it takes the planter's
memory and files apart, and long before it lets traced threads go. At an orderly end it is unlocked.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import struct

MUTEX_SIZE = 64
"""Room for a pthread_mutex_t."""
RECORD = struct.Struct("<I B 3x Q Q 8s 8s")
"""pid (0: not in use), length, start time, address, the program's bytes, what is planted over them."""
PID = struct.Struct("<I")


def start_time(pid: int) -> int:
    """When a process started; with the pid it names a process for ever. Raises OSError."""
    with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
        return int(file.read(4096).rpartition(b")")[2].split()[19])


def restore(table: mmap.mmap) -> None:
    """Put back what is planted, wherever it still is."""
    memories: dict[tuple[int, int], int | None] = {}
    for place in range(MUTEX_SIZE, len(table) - RECORD.size + 1, RECORD.size):
        pid, length, started, address, original, planted = RECORD.unpack_from(table, place)
        if not pid:
            continue
        process = (pid, started)
        if process not in memories:
            memories[process] = _memory(pid, started)
        memory = memories[process]
        if memory is not None:
            with contextlib.suppress(OSError):
                if os.pread(memory, length, address) == planted[:length]:
                    os.pwrite(memory, original[:length], address)


def _memory(pid: int, started: int) -> int | None:
    """A descriptor of a process's memory; None if that process is not there any more."""
    try:
        memory = os.open(f"/proc/{pid}/mem", os.O_RDWR)
        # Looked at after opening: the descriptor stays with the address space that it was opened for.
        return memory if start_time(pid) == started else None
    except OSError:
        return None


def main() -> None:
    """Map the table, wait for the mutex, restore if its owner has died.

    It is a race against the kernel's work on the dead process: no other program should come in between.
    """
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    with mmap.mmap(0, 0) as table:
        lock = ctypes.CDLL(None).pthread_mutex_lock
        mutex = ctypes.c_char.from_buffer(table)
        if lock(ctypes.byref(mutex)) == errno.EOWNERDEAD:
            restore(table)
        del mutex


if __name__ == "__main__":
    main()

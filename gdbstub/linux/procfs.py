"""Readers of /proc (proc(5)). Each raises ProcessLookupError once the task is gone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import NamedTuple


class Mapping(NamedTuple):
    """A line of /proc/PID/maps."""

    start: int
    end: int
    permissions: str
    offset: int
    device: str
    inode: int
    path: str


class Stat(NamedTuple):
    """The fields of /proc/PID/stat that are used here."""

    command: str
    state: str
    parent: int
    process_group: int
    session: int
    start_time: int
    """Clock ticks after boot; with the pid it names a process for ever."""
    processor: int


class CurrentSyscall(NamedTuple):
    """What a blocked task waits in (/proc/PID/syscall)."""

    number: int
    """-1: blocked outside of a system call."""
    arguments: tuple[int, ...]
    sp: int
    pc: int


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise ProcessLookupError(3, f"{path}: no such task") from None


def _read_link(path: str) -> str:
    try:
        return os.readlink(path)
    except FileNotFoundError:
        raise ProcessLookupError(3, f"{path}: no such task") from None


def tasks(pid: int) -> list[int]:
    """The thread ids of a process."""
    try:
        return sorted(int(name) for name in os.listdir(f"/proc/{pid}/task"))
    except FileNotFoundError:
        raise ProcessLookupError(3, f"no process {pid}") from None


def processes() -> list[int]:
    """The ids of all processes."""
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())


def status(tid: int) -> dict[str, str]:
    """/proc/TID/status as a dictionary."""
    lines = _read(f"/proc/{tid}/status").decode(errors="replace").splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def stat(tid: int) -> Stat:
    """/proc/TID/stat."""
    text = _read(f"/proc/{tid}/stat").decode(errors="replace")
    opening, closing = text.index("("), text.rindex(")")
    rest = text[closing + 2 :].split()
    return Stat(
        command=text[opening + 1 : closing],
        state=rest[0],
        parent=int(rest[1]),
        process_group=int(rest[2]),
        session=int(rest[3]),
        start_time=int(rest[19]),
        processor=int(rest[36]),
    )


def name(tid: int) -> str:
    """The thread's name (/proc/TID/comm)."""
    return _read(f"/proc/{tid}/comm").decode(errors="replace").rstrip("\n")


def command_line(pid: int) -> list[str]:
    """The arguments; empty for a kernel thread or a zombie."""
    contents = _read(f"/proc/{pid}/cmdline").decode(errors="surrogateescape")
    return contents.rstrip("\0").split("\0") if contents else []


def executable(pid: int) -> str:
    """The path of the running program."""
    return _read_link(f"/proc/{pid}/exe")


def auxv(pid: int) -> bytes:
    """The auxiliary vector, as raw (type, value) words of the program's size."""
    return _read(f"/proc/{pid}/auxv")


def maps(pid: int) -> Iterator[Mapping]:
    """The memory mappings, in address order."""
    # Of all that splits lines for Python, the kernel escapes the newline alone in a file's name.
    for line in _read(f"/proc/{pid}/maps").decode(errors="surrogateescape").split("\n")[:-1]:
        addresses, permissions, offset, device, inode, *path = line.split(maxsplit=5)
        start, _, end = addresses.partition("-")
        yield Mapping(
            int(start, 16),
            int(end, 16),
            permissions,
            int(offset, 16),
            device,
            int(inode),
            path[0] if path else "",
        )


def current_syscall(tid: int) -> CurrentSyscall:
    """What the task is blocked in. Raises BlockingIOError (EAGAIN) while it runs."""
    words = _read(f"/proc/{tid}/syscall").split()
    if words[0] == b"running":
        raise BlockingIOError(11, f"task {tid} is running")
    values = [int(word, 0) for word in words]
    return CurrentSyscall(values[0], tuple(values[1:-2]), values[-2], values[-1])


def thread_group(tid: int) -> int:
    """The process that a thread belongs to."""
    return int(status(tid)["Tgid"])


def tracer(tid: int) -> int:
    """The process that traces a thread, 0 for none."""
    return int(status(tid)["TracerPid"])


def signal_sets(tid: int) -> dict[str, int]:
    """The signal masks SigPnd, ShdPnd, SigBlk, SigIgn and SigCgt: bit n-1 for signal n."""
    fields = status(tid)
    return {key: int(fields[key], 16) for key in ("SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt")}


def is_zombie(tid: int) -> bool:
    """Whether a task has ended and waits to be reaped; True also when it is gone."""
    with contextlib.suppress(ProcessLookupError):
        return stat(tid).state in "ZX"
    return True

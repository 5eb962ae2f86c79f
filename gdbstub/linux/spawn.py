"""Starting a program that is traced from its first instruction on."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from gdbstub.linux import ptrace
from gdbstub.linux.libc import quick
from gdbstub.linux.wait import wait_for

ADDR_NO_RANDOMIZE = 0x0040000
"""personality(2)."""


@dataclass
class Launch:
    """How a program is started."""

    arguments: Sequence[str]
    """The program and its arguments; the program is searched along PATH."""
    environment: Mapping[str, str] | None = None
    """None: the caller's."""
    directory: str | None = None
    randomize: bool = False
    """Keep address space randomization; a debugger's user wants the same addresses in each run."""
    own_process_group: bool = True
    descriptors: Mapping[int, int] = field(default_factory=dict)
    """Descriptor of the program -> descriptor of ours that it gets."""
    signal_mask: frozenset[int] = frozenset()
    """Signals blocked in the program."""


def spawn(launch: Launch, options: int) -> int:
    """Start a program and seize it before it runs; it stops with EVENT_EXEC at its first instruction.

    Returns the process id. Raises OSError with the reason and the name when it cannot be run.
    """
    go_read, go_write = os.pipe()
    error_read, error_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        _child(launch, go_read, error_write)
    os.close(go_read)
    os.close(error_write)
    try:
        ptrace.seize(pid, options)
        os.write(go_write, b"\0")
        report = _read_all(error_read)
    except OSError:
        os.kill(pid, signal.SIGKILL)
        wait_for(pid)
        raise
    finally:
        os.close(go_write)
        os.close(error_read)
    if report:
        wait_for(pid)
        number, _, what = report.decode(errors="replace").partition(" ")
        raise OSError(int(number), f"{what}: {os.strerror(int(number))}")
    return pid


def _read_all(descriptor: int) -> bytes:
    parts = []
    while part := os.read(descriptor, 4096):
        parts.append(part)
    return b"".join(parts)


def _child(launch: Launch, go: int, error: int) -> NoReturn:
    """In the new process: make it as asked, wait until it is traced, and become the program."""
    step = "start"
    try:
        for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(ignored_by_python, signal.SIG_DFL)
        if launch.own_process_group:
            os.setpgid(0, 0)
        go, error = _give_descriptors(launch.descriptors, go, error)
        if launch.directory is not None:
            step = launch.directory
            os.chdir(launch.directory)
        if not launch.randomize:
            _disable_randomization()
        signal.pthread_sigmask(signal.SIG_SETMASK, launch.signal_mask)
        os.read(go, 1)
        step = launch.arguments[0]
        environment = os.environ if launch.environment is None else launch.environment
        os.execvpe(launch.arguments[0], list(launch.arguments), environment)
    except OSError as problem:
        os.write(error, f"{problem.errno} {step}".encode(errors="surrogateescape"))
    finally:
        os._exit(127)


def _give_descriptors(wanted: Mapping[int, int], *own: int) -> list[int]:
    """Put descriptors where the program is to find them; those of our own, moved out of the way."""
    above = max(wanted, default=2) + 1
    # Copies first: one that is given may lie where another is to be put.
    copies = {theirs: fcntl.fcntl(ours, fcntl.F_DUPFD_CLOEXEC, above) for theirs, ours in wanted.items()}
    moved = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, above) for each in own]
    for theirs, copy in copies.items():
        os.dup2(copy, theirs)
    return moved


def _disable_randomization() -> None:
    current = quick.personality(0xFFFFFFFF)
    if current < 0 or quick.personality(current | ADDR_NO_RANDOMIZE) < 0:
        os.write(2, b"warning: cannot disable address space randomization\n")

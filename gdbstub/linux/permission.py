"""Why a process cannot be traced, in words that name the cause and the cure."""

from __future__ import annotations

import os

from gdbstub.linux import procfs

_PF_KTHREAD = 0x00200000
_YAMA = "/proc/sys/kernel/yama/ptrace_scope"


def explain(pid: int, error: OSError) -> str:
    """One line on why seizing `pid` failed with `error`."""
    if isinstance(error, ProcessLookupError):
        return f"Cannot attach to process {pid}: no such process"
    if pid == os.getpid():
        return f"Cannot attach to process {pid}: it is this debugger itself"
    try:
        fields = procfs.status(pid)
        tracer = int(fields["TracerPid"])
        if tracer:
            return f"Cannot attach to process {pid}: already traced by {_describe(tracer)}"
        if is_kernel_thread(pid):
            return f"Cannot attach to process {pid}: it is a kernel thread"
        if fields["State"].startswith("Z"):
            return f"Cannot attach to process {pid}: it has ended and waits for its parent (zombie)"
        owner = int(fields["Uid"].split()[0])
    except (ProcessLookupError, FileNotFoundError):
        return f"Cannot attach to process {pid}: no such process"
    except PermissionError:
        return f"Cannot attach to process {pid}: {os.strerror(error.errno or 1)}"
    return f"Cannot attach to process {pid}: {_refusal(owner, error)}"


def is_kernel_thread(pid: int) -> bool:
    """Whether a task runs in the kernel alone (PF_KTHREAD of /proc/PID/stat)."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        flags = int(file.read().rpartition(b")")[2].split()[6])
    return bool(flags & _PF_KTHREAD)


def _describe(pid: int) -> str:
    try:
        return f"{procfs.name(pid)} (process {pid})"
    except ProcessLookupError:
        return f"process {pid}"


def _refusal(owner: int, error: OSError) -> str:
    reason = os.strerror(error.errno or 1)
    if os.geteuid() not in (0, owner):
        return f"{reason}; it belongs to user {owner}, and only that user or root may trace it"
    scope = _yama_scope()
    if scope == "1":
        return f"{reason}; Yama lets only ancestors trace it (write 0 to {_YAMA}, or be root)"
    if scope in ("2", "3"):
        return f"{reason}; Yama forbids it ({_YAMA} is {scope})"
    return f"{reason}; a security module, a seccomp filter or a missing CAP_SYS_PTRACE forbids it"


def _yama_scope() -> str | None:
    try:
        with open(_YAMA) as file:
            return file.read().strip()
    except OSError:
        return None

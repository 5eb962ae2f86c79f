"""The packets, a module for each family; importing this package fills the registry."""

from gdbstub.rsp.commands import (
    breakpoints,
    general,
    host_files,
    memory,
    monitor,
    processes,
    registers,
    resuming,
    signals,
    threads,
    tls,
    xfer,
)

__all__ = [
    "breakpoints",
    "general",
    "host_files",
    "memory",
    "monitor",
    "processes",
    "registers",
    "resuming",
    "signals",
    "threads",
    "tls",
    "xfer",
]

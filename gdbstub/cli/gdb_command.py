"""gdbstub gdb: stock gdb on a process that others may be debugging, too."""

from __future__ import annotations

import os
from collections.abc import Sequence

from gdbstub.cli.main import CommandFailed, process_id


def run(words: Sequence[str]) -> int:
    """PID [GDB-ARGUMENTS]: share the process if nobody does, and become gdb."""
    from gdbstub.hub.daemon import make_sure

    if not words:
        raise CommandFailed("which process? gdbstub gdb PID")
    pid = process_id(words[0])
    seat = make_sure(pid)
    # It goes on into gdb, whom the hub waits for.
    seat.connection.set_inheritable(True)
    command = ["gdb"]
    if _sees_our_files(pid):
        # Else gdb asks for every library through the connection.
        command += ["-iex", "set sysroot"]
    command += ["-ex", f"target remote {seat.place.socket('gdb')}", *words[1:]]
    os.execvp("gdb", command)


def _sees_our_files(pid: int) -> bool:
    """Whether paths mean the same to the process: its mount namespace and root folder are ours."""
    return all(os.stat(f"/proc/{pid}/{what}") == os.stat(f"/proc/self/{what}") for what in ("ns/mnt", "root"))

"""Tables of what runs on this machine, with gdbserver's columns (gdb's nat/linux-osdata.c)."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import socket
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from gdbstub.linux import procfs

Row = dict[str, object]


class Table(NamedTuple):
    """One table."""

    title: str
    description: str
    rows: Callable[[], Iterator[Row]]


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _owner(pid: int) -> str:
    try:
        return _user(os.stat(f"/proc/{pid}").st_uid)
    except FileNotFoundError:
        raise ProcessLookupError(3, f"no process {pid}") from None


def _command(pid: int) -> str:
    arguments = procfs.command_line(pid)
    return " ".join(arguments) if arguments else f"[{procfs.name(pid)}]"


def _name_of(pid: int) -> str:
    """A process's command by pid; empty once it is gone."""
    with contextlib.suppress(ProcessLookupError):
        return _command(pid) if pid else ""
    return ""


def _each_process(row: Callable[[int], Iterator[Row]]) -> Iterator[Row]:
    """Rows for all processes; those that end meanwhile are left out."""
    for pid in procfs.processes():
        with contextlib.suppress(ProcessLookupError, FileNotFoundError, PermissionError):
            yield from list(row(pid))


def _processes() -> Iterator[Row]:
    def rows(pid: int) -> Iterator[Row]:
        cores = sorted({procfs.stat(tid).processor for tid in procfs.tasks(pid)})
        yield {
            "pid": pid,
            "user": _owner(pid),
            "command": _command(pid),
            "cores": ",".join(map(str, cores)),
        }

    return _each_process(rows)


def _process_groups() -> Iterator[Row]:
    def rows(pid: int) -> Iterator[Row]:
        group = procfs.stat(pid).process_group
        yield {
            "pgid": group,
            "leader command": _name_of(group),
            "pid": pid,
            "command line": _command(pid),
        }

    return iter(sorted(_each_process(rows), key=lambda row: (row["pgid"], row["pid"])))


def _threads() -> Iterator[Row]:
    def rows(pid: int) -> Iterator[Row]:
        for tid in procfs.tasks(pid):
            stat = procfs.stat(tid)
            yield {"pid": pid, "command": procfs.name(pid), "tid": tid, "core": stat.processor}

    return _each_process(rows)


def _files() -> Iterator[Row]:
    def rows(pid: int) -> Iterator[Row]:
        folder = f"/proc/{pid}/fd"
        for name in sorted(os.listdir(folder), key=int):
            with contextlib.suppress(FileNotFoundError):
                yield {
                    "pid": pid,
                    "command": procfs.name(pid),
                    "file descriptor": name,
                    "name": os.readlink(f"{folder}/{name}"),
                }

    return _each_process(rows)


_TCP_STATES = (
    *("", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE"),
    *("CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING"),
)


def _address(text: str, family: socket.AddressFamily) -> tuple[str, int]:
    """An address of /proc/net: 32-bit words in host order, in hex."""
    address, _, port = text.partition(":")
    words = [bytes.fromhex(address[i : i + 8])[::-1] for i in range(0, len(address), 8)]
    return socket.inet_ntop(family, b"".join(words)), int(port, 16)


def _sockets() -> Iterator[Row]:
    for name, family, stream in (
        ("tcp", socket.AF_INET, True),
        ("tcp6", socket.AF_INET6, True),
        ("udp", socket.AF_INET, False),
        ("udp6", socket.AF_INET6, False),
    ):
        try:
            with open(f"/proc/net/{name}") as file:
                lines = file.readlines()[1:]
        except FileNotFoundError:
            continue
        for line in lines:
            fields = line.split()
            local, local_port = _address(fields[1], family)
            remote, remote_port = _address(fields[2], family)
            state = int(fields[3], 16)
            yield {
                "local address": local,
                "local port": local_port,
                "remote address": remote,
                "remote port": remote_port,
                "state": _TCP_STATES[state] if state < len(_TCP_STATES) else "UNKNOWN",
                "user": _user(int(fields[7])),
                "family": "INET" if family == socket.AF_INET else "INET6",
                "protocol": "STREAM" if stream else "DGRAM",
            }


def _cpus() -> Iterator[Row]:
    with open("/proc/cpuinfo") as file:
        for block in file.read().split("\n\n"):
            pairs = (line.partition(":") for line in block.splitlines())
            row: Row = {key.strip(): value.strip() for key, colon, value in pairs if colon}
            if row:
                yield row


def _modules() -> Iterator[Row]:
    try:
        with open("/proc/modules") as file:
            lines = file.readlines()
    except FileNotFoundError:
        return
    for line in lines:
        name, size, uses, dependencies, status, address = line.split()[:6]
        yield {
            "name": name,
            "size": size,
            "num uses": uses,
            "dependencies": dependencies,
            "status": status,
            "address": address,
        }


def _time(seconds: str) -> str:
    return time.ctime(int(seconds)) if int(seconds) else ""


def _system_v(name: str) -> Iterator[dict[str, str]]:
    """The rows of a table of /proc/sysvipc."""
    try:
        with open(f"/proc/sysvipc/{name}") as file:
            head, *lines = file.read().splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        yield dict(zip(head.split(), line.split(), strict=False))


def _shared_memory() -> Iterator[Row]:
    for row in _system_v("shm"):
        yield {
            "key": row["key"],
            "shmid": row["shmid"],
            "perms": row["perms"],
            "size": row["size"],
            "creator command": _name_of(int(row["cpid"])),
            "last op. command": _name_of(int(row["lpid"])),
            "num attached": row["nattch"],
            **_owners(row),
            "last shmat() time": _time(row["atime"]),
            "last shmdt() time": _time(row["dtime"]),
            "last shmctl() time": _time(row["ctime"]),
        }


def _semaphores() -> Iterator[Row]:
    for row in _system_v("sem"):
        yield {
            "key": row["key"],
            "semid": row["semid"],
            "perms": row["perms"],
            "num semaphores": row["nsems"],
            **_owners(row),
            "last semop() time": _time(row["otime"]),
            "last semctl() time": _time(row["ctime"]),
        }


def _message_queues() -> Iterator[Row]:
    for row in _system_v("msg"):
        yield {
            "key": row["key"],
            "msqid": row["msqid"],
            "perms": row["perms"],
            "num used bytes": row["cbytes"],
            "num messages": row["qnum"],
            "last msgsnd() command": _name_of(int(row["lspid"])),
            "last msgrcv() command": _name_of(int(row["lrpid"])),
            **_owners(row),
            "last msgsnd() time": _time(row["stime"]),
            "last msgrcv() time": _time(row["rtime"]),
            "last msgctl() time": _time(row["ctime"]),
        }


def _owners(row: dict[str, str]) -> Row:
    return {
        "user": _user(int(row["uid"])),
        "group": _group(int(row["gid"])),
        "creator user": _user(int(row["cuid"])),
        "creator group": _group(int(row["cgid"])),
    }


TABLES = {
    "cpus": Table("CPUs", "Listing of all cpus/cores on the system", _cpus),
    "files": Table("File descriptors", "Listing of all file descriptors", _files),
    "modules": Table("Kernel modules", "Listing of all loaded kernel modules", _modules),
    "msg": Table("Message queues", "Listing of all message queues", _message_queues),
    "processes": Table("Processes", "Listing of all processes", _processes),
    "procgroups": Table("Process groups", "Listing of all process groups", _process_groups),
    "semaphores": Table("Semaphores", "Listing of all semaphores", _semaphores),
    "shm": Table("Shared-memory regions", "Listing of all shared-memory regions", _shared_memory),
    "sockets": Table("Internet-domain sockets", "Listing of all internet-domain sockets", _sockets),
    "threads": Table("Threads", "Listing of all threads", _threads),
}

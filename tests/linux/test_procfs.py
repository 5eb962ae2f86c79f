"""/proc of the test's own process, of processes with odd names, and of none."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest

from gdbstub.linux import osdata, procfs
from gdbstub.target.live.os_tables import LiveOperatingSystem

NO_PID = 0x7FFFFFFF
ME = os.getpid()
LIBC = ctypes.CDLL(None)


def test_this_process() -> None:
    stat = procfs.stat(ME)
    assert (stat.parent, stat.process_group, stat.session) == (os.getppid(), os.getpgrp(), os.getsid(0))
    assert stat.state == "R"
    assert 0 <= stat.processor < 4096
    assert procfs.thread_group(ME) == ME
    assert procfs.tracer(ME) == 0
    assert not procfs.is_zombie(ME)
    assert ME in procfs.processes()
    assert os.path.samefile(procfs.executable(ME), sys.executable)
    assert procfs.command_line(ME) == Path("/proc/self/cmdline").read_bytes().decode().split("\0")[:-1]
    assert procfs.status(ME)["Pid"] == str(ME)
    assert len(procfs.auxv(ME)) % 16 == 0


def test_threads() -> None:
    go = threading.Event()
    tids: list[int] = []
    ready = threading.Barrier(3)

    def wait() -> None:
        tids.append(threading.get_native_id())
        ready.wait(20)
        go.wait(20)

    threads = [threading.Thread(target=wait) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        ready.wait(20)
        assert set(procfs.tasks(ME)) >= {ME, *tids}
        assert [procfs.thread_group(tid) for tid in tids] == [ME, ME]
    finally:
        go.set()
        for thread in threads:
            thread.join(20)


def test_mappings() -> None:
    buffer = ctypes.create_string_buffer(10)
    address = ctypes.addressof(buffer)
    mappings = list(procfs.maps(ME))
    assert mappings == sorted(mappings, key=lambda mapping: mapping.start)
    (own,) = [mapping for mapping in mappings if mapping.start <= address < mapping.end]
    assert "rw" in own.permissions
    assert any(mapping.path == "[stack]" for mapping in mappings)
    program = [mapping for mapping in mappings if mapping.path == procfs.executable(ME)]
    assert {mapping.inode for mapping in program} == {os.stat(sys.executable).st_ino}


def test_signal_sets() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    try:
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR2)
        tid = threading.get_native_id()
        sets = procfs.signal_sets(tid)
        bit = 1 << signal.SIGUSR2 - 1
        assert sets["SigBlk"] & bit
        assert sets["SigPnd"] & bit
        assert signal.sigtimedwait([signal.SIGUSR2], 20) is not None
        assert not procfs.signal_sets(tid)["SigPnd"] & bit
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR2})


ODD_NAMES = [b"a b", b"x) S 1 2", b"((", b"))", b"new\nline", b"tab\t", b"\xff\xfe", b") R 99 (", b""]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names(name: bytes) -> None:
    before = Path("/proc/self/comm").read_bytes().rstrip(b"\n")
    try:
        assert LIBC.prctl(15, name, 0, 0, 0) == 0
        stat = procfs.stat(ME)
        expected = name.decode(errors="replace")
        assert stat.command == expected
        assert (stat.parent, stat.process_group) == (os.getppid(), os.getpgrp())
        assert procfs.name(ME) == expected
    finally:
        LIBC.prctl(15, before, 0, 0, 0)


def wait_until_blocked(pid: int) -> None:
    """Wait until a program that has started waits for something."""
    deadline = time.monotonic() + 20
    while procfs.stat(pid).state != "S":
        assert time.monotonic() < deadline
        os.sched_yield()


def test_an_odd_path(tmp_path: Path, processes: list[subprocess.Popen[bytes]]) -> None:
    program = tmp_path / "odd  name\n(x)\v1\u2028 \udcff"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    started = subprocess.Popen([program, "100"])
    processes.append(started)
    wait_until_blocked(started.pid)
    assert procfs.executable(started.pid) == str(program)
    # The kernel writes a line break as an escape.
    shown = str(program).replace("\n", "\\012")
    assert shown in {mapping.path for mapping in procfs.maps(started.pid)}
    assert procfs.command_line(started.pid) == [str(program), "100"]


def test_a_blocked_process(processes: list[subprocess.Popen[bytes]]) -> None:
    started = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    processes.append(started)
    assert started.stdin is not None
    assert started.stdout is not None
    started.stdin.write(b"ready\n")
    started.stdin.flush()
    assert started.stdout.readline() == b"ready\n"
    wait_until_blocked(started.pid)
    call = procfs.current_syscall(started.pid)
    assert (call.number, call.arguments[0]) == (0, 0), "read of standard input"
    assert call.pc
    assert call.sp


def test_a_running_task_is_in_no_call() -> None:
    pid = os.fork()
    if pid == 0:
        while True:
            pass
    try:
        with pytest.raises(BlockingIOError):
            procfs.current_syscall(pid)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_zombie() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert procfs.stat(pid).state == "Z"
        assert procfs.is_zombie(pid)
        assert procfs.command_line(pid) == []
        assert list(procfs.maps(pid)) == []
    finally:
        os.waitpid(pid, 0)
    assert procfs.is_zombie(pid), "what is gone has ended, too"


READERS: list[Callable[[int], object]] = [
    procfs.tasks,
    procfs.status,
    procfs.stat,
    procfs.name,
    procfs.command_line,
    procfs.executable,
    procfs.auxv,
    procfs.current_syscall,
    procfs.thread_group,
    procfs.tracer,
    procfs.signal_sets,
    lambda pid: list(procfs.maps(pid)),
]


@pytest.mark.parametrize("reader", READERS)
def test_no_process(reader: Callable[[int], object]) -> None:
    with pytest.raises(ProcessLookupError):
        reader(NO_PID)


@pytest.mark.parametrize("table", sorted(osdata.TABLES))
def test_tables_of_the_operating_system(table: str) -> None:
    rows = list(osdata.TABLES[table].rows())
    columns = {tuple(row) for row in rows}
    assert len(columns) <= 1, "each row has the same columns"


def test_any_process_fits_the_tables(processes: list[subprocess.Popen[bytes]]) -> None:
    odd = subprocess.Popen([b"\xff<\x01\n&>", b"100"], executable="/bin/sleep")
    processes.append(odd)
    wait_until_blocked(odd.pid)
    text = LiveOperatingSystem().osdata("processes")
    document = ElementTree.fromstring(text.encode())
    rows = [{column.attrib["name"]: column.text for column in item} for item in document.iter("item")]
    (own,) = [row for row in rows if row["pid"] == str(odd.pid)]
    assert own["command"] == "?<?\n&> 100"


def test_this_process_is_in_the_tables() -> None:
    assert ME in [row["pid"] for row in osdata.TABLES["processes"].rows()]
    assert (ME, ME) in [(row["pid"], row["tid"]) for row in osdata.TABLES["threads"].rows()]

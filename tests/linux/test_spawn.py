"""Starting traced programs, and why some cannot be started."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gdbstub.linux import procfs, ptrace, signals
from gdbstub.linux.permission import explain, is_kernel_thread
from gdbstub.linux.spawn import ADDR_NO_RANDOMIZE, Launch, spawn
from gdbstub.linux.wait import Exited, Stopped, decode, wait_for

OPTIONS = ptrace.O_EXITKILL | ptrace.O_TRACEEXEC
EVENT_EXEC, SIGTRAP = 4, 5
PATIENCE = 20.0


@contextmanager
def started(launch: Launch) -> Iterator[int]:
    """A program at its first instruction."""
    pid = spawn(launch, OPTIONS)
    try:
        status = wait_for(pid, PATIENCE)
        assert status is not None
        assert decode(status) == Stopped(SIGTRAP, EVENT_EXEC)
        yield pid
    finally:
        if procfs.processes().count(pid):
            os.kill(pid, signal.SIGKILL)
            wait_for(pid, PATIENCE)


def run_to_its_end(pid: int) -> object:
    """The outcome of a program that is let go."""
    ptrace.detach(pid)
    status = wait_for(pid, PATIENCE)
    assert status is not None
    return decode(status)


def test_at_the_first_instruction() -> None:
    with started(Launch(["sleep", "100"])) as pid:
        assert procfs.executable(pid) == os.path.realpath("/bin/sleep")
        assert procfs.command_line(pid) == ["sleep", "100"]
        assert procfs.tracer(pid) == os.getpid()
        assert procfs.stat(pid).process_group == pid
        personality = int(Path(f"/proc/{pid}/personality").read_text(), 16)
        assert personality & ADDR_NO_RANDOMIZE
        assert procfs.signal_sets(pid)["SigBlk"] == 0
        ignored_by_python = {signal.SIGPIPE, signal.SIGXFSZ}
        ours = procfs.signal_sets(os.getpid())["SigIgn"]
        kept = {n for n in range(1, 65) if signals.is_member(ours, n)} - ignored_by_python
        theirs = procfs.signal_sets(pid)["SigIgn"]
        assert {n for n in range(1, 65) if signals.is_member(theirs, n)} == kept


def test_as_it_is_asked_for(tmp_path: Path) -> None:
    out = os.open(tmp_path / "out", os.O_RDWR | os.O_CREAT)
    launch = Launch(
        ["/bin/sh", "-c", "pwd; echo $A-$HOME"],
        environment={"A": "1"},
        directory=str(tmp_path),
        randomize=True,
        own_process_group=False,
        descriptors={1: out},
        signal_mask=frozenset({signal.SIGUSR1}),
    )
    with started(launch) as pid:
        assert not int(Path(f"/proc/{pid}/personality").read_text(), 16) & ADDR_NO_RANDOMIZE
        assert procfs.stat(pid).process_group == os.getpgrp()
        assert procfs.signal_sets(pid)["SigBlk"] == 1 << signal.SIGUSR1 - 1
        assert run_to_its_end(pid) == Exited(0)
    assert os.pread(out, 1000, 0).decode() == f"{tmp_path}\n1-\n"
    os.close(out)


def children() -> list[str]:
    """Those of this thread, ended and not collected ones too."""
    return Path("/proc/thread-self/children").read_text().split()


@pytest.mark.parametrize(
    ("content", "mode", "number"),
    [
        (None, 0, errno.ENOENT),
        (b"#!/absent\n", 0o755, errno.ENOENT),
        (b"text", 0o644, errno.EACCES),
        (b"\0\1\2\3", 0o755, errno.ENOEXEC),
    ],
)
def test_what_cannot_be_run(tmp_path: Path, content: bytes | None, mode: int, number: int) -> None:
    program = tmp_path / "program"
    if content is not None:
        program.write_bytes(content)
        program.chmod(mode)
    before = children()
    with pytest.raises(OSError, match=str(program)) as caught:
        spawn(Launch([str(program)]), OPTIONS)
    assert caught.value.errno is None or caught.value.errno == number
    assert os.strerror(number) in str(caught.value)
    assert children() == before


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    with pytest.raises(OSError, match=f"{absent}: No such file or directory"):
        spawn(Launch(["/bin/true"], directory=str(absent)), OPTIONS)


def test_why_a_process_cannot_be_traced() -> None:
    refused = PermissionError(errno.EPERM, "refused")
    assert explain(0x7FFFFFFF, refused) == "Cannot attach to process 2147483647: no such process"
    assert "no such process" in explain(os.getpid(), ProcessLookupError(3, "gone"))
    with started(Launch(["/bin/true"])) as pid:
        own = procfs.name(os.getpid())
        expected = f"Cannot attach to process {pid}: already traced by {own} (process {os.getpid()})"
        assert explain(pid, refused) == expected
    assert explain(os.getpid(), refused).startswith(f"Cannot attach to process {os.getpid()}: ")
    assert not is_kernel_thread(os.getpid())


def test_a_zombie_cannot_be_traced() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    try:
        assert "zombie" in explain(pid, PermissionError(errno.EPERM, "refused"))
    finally:
        os.waitpid(pid, 0)


def test_descriptors_that_lie_in_each_other_s_places(tmp_path: Path) -> None:
    """Two that change places, one that stays, and one for each number that the start itself could use."""
    files = [os.open(tmp_path / str(number), os.O_RDWR | os.O_CREAT) for number in range(3)]
    first, second, third = files
    numbers = {first: second, second: first, third: third}
    spare = range(max(files) + 1, max(files) + 8)
    shell = "".join(f"echo {number} >&{number};" for number in (*files, *spare))
    descriptors = {**numbers, **dict.fromkeys(spare, third)}
    with started(Launch(["bash", "-c", shell], descriptors=descriptors)) as pid:
        assert run_to_its_end(pid) == Exited(0)
    written = [os.pread(file, 1000, 0).decode().split() for file in files]
    for file in files:
        os.close(file)
    assert written == [[str(second)], [str(first)], [str(number) for number in (third, *spare)]]

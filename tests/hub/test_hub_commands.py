"""gdbstub share, gdb, ls and release on real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from hub_support import Command, Connect, Processes, StartWork, Work
from server_process import is_gone, wait_until

from gdbstub.hub.runtime import Place, runtime_folder
from gdbstub.linux import procfs

BATCH = ("-nx", "-batch")


def listed(command: Command, pid: int) -> dict[str, Any] | None:
    """What `ls --json` says about a process."""
    processes = json.loads(command("ls", "--json").stdout)["processes"]
    return next((process for process in processes if process["pid"] == pid), None)


def row(command: Command, pid: int) -> list[str]:
    """The lines of the table that are about a process."""
    lines = command("ls").stdout.splitlines()
    first = next(number for number, line in enumerate(lines) if line.split()[0] == str(pid))
    last = first + 1
    while last < len(lines) and lines[last].startswith(" " * 20):
        last += 1
    return lines[first:last]


def test_share_keeps_a_process_shared_until_it_is_released(work: StartWork, command: Command) -> None:
    process = work()
    done = command("share", process.pid)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == (
        f"Process {process.pid} is shared: gdbstub gdb {process.pid}\n"
        f"or in gdb: target remote {runtime_folder()}/{process.pid}/gdb\n"
    )
    assert process.hub != 0
    assert not process.stands()
    for way in ("gdb", "control"):
        assert process.place.socket(way).stat().st_mode & 0o777 == 0o600
    assert command("release", process.pid).returncode == 0
    assert process.hub == 0
    process.check_left()
    process.check_ends()


def test_the_hub_is_a_process_of_its_own(shared: StartWork) -> None:
    process = shared()
    status = procfs.status(process.hub)
    assert int(status["PPid"]) not in (os.getpid(), process.pid)
    assert os.getsid(process.hub) != os.getsid(0)
    assert os.readlink(f"/proc/{process.hub}/cwd") == "/"
    assert all(os.readlink(f"/proc/{process.hub}/fd/{number}") == os.devnull for number in range(3))


def test_sharing_twice_is_sharing_once(shared: StartWork, command: Command) -> None:
    process = shared()
    hub = process.hub
    assert command("share", process.pid).returncode == 0
    assert process.hub == hub
    command("release", process.pid)
    process.check_left()


def test_gdb_on_a_process_leaves_nothing(work: StartWork, command: Command) -> None:
    process = work()
    show = ("-ex", "print value", "-ex", "break visit", "-ex", "continue", "-ex", "backtrace 1")
    done = command("gdb", process.pid, *BATCH, *show)
    assert "$1 = 5\n" in done.stdout, done.stderr
    assert "#0  visit () at " in done.stdout
    process.check_left()
    process.check_ends()


def test_gdb_comes_to_the_hub_that_is_there(shared: StartWork, command: Command) -> None:
    process = shared()
    hub = process.hub
    done = command("gdb", process.pid, *BATCH, "-ex", "set variable value = 6", "-ex", "monitor status")
    assert f"process {process.pid}, 1 thread\n  hub: holds nothing\n  debugger of gdb (" in done.stderr
    assert " (you): holds all threads\n" in done.stderr
    assert process.hub == hub
    command("release", process.pid)
    process.check_left()
    process.check_ends(value=6)


def test_twenty_at_once_come_to_one_hub(work: StartWork, command: Command) -> None:
    """Each finds or starts the hub and connects, although those before it are leaving."""
    process = work()
    results: list[subprocess.CompletedProcess[str]] = []
    show = ("-ex", "print value", "-ex", "monitor status")

    def one() -> None:
        results.append(command("gdb", process.pid, *BATCH, *show))

    threads = [threading.Thread(target=one) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [done.stderr for done in results if "$1 = 5\n" not in done.stdout] == []
    process.check_left()
    process.check_ends()


def test_starters_race_for_one_process(work: StartWork, command: Command) -> None:
    process = work()
    results: list[subprocess.CompletedProcess[str]] = []
    threads = [
        threading.Thread(target=lambda: results.append(command("share", process.pid))) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [done.stderr for done in results if done.returncode] == []
    # Those that lost have told so, and end.
    wait_until(lambda: hubs_of(process.pid) == [process.hub], "one hub is left")
    command("release", process.pid)
    process.check_left()


def hubs_of(pid: int) -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if is_hub_of(entry, pid)]


def is_hub_of(entry: Path, pid: int) -> bool:
    """Whether a folder of /proc is that of a hub for a process."""
    try:
        words = entry.name.isdigit() and procfs.command_line(int(entry.name))
    except ProcessLookupError:
        return False
    return bool(words) and words[1:] == ["-m", "gdbstub.hub.daemon", str(pid)]


def test_ls_tells_who_is_on_a_process(shared: StartWork, command: Command, connect: Connect) -> None:
    process = shared(3)
    assert [line.split() for line in row(command, process.pid)] == [
        [str(process.pid), "hub_work-no-pie", "3", "-", "nobody"]
    ]
    client = connect(process)
    here = f"debugger of {procfs.name(os.getpid())} (process {os.getpid()})"
    assert row(command, process.pid)[0].endswith(f"3     3  {here}: holds 3")
    client.request("Z0,401136,1")
    found = listed(command, process.pid)
    assert found is not None
    assert found["gdb"] == process.gdb_path
    assert sorted(thread["tid"] for thread in found["threads"]) == procfs.tasks(process.pid)
    assert {*map(str, found["threads"][1]["held_by"])} == {here}
    hub, debugger = found["engines"]
    assert (hub["label"], hub["events"], hub["holds"]) == ("hub", "", [])
    assert debugger["label"] == here
    assert debugger["breakpoints"] == [0x401136]
    assert sorted(debugger["holds"]) == procfs.tasks(process.pid)


def test_ls_of_several_debuggers(shared: StartWork, command: Command, connect: Connect) -> None:
    process = shared()
    first, second = connect(process), connect(process)
    first.send("vCont;c")
    wait_until(lambda: "holds" not in row(command, process.pid)[0], "the first one lets it go")
    held, running = row(command, process.pid)[::-1]
    assert held.endswith(": holds 1")
    assert "holds" not in running
    second.send("vCont;c")
    wait_until(lambda: not any("holds" in line for line in row(command, process.pid)), "both let it go")


def test_release_has_everybody_leave(shared: StartWork, command: Command, connect: Connect) -> None:
    process = shared(20)
    clients = [connect(process) for _ in range(3)]
    for client in clients:
        assert client.request("Z0,401136,1") == "OK"
    assert process.stands()
    assert command("release", process.pid).returncode == 0
    process.check_left()
    assert all(client.ended() for client in clients)
    assert listed(command, process.pid) is None
    process.check_ends()


@pytest.mark.parametrize("what", ["share", "gdb"])
def test_a_process_that_is_not_there(command: Command, processes: Processes, what: str) -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    for pid in (process.pid, 99999999999):
        done = command(what, pid)
        assert done.returncode == 1
        assert done.stderr == f"gdbstub: Cannot attach to process {pid}: no such process\n"
        assert not Place.of(pid).folder.exists()


def test_a_zombie(command: Command) -> None:
    process = subprocess.Popen(["true"])
    wait_until(lambda: is_gone(process.pid), "it ends")
    done = command("share", process.pid)
    process.wait()
    assert done.returncode == 1
    assert "it has ended and waits for its parent (zombie)" in done.stderr
    assert not Place.of(process.pid).folder.exists()


def test_a_kernel_thread(command: Command) -> None:
    threads = [pid for pid in range(2, 100) if Path(f"/proc/{pid}").exists() and not procfs.command_line(pid)]
    if not threads or procfs.name(2) != "kthreadd":
        pytest.skip("no kernel thread can be seen here")
    done = command("share", 2)
    assert done.returncode == 1
    assert done.stderr == "gdbstub: Cannot attach to process 2: it is a kernel thread\n"


def test_a_thread_is_no_process(work: StartWork, command: Command) -> None:
    process = work(2)
    thread = max(procfs.tasks(process.pid))
    done = command("share", thread)
    assert done.returncode == 1
    assert done.stderr == (
        f"gdbstub: Cannot attach to process {thread}: it is a thread of process {process.pid}\n"
    )


def test_a_foreign_tracer_is_named(work: StartWork, command: Command, processes: Processes) -> None:
    process = work()
    try:
        strace = subprocess.Popen(
            ["strace", "-o", os.devnull, "-p", str(process.pid)], stderr=subprocess.PIPE
        )
    except FileNotFoundError:
        pytest.skip("strace is missing")
    processes.append(strace)
    wait_until(lambda: process.hub == strace.pid, "strace has come")
    for what in ("share", "gdb"):
        done = command(what, process.pid)
        assert done.returncode == 1
        assert done.stderr == (
            f"gdbstub: Cannot attach to process {process.pid}: "
            f"already traced by strace (process {strace.pid})\n"
        )
    assert not process.place.folder.exists()
    strace.send_signal(signal.SIGINT)
    strace.wait()
    done = command("share", process.pid)
    assert done.returncode == 0
    command("release", process.pid)
    process.check_left()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_another_users_process_is_refused(work: StartWork) -> None:
    process = work()
    script = (
        "import os, sys\n"
        "import encodings.idna\n"
        "import gdbstub.hub.hub, gdbstub.hub.control, gdbstub.hub.debugger, gdbstub.utrace.tracer\n"
        "from gdbstub.hub import daemon\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        f"sys.argv[1:] = ['{process.pid}']\n"
        "daemon.main()\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        environment = os.environ | {"XDG_RUNTIME_DIR": folder}
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=20
        )
        assert not Path(folder, "gdbstub", str(process.pid)).exists()
    told = json.loads(done.stdout)
    assert told["error"].startswith(f"Cannot attach to process {process.pid}: Operation not permitted; ")
    assert "it belongs to user 0, and only that user or root may trace it" in told["error"]
    assert process.hub == 0


def test_a_client_of_another_user_is_sent_away(shared: StartWork) -> None:
    """Even if the socket's permissions let it in."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    process = shared()
    script = """
import os, socket, sys
client = socket.socket(socket.AF_UNIX)
folder = os.open(sys.argv[1], os.O_PATH)
os.setgroups([]); os.setgid(65534); os.setuid(65534)
client.connect(f"/proc/self/fd/{folder}/gdb")
print(client.recv(100))
"""
    process.place.folder.chmod(0o711)
    process.place.socket("gdb").chmod(0o666)
    done = subprocess.run(
        [sys.executable, "-c", script, process.place.folder], capture_output=True, text=True, timeout=20
    )
    assert done.stdout == "b''\n", done.stderr
    assert not process.stands()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["nonsense"], "there is no command nonsense"),
        (["gdb"], "which process? gdbstub gdb PID"),
        (["gdb", "init"], "init is no process id"),
        (["gdb", "0"], "0 is no process id"),
        (["share"], "what? gdbstub share PID, or gdbstub share -- PROGRAM [ARGUMENTS]"),
        (["share", "--"], "what? gdbstub share PID, or gdbstub share -- PROGRAM [ARGUMENTS]"),
        (["share", "-5"], "-5 is no process id"),
        (["share", "٤"], "٤ is no process id"),
        (["release"], "which process? gdbstub release PID"),
        (["release", "1"], "process 1 is not shared"),
        (["ls", "--xml"], "ls takes --json, not --xml"),
    ],
)
def test_what_makes_no_sense_is_refused(command: Command, words: list[str], complaint: str) -> None:
    done = command(*words)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"gdbstub: {complaint}\n")


def test_help_and_version(command: Command) -> None:
    assert command("--help").stdout.startswith("Usage: gdbstub COMMAND")
    assert command("--help").returncode == 0
    assert command().returncode == 1
    assert command("--version").stdout.startswith("gdbstub ")


def test_what_the_starter_ignores_or_blocks_is_not_the_hubs(work: StartWork, command: Command) -> None:
    process = work()

    def prepare() -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})

    done = command("share", process.pid, preexec_fn=prepare)
    assert done.returncode == 0, done.stderr
    sets = procfs.signal_sets(process.hub)
    assert not sets["SigIgn"] & 1 << (signal.SIGCHLD - 1)
    assert not sets["SigBlk"] & 1 << (signal.SIGTERM - 1)
    command("gdb", process.pid, *BATCH, "-ex", "break other", "-ex", "continue")
    os.kill(process.hub, signal.SIGTERM)
    process.check_left()


def test_the_end_of_the_process_is_the_end_of_its_hub(shared: StartWork) -> None:
    process: Work = shared(20)
    hub = process.hub
    process.check_ends()
    wait_until(lambda: is_gone(hub), "the hub ends")
    assert not process.place.folder.exists()

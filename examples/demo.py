"""Stock gdb debugs a program while an engine of our own counts the program's system calls.

Run it with `make demo`. Both trace the same process at the same time, which with ptrace alone is impossible.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import gdbstub
from gdbstub.hub.listener import Listener, UnixAddress
from gdbstub.hub.server import GdbServer
from gdbstub.target.live.target import LiveTarget

HERE = Path(__file__).parent
COMMANDS = ("break discount", "continue", "backtrace", "print *item", "finish", "delete", "continue")
COLOURS = {"gdb": 36, "counter": 33, "program": 32}


class SyscallCounter(gdbstub.Engine):
    """The second engine: counts system calls, and those that fail."""

    events = gdbstub.Event.SYSCALL_EXIT

    def __init__(self) -> None:
        self.calls: Counter[int] = Counter()
        self.failed: Counter[int] = Counter()
        self.shown = -1

    def report_syscall_exit(self, task: gdbstub.Task, action: int, call: gdbstub.SyscallExit) -> None:
        """A call has returned."""
        self.calls[call.number] += 1
        self.failed[call.number] += bool(call.error)


def main() -> int:
    """Run the demonstration; gdb's exit status."""
    with tempfile.TemporaryDirectory() as folder, gdbstub.Tracer() as tracer:
        program, socket = Path(folder) / "demo", Path(folder) / "gdb"
        subprocess.run(["gcc", "-g", "-O0", "-o", program, HERE / "demo.c"], check=True)

        # The first engine: a debugger's target, here with a gdb server in front of it.
        target = LiveTarget(tracer)
        output, target.descriptors = standard_output()
        target.run([str(program)])
        server = GdbServer(tracer, target, say=lambda text: None)
        server.listen(Listener(UnixAddress(str(socket))))

        # The second engine joins the same process.
        counter = SyscallCounter()
        for process in tracer.processes.values():
            tracer.join(process, counter)

        gdb = start_gdb(program, socket)
        assert gdb.stdout is not None
        show_lines(tracer, output, lambda line: show("program", line))
        show_lines(tracer, gdb.stdout.fileno(), lambda line: show_gdb(line, counter))
        server.run()
        tracer.run_until(lambda: gdb.poll() is not None, timeout=10)
        show_counts(counter)
        return gdb.wait()


def start_gdb(program: Path, socket: Path) -> subprocess.Popen[bytes]:
    """Stock gdb with a list of commands, each of which it prints first."""
    script = ["set confirm off", "set pagination off", "set sysroot", f"target remote {socket}"]
    for command in COMMANDS:
        script += [rf"echo (gdb) {command}\n", command]
    words = ["gdb", "-nx", "-q", "-batch", str(program)]
    for line in script:
        words += ["-ex", line]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)


def standard_output() -> tuple[int, dict[int, int]]:
    """A pipe: our end, and the program's descriptors."""
    ours, theirs = os.pipe()
    return ours, {1: theirs}


def show_lines(tracer: gdbstub.Tracer, descriptor: int, show_line: Callable[[str], None]) -> None:
    """Show what comes from a descriptor, line by line, from the tracer's loop."""
    rest = b""

    def readable() -> None:
        nonlocal rest
        data = os.read(descriptor, 65536)
        if not data:
            tracer.remove_reader(descriptor)
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            show_line(line.decode(errors="replace"))

    tracer.add_reader(descriptor, readable)


def show_gdb(line: str, counter: SyscallCounter) -> None:
    """A line of gdb's; before each command, what the other engine has seen by then."""
    calls, failed = counter.calls.total(), counter.failed.total()
    if line.startswith("(gdb)") and calls != counter.shown:
        counter.shown = calls
        show("counter", f"{calls} system calls so far, {failed} of them failed")
    show("gdb", line)


def show(who: str, text: str) -> None:
    """A line with the name of whom it comes from."""
    name = f"{who:>8}"
    if sys.stdout.isatty():
        name = f"\033[{COLOURS[who]}m{name}\033[0m"
    print(f"{name} | {text}", flush=True)


def show_counts(counter: SyscallCounter) -> None:
    """What the second engine counted, most frequent first."""
    names = syscall_names()
    show("counter", "")
    show("counter", f"{'system call':<20}{'calls':>6}{'failed':>8}")
    for number, calls in counter.calls.most_common():
        show("counter", f"{names.get(number, number):<20}{calls:>6}{counter.failed[number] or '':>8}")
    show("counter", f"{'together':<20}{counter.calls.total():>6}{counter.failed.total():>8}")


def syscall_names() -> dict[int, str]:
    """Names of system calls by number, from the compiler's headers."""
    command = ["gcc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", os.devnull]
    macros = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {int(number): name for name, number in re.findall(r"#define __NR_(\w+) (\d+)", macros)}


if __name__ == "__main__":
    sys.exit(main())

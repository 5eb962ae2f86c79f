"""What the tests of this folder have in common: programs, engines that do one thing, and waiting."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

import gdbstub
from gdbstub import Engine, Event, Follow, Launch, Process, Resume, Task, Tracer
from gdbstub.linux import procfs
from gdbstub.utrace.breakpoints import Breakpoint
from gdbstub.utrace.engine import Answer

Build = Callable[..., Path]
Processes = list[subprocess.Popen[bytes]]
PATIENCE = 20.0
"""Seconds after which something that should happen is taken not to."""
_POLL = 0.002
FIXED = ("-no-pie",)
"""Compiler options with which the addresses in the file are those in memory."""
SIGUSR1, SIGUSR2 = 10, 12


def until(condition: Callable[[], bool], tracer: Tracer | None = None) -> None:
    """Wait for a condition, which has to come true, a tracer's loop going on meanwhile."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        if tracer is None:
            time.sleep(_POLL)
        else:
            tracer.step(_POLL)


def symbols(program: Path) -> dict[str, int]:
    """The addresses of a program's symbols."""
    with open(program, "rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        return {symbol.name: symbol["st_value"] for symbol in table.iter_symbols()}


def leader(process: Process) -> Task:
    """The process's first task."""
    task = process.leader
    assert task is not None
    return task


def changed_text(pid: int) -> list[str]:
    """Where a process's executable pages differ from the files that they come from."""
    changed = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for mapping in procfs.maps(pid):
            if "x" not in mapping.permissions or not mapping.inode:
                continue
            with open(mapping.path, "rb") as file:
                file.seek(mapping.offset)
                wanted = file.read(mapping.end - mapping.start)
            memory.seek(mapping.start)
            found = memory.read(mapping.end - mapping.start)[: len(wanted)]
            if found == wanted:
                continue
            changed += [
                f"{mapping.path} at {mapping.start + offset:#x}"
                for offset in range(len(wanted))
                if found[offset] != wanted[offset]
            ]
    return changed


def plain_run(program: Path, *arguments: str, text: str = "") -> str:
    """What a program writes when nobody traces it. It inherits what we would hand on to any program."""
    done = subprocess.run(
        [str(program), *arguments],
        input=text.encode(),
        stdout=subprocess.PIPE,
        close_fds=False,
        process_group=0,
        timeout=PATIENCE,
        check=False,
    )
    return done.stdout.decode()


class Program:
    """A started program: bytes to its standard input, text from its standard output."""

    def __init__(self, pid: int, standard_input: int, standard_output: int) -> None:
        self.pid = pid
        self._input, self._output = standard_input, standard_output
        os.set_blocking(standard_output, False)
        self.text = ""
        self.ended = False
        self.go: Callable[[], None] = lambda: None
        """Lets a traced program begin."""

    def write(self, text: str) -> None:
        """Write to its standard input; a program that has ended need not read it."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._input, text.encode())

    def has_written(self, text: str) -> bool:
        """Whether its output so far contains a text."""
        self._collect()
        return text in self.text

    def has_ended(self) -> bool:
        """Whether its output has been closed, by it and by all that have inherited it."""
        self._collect()
        return self.ended

    def _collect(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while not self.ended:
                part = os.read(self._output, 65536)
                self.text += part.decode()
                self.ended = not part

    def finish(self, tracer: Tracer | None = None) -> str:
        """Wait for its end; all that it has written."""
        until(self.has_ended, tracer)
        return self.text

    def close_input(self) -> None:
        """End its standard input."""
        if self._input >= 0:
            os.close(self._input)
            self._input = -1

    def close(self) -> None:
        """Give up the descriptors."""
        self.close_input()
        os.close(self._output)


class Starter:
    """Starts programs, traced from the first instruction on or not at all."""

    def __init__(self) -> None:
        self.programs: list[Program] = []
        self._untraced: Processes = []

    def untraced(self, program: Path | str, *arguments: str) -> Program:
        """Start a program that nobody traces yet."""
        pipes = _Pipes()
        process = subprocess.Popen([str(program), *arguments], stdin=pipes.input[0], stdout=pipes.output[1])
        self._untraced.append(process)
        return self._started(process.pid, pipes)

    def traced(
        self, tracer: Tracer, program: Path | str, *arguments: str, engines: Iterable[Engine] = ()
    ) -> tuple[Process, Program]:
        """Launch a program in a tracer; it stands at its first instruction until it is told to `go`."""
        pipes, gate = _Pipes(), _Gate()
        what = Launch([str(program), *arguments], descriptors={0: pipes.input[0], 1: pipes.output[1]})
        process = tracer.launch(what, [*engines, gate])
        started = self._started(process.pid, pipes)
        started.go = lambda: tracer.leave(process, gate)
        return process, started

    def _started(self, pid: int, pipes: _Pipes) -> Program:
        os.close(pipes.input[0])
        os.close(pipes.output[1])
        program = Program(pid, pipes.input[1], pipes.output[0])
        self.programs.append(program)
        return program

    def close(self) -> None:
        """End what is still there."""
        for process in self._untraced:
            if process.poll() is None:
                process.kill()
            process.wait()
        for program in self.programs:
            program.close()


class _Gate(Engine):
    """Holds a program before its first instruction."""

    follow = Follow.NOTHING

    def attached(self, task: Task) -> None:
        with contextlib.suppress(gdbstub.InProgress):
            gdbstub.control(task, self, Resume.STOP)


class _Pipes:
    def __init__(self) -> None:
        self.input, self.output = os.pipe(), os.pipe()


class Holder(Engine):
    """Holds tasks for a while. It asks for no event: an answer to one would end the hold."""

    def hold(self, tracer: Tracer, task: Task) -> None:
        """Bring a task to a stand."""
        with contextlib.suppress(gdbstub.InProgress):
            gdbstub.control(task, self, Resume.STOP)
        until(lambda: task.held, tracer)

    def hold_all(self, tracer: Tracer, process: Process) -> None:
        """Bring all of a process to a stand."""
        for task in list(process.tasks.values()):
            with contextlib.suppress(gdbstub.InProgress):
                gdbstub.control(task, self, Resume.STOP)
        until(lambda: all(task.held for task in process.tasks.values()), tracer)

    def let_go(self, process: Process) -> None:
        """End all holds."""
        for task in list(process.tasks.values()):
            gdbstub.control(task, self, Resume.RESUME)


class Hits(Engine):
    """Breakpoints at named places, and how often each task came there."""

    events = Event.BREAKPOINT

    def __init__(self) -> None:
        self.places: dict[int, str] = {}
        self.of_task: dict[int, int] = {}
        self.of_place: dict[str, int] = {}

    @property
    def total(self) -> int:
        """All hits."""
        return sum(self.of_task.values())

    def insert(self, process: Process, **places: int) -> None:
        """Put breakpoints into a process."""
        for name, address in places.items():
            self.places[address] = name
            process.address_space.breakpoints.insert(self, address)

    def report_breakpoint(self, task: Task, action: int, breakpoint: Breakpoint) -> Answer:
        name = self.places[breakpoint.address]
        assert task.registers.pc == breakpoint.address
        self.of_task[task.tid] = self.of_task.get(task.tid, 0) + 1
        self.of_place[name] = self.of_place.get(name, 0) + 1
        return None

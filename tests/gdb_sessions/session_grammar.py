"""Sessions over a simulated program: what gdb said, with made-up values for what placeholders stand for."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Mapping
from pathlib import Path

from session_file import Kind, SessionFile
from session_names import Names

from gdbstub.arch.x86.amd64 import amd64
from gdbstub.arch.x86.i386 import i386
from gdbstub.arch.x86.xsave import AVX, Component, XsaveLayout
from gdbstub.linux.signals import SIGTRAP, from_gdb
from gdbstub.target.values import (
    BreakpointStop,
    ExecStop,
    ForkStop,
    ProcessExited,
    ProcessKilled,
    SignalStop,
    Stop,
    SyscallStop,
    TargetError,
    ThreadId,
    WatchpointStop,
)
from gdbstub.testing.simulated_state import CODE, PAGE, STACK, default_regions
from gdbstub.testing.target import SimulatedTarget

FIRST_PID = 10
_TLS_BLOCK = CODE
_SIZE_OF_SECTIONS = 0x40
_BEYOND_ALL_FILES = 0x10000
_REACH = 0x200
_WITH_AVX = XsaveLayout(832, (Component(AVX, 576, 256),))
"""As Intel SDM volume 1, section 13.4.3 places it in every processor."""
_PLACE = re.compile(r"(.*?)(?:([+-])0x([0-9a-f]+))?\Z")
_REGISTER_FIELD = re.compile(r"[0-9a-f]{2}\Z")
_WATCH = {"watch": "write", "awatch": "access"}


class MadeUpNames(Names):
    """Every address is somewhere in the simulated program; processes and threads are numbered from 10 on."""

    def __init__(self, session: SessionFile, word: int) -> None:
        super().__init__([], Path("/folder"))
        self.paths = {program.name: f"/bin/{program.name}" for program in session.programs}
        self._word = word
        self._values: dict[str, int] = {}
        if not any("{pid 1}" in line.text for line in session.lines):
            self._values["tid 1"] = FIRST_PID

    @property
    def word(self) -> int:
        return self._word

    def learn(self, recorded: str, actual: str) -> None:
        """What a reply tells: the numbers of a process that was started, and of a file that was opened."""
        for pattern, value in (
            (r"thread:p\{(pid \d+)\}", r"thread:p([0-9a-f]+)"),
            (r"F\{(fd \d+)\}", r"F([0-9a-f]+)"),
        ):
            name, number = re.search(pattern, recorded), re.search(value, actual)
            if name is not None and number is not None:
                self._values[name[1]] = int(number[1], 16)

    def value(self, name: str) -> int:
        kind, _, index = name.partition(" ")
        if kind == "pid":
            return self._values.get(name, FIRST_PID * int(index))
        return self._values.get(name, FIRST_PID + int(index))

    def address(self, name: str) -> int:
        match = _PLACE.match(name)
        assert match is not None
        if name == "end":
            return _BEYOND_ALL_FILES
        base, offset = match[1], int((match[2] or "") + (match[3] or "0"), 16)
        if re.fullmatch(r"(pid|tid|fd) \d+", base):
            return self.value(base)
        middle = (STACK if base.startswith("sp ") else CODE + zlib.crc32(base.encode()) % _REACH) + PAGE // 2
        return (middle + max(-_REACH, min(offset, _REACH))) & (1 << 8 * self.word) - 1

    def section_size(self, name: str) -> int:
        return _SIZE_OF_SECTIONS


def _regions() -> dict[int, bytes]:
    """The usual memory, and a stack that 32-bit programs reach."""
    return {**default_regions(), STACK & 0xFFFF_FFFF: bytes(PAGE)}


class SimulatedProgram(SimulatedTarget):
    """A target for one session: with the files that gdb finds in it, and the symbols that it is asked for."""

    def __init__(self, session: SessionFile) -> None:
        options = [option for program in session.programs for option in program.options]
        self.machine = i386(_WITH_AVX) if "-m32" in options else amd64(_WITH_AVX)
        super().__init__(self.machine)
        self._static = "-static" in options
        self._tids = tuple(range(FIRST_PID + 1, FIRST_PID + 5))
        self.symbols = tuple(
            dict.fromkeys(re.findall(r'qSymbol:"(.*)"', "\n".join(session.of_kind(Kind.REPLY))))
        )
        self.tables["threads"] = '<osdata type="threads"></osdata>'
        if session.beside:
            self.attachable = frozenset((FIRST_PID,))
        if "--attach" in session.server:
            self.attach(FIRST_PID)
        elif "--multi" not in session.server:
            self.add_process(FIRST_PID, regions=_regions()).attached = False
            leader = ThreadId(FIRST_PID, FIRST_PID)
            self.thread(leader).told = SignalStop(leader, SIGTRAP)

    def attach(self, pid: int) -> None:
        super().attach(pid)
        self.make_threads()

    def make_threads(self) -> None:
        """The program has all its threads, from the first time that it runs."""
        process = self.all.get(FIRST_PID)
        if process is not None and len(process.threads) == 1:
            for tid in self._tids:
                self.add_thread(process, tid).running = process.threads[FIRST_PID].running

    def libraries(self, pid: int, start: Mapping[str, int]) -> str:
        if self._static:
            raise TargetError("a static program has no list of libraries")
        return super().libraries(pid, start)

    def tls_address(self, thread: ThreadId, offset: int, link_map: int) -> int:
        return _TLS_BLOCK + 8 * thread.tid + offset

    def provide_files(self, session: SessionFile, names: Names) -> None:
        """The files that gdb opened for reading, and the links that it read."""
        for line, following in zip(session.lines, session.lines[1:], strict=False):
            match = re.match(r'vFile:(open|readlink):"(.*)"(,0,)?', line.text)
            if match is None or line.kind is not Kind.REQUEST or following.text.startswith("F-1"):
                continue
            path = names.from_text(match[2])
            if match[1] == "readlink":
                self.links[path] = os.devnull
            elif match[3]:
                self.files[path] = bytearray(b"contents")


def stop_of(reply: str, names: MadeUpNames) -> Stop:
    """The stop that a recorded stop reply tells."""
    process = re.search(r"process:\{(pid \d+)\}", reply)
    pid = names.value(process[1]) if process is not None else FIRST_PID
    if reply.startswith("W"):
        return ProcessExited(pid, int(reply[1:3], 16))
    signal = from_gdb(int(reply[1:3], 16)) or 0
    if reply.startswith("X"):
        return ProcessKilled(pid, signal)
    fields = dict(field.partition(":")[::2] for field in reply[3:].split(";")[:-1])
    thread = _thread(fields["thread"], names)
    for key, value in fields.items():
        match key:
            case "swbreak" | "hwbreak":
                return BreakpointStop(thread, hardware=key == "hwbreak", address=CODE)
            case "watch" | "awatch":
                return WatchpointStop(thread, _WATCH[key], CODE)
            case "fork" | "vfork":
                return ForkStop(thread, _thread(value, names), vfork=key == "vfork")
            case "exec":
                return ExecStop(thread, names.from_text(value.strip('"')))
            case "syscall_entry" | "syscall_return":
                return SyscallStop(thread, int(value, 16), entry=key == "syscall_entry")
    return SignalStop(thread, signal)


def _thread(text: str, names: MadeUpNames) -> ThreadId:
    *process, thread = re.findall(r"\{(.*?)\}", text)
    return ThreadId(names.value(process[0]) if process else FIRST_PID, names.value(thread))


_KINDS = (
    (r"", "empty"),
    (r"OK", "OK"),
    (r"E[0-9a-f]{2}|E\..*", "an error"),
    (r"[mM]\{.*|m.*", "a piece"),
    (r"N", "N"),
    (r"F-1,[0-9a-f]+", "a file error"),
    (r"F(\{|[0-9a-f]).*;.*", "file contents"),
    (r"F(\{|[0-9a-f]).*", "a file result"),
    (r"QC.*", "a current thread"),
    (r"qSymbol:.*", "a symbol"),
    (r"O.*", "console output"),
    (r"C.*", "a checksum"),
    (r"PacketSize=.*", "features"),
    (r"vCont;.*", "actions"),
    (r"0|1,.*", "a value"),
)


def kind_of(request: bytes, reply: str) -> str:
    """What kind of reply it is by the protocol's grammar: of a stop, all but its numbers."""
    if re.match(rb"qXfer:.*:read:", request) and reply[:1] in ("m", "l"):
        return "an object"
    if re.match(r"T[0-9a-f]{2}", reply):
        keys = [field.partition(":")[0] for field in reply[3:].split(";")]
        return f"{reply[:3]} {' '.join(key for key in keys if not _REGISTER_FIELD.match(key))}"
    if re.match(r"[WX][0-9a-f]{2}", reply) and not request.startswith((b"m", b"p", b"g")):
        return f"{reply[:3]} {reply[3:12]}".rstrip()
    if request.startswith((b"m", b"g", b"p")) and not reply.startswith("E"):
        return "hex digits" if re.fullmatch(r"(\{.*?\}|[0-9a-f]{2})+", reply) else f"no hex digits: {reply}"
    for pattern, kind in _KINDS:
        if re.fullmatch(pattern, reply, re.DOTALL):
            return kind
    return "a value"

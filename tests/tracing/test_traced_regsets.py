"""Register sets of real tasks: whole, in part, in each width of program, and as a core file has them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import NoteSegment
from tracing_support import (
    BARE,
    FIXED,
    Build,
    Holder,
    finish,
    held,
    hold,
    launch,
    leader,
    resume,
    run,
    run_to,
    symbols,
    until,
)

import gdbstub
from gdbstub import Invalid, Process, Task, Tracer
from gdbstub.hub.listener import Listener, UnixAddress
from gdbstub.hub.server import GdbServer
from gdbstub.linux.cpuid import xsave_layout
from gdbstub.target.live.target import LiveTarget

NUMBERS = b"".join(bytes([byte]) * 8 for byte in (0x11, 0x22, 0x33, 0x44))
PI = bytes.fromhex("35c26821a2da0fc90040")
"""As the processor loads it: 80 bits, little-endian."""


def staying(tracer: Tracer, build: Build) -> tuple[Task, Holder]:
    """A task that stays at one instruction with known registers, held there."""
    program = build("traced_vectors", *BARE)
    holder = Holder()
    process, _ = launch(tracer, program, engines=[holder])
    task = leader(process)
    run_to(tracer, task, holder, symbols(program)["stay"])
    return task, holder


def run_and_hold(tracer: Tracer, task: Task, holder: Holder) -> None:
    resume(task, holder)
    hold(task, holder)
    held(tracer, task)


def test_known_values(tracer: Tracer, build: Build) -> None:
    task, _ = staying(tracer, build)
    registers = task.registers
    assert registers["rbx"] == 0x0123456789ABCDEF
    assert registers["r12"] == 0x55
    assert registers.raw("xmm3") + registers.raw("ymm3h") == NUMBERS
    assert registers.raw("xmm5") == NUMBERS[16:]
    assert registers.raw("st0") == PI


@pytest.mark.parametrize("name", ["general", "float", "fxsave"])
def test_what_is_read_and_written_back_is_read_again(tracer: Tracer, build: Build, name: str) -> None:
    task, holder = staying(tracer, build)
    before = {each: task.registers.regset(each) for each in task.process.architecture.regsets_by_name}
    task.registers.set_regset(name, before[name])
    run_and_hold(tracer, task, holder)
    assert {each: task.registers.regset(each) for each in before} == before


@pytest.mark.parametrize(
    ("name", "position", "contents"),
    [("general", 40, b"\x99" * 8), ("float", 160 + 16 * 7, b"\x77" * 16), ("fxsave", 160, b"\x66" * 12)],
)
def test_part_of_a_register_set(
    tracer: Tracer, build: Build, name: str, position: int, contents: bytes
) -> None:
    """rbx, xmm7 and three quarters of xmm0: what lies beside them stays."""
    task, holder = staying(tracer, build)
    before = task.registers.regset(name)
    task.registers.set_regset(name, contents, position)
    run_and_hold(tracer, task, holder)
    end = position + len(contents)
    assert task.registers.regset(name, position, len(contents)) == contents
    assert task.registers.regset(name) == before[:position] + contents + before[end:]
    assert task.registers.regset(name, end) == before[end:]


def test_nothing_is_written_beyond_a_register_set(tracer: Tracer, build: Build) -> None:
    task, _ = staying(tracer, build)
    size = len(task.registers.regset("general"))
    for position in (size, size - 7, -1):
        with pytest.raises(ValueError, match="general"):
            task.registers.set_regset("general", bytes(8), position)


@pytest.mark.parametrize(("name", "value"), [("fs_base", 1 << 62), ("cs", 0x1234), ("mxcsr", 0xFFFFFFFF)])
def test_a_value_that_the_kernel_refuses(tracer: Tracer, build: Build, name: str, value: int) -> None:
    task, holder = staying(tracer, build)
    before = task.registers.block()
    with pytest.raises(Invalid):
        task.registers[name] = value
    run_and_hold(tracer, task, holder)
    assert task.registers.block() == before


def test_a_block_with_a_refused_value_changes_nothing(tracer: Tracer, build: Build) -> None:
    """rbx comes before the base of fs in the kernel's order, and is taken before that is refused."""
    task, holder = staying(tracer, build)
    before = task.registers.block()
    contents = bytearray(task.registers.regset("general"))
    contents[5 * 8 : 6 * 8] = b"\x99" * 8
    contents[21 * 8 : 22 * 8] = (1 << 62).to_bytes(8, "little")
    with pytest.raises(Invalid):
        task.registers.set_regset("general", bytes(contents))
    assert task.registers.block() == before
    run_and_hold(tracer, task, holder)
    assert task.registers.block() == before


def test_the_extended_state_is_as_large_as_the_processor_says(tracer: Tracer, build: Build) -> None:
    stated = int(run(tracer, build("traced_xsave_size")))
    task, _ = staying(tracer, build)
    layout = xsave_layout()
    assert layout is not None
    assert len(task.registers.regset("float")) == layout.size == stated


def test_the_program_sees_registers_that_were_set(tracer: Tracer, build: Build) -> None:
    program = build("traced_show_xmm", *FIXED)
    holder = Holder()
    process, output = launch(tracer, program, engines=[holder])
    task = leader(process)
    run_to(tracer, task, holder, symbols(program)["here"])
    assert task.registers["xmm5"] == 1 | 2 << 64
    task.registers["xmm5"] = 0xABCDEF << 64 | 0x123456
    task.registers["rbx"] = 0x77
    resume(task, holder)
    assert finish(tracer, output) == "123456 abcdef 77\n"


def test_another_engine_sees_a_changed_register_at_once(tracer: Tracer, build: Build) -> None:
    task, _ = staying(tracer, build)
    other = Holder()
    gdbstub.attach(task, other)
    gdbstub.control(task, other, gdbstub.Resume.STOP)
    stop = gdbstub.prepare_examine(task, other)
    task.registers["r12"] = 0x66
    assert task.registers.regset("general", 24, 8) == (0x66).to_bytes(8, "little")
    gdbstub.finish_examine(task, other, stop)


def prstatus_registers(core: Path) -> bytes:
    """pr_reg of the only NT_PRSTATUS note (linux/elfcore.h: 112 bytes before it)."""
    with open(core, "rb") as file:
        segments = list(ELFFile(file).iter_segments("PT_NOTE"))
        notes = [
            note for segment in segments if isinstance(segment, NoteSegment) for note in segment.iter_notes()
        ]
    (descriptor,) = [bytes(note["n_descdata"]) for note in notes if note["n_type"] == "NT_PRSTATUS"]
    return descriptor[112 : 112 + 27 * 8]


def test_a_core_file_of_the_same_stop_has_the_same_registers(
    tracer: Tracer, build: Build, tmp_path: Path
) -> None:
    """gdb writes it as one more engine, while the holder that reads the registers holds the task."""
    task, holder = staying(tracer, build)
    stop = gdbstub.prepare_examine(task, holder)
    general = task.registers.regset("general")
    core = tmp_path / "core"
    serve_gdb(tracer, task.process, tmp_path / "socket", f"gcore {core}")
    gdbstub.finish_examine(task, holder, stop)
    assert prstatus_registers(core) == general


def serve_gdb(tracer: Tracer, process: Process, socket: Path, command: str) -> None:
    """Have gdb join a process and run a command."""
    target = LiveTarget(tracer)
    target.attach(process.pid)
    server = GdbServer(tracer, target, lambda line: None, once=True)
    server.listen(Listener(UnixAddress(str(socket))))
    gdb = subprocess.Popen(
        ["gdb", "-nx", "-batch", "-ex", f"target remote {socket}", "-ex", command, "-ex", "disconnect"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(tracer, lambda: server.ended)
    gdb.wait()


def test_a_32_bit_program_has_the_32_bit_view(tracer: Tracer, build: Build) -> None:
    holder = Holder()
    process, output = launch(tracer, build("traced_wait", "-m32"), engines=[holder])
    task = leader(process)
    assert process.architecture.name == "i386"
    assert len(task.registers.regset("general")) == 17 * 4
    assert task.registers.pc == task.registers["eip"] < 1 << 32
    assert "rip" not in process.architecture.by_name
    resume(task, holder)
    until(tracer, lambda: output.text == "ready\n")


def test_the_view_follows_an_exec(tracer: Tracer, build: Build) -> None:
    wide, narrow = build("traced_exec"), build("traced_exec", "-m32")
    seen: list[str] = []

    class Watching(gdbstub.Engine):
        events = gdbstub.Event.EXEC

        def report_exec(self, task: Task, action: int, program: object) -> None:
            architecture = task.process.architecture
            seen.append(architecture.name)
            assert task.registers.pc == task.registers[architecture.pc] != 0
            assert len(task.registers.regset("general")) == architecture.regsets_by_name["general"].size

    last = build("traced_life")
    arguments = [str(wide), str(narrow), str(wide), str(last), "again"]
    run(tracer, wide, *arguments, engines=[Watching()])
    assert seen == ["i386:x86-64", "i386", "i386:x86-64", "i386:x86-64"]

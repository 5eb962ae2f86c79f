"""This server against gdbserver, in turn, on the same work.

    python benchmarks/run.py [--json] [--rounds N] [NAME...]

Each measurement is taken in alternating rounds; the median counts. A ratio above 1 means that this server
is slower (for rates and throughput likewise: it is always time over time).
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from client import Client, expand, thread_of
from servers import OURS, PEER, Server

HERE = Path(__file__).parent
LIMIT = 1.5
"""The ratio above which a measurement is marked as slow."""
START_LIMIT = 0.15
"""Seconds; the start of an interpreter is not compared with gdbserver's."""
Measurement = Callable[[str, Path], float]
"""(server, workload) -> seconds for one unit of work."""


def symbol(program: Path, name: str) -> int:
    listing = subprocess.run(["nm", program], capture_output=True, text=True, check=True).stdout
    return next(int(line.split()[0], 16) for line in listing.splitlines() if line.endswith(f" {name}"))


@contextmanager
def session(server: str, *arguments: str) -> Iterator[tuple[Client, bytes]]:
    """A connected client, and the thread that is stopped."""
    running = Server(server, "127.0.0.1:0", *arguments)
    client = Client(running.port)
    try:
        yield client, thread_of(client.ask(b"?"))
    finally:
        client.close()
        running.stop()


def at_loop(client: Client, thread: bytes, program: Path) -> None:
    """Run to the workload's loop."""
    address = symbol(program, "hit")
    client.ask(b"Z0,%x,1" % address)
    client.ask(b"vCont;c")
    client.ask(b"z0,%x,1" % address)
    client.ask(b"Hg" + thread)


def start(server: str, program: Path) -> float:
    """From the command to the first stop reply."""
    begin = time.perf_counter()
    with session(server, str(program)):
        return time.perf_counter() - begin


def round_trip(server: str, program: Path) -> float:
    """A packet that needs next to no work: eight bytes of memory."""
    with session(server, str(program)) as (client, thread):
        at_loop(client, thread, program)
        packet = client.frame(b"m%x,8" % symbol(program, "counter"))
        return timed(lambda: client.ask_framed(packet), 5000)


def registers(server: str, program: Path) -> float:
    """All registers."""
    with session(server, str(program)) as (client, thread):
        at_loop(client, thread, program)
        packet = client.frame(b"g")
        return timed(lambda: client.ask_framed(packet), 3000)


def step(server: str, program: Path) -> float:
    """One instruction."""
    with session(server, str(program)) as (client, thread):
        at_loop(client, thread, program)
        packet = client.frame(b"vCont;s:" + thread)
        return timed(lambda: client.ask_framed(packet), 3000)


def breakpoint_hit(server: str, program: Path) -> float:
    """A breakpoint hit as gdb deals with it: out, step, in again, continue."""
    with session(server, str(program)) as (client, thread):
        at_loop(client, thread, program)
        address = symbol(program, "hit")
        packets = [
            client.frame(packet)
            for packet in (
                b"z0,%x,1" % address,
                b"vCont;s:" + thread,
                b"Z0,%x,1" % address,
                b"vCont;c:" + thread.partition(b".")[0] + b".-1",
            )
        ]

        def once() -> None:
            for packet in packets:
                client.ask_framed(packet)

        return timed(once, 1000)


def false_condition(server: str, program: Path) -> float:
    """A hit whose condition, evaluated by the server, is false: the program makes 2000 until one is true."""
    with session(server, str(program)) as (client, thread):
        at_loop(client, thread, program)
        hits = 2000
        address, counter = symbol(program, "hit"), symbol(program, "counter")
        now = int.from_bytes(bytes.fromhex(expand(client.ask(b"m%x,8" % counter)).decode()), "little")
        # const64 counter, ref64, const64 goal, equal, end
        goal = (now + hits).to_bytes(8, "big")
        code = b"\x25" + counter.to_bytes(8, "big") + b"\x1a\x25" + goal + b"\x13\x27"
        client.ask(b"Z0,%x,1;X%x,%b" % (address, len(code), code.hex().encode()))
        begin = time.perf_counter()
        client.ask(b"vCont;c")
        return (time.perf_counter() - begin) / hits


def memory(server: str, program: Path) -> float:
    """A mebibyte of memory, in hex, in packets as large as the server takes."""
    with session(server, str(program)) as (client, thread):
        at_loop(client, thread, program)
        pointer = bytes.fromhex(expand(client.ask(b"m%x,8" % symbol(program, "block"))).decode())
        block = int.from_bytes(pointer, "little")
        piece = client.packet_size // 2
        total = 16 << 20
        packets = [client.frame(b"m%x,%x" % (block + at, piece)) for at in range(0, total - piece, piece)]
        begin = time.perf_counter()
        got = sum(len(client.ask_framed(packet)) for packet in packets)
        return (time.perf_counter() - begin) / (got / 2) * (1 << 20)


def attach(server: str, program: Path) -> float:
    """From the command to the first stop reply of a process with 1000 threads."""
    victim = subprocess.Popen([program, "threads", "1000"], stdout=subprocess.PIPE)
    assert victim.stdout is not None
    victim.stdout.readline()
    try:
        begin = time.perf_counter()
        with session(server, "--attach", str(victim.pid)):
            return time.perf_counter() - begin
    finally:
        victim.kill()
        victim.wait()
        victim.stdout.close()


def timed(work: Callable[[], object], count: int) -> float:
    for _ in range(count // 10):
        work()
    begin = time.perf_counter()
    for _ in range(count):
        work()
    return (time.perf_counter() - begin) / count


MEASUREMENTS: dict[str, tuple[Measurement, str]] = {
    "start": (start, "start to first stop"),
    "round-trip": (round_trip, "packet round trip"),
    "registers": (registers, "all registers"),
    "step": (step, "single step"),
    "breakpoint": (breakpoint_hit, "breakpoint hit, as gdb does it"),
    "condition": (false_condition, "hit with a false condition"),
    "memory": (memory, "memory read, 1 MiB"),
    "attach": (attach, "attach to 1000 threads"),
}


def main() -> int:
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("names", nargs="*", choices=[*MEASUREMENTS, []], metavar="NAME")
    arguments = parser.parse_args()
    if shutil.which(PEER) is None:
        parser.error(f"{PEER}, to compare with, is not installed")
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "workload"
        subprocess.run(
            ["gcc", "-O1", "-g", "-no-pie", "-o", program, HERE / "workload.c", "-lpthread"], check=True
        )
        if not arguments.json:
            print(f"{'':34}{'this server':>14}{'gdbserver':>14}{'ratio':>9}")
        for name in arguments.names or MEASUREMENTS:
            report(name, program, arguments)
    return 0


def report(name: str, program: Path, arguments: argparse.Namespace) -> None:
    measure, title = MEASUREMENTS[name]
    ours, peer = [], []
    for done in range(arguments.rounds):
        if sys.stderr.isatty():
            print(f"\r{title}: round {done + 1}", end="", file=sys.stderr, flush=True)
        ours.append(measure(OURS, program))
        peer.append(measure(PEER, program))
    if sys.stderr.isatty():
        print("\r" + " " * 60 + "\r", end="", file=sys.stderr)
    mine, theirs = statistics.median(ours), statistics.median(peer)
    if arguments.json:
        print(json.dumps({"name": name, "ours": mine, "gdbserver": theirs, "ratio": mine / theirs}))
    else:
        slow = mine > START_LIMIT if name == "start" else mine / theirs > LIMIT
        mark = "  slow" if slow else ""
        print(f"{title:34}{duration(mine):>14}{duration(theirs):>14}{mine / theirs:>9.2f}{mark}", flush=True)


def duration(seconds: float) -> str:
    return f"{seconds * 1e6:.1f} us" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"


if __name__ == "__main__":
    sys.exit(main())

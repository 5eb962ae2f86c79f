"""The demonstration shows both sides at work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DEMO = Path(__file__).parent.parent / "examples" / "demo.py"


def test_gdb_and_the_counting_engine_work_on_one_process() -> None:
    ran = subprocess.run([sys.executable, DEMO], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    said: dict[str, list[str]] = {name: [] for name in ("gdb", "counter", "program")}
    for line in ran.stdout.splitlines():
        name, _, words = line.partition(" | ")
        said[name.strip()].append(words)
    gdb = "\n".join(said["gdb"])
    assert "Breakpoint 1, discount (item=" in gdb
    assert "in total (items=" in gdb and "in main () at" in gdb
    assert "name = 0x" in gdb and '"pencil", cents = 120, count = 12}' in gdb
    assert "Value returned is $2 = 1296" in gdb
    assert "exited normally" in gdb
    assert said["program"] == ["the order comes to 25.03"]
    counted = {line.split()[0]: line.split()[1:] for line in said["counter"] if line}
    # Two of three places for the price list do not exist; one write for the result.
    assert int(counted["openat"][1]) >= 2
    assert counted["write"] == ["1"]

"""The package's own example against strace: the same errors in the same order."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

import gdbstub

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")

ENVIRONMENT = {**os.environ, "LC_ALL": "C"}
LIST_NOTHING = ["ls", "/nonexistent"]
LIST_TWICE = ["sh", "-c", "ls /nonexistent; ls /nowhere; exit 3"]

_STRACE_ERROR = re.compile(r"^(\d+) .* = (?:-1 (E[A-Z0-9]+)|\? (ERESTART[A-Z_]+)) ")
Errors = list[list[str]]
"""Names of the errors of each process, in the order in which the processes first fail."""


def example() -> str:
    """The engine and its use, from the package's documentation."""
    assert gdbstub.__doc__ is not None
    lines = [line[4:] for line in gdbstub.__doc__.splitlines() if line.startswith("    ") or not line]
    return "import gdbstub\n" + "\n".join(lines)


def by_process(found: list[tuple[str, str]]) -> Errors:
    errors = defaultdict(list)
    for pid, name in found:
        errors[pid].append(name)
    return list(errors.values())


def errors_by_strace(command: list[str], folder: Path) -> Errors:
    """A call that is broken off and restarted has no errno: strace writes `?`, and so do we here."""
    file = folder / "strace"
    subprocess.run(["strace", "-f", "-o", file, *command], env=ENVIRONMENT, capture_output=True, check=False)
    matches = (_STRACE_ERROR.match(line) for line in joined(file.read_text().splitlines()))
    return by_process([(match[1], match[2] or "?") for match in matches if match])


def joined(lines: list[str]) -> list[str]:
    """Lines with the two halves of interrupted calls put together, at the place of the second."""
    started: dict[str, str] = {}
    whole = []
    for line in lines:
        pid = line.split()[0]
        if line.endswith("<unfinished ...>"):
            started[pid] = line
        elif " resumed>" in line:
            whole.append(started.pop(pid) + line)
        else:
            whole.append(line)
    return whole


def errors_by_example(command: list[str], follow_children: bool) -> Errors:
    script = example().replace('["ls", "/nonexistent"]', repr(command))
    if follow_children:
        script = script.replace("    def ", "    follow = gdbstub.Follow.ALL\n    def ", 1)
    run = subprocess.run(
        [sys.executable, "-c", script], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    lines = [line.split() for line in run.stdout.splitlines() if re.match(r"^\d+ \w+$", line)]
    return by_process([(pid, "?" if name.isdigit() else name) for pid, name in lines])


def test_the_example_is_short() -> None:
    code = [line for line in example().splitlines() if line.strip() and not line.startswith("import")]
    assert 'tracer.launch(["ls", "/nonexistent"]' in example()
    assert len(code) <= 10


def test_ls_of_nothing(tmp_path: Path) -> None:
    expected = errors_by_strace(LIST_NOTHING, tmp_path)
    assert "ENOENT" in expected[0]
    assert errors_by_example(LIST_NOTHING, follow_children=False) == expected


def test_a_shell_and_its_children(tmp_path: Path) -> None:
    expected = errors_by_strace(LIST_TWICE, tmp_path)
    assert len(expected) == 3
    assert sorted(errors_by_example(LIST_TWICE, follow_children=True)) == sorted(expected)

"""The core and what it is made of know neither ptrace nor any machine: a simulation can run them as well."""

from __future__ import annotations

import subprocess
import sys

import pytest

PURE = ("core", "flows", "report", "control", "engine", "events", "actions", "task", "stops")
FORBIDDEN = ("gdbstub.linux.ptrace", "gdbstub.linux.wait", "gdbstub.arch", "gdbstub.utrace.ptrace_backend")


def imported_by(module: str) -> set[str]:
    """What a module imports at run time, itself or through others."""
    script = f"import sys, {module}; print(*(name for name in sys.modules if name.startswith('gdbstub')))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def outlawed(imported: set[str]) -> set[str]:
    return {name for name in imported if name.startswith(FORBIDDEN)}


@pytest.mark.parametrize("name", PURE)
def test_imports_no_ptrace_and_no_machine(name: str) -> None:
    imported = imported_by(f"gdbstub.utrace.{name}")
    assert f"gdbstub.utrace.{name}" in imported
    assert not outlawed(imported)


def test_the_back_end_is_where_ptrace_comes_in() -> None:
    assert "gdbstub.linux.ptrace" in outlawed(imported_by("gdbstub.utrace.ptrace_backend"))


def test_the_package_itself_loads_nothing() -> None:
    assert imported_by("gdbstub") == {"gdbstub"}

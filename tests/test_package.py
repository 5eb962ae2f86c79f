"""The package's surface: what importing it costs, and what its names lead to."""

from __future__ import annotations

import importlib
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import gdbstub

HEAVY = ("ctypes", "construct", "elftools", "iced_x86", "logging", "gdbstub.linux", "gdbstub.arch")


def loaded_by(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after running some code."""
    program = f"import sys\n{code}\nprint('modules', *sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(result.stdout.rpartition("modules ")[2].split())


def heavy(modules: set[str]) -> set[str]:
    return {name for name in modules if name.startswith(tuple(f"{each}." for each in HEAVY)) or name in HEAVY}


def test_importing_loads_nothing_that_is_not_used_yet() -> None:
    before = loaded_by("")
    after = loaded_by("import gdbstub")
    assert {name for name in after - before if name.startswith("gdbstub.")} == set()
    assert heavy(after) - before == set()


@pytest.mark.parametrize("option", ["--version", "--help", "--disable-packet", "--nonsense"])
def test_what_needs_no_process_loads_no_tracer(option: str) -> None:
    loaded = loaded_by(f"from gdbstub.cli.server import run\nrun([{option!r}])")
    assert heavy(loaded) == set()
    ours = {name for name in loaded if name.startswith("gdbstub.")}
    assert ours == {"gdbstub.cli", "gdbstub.cli.server", "gdbstub.cli.server_arguments"}


def test_a_server_loads_no_elf_reader_before_it_needs_one() -> None:
    loaded = loaded_by("import gdbstub.hub.server, gdbstub.target.live.target, gdbstub.utrace.tracer")
    assert not {name for name in loaded if name.split(".")[0] in ("elftools", "iced_x86", "construct")}


@pytest.mark.parametrize("name", gdbstub.__all__)
def test_public_names_resolve(name: str) -> None:
    found = getattr(gdbstub, name)
    assert getattr(gdbstub, name) is found
    home = getattr(found, "__module__", "gdbstub.utrace.actions")
    if isinstance(found, type) or callable(found):
        assert home.startswith("gdbstub."), home
        assert getattr(importlib.import_module(home), name) is found
        assert found.__doc__


def test_each_public_name_is_there_once_and_no_others_are() -> None:
    assert len(set(gdbstub.__all__)) == len(gdbstub.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        gdbstub.nonsense  # noqa: B018 - the attribute access is what is tested
    namespace: dict[str, object] = {}
    exec("from gdbstub import *", namespace)
    assert set(gdbstub.__all__) <= set(namespace)


def test_the_package_is_typed_and_its_command_is_installed() -> None:
    assert (Path(gdbstub.__file__).parent / "py.typed").exists()
    (command,) = entry_points(group="console_scripts", name="gdbstub-server")
    assert command.value == "gdbstub.cli.server:main"
    assert callable(command.load())

"""The core's documentation names the differences from the kernel that its reference model has."""

from __future__ import annotations

import re
from pathlib import Path

from gdbstub.utrace import core


def test_differences_are_documented() -> None:
    assert core.__doc__ is not None
    documented = re.findall(r"^\* ([a-z -]+): ", core.__doc__, re.MULTILINE)
    modelled: set[str] = set()
    for path in Path(__file__).parent.glob("reference_*.py"):
        modelled.update(re.findall(r"\[deviation: ([a-z -]+)\]", path.read_text()))
    assert sorted(documented) == sorted(modelled)

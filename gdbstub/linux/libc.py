"""The C library by ctypes, for system calls that Python's standard library does not offer."""

from __future__ import annotations

import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
"""Calls give up the interpreter lock: for those that may block."""

quick = ctypes.PyDLL(None, use_errno=True)
"""Calls keep the interpreter lock: for those that return at once, where giving it up costs more."""


def raise_errno(what: str) -> OSError:
    """The OSError of the last failed call, saying what was attempted."""
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")

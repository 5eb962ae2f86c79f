"""openat2(2): opening a path as if another folder were the root, absolute symbolic links included."""

from __future__ import annotations

import ctypes
import os

from gdbstub.linux.libc import libc, raise_errno

_SYS_OPENAT2 = 437
_RESOLVE_IN_ROOT = 0x10


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_in_root(root: str, path: str, flags: int, mode: int) -> int:
    """A descriptor of `path` below `root` (Linux 5.6). Raises OSError."""
    folder = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        how = _OpenHow(flags | os.O_CLOEXEC, mode if flags & os.O_CREAT else 0, _RESOLVE_IN_ROOT)
        descriptor: int = libc.syscall(
            _SYS_OPENAT2, folder, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how)
        )
        if descriptor < 0:
            raise raise_errno(path)
        return descriptor
    finally:
        os.close(folder)

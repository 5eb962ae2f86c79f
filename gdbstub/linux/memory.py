"""The memory of another process.

Bulk reads go by process_vm_readv(2), which copies once. Writes, and reads of what it refuses (pages without
read permission), go by /proc/PID/mem, which ignores page protection, so that text can be written.
"""

from __future__ import annotations

import ctypes
import os

from gdbstub.linux.libc import quick

PAGE = 4096
_ADDRESS_LIMIT = 1 << 64


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


_readv = quick.process_vm_readv
_readv.restype = ctypes.c_ssize_t
_readv.argtypes = [
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_ulong,
    ctypes.c_void_p,
    ctypes.c_ulong,
    ctypes.c_ulong,
]
_LONGEST_OFFSET = 1 << 63


class MemoryFault(OSError):
    """An address that could not be accessed; `address` is the first such, `done` the bytes before it."""

    def __init__(self, address: int, done: int) -> None:
        super().__init__(14, f"cannot access memory at {address:#x}")
        self.address = address
        self.done = done


class NoMemory:
    """The memory of a process that has ended before anybody could open it."""

    def read_some(self, address: int, length: int) -> bytes:
        """Nothing."""
        return b""

    def read(self, address: int, length: int) -> bytes:
        """Raises MemoryFault."""
        raise MemoryFault(address, 0)

    def write(self, address: int, contents: bytes) -> None:
        """Raises MemoryFault."""
        raise MemoryFault(address, 0)

    def close(self) -> None:
        """There is nothing to give up."""


class ProcessMemory:
    """The address space that a process has at the time of the call; it stays that one across exec."""

    def __init__(self, pid: int) -> None:
        """Open it; needs a tracer's permission. Raises ProcessLookupError, PermissionError."""
        self.pid = pid
        try:
            self._file = os.open(f"/proc/{pid}/mem", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            raise ProcessLookupError(3, f"no process {pid}") from None
        self._local = _Iovec()
        self._remote = _Iovec()

    def close(self) -> None:
        """Give up the descriptor."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def read_some(self, address: int, length: int) -> bytes:
        """As many of `length` bytes as are readable in a row from `address`; empty at a hole."""
        length = min(length, _ADDRESS_LIMIT - address)
        if length <= 0 or address < 0:
            return b""
        buffer = ctypes.create_string_buffer(length)
        self._local.base, self._local.length = ctypes.addressof(buffer), length
        self._remote.base, self._remote.length = address, length
        count: int = _readv(self.pid, ctypes.addressof(self._local), 1, ctypes.addressof(self._remote), 1, 0)
        if count == length:
            return buffer.raw
        done = buffer.raw[: max(count, 0)]
        return done + self._read_protected(address + len(done), length - len(done))

    def _read_protected(self, address: int, length: int) -> bytes:
        parts = []
        while length > 0 and address < _LONGEST_OFFSET:
            try:
                part = os.pread(self._file, length, address)
            except OSError:
                break
            if not part:
                break
            parts.append(part)
            address += len(part)
            length -= len(part)
        return b"".join(parts)

    def read(self, address: int, length: int) -> bytes:
        """Exactly `length` bytes. Raises MemoryFault, which says how far it got."""
        contents = self.read_some(address, length)
        if len(contents) < length:
            raise MemoryFault(address + len(contents), len(contents))
        return contents

    def write(self, address: int, contents: bytes) -> None:
        """Write all of it, whatever the page protection. Raises MemoryFault; what came before is written."""
        done = 0
        while done < len(contents):
            position = address + done
            try:
                if not 0 <= position < _LONGEST_OFFSET:
                    raise MemoryFault(position, done)
                count = os.pwrite(self._file, contents[done:], position)
            except OSError:
                raise MemoryFault(position, done) from None
            if count == 0:
                raise MemoryFault(position, done)
            done += count

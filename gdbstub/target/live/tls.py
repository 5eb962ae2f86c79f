"""Thread-local variables without libthread_db.

glibc describes the structures in question itself, in variables named _thread_db_*: each holds a field's
width in bits, its count and its offset (nptl_db/structs.def). They lead from the thread pointer to the
thread's dynamic thread vector, and from a link_map to its module's index in it.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from gdbstub.target import interfaces
from gdbstub.target.live.engine import DebuggerEngine
from gdbstub.target.values import TargetError, ThreadId
from gdbstub.utrace.errors import UtraceError
from gdbstub.utrace.task import Process

_MODULE_ID = "_thread_db_link_map_l_tls_modid"
_STATIC_OFFSET = "_thread_db_link_map_l_tls_offset"
_VECTOR_POINTER = "_thread_db_pthread_dtvp"
_VECTOR = "_thread_db_dtv_dtv"
_VALUE = "_thread_db_dtv_t_pointer_val"
_DESCRIPTION = struct.Struct("<III")
_UNALLOCATED = -1
_STATIC_PROGRAM = 1
_NO_STATIC_OFFSETS = (-1, -2)
"""NO_TLS_OFFSET and FORCED_DYNAMIC_TLS_OFFSET (sysdeps/x86)."""


class _Field(NamedTuple):
    bits: int
    elements: int
    offset: int


class LiveTls(DebuggerEngine, interfaces.ThreadLocalStorage):
    """Addresses of thread-local variables of programs with glibc."""

    symbols = (_MODULE_ID, _STATIC_OFFSET, _VECTOR_POINTER, _VECTOR, _VALUE)

    def set_symbol(self, pid: int, name: str, value: int | None) -> None:
        """A symbol's address in a process; the client finds it."""
        values = self._symbol_values.setdefault(self.process(pid), {})
        if value is None:
            values.pop(name, None)
        else:
            values[name] = value

    def tls_address(self, thread: ThreadId, offset: int, link_map: int) -> int:
        """Where a thread has the variable at `offset` of a module's block."""
        task = self.thread(thread).task
        process = task.process
        try:
            pointer = task.thread_pointer
        except UtraceError as error:
            raise TargetError(str(error.strerror)) from None
        module = self._module(process, link_map)
        vector = self._word(process, pointer + self._field(process, _VECTOR_POINTER).offset)
        elements = self._field(process, _VECTOR)
        entry = vector + elements.offset + module * elements.bits // 8
        block = self._signed(process, entry + self._field(process, _VALUE).offset)
        if block == _UNALLOCATED:
            if not link_map:
                raise TargetError("the thread has no thread-local storage yet")
            static = self._signed(process, link_map + self._field(process, _STATIC_OFFSET).offset)
            if static in _NO_STATIC_OFFSETS:
                raise TargetError("the thread has not allocated this module's thread-local storage yet")
            block = pointer - static
        return (block + offset) & (1 << process.architecture.bits) - 1

    def _module(self, process: Process, link_map: int) -> int:
        """A module's index; a static program has no link_map and is the first module."""
        if not link_map:
            return _STATIC_PROGRAM
        module = self._word(process, link_map + self._field(process, _MODULE_ID).offset)
        if not module:
            raise TargetError("the module has no thread-local storage")
        return module

    def _field(self, process: Process, name: str) -> _Field:
        address = self._symbol_values.get(process, {}).get(name)
        if address is None:
            raise TargetError("the program's thread library does not describe its thread-local storage")
        return _Field(*_DESCRIPTION.unpack(self._read(process, address, _DESCRIPTION.size)))

    def _word(self, process: Process, address: int) -> int:
        return int.from_bytes(self._read(process, address, process.architecture.pointer_size), "little")

    def _signed(self, process: Process, address: int) -> int:
        size = process.architecture.pointer_size
        return int.from_bytes(self._read(process, address, size), "little", signed=True)

    def _read(self, process: Process, address: int, length: int) -> bytes:
        contents = process.address_space.read_some(address, length)
        if len(contents) < length:
            raise TargetError(f"Cannot access memory at {address:#x}")
        return contents

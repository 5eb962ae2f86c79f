"""ptrace(2), the PTRACE_SEIZE family: one function a request.

Every function acts on a thread id and must be called from the thread that seized it. They raise OSError:
ESRCH (ProcessLookupError) when the thread is gone, running, or was seized by another thread.
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import NamedTuple

from gdbstub.linux.libc import quick
from gdbstub.linux.siginfo import SIGINFO_SIZE

PEEKUSER, POKEUSER = 3, 6
CONT, SINGLESTEP, SYSCALL, SINGLEBLOCK = 7, 9, 24, 33
GETREGS, SETREGS = 12, 13
DETACH = 17
GET_THREAD_AREA = 25
SETOPTIONS, GETEVENTMSG, GETSIGINFO, SETSIGINFO = 0x4200, 0x4201, 0x4202, 0x4203
GETREGSET, SETREGSET = 0x4204, 0x4205
SEIZE, INTERRUPT, LISTEN, PEEKSIGINFO = 0x4206, 0x4207, 0x4208, 0x4209
GETSIGMASK, SETSIGMASK = 0x420A, 0x420B
GET_SYSCALL_INFO, SET_SYSCALL_INFO = 0x420E, 0x4212

O_TRACESYSGOOD, O_TRACEFORK, O_TRACEVFORK, O_TRACECLONE = 1, 2, 4, 8
O_TRACEEXEC, O_TRACEVFORKDONE, O_TRACEEXIT, O_EXITKILL = 0x10, 0x20, 0x40, 0x100000

EVENT_FORK, EVENT_VFORK, EVENT_CLONE, EVENT_EXEC, EVENT_VFORK_DONE, EVENT_EXIT = 1, 2, 3, 4, 5, 6
EVENT_STOP = 128

SYSCALL_INFO_ENTRY, SYSCALL_INFO_EXIT, SYSCALL_INFO_SECCOMP = 1, 2, 3

_ptrace = quick.ptrace
_ptrace.restype = ctypes.c_long
_ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]

_get_errno, _set_errno = ctypes.get_errno, ctypes.set_errno

SYSCALL_INFO_SIZE = 88
_SYSCALL_HEAD = struct.Struct("<B3xIQQ")
_SYSCALL_ENTRY = struct.Struct("<7Q")
_SYSCALL_EXIT = struct.Struct("<qB")
_USER_REGS_SIZE = 216


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _PeekSiginfoArgs(ctypes.Structure):
    _fields_ = (("offset", ctypes.c_uint64), ("flags", ctypes.c_uint32), ("count", ctypes.c_int32))


class SyscallInfo(NamedTuple):
    """struct ptrace_syscall_info (linux/ptrace.h)."""

    op: int
    """SYSCALL_INFO_ENTRY, _EXIT or _SECCOMP; 0 when the stop is none of them."""
    arch: int
    """AUDIT_ARCH_* of the call."""
    ip: int
    sp: int
    number: int
    """The call's number at entry; -1 at exit."""
    arguments: tuple[int, ...]
    """Six words at entry; empty at exit."""
    result: int
    """At exit: the value that the program gets, negative for an error."""
    is_error: bool


def request(number: int, tid: int, address: int | None = 0, data: int | None = 0) -> int:
    """One ptrace request with plain words; its result. Raises OSError."""
    result: int = _ptrace(number, tid, address, data)
    if result == -1:
        error = _get_errno()
        raise OSError(error, f"ptrace {number:#x} of {tid}: {os.strerror(error)}")
    return result


def seize(tid: int, options: int) -> None:
    """Trace a thread without stopping it. EPERM: not permitted, already traced, or a kernel thread."""
    request(SEIZE, tid, 0, options)


def interrupt(tid: int) -> None:
    """Make a thread stop soon with EVENT_STOP; remembered if it is stopped now."""
    request(INTERRUPT, tid)


def detach(tid: int, signal: int = 0) -> None:
    """Let a stopped thread go, delivering `signal` if it is in a signal-delivery-stop."""
    request(DETACH, tid, 0, signal)


def set_options(tid: int, options: int) -> None:
    """Replace the O_* options of a stopped thread."""
    request(SETOPTIONS, tid, 0, options)


_word = ctypes.c_uint64()
_word_address = ctypes.addressof(_word)


def event_message(tid: int) -> int:
    """The number that belongs to the current event: a new thread's id, an exit status, a former id."""
    request(GETEVENTMSG, tid, 0, _word_address)
    return _word.value


_registers = ctypes.create_string_buffer(_USER_REGS_SIZE)
_registers_address = ctypes.addressof(_registers)


def get_registers(tid: int) -> bytearray:
    """The general registers in the tracer's own (64-bit) layout."""
    request(GETREGS, tid, 0, _registers_address)
    return bytearray(_registers)


def set_registers(tid: int, registers: bytes | bytearray) -> None:
    """Set the general registers from the tracer's own (64-bit) layout."""
    ctypes.memmove(_registers_address, bytes(registers), _USER_REGS_SIZE)
    request(SETREGS, tid, 0, _registers_address)


_LARGEST_REGSET = 1 << 16
"""XSAVE areas grow with each processor; the kernel says how much of this it fills."""
_regset = ctypes.create_string_buffer(_LARGEST_REGSET)
_regset_view = memoryview(_regset)
_regset_address = ctypes.addressof(_regset)
_regset_vector = _Iovec()
_regset_vector_address = ctypes.addressof(_regset_vector)


def get_regset(tid: int, note_type: int) -> bytearray:
    """A register set in the thread's own layout: as many bytes as the kernel has."""
    _regset_vector.base, _regset_vector.length = _regset_address, _LARGEST_REGSET
    request(GETREGSET, tid, note_type, _regset_vector_address)
    return bytearray(_regset_view[: _regset_vector.length])


def set_regset(tid: int, note_type: int, contents: bytes | bytearray) -> None:
    """Set a register set; NT_X86_XSTATE takes only the whole of it (EFAULT, EINVAL otherwise)."""
    buffer = ctypes.create_string_buffer(bytes(contents), len(contents))
    vector = _Iovec(ctypes.addressof(buffer), len(contents))
    request(SETREGSET, tid, note_type, ctypes.addressof(vector))


def peek_user(tid: int, offset: int) -> int:
    """One word of `struct user`, unsigned."""
    _set_errno(0)
    # glibc's wrapper returns the word itself for the PEEK requests, so -1 is an error only with errno set.
    result: int = _ptrace(PEEKUSER, tid, offset, 0)
    error = _get_errno()
    if result == -1 and error:
        raise OSError(error, f"PTRACE_PEEKUSER of {tid}: {os.strerror(error)}")
    return result & (1 << 64) - 1


def poke_user(tid: int, offset: int, value: int) -> None:
    """Set one word of `struct user`."""
    request(POKEUSER, tid, offset, value)


def get_thread_area(tid: int, index: int) -> int:
    """The base address of a 32-bit thread's TLS segment descriptor (struct user_desc, asm/ldt.h)."""
    descriptor = (ctypes.c_uint32 * 4)()
    request(GET_THREAD_AREA, tid, index, ctypes.addressof(descriptor))
    return int(descriptor[1])


_siginfo = ctypes.create_string_buffer(SIGINFO_SIZE)
_siginfo_address = ctypes.addressof(_siginfo)


def get_siginfo(tid: int) -> bytes:
    """The siginfo of a signal-delivery-stop. EINVAL in a group stop."""
    request(GETSIGINFO, tid, 0, _siginfo_address)
    return _siginfo.raw


def set_siginfo(tid: int, siginfo: bytes) -> None:
    """Replace the siginfo of a signal-delivery-stop."""
    ctypes.memmove(_siginfo_address, siginfo, SIGINFO_SIZE)
    request(SETSIGINFO, tid, 0, _siginfo_address)


def pending_siginfo(tid: int, shared: bool = False, limit: int = 8) -> list[bytes]:
    """Signals queued for a stopped thread (or, `shared`, for its process), oldest first."""
    arguments = _PeekSiginfoArgs(0, 1 if shared else 0, limit)
    buffer = ctypes.create_string_buffer(SIGINFO_SIZE * limit)
    count = request(PEEKSIGINFO, tid, ctypes.addressof(arguments), ctypes.addressof(buffer))
    raw = buffer.raw
    return [raw[SIGINFO_SIZE * i : SIGINFO_SIZE * (i + 1)] for i in range(count)]


def get_signal_mask(tid: int) -> int:
    """The blocked signals of a stopped thread: bit n-1 for signal n."""
    request(GETSIGMASK, tid, 8, _word_address)
    return _word.value


def set_signal_mask(tid: int, mask: int) -> None:
    """Replace the blocked signals of a stopped thread."""
    _word.value = mask
    request(SETSIGMASK, tid, 8, _word_address)


_syscall_info = ctypes.create_string_buffer(SYSCALL_INFO_SIZE)
_syscall_info_address = ctypes.addressof(_syscall_info)


def get_syscall_info(tid: int) -> SyscallInfo:
    """What the thread's current stop says of a system call (Linux 5.3)."""
    request(GET_SYSCALL_INFO, tid, SYSCALL_INFO_SIZE, _syscall_info_address)
    op, arch, ip, sp = _SYSCALL_HEAD.unpack_from(_syscall_info)
    if op == SYSCALL_INFO_EXIT:
        result, is_error = _SYSCALL_EXIT.unpack_from(_syscall_info, _SYSCALL_HEAD.size)
        return SyscallInfo(op, arch, ip, sp, -1, (), result, bool(is_error))
    if op:
        number, *arguments = _SYSCALL_ENTRY.unpack_from(_syscall_info, _SYSCALL_HEAD.size)
        return SyscallInfo(op, arch, ip, sp, number, tuple(arguments), 0, False)
    return SyscallInfo(op, arch, ip, sp, -1, (), 0, False)


def set_syscall_info(tid: int, info: SyscallInfo) -> None:
    """Change number and arguments at entry, or the result at exit (Linux 6.16; EIO before)."""
    contents = bytearray(SYSCALL_INFO_SIZE)
    _SYSCALL_HEAD.pack_into(contents, 0, info.op, 0, 0, 0)
    if info.op == SYSCALL_INFO_EXIT:
        _SYSCALL_EXIT.pack_into(contents, _SYSCALL_HEAD.size, info.result, info.is_error)
    else:
        _SYSCALL_ENTRY.pack_into(contents, _SYSCALL_HEAD.size, info.number, *info.arguments)
    ctypes.memmove(_syscall_info_address, bytes(contents), SYSCALL_INFO_SIZE)
    request(SET_SYSCALL_INFO, tid, SYSCALL_INFO_SIZE, _syscall_info_address)

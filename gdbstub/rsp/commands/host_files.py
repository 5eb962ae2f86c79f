"""Host I/O: the files of the machine that the target runs on (gdb manual, section Host I/O Packets)."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable

from gdbstub.rsp.errors import ClientFault
from gdbstub.rsp.packet import escape
from gdbstub.rsp.parsing import binary, number, numbers, string_from_hex
from gdbstub.rsp.registry import command
from gdbstub.rsp.session import PACKET_SIZE, Session
from gdbstub.target.interfaces import HostFiles

STAT = struct.Struct(">7I3Q3I")
"""struct fio_stat (gdb manual, section struct stat), 64 bytes; `stat_layout` in the tests describes it."""

_LARGEST_READ = PACKET_SIZE // 2 - 64

_FLAGS = {
    0x1: os.O_WRONLY,
    0x2: os.O_RDWR,
    0x8: os.O_APPEND,
    0x200: os.O_CREAT,
    0x400: os.O_TRUNC,
    0x800: os.O_EXCL,
}
"""gdb's open flags (gdb manual, section Open Flags)."""

_SAME_ERRNO = frozenset((1, 2, 4, 5, 9, 13, 14, 16, 17, 19, 20, 21, 22, 23, 24, 27, 28, 29, 30))
_ERRNO = {errno.ENAMETOOLONG: 91, **{number: number for number in _SAME_ERRNO}}
_UNKNOWN = 9999
"""gdb's errno values (gdb manual, section Errno Values)."""

Operation = Callable[[HostFiles, bytes], bytes]


def _open(files: HostFiles, arguments: bytes) -> bytes:
    path, flags_text, mode_text = _fields(arguments, 3)
    wanted = number(flags_text)
    if wanted & ~sum(_FLAGS):
        raise OSError(errno.EINVAL, "unknown open flags")
    flags = 0
    for theirs, ours in _FLAGS.items():
        if wanted & theirs:
            flags |= ours
    return b"%x" % files.open_file(string_from_hex(path), flags, number(mode_text) & 0o7777)


def _close(files: HostFiles, arguments: bytes) -> bytes:
    files.close_file(number(arguments))
    return b"0"


def _pread(files: HostFiles, arguments: bytes) -> bytes:
    descriptor, count, offset = numbers(arguments, 3)
    data = files.read_file(descriptor, min(count, _LARGEST_READ), offset)
    return _with_data(data)


def _pwrite(files: HostFiles, arguments: bytes) -> bytes:
    descriptor, offset, data = _fields(arguments, 3)
    return b"%x" % files.write_file(number(descriptor), number(offset), binary(data))


def _fstat(files: HostFiles, arguments: bytes) -> bytes:
    return _with_data(pack_stat(files.file_status(number(arguments))))


def _unlink(files: HostFiles, arguments: bytes) -> bytes:
    files.unlink_file(string_from_hex(arguments))
    return b"0"


def _readlink(files: HostFiles, arguments: bytes) -> bytes:
    target = files.read_link(string_from_hex(arguments))
    return _with_data(target.encode(errors="surrogateescape"))


def _setfs(files: HostFiles, arguments: bytes) -> bytes:
    files.use_file_system_of(number(arguments))
    return b"0"


_OPERATIONS: dict[bytes, Operation] = {
    b"open": _open,
    b"close": _close,
    b"pread": _pread,
    b"pwrite": _pwrite,
    b"fstat": _fstat,
    b"unlink": _unlink,
    b"readlink": _readlink,
    b"setfs": _setfs,
}


@command("vFile", needs=HostFiles)
def host_file(session: Session, arguments: bytes) -> bytes:
    """vFile:OPERATION:ARGUMENTS; the reply is F and the result, or F-1 and gdb's errno."""
    name, _, rest = arguments.removeprefix(b":").partition(b":")
    operation = _OPERATIONS.get(name)
    if operation is None:
        return b""
    try:
        return b"F" + operation(session.target_as(HostFiles), rest)
    except OSError as error:
        return b"F-1,%x" % _ERRNO.get(error.errno or 0, _UNKNOWN)
    except (ClientFault, OverflowError):
        # An offset that no file can have does not fit the system call.
        return b"F-1,%x" % errno.EINVAL


def _fields(arguments: bytes, count: int) -> list[bytes]:
    fields = arguments.split(b",", count - 1)
    if len(fields) != count:
        raise ClientFault(f"{count} fields are needed")
    return fields


def _with_data(data: bytes) -> bytes:
    return b"%x;" % len(data) + escape(data)


def pack_stat(status: os.stat_result) -> bytes:
    """A file's status as gdb's struct stat; what does not fit a field is cut."""
    low = 0xFFFFFFFF
    return STAT.pack(
        status.st_dev & low,
        status.st_ino & low,
        status.st_mode,
        status.st_nlink & low,
        status.st_uid,
        status.st_gid,
        status.st_rdev & low,
        status.st_size,
        status.st_blksize,
        status.st_blocks,
        int(status.st_atime) & low,
        int(status.st_mtime) & low,
        int(status.st_ctime) & low,
    )

"""A file system that is a dictionary."""

from __future__ import annotations

import errno
import os
import stat

from gdbstub.target import interfaces


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


class SimulatedFiles(interfaces.HostFiles):
    """Regular files and symbolic links by their paths; there are no folders."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, bytearray] = {}
        self.links: dict[str, str] = {}
        self.file_system_of = 0
        self._open: dict[int, tuple[bytearray, int]] = {}
        """Open files: contents and os.O_* flags."""

    def use_file_system_of(self, pid: int) -> None:
        """All processes have the same files."""
        self.file_system_of = pid

    def open_file(self, path: str, flags: int, mode: int) -> int:
        """Open, create, truncate as the flags say."""
        path = self.links.get(path, path)
        if path not in self.files:
            if not flags & os.O_CREAT:
                raise _error(errno.ENOENT)
            self.files[path] = bytearray()
        elif flags & os.O_CREAT and flags & os.O_EXCL:
            raise _error(errno.EEXIST)
        if flags & os.O_TRUNC:
            self.files[path].clear()
        number = min(set(range(3, len(self._open) + 4)) - self._open.keys())
        self._open[number] = (self.files[path], flags)
        return number

    def close_file(self, number: int) -> None:
        """Close a file."""
        self._opened(number)
        del self._open[number]

    def read_file(self, number: int, count: int, offset: int) -> bytes:
        """Up to `count` bytes."""
        contents, flags = self._opened(number)
        if flags & os.O_ACCMODE == os.O_WRONLY:
            raise _error(errno.EBADF)
        return bytes(contents[offset : offset + count])

    def write_file(self, number: int, offset: int, data: bytes) -> int:
        """Write; a file grows by no more than a page of zeros beyond its end."""
        contents, flags = self._opened(number)
        if flags & os.O_ACCMODE == os.O_RDONLY:
            raise _error(errno.EBADF)
        if flags & os.O_APPEND:
            offset = len(contents)
        if offset > len(contents) + 4096:
            raise _error(errno.EFBIG)
        contents.extend(bytes(max(offset - len(contents), 0)))
        contents[offset : offset + len(data)] = data
        return len(data)

    def file_status(self, number: int) -> os.stat_result:
        """A regular file of its size."""
        contents, _ = self._opened(number)
        of_linux = {"st_rdev": 0, "st_blksize": 4096, "st_blocks": -(-len(contents) // 512)}
        return os.stat_result((stat.S_IFREG | 0o644, 1, 1, 1, 0, 0, len(contents), 0, 0, 0), of_linux)

    def unlink_file(self, path: str) -> None:
        """Remove a file or a link."""
        if self.links.pop(path, None) is None and self.files.pop(path, None) is None:
            raise _error(errno.ENOENT)

    def read_link(self, path: str) -> str:
        """Where a link points."""
        if path in self.files:
            raise _error(errno.EINVAL)
        if path not in self.links:
            raise _error(errno.ENOENT)
        return self.links[path]

    def _opened(self, number: int) -> tuple[bytearray, int]:
        if number not in self._open:
            raise _error(errno.EBADF)
        return self._open[number]

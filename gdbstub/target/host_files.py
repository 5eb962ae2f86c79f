"""The files of this machine, as a process in another mount namespace or root sees them if wanted."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

from gdbstub.linux.openat2 import open_in_root
from gdbstub.target import interfaces


class LocalFiles(interfaces.HostFiles):
    """Only files opened here can be read, written and closed here."""

    _file_system_of = 0
    _open_files: frozenset[int] = frozenset()

    def use_file_system_of(self, pid: int) -> None:
        """Paths mean what they mean to this process; 0: to the server."""
        if pid:
            os.stat(f"/proc/{pid}/root")
        self._file_system_of = pid

    def open_file(self, path: str, flags: int, mode: int) -> int:
        """Open with os.O_* flags; a number for the file."""
        # Without O_NONBLOCK a FIFO that nobody has at its other end would stop the whole server.
        flags |= os.O_CLOEXEC | os.O_NONBLOCK
        if self._is_elsewhere():
            number = open_in_root(f"/proc/{self._file_system_of}/root", path, flags, mode)
        else:
            number = os.open(path, flags, mode)
        self._open_files |= {number}
        return number

    def close_file(self, number: int) -> None:
        """Close a file."""
        self._require_open(number)
        self._open_files -= {number}
        os.close(number)

    def read_file(self, number: int, count: int, offset: int) -> bytes:
        """Up to `count` bytes."""
        self._require_open(number)
        try:
            return os.pread(number, count, offset)
        except OSError as error:
            if error.errno != errno.ESPIPE:
                raise
            return os.read(number, count)

    def write_file(self, number: int, offset: int, data: bytes) -> int:
        """How many bytes were written."""
        self._require_open(number)
        return os.pwrite(number, data, offset)

    def file_status(self, number: int) -> os.stat_result:
        """The status of an open file."""
        self._require_open(number)
        return os.fstat(number)

    def unlink_file(self, path: str) -> None:
        """Remove a file."""
        folder, name = os.path.split(path)
        with self._folder(folder or ".") as descriptor:
            os.unlink(name, dir_fd=descriptor)

    def read_link(self, path: str) -> str:
        """Where a symbolic link points."""
        folder, name = os.path.split(path)
        with self._folder(folder or ".") as descriptor:
            return os.readlink(name, dir_fd=descriptor)

    def close_all_files(self) -> None:
        """Close what a client has left open."""
        for number in self._open_files:
            with contextlib.suppress(OSError):
                os.close(number)
        self._open_files = frozenset()
        self._file_system_of = 0

    @contextlib.contextmanager
    def _folder(self, path: str) -> Iterator[int]:
        if self._is_elsewhere():
            descriptor = open_in_root(
                f"/proc/{self._file_system_of}/root", path, os.O_PATH | os.O_DIRECTORY, 0
            )
        else:
            descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _is_elsewhere(self) -> bool:
        """Whether paths mean something else to the chosen process than to us."""
        pid = self._file_system_of
        if not pid:
            return False
        theirs, ours = os.stat(f"/proc/{pid}/root"), os.stat("/")
        return (theirs.st_dev, theirs.st_ino) != (ours.st_dev, ours.st_ino) or os.readlink(
            f"/proc/{pid}/ns/mnt"
        ) != os.readlink("/proc/self/ns/mnt")

    def _require_open(self, number: int) -> None:
        if number not in self._open_files:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))

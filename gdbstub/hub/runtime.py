"""Where shared processes are found: a folder for each, named by its pid, with a socket for each way in.

A hub holds a lock in the folder as long as it lives, so what a dead hub left behind is recognised.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

WAYS_IN = ("gdb", "control")
"""The sockets of a process: gdb's protocol, and requests of other programs."""
_LOCK = "lock"


def runtime_folder() -> Path:
    """The folder of this user's shared processes; root's is /run/gdbstub."""
    user = os.geteuid()
    if user == 0:
        return Path("/run/gdbstub")
    given = os.environ.get("XDG_RUNTIME_DIR")
    return Path(given) / "gdbstub" if given else Path(f"/tmp/gdbstub-{user}")


@dataclass(frozen=True)
class Place:
    """The folder of one process."""

    pid: int
    folder: Path

    @classmethod
    def of(cls, pid: int) -> Place:
        """Where a process is found if this user shares it."""
        return cls(pid, runtime_folder() / str(pid))

    def socket(self, way: str) -> Path:
        """One of WAYS_IN."""
        return self.folder / way

    def is_live(self) -> bool:
        """Whether a hub shares the process now."""
        try:
            descriptor = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            return not _lock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def claim(self) -> Claim | None:
        """Become the one that shares the process; None if somebody is. Raises OSError.

        What a dead hub has left there goes.
        """
        _make_private(self.folder.parent)
        while True:
            # Not `exist_ok`, which fails if the folder goes just then.
            with contextlib.suppress(FileExistsError):
                self.folder.mkdir(mode=0o700)
            try:
                descriptor = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except FileNotFoundError:
                continue
            if _lock(descriptor, fcntl.LOCK_EX) and os.fstat(descriptor).st_nlink:
                claim = Claim(self, descriptor)
                claim.clear()
                return claim
            # Else its owner removed the folder between our opening and locking, or somebody looked whether it
            # is live just then.
            owned = not _lock(descriptor, fcntl.LOCK_SH)
            os.close(descriptor)
            if owned:
                return None


class Claim:
    """The right to share a process, for as long as this object's owner lives and does not release it."""

    def __init__(self, place: Place, lock: int) -> None:
        self.place = place
        self._lock = lock

    def clear(self) -> None:
        """Remove the sockets."""
        for way in WAYS_IN:
            with contextlib.suppress(FileNotFoundError):
                self.place.socket(way).unlink()

    def release(self) -> None:
        """Give it up, folder included."""
        self.clear()
        with contextlib.suppress(OSError):
            (self.place.folder / _LOCK).unlink()
            self.place.folder.rmdir()
        os.close(self._lock)


def places() -> Iterator[Place]:
    """All processes that this user shares, by pid; what dead hubs have left is removed."""
    try:
        names = os.listdir(runtime_folder())
    except FileNotFoundError:
        return
    for pid in sorted(int(name) for name in names if name.isascii() and name.isdigit()):
        place = Place.of(pid)
        if place.is_live():
            yield place
        else:
            claim = place.claim()
            if claim is not None:
                claim.release()


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _make_private(folder: Path) -> None:
    """Make the folder of all places; one that others can write into is refused with PermissionError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PermissionError(1, f"{folder} is not this user's own")

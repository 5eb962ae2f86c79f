"""On which processor a thread last ran (/proc/TID/stat), for one thread asked about again and again."""

from __future__ import annotations

import contextlib
import os

_PROCESSOR = 36
"""Index of the field `processor`, counted from `state` (proc(5))."""
_LONGEST = 1024


class LastProcessor:
    """Keeps the file of the thread that was asked about last open."""

    def __init__(self) -> None:
        self._tid = 0
        self._file = -1

    def of(self, tid: int) -> int | None:
        """The processor's number; None once the thread is gone."""
        try:
            if tid != self._tid:
                self.close()
                self._file = os.open(f"/proc/{tid}/stat", os.O_RDONLY | os.O_CLOEXEC)
                self._tid = tid
            contents = os.pread(self._file, _LONGEST, 0)
        except OSError:
            self.close()
            return None
        return int(contents[contents.rindex(b")") + 2 :].split()[_PROCESSOR])

    def close(self) -> None:
        """Give up the file."""
        if self._file >= 0:
            with contextlib.suppress(OSError):
                os.close(self._file)
        self._tid, self._file = 0, -1

"""The errors of the utrace calls: exceptions that carry the kernel's errno."""

from __future__ import annotations

import errno
import os
from typing import ClassVar

ERESTARTSYS = 512
"""Kernel-internal: an interrupted wait (include/linux/errno.h)."""


class UtraceError(OSError):
    """A call of the layer was refused; `errno` is what the kernel's utrace returned for it."""

    number: ClassVar[int] = errno.EIO

    def __init__(self, why: str = "") -> None:
        super().__init__(self.number, why or os.strerror(self.number))


class NoMatch(UtraceError):
    """ENOENT: no engine on the task matches."""

    number = errno.ENOENT


class Exists(UtraceError):
    """EEXIST: a matching engine is attached already."""

    number = errno.EEXIST


class Invalid(UtraceError):
    """EINVAL: the request makes no sense for this engine or task."""

    number = errno.EINVAL


class NotPermitted(UtraceError):
    """EPERM: a kernel thread, or a task that may not be traced; the text says why."""

    number = errno.EPERM


class NoTask(UtraceError):
    """ESRCH: the task is gone, or the engine is not attached to it any more."""

    number = errno.ESRCH


class TooLate(UtraceError):
    """EALREADY: the task's death is being reported, and the change came too late for it."""

    number = errno.EALREADY


class InProgress(UtraceError):
    """EINPROGRESS: accepted; it takes effect when the task gets there (STOP), or after the callback."""

    number = errno.EINPROGRESS


class Running(UtraceError):
    """EAGAIN: the task runs, or ran in between."""

    number = errno.EAGAIN


class NotSupported(UtraceError):
    """EOPNOTSUPP: the machine cannot do it."""

    number = errno.EOPNOTSUPP


class NoSpace(UtraceError):
    """ENOSPC: the debug registers are used up."""

    number = errno.ENOSPC


class Interrupted(UtraceError):
    """ERESTARTSYS: the wait was cancelled."""

    number = ERESTARTSYS

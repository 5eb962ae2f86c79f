"""Signals that reach a task another way than from the signal-delivery-stop that ptrace gave.

A stop other than that takes no signal (its `data` is ignored or loses the siginfo), so the signal is sent
again with tgkill(2), and the stop that it causes gets the siginfo that it should have.
"""

from __future__ import annotations

import os

from gdbstub.linux import procfs, ptrace, signals
from gdbstub.linux.siginfo import SI_TKILL, SigInfo
from gdbstub.utrace.actions import Signal
from gdbstub.utrace.ptrace_task import PtraceTask, Redelivery
from gdbstub.utrace.task import Departure

_CORE_SIGNALS = (signals.SIGQUIT, 6, 11, 8, 4, 7, 31)
_TERMINATING_SIGNALS = (signals.SIGTERM, 1, signals.SIGINT, 10, 12)


def deliver(task: PtraceTask, departure: Departure) -> int:
    """Get a signal-delivery-stop ready for a departure's signal: the number to resume with."""
    info, current = departure.signal, task.signal
    if info is None or current is None:
        return 0
    number = acting_signal(task, info.number, departure.signal_action)
    if info.number == number and info != current:
        ptrace.set_siginfo(task.tid, info.raw)
    return number


def send(task: PtraceTask, info: SigInfo, departure: Departure | None) -> None:
    """Queue a signal for the task. With a departure its stop is left at once in that way, unreported."""
    task.redeliveries.append(Redelivery(info, departure))
    signals.send_to_thread(task.process.pid, task.tid, info.number)


def take(task: PtraceTask, info: SigInfo) -> Redelivery | None:
    """The redelivery that this signal-delivery-stop is; None if it is a fresh signal."""
    # A task in a PID namespace below ours, as in a container, is told of no sender.
    if info.code != SI_TKILL or info.sender not in (os.getpid(), 0):
        return None
    for redelivery in task.redeliveries:
        if redelivery.info.number == info.number:
            task.redeliveries.remove(redelivery)
            return redelivery
    return None


def acting_signal(task: PtraceTask, number: int, action: Signal) -> int:
    """The signal whose delivery does what was decided.

    ptrace acts through the process's own disposition, so where the signal is caught or ignored another one
    with the wanted default action stands in, in the end SIGKILL; the exit status then tells of that one.
    """
    if action is Signal.DELIVER:
        return number
    if action is Signal.STOP:
        return signals.SIGSTOP
    sets = procfs.signal_sets(task.tid)
    arranged = sets["SigCgt"] | sets["SigIgn"]
    if action is Signal.TSTP:
        return _first_free((signals.SIGTSTP,), arranged, signals.SIGSTOP)
    core = action is Signal.CORE
    wanted = signals.Default.CORE if core else signals.Default.TERMINATE
    candidates: tuple[int, ...] = _CORE_SIGNALS if core else _TERMINATING_SIGNALS
    if number and signals.default_action(number) is wanted:
        candidates = (number, *candidates)
    return _first_free(candidates, arranged, signals.SIGKILL)


def _first_free(candidates: tuple[int, ...], arranged: int, otherwise: int) -> int:
    free = (number for number in candidates if not signals.is_member(arranged, number))
    return next(free, otherwise)

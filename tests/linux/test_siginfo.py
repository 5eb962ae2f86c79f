"""siginfo_t: the few fields that are read at each signal against the whole structure."""

from __future__ import annotations

import os
import signal
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdbstub.linux.siginfo import SI_QUEUE, SI_TKILL, SI_USER, SigInfo
from gdbstub.linux.siginfo_layout import SIGINFO_32, SIGINFO_64, from_32_bit, to_32_bit, variant

INT32 = st.integers(-(1 << 31), (1 << 31) - 1)
SIGSEGV, SIGCHLD, SIGTRAP, SIGPOLL, SIGSYS = 11, 17, 5, 29, 31
SEGV_MAPERR, CLD_EXITED, TRAP_BRKPT, SI_KERNEL, SI_TIMER = 1, 1, 1, 0x80, -2


@given(st.integers(1, 64), INT32, st.integers(0, (1 << 32) - 1))
def test_a_made_signal_is_one_sent_by_kill(number: int, pid: int, uid: int) -> None:
    info = SigInfo.make(number, SI_USER, pid, uid)
    parsed = SIGINFO_64.parse(info.raw)
    assert (parsed.signo, parsed.errno, parsed.code) == (number, 0, SI_USER)
    assert (parsed.fields.pid, parsed.fields.uid) == (pid, uid)
    assert (info.number, info.code, info.sender) == (number, SI_USER, pid)


@given(st.binary(min_size=128, max_size=128))
def test_the_short_cuts_read_what_the_structure_says(raw: bytes) -> None:
    info = SigInfo(raw)
    parsed = SIGINFO_64.parse(raw)
    assert (info.number, info.code) == (parsed.signo, parsed.code)
    if variant(parsed.signo, parsed.code) == "kill":
        assert info.sender == parsed.fields.pid
    fault = SIGINFO_64.parse(
        SIGSEGV.to_bytes(4, "little") + bytes(4) + SEGV_MAPERR.to_bytes(4, "little") + raw[12:]
    )
    assert info.address == fault.fields.address


@given(st.integers(0, (1 << 64) - 1), st.integers(1, 64))
def test_changes_are_the_structure_s(address: int, number: int) -> None:
    raw = SIGINFO_64.build(
        {
            "signo": SIGSEGV,
            "errno": 3,
            "code": SEGV_MAPERR,
            "fields": {"address": 1, "lsb": 2, "lower": 3, "upper": 4},
        }
    )
    info = SigInfo(raw)
    info.address = address
    parsed = SIGINFO_64.parse(info.raw)
    assert (parsed.fields.address, parsed.fields.lower, parsed.errno) == (address, 3, 3)
    info.number = number
    assert len(info.raw) == 128
    assert (SIGINFO_64.parse(info.raw).signo, info.address) == (number, address)
    assert info == SigInfo(info.raw)


@pytest.mark.parametrize(
    ("number", "code", "member"),
    [
        (SIGSEGV, SEGV_MAPERR, "fault"),
        (SIGSEGV, SI_KERNEL, "fault"),
        (SIGSEGV, SI_USER, "kill"),
        (SIGSEGV, SI_TKILL, "kill"),
        (SIGTRAP, TRAP_BRKPT, "fault"),
        (SIGCHLD, CLD_EXITED, "child"),
        (SIGCHLD, SI_USER, "kill"),
        (SIGPOLL, 1, "poll"),
        (SIGSYS, 1, "system"),
        (34, SI_QUEUE, "queue"),
        (34, SI_TIMER, "timer"),
        (2, SI_KERNEL, "kill"),
    ],
)
def test_which_member_counts(number: int, code: int, member: str) -> None:
    assert variant(number, code) == member


CASES = {
    "kill": (2, SI_USER, {"pid": -5, "uid": 0xFFFFFFFF}),
    "timer": (34, SI_TIMER, {"timer": 1, "overrun": 2, "value": 0xFFFFFFFF}),
    "queue": (34, SI_QUEUE, {"pid": 1, "uid": 2, "value": 0x89ABCDEF}),
    "child": (SIGCHLD, CLD_EXITED, {"pid": 1, "uid": 2, "status": 3, "utime": 4, "stime": 5}),
    "fault": (SIGSEGV, SEGV_MAPERR, {"address": 0xFFFFE000, "lsb": 1, "lower": 2, "upper": 3}),
    "poll": (SIGPOLL, 1, {"band": 65, "fd": 3}),
    "system": (SIGSYS, 1, {"call_address": 0x8048000, "syscall": 20, "arch": 0x40000003}),
}


@pytest.mark.parametrize(("number", "code", "fields"), CASES.values(), ids=CASES)
def test_between_the_two_layouts(number: int, code: int, fields: dict[str, int]) -> None:
    wide = SIGINFO_64.build({"signo": number, "errno": 9, "code": code, "fields": fields})
    narrow = to_32_bit(wide)
    assert len(wide) == len(narrow) == 128
    parsed = SIGINFO_32.parse(narrow)
    assert (parsed.signo, parsed.errno, parsed.code) == (number, 9, code)
    assert {name: parsed.fields[name] for name in fields} == fields
    assert from_32_bit(narrow) == wide


def test_a_wide_address_is_cut() -> None:
    raw = SIGINFO_64.build(
        {
            "signo": SIGSEGV,
            "errno": 0,
            "code": SEGV_MAPERR,
            "fields": {"address": 0x1_2345_6789, "lsb": 0, "lower": 0, "upper": 0},
        }
    )
    assert SIGINFO_32.parse(to_32_bit(raw)).fields.address == 0x2345_6789


@given(st.binary(min_size=128, max_size=128))
def test_any_contents_can_be_shown(raw: bytes) -> None:
    assert len(from_32_bit(raw)) == 128
    assert len(to_32_bit(raw)) == 128


def test_a_real_one() -> None:
    """sigtimedwait gives what the kernel fills in (glibc says SI_USER for SI_TKILL)."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    try:
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        seen = signal.sigtimedwait([signal.SIGUSR1], 20)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
    assert seen is not None
    made = SigInfo.make(seen.si_signo, seen.si_code, seen.si_pid, seen.si_uid)
    assert (made.number, made.code, made.sender) == (signal.SIGUSR1, SI_USER, os.getpid())

"""siginfo_t in full (asm-generic/siginfo.h), for 64-bit and for 32-bit programs, and between the two.

ptrace shows a 64-bit tracer the 64-bit layout whatever the program is; a debugger wants the program's own.
"""

from __future__ import annotations

from typing import Any

from construct import (
    Construct,
    GreedyBytes,
    Int16ul,
    Int32sl,
    Int32ul,
    Int64sl,
    Int64ul,
    Padded,
    Padding,
    Struct,
    Switch,
)

from gdbstub.linux.siginfo import SIGINFO_SIZE

_TIMER, _POLL_SIGNAL, _CHILD_SIGNAL, _SYS_SIGNAL = -2, 29, 17, 31
_FAULTS = (4, 5, 7, 8, 11)


def variant(signal: int, code: int) -> str:
    """Which member of the union a signal and code use (kernel/signal.c, siginfo_layout)."""
    if code == _TIMER:
        return "timer"
    if code < 0 and code != -6:
        return "queue"
    if code <= 0 or code == 0x80:
        return "kill" if code != 0x80 or signal not in _FAULTS else "fault"
    if signal in _FAULTS:
        return "fault"
    return {_CHILD_SIGNAL: "child", _POLL_SIGNAL: "poll", _SYS_SIGNAL: "system"}.get(signal, "kill")


def _variants(word: Construct[Any, Any], long: Construct[Any, Any], head: int) -> dict[str, Any]:
    """The union's members for a pointer size; `head` is the bytes before the union."""
    rest = SIGINFO_SIZE - head

    def padded(*fields: Any) -> Any:
        return Padded(rest, Struct(*fields))

    pair = ("pid" / Int32sl, "uid" / Int32ul)
    wide = word is Int64ul
    return {
        "kill": padded(*pair),
        "timer": padded("timer" / Int32sl, "overrun" / Int32sl, "value" / word),
        "queue": padded(*pair, "value" / word),
        "child": padded(
            *pair, "status" / Int32sl, *((Padding(4),) if wide else ()), "utime" / long, "stime" / long
        ),
        "fault": padded(
            "address" / word,
            "lsb" / Int16ul,
            Padding(6 if wide else 2),
            "lower" / word,
            "upper" / word,
        ),
        "poll": padded("band" / long, "fd" / Int32sl),
        "system": padded("call_address" / word, "syscall" / Int32sl, "arch" / Int32ul),
    }


def _layout(word: Construct[Any, Any], long: Construct[Any, Any]) -> Any:
    head = 16 if word is Int64ul else 12
    return Struct(
        "signo" / Int32sl,
        "errno" / Int32sl,
        "code" / Int32sl,
        *((Padding(4),) if head == 16 else ()),
        "fields"
        / Switch(
            lambda context: variant(context.signo, context.code), _variants(word, long, head), GreedyBytes
        ),
    )


SIGINFO_64 = _layout(Int64ul, Int64sl)
"""128 bytes of a 64-bit program."""
SIGINFO_32 = _layout(Int32ul, Int32sl)
"""128 bytes of a 32-bit program."""


def to_32_bit(raw: bytes) -> bytes:
    """The 32-bit program's view of a 64-bit siginfo; words are cut to 32 bits."""
    parsed = SIGINFO_64.parse(raw)
    for name in ("value", "address", "lower", "upper", "call_address"):
        if name in parsed.fields:
            parsed.fields[name] &= 0xFFFFFFFF
    return bytes(SIGINFO_32.build(parsed))


def from_32_bit(raw: bytes) -> bytes:
    """The 64-bit form of a 32-bit program's siginfo."""
    return bytes(SIGINFO_64.build(SIGINFO_32.parse(raw)))

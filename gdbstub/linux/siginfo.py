"""siginfo_t as ptrace hands it out: the fields that are needed at every signal, without construct.

`gdbstub.linux.siginfo_layout` describes the whole structure.
"""

from __future__ import annotations

import struct

SIGINFO_SIZE = 128

HEAD = struct.Struct("<iii4x")
"""si_signo, si_errno, si_code."""
ADDRESS = struct.Struct("<16xQ")
SENDER = struct.Struct("<16xiI")
"""si_pid, si_uid of a sent signal."""

SI_USER, SI_TKILL, SI_QUEUE = 0, -6, -1


class SigInfo:
    """A signal's siginfo, which engines may change before it is delivered."""

    __slots__ = ("raw",)

    def __init__(self, raw: bytes) -> None:
        """`raw`: 128 bytes in the kernel's 64-bit layout."""
        self.raw = raw

    @classmethod
    def make(cls, number: int, code: int = SI_USER, pid: int = 0, uid: int = 0) -> SigInfo:
        """A siginfo like that of a signal sent by kill(2)."""
        raw = bytearray(SIGINFO_SIZE)
        HEAD.pack_into(raw, 0, number, 0, code)
        raw[16:24] = struct.pack("<iI", pid, uid)
        return cls(bytes(raw))

    @property
    def number(self) -> int:
        """The signal."""
        number: int = HEAD.unpack_from(self.raw)[0]
        return number

    @number.setter
    def number(self, number: int) -> None:
        self.raw = number.to_bytes(4, "little", signed=True) + self.raw[4:]

    @property
    def code(self) -> int:
        """si_code: where the signal comes from; positive only for those of the kernel."""
        code: int = HEAD.unpack_from(self.raw)[2]
        return code

    @property
    def address(self) -> int:
        """si_addr of a fault."""
        (address,) = ADDRESS.unpack_from(self.raw)
        return int(address)

    @address.setter
    def address(self, address: int) -> None:
        self.raw = self.raw[:16] + address.to_bytes(8, "little") + self.raw[24:]

    @property
    def sender(self) -> int:
        """si_pid of a signal that was sent."""
        (pid, _) = SENDER.unpack_from(self.raw)
        return int(pid)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SigInfo) and other.raw == self.raw

    def __repr__(self) -> str:
        return f"SigInfo(number={self.number}, code={self.code})"

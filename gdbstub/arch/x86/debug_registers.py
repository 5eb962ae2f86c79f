"""The x86 debug registers (Intel SDM volume 3, section 18.2): four addresses, a status, a control word."""

from __future__ import annotations

from collections.abc import Sequence

from gdbstub.arch.description import Watch

_RW = {"execute": 0b00, "write": 0b01, "access": 0b11}
_LEN = {1: 0b00, 2: 0b01, 4: 0b11, 8: 0b10}
_STEP_BIT = 14


class X86DebugRegisters:
    """DR0-DR3 hold addresses, DR6 says what happened, DR7 says what to watch."""

    slots = 4
    user_offset = 848
    """offsetof(struct user, u_debugreg) for a 64-bit tracer (sys/user.h)."""
    status = 6
    control = 7

    def __init__(self, widest: int, limit: int) -> None:
        """`widest`: bytes that one register can watch, 8 in 64-bit mode, else 4. `limit`: where user space
        ends; the kernel lets nobody watch beyond it.
        """
        self._widest = widest
        self._limit = limit

    def split(self, kind: str, address: int, length: int) -> list[Watch]:
        """Cut a range into aligned pieces of 1, 2, 4 or 8 bytes; execution is watched by its first byte.

        Of a range that is too large the first pieces are given, one more than there are registers.
        """
        if kind not in _RW:
            raise ValueError(f"x86 cannot watch for {kind}")
        if kind == "execute":
            length = 1
        pieces: list[Watch] = []
        end = address + length
        while address < end and len(pieces) <= self.slots:
            size = self._widest
            while size > 1 and (address % size or address + size > end):
                size //= 2
            pieces.append(Watch(kind, address, size))
            address += size
        if address > self._limit:
            raise ValueError(f"{address - 1:#x} is beyond user space")
        return pieces

    def control_value(self, watches: Sequence[Watch | None]) -> int:
        """DR7 with the local enable bit, the access kind and the length of each slot in use."""
        value = 0
        for slot, watch in enumerate(watches):
            if watch is not None:
                value |= 1 << 2 * slot
                value |= (_RW[watch.kind] | _LEN[watch.length] << 2) << 16 + 4 * slot
        return value

    def hits(self, status: int) -> list[int]:
        """Slots whose condition DR6 reports."""
        return [slot for slot in range(self.slots) if status >> slot & 1]

    def stepped(self, status: int) -> bool:
        """DR6.BS."""
        return bool(status >> _STEP_BIT & 1)

"""What goes wrong in a session, as what the client is told."""

from __future__ import annotations

_PLAIN = bytes.maketrans(b"#$*}", b"    ")
"""What would end a packet, or mean a run or an escape, has no place in text."""


class PacketError(Exception):
    """A request that gets an error reply."""

    code = 1

    def __init__(self, why: str, code: int | None = None) -> None:
        super().__init__(why)
        if code is not None:
            self.code = code

    def reply(self, with_text: bool) -> bytes:
        """`Enn`, or for a client that understands it `E.text`."""
        if with_text:
            return b"E." + str(self).encode(errors="replace").translate(_PLAIN)
        return b"E%02x" % self.code


class ClientFault(PacketError):
    """The client sent something that cannot be."""


class TargetFault(PacketError):
    """The target could not do it."""


class NotServed(Exception):
    """The target lacks what the packet needs: the reply is empty."""

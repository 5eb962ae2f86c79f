"""One run of a session as text: the same text each time, whatever addresses and numbers the run has.

The recorder writes what this makes of packets, and the replayer compares with it, so that each rule here is
also a check: a reply that is not as the rule wants it comes out as different text.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from binascii import unhexlify

from session_names import Names
from session_objects import OBJECTS
from session_replies import reply_text
from session_requests import request_text
from session_text import encode, unescape_binary

_READ = re.compile(rb"(qXfer:([a-z0-9-]+):read:(.*?)):([0-9a-f]+),([0-9a-f]+)", re.DOTALL)


class Transcript:
    """What is known while packets come and go."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.request = b""
        """The last packet from gdb that waits for replies."""
        self.register_numbers: dict[str, int] = {}
        self.register_places: dict[str, tuple[int, int]] = {}
        """(offset, size) in a register block; the block's own size is that of the name `all`."""
        self.files: dict[int, str] = {}
        """Paths of the open files, by descriptor."""
        self.unnamed: set[int] = set()
        """Addresses in gdb's packets that no placeholder stands for: they cannot be replayed elsewhere."""
        self._pieces = b""

    def encode(self, text: str) -> bytes:
        """The packet of a text."""
        return encode(text, self.names, self.register_numbers)

    def gdb_says(self, packet: bytes) -> str | None:
        """A packet from gdb as text; None for one that only reads on in an object."""
        reads_on = bool(self._pieces) and self.next_piece(self.request) == packet
        self.request = packet
        return None if reads_on else request_text(self, packet)

    def server_says(self, packet: bytes) -> str | None:
        """A reply as text; None for a piece of an object that is not the last one."""
        match = _READ.fullmatch(self.request)
        if match is None or packet[:1] not in (b"m", b"l") or match[2] == b"siginfo":
            self._pieces = b""
            return reply_text(self, packet)
        self._pieces += unescape_binary(packet[1:])
        if packet.startswith(b"m"):
            return None
        contents, self._pieces = self._pieces, b""
        render = OBJECTS[match[2].decode()]
        return "l" + render(self, match[3].decode(), contents)

    def next_piece(self, request: bytes) -> bytes:
        """The packet that reads an object on from what has come."""
        match = _READ.fullmatch(request)
        assert match is not None
        return b"%b:%x,%b" % (match[1], len(self._pieces), match[5])

    def server_notifies(self, packet: bytes) -> str:
        """A notification as text."""
        name, _, body = packet.partition(b":")
        return f"{name.decode()}:{reply_text(self, body, stops=True)}"

    def learn_registers(self, description: ElementTree.Element) -> None:
        """Where each register lies, from the target description."""
        self.register_numbers, self.register_places = {}, {}
        number, offset, places = 0, 0, []
        for register in description.iter("reg"):
            number = int(register.get("regnum", number))
            size = int(register.attrib["bitsize"]) // 8
            places.append((number, register.attrib["name"], size))
            number += 1
        for number, name, size in sorted(places):
            self.register_numbers[name] = number
            self.register_places[name] = (offset, size)
            offset += size
        self.register_places["all"] = (0, offset)

    def register(self, block: bytes, name: str) -> int:
        """A register's value in a block in hex."""
        offset, size = self.register_places[name]
        return int.from_bytes(unhexlify(block[2 * offset : 2 * (offset + size)]), "little")

"""Memory: reading, writing, searching, checksums."""

from __future__ import annotations

from binascii import hexlify

from gdbstub.rsp.errors import ClientFault, TargetFault
from gdbstub.rsp.packet import escape
from gdbstub.rsp.parsing import binary, from_hex, number, numbers, split_address
from gdbstub.rsp.registry import command
from gdbstub.rsp.session import PACKET_SIZE, Session
from gdbstub.target.interfaces import MemoryMap

_SEARCH_CHUNK = 1 << 20


def _read(session: Session, address: int, length: int) -> bytes:
    contents = session.target.read_memory(session.general_process(), address, length)
    if not contents and length:
        raise TargetFault(f"Cannot access memory at address {address:#x}")
    return contents


@command("m")
def read(session: Session, arguments: bytes) -> bytes:
    """Memory in hex; a shorter reply where the rest cannot be read."""
    address, length = numbers(arguments, 2)
    return hexlify(_read(session, address, min(length, PACKET_SIZE // 2)))


@command("x", features=("binary-upload+",))
def read_binary(session: Session, arguments: bytes) -> bytes:
    """Memory as it is, after a `b` (gdb 16)."""
    address, length = numbers(arguments, 2)
    return b"b" + escape(_read(session, address, min(length, PACKET_SIZE // 2)))


@command("M")
def write(session: Session, arguments: bytes) -> bytes:
    """Write memory given in hex."""
    address, length, digits = split_address(arguments, b":")
    return _write(session, address, length, from_hex(digits))


@command("X")
def write_binary(session: Session, arguments: bytes) -> bytes:
    """Write memory given as it is; a length of zero asks only whether this packet is known."""
    address, length, data = split_address(arguments, b":")
    return _write(session, address, length, binary(data))


def _write(session: Session, address: int, length: int, contents: bytes) -> bytes:
    if len(contents) != length:
        raise ClientFault(f"{length} bytes were announced and {len(contents)} sent")
    if contents:
        session.target.write_memory(session.general_process(), address, contents)
    return b"OK"


@command("qSearch")
def search(session: Session, arguments: bytes) -> bytes:
    """qSearch:memory:ADDRESS;LENGTH;PATTERN, passing over what cannot be read."""
    if not arguments.startswith(b":memory:"):
        return b""
    parts = arguments.removeprefix(b":memory:").split(b";", 2)
    if len(parts) != 3:
        raise ClientFault("qSearch:memory takes an address, a length and a pattern")
    address, length, pattern = number(parts[0]), number(parts[1]), binary(parts[2])
    if not pattern:
        raise ClientFault("there is nothing to search for")
    found = _search(session, address, address + length, pattern)
    return b"0" if found is None else b"1,%x" % found


def _search(session: Session, address: int, end: int, pattern: bytes) -> int | None:
    pid = session.general_process()
    overlap = len(pattern) - 1
    tail = b""
    while address < end:
        chunk = session.target.read_memory(pid, address, min(_SEARCH_CHUNK, end - address))
        if not chunk:
            tail = b""
            address = _next_readable(session, pid, address, end)
            continue
        block = tail + chunk
        position = block.find(pattern)
        if position >= 0:
            return address - len(tail) + position
        address += len(chunk)
        tail = block[-overlap:] if overlap else b""
    return None


def _next_readable(session: Session, pid: int, address: int, end: int) -> int:
    """Where memory goes on after a hole. A target that does not know is not asked page by page: that might
    take for ever.
    """
    if not isinstance(session.target, MemoryMap):
        raise TargetFault(f"Cannot access memory at address {address:#x}")
    following = (start for start, _ in session.target.mapped_ranges(pid) if start > address)
    return min(next(following, end), end)


@command("qCRC")
def crc(session: Session, arguments: bytes) -> bytes:
    """qCRC:ADDRESS,LENGTH (gdb manual: CRC-32, most significant bit first, starting with all ones)."""
    address, length = numbers(arguments.removeprefix(b":"), 2)
    value = 0xFFFFFFFF
    while length:
        chunk = _read(session, address, min(length, _SEARCH_CHUNK))
        value = _crc32(chunk, value)
        address += len(chunk)
        length -= len(chunk)
    return b"C%x" % value


def _crc32(data: bytes, value: int) -> int:
    """zlib's CRC has the same polynomial with all bits mirrored, so it serves once they are mirrored back."""
    import zlib

    mirrored = data.translate(_MIRROR)
    return _mirror32(zlib.crc32(mirrored, _mirror32(value) ^ 0xFFFFFFFF) ^ 0xFFFFFFFF)


_MIRROR = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _mirror32(value: int) -> int:
    return int.from_bytes(value.to_bytes(4, "little").translate(_MIRROR), "big")

"""vFile: the files of the target's machine."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from construct import Int32ub, Int64ub, Struct
from hypothesis import given
from hypothesis import strategies as st
from rsp_client import Client, to_bytes

from gdbstub.rsp.commands.host_files import STAT, pack_stat
from gdbstub.rsp.packet import escape, unescape
from gdbstub.rsp.session import PACKET_SIZE
from gdbstub.target.host_files import LocalFiles
from gdbstub.testing.target import SimulatedTarget

FIO_STAT = Struct(
    "dev" / Int32ub,
    "ino" / Int32ub,
    "mode" / Int32ub,
    "nlink" / Int32ub,
    "uid" / Int32ub,
    "gid" / Int32ub,
    "rdev" / Int32ub,
    "size" / Int64ub,
    "blksize" / Int64ub,
    "blocks" / Int64ub,
    "atime" / Int32ub,
    "mtime" / Int32ub,
    "ctime" / Int32ub,
)
"""struct stat of gdb's File-I/O (gdb manual, section struct stat)."""
WRONLY, RDWR, APPEND, CREAT, TRUNC, EXCL = 1, 2, 8, 0x200, 0x400, 0x800


def path(name: str) -> str:
    return name.encode(errors="surrogateescape").hex()


@pytest.fixture
def files(client: Client, target: SimulatedTarget) -> Client:
    target.files["/a"] = bytearray(b"contents #$*}")
    target.links["/link"] = "/a"
    return client


@pytest.mark.parametrize(
    ("packet", "reply"),
    [
        (f"vFile:open:{path('/a')},0,0", "F3"),
        (f"vFile:open:{path('/link')},0,0", "F3"),
        (f"vFile:open:{path('/absent')},0,0", "F-1,2"),
        (f"vFile:open:{path('/a')},{CREAT | EXCL:x},1b6", "F-1,11"),
        (f"vFile:open:{path('/new')},{CREAT | WRONLY:x},1b6", "F3"),
        (f"vFile:open:{path('/a')},4,0", "F-1,16"),
        (f"vFile:open:{path('/a')},ffffffffffffffff,0", "F-1,16"),
        (f"vFile:open:{path('/a')},0", "F-1,16"),
        ("vFile:open:6,0,0", "F-1,16"),
        ("vFile:open:2f0061,0,0", "F-1,16"),
        ("vFile:open:,0,0", "F-1,2"),
        ("vFile:close:3", "F-1,9"),
        ("vFile:close:x", "F-1,16"),
        ("vFile:pread:3,4,0", "F-1,9"),
        ("vFile:pread:3,4", "F-1,16"),
        ("vFile:pwrite:3,0,ab", "F-1,9"),
        ("vFile:pwrite:3,0", "F-1,16"),
        ("vFile:pwrite:3,0,}", "F-1,16"),
        ("vFile:fstat:3", "F-1,9"),
        ("vFile:fstat:ffffffffffffffff", "F-1,9"),
        (f"vFile:unlink:{path('/a')}", "F0"),
        (f"vFile:unlink:{path('/absent')}", "F-1,2"),
        (f"vFile:readlink:{path('/link')}", "F2;/a"),
        (f"vFile:readlink:{path('/a')}", "F-1,16"),
        ("vFile:setfs:0", "F0"),
        ("vFile:setfs:a", "F0"),
        ("vFile:setfs:", "F-1,16"),
        ("vFile:chmod:61,0", ""),
        ("vFile:", ""),
        ("vFile", ""),
    ],
)
def test_one_packet(files: Client, packet: str, reply: str) -> None:
    assert files.ask(packet) == reply


def test_reading(files: Client) -> None:
    files.talk(
        (f"vFile:open:{path('/a')},0,0", "F3"),
        ("vFile:pread:3,4,0", "F4;cont"),
        ("vFile:pread:3,100,9", "F4;}\x03}\x04}\x0a}]"),
        ("vFile:pread:3,4,d", "F0;"),
        ("vFile:pread:3,4,ffffffffffffffff", "F0;"),
        ("vFile:pwrite:3,0,x", "F-1,9"),
        ("vFile:close:3", "F0"),
        ("vFile:close:3", "F-1,9"),
    )


def test_writing(files: Client, target: SimulatedTarget) -> None:
    files.talk(
        (f"vFile:open:{path('/new')},{CREAT | TRUNC | RDWR:x},1b6", "F3"),
        ("vFile:pwrite:3,0,abc,}\x03", "F5"),
        ("vFile:pwrite:3,1,,", "F1"),
        ("vFile:pread:3,10,0", "F5;a,c,}\x03"),
        (f"vFile:open:{path('/new')},{APPEND | WRONLY:x},0", "F4"),
        ("vFile:pwrite:4,0,end", "F3"),
        ("vFile:pread:4,1,0", "F-1,9"),
        ("vFile:close:4", "F0"),
    )
    assert target.files["/new"] == b"a,c,#end"


def test_status(files: Client) -> None:
    files.ask(f"vFile:open:{path('/a')},0,0")
    reply = to_bytes(files.ask("vFile:fstat:3"))
    assert reply.startswith(b"F40;")
    status = FIO_STAT.parse(unescape(reply[4:]))
    assert (status.mode, status.size, status.nlink) == (0o100644, 13, 1)


@given(st.binary(max_size=200), st.integers(0, 50))
def test_any_contents_survive_in_both_directions(contents: bytes, offset: int) -> None:
    client = Client(SimulatedTarget())
    client.talk((f"vFile:open:{path('/f')},{CREAT | RDWR:x},1b6", "F3"))
    data = escape(contents).decode("latin-1")
    client.talk((f"vFile:pwrite:3,{offset:x},{data}", f"F{len(contents):x}"))
    reply = to_bytes(client.ask(f"vFile:pread:3,1000,{offset:x}"))
    assert reply.startswith(b"F%x;" % len(contents))
    assert unescape(reply.partition(b";")[2]) == contents


def test_a_read_is_no_longer_than_a_packet(files: Client, target: SimulatedTarget) -> None:
    target.files["/a"] = bytearray(b"}" * PACKET_SIZE)
    files.ask(f"vFile:open:{path('/a')},0,0")
    assert len(files.ask("vFile:pread:3,ffffffff,0")) <= PACKET_SIZE


def test_the_layout_of_a_status_is_gdb_s() -> None:
    status = os.stat("/proc/self/exe")
    parsed = FIO_STAT.parse(pack_stat(status))
    assert STAT.size == FIO_STAT.sizeof() == 64
    assert (parsed.mode, parsed.uid, parsed.gid) == (status.st_mode, status.st_uid, status.st_gid)
    assert (parsed.size, parsed.blksize, parsed.blocks) == (
        status.st_size,
        status.st_blksize,
        status.st_blocks,
    )
    assert (parsed.ino, parsed.mtime) == (status.st_ino & 0xFFFFFFFF, int(status.st_mtime))


class LocalTarget(LocalFiles, SimulatedTarget):
    """Real files beside simulated programs."""

    def __init__(self) -> None:
        SimulatedTarget.__init__(self)


@pytest.fixture
def local() -> Client:
    return Client(LocalTarget())


def test_a_fifo_that_nobody_writes_to_keeps_nobody_waiting(local: Client, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    opened = local.ask(f"vFile:open:{path(str(fifo))},0,0")
    assert opened.startswith("F") and opened != "F-1"
    assert local.ask(f"vFile:pread:{opened[1:]},10,0") == "F0;"
    assert local.ask(f"vFile:close:{opened[1:]}") == "F0"


def test_real_files(local: Client, tmp_path: Path) -> None:
    file = tmp_path / "ä#\udcff"
    number = int(local.ask(f"vFile:open:{path(str(file))},{CREAT | RDWR:x},180")[1:], 16)
    local.talk((f"vFile:pwrite:{number:x},2,hello", "F5"), (f"vFile:pread:{number:x},3,2", "F3;hel"))
    assert file.read_bytes() == b"\0\0hello"
    assert file.stat().st_mode & 0o777 == 0o600
    status = FIO_STAT.parse(unescape(to_bytes(local.ask(f"vFile:fstat:{number:x}"))[4:]))
    assert (status.size, status.ino) == (7, file.stat().st_ino & 0xFFFFFFFF)
    local.talk((f"vFile:close:{number:x}", "F0"), (f"vFile:unlink:{path(str(file))}", "F0"))
    assert not file.exists()


def test_an_offset_beyond_all_files(local: Client, tmp_path: Path) -> None:
    file = tmp_path / "f"
    number = int(local.ask(f"vFile:open:{path(str(file))},{CREAT | RDWR:x},180")[1:], 16)
    local.talk(
        (f"vFile:pread:{number:x},1,ffffffffffffffff", "F-1,16"),
        (f"vFile:pwrite:{number:x},8000000000000000,x", "F-1,16"),
        (f"vFile:close:{number:x}", "F0"),
    )


def test_links_and_errors_of_real_files(local: Client, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/some/where")
    long_name = "n" * 300
    local.talk(
        (f"vFile:readlink:{path(str(tmp_path / 'link'))}", "Fb;/some/where"),
        (f"vFile:readlink:{path(str(tmp_path))}", f"F-1,{errno.EINVAL:x}"),
        (f"vFile:open:{path(str(tmp_path / long_name))},0,0", "F-1,5b"),
        (f"vFile:open:{path(str(tmp_path))},{WRONLY:x},0", f"F-1,{errno.EISDIR:x}"),
        (f"vFile:open:{path(str(tmp_path / 'link' / 'x'))},0,0", f"F-1,{errno.ENOENT:x}"),
        (f"vFile:unlink:{path(str(tmp_path))}", f"F-1,{errno.EISDIR:x}"),
    )
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    local.talk((f"vFile:open:{path(str(loop))},0,0", "F-1,270f"))


def test_only_files_opened_here_can_be_used(local: Client) -> None:
    local.talk(("vFile:pread:0,1,0", "F-1,9"), ("vFile:close:1", "F-1,9"), ("vFile:fstat:2", "F-1,9"))


@pytest.fixture
def confined(tmp_path: Path) -> Iterator[int]:
    """A process whose root is `tmp_path`."""
    ready_read, ready_write = os.pipe()
    end_read, end_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(end_write)
            os.chroot(tmp_path)
            os.write(ready_write, b"+")
            os.read(end_read, 1)
        finally:
            os._exit(0)
    os.close(ready_write)
    os.close(end_read)
    try:
        assert os.read(ready_read, 1) == b"+"
        yield pid
    finally:
        os.close(end_write)
        os.close(ready_read)
        os.waitpid(pid, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change a root folder")
def test_files_as_a_process_sees_them(local: Client, tmp_path: Path, confined: int) -> None:
    (tmp_path / "inside").write_bytes(b"theirs")
    (tmp_path / "absolute").symlink_to("/inside")
    (tmp_path / "outside").symlink_to("../../../../../../inside")
    local.talk((f"vFile:setfs:{confined:x}", "F0"))
    for name in ("/inside", "/absolute", "/outside", "/../inside"):
        number = int(local.ask(f"vFile:open:{path(name)},0,0")[1:], 16)
        local.talk((f"vFile:pread:{number:x},100,0", "F6;theirs"), (f"vFile:close:{number:x}", "F0"))
    local.talk(
        (f"vFile:readlink:{path('/absolute')}", "F7;/inside"),
        (f"vFile:unlink:{path('/absolute')}", "F0"),
        ("vFile:setfs:0", "F0"),
        (f"vFile:open:{path('/inside')},0,0", "F-1,2"),
    )
    assert not (tmp_path / "absolute").is_symlink()


def test_files_of_a_process_with_the_same_root(local: Client, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("x")
    local.talk(
        (f"vFile:setfs:{os.getpid():x}", "F0"), (f"vFile:readlink:{path(str(tmp_path / 'link'))}", "F1;x")
    )


def test_a_file_system_of_no_process(local: Client) -> None:
    local.talk(("vFile:setfs:7fffffff", "F-1,2"))


def test_what_a_client_leaves_open_is_closed(local: Client, tmp_path: Path) -> None:
    number = int(local.ask(f"vFile:open:{path(str(tmp_path / 'f'))},{CREAT | RDWR:x},180")[1:], 16)
    assert isinstance(local.target, LocalTarget)
    local.target.close_all_files()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)
    local.talk((f"vFile:fstat:{number:x}", "F-1,9"))

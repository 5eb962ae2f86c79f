"""g, G, p, P, and which thread they are about."""

from __future__ import annotations

import struct

import pytest
from rsp_client import Client

from gdbstub.testing.simulated_state import CODE
from gdbstub.testing.target import SimulatedTarget

SP = 0x7FFF_FFFF_E800
RAX, RSP, RIP, EFLAGS, CS = 0, 7, 16, 17, 18
GENERAL_BYTES = 16 * 8 + 8 + 7 * 4


def general(**values: int) -> str:
    """The general registers in gdb's order: 16 of 64 bits, rip, then seven of 32 bits."""
    words = [0] * 24
    words[RSP], words[RIP] = SP, CODE
    names = ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", *(f"r{n}" for n in range(8, 16))]
    for name, value in values.items():
        words[[*names, "rip", "eflags", "cs", "ss"].index(name)] = value
    return struct.pack("<17Q7I", *words).hex()


def test_all_registers_in_the_order_of_the_description(client: Client, target: SimulatedTarget) -> None:
    thread = target.process(10).threads[10]
    thread.set_register("rax", 0x1122334455667788)
    thread.set_register("eflags", 0x246)
    thread.set_register("cs", 0x33)
    block = client.ask("g")
    assert len(block) == 2 * (GENERAL_BYTES + 8 * 10 + 8 * 4 + 16 * 16 + 4 + 3 * 8)
    assert block.startswith(general(rax=0x1122334455667788, eflags=0x246, cs=0x33))


def test_what_is_written_is_read(client: Client) -> None:
    block = client.ask("g")
    changed = "0102030405060708" + block[16:-16] + "8877665544332211"
    client.talk(("G" + changed, "OK"), ("g", changed), (f"p{RAX:x}", "0102030405060708"))
    assert client.ask(f"p{RAX:x}") != client.ask(f"p{RIP:x}")


def test_a_short_block_leaves_the_rest(client: Client) -> None:
    before = client.ask("g")
    client.talk(("G1100000000000000", "OK"), ("g", "1100000000000000" + before[16:]))
    client.talk(("G", "OK"), ("G22", "OK"), ("p0", "1100000000000000"))


@pytest.mark.parametrize(
    ("packet", "reply"),
    [
        ("p10", "0010400000000000"),
        ("p7", "00e8ffffff7f0000"),
        ("p12", "00000000"),
        ("p18", "00" * 10),
        ("p28", "00" * 16),
        ("p1000", "E01"),
        ("pffffffffffffffff", "E01"),
        ("p", "E01"),
        ("pzz", "E01"),
        ("p-1", "E01"),
        ("P0=8877665544332211", "OK"),
        ("P12=33000000", "OK"),
        ("P0=88", "E01"),
        ("P0=887766554433221100", "E01"),
        ("P0", "E01"),
        ("P0=", "E01"),
        ("P=00", "E01"),
        ("P0=zz", "E01"),
        ("P0=123", "E01"),
        ("P1000=00", "E01"),
        ("Gz", "E01"),
        ("G123", "E01"),
    ],
)
def test_one_register(client: Client, packet: str, reply: str) -> None:
    assert client.ask(packet) == reply


def test_registers_are_the_general_thread_s(client: Client) -> None:
    client.talk(
        ("Hgb", "OK"),
        ("P0=0100000000000000", "OK"),
        ("Hga", "OK"),
        ("p0", "0000000000000000"),
        ("Hgb", "OK"),
        ("p0", "0100000000000000"),
    )


def test_a_running_thread_has_none_to_show(client: Client) -> None:
    client.talk(("vCont;c", None), ("g", "E01"), ("p0", "E01"), ("P0=0000000000000000", "E01"))


def test_a_core_s_registers_cannot_be_changed(core: Client) -> None:
    core.talk(("p10", "0010400000000000"), ("P0=0100000000000000", "E01"), ("G00", "E01"))

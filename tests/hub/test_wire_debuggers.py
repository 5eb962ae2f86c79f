"""What several debuggers on one process see, where a real gdb would be too slow or too polite."""

from __future__ import annotations

import os
import signal

import pytest
from elf_symbols import address_of
from hub_support import PLAIN, Build, Connect, StartWork
from server_process import wait_until

from gdbstub.hub.control import ask


def test_one_that_goes_on_after_the_end_is_told_of_it(shared: StartWork, connect: Connect) -> None:
    """The hub has nothing left to trace, and stays until its debuggers have gone."""
    process = shared()
    first, second = connect(process), connect(process)
    hub = process.hub
    assert first.request(f"vKill;{process.pid:x}") == "OK"
    process.process.wait()
    wait_until(lambda: not process.place.folder.exists(), "its place goes")
    assert second.request("vCont;c") == f"X09;process:{process.pid:x}"
    for each in (first, second):
        each.close()
    wait_until(lambda: not os.path.exists(f"/proc/{hub}"), "the hub ends")


@pytest.mark.parametrize("passers", range(4))
def test_a_signal_goes_from_one_to_the_next(shared: StartWork, connect: Connect, passers: int) -> None:
    """Each is told of it when the one before it has passed it on; one that drops it ends that."""
    process = shared()
    clients = [connect(process) for _ in range(3)]
    for client in clients:
        client.send("vCont;c")
    wait_until(lambda: not process.stands(), "it runs")
    os.kill(process.pid, signal.SIGUSR1)
    thread = f"p{process.pid:x}.{process.pid:x}"
    for number, client in enumerate(clients[: passers + 1]):
        assert client.receive().startswith("T1e")
        client.send(f"vCont;C1e:{thread};c" if number < passers else "vCont;c")
    ask(process.place, "release")
    process.check_left()
    process.check_ends(caught=(int(passers == 3), 0))


def test_who_holds_can_be_found_out(shared: StartWork, connect: Connect, build: Build) -> None:
    process = shared(2)
    first, second = connect(process), connect(process)
    address = address_of(build("hub_work", *PLAIN), "in_child")
    assert second.request(f"Z0,{address:x},1") == "OK"
    first.send("vCont;c")
    status = ask(process.place, "status")[0]
    _, one, other = status["engines"]
    assert (one["holds"], one["breakpoints"]) == ([], [])
    assert sorted(other["holds"]) == sorted(thread["tid"] for thread in status["threads"])
    assert other["breakpoints"] == [address]
    assert process.stands()
    second.send("vCont;c")
    wait_until(lambda: not process.stands(), "it runs")


def test_nothing_is_started_or_attached_to_by_what_shares_one(
    shared: StartWork, work: StartWork, connect: Connect
) -> None:
    process, stranger = shared(), work()
    client = connect(process)
    client.request("!")
    assert client.request(f"vAttach;{stranger.pid:x}").startswith("E")
    assert client.request("vRun;2f62696e2f6c73").startswith("E")
    assert stranger.hub == 0
    assert client.request("?").startswith("T05")

"""Z and z, with conditions and commands."""

from __future__ import annotations

import pytest
from rsp_client import Client

from gdbstub.target.values import BreakpointKind
from gdbstub.testing.simulated_state import CODE, DATA
from gdbstub.testing.target import SimulatedTarget


def expression(code: str) -> str:
    """Bytecode as Z packets carry it."""
    return f"X{len(code) // 2:x},{code}"


TRUE, FALSE = expression("220127"), expression("220027")
NO_MEMORY = expression("22001727")
NO_REGISTER = expression("26ffff27")
NO_QUOTIENT = expression("220122000527")


@pytest.mark.parametrize(
    ("packet", "reply"),
    [
        ("Z0,401000,1", "OK"),
        ("Z1,401000,1", "OK"),
        ("Z2,404000,8", "OK"),
        ("Z3,404000,8", ""),
        ("Z4,404000,8", "OK"),
        ("Z5,404000,8", ""),
        ("Zff,404000,8", ""),
        ("z0,401000,1", "OK"),
        ("z3,404000,8", "OK"),
        ("z5,404000,8", ""),
        ("Z0,0,1", "E01"),
        ("Z0,401000", "E01"),
        ("Z0,401000,", "E01"),
        ("Z0,,1", "E01"),
        ("Z,401000,1", "E01"),
        ("Z", "E01"),
        ("Z0,401000,1,1", "E01"),
        ("Z0,10000000000000000,1", "E01"),
        ("z0,401000", "E01"),
        (f"Z0,401000,1;{TRUE}", "OK"),
        (f"Z0,401000,1;{TRUE}{FALSE}", "OK"),
        (f"Z0,401000,1;{TRUE};{FALSE}", "OK"),
        (f"Z0,401000,1;cmds:0,{TRUE}", "OK"),
        (f"Z0,401000,1;{TRUE};cmds:1,{TRUE}{TRUE}", "OK"),
        (f"Z0,401000,1;cmds:{TRUE}", "E01"),
        ("Z0,401000,1;cmds:", "E01"),
        ("Z0,401000,1;cmds:x,X1,27", "E01"),
        ("Z0,401000,1;Y3,220127", "E01"),
        ("Z0,401000,1;X4,220127", "E01"),
        ("Z0,401000,1;X3220127", "E01"),
        ("Z0,401000,1;Xx,220127", "E01"),
        ("Z0,401000,1;X3,22zz27", "E01"),
        ("Z0,401000,1;X0,", "E01"),
        ("Z0,401000,1;X1,ff", "E01"),
        ("Z0,401000,1;X2,0227", "E01"),
        ("Z0,401000,1;Xffffffffffffffff,27", "E01"),
    ],
)
def test_one_packet(client: Client, packet: str, reply: str) -> None:
    assert client.ask(packet) == reply


def stopped_at(client: Client) -> int | None:
    """Where the leader stops when everything goes on; None: it does not."""
    replies = client.replies("vCont;c:a")
    if not replies:
        client.replies("?")
        return None
    (reply,) = replies
    assert reply.startswith("T05swbreak:;")
    rip = dict(part.split(":") for part in reply[3:].split(";") if part)["10"]
    return int.from_bytes(bytes.fromhex(rip), "little")


@pytest.fixture
def debugger(client: Client) -> Client:
    client.ask("qSupported:swbreak+;hwbreak+")
    return client


def test_inserted_and_removed(debugger: Client, target: SimulatedTarget) -> None:
    debugger.talk((f"Z0,{CODE + 4:x},1", "OK"), (f"Z0,{CODE + 8:x},1", "OK"), (f"Z2,{DATA:x},4", "OK"))
    assert set(target.breakpoints) == {
        (10, BreakpointKind.SOFTWARE, CODE + 4),
        (10, BreakpointKind.SOFTWARE, CODE + 8),
        (10, BreakpointKind.WRITE, DATA),
    }
    assert target.breakpoints[10, BreakpointKind.WRITE, DATA].length == 4
    assert stopped_at(debugger) == CODE + 4
    debugger.talk((f"z0,{CODE + 8:x},1", "OK"), (f"z0,{CODE + 8:x},1", "OK"))
    assert stopped_at(debugger) is None


@pytest.mark.parametrize(
    ("conditions", "stops"),
    [
        (TRUE, True),
        (FALSE, False),
        (FALSE + TRUE, True),
        (FALSE + FALSE, False),
        (NO_MEMORY, True),
        (FALSE + NO_MEMORY, True),
        (NO_REGISTER, True),
        (NO_QUOTIENT, True),
        # The program counter, register 16, is where the breakpoint is.
        (expression(f"26001024{CODE + 4:08x}1327"), True),
        (expression(f"26001024{CODE + 5:08x}1327"), False),
        # The byte at DATA + 7 is 7.
        (expression(f"24{DATA + 7:08x}1722071327"), True),
        (expression(f"24{DATA + 7:08x}1722081327"), False),
    ],
)
def test_conditions(debugger: Client, conditions: str, stops: bool) -> None:
    """One that is true, or that cannot be evaluated, suffices to stop."""
    debugger.talk((f"Z0,{CODE + 4:x},1;{conditions}", "OK"))
    assert stopped_at(debugger) == (CODE + 4 if stops else None)


def test_a_second_request_replaces_the_conditions(debugger: Client) -> None:
    debugger.talk((f"Z0,{CODE + 4:x},1;{FALSE}", "OK"), (f"Z0,{CODE + 4:x},1;{TRUE}", "OK"))
    assert stopped_at(debugger) == CODE + 4


def printf(text: bytes, *numbers: int) -> str:
    """What gdb sends for dprintf of style agent: the last argument first, then channel and function."""
    code = b"".join(b"\x22" + bytes([number]) for number in reversed(numbers)) + b"\x22\x00\x22\x00"
    code += b"\x34" + bytes([len(numbers)]) + (len(text) + 1).to_bytes(2, "big") + text + b"\0\x27"
    return expression(code.hex())


def test_commands_run_instead_of_stopping(debugger: Client) -> None:
    command = printf(rb"%d of %d\n", 3, 7)
    debugger.talk((f"Z0,{CODE + 4:x},1;cmds:0,{command}{printf(b'again')}", "OK"))
    assert stopped_at(debugger) is None
    assert debugger.printed == ["3 of 7\n", "again"]


def test_commands_run_where_the_condition_holds(debugger: Client, target: SimulatedTarget) -> None:
    debugger.talk(
        (f"Z0,{CODE + 4:x},1;{FALSE};cmds:0,{printf(b'never')}", "OK"),
        (f"Z0,{CODE + 5:x},1;{TRUE};cmds:1,{printf(b'once')}", "OK"),
    )
    assert stopped_at(debugger) is None
    assert debugger.printed == ["once"]
    persistent = [request.commands[0].persistent for request in target.breakpoints.values()]
    assert persistent == [False, True]


def test_a_command_that_fails_stops_nothing(debugger: Client) -> None:
    debugger.talk((f"Z0,{CODE + 4:x},1;cmds:0,{NO_MEMORY}{printf(b'after')}", "OK"))
    assert stopped_at(debugger) is None
    assert debugger.printed == ["after"]


def test_breakpoints_are_a_process_s_own(debugger: Client, target: SimulatedTarget) -> None:
    target.add_process(20)
    debugger.talk(("Hg14", "OK"), (f"Z0,{CODE + 4:x},1", "OK"), ("Hga", "OK"))
    assert stopped_at(debugger) is None
    assert list(target.breakpoints) == [(20, BreakpointKind.SOFTWARE, CODE + 4)]

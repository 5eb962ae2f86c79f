"""Breakpoints and watchpoints: Z and z, with conditions and commands for the target."""

from __future__ import annotations

from collections.abc import Callable

from gdbstub.rsp.agent_expression import AgentExpression, BadExpression
from gdbstub.rsp.errors import ClientFault
from gdbstub.rsp.parsing import from_hex, number
from gdbstub.rsp.registry import command
from gdbstub.rsp.session import Session
from gdbstub.target.interfaces import Breakpoints
from gdbstub.target.values import BreakpointCommand, BreakpointKind, BreakpointRequest, MachineState

_FEATURES = ("swbreak+", "hwbreak+", "ConditionalBreakpoints+", "BreakpointCommands+")


@command("Z", needs=Breakpoints, features=_FEATURES)
def insert(session: Session, arguments: bytes) -> bytes:
    """Zn,ADDRESS,KIND[;CONDITIONS][;cmds:PERSIST,COMMANDS]."""
    request = _request(session, arguments)
    if request is None:
        return b""
    try:
        session.target_as(Breakpoints).insert_breakpoint(session.general_process(), request)
    except NotImplementedError:
        return b""
    return b"OK"


@command("z", needs=Breakpoints)
def remove(session: Session, arguments: bytes) -> bytes:
    """zn,ADDRESS,KIND."""
    request = _request(session, arguments)
    if request is None:
        return b""
    session.target_as(Breakpoints).remove_breakpoint(session.general_process(), request)
    return b"OK"


def _request(session: Session, arguments: bytes) -> BreakpointRequest | None:
    head, _, extras = arguments.partition(b";")
    parts = head.split(b",")
    if len(parts) != 3:
        raise ClientFault("a breakpoint has a type, an address and a kind")
    try:
        kind = BreakpointKind(number(parts[0]))
    except ValueError:
        return None
    conditions: list[Callable[[MachineState], bool]] = []
    commands: list[BreakpointCommand] = []
    conditions_text, cmds, commands_text = extras.partition(b"cmds:")
    for expression in _expressions(conditions_text.strip(b";")):
        conditions.append(_condition(expression))
    if cmds:
        persistent, comma, rest = commands_text.partition(b",")
        if not comma:
            raise ClientFault("commands begin with whether they persist")
        for expression in _expressions(rest.strip(b";")):
            run = _command(expression, session.options.console)
            commands.append(BreakpointCommand(run, number(persistent) != 0))
    return BreakpointRequest(kind, number(parts[1]), number(parts[2]), tuple(conditions), tuple(commands))


def _condition(expression: AgentExpression) -> Callable[[MachineState], bool]:
    return lambda state: expression.evaluate(state) != 0


def _command(
    expression: AgentExpression, console: Callable[[str], object]
) -> Callable[[MachineState], object]:
    return lambda state: expression.evaluate(state, console)


def _expressions(text: bytes) -> list[AgentExpression]:
    """XLENGTH,BYTECODE, any number of times."""
    found = []
    while text:
        head, comma, rest = text.partition(b",")
        if not head.startswith(b"X") or not comma:
            raise ClientFault("an expression is X, its length and its bytecode")
        length = number(head[1:])
        digits, text = rest[: 2 * length], rest[2 * length :].lstrip(b";")
        if len(digits) != 2 * length:
            raise ClientFault("an expression is shorter than it says")
        try:
            found.append(AgentExpression(from_hex(digits)))
        except BadExpression as error:
            raise ClientFault(str(error)) from None
    return found

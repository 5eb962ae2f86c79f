"""The documentation names what there is."""

from __future__ import annotations

import re
from pathlib import Path

import gdbstub
from gdbstub.cli.main import _COMMANDS as COMMANDS_OF_USERS
from gdbstub.cli.server_arguments import USAGE
from gdbstub.rsp import commands as _commands  # noqa: F401 - fills the table of packets
from gdbstub.rsp.commands.xfer import _OBJECTS
from gdbstub.rsp.registry import COMMANDS
from gdbstub.utrace.engine import Engine

ROOT = Path(__file__).parent.parent


def text(name: str) -> str:
    return (ROOT / name).read_text()


def test_every_packet_is_in_the_protocol_table() -> None:
    protocol = text("docs/protocol.md")
    names = [entry.name for entry in COMMANDS.values()] + [name.decode() for name in _OBJECTS]
    assert [name for name in names if f"| `{name}` |" not in protocol] == []


def test_every_feature_is_in_the_protocol_table() -> None:
    protocol = text("docs/protocol.md")
    features = [feature for entry in COMMANDS.values() for feature in entry.features]
    assert [feature for feature in features if f"`{feature}`" not in protocol] == []


def test_every_callback_is_documented() -> None:
    callbacks = [name for name in vars(Engine) if name.startswith("report_")]
    documented = text("docs/engines.md")
    assert [name for name in callbacks if f"`{name}`" not in documented] == []


def test_every_answer_is_documented() -> None:
    documented = text("docs/engines.md")
    assert [action.name for action in gdbstub.Resume if f"`{action.name}`" not in documented] == []


def test_links_between_documents_lead_somewhere() -> None:

    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_usage_text_names_the_options_of_the_documentation() -> None:

    for option in re.findall(r"`(--[a-z-]+)`", text("docs/server.md")):
        assert option in USAGE


def test_the_commands_are_documented() -> None:
    documented = text("docs/debuggers.md")
    assert [name for name in COMMANDS_OF_USERS if f"| `gdbstub {name} " not in documented] == []

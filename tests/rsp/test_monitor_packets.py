"""qRcmd."""

from __future__ import annotations

import pytest
from rsp_client import Client


def monitor(client: Client, command: str) -> tuple[str, str]:
    """The text for the console, and the reply."""
    *texts, reply = client.replies("qRcmd," + command.encode(errors="surrogateescape").hex())
    assert all(text.startswith("O") for text in texts)
    return b"".join(bytes.fromhex(text[1:]) for text in texts).decode(errors="surrogateescape"), reply


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("set debug 1", "Debug output enabled.\n"),
        ("set debug 0", "Debug output disabled.\n"),
        ("set remote-debug 1", "Protocol debug output enabled.\n"),
        ("set remote-debug 0", "Protocol debug output disabled.\n"),
        ("set debug-format timestamp", "Debug output format extra information enabled: timestamp.\n"),
        ("set debug-format all", "All extra debug format options enabled.\n"),
        ("set debug-format none", "All extra debug format options disabled.\n"),
    ],
)
def test_commands(client: Client, command: str, text: str) -> None:
    assert monitor(client, command) == (text, "OK")


def test_settings_change(client: Client) -> None:
    options = client.session.options
    events: list[bool] = []
    options.log_events = events.append
    for command in ("set debug 1", "set remote-debug 1", "set debug-format timestamp"):
        monitor(client, command)
    assert (events, options.remote_debug, options.timestamps) == ([True], True, True)
    for command in ("set debug 0", "set remote-debug 0", "set debug-format none"):
        monitor(client, command)
    assert (events, options.remote_debug, options.timestamps) == ([True, False], False, False)


def test_help(client: Client) -> None:
    text, reply = monitor(client, "help")
    assert reply == "OK"
    assert text.startswith("The following monitor commands are supported:\n")


@pytest.mark.parametrize("command", ["", "x", "set", "set debug", "set debug 2", "help me", "\udcff"])
def test_an_unknown_command_gets_help(client: Client, command: str) -> None:
    text, reply = monitor(client, command)
    assert reply == "E01"
    assert text.startswith("Unknown monitor command.\n")


@pytest.mark.parametrize("name", ["colour", "\udcff", ""])
def test_an_unknown_format(client: Client, name: str) -> None:
    text, reply = monitor(client, "set debug-format " + name)
    assert (text, reply) == (f"Unknown debug-format argument: {name or '(none)'}\n", "E01")


def test_exit(client: Client) -> None:
    assert monitor(client, "exit") == ("", "OK")
    assert client.exits == 1


@pytest.mark.parametrize("packet", ["qRcmd,6", "qRcmd,zz", "qRcmd,00"])
def test_text_that_is_none(client: Client, packet: str) -> None:
    assert client.ask(packet) == "E01"

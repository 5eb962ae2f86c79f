"""Where the server's words and the program's go, and what comes of it when nobody takes them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from elf_symbols import address_of
from server_client import Connect
from server_process import Serve, StartTicker

Build = Callable[..., Path]
END = "27"
CONST16, PRINTF = "23", "34"


def print_text(text: bytes) -> str:
    """The agent expression that prints a text (gdb manual, appendix F: function, channel, printf)."""
    template = text + b"\0"
    return f"{CONST16}0000{CONST16}0000{PRINTF}00{len(template):04x}{template.hex()}{END}"


def test_a_server_whose_errors_nobody_reads_goes_on(
    serve: Serve, connect: Connect, ticker: StartTicker
) -> None:
    process = ticker("-no-pie")
    server = serve("--debug", "--attach", ":0", process.pid)
    assert server.port
    assert server.process.stderr is not None
    server.process.stderr.close()
    for _ in range(2):
        client = connect(server)
        assert client.request("?").startswith("T05")
        client.close()
    server.signal(signal.SIGTERM)
    assert server.exit_status() == 0
    process.check_untouched()


def test_a_dprintf_prints_the_bytes_that_it_is_given_in_any_locale(
    serve: Serve, connect: Connect, build: Build
) -> None:
    program = build("show_start", "-no-pie")
    server = serve(":0", program, env={**os.environ, "PYTHONIOENCODING": "latin-1"})
    client = connect(server)
    code = print_text("\u03c0 ".encode() + b"\xff|")
    place = f"{address_of(program, 'main'):x},1"
    assert client.request(f"Z0,{place};cmds:0,X{len(code) // 2:x},{code}") == "OK"
    assert client.request("vCont;c").startswith("W")
    client.close()
    assert server.end() == 0
    assert server.process.stdout is not None
    assert server.process.stdout.read().startswith("\u03c0 ".encode() + b"\xff|")
    assert "Traceback" not in server.errors

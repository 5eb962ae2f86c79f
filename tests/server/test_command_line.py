"""The command line: what it takes, what it prints, and one clear line for what it does not take."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from server_process import Serve

from gdbstub.cli.server_arguments import Arguments, BadArguments, parse

USAGE = ["Usage:\tgdbstub-server [OPTIONS] COMM PROG", "gdbstub-server [OPTIONS] --attach COMM PID"]

WRONG = [
    ([], "no place to listen at", USAGE),
    (["--multi"], "no place to listen at", USAGE),
    ([":0"], "no program is given", USAGE),
    (["--wrapper", "env", "--", ":0"], "no program is given", USAGE),
    (["--attach", ":0"], "--attach takes one process id", USAGE),
    (["--attach", ":0", "12x"], "--attach takes one process id", USAGE),
    (["--attach", ":0", "-5"], "--attach takes one process id", USAGE),
    (["--attach", ":0", "1", "2"], "--attach takes one process id", USAGE),
    (["--wrapper"], "--wrapper takes a command and then --", USAGE),
    (["--wrapper", "--", ":0", "true"], "--wrapper takes a command and then --", USAGE),
    (["--wrapper", "env", ":0", "true"], "--wrapper takes a command and then --", USAGE),
    (["--nonsense", ":0", "true"], "unknown option --nonsense", []),
    (["--once=yes", ":0", "true"], "unknown option --once=yes", []),
    (["--debug-format=date", ":0", "true"], "Unknown debug-format argument: date", []),
    (["--disable-packet=nonsense", ":0", "true"], 'Don\'t know how to disable "nonsense".', ["Disableable"]),
    (["nonsense", "true"], "nonsense: neither HOST:PORT nor the path of a socket nor -", []),
    ([":99999", "true"], ":99999: 99999 is no port number", []),
    ([":", "true"], ":: nothing is no port number", []),
    (["localhost:http", "true"], "localhost:http: http is no port number", []),
    ([":" + "9" * 5000, "true"], "is no port number", []),
    ([":-1", "true"], ":-1: -1 is no port number", []),
    (["no-such-host.invalid:0", "true"], "no-such-host.invalid: cannot resolve name", []),
    (["x" * 70 + ":0", "true"], "cannot resolve name: no name of a host", []),
    ([b"\xff:0", "true"], "cannot resolve name: no name of a host", []),
    (["/nonexistent/socket", "true"], "Can't bind address: /nonexistent/socket: No such file", []),
    (["--debug-file=/nonexistent/log", ":0", "true"], "Cannot open /nonexistent/log: No such file", []),
]


@pytest.mark.parametrize(("words", "complaint", "more"), WRONG, ids=lambda value: str(value)[:40])
def test_wrong_use_is_told_in_one_line(
    serve: Serve, words: list[str | bytes], complaint: str, more: list[str]
) -> None:
    server = serve(*words)
    assert server.end() == 1
    first, *rest = server.errors.splitlines()
    assert first.startswith("gdbstub-server: ") and complaint in first
    assert "Traceback" not in server.errors
    for text in more:
        assert any(text in line for line in rest)
    if not more:
        assert rest == []


def run(program: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *words], capture_output=True, text=True, timeout=20, check=False)


def test_help_lists_every_option(server_program: Path) -> None:
    result = run(server_program, "--help")
    assert (result.returncode, result.stderr) == (0, "")
    theirs = run(Path("gdbserver"), "--help").stdout
    options = {word.partition("=")[0] for word in theirs.replace(",", " ").split() if word.startswith("--")}
    missing = {option for option in options - {"--"} if option not in result.stdout}
    assert missing <= {"--no-disable-randomization", "--remote-debug", "--event-loop-debug", "--selftest"}
    assert result.stdout.startswith("Usage:\tgdbstub-server [OPTIONS] COMM PROG [ARGS ...]\n")


def test_version(server_program: Path) -> None:
    result = run(server_program, "--version")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("gdbstub-server 0.") and result.stdout.count("\n") == 1


def test_packets_that_can_be_disabled_are_listed_as_by_gdbserver(server_program: Path) -> None:
    result = run(server_program, "--disable-packet")
    assert result.returncode == 0
    assert result.stdout == run(Path("gdbserver"), "--disable-packet").stdout


RIGHT = [
    ([":1", "prog", "-x", "--once"], Arguments(address=":1", program=["prog", "-x", "--once"])),
    (["--attach", ":1", "12"], Arguments(address=":1", attach=12)),
    ([":1", "--attach", "12"], Arguments(address=":1", attach=12)),
    (["--multi", ":1"], Arguments(address=":1", multi=True)),
    (["--multi", "-"], Arguments(address="-", multi=True)),
    (["--once", "--multi", ":1", "p"], Arguments(address=":1", program=["p"], multi=True, once=True)),
    (
        ["--wrapper", "env", "A=1", "--", ":1", "p", "--", "q"],
        Arguments(address=":1", program=["p", "--", "q"], wrapper=["env", "A=1"]),
    ),
    (["--no-startup-with-shell", ":1", "p"], Arguments(address=":1", program=["p"], with_shell=False)),
    (["--startup-with-shell", ":1", "p"], Arguments(address=":1", program=["p"])),
    (["--disable-randomization", ":1", "p"], Arguments(address=":1", program=["p"])),
    (["--enable-randomization", ":1", "p"], Arguments(address=":1", program=["p"], randomize=True)),
    (["--no-disable-randomization", ":1", "p"], Arguments(address=":1", program=["p"], randomize=True)),
    (["--debug", ":1", "p"], Arguments(address=":1", program=["p"], debug=True)),
    (["--remote-debug", ":1", "p"], Arguments(address=":1", program=["p"], debug=True)),
    (["--debug=remote", ":1", "p"], Arguments(address=":1", program=["p"], debug=True)),
    (["--debug-format=timestamp", ":1", "p"], Arguments(address=":1", program=["p"], timestamps=True)),
    (["--debug-file=log", ":1", "p"], Arguments(address=":1", program=["p"], debug_file="log")),
    (["--disable-packet=T,qC", ":1", "p"], Arguments(":1", ["p"], disabled=frozenset({"T", "qC"}))),
    (["--version", "--nonsense"], Arguments(print_and_end="version")),
]


@pytest.mark.parametrize(("words", "wanted"), RIGHT, ids=[" ".join(words) for words, _ in RIGHT])
def test_what_a_command_line_means(words: list[str], wanted: Arguments) -> None:
    assert parse(words) == wanted


def test_threads_stands_for_all_packets_about_threads() -> None:
    disabled = parse(["--disable-packet=threads", ":1", "p"]).disabled
    assert disabled >= {"vCont", "Tthread", "qC", "qfThreadInfo"}


@pytest.mark.parametrize("words", [["--attach", ":1", "²"], ["--attach", ":1", ""]])
def test_a_pid_is_decimal_digits(words: list[str]) -> None:
    with pytest.raises(BadArguments):
        parse(words)

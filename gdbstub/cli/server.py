"""gdbstub-server: in place of gdbserver."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from gdbstub.cli.server_arguments import PACKETS_TO_DISABLE, USAGE, Arguments, BadArguments, parse

if TYPE_CHECKING:
    from gdbstub.hub.listener import Address
    from gdbstub.hub.server import GdbServer
    from gdbstub.rsp.session import Log
    from gdbstub.target.live.target import LiveTarget

_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main() -> None:
    """The command."""
    sys.exit(run(sys.argv[1:]))


def run(words: Sequence[str]) -> int:
    """Run with these arguments; the exit status."""
    try:
        arguments = parse(words)
    except BadArguments as error:
        _complain(str(error))
        return 1
    if arguments.print_and_end:
        _print(arguments.print_and_end)
        return 0
    # Imported only now: --version and --help are quick.
    from gdbstub.hub.listener import BadAddress, parse_address
    from gdbstub.target.values import TargetError

    try:
        return _serve(arguments, parse_address(arguments.address))
    except (BadAddress, TargetError) as error:
        _complain(str(error))
    except OSError as error:
        _complain(error.strerror or str(error))
    return 1


def _serve(arguments: Arguments, address: Address) -> int:
    from gdbstub.hub.hub import Hub
    from gdbstub.hub.listener import Listener, StandardIo, TcpAddress
    from gdbstub.hub.server import GdbServer, use_standard_io
    from gdbstub.target.live.target import LiveTarget
    from gdbstub.utrace.tracer import Tracer

    with contextlib.ExitStack() as at_end:
        terminal = at_end.enter_context(_Terminal())
        left_running: list[int] = []
        at_end.callback(_wait_for, left_running)
        log_output = _log_output(arguments)
        descriptors = use_standard_io() if isinstance(address, StandardIo) else None
        listener = None
        if not isinstance(address, StandardIo):
            listener = Listener(address)
            at_end.callback(listener.close)
        tracer = at_end.enter_context(Tracer())
        target = LiveTarget(tracer)
        server = GdbServer(
            tracer,
            target,
            _say,
            once=arguments.once,
            extended=arguments.multi,
            disabled=arguments.disabled,
        )
        hub = Hub(tracer)
        at_end.callback(hub.close)
        server.others_stay = lambda: bool(hub.debuggers)
        _end_on_signals(server)
        _start(arguments, target, terminal)
        server.log = _packet_log(arguments, server, log_output)
        if isinstance(address, TcpAddress) and not address.host_given:
            _say("Only this machine can connect; to let others, name an address (0.0.0.0 for all).")
        if listener is not None:
            server.listen(listener)
        if descriptors is not None:
            _say("Remote debugging using stdio")
            server.serve(*descriptors)
        server.run()
        left_running += server.left_running
    return 0


def _wait_for(started: Sequence[int]) -> None:
    """Stay until programs that were let go have ended: the shell must not take their terminal before."""
    for number in _ENDING if started else ():
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    for pid in started:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _start(arguments: Arguments, target: LiveTarget, terminal: _Terminal) -> None:
    """Get the process that is to be debugged ready."""
    target.wrapper = arguments.wrapper
    target.start_with_shell(arguments.with_shell)
    target.disable_randomization(not arguments.randomize)
    if arguments.attach is not None:
        target.attach(arguments.attach)
    elif arguments.program:
        target.run(arguments.program)
        terminal.give_to(target.processes()[0])


class _Terminal:
    """The controlling terminal, lent to the program that is debugged as a shell would."""

    def __init__(self) -> None:
        self._descriptor = 0
        self._former: int | None = None

    def give_to(self, process_group: int) -> None:
        """Make the program's process group the foreground one, if we have a terminal."""
        if not os.isatty(self._descriptor):
            return
        # Blocked, not ignored: the programs that are started do not inherit it.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU])
        try:
            self._former = os.tcgetpgrp(self._descriptor)
            os.tcsetpgrp(self._descriptor, process_group)
        except OSError:
            self._former = None

    def __enter__(self) -> _Terminal:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._former is not None:
            try:
                os.tcsetpgrp(self._descriptor, self._former)
            except OSError as error:
                _complain(f"cannot take the terminal back: {error.strerror}")


def _end_on_signals(server: GdbServer) -> None:
    """End in order on SIGTERM, SIGINT and SIGHUP: what was started is killed, the rest let go unharmed."""
    for number in _ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, frame: server.end())


def _log_output(arguments: Arguments) -> TextIO:
    if arguments.debug_file is None:
        return sys.stderr
    try:
        return open(arguments.debug_file, "w")
    except OSError as error:
        raise OSError(error.errno, f"Cannot open {arguments.debug_file}: {error.strerror}") from None


def _packet_log(arguments: Arguments, server: GdbServer, output: TextIO) -> Log:
    """Print what travels and what happens, while that is wanted."""
    server.options.remote_debug = arguments.debug
    server.options.timestamps = arguments.timestamps
    arrows = {"client": "<-", "server": "->", "notification": "->%", "interrupt": "<- ^C", "event": "--"}

    def log(direction: str, packet: bytes) -> None:
        if direction != "event" and not server.options.remote_debug:
            return
        stamp = f"{time.time():.6f} " if server.options.timestamps else ""
        text = packet.decode("latin-1").encode("unicode_escape").decode()
        _write(f"{stamp}{arrows[direction]} {text}", output)

    return log


def _print(what: str) -> None:
    if what == "help":
        print(USAGE, end="")
    elif what == "disable-packet":
        print(PACKETS_TO_DISABLE, end="")
    else:
        from importlib.metadata import version

        print(f"gdbstub-server {version('gdbstub-utrace')}, in place of GNU gdbserver")


def _say(text: str) -> None:
    _write(text, sys.stderr)


def _write(text: str, output: TextIO) -> None:
    """Print a line. That nobody reads it any more must not end what is being debugged."""
    with contextlib.suppress(OSError):
        print(text, file=output, flush=True)


def _complain(text: str) -> None:
    _write(f"gdbstub-server: {text}", sys.stderr)

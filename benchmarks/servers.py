"""Starting this server and gdbserver in the same way."""

import re
import subprocess
import sys
import time
from pathlib import Path

OURS = str(Path(sys.executable).parent / "gdbstub-server")
PEER = "gdbserver"


class Server:
    """A running server; `started` is the seconds until it listened."""

    def __init__(self, program: str, *arguments: str) -> None:
        begin = time.perf_counter()
        self.process = subprocess.Popen(
            [program, "--once", *arguments], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )
        assert self.process.stderr is not None
        for line in self.process.stderr:
            found = re.search(r"Listening on port (\d+)", line)
            if found:
                self.port = int(found[1])
                break
        else:
            raise RuntimeError(f"{program} did not start")
        self.started = time.perf_counter() - begin

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        assert self.process.stderr is not None
        self.process.stderr.close()

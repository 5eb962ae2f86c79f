"""gdbstub ls: what is shared, and who is on it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from gdbstub.cli.main import CommandFailed


def run(words: Sequence[str]) -> int:
    """A table, or with --json one object with everything."""
    from gdbstub.hub.control import NoAnswer, ask
    from gdbstub.hub.runtime import places

    if list(words) not in ([], ["--json"]):
        raise CommandFailed(f"ls takes --json, not {' '.join(words)}")
    found: dict[int, dict[str, Any]] = {}
    for place in places():
        try:
            for process in ask(place, "status"):
                if process["pid"] == place.pid:
                    found[place.pid] = process | {"gdb": str(place.socket("gdb"))}
        except NoAnswer:
            # It has gone since.
            continue
    if words:
        print(json.dumps({"processes": list(found.values())}))
    else:
        _table(list(found.values()))
    return 0


def _table(processes: Sequence[dict[str, Any]]) -> None:
    print(f"{'PID':>8} {'NAME':<16} {'THREADS':>7} {'HELD':>5}  ON IT")
    for process in processes:
        threads = process["threads"]
        held = sum(bool(thread["held_by"]) for thread in threads)
        name = next((thread["name"] for thread in threads if thread["tid"] == process["pid"]), "")
        engines = [_engine(engine) for engine in process["engines"] if engine["events"]]
        first, *rest = engines or ["nobody"]
        print(f"{process['pid']:>8} {name:<16} {len(threads):>7} {held or '-':>5}  {first}")
        for engine in rest:
            print(f"{'':40}{engine}")


def _engine(engine: dict[str, Any]) -> str:
    parts = []
    if engine["holds"]:
        parts.append(f"holds {len(engine['holds'])}")
    if engine["breakpoints"]:
        parts.append(f"{len(engine['breakpoints'])} breakpoints")
    if engine["watchpoints"]:
        parts.append(f"{len(engine['watchpoints'])} watchpoints")
    label: str = engine["label"]
    return f"{label}: {', '.join(parts)}" if parts else label

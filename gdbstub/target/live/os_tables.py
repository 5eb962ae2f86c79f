"""Tables of the operating system as gdb's `info os` wants them."""

from __future__ import annotations

import re
from html import escape

from gdbstub.linux import osdata
from gdbstub.target import interfaces
from gdbstub.target.values import TargetError

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _text(value: str) -> str:
    """Text for a document. Processes name themselves as they like; the client drops a table with a character
    that XML cannot hold.
    """
    return escape(_NOT_XML.sub("?", value))


class LiveOperatingSystem(interfaces.OperatingSystem):
    """The machine that the processes run on is ours."""

    def osdata(self, table: str) -> str:
        """A table as XML; empty name: the tables."""
        if not table or table == "types":
            kind = "types"
            rows: list[osdata.Row] = [
                {"Type": name, "Description": entry.description, "Title": entry.title}
                for name, entry in osdata.TABLES.items()
            ]
        else:
            if table not in osdata.TABLES:
                raise TargetError(f"there is no table {table}")
            kind, rows = table, list(osdata.TABLES[table].rows())
        items = "".join(
            "<item>"
            + "".join(
                f'<column name="{escape(name)}">{_text(str(value))}</column>' for name, value in row.items()
            )
            + "</item>"
            for row in rows
        )
        return (
            '<?xml version="1.0"?><!DOCTYPE osdata SYSTEM "osdata.dtd">'
            f'<osdata type="{kind}">{items}</osdata>'
        )

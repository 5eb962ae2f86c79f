"""Tables of the operating system as gdb's `info os` wants them."""

from __future__ import annotations

from html import escape

from gdbstub.linux import osdata
from gdbstub.target import interfaces
from gdbstub.target.values import TargetError


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
                f'<column name="{escape(name)}">{escape(str(value))}</column>' for name, value in row.items()
            )
            + "</item>"
            for row in rows
        )
        return (
            '<?xml version="1.0"?><!DOCTYPE osdata SYSTEM "osdata.dtd">'
            f'<osdata type="{kind}">{items}</osdata>'
        )

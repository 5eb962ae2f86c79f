"""gdb target descriptions (gdb manual, appendix Target Descriptions) made from an `Architecture`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from html import escape

from gdbstub.arch.description import Architecture, Feature, FlagsType, Register, UnionType, VectorType


@lru_cache(maxsize=8)
def target_xml(architecture: Architecture) -> str:
    """The target description as one document, without includes."""
    lines = [
        '<?xml version="1.0"?>',
        '<!DOCTYPE target SYSTEM "gdb-target.dtd">',
        "<target>",
        f"  <architecture>{architecture.name}</architecture>",
        "  <osabi>GNU/Linux</osabi>",
    ]
    for feature in architecture.features:
        lines.extend(_feature(feature, architecture))
    lines.append("</target>")
    return "\n".join(lines) + "\n"


def _feature(feature: Feature, architecture: Architecture) -> Iterator[str]:
    yield f'  <feature name="{escape(feature.name)}">'
    for kind in feature.types:
        yield from _type(kind)
    for register in feature.registers:
        yield _register(register, architecture.number[register.name])
    yield "  </feature>"


def _type(kind: VectorType | UnionType | FlagsType) -> Iterator[str]:
    match kind:
        case VectorType(name, element, count):
            yield f'    <vector id="{name}" type="{element}" count="{count}"/>'
        case UnionType(name, fields):
            yield f'    <union id="{name}">'
            for label, of_type in fields:
                yield f'      <field name="{label}" type="{of_type}"/>'
            yield "    </union>"
        case FlagsType(name, size, flags):
            yield f'    <flags id="{name}" size="{size}">'
            for label, bit in flags:
                yield f'      <field name="{label}" start="{bit}" end="{bit}" type="bool"/>'
            yield "    </flags>"


def _register(register: Register, number: int) -> str:
    group = f' group="{register.group}"' if register.group else ""
    return (
        f'    <reg name="{register.name}" bitsize="{register.bits}" type="{register.type}"'
        f' regnum="{number}"{group}/>'
    )

"""Plain values written as YAML, to be put into a text that is there already."""

from __future__ import annotations

import json
import re
import textwrap
from io import StringIO
from typing import Any

__all__ = ["emit_entry", "emit_flow", "emit_item", "emit_scalar"]

_WIDTH = 120
_OLD_WORDS = re.compile(r"(?i:y|n|yes|no|on|off|true|false|null|~)|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?|0[0-7]+|=|<<")
"""What readers of YAML 1.1 take for something else than text."""
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]|[\u200b-\u200f\u202a-\u202e\u2066-\u2069]"
)
"""Control characters, and what changes the direction of a line: written as escapes, so that a reader of the file sees them."""


def emit_scalar(value: Any, *, style: str = "", flow: bool = False, indent: int = 2, line_break: str = "\n") -> str:
    """Return a scalar as it stands behind its key.

    Args:
        value: Text, number, flag or None.
        style: How the value before it was written: ``'``, ``"``, ``|``, ``>`` or nothing; kept where it can be.
        flow: Whether it stands within brackets or braces.
        indent: Spaces before lines of a block.
        line_break: Of the file.

    >>> emit_scalar("yes"), emit_scalar(3), emit_scalar("a: b", style='"'), emit_scalar("a, b", flow=True)
    ("'yes'", '3', '"a: b"', "'a, b'")
    """
    if not isinstance(value, str):
        return _dumped([value], flow=True)[1:-1]
    if _UNSEEN.search(value):
        return _escaped(value)
    if not flow and ("\n" in value or style in {"|", ">"} or len(value) + indent > _WIDTH):
        block = _block(value, folded=style != "|" and "\n" not in value, indent=indent, line_break=line_break)
        if block is not None:
            return block
    if style == '"' or "\n" in value or "\t" in value:
        return json.dumps(value, ensure_ascii=False)
    if style == "'" or _OLD_WORDS.fullmatch(value) or (flow and value[:1] in {"?", ":", "-"}):
        return "'" + value.replace("'", "''") + "'"
    plain = _dumped([value], flow=True)[1:-1] if flow else _dumped({"k": value}, flow=False).partition(": ")[2]
    return plain.rstrip("\n") or "''"


def _escaped(value: str) -> str:
    def escape(match: re.Match[str]) -> str:
        return f"\\u{ord(match[0]):04x}"

    return _UNSEEN.sub(escape, json.dumps(value, ensure_ascii=False))


def _block(value: str, *, folded: bool, indent: int, line_break: str) -> str | None:
    """Return text as a block of lines; None where that would not be read as the same."""
    if not value or value != value.strip() or re.search(r"[ \t]\n|\n[ \t]|\n\n\n", value):
        return None
    if folded and ("  " in value or "\t" in value):
        return None
    lines = (
        textwrap.wrap(value, max(_WIDTH - indent, 40), break_long_words=False, break_on_hyphens=False)
        if folded
        else value.split("\n")
    )
    margin = " " * indent
    return line_break.join([">-" if folded else "|-", *(f"{margin}{line}" if line else "" for line in lines)])


def emit_flow(value: Any) -> str:
    """Return a value on one line, with brackets and braces.

    >>> emit_flow(["a", {"b": "no"}])
    "[a, {b: 'no'}]"
    """
    if isinstance(value, list):
        return f"[{', '.join(emit_flow(item) for item in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{emit_scalar(key, flow=True)}: {emit_flow(item)}" for key, item in value.items()) + "}"
    return emit_scalar(value, flow=True)


def emit_entry(key: str, value: Any, *, column: int, layout: tuple[int, int], line_break: str) -> str:
    """Return an entry of a mapping: its first line without indentation, further ones as they stand in the file.

    Args:
        key: As it is written.
        value: Scalars, lists and mappings.
        column: Where the key stands.
        layout: Indentation of mappings, and of the dashes of lists.
        line_break: Of the file.
    """
    mapping, dash = layout
    if isinstance(value, dict) and value:
        inner = column + mapping
        lines = [
            " " * inner + emit_entry(emit_scalar(name), item, column=inner, layout=layout, line_break=line_break)
            for name, item in value.items()
        ]
        return line_break.join([f"{key}:", *lines])
    if isinstance(value, list) and value:
        inner = column + dash
        lines = [" " * inner + emit_item(item, column=inner, layout=layout, line_break=line_break) for item in value]
        return line_break.join([f"{key}:", *lines])
    if isinstance(value, list | dict):
        return f"{key}: {'[]' if isinstance(value, list) else '{}'}"
    return f"{key}: {emit_scalar(value, indent=column + mapping, line_break=line_break)}"


def emit_item(value: Any, *, column: int, layout: tuple[int, int], line_break: str) -> str:
    """Return an item of a list, from its dash on; further lines as they stand in the file."""
    if isinstance(value, dict) and value:
        inner = column + 2
        lines = [
            emit_entry(emit_scalar(name), item, column=inner, layout=layout, line_break=line_break)
            for name, item in value.items()
        ]
        return "- " + f"{line_break}{' ' * inner}".join(lines)
    if isinstance(value, list | dict):
        return f"- {emit_flow(value)}"
    return f"- {emit_scalar(value, indent=column + 2, line_break=line_break)}"


def _dumped(value: Any, *, flow: bool) -> str:
    from ruamel.yaml import YAML  # noqa: PLC0415 - only who edits pays for it

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = flow
    yaml.width = 2**31
    yaml.allow_unicode = True
    stream = StringIO()
    yaml.dump(value, stream)
    return stream.getvalue().rstrip("\n")

"""How a ledger stands on its lines: short things whole on one, so that it is compact and a diff shows one item a line."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["laid_out"]

_WIDTH = 120  # characters of an item that still goes on one line


def laid_out(document: dict[str, Any]) -> str:
    """Return canonical JSON text: keys sorted, values of up to 120 characters on a line of their own, a newline at the end.

    Args:
        document: Plain values.

    >>> print(laid_out({"b": [{"x": 1, "a": 2}], "a": 1}), end="")
    {
    "a": 1,
    "b": [{"a": 2, "x": 1}]
    }
    """
    lines = [f"{_compact(str(key))}: {_value(document[key], 0)}" for key in sorted(document)]
    return "{\n" + ",\n".join(lines) + "\n}\n"


_compact = json.JSONEncoder(sort_keys=True, ensure_ascii=False, allow_nan=False).encode  # `json.dumps` makes one for each call


def _length(value: Any) -> int:
    """Return a length that the compact text of a value reaches at least; it stops counting beyond the width of a line."""
    if isinstance(value, str):
        return len(value) + 2
    if not isinstance(value, (dict, list)):
        return 1
    length = 2 * len(value)  # two brackets, and two characters between items
    for item in value.values() if isinstance(value, dict) else value:
        if length > _WIDTH:
            break
        length += _length(item)
    if isinstance(value, dict) and length <= _WIDTH:
        length += sum(len(str(key)) + 4 for key in value)
    return length


def _value(value: Any, depth: int) -> str:
    if not isinstance(value, (dict, list)) or not value:
        return _compact(value)
    if _length(value) <= _WIDTH:  # else it would be written for nothing, at each depth anew
        text = _compact(value)
        if len(text) <= _WIDTH:
            return text
    inner, outer = "\n" + " " * (depth + 1), "\n" + " " * depth
    if isinstance(value, dict):
        items = [f"{_compact(key)}: {_value(value[key], depth + 1)}" for key in sorted(value)]
        return "{" + inner + f",{inner}".join(items) + outer + "}"
    return "[" + inner + f",{inner}".join(_value(item, depth + 1) for item in value) + outer + "]"

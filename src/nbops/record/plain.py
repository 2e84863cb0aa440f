"""Turning values of any kind into plain ones that JSON can hold, always the same way.

What ends in a ledger or a committed notebook passes through here: no NaN, no lone surrogates, no numpy scalars, no surprises.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any

__all__ = ["clean_text", "plain", "round_number"]

_DEEPEST = 60  # levels of nesting; far above what people write, far below Python's recursion limit
_WIDEST_INT = 1024  # bits; larger integers become text, as Python refuses to print those of more than 4,300 digits
_WIDEST_DECIMAL = 10**15  # above, a decimal becomes a rounded number as any other


def clean_text(text: str) -> str:
    r"""Return ``text`` with lone surrogates replaced by U+FFFD, so that it can be written as UTF-8.

    >>> clean_text("caf\udce9")
    'caf\ufffd'
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def round_number(value: float, *, decimals: int | None = None) -> float | str:
    """Round to ``decimals``, or to 12 significant digits; a number that is not finite becomes its name.

    >>> round_number(0.1 + 0.2)
    0.3
    >>> round_number(float("-inf"))
    '-Infinity'
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    rounded = round(value, decimals) if decimals is not None else float(f"{value:.12g}")
    return rounded + 0.0  # -0.0 becomes 0.0


def _sequence(value: Any) -> list[Any] | None:
    """Return the items of a list-like value in a stable order, None for others."""
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, AbstractSet):
        return sorted(value, key=lambda item: (type(item).__name__, str(item)))
    return None


def _number(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, bool):
        return bool(value)
    if isinstance(value, int):
        return int(value) if value.bit_length() <= _WIDEST_INT else hex(value)
    return round_number(float(value))


def plain(value: Any, *, depth: int = 0) -> Any:
    """Return ``value`` made of dict, list, str, int, float, bool and None only.

    Mappings get text keys in sorted order, sets are sorted, dates become ISO 8601, decimals numbers, scalars of numpy and the
    like their Python value, bytes their length, and anything else its ``str``.

    >>> plain({"b": (1, float("nan")), "a": {3, 1}})
    {'a': [1, 3], 'b': [1, 'NaN']}
    """
    if isinstance(value, Enum):
        value = value.value
    if value is None or isinstance(value, (str, int, float)):
        return clean_text(str(value)) if isinstance(value, str) else _number(value)
    if depth >= _DEEPEST:
        return "..."
    if isinstance(value, Mapping):
        named = {clean_text(str(key)): item for key, item in value.items()}
        return {key: plain(named[key], depth=depth + 1) for key in sorted(named)}
    items = _sequence(value)
    if items is None:
        items = _array(value)
    return _scalar(value) if items is None else [plain(item, depth=depth + 1) for item in items]


def _array(value: Any) -> list[Any] | None:
    """Return the items of an array (numpy, arrow) of one dimension or more, None for others."""
    tolist = getattr(value, "tolist", None)
    items = tolist() if callable(tolist) and not isinstance(value, memoryview) else None
    return items if isinstance(items, list) else None


def _scalar(value: Any) -> Any:
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return round_number(value.total_seconds())
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{len(bytes(value))} bytes>"
    if isinstance(value, Decimal):
        whole = value.is_finite() and value == value.to_integral_value() and abs(value) < _WIDEST_DECIMAL
        return int(value) if whole else round_number(float(value))
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():  # a scalar of numpy
        inner = item()
        return clean_text(str(value)) if type(inner) is type(value) else plain(inner)
    return clean_text(value.as_posix() if isinstance(value, PurePath) else str(value))

"""A comparison as plain values, for machines."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbops.history.comparison import Comparison

__all__ = ["as_document"]


def as_document(found: Comparison) -> dict[str, Any]:
    """Return a comparison as values that JSON can hold; numbers that it cannot (infinite, none) become texts.

    Keys: ``before`` and ``after`` (id, instant, status, verdict, commit), ``different``, ``changes`` (heaviest first),
    ``unknown`` (what could not be compared) and ``compared`` (how many of each were looked at).
    """
    document = asdict(found)
    document["different"] = found.different
    document["compared"] = dict(found.compared)
    document["changes"] = [
        {key: value for key, value in change.items() if value is not None or key in {"before", "after"}}
        for change in document["changes"]
    ]
    plain: dict[str, Any] = _plain(document)
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)

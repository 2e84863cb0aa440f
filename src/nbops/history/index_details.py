"""The numbers of a distribution besides its quantiles and categories, as series: frequent numbers, shapes, segments. Pure.

``share:VALUE`` of frequent numbers, ``pattern:SHAPE`` and ``segment:COLUMN=VALUE:nullRate`` (also ``middle`` and ``usualRate``).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbops.model import Distribution

__all__ = ["details_of"]


def details_of(spread: Distribution) -> Iterator[tuple[tuple[str | None, str], float]]:
    """Yield the numbers by column and metric; rates are of rows."""
    column = spread.column
    if spread.rows > 0:
        yield from (((column, f"share:{value}"), count / spread.rows) for value, count in spread.frequent.items())
    sampled = sum(spread.patterns.values())
    if sampled > 0:
        yield from (((column, f"pattern:{shape}"), count / sampled) for shape, count in spread.patterns.items())
    for one in spread.segments:
        name = f"segment:{one.by}={one.value}"
        if one.rows <= 0:
            continue
        yield (column, f"{name}:nullRate"), one.nulls / one.rows
        if one.middle is not None and math.isfinite(one.middle):
            yield (column, f"{name}:middle"), one.middle
        if one.usual is not None:
            yield (column, f"{name}:usualRate"), one.usual / one.rows

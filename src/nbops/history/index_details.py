"""The numbers of a distribution besides its quantiles and categories, as series: frequent numbers, shapes, segments. Pure.

``share:VALUE`` of frequent numbers, ``topRate`` of the most frequent value, ``magnitude:POWER``, ``pattern:SHAPE`` and
``segment:COLUMN=VALUE:nullRate`` (also ``middle`` and ``usualRate``). ``odd:COLUMN:usualRate`` is that of the segment where it is
least, whichever it is, so that a segment that seldom comes is judged too.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbops.model import Distribution

__all__ = ["details_of"]

_POWER = re.compile(r"0|-?e-?\d{1,3}")
_ODD_ROWS = 15
"""Rows that a segment must have so that its share of usual values says something."""


def details_of(spread: Distribution) -> Iterator[tuple[tuple[str | None, str], float]]:
    """Yield the numbers by column and metric; rates are of rows."""
    column = spread.column
    if spread.rows > 0:
        yield from (((column, f"share:{value}"), count / spread.rows) for value, count in spread.frequent.items())
        yield from (
            ((column, f"magnitude:{power}"), count / spread.rows)
            for power, count in spread.magnitudes.items()
            if _POWER.fullmatch(power)
        )
        most = max([*spread.categories.values(), *spread.frequent.values()], default=0) / spread.rows
        top = spread.top if spread.top is not None and math.isfinite(spread.top) else most
        if top > 0:
            yield (column, "topRate"), top
        yield from _odd(spread)
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


def _odd(spread: Distribution) -> Iterator[tuple[tuple[str | None, str], float]]:
    """Yield, for each column that segments, the least share of values that other segments have too.

    The largest segment is left out: many of its values are its own.
    """
    for by in dict.fromkeys(one.by for one in spread.segments):
        segments = sorted((one for one in spread.segments if one.by == by), key=lambda one: -one.rows)[1:]
        rates = [one.usual / one.rows for one in segments if one.usual is not None and one.rows >= _ODD_ROWS]
        if rates:
            yield (spread.column, f"odd:{by}:usualRate"), min(rates)

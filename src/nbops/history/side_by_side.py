"""Rows of the history's index side by side: all numbers of a subject as one table, without an object for each of them.

Monitors look at hundreds of runs of hundreds of numbers each. As :class:`~nbops.history.index_reading.SeriesPoint` these are what
judging a run would mostly spend its time on; the rows' numbers are stored as they stand here, and are taken over as they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nbops.history.index_facts import shares_of
from nbops.history.index_reading import SeriesPoint, intervals_of, moment, resolved, spreads_of, whole_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from nbops.history.index_facts import Key
    from nbops.history.index_reading import Home
    from nbops.history.index_tables import Row, Texts

__all__ = ["Table", "table_of_rows"]

_AGE: Key = (None, "age")
_SHARE = "share:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The numbers of one subject: a row for each series, a column for each run, the oldest first."""

    keys: tuple[Key, ...]
    """Column and metric of each series, in the order in which they first came."""
    runs: tuple[str, ...]
    at: tuple[datetime, ...]
    """As of :class:`SeriesPoint`, and so are the next two."""
    changed: tuple[bool, ...]
    published: tuple[bool, ...]
    values: NDArray[np.float64]
    """NaN where a series has no number."""
    intervals: tuple[SeriesPoint, ...]
    """``interval``, which has points of its own that count as changed."""

    def points(self, key: Key) -> list[SeriesPoint]:
        """Return one series as :meth:`nbops.history.index.History.series` does."""
        if key not in self.keys:
            return []
        numbers = self.values[self.keys.index(key)].tolist()
        return [
            SeriesPoint(run, at, value, changed, published)
            for run, at, value, changed, published in zip(self.runs, self.at, numbers, self.changed, self.published, strict=True)
            if not math.isnan(value)
        ]

    def without_columns(self) -> Table:
        """Return the table of the subject's own series, without those of its columns."""
        stays = [number for number, (column, _) in enumerate(self.keys) if column is None]
        return replace(self, keys=tuple(self.keys[number] for number in stays), values=self.values[stays])


class _Shares(NamedTuple):
    """What the categories of one row say."""

    numbers: Mapping[Key, float]
    whole: frozenset[str]
    """Columns of which all categories are known."""


def table_of_rows(rows: Iterable[Row], *, home: Home, texts: Texts) -> Table:
    """Return all numbers that rows hold; the same as :func:`nbops.history.index_reading.series_of_rows` says, side by side.

    Args:
        rows: Of one subject, the oldest first.
        home: Finds the rows that others were carried over from.
        texts: Those of the index.

    Raises:
        ValueError: A row does not hold what its layout says; the index is damaged then.
    """
    known = list(resolved(rows, home))
    order: dict[Key, int] = {}
    layouts: dict[int | None, tuple[NDArray[np.intp], list[int]]] = {}
    spreads: dict[bytes | None, _Shares] = {}
    more: list[tuple[int, int, float]] = []
    shares: list[_Shares] = []
    for line, (row, holder) in enumerate(known):
        if holder.layout not in layouts:
            layouts[holder.layout] = _places(order, holder, texts), []
        layouts[holder.layout][1].append(line)
        if holder.spreads not in spreads:
            spreads[holder.spreads] = _shares(holder)
        categories = spreads[holder.spreads]
        if categories.numbers:
            more += [(line, order.setdefault(key, len(order)), value) for key, value in categories.numbers.items()]
        if holder.newest is not None:
            more.append((line, order.setdefault(_AGE, len(order)), row.reference - holder.newest))
        shares.append(categories)
    values = np.full((len(known), len(order)), np.nan)
    for places, lines in layouts.values():
        values[np.array(lines, np.intp)[:, None], places] = _block([known[line][1].numbers or b"" for line in lines], len(places))
    for line, place, value in more:
        values[line, place] = value
    _fill(values, order, shares)
    return Table(
        keys=tuple(order),
        runs=tuple(row.run for row, _ in known),
        at=tuple(moment(row.at) for row, _ in known),
        changed=tuple(bool(row.changed) for row, _ in known),
        published=tuple(bool(row.published) for row, _ in known),
        values=np.ascontiguousarray(values.T),
        intervals=tuple(intervals_of([row for row, _ in known])),
    )


def _places(order: dict[Key, int], holder: Row, texts: Texts) -> NDArray[np.intp]:
    layout: Sequence[Any] = (texts.get(holder.layout) or ()) if holder.numbers is not None else ()
    return np.array([order.setdefault((column, metric), len(order)) for column, metric in layout], np.intp)


def _block(numbers: Sequence[bytes], count: int) -> NDArray[np.float64]:
    """Return the numbers of rows of one layout, a row each; rows are taken over whole, not one by one."""
    size = count * np.dtype(np.float64).itemsize
    if any(len(one) != size for one in numbers):
        raise ValueError("a row does not hold what its layout says")
    return np.frombuffer(b"".join(numbers)).reshape(len(numbers), count)


def _shares(holder: Row) -> _Shares:
    spreads = spreads_of(holder)
    return _Shares(dict(shares_of(spreads)), frozenset(whole_columns(spreads)))


def _fill(values: NDArray[np.float64], order: Mapping[Key, int], shares: Sequence[_Shares]) -> None:
    """Give categories that were not there, in runs where all are known, the share 0, in place."""
    known: dict[str, list[tuple[Key, int]]] = {}
    for key, place in order.items():
        if key[0] is not None and key[1].startswith(_SHARE):
            known.setdefault(key[0], []).append((key, place))
    if not known:
        return
    for line, one in zip(values, shares, strict=True):
        for column in one.whole:
            line[[place for key, place in known.get(column, ()) if key not in one.numbers]] = 0.0

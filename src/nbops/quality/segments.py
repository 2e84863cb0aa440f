"""Which rows carry a change: the smallest segment of a dataset that explains the largest part of it.

Of two versions of a dataset each row has a number: 1 for every row (how many there are), whether a value is missing, the
value itself, or whether it is new. A segment is all rows that meet one condition or two (``country = EIRE``). What is expected
of it now is what it had before, a row; the part that it explains is its surplus over that, as a part of the surplus of all rows.
This is the "explanatory power" of Adtributor (R. Bhagwan et al., Adtributor: Revenue Debugging in Advertising Systems, NSDI
2014, section 4.1), which also prefers few and surprising elements; that a combination of conditions is to be preferred only
where it says more than its parts follows Squeeze (Z. Li et al., Generic and Robust Localization of Multi-Dimensional Root
Causes, ISSRE 2019).

Columns of few values are looked at, and ranges of dates and numbers; never a column that is named as personal.
"""

# ruff: noqa: S608 - columns are named by position, other names pass through quote() and values through literal()

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

from nbops.quality.engine import connect
from nbops.quality.source import open_source
from nbops.quality.sqltext import literal

if TYPE_CHECKING:
    from pathlib import Path

    from nbops.quality.source import Source, SourceColumn

__all__ = ["Measured", "Segment", "find_segments"]

Measured = Literal["rows", "nulls", "mean", "new"]
"""How many rows; missing values; the values' mean; values that were not there before."""

_FEW, _BINS = 60, 6
"""Values of a column that is looked at by value; ranges that others are cut into."""
_PAIRED = 6
"""Columns, the most telling ones, of which pairs are looked at."""
_WORTH, _NEARLY = 0.25, 0.92
"""Least part of a change that is told; of two segments the smaller is taken when it explains this part of what the other does."""
_NARROWER, _ENOUGH = 0.6, 0.8
"""A pair is taken where it is this much smaller than one condition, and explains as much or almost so."""
_SHOWN = 60
_MISSING, _NONE = "(missing)", "is missing"
_NUMBERS = (
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "FLOAT",
    "DOUBLE",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of the rows."""

    conditions: tuple[tuple[str, str], ...]
    """Column and value, or range; at most two."""
    explained: float
    """Part of the change that lies in it; may be above 1 where other rows changed the other way."""
    share: float
    """Part of the rows that it is (of those now, or of those before where it went)."""
    within: float
    """The surplus of a row in it: for missing values the part of its rows that are missing anew."""
    categorical: bool

    @property
    def text(self) -> str:
        """The conditions in words."""
        return " and ".join(f"{column} {value}" for column, value in self.conditions)


@dataclass(frozen=True, slots=True)
class _Group:
    """Rows and the sum of their numbers, before and now."""

    rows_before: float = 0.0
    sum_before: float = 0.0
    rows_now: float = 0.0
    sum_now: float = 0.0


@dataclass(frozen=True, slots=True)
class _Dimension:
    """A column to cut by."""

    column: str
    before: str
    """Expression over the rows before; None values are the text of missing ones."""
    now: str
    categorical: bool


def find_segments(
    before: Path | None,
    now: Path,
    *,
    name: str,
    column: str | None,
    measured: Measured,
    personal: Iterable[str] = (),
    rate_before: float | None = None,
    categories: Mapping[str, Mapping[str, int]] | None = None,
    memory_limit: str | None = None,
    most: int = 3,
) -> tuple[Segment, ...]:
    """Return the segments that carry a change, the best first.

    Args:
        before: The dataset as it was; without it every row now is held against the rate before, or for rows the numbers of
            rows by category.
        now: The dataset as it is.
        name: Its final path, for the format's ending.
        column: The column that moved; None for the rows as such.
        measured: What moved.
        personal: Columns that are not looked at and whose values are never told.
        rate_before: What a row had before on average, where ``before`` is not at hand.
        categories: Column to value to rows before, where ``before`` is not at hand.
        memory_limit: For DuckDB.
        most: So many are returned at most.

    Raises:
        DataError: A file cannot be read.
    """
    with connect(memory_limit=memory_limit, threads=2) as (connection, scratch):
        new = open_source(connection, now, name=name, scratch=scratch, contract=None, shown=name, prefix="now_")
        old = (
            open_source(connection, before, name=name, scratch=scratch, contract=None, shown=name, prefix="before_")
            if before is not None
            else None
        )
        search = _Search(connection, old, new, column, measured, frozenset(personal), rate_before, categories or {})
        return search.run(most)


class _Search:
    """The search over one pair of files."""

    def __init__(  # noqa: PLR0917 - made in one place
        self,
        connection: Any,
        old: Source | None,
        new: Source,
        column: str | None,
        measured: Measured,
        personal: frozenset[str],
        rate: float | None,
        categories: Mapping[str, Mapping[str, int]],
    ) -> None:
        self._connection, self._old, self._new, self._column = connection, old, new, column
        self._measured, self._personal, self._rate, self._categories = measured, personal, rate, categories
        self._types = {item.name: item for item in new.columns}
        self._before = {item.name: item for item in old.columns} if old is not None else {}

    def run(self, most: int) -> tuple[Segment, ...]:
        if self._measured != "rows" and (self._column is None or self._column not in self._types):
            return ()
        if self._old is not None and self._column is not None and self._column not in self._before:
            return ()
        total = self._groups([])[()]
        surplus = self._surplus(total, total)
        if not math.isfinite(surplus) or surplus == 0:
            return ()
        found: list[tuple[Segment, tuple[str, ...]]] = []
        for dimension in self._dimensions():
            found += [(segment, (dimension.column,)) for segment in self._segments([dimension], total, surplus)]
        found.sort(key=lambda item: -_worth(item[0]))
        best = [item[0] for item in found if item[0].explained >= _WORTH][: most * 3]
        if self._old is None and self._measured == "rows":
            return tuple(_smallest(best)[:most])
        leading = list(dict.fromkeys(names[0] for _, names in found if _))[:_PAIRED]
        if best and (best[0].share > 0.05 or best[0].explained < _ENOUGH):  # noqa: PLR2004 - else it is narrow enough
            best += self._pairs(leading, total, surplus, than=_smallest(best)[0])
        return tuple(_smallest(best)[:most])

    def _pairs(self, names: Sequence[str], total: _Group, surplus: float, *, than: Segment) -> list[Segment]:
        dimensions = {item.column: item for item in self._dimensions()}
        found: list[Segment] = []
        for one, other in combinations([name for name in names if name in dimensions], 2):
            for segment in self._segments([dimensions[one], dimensions[other]], total, surplus):
                fine = segment.explained >= min(_NEARLY * than.explained, 1.0) and segment.share <= _NARROWER * than.share
                if fine and segment.explained >= _ENOUGH:
                    found.append(segment)
        return found

    # -- numbers ------------------------------------------------------------------------------------------------------------

    def _surplus(self, group: _Group, total: _Group) -> float:
        """Return what a group has beyond what is expected of it."""
        if self._measured == "rows":
            return group.rows_now - group.rows_before
        if self._old is None:
            return group.sum_now - (self._rate or 0.0) * group.rows_now
        overall = total.sum_before / total.rows_before if total.rows_before else 0.0
        expected = group.sum_before / group.rows_before if group.rows_before else overall
        return group.sum_now - expected * group.rows_now

    def _segments(self, dimensions: Sequence[_Dimension], total: _Group, surplus: float) -> list[Segment]:
        found = []
        groups = self._groups(dimensions)
        whole = sum(self._surplus(group, total) for group in groups.values()) or surplus
        if whole * surplus < 0 or abs(whole) < 0.3 * abs(surplus):
            whole = surplus
        for values, group in groups.items():
            rows = max(group.rows_now, group.rows_before if self._measured == "rows" else 0.0)
            base = max(total.rows_now, total.rows_before if self._measured == "rows" else 0.0)
            if not rows or not base or self._went_missing(values, group):
                continue
            extra = self._surplus(group, total)
            found.append(
                Segment(
                    conditions=tuple(
                        (dimension.column, value if not dimension.categorical else f"= {_short(value)}")
                        for dimension, value in zip(dimensions, values, strict=True)
                    ),
                    explained=extra / whole,
                    share=rows / base,
                    within=extra / rows,
                    categorical=all(dimension.categorical for dimension in dimensions),
                )
            )
        return found

    def _went_missing(self, values: Sequence[str], group: _Group) -> bool:
        """Tell whether a segment is of values that went missing at the same time: that is the change itself, not where it is."""
        if self._measured == "rows" or not {_MISSING, _NONE} & set(values):
            return False
        return self._old is None or 2 * group.rows_before < group.rows_now

    def _groups(self, dimensions: Sequence[_Dimension]) -> dict[tuple[str, ...], _Group]:
        now = self._query(self._new, [item.now for item in dimensions], self._types)
        if self._old is not None:
            before = self._query(self._old, [item.before for item in dimensions], self._before)
        elif self._measured == "rows" and len(dimensions) == 1:
            before = {(key,): (rows, 0.0) for key, rows in self._categories.get(dimensions[0].column, {}).items()}
        elif self._measured == "rows":
            before = {(): (max((sum(c.values()) for c in self._categories.values()), default=0), 0.0)} if not dimensions else {}
        else:
            before = {}
        return {key: _Group(*before.get(key, (0, 0.0)), *now.get(key, (0, 0.0))) for key in now.keys() | before.keys()}

    def _query(
        self, source: Source, keys: Sequence[str], columns: Mapping[str, SourceColumn]
    ) -> dict[tuple[str, ...], tuple[float, float]]:
        number = self._number(columns)
        listed = ", ".join(keys)
        text = f"SELECT {listed + ', ' if keys else ''}{'count(*)' if number is None else f'count({number})'}, "
        text += "0" if number is None else f"coalesce(sum({number}), 0)"
        text += f" FROM {source.prefix}scan{' GROUP BY ' + listed if keys else ''}"
        rows = self._connection.execute(text).fetchall()
        return {tuple(str(part) for part in row[: len(keys)]): (float(row[-2]), float(row[-1])) for row in rows}

    def _number(self, columns: Mapping[str, SourceColumn]) -> str | None:
        """Return the expression of a row's number; None where rows are counted."""
        if self._measured == "rows" or self._column is None:
            return None
        key = columns[self._column].key
        if self._measured == "nulls":
            return f"CAST({key} IS NULL AS INTEGER)"
        if self._measured == "mean":
            return f"CASE WHEN isfinite(CAST({key} AS DOUBLE)) THEN CAST({key} AS DOUBLE) END"
        if self._old is None:
            known = ", ".join(literal(value) for value in self._categories.get(self._column, {}))
            return f"CAST(CAST({key} AS VARCHAR) NOT IN ({known or 'NULL'}) AS INTEGER)"
        was = self._before[self._column].key
        return (
            f"CAST({key} IS NOT NULL AND CAST({key} AS VARCHAR) NOT IN "
            f"(SELECT DISTINCT CAST({was} AS VARCHAR) FROM {self._old.prefix}scan WHERE {was} IS NOT NULL) AS INTEGER)"
        )

    # -- what to cut by -----------------------------------------------------------------------------------------------------

    def _dimensions(self) -> list[_Dimension]:
        found: list[_Dimension] = []
        for item in self._new.columns:
            was = self._before.get(item.name)
            if item.name in self._personal or item.name == self._column or (self._old is not None and was is None):
                continue
            found += self._cut(item, was)
        return found

    def _cut(self, item: SourceColumn, was: SourceColumn | None) -> list[_Dimension]:
        kind = item.type.upper()
        few = self._few(item, was)
        if kind in {"VARCHAR", "BOOLEAN"} or kind.startswith("ENUM") or few:
            if not few:
                return []
            before, now = (f"coalesce(CAST({one.key} AS VARCHAR), {literal(_MISSING)})" if one else "" for one in (was, item))
            return [_Dimension(item.name, before, now, categorical=kind != "DATE" and not kind.startswith("TIMESTAMP"))]
        if self._old is None and self._measured == "mean":
            return []  # what a range had before is not known, and large values are in the ranges of large numbers
        if kind in _NUMBERS or kind.startswith(("DECIMAL", "TIMESTAMP")) or kind == "DATE":
            return self._ranges(item, was, dated=kind.startswith("TIMESTAMP") or kind == "DATE")
        return []

    def _few(self, item: SourceColumn, was: SourceColumn | None) -> bool:
        """Tell whether a column has few values, before or now, and more than one row for each on average."""
        sources = [(self._new, item), *([(self._old, was)] if self._old is not None and was is not None else [])]
        for source, column in sources:
            distinct, rows = self._connection.execute(
                f"SELECT approx_count_distinct({column.key}), count(*) FROM {source.prefix}scan"
            ).fetchone()
            if distinct > _FEW or (rows > 20 and distinct * 2 > rows):  # noqa: PLR2004 - a handful of rows says nothing
                return False
        return True

    def _ranges(self, item: SourceColumn, was: SourceColumn | None, *, dated: bool) -> list[_Dimension]:
        source, column = (self._old, was) if self._old is not None and was is not None else (self._new, item)
        number = _as_number(column.key, dated=dated)
        parts = ", ".join(str(n / _BINS) for n in range(1, _BINS))
        edges = self._connection.execute(
            f"SELECT quantile_cont({number}, [{parts}]) FROM {source.prefix}scan WHERE isfinite({number})"
        ).fetchone()[0]
        if not edges:
            return []
        cuts = sorted({float(edge) for edge in edges})
        before, now = (_bins(one.key, cuts, dated=dated) if one else "" for one in (was, item))
        return [_Dimension(item.name, before, now, categorical=False)]


def _as_number(key: str, *, dated: bool) -> str:
    return f"CAST(epoch({key}) AS DOUBLE)" if dated else f"CAST({key} AS DOUBLE)"


def _bins(key: str, cuts: Sequence[float], *, dated: bool) -> str:
    """Return an expression that gives the range that a value is in, in words."""
    number = _as_number(key, dated=dated)
    shown = [_edge(cut, dated=dated) for cut in cuts]
    cases = [
        f"WHEN {number} IS NULL OR isnan({number}) THEN {literal(_NONE)}",
        f"WHEN {number} < {cuts[0]!r} THEN {literal('< ' + shown[0])}",
    ]
    for low, high, one, other in zip(cuts, cuts[1:], shown, shown[1:], strict=False):
        cases.append(f"WHEN {number} >= {low!r} AND {number} < {high!r} THEN {literal(f'from {one} to below {other}')}")
    return f"CASE {' '.join(cases)} ELSE {literal('≥ ' + shown[-1])} END"


def _edge(value: float, *, dated: bool) -> str:
    if not dated:
        return f"{value:.6g}"
    from datetime import datetime, timedelta, timezone  # noqa: PLC0415 - of use here only

    try:
        moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=value)
    except OverflowError:
        return f"{value:.6g}"
    return f"{moment:%Y-%m-%d}" if moment.hour == moment.minute == 0 else f"{moment:%Y-%m-%d %H:%M}"


def _short(value: str) -> str:
    line = " ".join(value.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


def _worth(segment: Segment) -> float:
    return min(segment.explained, 1.0) - segment.share


def _smallest(found: Sequence[Segment]) -> list[Segment]:
    """Return segments, the best first: the one that explains most, or a much smaller one that explains almost as much."""
    ordered = sorted(found, key=lambda one: (-_worth(one), len(one.conditions)))
    if not ordered:
        return []
    best = ordered[0]
    rivals = [
        one for one in ordered if one.explained >= _NEARLY * min(best.explained, 1.0) and one.share <= _NARROWER * best.share
    ]
    first = min(rivals, key=lambda one: (one.share, len(one.conditions)), default=best)
    return [first, *(one for one in ordered if one is not first and one.conditions != first.conditions)]

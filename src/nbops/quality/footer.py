"""What the footer of a Parquet file says of its columns, as far as it can be trusted.

Null counts are taken where every row group has one. Smallest and largest values are taken only of whole numbers, dates and
timestamps that are stored as signed integers, from the fields whose sort order the format defines (``min_value``, ``max_value``),
where every row group with a value has them and none is marked as inexact. Everything else is left to a scan: text may be cut or
sorted in another way, floats leave NaN out, unsigned numbers and decimals in bytes were sorted wrongly by old writers, and the
deprecated fields ``min`` and ``max`` have no order. Source: the format's ``Statistics`` and ``ColumnOrder`` (parquet.thrift).
"""

# ruff: noqa: S608 - columns are named by position, other names pass through quote() and values through literal()

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import duckdb

from nbops.quality.families import family_of, is_float
from nbops.quality.sqltext import literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbops.quality.source import Source, SourceColumn

__all__ = ["Footer", "read_footer"]

_SIGNED = frozenset(["TINYINT", "SMALLINT", "INTEGER", "BIGINT"])
_STORED = frozenset(["INT32", "INT64"])
_NESTED = frozenset(["list", "struct", "map"])


@dataclass(frozen=True, slots=True)
class Footer:
    """By the columns' keys."""

    nulls: Mapping[str, int] = field(default_factory=dict)
    bounds: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Smallest and largest value as SQL expressions of the column's type; NULL for a column without a value."""
    ranges: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """The same of whole numbers."""
    hints: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """The same of floats, as far as they are told: NaN is left out and the ends may be wrong, so they decide nothing, and only
    say which way of counting is likely to be the short one."""


def read_footer(source: Source) -> Footer:
    """Read the footer of a Parquet file; of other formats, directories, nested and broken files nothing is known."""
    if source.path is None:
        return Footer()
    complete = "coalesce(bool_and(stats_null_count IS NOT NULL), false)"
    stated = "stats_min_value IS NOT NULL AND stats_max_value IS NOT NULL AND min_is_exact AND max_is_exact"
    query = (
        f"SELECT {complete}, sum(stats_null_count), sum(num_values), any_value(type), count(DISTINCT type), "
        f"bool_and(coalesce({stated}, false) OR num_values = coalesce(stats_null_count, -1)), "
        "list(stats_min_value), list(stats_max_value) "
        f"FROM parquet_metadata({literal(source.path)}) GROUP BY column_id ORDER BY column_id"
    )
    try:
        found = source.connection.execute(query).fetchall()
    except duckdb.Error:
        return Footer()
    if len(found) != len(source.columns):
        return Footer()
    nulls: dict[str, int] = {}
    texts: dict[str, tuple[list[str], list[str]]] = {}
    hints: dict[str, tuple[float, float]] = {}
    for column, (counted, null, values, stored, kinds, bounded, lows, highs) in zip(source.columns, found, strict=True):
        # A list or an object with one leaf has that leaf's nulls, which are not its own.
        if not counted or values != source.rows or family_of(column.type) in _NESTED:
            continue
        nulls[column.key] = int(null)
        if bounded and kinds == 1 and stored in _STORED and _ordered(column):
            texts[column.key] = ([text for text in lows if text is not None], [text for text in highs if text is not None])
        if is_float(column.type):
            hint = _hint(lows, highs)
            hints |= {} if hint is None else {column.key: hint}
    bounds, ranges = _bounds(source, texts)
    return Footer(nulls=nulls, bounds=bounds, ranges=ranges, hints=hints)


def _hint(lows: list[str | None], highs: list[str | None]) -> tuple[float, float] | None:
    try:
        return min(float(text) for text in lows if text is not None), max(float(text) for text in highs if text is not None)
    except ValueError:
        return None


def _ordered(column: SourceColumn) -> bool:
    return column.type in _SIGNED or family_of(column.type) in {"date", "timestamp"}


def _bounds(
    source: Source, texts: Mapping[str, tuple[list[str], list[str]]]
) -> tuple[dict[str, tuple[str, str]], dict[str, tuple[int, int]]]:
    bounds: dict[str, tuple[str, str]] = {}
    ranges: dict[str, tuple[int, int]] = {}
    for column in source.columns:
        if column.key not in texts:
            continue
        lows, highs = texts[column.key]
        try:
            if column.type in _SIGNED and lows:
                ranges[column.key] = min(map(int, lows)), max(map(int, highs))
                low: str | None = str(ranges[column.key][0])
                high: str | None = str(ranges[column.key][1])
            else:
                # The engine's own text of a date or timestamp; read back by the engine, which raises on what it cannot read.
                low, high = _extreme(source, column.type, lows, "min"), _extreme(source, column.type, highs, "max")
        except (ValueError, duckdb.Error):
            ranges.pop(column.key, None)
            continue
        bounds[column.key] = (f"CAST({literal(low)} AS {column.type})", f"CAST({literal(high)} AS {column.type})")
    return bounds, ranges


def _extreme(source: Source, type_name: str, texts: list[str], which: str) -> str | None:
    values = f"[{', '.join(f'CAST({literal(text)} AS {type_name})' for text in texts)}]"
    query = f"SELECT CAST(list_{which}({values}) AS VARCHAR)" if texts else "SELECT NULL"
    found: str | None = source.connection.execute(query).fetchone()[0]
    return found

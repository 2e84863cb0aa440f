"""What else of a column's values tells that something is wrong: frequent numbers, decimals, and the column by segments.

A currency that changes for one country leaves all quantiles where they were; the median of that country moves, and its
prices are none that other rows have. All of it is taken of the rows that the distributions are taken of, in one query for all
columns and one for each column that segments, of which there are at most three; of wide data the first columns are looked at.
Short data is listed and counted here: an engine's histogram takes 5 ms a column however few rows there are.
"""

# ruff: noqa: S608 - columns are named by position, values are bound

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb

from nbops.model import Segment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbops.model import Distribution

__all__ = ["LISTED_ROWS", "Field", "repeated_rows", "with_details"]

_COLUMNS = 60
"""Columns that are looked at."""
_MOST_VALUES = 1_000
_FREQUENT, _SEGMENTS, _BY = 10, 8, 3
_BY_VALUES, _BY_ROWS = 50, 15
LISTED_ROWS = 20_000
"""Up to so many rows lists of values cost less than what the engine makes of them."""
_DECIMALS = 3
_CLOSE = 1e-9
_OFFSET = 1_000
"""Added to powers of ten, so that their sign can be that of the number."""


class Field(NamedTuple):
    """A column that is looked at."""

    name: str
    key: str
    """Its name in queries."""
    number: bool
    distinct: int | None
    """Values that it has, where that was counted."""


def with_details(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    fields: Sequence[Field],
    found: Mapping[str, Distribution],
    *,
    listed: Mapping[str, Sequence[float]] | None = None,
) -> dict[str, Distribution]:
    """Return distributions with what else was found; where a query fails, as they were.

    Args:
        connection: To the engine that has the data open.
        relation: What stands after ``FROM``.
        fields: Columns of ``relation`` that are not personal.
        found: Their distributions, by name.
        listed: All finite values of each column of numbers, where they were listed; None: they were not.
    """
    known = [field for field in fields if field.name in found][:_COLUMNS]
    result = dict(found)
    try:
        if listed is not None:
            result |= _of_lists([field for field in known if field.name in listed], listed, result)
        else:
            result |= _magnitudes(connection, relation, [field for field in known if field.number], result)
            result |= _frequent(connection, relation, known, result)
        for by in _segmenting(known, result):
            others = [field for field in known if field is not by]
            result |= _segmented(connection, relation, by, others, result, short=listed is not None)
    except (duckdb.Error, ValueError, OverflowError):
        return result
    return result


def repeated_rows(connection: duckdb.DuckDBPyConnection, relation: str, keys: Sequence[str], *, rows: int) -> int | None:
    """Return how many of ``rows`` rows repeat another in all columns; None where that cannot be told."""
    if not keys or len(keys) > _COLUMNS:
        return None
    value = f"hash({', '.join(keys)})"
    # of few rows a list costs less than the engine's hash table
    distinct = f"coalesce(len(list_distinct(list({value}))), 0)" if rows <= LISTED_ROWS else f"count(DISTINCT {value})"
    query = f"SELECT count(*) - {distinct} FROM {relation}"
    try:
        row = connection.execute(query).fetchone()
    except duckdb.Error:
        return None
    return int(row[0]) if row else None


def _few(field: Field) -> bool:
    return field.number and field.distinct is not None and field.distinct <= _MOST_VALUES


def _counts(entries: Any, *, short: bool = False) -> dict[float, int]:
    """Return finite numbers and how often they are there, of (value, rows) or of a list of all."""
    if short:
        return {value: count for value, count in Counter(entries or ()).items() if value is not None and math.isfinite(value)}
    pairs = ((float(item["key"]), int(item["value"])) for item in entries or ())
    return {value: count for value, count in pairs if math.isfinite(value)}


def _histogram(field: Field, *, short: bool = False) -> str:
    if not _few(field):
        return "NULL"
    return f"list(CAST({field.key} AS DOUBLE))" if short else f"map_entries(histogram(CAST({field.key} AS DOUBLE)))"


def _of_lists(
    fields: Sequence[Field], listed: Mapping[str, Sequence[float]], found: Mapping[str, Distribution]
) -> dict[str, Distribution]:
    """Do what ``_magnitudes`` and ``_frequent`` do, of lists of values."""
    made: dict[str, Distribution] = {}
    for field in fields:
        counts = Counter(listed[field.name])
        codes: Counter[int] = Counter()
        for value, count in counts.items():
            codes[_code(value)] += count
        one = replace(found[field.name], magnitudes={_named(code): count for code, count in sorted(codes.items())})
        made[field.name] = _with_frequent(one, counts) if _few(field) else one
    return made


def _code(value: float) -> int:
    """Return what ``_magnitude`` gives for a finite number.

    >>> _code(0.0), _code(100.0), _code(-0.5)
    (0, 1002, -999)
    """
    if value == 0:
        return 0
    power = math.floor(math.log10(abs(value)) + _CLOSE) + _OFFSET
    return power if value > 0 else -power


def _magnitudes(
    connection: duckdb.DuckDBPyConnection, relation: str, fields: Sequence[Field], found: Mapping[str, Distribution]
) -> dict[str, Distribution]:
    """Count numbers by power of ten: a wrong unit in one row of a hundred moves no quantile that is followed, but these."""
    if not fields:
        return {}
    texts = [f"map_entries(histogram({_magnitude(f'CAST({field.key} AS DOUBLE)')}))" for field in fields]
    row = connection.execute(f"SELECT {', '.join(texts)} FROM {relation}").fetchone() or ()
    made: dict[str, Distribution] = {}
    for field, entries in zip(fields, row, strict=True):
        counts = sorted((int(item["key"]), int(item["value"])) for item in entries or ())
        made[field.name] = replace(found[field.name], magnitudes={_named(code): count for code, count in counts})
    return made


def _magnitude(number: str) -> str:
    """Return an expression of a number's power of ten, offset and with the number's sign; nothing for what is not finite."""
    size = f"nullif(CASE WHEN isfinite({number}) THEN abs({number}) END, 0)"
    power = f"CAST(floor(log10({size}) + {_CLOSE}) AS INTEGER) + {_OFFSET}"
    return f"CASE WHEN {number} = 0 THEN 0 WHEN {number} < 0 THEN -({power}) ELSE {power} END"


def _named(code: int) -> str:
    """Return the name of a power of ten.

    >>> _named(0), _named(_OFFSET + 2), _named(-_OFFSET + 1)
    ('0', 'e2', '-e-1')
    """
    return "0" if code == 0 else f"{'-' if code < 0 else ''}e{abs(code) - _OFFSET}"


def _frequent(
    connection: duckdb.DuckDBPyConnection, relation: str, fields: Sequence[Field], found: Mapping[str, Distribution]
) -> dict[str, Distribution]:
    few = [field for field in fields if _few(field)]
    if not few:
        return {}
    row = connection.execute(f"SELECT {', '.join(_histogram(field) for field in few)} FROM {relation}").fetchone() or ()
    made: dict[str, Distribution] = {}
    for field, entries in zip(few, row, strict=True):
        made[field.name] = _with_frequent(found[field.name], _counts(entries))
    return made


def _with_frequent(found: Distribution, counts: Mapping[float, int]) -> Distribution:
    top = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_FREQUENT]
    shapes: dict[str, int] = {}
    for value, count in counts.items():
        shape = number_shape(value)
        shapes[shape] = shapes.get(shape, 0) + count
    frequent = {f"{value:.12g}": count for value, count in top}
    return replace(found, frequent=frequent, patterns=dict(sorted(shapes.items())))


def number_shape(value: float) -> str:
    """Return sign and decimals of a number: ``0``, ``9``, ``9.9``, ``9.99`` or ``9.999`` (three and more), with ``-`` or without.

    >>> [number_shape(value) for value in (0.0, 3.0, -2.5, 2.95, 0.1234)]
    ['0', '9', '-9.9', '9.99', '9.999']
    """
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    if value.is_integer():
        return f"{sign}9"
    for decimals in range(_DECIMALS):
        if abs(round(value, decimals) - value) <= _CLOSE * max(1.0, abs(value)):
            return f"{sign}9{'.' if decimals else ''}{'9' * decimals}"
    return f"{sign}9.999"


def _segmenting(fields: Sequence[Field], found: Mapping[str, Distribution]) -> list[Field]:
    """Return the columns that rows are told apart by: those with the fewest values."""
    usable = [
        field
        for field in fields
        if found[field.name].categories
        and field.distinct is not None
        and 1 < field.distinct <= _BY_VALUES
        and found[field.name].rows >= _BY_ROWS * field.distinct
    ]
    return sorted(usable, key=lambda field: (field.distinct or 0, field.name))[:_BY]


def _segmented(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    by: Field,
    fields: Sequence[Field],
    found: Mapping[str, Distribution],
    *,
    short: bool,
) -> dict[str, Distribution]:
    if not fields:
        return {}
    categories = found[by.name].categories
    top = sorted(categories, key=lambda name: (-categories[name], name))[:_SEGMENTS]
    parts = [
        f"count({field.key})"
        + (f", avg(CAST({field.key} AS DOUBLE)), median(CAST({field.key} AS DOUBLE))" if field.number else ", NULL, NULL")
        + f", {_histogram(field, short=short)}"
        for field in fields
    ]
    text = f"CAST({by.key} AS VARCHAR)"
    segment = f"CASE WHEN {text} IN ({', '.join('?' * len(top))}) THEN {text} END"
    rows = connection.execute(f"SELECT {segment} AS s, count(*), {', '.join(parts)} FROM {relation} GROUP BY s", top).fetchall()
    made: dict[str, Distribution] = {}
    for number, field in enumerate(fields):
        cells = {row[0]: (row[1], *row[2 + 4 * number : 6 + 4 * number]) for row in rows}
        segments = _segments(by.name, top, cells, short=short)
        made[field.name] = replace(found[field.name], segments=(*found[field.name].segments, *segments))
    return made


def _segments(by: str, top: Sequence[str], cells: Mapping[str | None, tuple[Any, ...]], *, short: bool) -> list[Segment]:
    histograms = {value: _counts(cell[4], short=short) for value, cell in cells.items() if cell[4] is not None}
    places: dict[float, int] = {}
    for histogram in histograms.values():
        for one in histogram:
            places[one] = places.get(one, 0) + 1
    made = []
    for value in top:
        if value not in cells:
            continue
        rows, there, mean, middle, _ = cells[value]
        counts = histograms.get(value)
        made.append(
            Segment(
                by=by,
                value=value,
                rows=rows,
                nulls=rows - there,
                mean=_finite(mean),
                middle=_finite(middle),
                usual=None if counts is None else sum(count for number, count in counts.items() if places[number] > 1),
            )
        )
    return made


def _finite(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None

"""How the values of each column are spread, so that two versions of a dataset can be told apart without their rows.

Numbers, dates and timestamps get quantiles, text and booleans with few values their most frequent ones, other text its most
frequent shapes (``9/99/9999 99:99``). Of personal columns nothing is taken.

Up to 100,000 rows count all; of more about 50,000 are drawn (of wide data fewer, so that 5,000 columns take seconds): those whose
number times the golden ratio has a fraction below a limit. Such rows lie evenly over the file and over every period in it,
depend on nothing but their place, and quantiles of them are values of the data, so that the same file gives the same bytes on any
number of threads. DuckDB's estimates of quantiles would not.
"""

# ruff: noqa: S608 - columns are named by position, other names pass through quote() and values through literal()

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import duckdb

from nbops.contract.syntax import quote
from nbops.model import Distribution, Measurement, MetricRequest
from nbops.quality.details import LISTED_ROWS, Field, with_details
from nbops.quality.families import family_of
from nbops.quality.probabilities import PROBABILITIES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from nbops.quality.source import Source, SourceColumn

__all__ = ["PROBABILITIES", "distributions_of", "shape"]

_TARGET = 50_000
"""Rows that are drawn; a quantile of them is off by 0.2 % of the ranks at most times."""
_LEAST = 1_000
_CELLS = 4_000_000
_TOGETHER = 20
"""Columns in one query: plans of histograms take longer with the square of their number."""
_WIDE = 256
"""From so many columns on a query names just those that it needs, as planning takes longer the more there are."""
_MOST_VALUES, _MOST_CATEGORIES = 1_000, 20
_FEWEST = 2
"""Of more values than this, half must repeat another."""
_LONGEST_VALUE = 80
_SHAPED, _MOST_SHAPES, _RAREST_SHAPE = 5_000, 8, 0.01
_COUNTED_DIGITS, _LONGEST_SHAPE = 24, 32
_SHARES = 100
_HUNDREDTHS = tuple(round(share * _SHARES) for share in PROBABILITIES)
_TIMES = frozenset(["date", "timestamp"])
_NUMBERS = frozenset(["integer", "float", "decimal"])
_GOLDEN, _MODULUS = 2_654_435_769, 1 << 32
"""The golden ratio's fraction of 2**32: multiples of it fall as evenly as any between 0 and 2**32."""


@dataclass(frozen=True, slots=True)
class _Field:
    """A column that is looked at."""

    column: SourceColumn
    family: str
    few: bool
    """Text or booleans with few values."""


def distributions_of(
    source: Source, *, personal: Collection[str], taken: Mapping[MetricRequest, Measurement]
) -> tuple[Distribution, ...]:
    """Return how the values of each column are spread; columns of other types, or that cannot be read, have none.

    Args:
        source: The opened dataset.
        personal: Names of personal columns, as ``privacy`` compares them: stripped and casefolded.
        taken: What was measured of each column; where a distinct count is missing, text gets shapes only.
    """
    distinct = {item.column: item.value for item in taken.values() if item.metric == "distinctValues"}
    fields = [
        _Field(column, family, few=_is_few(distinct.get(column.name), family))
        for column in source.columns
        if (family := family_of(column.type)) in _TIMES | _NUMBERS | {"string", "boolean"}
        and column.type not in {"UUID", "JSON"}
        and column.name.strip().casefold() not in personal
    ]
    if not source.rows:
        return ()
    drawn = _draw(source, fields)
    found: dict[str, Distribution] = {}
    listed: dict[str, list[float]] | None = {} if source.rows <= LISTED_ROWS else None
    for start in range(0, len(fields), _TOGETHER):
        found.update(_spread(drawn, fields[start : start + _TOGETHER], taken, listed))
    varied = [field for field in fields if field.family == "string" and field.column.name in found]
    varied = [field for field in varied if _is_varied(found[field.column.name])]
    for start in range(0, len(varied), _TOGETHER):
        for name, texts in _sampled(drawn, varied[start : start + _TOGETHER]).items():
            found[name] = replace(found[name], patterns=_shapes(texts), top=_top(texts))
    looked = [Field(item.column.name, item.column.key, item.family in _NUMBERS, _count(distinct, item)) for item in fields]
    relation = f"(SELECT * FROM {drawn.relation(fields, most=drawn.most)})"
    found = with_details(source.connection, relation, looked, found, listed=listed)
    return tuple(found[name] for name in sorted(found) if found[name].rows)


def _count(distinct: Mapping[str | None, object], field: _Field) -> int | None:
    found = distinct.get(field.column.name)
    return found if isinstance(found, int) else None


def _is_few(distinct: object, family: str) -> bool:
    return family == "boolean" or (isinstance(distinct, int) and family == "string" and distinct <= _MOST_VALUES)


def _is_varied(found: Distribution) -> bool:
    """Whether the categories say little: there are none, or most values are others."""
    return found.others is None or 2 * found.others > found.rows


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Where the rows are taken from."""

    source: Source
    table: str | None
    """A table of the drawn rows; None: they are drawn anew by each query."""
    most: int

    def relation(self, fields: Sequence[_Field], *, most: int) -> str:
        """Return what stands after ``FROM``: about ``most`` rows, or all when there are not twice as many."""
        source, rows = self.source, self.source.rows
        columns = [field.column for field in fields]
        relation = self.table or f"{source.prefix}scan"
        nameless = source.row is None or any("\0" in column.engine_name for column in columns)
        if self.table is None and len(source.columns) > _WIDE and not nameless:
            named = ", ".join(f"{quote(column.engine_name)} AS {column.key}" for column in columns)
            relation = f"(SELECT {named}, {source.row} AS __nbops_row FROM {source.base})"
        if rows <= 2 * most or (self.table is not None and most >= self.most):
            return relation
        return f"{relation} WHERE (__nbops_row * {_GOLDEN}) % {_MODULUS} < {_MODULUS * most // rows}"


def _draw(source: Source, fields: Sequence[_Field]) -> _Drawn:
    """Draw rows of long data once; wide data is not copied."""
    most = max(_LEAST, min(_TARGET, _CELLS // len(source.columns)))
    drawn = _Drawn(source, None, most)
    if source.rows <= 2 * most or len(source.columns) > _WIDE or not fields:
        return drawn
    table, keys = f"{source.prefix}__nbops_drawn", ", ".join(field.column.key for field in fields)
    query = f"CREATE TEMP TABLE {table} AS SELECT {keys}, __nbops_row FROM {drawn.relation(fields, most=most)}"
    try:
        source.connection.execute(query)
    except duckdb.Error:  # a column that cannot be read: each is then read by itself
        return drawn
    return _Drawn(source, table, most)


def _rows(drawn: _Drawn, fields: Sequence[_Field], texts: Mapping[str, str], *, most: int) -> dict[str, Any]:
    """Return an aggregate of each column by the column's name, of drawn rows; what fails alone is left out."""
    query = f"SELECT {', '.join(texts.values())} FROM {drawn.relation(fields, most=most)}"
    try:
        row = drawn.source.connection.execute(query).fetchone()
    except (duckdb.Error, ValueError, OverflowError):
        if len(fields) == 1:
            return {}
        parts = [_rows(drawn, [field], {(name := field.column.name): texts[name]}, most=most) for field in fields]
        return {name: value for part in parts for name, value in part.items()}
    return dict(zip(texts, row, strict=True))


def _spread(
    drawn: _Drawn,
    fields: Sequence[_Field],
    taken: Mapping[MetricRequest, Measurement],
    listed: dict[str, list[float]] | None,
) -> Iterator[tuple[str, Distribution]]:
    """Yield names and distributions; with ``listed``, of lists of all values, and it gets those of the numbers, rising."""
    short = listed is not None
    rows = _rows(drawn, fields, {field.column.name: _aggregate(field, short=short) for field in fields}, most=drawn.most)
    for field in fields:
        name = field.column.name
        if name not in rows:
            continue
        count, value = rows[name]["n"], rows[name]["v"]
        if field.family in {"string", "boolean"}:
            counts = value if value is None else _tally(value, short=short)
            yield name, _of_texts(name, count, counts)
            continue
        if listed is not None:
            numbers = sorted(number for number in value or () if number is not None)
            count, value = len(numbers), _quantiles(numbers)
            if field.family in _NUMBERS:
                listed[name] = numbers
        ends = (None, None) if field.family in _TIMES else _ends(name, taken)
        yield name, _of_numbers(name, count, value or (), ends=ends, whole=field.family in _TIMES)


def _aggregate(field: _Field, *, short: bool) -> str:
    """Return how many values are there, and their quantiles or (value, rows), or of ``short`` data all, as one expression."""
    key = field.column.key
    if field.family in {"string", "boolean"}:
        text = f"CAST({key} AS VARCHAR)" if field.family == "boolean" else _cut(key)
        values = "NULL" if not field.few else f"list({text})" if short else f"map_entries(histogram({text}))"
        return f"{{'n': count({key}), 'v': {values}}}"
    number = f"epoch(CAST({key} AS TIMESTAMP))" if field.family in _TIMES else f"CAST({key} AS DOUBLE)"
    if field.family != "integer":  # a FILTER would make plans of many columns slow
        number = f"CASE WHEN isfinite({number}) THEN {number} END"
    if short:
        return f"{{'n': NULL, 'v': list({number})}}"
    return f"{{'n': count({number}), 'v': quantile_disc({number}, {list(PROBABILITIES)})}}"


def _tally(values: Sequence[Any], *, short: bool) -> Mapping[str, int]:
    """Return how often each text is there, of a list of all or of (value, rows)."""
    if short:
        return Counter(value for value in values if value is not None)
    return {str(entry["key"]): int(entry["value"]) for entry in values}


def _quantiles(numbers: Sequence[float]) -> list[float]:
    """Return quantiles of rising numbers as ``quantile_disc`` does: the first with at least that share at or below it.

    >>> _quantiles([1.0, 2.0, 3.0])
    [1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 3.0, 3.0, 3.0, 3.0, 3.0]
    """
    count = len(numbers)
    return [numbers[max(1, -(-share * count // _SHARES)) - 1] for share in _HUNDREDTHS] if numbers else []


def _cut(key: str) -> str:
    return f"left(CAST({key} AS VARCHAR), {_LONGEST_VALUE + 1})"


def _ends(name: str, taken: Mapping[MetricRequest, Measurement]) -> tuple[float | None, float | None]:
    """Return the smallest and the largest value of all rows, where they were measured as numbers."""
    ends = [taken.get(MetricRequest(metric=metric, column=name)) for metric in ("minimum", "maximum")]
    low, high = (_finite(end.value) if end is not None else None for end in ends)
    return low, high


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _of_numbers(
    name: str, count: int, quantiles: Iterable[float], *, ends: tuple[float | None, float | None], whole: bool
) -> Distribution:
    found = list(quantiles)
    if not found:
        return Distribution(column=name, rows=0)
    low, high = ends
    found[0] = min(found[0], low) if low is not None else found[0]
    found[-1] = max(found[-1], high) if high is not None else found[-1]
    return Distribution(column=name, rows=count, quantiles=tuple(float(round(v)) if whole else _short(v) for v in found))


def _short(value: float) -> float:
    """Return a number with 6 significant digits.

    >>> _short(1234567.0), _short(-0.0)
    (1234570.0, 0.0)
    """
    return float(f"{value:.6g}") + 0.0


def _of_texts(name: str, rows: int, counts: Mapping[str, int] | None) -> Distribution:
    if counts is None or len(counts) > _MOST_VALUES or (2 * len(counts) > rows and len(counts) > _FEWEST):
        return Distribution(column=name, rows=rows)
    shown = sorted((item for item in counts.items() if len(item[0]) <= _LONGEST_VALUE), key=lambda item: (-item[1], item[0]))
    categories = dict(sorted(shown[:_MOST_CATEGORIES]))
    return Distribution(column=name, rows=rows, categories=categories, others=rows - sum(categories.values()))


def _sampled(drawn: _Drawn, fields: Sequence[_Field]) -> dict[str, Counter[str]]:
    """Return each column's values and how often they are there, in a smaller sample."""
    texts = {field.column.name: f"list({_cut(field.column.key)})" for field in fields}
    most = max(_LEAST // 5, min(_SHAPED, _CELLS // 10 // len(drawn.source.columns)))
    return {
        name: Counter(text for text in values or () if text is not None)
        for name, values in _rows(drawn, fields, texts, most=most).items()
    }


def _top(values: Counter[str]) -> float | None:
    return round(max(values.values()) / values.total(), 6) if values else None


def _shapes(values: Counter[str]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for text, n in values.items():
        counts[shape(text)] += n
    often = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_MOST_SHAPES]
    return dict(sorted((text, n) for text, n in often if n >= _RAREST_SHAPE * values.total()))


_RUN = re.compile(r"[A-Z]+|[a-z]+|[^\W\d_]+|\d+|\s+|[\x00-\x1f\x7f]+")
_REPEATED = re.compile(r"([Aa])\1+")


def shape(text: str) -> str:
    """Return the shape of a text: ``A`` capitals, ``a`` other letters, ``9`` a digit; the rest stands as it is.

    Digits of short texts are counted, so that another format of a date, or a longer code, is another shape.

    >>> shape("12/1/2010 8:26"), shape("2010-12-01"), shape("85123A"), shape("Größe: 12 cm")
    ('99/9/9999 9:99', '9999-99-99', '99999A', 'Aa: 99 a')
    >>> shape("order 20101201 of a customer who is unknown")
    'a 9 a a a a a a'
    """
    counted = len(text) <= _COUNTED_DIGITS

    def word(match: re.Match[str]) -> str:
        found = match[0]
        if found[0].isdigit():
            return "9" * len(found) if counted else "9"
        if found[0].isalpha():
            return "A" if found[0].isascii() and found[0].isupper() else "a"
        return " " if found[0].isspace() else "·"

    made = _REPEATED.sub(r"\1", _RUN.sub(word, text))
    return made if len(made) <= _LONGEST_SHAPE else f"{made[: _LONGEST_SHAPE - 1]}…"

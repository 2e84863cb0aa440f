"""Measurements taken in DuckDB, exact, in as few scans as there can be.

Row and null counts of Parquet come from its footer where the writer gave them for every row group. Everything that is one
aggregate over rows shares a scan (up to 400 aggregates in one query, so that thousands of columns stay plannable); exact distinct
counts go a few columns at a time, since each needs a hash table of its own; duplicates over several columns, references and SQL
rules go alone. When a shared query fails, it is halved until the measurement that breaks it stands alone: only that one gets an
error.
"""

# ruff: noqa: S608 - columns are named by position, other names pass through quote() and values through literal()

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb

from nbops.contract.syntax import fill, quote
from nbops.model import Measurement, MetricRequest
from nbops.quality.families import family_of, is_float
from nbops.quality.faults import engine_message
from nbops.quality.kinds import ROW_COUNT
from nbops.quality.predicates import UnmeasurableError
from nbops.quality.schema import schema_differences
from nbops.quality.sqltext import json_value, literal, rounded

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from nbops.quality.terms import Terms

__all__ = ["measure"]

_AGGREGATES = 400
_DISTINCT_ROWS = 2_000_000
_DISTINCT_FEW, _DISTINCT_MANY = 4, 24
"""Distinct counts in one query, on long and on short data: DuckDB's plan for them grows with the square of their number."""
_WIDE = 256
_HOPELESS = 20
"""Measurements that may fail one by one before the rest of a failing query is given up: then the data is broken, not a rule."""
_BASE: Mapping[str, str] = {
    "minimum": "min({x})",
    "maximum": "max({x})",
    "mean": "avg({x})",
    "standardDeviation": "stddev_samp({x})",
    "minimumLength": "min(length(CAST({x} AS VARCHAR)))",
    "maximumLength": "max(length(CAST({x} AS VARCHAR)))",
    "nonFiniteValues": "count(*) FILTER (WHERE NOT isfinite({x}))",
}
_FINITE = frozenset(["minimum", "maximum", "mean", "standardDeviation"])


@dataclass
class _Work:
    """One measuring: what was found so far."""

    terms: Terms
    now: dt.datetime
    mask_text: bool
    found: dict[MetricRequest, Measurement] = field(default_factory=dict)
    failures: int = 0

    def keep(self, request: MetricRequest, value: Any) -> None:
        plain = json_value(value)
        if plain is None and request.metric in _COUNTS:
            self.fail(request, "the engine returned no value")
            return
        self.found[request] = Measurement(metric=request.metric, column=request.column, arguments=request.arguments, value=plain)

    def fail(self, request: MetricRequest, error: str) -> None:
        self.found[request] = Measurement(metric=request.metric, column=request.column, arguments=request.arguments, error=error)


_COUNTS = frozenset(
    ["rowCount", "nullValues", "distinctValues", "missingValues", "invalidValues", "duplicateValues", "rowRule", "references"]
)


def measure(
    terms: Terms, requests: Iterable[MetricRequest], *, now: dt.datetime, mask_text: bool
) -> dict[MetricRequest, Measurement]:
    """Take measurements.

    Args:
        terms: The opened dataset.
        requests: What to measure; repeated requests are measured once.
        now: The run's start, with a time zone, which ages are counted from.
        mask_text: Do not keep text that an SQL rule returns: the dataset has personal columns.

    Returns:
        One measurement for each request; ``error`` says why one could not be taken.
    """
    work = _Work(terms=terms, now=now, mask_text=mask_text)
    wanted = list(dict.fromkeys(requests))
    work.keep(ROW_COUNT, terms.source.rows)
    # Duplicates of one column follow from counts that are taken anyway.
    single = [item for item in wanted if item.metric == "duplicateValues" and item.column is not None]
    helpers = [MetricRequest(metric=name, column=item.column) for item in single for name in ("nullValues", "distinctValues")]
    todo = [item for item in dict.fromkeys([*wanted, *helpers]) if item not in single and item != ROW_COUNT]
    _footer(work, todo)
    _fused(work, [item for item in todo if item not in work.found])
    for item in todo:
        if item not in work.found:
            _alone(work, item)
    for item in single:
        _single_duplicates(work, item)
    return {item: work.found[item] for item in [*wanted, *([] if ROW_COUNT in wanted else [ROW_COUNT])]}


def _footer(work: _Work, todo: Sequence[MetricRequest]) -> None:
    """Null counts from Parquet's footer, where every row group has them and no column is nested."""
    source = work.terms.source
    asked = {item.column: item for item in todo if item.metric == "nullValues"}
    if source.path is None or not asked:
        return
    query = (
        "SELECT column_id, bool_and(stats_null_count IS NOT NULL), sum(stats_null_count), sum(num_values) "
        f"FROM parquet_metadata({literal(source.path)}) GROUP BY column_id ORDER BY column_id"
    )
    try:
        found = source.connection.execute(query).fetchall()
    except duckdb.Error:
        return
    if len(found) != len(source.columns):
        return
    for column, (_, complete, nulls, values) in zip(source.columns, found, strict=True):
        if column.name in asked and complete and values == source.rows:
            work.keep(asked[column.name], int(nulls))


def _fused(work: _Work, todo: Sequence[MetricRequest]) -> None:
    scans: dict[str, list[tuple[MetricRequest, str]]] = {"scan": [], "named": [], "distinct": []}
    narrow = len(work.terms.source.columns) <= _WIDE
    for item in todo:
        try:
            expression = _aggregate(work.terms, item)
        except UnmeasurableError as error:
            work.fail(item, str(error))
            continue
        if expression is not None:
            group = "distinct" if item.metric == "distinctValues" else "named" if narrow or item.metric == "rowRule" else "scan"
            scans[group].append((item, expression))
    long = work.terms.source.rows > _DISTINCT_ROWS
    for group, pairs in scans.items():
        size = _AGGREGATES if group != "distinct" else _DISTINCT_FEW if long else _DISTINCT_MANY
        for chunk in _chunks(pairs, size):
            relation = f"{work.terms.source.prefix}named" if group == "named" else _relation(work.terms, chunk)
            _query(work, chunk, relation=relation)


def _relation(terms: Terms, chunk: list[tuple[MetricRequest, str]]) -> str:
    """Return ``scan``; of wide data just the columns that a query needs, as planning takes longer the more columns there are."""
    source = terms.source
    needed = dict.fromkeys(terms.find(item.column or "") for item, _ in chunk)
    if len(source.columns) <= _WIDE or any(column is None or "\0" in column.engine_name for column in needed):
        return f"{source.prefix}scan"
    named = ", ".join(f"{quote(column.engine_name)} AS {column.key}" for column in needed if column is not None)
    return f"(SELECT {named} FROM {source.base})"


def _chunks(pairs: list[tuple[MetricRequest, str]], size: int) -> Iterator[list[tuple[MetricRequest, str]]]:
    return (pairs[start : start + size] for start in range(0, len(pairs), size))


def _aggregate(terms: Terms, item: MetricRequest) -> str | None:
    """Return a measurement as one aggregate over rows; ``None`` when it is none.

    Raises:
        UnmeasurableError: It cannot be measured on this data.
    """
    if item.metric in {"nullValues", "missingValues", "invalidValues", "rowRule"}:
        return f"count(*) FILTER (WHERE {terms.condition(item)})"
    if item.metric in {"freshness", "retention"}:
        return _instant(terms, item)
    if item.metric == "distinctValues":
        return f"count(DISTINCT {terms.column(item.column or '')[0]})"
    return _base(terms, item) if item.metric in _BASE else None


def _instant(terms: Terms, item: MetricRequest) -> str:
    expression, type_name = terms.column(item.column or "")
    family = family_of(type_name)
    if family not in {"date", "timestamp", "string"}:
        raise UnmeasurableError(f"column {item.column!r} is {type_name}, not a date or timestamp")
    cast = f"{'TRY_CAST' if family == 'string' else 'CAST'}({expression} AS TIMESTAMP)"
    return f"epoch({'max' if item.metric == 'freshness' else 'min'}({cast}))"


def _base(terms: Terms, item: MetricRequest) -> str:
    expression, type_name = terms.column(item.column or "")
    text = _BASE[item.metric].format(x=expression)
    if item.metric in _FINITE and is_float(type_name):
        return f"{text} FILTER (WHERE isfinite({expression}))"
    if item.metric in {"minimum", "maximum"} and family_of(type_name) in {"date", "timestamp", "time"}:
        return f"CAST({text} AS VARCHAR)"
    return text


def _query(work: _Work, chunk: list[tuple[MetricRequest, str]], *, relation: str) -> None:
    """Run one shared query; halve it when it fails."""
    if not chunk:
        return
    try:
        row = work.terms.source.connection.execute(f"SELECT {', '.join(text for _, text in chunk)} FROM {relation}").fetchone()
    except duckdb.Error as error:
        if len(chunk) == 1 or work.failures > _HOPELESS:
            for item, _ in chunk:
                work.failures += 1
                work.fail(item, engine_message(error))
            return
        middle = len(chunk) // 2
        _query(work, chunk[:middle], relation=relation)
        _query(work, chunk[middle:], relation=relation)
        return
    for (item, _), value in zip(chunk, row, strict=True):
        _keep(work, item, value)


def _keep(work: _Work, item: MetricRequest, value: Any) -> None:
    if item.metric in {"freshness", "retention"}:
        if value is None:
            work.fail(item, f"column {item.column!r} has no date in it")
        else:
            work.keep(item, round(work.now.timestamp() - value))
    elif item.metric in {"mean", "standardDeviation"} and isinstance(value, float):
        work.keep(item, rounded(value))
    elif item.metric in {"minimum", "maximum"} and isinstance(value, str):
        work.keep(item, value.replace(" ", "T", 1).removesuffix("+00") + ("Z" if value.endswith("+00") else ""))
    else:
        work.keep(item, value)


def _alone(work: _Work, item: MetricRequest) -> None:
    takers: dict[str, Callable[[_Work, MetricRequest], None]] = {
        "duplicateValues": _duplicates,
        "references": _references,
        "schema": _schema,
        "sql": _sql,
    }
    taker = takers.get(item.metric)
    if taker is None:
        work.fail(item, f"no engine measures {item.metric!r}")
        return
    try:
        taker(work, item)
    except UnmeasurableError as error:
        work.fail(item, str(error))
    except duckdb.Error as error:
        work.fail(item, engine_message(error))


def _one(work: _Work, query: str) -> Any:
    return work.terms.source.connection.execute(query).fetchone()[0]


def _duplicates(work: _Work, item: MetricRequest) -> None:
    keys, with_null = work.terms.duplicate_keys(item)
    where = "true" if with_null else " AND ".join(f"{key} IS NOT NULL" for key in keys)
    groups = (
        f"SELECT count(*) AS n FROM {work.terms.source.prefix}scan WHERE {where} GROUP BY {', '.join(keys)} HAVING count(*) > 1"
    )
    work.keep(item, int(_one(work, f"SELECT coalesce(sum(n - 1), 0) FROM ({groups})")))


def _single_duplicates(work: _Work, item: MetricRequest) -> None:
    nulls = work.found[MetricRequest(metric="nullValues", column=item.column)]
    distinct = work.found[MetricRequest(metric="distinctValues", column=item.column)]
    if isinstance(nulls.value, int) and isinstance(distinct.value, int):
        work.keep(item, work.terms.source.rows - nulls.value - distinct.value)
    else:
        work.fail(item, nulls.error or distinct.error or "it could not be counted")


def _references(work: _Work, item: MetricRequest) -> None:
    work.keep(item, _one(work, f"SELECT count(*) FROM {work.terms.source.prefix}named WHERE {work.terms.condition(item)}"))


def _schema(work: _Work, item: MetricRequest) -> None:
    work.keep(item, "\n".join(schema_differences(work.terms, dict(item.arguments)["columns"])))


def _sql(work: _Work, item: MetricRequest) -> None:
    column = item.column
    if column is not None:
        expression, _ = work.terms.column(column)
        found = work.terms.find(column)
        column = found.engine_name if found is not None else column
        if "\0" in column or found is None:
            raise UnmeasurableError(f"column {column!r} has no name in SQL ({expression})")
    cursor = work.terms.source.connection.execute(fill(dict(item.arguments)["query"], table="data", column=column))
    rows = cursor.fetchmany(2)
    if len(rows) != 1 or len(rows[0]) != 1:
        size = "no row" if not rows else f"{len(rows[0])} columns" if len(rows) == 1 else "several rows"
        raise UnmeasurableError(f"the query must return one value, but returned {size}")
    value = json_value(rows[0][0])
    if value is None:
        raise UnmeasurableError("the query returned NULL: there was nothing to measure")
    if isinstance(value, str):
        value = "•••" if work.mask_text else value[:100]
    work.keep(item, value)

"""Measurements taken in DuckDB: what the footer knows first, then each column once, then what cannot be fused.

Checks are judged on exact numbers only. Row and null counts of Parquet, the bounds of whole numbers and times, and the range
rules that these prove come from its footer (``footer``). On long data each column is then read once (``columns``); on shorter
data everything that is one aggregate over rows shares a scan (up to 400 aggregates in one query, so that thousands of columns
stay plannable), and distinct counts go a few columns at a time. Duplicates over several columns, references and SQL rules go
alone. When a shared query fails, it is halved until the measurement that breaks it stands alone: only that one gets an error.
"""

# ruff: noqa: S608 - columns are named by position, other names pass through quote() and values through literal()

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb

from nbops.contract.syntax import fill, quote
from nbops.model import Measurement, MetricRequest
from nbops.quality.aggregates import aggregate
from nbops.quality.columns import ESTIMATE_ROWS, from_footer, measure_columns
from nbops.quality.families import family_of
from nbops.quality.faults import engine_message
from nbops.quality.footer import Footer, read_footer
from nbops.quality.kinds import ROW_COUNT
from nbops.quality.predicates import UnmeasurableError
from nbops.quality.repeats import surplus
from nbops.quality.schema import schema_differences
from nbops.quality.sqltext import json_value
from nbops.quality.work import Work, approximation, shared

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from nbops.quality.terms import Terms

__all__ = ["measure"]

_AGGREGATES = 400
_DISTINCT_FEW, _DISTINCT_MANY = 4, 24
"""Distinct counts in one query, on long and on short data: DuckDB's plan for them grows with the square of their number."""
_LISTED_ROWS = 20_000
"""Up to here a list of all values is made distinct; the engine's hash table for each column costs ten times that."""
_NAN_IS_ONE = int(duckdb.__version__.split(".", 1)[0]) >= 2  # noqa: PLR2004 - a major version
_UNLISTED = frozenset(["list", "struct", "map", "other", *(() if _NAN_IS_ONE else ("float",))])
"""Types whose lists are not made distinct: before DuckDB 2.0, that takes each NaN for a value of its own."""
_LONG = 200_000
"""From here each column has a query of its own."""
_WIDE = 256


def measure(
    terms: Terms,
    requests: Iterable[MetricRequest],
    *,
    now: dt.datetime,
    mask_text: bool,
    base: Iterable[MetricRequest] = (),
) -> dict[MetricRequest, Measurement]:
    """Take measurements.

    Args:
        terms: The opened dataset.
        requests: What checks need; repeated requests are measured once.
        now: The run's start, with a time zone, which ages are counted from.
        mask_text: Do not keep text that an SQL rule returns: the dataset has personal columns.
        base: What else to measure. Of long data, a distinct count among these may come back as an estimate, under a request with
            the argument ``approximate``.

    Returns:
        One measurement for each request; ``error`` says why one could not be taken.
    """
    needed = list(dict.fromkeys(requests))
    wanted = list(dict.fromkeys([*needed, *base, ROW_COUNT]))
    # Duplicates of one column follow from counts that are taken anyway.
    single = [item for item in wanted if item.metric == "duplicateValues" and item.column is not None]
    helpers = [MetricRequest(metric=name, column=item.column) for item in single for name in ("nullValues", "distinctValues")]
    exact = {*needed, *helpers}
    estimable = frozenset(item for item in wanted if item.metric == "distinctValues" and item not in exact)
    work = Work(terms=terms, now=now, mask_text=mask_text, estimable=estimable)
    work.keep(ROW_COUNT, terms.source.rows)
    todo = [item for item in dict.fromkeys([*wanted, *helpers]) if item not in single and item != ROW_COUNT]
    # Reading the footer takes longer than reading little data.
    footer = read_footer(terms.source) if terms.source.rows > _LISTED_ROWS or len(terms.source.columns) > _WIDE else Footer()
    from_footer(work, todo, footer)
    if terms.source.rows >= _LONG and len(terms.source.columns) <= _WIDE:
        measure_columns(work, todo, footer)
    _fused(work, work.open(todo))
    for item in work.open(todo):
        _alone(work, item)
    for item in single:
        _single_duplicates(work, item)
    found = [work.found.get(item) or work.found[approximation(item)] for item in wanted]
    return {MetricRequest(metric=item.metric, column=item.column, arguments=item.arguments): item for item in found}


def _fused(work: Work, todo: Sequence[MetricRequest]) -> None:
    scans: dict[str, list[tuple[MetricRequest, str]]] = {"scan": [], "named": [], "distinct": []}
    narrow = len(work.terms.source.columns) <= _WIDE
    for item in todo:
        try:
            expression = _distinct(work, item) or aggregate(work.terms, item)
        except UnmeasurableError as error:
            work.fail(item, str(error))
            continue
        if expression is not None:
            group = "distinct" if item.metric == "distinctValues" else "named" if narrow or item.metric == "rowRule" else "scan"
            scans[group].append((item, expression))
    long = work.terms.source.rows > ESTIMATE_ROWS
    for group, pairs in scans.items():
        size = _AGGREGATES if group != "distinct" else _DISTINCT_FEW if long else _DISTINCT_MANY
        for chunk in _chunks(pairs, size):
            relation = f"{work.terms.source.prefix}named" if group == "named" else _relation(work.terms, chunk)
            shared(work, chunk, relation=relation)


def _distinct(work: Work, item: MetricRequest) -> str | None:
    """Return a distinct count in the form that is cheap on few rows."""
    if item.metric != "distinctValues" or work.terms.source.rows > _LISTED_ROWS:
        return None
    key, type_name = work.terms.column(item.column or "")
    if family_of(type_name) in _UNLISTED:
        return None
    return f"coalesce(len(list_distinct(list({key}))), 0)"


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


def _alone(work: Work, item: MetricRequest) -> None:
    takers: dict[str, Callable[[Work, MetricRequest], None]] = {
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


def _one(work: Work, query: str) -> Any:
    return work.terms.source.connection.execute(query).fetchone()[0]


def _duplicates(work: Work, item: MetricRequest) -> None:
    keys, with_null = work.terms.duplicate_keys(item)
    repeating = surplus(work.terms, keys, with_null=with_null)
    if repeating is not None:
        work.keep(item, repeating)
        return
    where = "true" if with_null else " AND ".join(f"{key} IS NOT NULL" for key in keys)
    groups = (
        f"SELECT count(*) AS n FROM {work.terms.source.prefix}scan WHERE {where} GROUP BY {', '.join(keys)} HAVING count(*) > 1"
    )
    work.keep(item, int(_one(work, f"SELECT coalesce(sum(n - 1), 0) FROM ({groups})")))


def _single_duplicates(work: Work, item: MetricRequest) -> None:
    nulls = work.found[MetricRequest(metric="nullValues", column=item.column)]
    distinct = work.found[MetricRequest(metric="distinctValues", column=item.column)]
    if isinstance(nulls.value, int) and isinstance(distinct.value, int):
        work.keep(item, work.terms.source.rows - nulls.value - distinct.value)
    else:
        work.fail(item, nulls.error or distinct.error or "it could not be counted")


def _references(work: Work, item: MetricRequest) -> None:
    work.keep(item, _one(work, f"SELECT count(*) FROM {work.terms.source.prefix}named WHERE {work.terms.condition(item)}"))


def _schema(work: Work, item: MetricRequest) -> None:
    work.keep(item, "\n".join(schema_differences(work.terms, dict(item.arguments)["columns"])))


def _sql(work: Work, item: MetricRequest) -> None:
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

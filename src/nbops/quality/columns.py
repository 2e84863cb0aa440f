"""Long data measured column by column: each is read once, all its numbers together.

On long data a query for each column costs about two thirds of one query for all: what a few columns need stays in the processor's
caches, and less memory is held at a time. Fewer rows still are looked at where something is known beforehand:

- the footer of a Parquet file answers null counts, smallest and largest values, and range rules that these prove;
- text with few values is grouped first, and patterns, lists and lengths are tried on each value once;
- a pattern that says what each byte may be is tried on eight bytes at a time (``shapes``, ``packed``);
- floats are taken as finite first, and measured again with a filter when the result says that they are not;
- whole numbers within a known range are counted in a bit set, exactly; other distinct counts that no check judges are estimated
  on data of more than two million rows (HyperLogLog), counted when the estimate is low, and otherwise kept as ``approximate``.

Whatever fails on the short way is measured the plain way, so that the short ways need not know every fault of data.
"""

# ruff: noqa: S608 - columns are named by position, other names pass through quote() and values through literal()

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb

from nbops.model import MetricRequest
from nbops.quality.aggregates import BASE, CONDITIONS, aggregate, from_bounds, proof
from nbops.quality.families import is_float
from nbops.quality.packed import count_broken, is_packable
from nbops.quality.predicates import UnmeasurableError, pattern_of
from nbops.quality.repeats import LONG, surplus
from nbops.quality.shapes import shape_of
from nbops.quality.sqltext import literal
from nbops.quality.work import Work, approximation, keep, shared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbops.quality.footer import Footer
    from nbops.quality.source import SourceColumn

__all__ = ["ESTIMATE_ROWS", "from_footer", "measure_columns"]

ESTIMATE_ROWS = 2_000_000
"""Above this many rows, distinct counts that no check judges may be estimates."""
_FEW_DISTINCT = 50_000
"""Up to this estimate, counting exactly costs little more than estimating."""
_SAMPLE_ROWS = 20_000
_FEW_IN_SAMPLE = 5_000
_MOST_BITS = 1 << 27
"""16 MiB a thread. Of a narrow range, a hash table is cheaper."""
_BITS_A_ROW = 32
_WHOLE = frozenset(["TINYINT", "SMALLINT", "INTEGER", "BIGINT"])
_OF_COLUMNS = (CONDITIONS | BASE.keys() | {"freshness", "retention", "distinctValues"}) - {"rowRule"}


def from_footer(work: Work, todo: Sequence[MetricRequest], footer: Footer) -> None:
    """Answer what a Parquet file's footer can: null counts, bounds, and range rules that the bounds prove."""
    pairs: list[tuple[MetricRequest, str]] = []
    proofs: list[tuple[MetricRequest, str]] = []
    for item in todo:
        column = work.terms.find(item.column or "")
        if column is None:
            continue
        nulls = footer.nulls.get(column.key)
        only_null = item.metric == "missingValues" and dict(item.arguments).get("missingValues") == (None,)
        if nulls is not None and (item.metric == "nullValues" or only_null):
            work.keep(item, nulls)
        elif column.key in footer.bounds:
            low, high = footer.bounds[column.key]
            text = from_bounds(item, column, low=low, high=high)
            if text is not None:
                pairs.append((item, text))
            else:
                proofs += _proofs([item], column, low=low, high=high)
    shared(work, pairs, relation="(SELECT 1)")
    _prove(work, proofs)


def _proofs(items: Sequence[MetricRequest], column: SourceColumn, *, low: str, high: str) -> list[tuple[MetricRequest, str]]:
    found = []
    for item in items:
        try:
            text = proof(item, column, low=low, high=high)
        except UnmeasurableError:
            # The plain way says so.
            continue
        if text is not None:
            found.append((item, text))
    return found


def _prove(work: Work, proofs: Sequence[tuple[MetricRequest, str]]) -> None:
    if not proofs:
        return
    try:
        row = work.terms.source.connection.execute(f"SELECT {', '.join(text for _, text in proofs)}").fetchone()
    except duckdb.Error:
        return
    for (item, _), broken in zip(proofs, row, strict=True):
        if broken is False:
            work.keep(item, 0)


def measure_columns(work: Work, todo: Sequence[MetricRequest], footer: Footer) -> None:
    """Take all measurements that are about one column as a whole; those of fields and of absent columns are left."""
    by_column: dict[str, list[MetricRequest]] = {}
    for item in work.open(todo):
        column = work.terms.find(item.column or "")
        if column is not None and item.metric in _OF_COLUMNS:
            by_column.setdefault(column.name, []).append(item)
    columns = {name: column for name in by_column if (column := work.terms.find(name)) is not None}
    few = _few_values(work, [column for name, column in columns.items() if _worth_grouping(by_column[name], column)])
    for name, column in columns.items():
        items = by_column[name]
        counted = any(item.metric == "distinctValues" and not _may_estimate(work, item) for item in items)
        # A hash table of all keys counts them too; in long data sorted hashes do, in less memory.
        grouped = column.key in few or (counted and _is_heavy(items, column) and work.terms.source.rows < LONG)
        if not (grouped and _grouped(work, items, column)):
            _shaped(work, items, column)
            _direct(work, items, column, footer)


def _is_heavy(items: Sequence[MetricRequest], column: SourceColumn) -> bool:
    """Whether rules look at the text itself."""
    return column.type == "VARCHAR" and any(item.metric in {"invalidValues", "missingValues"} for item in items)


def _worth_grouping(items: Sequence[MetricRequest], column: SourceColumn) -> bool:
    return column.type == "VARCHAR" and (len(items) > 1 or _is_heavy(items, column))


def _may_estimate(work: Work, item: MetricRequest) -> bool:
    return item in work.estimable and work.terms.source.rows > ESTIMATE_ROWS


def _few_values(work: Work, columns: Sequence[SourceColumn]) -> frozenset[str]:
    """Return the keys of text columns with few values, as far as the first rows tell; a wrong guess costs time only."""
    if not columns:
        return frozenset()
    counts = ", ".join(f"approx_count_distinct({column.key})" for column in columns)
    keys = ", ".join(column.key for column in columns)
    query = f"SELECT {counts} FROM (SELECT {keys} FROM {work.terms.source.prefix}scan LIMIT {_SAMPLE_ROWS})"
    try:
        row = work.terms.source.connection.execute(query).fetchone()
    except duckdb.Error:
        return frozenset()
    return frozenset(column.key for column, count in zip(columns, row, strict=True) if count <= _FEW_IN_SAMPLE)


def _grouped(work: Work, items: Sequence[MetricRequest], column: SourceColumn) -> bool:
    """Measure a text column by its groups of equal values; return whether that worked."""
    pairs: list[tuple[MetricRequest, str]] = []
    for item in items:
        try:
            if item.metric in CONDITIONS:
                text: str | None = f"CAST(coalesce(sum(__nbops_n) FILTER (WHERE {work.terms.condition(item)}), 0) AS BIGINT)"
            elif item.metric == "distinctValues":
                text = f"count({column.key})"
            else:
                text = aggregate(work.terms, item)
        except UnmeasurableError:
            continue
        if text is not None:
            pairs.append((item, text))
    relation = f"(SELECT {column.key}, count(*) AS __nbops_n FROM {work.terms.source.prefix}scan GROUP BY {column.key})"
    row = _row(work, [text for _, text in pairs], relation)
    if row is None:
        return False
    for (item, _), value in zip(pairs, row, strict=True):
        keep(work, item, value)
    return len(pairs) == len(items)


def _shaped(work: Work, items: Sequence[MetricRequest], column: SourceColumn) -> None:
    """Try the patterns that are shapes, on data long enough to make up for loading what decodes it."""
    if work.terms.source.rows < LONG or not is_packable(work.terms.source, column):
        return
    for item in items:
        pattern = pattern_of(dict(item.arguments)) if item.metric == "invalidValues" else None
        shape = shape_of(pattern) if pattern is not None else None
        broken = count_broken(work.terms.source, column, shape) if shape is not None else None
        if broken is not None:
            work.keep(item, broken)


def _row(work: Work, texts: Sequence[str], relation: str) -> tuple[Any, ...] | None:
    """Return the one row of a query; ``None`` when it fails."""
    try:
        row: tuple[Any, ...] = work.terms.source.connection.execute(f"SELECT {', '.join(texts)} FROM {relation}").fetchone()
    except duckdb.Error:
        return None
    return row


def _direct(work: Work, items: Sequence[MetricRequest], column: SourceColumn, footer: Footer) -> None:
    _short(work, work.open(items), column, footer)
    _plain(work, work.open(items))


def _short(work: Work, items: Sequence[MetricRequest], column: SourceColumn, footer: Footer) -> None:
    """Measure a column in one scan, taking its floats as finite and its range rules as met; what was wrongly taken so is left."""
    low, high = footer.bounds.get(column.key, (f"min({column.key})", f"max({column.key})"))
    scanned = column.key not in footer.bounds
    likely = [item for item in items if item not in _hopeless(work, items, column, footer)]
    proofs = dict(_proofs(likely, column, low=low, high=high) if scanned else [])
    pairs: list[tuple[MetricRequest, str]] = []
    for item in items:
        text = proofs.get(item) or _short_form(work, item, column, footer)
        if text is not None:
            pairs.append((item, text))
    if not pairs:
        return
    # The sum keeps the engine from answering from the footer alone, where NaN does not count.
    guard = [f"isfinite(min({column.key})) AND isfinite(max({column.key})) AND isfinite(avg({column.key}))"]
    assumed = any(item in proofs or item.metric not in CONDITIONS for item, _ in pairs)
    guards = guard if is_float(column.type) and assumed else []
    row = _row(work, [*(text for _, text in pairs), *guards], f"{work.terms.source.prefix}scan")
    if row is None or (guards and row[-1] is False):
        return
    for (item, _), value in zip(pairs, row, strict=False):
        if item in proofs:
            if value is False:
                work.keep(item, 0)
        elif item.metric == "distinctValues" and _is_estimate(work, item, footer, column):
            work.keep(approximation(item), value)
        else:
            keep(work, item, value)
    _count_few(work, items)


def _hopeless(work: Work, items: Sequence[MetricRequest], column: SourceColumn, footer: Footer) -> frozenset[MetricRequest]:
    """Return range rules that some float breaks, going by the footer: to prove them would be one scan too many."""
    if column.key not in footer.hints:
        return frozenset()
    low, high = (f"CAST({literal(end)} AS {column.type})" for end in footer.hints[column.key])
    proofs = _proofs(items, column, low=low, high=high)
    try:
        row = work.terms.source.connection.execute(f"SELECT {', '.join(text for _, text in proofs) or 'NULL'}").fetchone()
    except duckdb.Error:
        return frozenset()
    return frozenset(item for (item, _), broken in zip(proofs, row, strict=False) if broken)


def _short_form(work: Work, item: MetricRequest, column: SourceColumn, footer: Footer) -> str | None:
    if item.metric == "distinctValues":
        if _fits_bits(work, footer, column):
            low, high = footer.ranges[column.key]
            return _bits(column, low, high)
        return f"approx_count_distinct({column.key})" if _is_estimate(work, item, footer, column) else None
    if column.key in footer.bounds and dict(_proofs([item], column, low="NULL", high="NULL")):
        # Its bounds did not prove it: to be counted.
        return aggregate(work.terms, item)
    try:
        return aggregate(work.terms, item, finite=True)
    except UnmeasurableError:
        return None


def _is_estimate(work: Work, item: MetricRequest, footer: Footer, column: SourceColumn) -> bool:
    return _may_estimate(work, item) and not _fits_bits(work, footer, column) and not _is_narrow(footer, column)


def _fits_bits(work: Work, footer: Footer, column: SourceColumn) -> bool:
    return column.key in footer.ranges and _suits_bits(work, *footer.ranges[column.key])


def _is_narrow(footer: Footer, column: SourceColumn) -> bool:
    low, high = footer.ranges.get(column.key, (0, _FEW_DISTINCT + 1))
    return high - low <= _FEW_DISTINCT


def _suits_bits(work: Work, low: int, high: int) -> bool:
    return _FEW_DISTINCT < high - low < min(_MOST_BITS, _BITS_A_ROW * work.terms.source.rows)


def _bits(column: SourceColumn, low: int, high: int) -> str:
    return f"coalesce(bit_count(bitstring_agg({column.key}, {low}, {high})), 0)"


def _count_few(work: Work, items: Sequence[MetricRequest]) -> None:
    """Count exactly where the estimate is low."""
    for item in items:
        estimate = work.found.get(approximation(item))
        if estimate is None or not isinstance(estimate.value, int) or estimate.value > _FEW_DISTINCT:
            continue
        key, _ = work.terms.column(item.column or "")
        row = _row(work, [f"count(DISTINCT {key})"], f"{work.terms.source.prefix}scan")
        if row is not None:
            del work.found[approximation(item)]
            work.keep(item, row[0])


def _plain(work: Work, items: Sequence[MetricRequest]) -> None:
    """Measure what is left without knowing anything: distinct counts each alone, as their memory grows with the data."""
    alone: list[tuple[MetricRequest, str]] = []
    together: list[tuple[MetricRequest, str]] = []
    for item in items:
        try:
            text = aggregate(work.terms, item)
        except UnmeasurableError as error:
            work.fail(item, str(error))
            continue
        if text is not None:
            (alone if item.metric == "distinctValues" else together).append((item, text))
    relation = f"{work.terms.source.prefix}scan"
    shared(work, together, relation=relation)
    for item, text in alone:
        bits = _known_range(work, item)
        distinct = _by_hashes(work, item) if bits is None else None
        if distinct is not None:
            work.keep(item, distinct)
        else:
            shared(work, [(item, bits or text)], relation=relation)


def _by_hashes(work: Work, item: MetricRequest) -> int | None:
    """Count distinct values as those that repeat no earlier one."""
    nulls = work.found.get(MetricRequest(metric="nullValues", column=item.column))
    if item in work.estimable or nulls is None or not isinstance(nulls.value, int):
        return None
    key, _ = work.terms.column(item.column or "")
    repeating = surplus(work.terms, [key], with_null=False)
    return None if repeating is None else work.terms.source.rows - nulls.value - repeating


def _known_range(work: Work, item: MetricRequest) -> str | None:
    """Count whole numbers in a bit set when their bounds were measured."""
    column = work.terms.find(item.column or "")
    if column is None or column.type not in _WHOLE:
        return None
    bounds = [work.found.get(MetricRequest(metric=name, column=item.column)) for name in ("minimum", "maximum")]
    low, high = (taken.value if taken is not None else None for taken in bounds)
    if not isinstance(low, int) or not isinstance(high, int) or not _suits_bits(work, low, high):
        return None
    return _bits(column, low, high)

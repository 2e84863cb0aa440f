"""Numbers of all rows, for a profile that was asked for without measurements: one scan, no column that is personal."""

# ruff: noqa: S608  # columns are named by position

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb

from nbops.quality._profile_types import kind_of

if TYPE_CHECKING:
    from nbops.quality.source import Source, SourceColumn

__all__ = ["whole_numbers"]

_EXACT_ROWS = 2_000_000
"""Distinct values are counted up to here, and estimated beyond: counting takes longer than all the rest."""
_TOGETHER = 24
"""Columns in one query: DuckDB's plan for distinct counts grows with the square of their number."""


def whole_numbers(source: Source, columns: Iterable[SourceColumn]) -> tuple[Mapping[str, Any], ...]:
    """Measure nulls, distinct values, least, mean and greatest.

    Args:
        source: The opened dataset.
        columns: Those to measure.

    Returns:
        Measurements as a request has them; ``approximate`` says that a number is an estimate (HyperLogLog).
    """
    chosen = list(columns)
    found: list[Mapping[str, Any]] = []
    for start in range(0, len(chosen), _TOGETHER):
        part = chosen[start : start + _TOGETHER]
        numbers = _measured(source, part)
        if numbers is None:  # one column's values cannot be compared, or overflow: the others must not suffer
            for column in part:
                found += _measured(source, [column]) or ()
        else:
            found += numbers
    return tuple(found)


def _measured(source: Source, columns: Sequence[SourceColumn]) -> list[Mapping[str, Any]] | None:
    exact = source.rows <= _EXACT_ROWS
    asked = [(column, metric, text) for column in columns for metric, text in _expressions(column, exact=exact)]
    if not asked:
        return []
    try:
        row = source.connection.execute(f"SELECT {', '.join(text for _, _, text in asked)} FROM {source.prefix}scan").fetchone()
    except duckdb.Error:
        return None
    return [
        {
            "metric": metric,
            "column": column.name,
            "value": _plain(value),
            "failed": False,
            "approximate": metric == "distinctValues" and not exact,
        }
        for (column, metric, _), value in zip(asked, row, strict=True)
    ]


def _expressions(column: SourceColumn, *, exact: bool) -> list[tuple[str, str]]:
    key, kind = column.key, kind_of(column.type)
    distinct = f"count(DISTINCT {key})" if exact else f"approx_count_distinct({key})"
    found = [("nullValues", f"count(*) - count({key})"), ("distinctValues", distinct)]
    if kind in {"integer", "number"}:
        finite = f" FILTER (WHERE isfinite({key}))" if column.type in {"FLOAT", "DOUBLE"} else ""
        found += [(name, f"{call}({key}){finite}") for name, call in (("minimum", "min"), ("mean", "avg"), ("maximum", "max"))]
    elif kind == "date":
        found += [(name, f"CAST({call}({key}) AS VARCHAR)") for name, call in (("minimum", "min"), ("maximum", "max"))]
    return found


def _plain(value: object) -> int | float | str | None:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, str):  # an instant, as measurements write it
        return value.replace(" ", "T", 1).removesuffix("+00") + ("Z" if value.endswith("+00") else "")
    return value if isinstance(value, (int, float)) else None

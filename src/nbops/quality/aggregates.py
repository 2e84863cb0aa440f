"""Measurements as aggregates over rows.

Most have a plain form, one aggregate of one scan. Where a column's smallest and largest values are at hand, many follow from
them: a range rule that both meet is met by every value between, so that no row has to be looked at (``proof``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nbops.quality.families import family_of, is_float
from nbops.quality.predicates import UnmeasurableError, invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbops.model import MetricRequest
    from nbops.quality.source import SourceColumn
    from nbops.quality.terms import Terms

__all__ = ["BASE", "CONDITIONS", "aggregate", "from_bounds", "proof"]

CONDITIONS = frozenset(["nullValues", "missingValues", "invalidValues", "rowRule"])
"""Metrics that count the rows for which a condition is true."""
BASE: Mapping[str, str] = {
    "minimum": "min({x})",
    "maximum": "max({x})",
    "mean": "avg({x})",
    "standardDeviation": "stddev_samp({x})",
    "minimumLength": "min(length(CAST({x} AS VARCHAR)))",
    "maximumLength": "max(length(CAST({x} AS VARCHAR)))",
    "nonFiniteValues": "count(*) FILTER (WHERE NOT isfinite({x}))",
}
_FINITE = frozenset(["minimum", "maximum", "mean", "standardDeviation"])
_TIMES = frozenset(["date", "timestamp", "time"])
_RANGE = frozenset(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"])
_ORDERED = frozenset(["integer", "decimal", "float", "date", "timestamp"])


def aggregate(terms: Terms, item: MetricRequest, *, finite: bool = False) -> str | None:
    """Return a measurement as one aggregate over rows; ``None`` when it is none.

    Args:
        terms: The opened dataset.
        item: What is measured.
        finite: All values of the column are known to be finite, or are no floats.

    Raises:
        UnmeasurableError: It cannot be measured on this data.
    """
    if item.metric in CONDITIONS:
        return f"count(*) FILTER (WHERE {terms.condition(item)})"
    if item.metric in {"freshness", "retention"}:
        return _instant(terms, item)
    if item.metric == "distinctValues":
        return f"count(DISTINCT {terms.column(item.column or '')[0]})"
    return _base(terms, item, finite=finite) if item.metric in BASE else None


def _instant(terms: Terms, item: MetricRequest) -> str:
    expression, type_name = terms.column(item.column or "")
    family = family_of(type_name)
    if family not in {"date", "timestamp", "string"}:
        raise UnmeasurableError(f"column {item.column!r} is {type_name}, not a date or timestamp")
    cast = f"{'TRY_CAST' if family == 'string' else 'CAST'}({expression} AS TIMESTAMP)"
    return f"epoch({'max' if item.metric == 'freshness' else 'min'}({cast}))"


def _base(terms: Terms, item: MetricRequest, *, finite: bool) -> str:
    expression, type_name = terms.column(item.column or "")
    text = BASE[item.metric].format(x=expression)
    if item.metric in _FINITE and is_float(type_name) and not finite:
        return f"{text} FILTER (WHERE isfinite({expression}))"
    return _as_text(text, type_name) if item.metric in {"minimum", "maximum"} else text


def _as_text(expression: str, type_name: str) -> str:
    return f"CAST({expression} AS VARCHAR)" if family_of(type_name) in _TIMES else expression


def from_bounds(item: MetricRequest, column: SourceColumn, *, low: str, high: str) -> str | None:
    """Return a measurement as an expression of a column's smallest and largest values; ``None``: it does not follow from them."""
    if item.metric in {"minimum", "maximum"}:
        return _as_text(low if item.metric == "minimum" else high, column.type)
    if item.metric in {"freshness", "retention"} and family_of(column.type) in {"date", "timestamp"}:
        return f"epoch(CAST({high if item.metric == 'freshness' else low} AS TIMESTAMP))"
    return None


def proof(item: MetricRequest, column: SourceColumn, *, low: str, high: str) -> str | None:
    """Return an expression that is false when no value from ``low`` to ``high`` breaks a rule; ``None``: the rule is no range.

    What a range rule allows is one interval of the engine's order (in which NaN comes last), so both ends speak for all between.

    Raises:
        UnmeasurableError: The rule does not go with the column's type.
    """
    arguments = dict(item.arguments)
    if item.metric != "invalidValues" or family_of(column.type) not in _ORDERED:
        return None
    if not all(key in _RANGE or (key == "format" and _is_width(value)) for key, value in arguments.items()):
        return None
    return f"({invalid(low, column.type, arguments)} OR {invalid(high, column.type, arguments)})"


def _is_width(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[iu](8|16|32|64|128)", value) is not None

"""One measuring in progress: what was found so far, and queries that several measurements share."""

# ruff: noqa: S608 - columns are named by position, other names pass through quote() and values through literal()

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb

from nbops.model import Measurement, MetricRequest
from nbops.quality.faults import engine_message
from nbops.quality.sqltext import json_value, rounded

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from nbops.quality.terms import Terms

__all__ = ["Work", "approximation", "keep", "shared"]

_HOPELESS = 20
"""Measurements that may fail one by one before the rest of a failing query is given up: then the data is broken, not a rule."""
_COUNTS = frozenset(
    ["rowCount", "nullValues", "distinctValues", "missingValues", "invalidValues", "duplicateValues", "rowRule", "references"]
)


@dataclass
class Work:
    """One measuring: what was found so far."""

    terms: Terms
    now: dt.datetime
    mask_text: bool
    estimable: frozenset[MetricRequest] = frozenset()
    """Distinct counts that no check judges, so that on long data an estimate may stand in for them."""
    found: dict[MetricRequest, Measurement] = field(default_factory=dict)
    failures: int = 0

    def keep(self, request: MetricRequest, value: Any) -> None:
        """Note a value."""
        plain = json_value(value)
        if plain is None and request.metric in _COUNTS:
            self.fail(request, "the engine returned no value")
            return
        self.found[request] = Measurement(metric=request.metric, column=request.column, arguments=request.arguments, value=plain)

    def fail(self, request: MetricRequest, error: str) -> None:
        """Note why a measurement could not be taken."""
        self.found[request] = Measurement(metric=request.metric, column=request.column, arguments=request.arguments, error=error)

    def open(self, requests: Sequence[MetricRequest]) -> list[MetricRequest]:
        """Return those of the requests that nothing was found for yet."""
        return [item for item in requests if item not in self.found and approximation(item) not in self.found]


def approximation(request: MetricRequest) -> MetricRequest:
    """Return the request that an estimate of a measurement is kept under: another one, so that no check can judge on it.

    >>> approximation(MetricRequest(metric="distinctValues", column="id")).arguments
    (('approximate', True),)
    """
    return MetricRequest(metric=request.metric, column=request.column, arguments=(("approximate", True),))


def shared(work: Work, chunk: Sequence[tuple[MetricRequest, str]], *, relation: str) -> None:
    """Run one query for several measurements; when it fails, it is halved until the one that breaks it stands alone.

    Args:
        work: Where the values go.
        chunk: Measurements and their expressions.
        relation: What stands after ``FROM``.
    """
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
        shared(work, chunk[:middle], relation=relation)
        shared(work, chunk[middle:], relation=relation)
        return
    for (item, _), value in zip(chunk, row, strict=True):
        keep(work, item, value)


def keep(work: Work, item: MetricRequest, value: Any) -> None:
    """Note a value as the engine returned it."""
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

"""What must be measured: the needs of all checks, and the base measurements of every column, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbops.model import Check, MetricRequest
from nbops.plugins import load
from nbops.quality.families import family_of, is_float
from nbops.quality.kinds import ROW_COUNT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nbops.protocols import CheckKind
    from nbops.quality.source import SourceColumn

__all__ = ["base_requests", "check_requests", "kind_of"]


def kind_of(check: Check) -> CheckKind:
    """Return the check's kind.

    Raises:
        PluginError: No kind has this name.
    """
    kind: CheckKind = load("nbops.checks", check.metric)()
    return kind


def check_requests(checks: Iterable[Check]) -> tuple[MetricRequest, ...]:
    """Return what the checks need, without repetition, in their order."""
    return tuple(dict.fromkeys(request for check in checks for request in kind_of(check).requests(check)))


def base_requests(columns: Iterable[SourceColumn], *, personal: frozenset[str]) -> tuple[MetricRequest, ...]:
    """Return what is measured of every dataset, contract or not.

    Of personal columns nothing that is a value of the data, or could be one (the mean of one row).

    Args:
        columns: Of the data.
        personal: Names of personal columns, as ``privacy`` compares them.
    """
    found = [ROW_COUNT]
    for column in columns:
        names = ["nullValues", "distinctValues"]
        family = family_of(column.type)
        private = column.name.strip().casefold() in personal
        if family == "string":
            names += ["minimumLength", "maximumLength"]
        elif family in {"date", "timestamp", "time"} and not private:
            names += ["minimum", "maximum"]
        elif family in {"integer", "float", "decimal"}:
            names += ["nonFiniteValues"] if is_float(column.type) else []
            names += [] if private else ["minimum", "maximum", "mean", "standardDeviation"]
        found += [MetricRequest(metric=name, column=column.name) for name in names]
    return tuple(found)

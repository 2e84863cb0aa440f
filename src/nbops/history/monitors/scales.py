"""On which scale a metric is judged, and which spread it has at least.

Rates: the arcsine of the square root, whose sampling error is ``1 / (2 sqrt(rows))`` whatever the rate (Anscombe 1948). Counts,
sizes and durations: the logarithm, since they grow by factors. Other numbers: the inverse hyperbolic sine of the number over a
hundredth of its usual size, which is a logarithm that also takes zero and negative numbers. Times of day: as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nbops.quality.recommender_names import RECOMMENDER_METRICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nbops.history.monitors.frame import Key

__all__ = ["MONITORS", "Scale", "kind_of", "monitor_of", "scaled"]

MONITORS = {
    "rowCount": "volume",
    "bytes": "volume",
    "nullRate": "nulls",
    "missingRate": "nulls",
    "nonFiniteRate": "nulls",
    "invalidRate": "validity",
    "duplicateRate": "duplicates",
    "distinctValues": "distinct",
    "distinctRate": "distinct",
    "minimum": "range",
    "maximum": "range",
    "minimumLength": "range",
    "maximumLength": "range",
    "quantile:0": "range",
    "quantile:1": "range",
    "mean": "mean",
    "standardDeviation": "mean",
    "others": "shares",
    "novel": "categories",
    "novelPattern": "patterns",
    "lag": "freshness",
    "topRate": "mode",
    "seconds": "duration",
    "peakMemory": "memory",
    "distance": "distribution",
    **RECOMMENDER_METRICS,
}
_PREFIXES = {
    "quantile:": "quantiles",
    "clock:": "clock",
    "share:": "shares",
    "pattern:": "patterns",
    "segment:": "segments",
    "odd:": "odd",
    "magnitude:": "magnitudes",
}
_RATES = frozenset({"nulls", "validity", "duplicates", "shares", "patterns", "categories", "magnitudes", "mode", "odd"})
_LEAST_STEP = 0.02
"""Numbers that differ by less than two in a hundred are taken for equal."""
_TIME_STEP = 300.0
_LAG_STEP = 3_600.0
_DURATION_STEP = 0.25
_NUMBER_STEP = 0.1
"""Of a third of the column's own width: quantiles of prices and counts jump from one value to the next."""
_USUAL_PART, _WIDTH_PART = 0.01, 0.3
_PARTS = frozenset({"exposureGini", "exposureDistance"})
"""From 0 to 1, as rates are."""
_COUNTED = frozenset({"distinctValues", "itemsRecommended", "usersServed"})
_LIST_STEP = 0.01
"""The least spread of shares of recommendations, on the arcsine's scale: they are of items and users, not of rows."""
_WIDE = frozenset({"quantiles", "mean", "range", "segments"})


def monitor_of(metric: str) -> str | None:
    """Return the monitor that judges a metric, None when none does."""
    found = MONITORS.get(metric)
    if found is None:
        found = next((name for prefix, name in _PREFIXES.items() if metric.startswith(prefix)), None)
    return found


def kind_of(metric: str) -> str:
    """Return the scale of a metric: ``rate``, ``count``, ``size``, ``time`` or ``number``."""
    monitor = monitor_of(metric)
    if monitor in _RATES or metric.endswith(("Rate", ":nullRate", ":usualRate")) or metric in _PARTS:
        return "rate"
    if monitor == "volume" or metric in _COUNTED:
        return "count"
    if monitor in {"duration", "memory"}:
        return "size"
    return "time" if monitor in {"clock", "freshness"} else "number"


class Scale:
    """To the scale on which one series is judged, and back."""

    def __init__(self, kind: str, usual: float) -> None:
        self.kind = kind
        self.usual = usual

    def to(self, value: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return values on the scale."""
        if self.kind == "rate":
            found = np.arcsin(np.sqrt(np.clip(value, 0.0, 1.0)))
        elif self.kind in {"count", "size"}:
            found = np.log(np.maximum(value, 0.0) + (1.0 if self.kind == "count" else self.usual))
        elif self.kind == "number":
            found = np.arcsinh(value / self.usual)
        else:
            found = value / self.usual
        return np.asarray(found, np.float64)

    def back(self, value: float) -> float:
        """Return a number that a place on the scale stands for."""
        if self.kind == "rate":
            return float(np.sin(np.clip(value, 0.0, np.pi / 2)) ** 2)
        if self.kind in {"count", "size"}:
            return float(max(np.exp(min(value, 700.0)) - (1.0 if self.kind == "count" else self.usual), 0.0))
        if self.kind == "number":
            return float(np.sinh(np.clip(value, -700.0, 700.0)) * self.usual)
        return float(value * self.usual)

    def all_back(self, values: NDArray[np.float64]) -> list[float]:
        """Return the numbers that places on the scale stand for."""
        if self.kind == "rate":
            found = np.sin(np.clip(values, 0.0, np.pi / 2)) ** 2
        elif self.kind in {"count", "size"}:
            found = np.maximum(np.exp(np.minimum(values, 700.0)) - (1.0 if self.kind == "count" else self.usual), 0.0)
        elif self.kind == "number":
            found = np.sinh(np.clip(values, -700.0, 700.0)) * self.usual
        else:
            found = values * self.usual
        numbers: list[float] = found.tolist()
        return numbers


def scaled(
    keys: Sequence[Key], values: NDArray[np.float64], rows: NDArray[np.float64]
) -> tuple[list[Scale], NDArray[np.float64], NDArray[np.float64]]:
    """Return the scale of each series, its values on that scale, and the least spread of each value."""
    kinds = np.array([kind_of(metric) for _, metric in keys], dtype=object)
    history = values[:, :-1]
    with np.errstate(all="ignore"):
        size = np.abs(history)
        usual = _row_median(np.where(size > 0, size, np.nan))
    usual = middle = np.where(np.isfinite(usual) & (usual > 0), usual, 1.0)
    widths = _widths(keys, history)
    wide = np.isfinite(widths)
    usual = np.where(kinds == "time", 3600.0, np.where(kinds == "size", 0.05, usual * _USUAL_PART))
    usual = np.where(wide & (kinds == "number"), widths * _WIDTH_PART, usual)
    usual = np.where((kinds == "size") & (np.array([metric for _, metric in keys]) == "peakMemory"), 1e6, usual)
    scales = [Scale(str(kind), float(size)) for kind, size in zip(kinds, usual, strict=True)]
    with np.errstate(all="ignore"):
        found = np.full_like(values, np.nan)
        for kind in set(kinds):
            mask = kinds == kind
            found[mask] = Scale(kind, usual[mask][:, None]).to(values[mask])
    floors = _floors(keys, kinds, middle, rows)
    floors[wide & (kinds == "number")] = _NUMBER_STEP
    return scales, found, floors


def _widths(keys: Sequence[Key], history: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far a column's own values usually spread, for each series in the column's unit; NaN for others."""
    places = {key: number for number, key in enumerate(keys)}
    known: dict[str | None, float] = {}
    found = np.full(len(keys), np.nan)
    for number, (column, metric) in enumerate(keys):
        if monitor_of(metric) not in _WIDE or kind_of(metric) != "number" or metric.endswith("Length"):
            continue
        if column not in known:
            ends = [places.get((column, f"quantile:{p}")) for p in ("0.1", "0.9")]
            known[column] = np.nan
            if None not in ends:
                between = history[ends[1]] - history[ends[0]]
                size = between[np.isfinite(between) & (between > 0)]
                known[column] = float(np.median(size)) if len(size) else np.nan
        found[number] = known[column]
    return found


def _row_median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median of each row without NaN; a hundred times faster than nanmedian on many short rows."""
    ordered = np.sort(values, axis=1)
    count = np.isfinite(ordered).sum(axis=1)
    middle = np.maximum(count - 1, 0) // 2
    found: NDArray[np.float64] = ordered[np.arange(len(ordered)), middle] if ordered.shape[1] else np.full(len(ordered), np.nan)
    return found


def _floors(
    keys: Sequence[Key], kinds: NDArray[np.object_], usual: NDArray[np.float64], rows: NDArray[np.float64]
) -> NDArray[np.float64]:
    size = np.where(np.isfinite(rows) & (rows > 0), rows, 1000.0)[None, :]
    floors = np.full((len(keys), len(rows)), _LEAST_STEP)
    rates, counts = kinds == "rate", kinds == "count"
    floors[rates] = 0.5 / np.sqrt(size)
    # by what is usual, not by the value itself: of a table that is empty one would expect anything
    floors[counts] = np.maximum(_LEAST_STEP, 1.0 / np.sqrt(usual[counts][:, None] + 1.0))
    floors[kinds == "size"] = _DURATION_STEP
    for number, (_, metric) in enumerate(keys):
        if metric.startswith("clock:"):
            floors[number] = _TIME_STEP / 3600.0
        elif metric in {"lag", "interval"}:
            floors[number] = _LAG_STEP / 3600.0
        elif metric.endswith("Length"):
            floors[number] = _NUMBER_STEP
        elif metric in RECOMMENDER_METRICS and kinds[number] == "rate":
            floors[number] = np.maximum(floors[number], _LIST_STEP)
        elif metric == "standardDeviation":
            floors[number] = 2 * _LEAST_STEP
    return floors

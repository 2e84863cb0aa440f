"""Volumes of datasets made many times a day: judged by the time of the day, which smoothing by weekdays does not see."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from nbops.history.monitors.stream import StreamDetector
from nbops.model import Anomaly, Expected

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbops.history.index import SeriesPoint

__all__ = ["dense_anomalies"]

_METRIC, _MONITOR = "rowCount", "volume"
_FEWEST = 300
"""Earlier runs that there must be."""
_STEP = 6 * 3_600.0
"""Seconds between runs, at most, as a rule: four a day."""
_DAY, _AROUND = 86_400.0, 3_600.0
_NOTABLE = 0.05
"""Less than five in a hundred from what is usual at this time is no news, however new."""


def dense_anomalies(
    subject: str, series: Mapping[tuple[str | None, str], Sequence[SeriesPoint]], *, at: float, rows: float | None
) -> list[Anomaly]:
    """Return the anomaly of a dataset's rows in a dense series, if there is one.

    Args:
        subject: ``dataset:NAME``.
        series: Of the runs before, the oldest first.
        at: When the run was, in seconds since 1970.
        rows: That it brought.
    """
    points = [point for point in series.get((None, _METRIC), ()) if point.changed and math.isfinite(point.value)]
    if rows is None or not math.isfinite(rows) or len(points) < _FEWEST:
        return []
    times = [point.at.timestamp() for point in points]
    if median([later - one for one, later in pairwise([*times, at])]) > _STEP:
        return []
    usual = _usual(points, times, at)
    if abs(rows - usual) <= _NOTABLE * abs(usual):
        return []
    detector = StreamDetector()
    for time, point in zip(times, points, strict=True):
        detector.update(time, point.value)
    score = detector.update(at, rows)
    if not detector.is_anomaly:
        return []
    basis = f"how near the {len(points)} runs before came to it, at any time and at this time of the day"
    return [
        Anomaly(
            monitor=_MONITOR,
            subject=subject,
            metric=_METRIC,
            observed=rows,
            expected=Expected(center=usual, method="nearest neighbours", points=len(points), basis=basis),
            score=round(math.log(max(1.0 - score, 1e-12)) / math.log(1.0 - detector.threshold), 3),
            message=f"{subject.partition(':')[2]}: rows: {rows:,.0f}, usually {usual:,.0f} at this time of the day.",
        )
    ]


def _usual(points: Sequence[SeriesPoint], times: Sequence[float], at: float) -> float:
    """Return the median of the values at this time of earlier days, of all values where there are none."""
    apart = [(time - at) % _DAY for time in times]
    same = [point.value for point, one in zip(points, apart, strict=True) if min(one, _DAY - one) <= _AROUND]
    return median(same or [point.value for point in points])

"""What several series say together, each of which is within its own band.

A fault mostly shows in several numbers of a column at once, while chance moves one. Each series' score is divided by its bound;
where the three largest of a column have a root mean square of 0.8 or more, that is told as one anomaly (a sum of squares of
the strongest evidence, as in the rank truncated product: Dudbridge, Koeleman, "Rank truncated product of P-values", Genetic
Epidemiology 25, 2003). Series that are the same number (the maximum and quantile 1) count once.

A file that ends early has fewer rows than usual *and* its last rows are earlier in the day than usual. Each alone is a slow day
or an early evening; together, in the same direction, they are rare.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from nbops.history.monitors.numbers import sided
from nbops.history.monitors.scales import monitor_of
from nbops.history.monitors.telling import expected_of, number_of, words_of
from nbops.model import Anomaly

if TYPE_CHECKING:
    from nbops.history.monitors.numbers import Judged

__all__ = ["joint_anomalies"]

_TOGETHER, _NEAR = 3, 0.8
"""Series of a column that are looked at together, and how near to their bounds they are, in their root mean square."""
_SAME = 1e-6
_LATEST = ("clock:0.95", "clock:0.99", "clock:1")
_SHORT, _EARLY, _BOTH = 0.2, 0.4, 0.7
"""Parts of their bounds: of the rows, of the last rows' time, and of the two together (square root of the sum of squares)."""


def joint_anomalies(judged: Judged, *, told: frozenset[tuple[str, str | None]]) -> list[Anomaly]:
    """Return what series say together in the last run.

    Args:
        judged: All series of a subject.
        told: Monitors and columns that raised something by themselves.
    """
    nearness = _nearness(judged)
    columns = {column for _, column in told}
    found = [] if None in columns else _ended_early(judged, nearness)
    groups: dict[str, list[int]] = {}
    for number, (column, metric) in enumerate(judged.frame.keys):
        if column is not None and column not in columns and metric != "distance" and nearness[number] > 0:
            groups.setdefault(column, []).append(number)
    for numbers in groups.values():
        worst = _distinct(numbers, nearness)
        size = math.sqrt(sum(nearness[number] ** 2 for number in worst) / _TOGETHER)
        if size >= _NEAR:
            found.append(_together(judged, worst, size / _NEAR))
    return found


def _nearness(judged: Judged) -> list[float]:
    """Return how near to its bound each series is; 1 is on it."""
    scores = judged.scores[:, -1]
    return [
        sided(metric, float(score)) / float(bound) if np.isfinite(score) and monitor_of(metric) is not None else 0.0
        for (_, metric), score, bound in zip(judged.frame.keys, scores, judged.bounds[:, -1], strict=True)
    ]


def _distinct(numbers: list[int], nearness: list[float]) -> list[int]:
    """Return the series nearest to their bounds, without those that say the same."""
    worst: list[int] = []
    for number in sorted(numbers, key=lambda one: (-nearness[one], one)):
        if all(abs(nearness[number] - nearness[other]) > _SAME for other in worst):
            worst.append(number)
        if len(worst) == _TOGETHER:
            break
    return worst


def _together(judged: Judged, worst: list[int], size: float) -> Anomaly:
    said = []
    for number in worst:
        metric, expected = judged.frame.keys[number][1], expected_of(judged, number)
        value = number_of(metric, float(judged.frame.values[number, -1]))
        said.append(f"{words_of(metric)} {value} (usually {number_of(metric, expected.center)})")
    column, metric = judged.frame.keys[worst[0]]
    name = judged.frame.subject.partition(":")[2]
    return Anomaly(
        monitor="distribution",
        subject=judged.frame.subject,
        column=column,
        metric=metric,
        observed=float(judged.frame.values[worst[0], -1]),
        expected=expected_of(judged, worst[0]),
        score=round(size, 3),
        message=f"{name}.{column}: several numbers are near their limits at once: {'; '.join(said)}.",
    )


def _ended_early(judged: Judged, nearness: list[float]) -> list[Anomaly]:
    places = {key: number for number, key in enumerate(judged.frame.keys)}
    rows = places.get((None, "rowCount"))
    if rows is None or judged.scores[rows, -1] >= 0 or nearness[rows] < _SHORT:
        return []
    ends = [number for (column, metric), number in places.items() if metric in _LATEST and judged.scores[number, -1] < 0]
    last = max(ends, key=lambda number: (nearness[number], -number), default=None)
    if last is None or nearness[last] < _EARLY:
        return []
    both = math.hypot(nearness[rows], nearness[last])
    if both < _BOTH:
        return []
    column, metric = judged.frame.keys[last]
    subject, observed, usual = judged.frame.subject, float(judged.frame.values[rows, -1]), expected_of(judged, rows)
    when, ordinarily = (
        number_of(metric, value) for value in (float(judged.frame.values[last, -1]), expected_of(judged, last).center)
    )
    return [
        Anomaly(
            monitor="volume",
            subject=subject,
            metric="rowCount",
            observed=observed,
            expected=usual,
            score=round(both / _BOTH, 3),
            message=(
                f"{subject.partition(':')[2]}: {observed:,.0f} rows where {usual.center or 0:,.0f} are usual, and the last of "
                f"them ({column}) are of {when} instead of {ordinarily}: the rest of the day may be missing."
            ),
        )
    ]

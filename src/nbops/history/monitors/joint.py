"""What several series say together, each of which is within its own band.

A fault mostly shows in several numbers of a column at once, while chance moves one. Each series' score is divided by its bound;
where the three largest of a column have a root mean square of 0.8 or more, and more than chance makes of so many columns
(:mod:`nbops.history.monitors.chance`), that is told as one anomaly (a sum of squares of the strongest evidence, as in the rank
truncated product: Dudbridge, Koeleman, "Rank truncated product of P-values", Genetic Epidemiology 25, 2003). Series that are the
same number (the maximum and quantile 1) count once.

A file that ends early has fewer rows than usual *and* its last rows are earlier in the day than usual. Each alone is a slow day
or an early evening; together, in the same direction, they are rare, and must be more so than in all earlier runs but one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nbops.history.monitors.chance import nearness_of
from nbops.history.monitors.telling import expected_of, number_of, words_of
from nbops.model import Anomaly

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nbops.history.monitors.chance import Nearness
    from nbops.history.monitors.numbers import Judged

__all__ = ["joint_anomalies"]

_TOGETHER = 3
"""Series of a column that are looked at together."""
_SAME = 1e-6
_LATEST = ("clock:0.95", "clock:0.99", "clock:1")
_SHORT, _EARLY, _BOTH = 0.2, 0.4, 1.0
"""Parts of their bounds: of the rows, of the last rows' time, and of the two together (square root of the sum of squares), which
must weigh as much as one series on its bound."""
_BUT_ONE = 2


def joint_anomalies(judged: Judged, *, told: frozenset[tuple[str, str | None]], near: Nearness | None = None) -> list[Anomaly]:
    """Return what series say together in the last run.

    Args:
        judged: All series of a subject.
        told: Monitors and columns that raised something by themselves.
        near: How near to their bounds the series are; None works it out.
    """
    near = near if near is not None else nearness_of(judged)
    columns = {column for _, column in told}
    found = [] if None in columns else _ended_early(judged)
    groups: dict[str, list[int]] = {}
    for number, (column, metric) in enumerate(judged.frame.keys):
        if column is not None and column not in columns and metric != "distance" and near.last[number] > 0:
            groups.setdefault(column, []).append(number)
    for column, numbers in groups.items():
        if near.columns.get(column, 0.0) >= near.together:
            found.append(_together(judged, _distinct(numbers, near.last), near.columns[column] / near.together))
    return found


def _distinct(numbers: list[int], nearness: NDArray[np.float64]) -> list[int]:
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


def _ended_early(judged: Judged) -> list[Anomaly]:
    places = {key: number for number, key in enumerate(judged.frame.keys)}
    rows = places.get((None, "rowCount"))
    ends = [number for (_, metric), number in places.items() if metric in _LATEST]
    if rows is None or not ends:
        return []
    less = np.maximum(-np.nan_to_num(judged.scores[[rows, *ends]]), 0.0) / judged.bounds[[rows, *ends]]
    latest = less[1:].max(axis=0)
    both = np.where((less[0] >= _SHORT) & (latest >= _EARLY), np.hypot(less[0], latest), 0.0)
    before = np.sort(both[:-1])[-_BUT_ONE:]
    limit = max(_BOTH, float(before[0]) if len(before) == _BUT_ONE else 0.0)
    if both[-1] <= limit:
        return []
    last = ends[int(less[1:, -1].argmax())]
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
            score=round(float(both[-1]) / limit, 3),
            message=(
                f"{subject.partition(':')[2]}: {observed:,.0f} rows where {usual.center or 0:,.0f} are usual, and the last of "
                f"them ({column}) are of {when} instead of {ordinarily}: the rest of the day may be missing."
            ),
        )
    ]

"""Rows that get fewer from run to run: a slope, where each single run is ordinary.

Of a loss of one in a hundred more each run, the first month drowns in what days differ by. What finds it soonest is a regression
on a ramp: for each of several lengths the newest runs are fitted by a line that begins at the level of the 48 runs before, and
the steepest fall in its own standard errors is judged (the likelihood ratio for a linear drift whose beginning is unknown:
Lorden, "Procedures for reacting to a change in distribution", Annals of Mathematical Statistics 42, 1971; Basseville, Nikiforov,
*Detection of Abrupt Changes*, 1993). It is robust: weekdays are taken out by medians, the standard deviation is that of the older
runs' median absolute deviation, residuals are cut at 2.5 of it. It must be steeper than 1.2 times what the series has shown
before: a business falls, too.

Two kinds of series are judged. The number of rows; and rows per value of columns whose values repeat, such as a number of an
invoice: lost rows leave invoices with fewer lines, however business goes. Where the values get fewer as well it is business that
falls (in a quiet month there are fewer rows per product), and nothing is said of the column. All columns bear witness to the same
loss, so that the clearest is told.

No detector can be quicker than the evidence: when level and standard deviation are known, a fall by ``d`` standard deviations
more each run has gathered ``d**2 * n**3 / 6`` of log likelihood ratio after ``n`` runs, and ``log(1000)`` is needed for a false
alarm in a thousand runs. With the 0.26 by which days of a shop differ, and one in a hundred a run, that is 30 runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nbops.history.monitors.medians import row_medians
from nbops.history.monitors.telling import number_of
from nbops.model import Anomaly, Expected

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nbops.history.monitors.numbers import Judged

__all__ = ["leak_anomalies"]

_LENGTHS = (16, 24, 32, 40, 50, 60)
"""Runs over which a fall may have gone on."""
_BASE, _LEAST = 48, 24
"""Runs before them that tell the level, and how many there must be."""
_LIMIT, _WILDER = 4.5, 1.2
_LAG, _PAST = 36, 10
"""The newest falls do not count as shown before, so that a leak goes on being told; and how many others there must be."""
_CUT, _MAD, _FLOOR, _STEPS = 2.5, 1.4826, 0.02, 2
_AROUND, _SAME_DAYS = 12, 4
"""Runs to either side whose median a weekday is compared with, and how many there must be of one."""
_REPEATED, _STAY = 0.5, 0.5
"""Distinct values of all rows, at most; and how much less than rows per value the values may fall."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fall:
    size: float
    """In standard errors."""
    by_run: float
    """Of the logarithm, a run."""
    runs: int
    level: float
    """Logarithm before it."""


def leak_anomalies(judged: Judged, *, sensitivity: float = 1.0) -> list[Anomaly]:
    """Return what gets less from run to run.

    Args:
        judged: All series of a subject.
        sensitivity: By what limits are multiplied.
    """
    places = {key: number for number, key in enumerate(judged.frame.keys)}
    values, days = judged.frame.values, judged.frame.weekdays
    number = places.get((None, "rowCount"))
    if number is None or not values[number, -1] > 0:
        return []
    rows = np.log(np.where(values[number] > 0, values[number], np.nan))
    found = [_anomaly(judged, None, rows, rows, days, sensitivity)]
    columns = []
    for column, metric in judged.frame.keys:
        rate = values[places[column, metric]]
        if column is not None and metric == "distinctRate" and 0 < rate[-1] < _REPEATED:
            distinct = rows + np.log(np.where(rate > 0, rate, np.nan))
            columns.append(_anomaly(judged, column, rows - distinct, distinct, days, sensitivity))
    clearest = max((item for item in columns if item is not None), key=lambda item: item.score, default=None)
    return [item for item in (*found, clearest) if item is not None]


def _anomaly(  # noqa: PLR0917 - one series, and what goes with it
    judged: Judged,
    column: str | None,
    series: NDArray[np.float64],
    distinct: NDArray[np.float64],
    days: NDArray[np.int64],
    sensitivity: float,
) -> Anomaly | None:
    there = np.isfinite(series)
    steady = _without_weekdays(series[there], days[there])
    now = _steepest(steady)
    if now is None or now.size <= sensitivity * _LIMIT:
        return None
    if column is not None and _slope(_without_weekdays(distinct[there], days[there]), now.runs) < _STAY * now.by_run:
        return None
    past = _past(steady)
    if len(past) < _PAST:
        return None
    bound = sensitivity * max(_LIMIT, _WILDER * float(past.max()))
    if now.size <= bound:
        return None
    name = judged.frame.subject.partition(":")[2]
    before, end = np.exp(now.level), np.exp(now.level + now.by_run * now.runs)
    least = np.exp(now.level + now.by_run * now.runs * bound / now.size)
    by_run = f"about {100 * -np.expm1(now.by_run):.2g} % less each run for some {now.runs} runs"
    metric = "rowCount" if column is None else "distinctRate"
    what = f"{name}: rows" if column is None else f"{name}.{column}: rows per value"
    numbers = f"{number_of('', float(end))}, {number_of('', float(before))} before"
    lost = "" if column is None else "; rows may be getting lost"
    given = (before, end, least) if column is None else (1 / before, 1 / end, 1 / least)
    return Anomaly(
        monitor="drift",
        subject=judged.frame.subject,
        column=column,
        metric=metric,
        observed=float(given[1]),
        expected=Expected(
            low=float(given[2]) if column is None else None,
            high=None if column is None else float(given[2]),
            center=float(given[0]),
            method="regression on a ramp",
            points=int(there.sum()) - 1,
            basis=f"the level of the {_BASE} runs before it fell, and how steeply it fell before",
        ),
        score=round(min(now.size / bound, 1e6), 3),
        message=f"{what}: {numbers}: {by_run}{lost}.",
    )


def _without_weekdays(values: NDArray[np.float64], days: NDArray[np.int64]) -> NDArray[np.float64]:
    """Take out by how much each weekday differs from the runs around it, in the middle."""
    if len(values) <= _AROUND:
        return values
    padded = np.pad(values, _AROUND, constant_values=np.nan)
    around = row_medians(np.lib.stride_tricks.sliding_window_view(padded, 2 * _AROUND + 1))
    steady: NDArray[np.float64] = values.copy()
    for day in range(7):
        same = days == day
        if same.sum() >= _SAME_DAYS:
            steady[same] -= np.median((values - around)[same])
    return steady


def _steepest(values: NDArray[np.float64]) -> _Fall | None:
    """Return the steepest fall that goes on till the last value; None where there are too few."""
    best: _Fall | None = None
    for runs in _LENGTHS:
        if len(values) < runs + _LEAST:
            break
        window = values[-runs - _BASE :]
        size, by_run, level = (float(one[0]) for one in _fits(window[None, :], runs))
        if best is None or size > best.size:
            best = _Fall(size=size, by_run=by_run, runs=runs, level=level)
    return best


def _slope(values: NDArray[np.float64], runs: int) -> float:
    """Return the slope of a ramp over the last runs."""
    return float(_fits(values[None, -runs - _BASE :], runs)[1][0])


def _past(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the steepest fall at each earlier run, without the newest."""
    ends = np.arange(_LENGTHS[0] + _LEAST, len(values) - _LAG + 1)
    if not len(ends):
        return np.empty(0)
    found = np.zeros(len(ends))
    for runs in _LENGTHS:
        padded = np.pad(values, (runs + _BASE, 0), constant_values=np.nan)
        chosen = ends >= runs + _LEAST
        windows = np.lib.stride_tricks.sliding_window_view(padded, runs + _BASE)[ends[chosen]]
        if len(windows):
            found[chosen] = np.maximum(found[chosen], _fits(windows, runs)[0])
    return found


def _fits(windows: NDArray[np.float64], runs: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Fit each row by a level and, over the last runs, a ramp.

    Returns:
        The fall in standard errors, the slope, and the level.
    """
    base = windows[:, :-runs]
    middle = row_medians(base)[:, None]
    spread = np.maximum(_MAD * row_medians(np.abs(base - middle))[:, None], _FLOOR)
    there = np.isfinite(windows)
    count = there.sum(axis=1, keepdims=True)
    ramp = np.maximum(np.arange(windows.shape[1]) - (windows.shape[1] - runs) + 1.0, 0.0)
    centred = np.where(there, ramp - np.where(there, ramp, 0.0).sum(axis=1, keepdims=True) / count, 0.0)
    power = (centred**2).sum(axis=1, keepdims=True)
    values = np.where(there, windows, 0.0)
    for _ in range(_STEPS + 1):
        slope = (centred * values).sum(axis=1, keepdims=True) / power
        fitted = np.where(there, values, 0.0).sum(axis=1, keepdims=True) / count + slope * centred
        values = np.where(there, fitted + np.clip(windows - fitted, -_CUT * spread, _CUT * spread), 0.0)
    level = (fitted - slope * ramp)[:, -1]
    return (-slope * np.sqrt(power) / spread)[:, 0], slope[:, 0], level

"""Slow leaks: shares of missing or invalid values against an older baseline that does not follow them.

What is expected of a run follows the level, so a leak of one in a hundred more each run is ordinary each time. Here the median
of the newest 12 runs (two weeks, so that weekdays cancel out) is compared with the median of the 48 before those, in standard
errors of a median, the spread taken robustly from the 48 (median absolute deviation). Between the two lies a leak's growth. As
elsewhere a series must also be beyond 1.6 times the largest such difference that it has shown before, so that a business that
grows and shrinks over months must do so faster than ever. A moving median against a lagging reference is the robust form of a
moving average chart (Roberts, "Control chart tests based on geometric moving averages", Technometrics 1, 1959; Rousseeuw,
Croux, "Alternatives to the median absolute deviation", JASA 88, 1993). The lengths and limits are ours. Only more missing or
invalid values are told. Rows that get fewer are looked for by :mod:`nbops.history.monitors.leaks`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nbops.history.monitors.medians import row_medians
from nbops.history.monitors.scales import monitor_of
from nbops.history.monitors.telling import number_of, words_of
from nbops.model import Anomaly, Expected

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nbops.history.monitors.numbers import Judged

__all__ = ["drift_anomalies"]

_NEW, _OLD, _LEAST = 12, 48, 24
"""Runs of the two windows, and values that the older one must have."""
_PAST, _LAG = 10, 24
"""Earlier differences that there must be, and how many of the newest do not count, so that a leak goes on being told."""
_PRESENT = 8
"""Values that the newer window must have."""
_LIMIT, _WILDER = 5.0, 1.6
_MEDIAN_ERROR = 1.2533
"""Standard error of a median, of that of a mean."""
_MAD = 1.4826


def drift_anomalies(judged: Judged, *, sensitivity: float = 1.0) -> list[Anomaly]:
    """Return series that drifted from where they were some weeks ago.

    Args:
        judged: All series of a subject.
        sensitivity: By what limits are multiplied.
    """
    runs = judged.frame.values.shape[1]
    if runs < _PRESENT + _LEAST + _PAST + _LAG:
        return []
    found = []
    for number, (_, metric) in enumerate(judged.frame.keys):
        if monitor_of(metric) in {"nulls", "validity"} and np.isfinite(judged.frame.values[number, -1]):
            item = _judge(judged, number, sensitivity=sensitivity)
            found += [item] if item is not None else []
    return found


def _judge(judged: Judged, number: int, *, sensitivity: float) -> Anomaly | None:
    scale = judged.scales[number]
    values = scale.to(judged.frame.values[number])
    floor = 0.5 / np.sqrt(np.maximum(np.nan_to_num(judged.frame.rows, nan=1000.0), 1.0))
    least = float(np.median(floor))
    now = float(_distances(values[-_NEW - _OLD :], least)[0][-1])
    if not now > sensitivity * _LIMIT:  # whatever it came to before
        return None
    distance, middle, error = _distances(values, least)
    past = distance[:-_LAG]
    past = past[np.isfinite(past)]
    if len(past) < _PAST:
        return None
    bound = sensitivity * max(_LIMIT, _WILDER * max(float(past.max()), 0.0))
    if now <= bound:
        return None
    column, metric = judged.frame.keys[number]
    recent = values[-_NEW:]
    observed = scale.back(float(np.median(recent[np.isfinite(recent)])))
    center, edge = scale.back(middle), scale.back(middle + bound * error)
    name = judged.frame.subject.partition(":")[2]
    what = f"{name}.{column}" if column is not None else name
    return Anomaly(
        monitor="drift",
        subject=judged.frame.subject,
        column=column,
        metric=metric,
        observed=observed,
        expected=Expected(
            high=edge,
            center=center,
            method="moving median against an older one",
            points=len(past),
            basis=f"the median of the {_OLD} runs before the last {_NEW}, and how far such medians were apart before",
        ),
        score=round(min(now / bound, 1e6), 3),
        message=(
            f"{what}: {words_of(metric)}: {number_of(metric, observed)} in the middle of the last {_NEW} runs, "
            f"{number_of(metric, center)} in the {_OLD} before: a slow change."
        ),
    )


def _distances(values: NDArray[np.float64], floor: float) -> tuple[NDArray[np.float64], float, float]:
    """Return how far the newer window's median is from the older one's at each run, in standard errors.

    Beside it the last older median and standard error.
    """
    runs = len(values)
    padded = np.concatenate([np.full(_NEW + _OLD - 1, np.nan), values])
    windows = np.lib.stride_tricks.sliding_window_view(padded, _NEW + _OLD)[:runs]
    old, new = windows[:, :_OLD], windows[:, _OLD:]
    enough = (np.isfinite(old).sum(axis=1) >= _LEAST) & (np.isfinite(new).sum(axis=1) >= _PRESENT)
    distance = np.full(runs, np.nan)
    if not enough[-1]:
        return distance, np.nan, np.nan
    before, after = old[enough], new[enough]
    middle = row_medians(before)
    spread = _MAD * row_medians(np.abs(before - middle[:, None]))
    error = np.maximum(spread, floor) * _MEDIAN_ERROR / np.sqrt(_NEW)
    distance[enough] = (row_medians(after) - middle) / error
    return distance, float(middle[-1]), float(error[-1])

"""Judged series in words: anomalies with what was expected and how that came about, and bands for charts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nbops.history.monitors.chance import nearness_of
from nbops.history.monitors.frame import Frame
from nbops.history.monitors.numbers import LEARN, Judged, judge_frame, sided
from nbops.history.monitors.scales import monitor_of
from nbops.model import Anomaly, Expected
from nbops.quality.powers import from_power
from nbops.quality.recommender_names import RECOMMENDER_WORDS

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Mapping, Sequence

    from nbops.history.index import SeriesPoint
    from nbops.history.monitors.chance import Nearness

__all__ = ["anomalies_of", "band_at", "band_of", "bands_of", "counts_of", "expected_of", "number_of", "words_of"]

_DAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
_METHOD = "robust smoothing"
_RECENT = 25
_STUCK, _STUCK_ROWS = 2.0, 50


def counts_of(judged: Judged, done: Counter[str], learning: Counter[str]) -> None:
    """Count the series that were judged, and those with too little history, by monitor."""
    for number, (_, metric) in enumerate(judged.frame.keys):
        monitor = monitor_of(metric)
        if monitor is not None and np.isfinite(judged.frame.values[number, -1]):
            (done if np.isfinite(judged.scores[number, -1]) else learning)[monitor] += 1


def anomalies_of(judged: Judged, *, most: int, near: Nearness | None = None) -> list[Anomaly]:
    """Return what is out of its band in the last run: of each monitor and column the worst series, the worst first.

    Nothing where the run as a whole is not further from the ordinary than chance makes of so many series.
    """
    best: dict[tuple[str, str | None], tuple[float, int]] = {}
    near = near if near is not None else nearness_of(judged)
    for number in np.flatnonzero(near.last > 1.0) if near.raises else ():
        column, metric = judged.frame.keys[number]
        size, monitor = float(near.last[number]), monitor_of(metric) or ""
        if size > best.get((monitor, column), (0.0, 0))[0]:
            best[monitor, column] = (size, int(number))
    for number in stuck(judged):
        best["stuck", judged.frame.keys[number][0]] = (_STUCK, number)
    chosen = sorted(best.values(), key=lambda item: (-item[0], item[1]))[:most]
    names = {number: monitor for (monitor, _), (_, number) in best.items()}
    return [_anomaly(judged, number, size, names[number]) for size, number in chosen]


def stuck(judged: Judged) -> list[int]:
    """Return the series of distinct values of columns that always varied and now have one value."""
    rows = judged.frame.rows
    found = []
    for number, (_, metric) in enumerate(judged.frame.keys):
        if metric != "distinctValues" or judged.frame.values[number, -1] > 1 or not rows[-1] >= _STUCK_ROWS:
            continue
        past = judged.frame.values[number, :-1]
        past = past[np.isfinite(past) & ~(rows[:-1] < min(rows[-1], _STUCK_ROWS))]
        if len(past) >= LEARN and past.min() > 1 and judged.frame.values[number, -1] == 1:
            found.append(number)
    return found


def _anomaly(judged: Judged, number: int, size: float, monitor: str) -> Anomaly:
    column, metric = judged.frame.keys[number]
    observed = float(judged.frame.values[number, -1])
    expected = _expected(judged, number, judged.frame.values.shape[1] - 1, float(judged.bounds[number, -1]))
    return Anomaly(
        monitor=monitor,
        subject=judged.frame.subject,
        column=column,
        metric=metric,
        observed=observed,
        expected=expected,
        score=round(min(size, 1e6), 3),
        message=_sentence(judged.frame.subject, column, metric, observed, expected),
    )


def expected_of(judged: Judged, number: int) -> Expected:
    """Return what was expected of a series in the last run."""
    return _expected(judged, number, judged.frame.values.shape[1] - 1, float(judged.bounds[number, -1]))


def _expected(judged: Judged, number: int, step: int, bound: float) -> Expected:
    seen = int(judged.smoothed.seen[number, step])
    if seen < LEARN:
        more = LEARN - seen
        return Expected(method=_METHOD, points=seen, basis=f"learning: {more} more {'run' if more == 1 else 'runs'} to go")
    center, spread = float(judged.smoothed.expected[number, step]), float(judged.spread[number, step])
    scale = judged.scales[number]
    low, high = scale.back(center - bound * spread), scale.back(center + bound * spread)
    metric = judged.frame.keys[number][1]
    fewer, more = sided(metric, -1.0) > 0.0, sided(metric, 1.0) > 0.0
    out = int((np.abs(np.nan_to_num(judged.scores[number, :step])) > 3.0).sum())  # noqa: PLR2004 - three sigma, as told
    weekly = bool(judged.smoothed.weekly[number, step])
    day = _DAYS[int(judged.frame.weekdays[step])]
    basis = f"the {seen} runs before, the last {min(seen, _RECENT)} above all"
    basis += f", {day} being unlike other days" if weekly else ""
    if out:
        basis += f"; {out} outliers among them count little" if out > 1 else "; one outlier among them counts little"
    lower, upper = low if fewer else None, high if more else None
    return Expected(low=lower, high=upper, center=scale.back(center), method=_METHOD, points=seen, basis=basis)


def band_at(judged: Judged, number: int, steps: Sequence[int]) -> list[tuple[float | None, float | None, float | None]]:
    """Return the lowest, highest and middle value that was expected of a series at some runs; None where it was learning."""
    smoothed, scale, metric = judged.smoothed, judged.scales[number], judged.frame.keys[number][1]
    at = np.array(steps, np.intp)
    center = smoothed.expected[number, at]
    away = judged.bounds[number, at] * judged.spread[number, at]
    fewer, more = sided(metric, -1.0) > 0.0, sided(metric, 1.0) > 0.0
    sides = zip(*(scale.all_back(values) for values in (center - away, center + away, center)), strict=True)
    return [
        (low if fewer else None, high if more else None, middle) if seen >= LEARN else (None, None, None)
        for (low, high, middle), seen in zip(sides, smoothed.seen[number, at].tolist(), strict=True)
    ]


_RATES = ("Rate", "others", "novel", "novelPattern")
_LEAST_RATE, _MOSTLY, _PLAIN = 1e-4, 0.9, 1e-3
_NOTHING = 1e-3
"""An end of a band that is less than this part of it is 0: nobody reads 1.2e-17."""


def number_of(metric: str, value: float | None) -> str:
    """Return a number of a series for people.

    >>> number_of("nullRate", 0.0123), number_of("nullRate", 2e-9), number_of("share:a", 0.9999), number_of("share:a", 1.0)
    ('1.23 %', 'under 0.01 %', '99.99 %', '100 %')
    >>> number_of("rowCount", 1234.5), number_of("mean", 3.14159), number_of("mean", 0.00001), number_of("clock:1", 45000)
    ('1,234', '3.142', '0.00001', '12:30')
    """
    if value is None:
        return "?"
    if metric.endswith(_RATES) or metric.startswith(("share:", "pattern:", "magnitude:")):
        return _percent(value)
    if metric.startswith("clock:"):
        minutes = round(value / 60)
        return f"{minutes // 60:02d}:{minutes % 60:02d}"
    if abs(value) >= 1000:  # noqa: PLR2004 - how numbers are shown
        return f"{value:,.0f}"
    return f"{value:.4g}" if abs(value) >= _PLAIN or value == 0 else np.format_float_positional(float(f"{value:.2g}"), trim="-")


def _percent(rate: float) -> str:
    """Return a rate, all and nothing only where it is."""
    if 0 < rate < _LEAST_RATE:
        return "under 0.01 %"
    if 1 - _LEAST_RATE < rate < 1:
        return "over 99.99 %"
    return f"{100 * rate:.4g} %" if rate > _MOSTLY else f"{100 * rate:.3g} %"


_WORDS = {
    "rowCount": "rows",
    "bytes": "bytes",
    "nullRate": "nulls",
    "missingRate": "missing values",
    "duplicateRate": "repeated rows",
    "distinctValues": "distinct values",
    "distinctRate": "distinct values, of all",
    "standardDeviation": "standard deviation",
    "novel": "values never seen before",
    "novelPattern": "values of a shape never seen before",
    "others": "values that are not among the frequent ones",
    "topRate": "share of the most frequent value",
    "lag": "age of the newest (seconds)",
    "distance": "distance from the usual distribution",
    "seconds": "seconds",
    "peakMemory": "peak memory (bytes)",
    **RECOMMENDER_WORDS,
}


def words_of(metric: str) -> str:
    """Return a series' name for people.

    >>> words_of("quantile:0.5"), words_of("share:EIRE")
    ('quantile 0.5', "share of 'EIRE'")
    """
    if metric in _WORDS:
        return _WORDS[metric]
    kind, _, rest = metric.partition(":")
    told = _DETAILED.get(kind)
    return told(rest) if told is not None else f"{kind} {rest}".strip()


def _of_segment(detail: str) -> str:
    by, _, what = detail.rpartition(":")
    return f"{words_of({'middle': 'median', 'usualRate': 'share of usual values'}.get(what, what))} where {by[:60]}"


_DETAILED: Mapping[str, Callable[[str], str]] = {
    "share": lambda detail: f"share of {detail[:60]!r}",
    "pattern": lambda detail: f"share of the shape {detail[:60]!r}",
    "clock": lambda detail: f"time of day, quantile {detail}",
    "magnitude": lambda detail: f"share of values {from_power(detail)}",
    "odd": lambda detail: f"share of usual values where it is least, by {detail.rpartition(':')[0][:60]}",
    "segment": _of_segment,
}


_TOLD_OF_LISTS = {
    "coverageRate": "lists cover {} of the catalogue",
    "itemsRecommended": "{} different items are recommended",
    "unknownItemRate": "{} of all places have items that the catalogue lacks",
    "usersServed": "{} users are served",
    "servedRate": "{} of the users are served",
    "listLength": "a list has {} places on average",
    "exposureGini": "places are spread over items with a Gini index of {} (0 is evenly, 1 is all to one item)",
    "topTenRate": "the ten most recommended items take {} of all places",
    "meanPopularity": "what is recommended was used {} times on average",
    "similarityRate": "the lists of two users have {} in common",
    "overlapRate": "lists have {} in common with the version before",
    "exposureDistance": "what is recommended how often is {} from the version before (0 is the same, 1 has nothing in common)",
}


def _sentence(subject: str, column: str | None, metric: str, observed: float, expected: Expected) -> str:
    name = subject.partition(":")[2]
    if column is None and metric in _TOLD_OF_LISTS:
        told = _TOLD_OF_LISTS[metric].format(number_of(metric, observed))
        return f"{name}: {told}, {band_of(metric, expected).replace(' % to ', ' to ')} expected."
    what = f"{name}.{column}" if column is not None else name
    return f"{what}: {words_of(metric)}: {number_of(metric, observed)}, expected {band_of(metric, expected)}."


def band_of(metric: str, expected: Expected) -> str:
    """Return what was expected, for people: a band so narrow that its ends read the same is one number.

    >>> band_of("mean", Expected(low=-1e-14, high=20.0)), band_of("mean", Expected(low=4.99999, high=5.00001))
    ('0 to 20', 'about 5')
    """
    low, high = expected.low, expected.high
    if low is None or high is None:
        return f"at most {number_of(metric, high)}" if low is None else f"at least {number_of(metric, low)}"
    low, high = (0.0 if abs(end) < _NOTHING * (high - low) else end for end in (low, high))
    one, other = number_of(metric, low), number_of(metric, high)
    return f"about {one}" if one == other else f"{one} to {other}"


def bands_of(points: Sequence[SeriesPoint], *, metric: str, sensitivity: str, rows: Sequence[float] | None) -> list[Expected]:
    """See :func:`nbops.history.monitors.bands`."""
    if not points or monitor_of(metric) is None:
        return [Expected(method=_METHOD, basis="no monitor judges this series") for _ in points]
    keys = ((None, metric), (None, "rowCount")) if rows is not None and metric != "rowCount" else ((None, metric),)
    lines = [[point.value for point in points], *([list(rows or ())] if len(keys) > 1 else [])]
    values = np.array(lines, float)
    values[~np.isfinite(values)] = np.nan
    stamps = np.array([point.at.timestamp() for point in points])
    frame = Frame(subject="", keys=keys, runs=tuple(point.run for point in points), at=stamps, values=values)
    judged = judge_frame(frame, sensitivity=sensitivity)
    return [_expected(judged, 0, step, float(judged.bounds[0, step])) for step in range(len(points))]

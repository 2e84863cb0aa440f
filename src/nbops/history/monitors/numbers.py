"""How far each series of a subject is from what was to be expected, and whether that is far enough to say so.

A series' residuals over its spread are compared with two bounds: a number of standard deviations, and twice what the series has
itself shown before. The second makes hundreds of series bearable: one that is wild by nature (the largest order of a day) must be
wilder than ever, while one that never moved need not move far. The same is done with the whole: the mean square of a column's
residuals is a series too (``distance``), which moves when many quantiles move a little.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from nbops.history.monitors.medians import row_medians
from nbops.history.monitors.robust import Smoothed, Smoothing, smooth_all
from nbops.history.monitors.scales import Scale, monitor_of, scaled
from nbops.quality.recommender_names import RECOMMENDER_METRICS

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from numpy.typing import NDArray

    from nbops.history.monitors.frame import Frame

__all__ = ["LEARN", "SENSITIVITY", "Judged", "Judging", "judge_frame", "judge_frames", "judging", "one_sided", "sided"]

LEARN = 14
"""Values that a series must have before it is judged: two weeks of days."""
_LIMITS = {
    "categories": (9.0, 2.7),
    "clock": (5.5, 1.4),
    "coverage": (5.0, 1.3),
    "distinct": (4.5, 1.2),
    "distribution": (6.0, 1.5),
    "duplicates": (4.5, 1.2),
    "duration": (6.0, 1.5),
    "freshness": (4.5, 1.2),
    "magnitudes": (4.5, 1.3),
    "mean": (7.2, 3.1),
    "memory": (6.0, 1.5),
    "mode": (7.0, 1.5),
    "nulls": (5.5, 1.3),
    "odd": (6.8, 1.4),
    "patterns": (9.0, 2.5),
    "personalisation": (5.0, 1.3),
    "popularity": (5.0, 1.3),
    "quantiles": (6.5, 2.5),
    "range": (8.0, 2.5),
    "segments": (9.0, 2.7),
    "shares": (5.0, 1.5),
    "turnover": (5.5, 1.3),
    "validity": (5.0, 1.5),
    "volume": (4.5, 1.2),
}
"""Standard deviations, and multiples of what a series has shown before: the wilder numbers of a kind are, the larger both."""
SENSITIVITY = {"low": 1.4, "normal": 1.0, "high": 0.75}
"""By what limits are multiplied."""
_SEGMENT_ROWS, _ODD_ROWS = 12.0, 30.0
_ONE_SIDED = {"duration": 1, "memory": 1, "freshness": 1, "duplicates": 1, "categories": 1, "validity": 1, "mode": 1, "odd": -1}
"""Only more is worse (of -1: only less)."""
_ONE_SIDED_METRICS = {"unknownItemRate": 1, "servedRate": -1, "overlapRate": -1, "exposureDistance": 1}
_NO_ROWS = frozenset({"volume", "freshness", "clock", "duration", "memory", *RECOMMENDER_METRICS.values()})
_GROUPED = frozenset({"quantiles", "clock", "shares", "patterns", "mean", "range"})
_ACCIDENT = 1.15
_MOST = 10.0
_FEWEST = 4
_OFTEN = 0.3
"""Of all runs, a segment must have been there in so many."""
_TYPICAL = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """All series of a subject, judged at each run; the last column is the run itself."""

    frame: Frame
    scales: list[Scale]
    smoothed: Smoothed
    spread: NDArray[np.float64]
    """What the residuals were compared with."""
    scores: NDArray[np.float64]
    """Residuals over spread; NaN where there was too little history."""
    bounds: NDArray[np.float64]
    """How large a score may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bounding:
    """Sizes of scores whose bounds are asked for, series by runs, and what their limits are."""

    sizes: NDArray[np.float64]
    least: NDArray[np.float64]
    wilder: NDArray[np.float64]


Judging: TypeAlias = "Generator[Smoothing | _Bounding, Any, Judged]"
"""A frame being judged: it asks for what goes over time step by step, so that all frames can be taken through that together."""


def judge_frame(
    frame: Frame, *, sensitivity: str = "normal", skip: NDArray[np.bool_] | None = None, learn: int = LEARN
) -> Judged:
    """Judge all series of a frame; arguments as for :func:`judging`."""
    return judge_frames([judging(frame, sensitivity=sensitivity, skip=skip, learn=learn)])[0]


def judge_frames(works: Sequence[Judging]) -> list[Judged]:
    """Judge several frames at once, which takes hardly longer than the longest of them; each result is as if it were alone."""
    done: dict[int, Judged] = {}
    answers: dict[int, Any] = dict.fromkeys(range(len(works)))
    while answers:
        smoothings: dict[int, Smoothing] = {}
        boundings: dict[int, _Bounding] = {}
        for number, answer in answers.items():
            try:
                asked = works[number].send(answer)
            except StopIteration as end:  # noqa: PERF203 - how a generator ends
                done[number] = end.value
            else:
                if isinstance(asked, Smoothing):
                    smoothings[number] = asked
                else:
                    boundings[number] = asked
        answers = dict(zip(smoothings, smooth_all([*smoothings.values()]), strict=True))
        answers |= dict(zip(boundings, _bounds_all([*boundings.values()]), strict=True))
    return [done[number] for number in range(len(works))]


def judging(frame: Frame, *, sensitivity: str = "normal", skip: NDArray[np.bool_] | None = None, learn: int = LEARN) -> Judging:
    """Begin to judge all series of a frame; :func:`judge_frames` ends it.

    Args:
        frame: As :func:`nbops.history.monitors.frame.ready` returns it.
        sensitivity: ``low``, ``normal`` or ``high``.
        skip: Values of earlier runs that teach nothing, series by runs.
        learn: Values that a series must have.
    """
    keep = _judged_keys(frame)
    frame = replace(
        frame, keys=tuple(key for key, stays in zip(frame.keys, keep, strict=True) if stays), values=frame.values[keep]
    )
    skip = None if skip is None else skip[keep]
    rows = _rows_of(frame)
    frame = _without_few(frame, rows)
    scales, values, floors = scaled(frame.keys, frame.values, frame.rows)
    floors = _floors_of_segments(frame, floors, rows)
    found: Smoothed = yield Smoothing(values=values, weekdays=frame.weekdays[None, :], floors=floors, skip=skip)
    spread = found.spread * _fewer(frame, rows)
    with np.errstate(all="ignore"):
        scores = (values - found.expected) / spread
    scores = np.where(found.seen >= learn, scores, np.nan)
    bounds: NDArray[np.float64] = yield _bounding(frame, scores, sensitivity)
    judged = Judged(frame=frame, scales=scales, smoothed=found, spread=spread, scores=scores, bounds=bounds)
    return (yield from _with_distances(judged, sensitivity=sensitivity, learn=learn))


def _bounding(frame: Frame, scores: NDArray[np.float64], sensitivity: str) -> _Bounding:
    limits = np.array([_LIMITS[monitor_of(metric) or "validity"] for _, metric in frame.keys]).reshape(-1, 2)
    return _Bounding(
        sizes=np.abs(np.nan_to_num(scores)),
        least=SENSITIVITY[sensitivity] * limits[:, 0],
        wilder=np.maximum(1.0, SENSITIVITY[sensitivity] * limits[:, 1]),
    )


def _bounds_all(given: Sequence[_Bounding]) -> list[NDArray[np.float64]]:
    """Return how large each score may be, by those before it; frames of fewer runs begin later, which changes nothing.

    What left its bound counts as little more than that bound: one accident does not blind a monitor, several teach it;
    days in a row are one.
    """
    runs = max((one.sizes.shape[1] for one in given), default=0)
    sizes = np.hstack([np.zeros((runs, 0)), *(np.pad(one.sizes.T, ((runs - one.sizes.shape[1], 0), (0, 0))) for one in given)])
    least = np.concatenate([np.zeros(0), *(one.least for one in given)])
    wilder = np.concatenate([np.zeros(0), *(one.wilder for one in given)])
    most, episode = np.zeros(len(least)), np.zeros(len(least), bool)
    beyond = sizes > least
    bounds = np.empty_like(sizes)
    for step in range(runs):
        size, bound = sizes[step], bounds[step]
        np.multiply(wilder, most, out=bound)
        np.maximum(bound, least, out=bound)
        again = episode & beyond[step]
        most = np.where(again, most, np.maximum(most, np.minimum(size, _ACCIDENT * bound)))
        episode = again | (size > bound)
    ends = np.cumsum([len(one.least) for one in given])
    return [
        np.ascontiguousarray(bounds[runs - one.sizes.shape[1] :, end - len(one.least) : end].T)
        for one, end in zip(given, ends, strict=True)
    ]


def _judged_keys(frame: Frame) -> NDArray[np.bool_]:
    """Return which series are judged: not what no monitor judges, nor segments that are seldom there."""
    there = np.isfinite(frame.values[:, :-1]).sum(axis=1)
    keep = np.array([monitor_of(metric) is not None for _, metric in frame.keys], bool)
    keep &= np.array([not (metric.startswith("segment:") and metric.endswith(":mean")) for _, metric in frame.keys], bool)
    keep &= np.array([not metric.startswith("segment:") for _, metric in frame.keys], bool) | (
        there >= max(LEARN, _OFTEN * there.max(initial=0))
    )
    return keep


def _without_few(frame: Frame, rows: NDArray[np.float64]) -> Frame:
    """Leave out what segments of a dozen rows or less say."""
    segments = np.array([metric.startswith("segment:") for _, metric in frame.keys], bool)
    return replace(frame, values=np.where(segments[:, None] & ~(rows >= _SEGMENT_ROWS), np.nan, frame.values))


def _rows_of(frame: Frame) -> NDArray[np.float64]:
    """Return how many rows each value was taken from."""
    rows: NDArray[np.float64] = np.broadcast_to(frame.rows, frame.values.shape).copy()
    places = {key: number for number, key in enumerate(frame.keys)}
    for number, (_, metric) in enumerate(frame.keys):
        if metric.startswith("segment:"):
            by, _, rest = metric[len("segment:") :].partition("=")
            share = places.get((by, f"share:{rest.rpartition(':')[0]}"))
            rows[number] *= frame.values[share] if share is not None else 0.0
    return rows


def _floors_of_segments(frame: Frame, floors: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = floors.copy()
    for number, (_, metric) in enumerate(frame.keys):
        if metric.startswith("odd:"):
            found[number] = 0.5 / np.sqrt(_ODD_ROWS)
        if not metric.startswith("segment:"):
            continue
        size = np.maximum(np.nan_to_num(rows[number]), 1.0)
        if metric.endswith("Rate"):
            found[number] = 0.5 / np.sqrt(size)
    return found


def _fewer(frame: Frame, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how much the spread is wider since a value was taken from fewer rows than usual."""
    with np.errstate(all="ignore"):
        recent = rows[:, -_TYPICAL - 1 : -1]
        usual = row_medians(recent) if recent.shape[1] and np.isfinite(recent).any() else np.full(len(rows), np.nan)
        factor = np.sqrt(np.maximum(1.0, usual[:, None] / np.maximum(rows, 1.0)))
    fixed = np.array([monitor_of(metric) in _NO_ROWS for _, metric in frame.keys])
    found: NDArray[np.float64] = np.where(fixed[:, None], 1.0, np.nan_to_num(factor, nan=1.0))
    return found


def _with_distances(judged: Judged, *, sensitivity: str, learn: int) -> Judging:
    """Add a series for each column: how far it is from what was expected, all its numbers together."""
    groups: dict[str | None, list[int]] = {}
    for number, (column, metric) in enumerate(judged.frame.keys):
        if column is not None and monitor_of(metric) in _GROUPED:
            groups.setdefault(column, []).append(number)
    chosen: Mapping[str | None, list[int]] = {column: numbers for column, numbers in groups.items() if len(numbers) >= _FEWEST}
    if not chosen:
        return judged
    capped = np.clip(np.abs(judged.scores), 0.0, _MOST)
    with np.errstate(all="ignore"):
        rows = [_root_mean_square(capped[numbers]) for numbers in chosen.values()]
    raw = np.array(rows)
    values = np.log(raw + 0.3)
    found: Smoothed = yield Smoothing(
        values=values, weekdays=np.zeros((1, values.shape[1]), np.int64), floors=np.full(values.shape, 0.15)
    )
    with np.errstate(all="ignore"):
        scores = np.where(found.seen >= learn, (values - found.expected) / found.spread, np.nan)
    keys = tuple((column, "distance") for column in chosen)
    frame = replace(judged.frame, keys=keys, values=raw)
    bounds: NDArray[np.float64] = yield _bounding(frame, scores, sensitivity)
    both = judged.smoothed
    return Judged(
        frame=replace(judged.frame, keys=(*judged.frame.keys, *keys), values=np.vstack([judged.frame.values, raw])),
        scales=[*judged.scales, *(Scale("size", 0.3) for _ in keys)],
        smoothed=Smoothed(
            expected=np.vstack([both.expected, found.expected]),
            spread=np.vstack([both.spread, found.spread]),
            seen=np.vstack([both.seen, found.seen]),
            weekly=np.vstack([both.weekly, found.weekly]),
        ),
        spread=np.vstack([judged.spread, found.spread]),
        scores=np.vstack([judged.scores, scores]),
        bounds=np.vstack([judged.bounds, bounds]),
    )


def _root_mean_square(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    there = np.isfinite(scores)
    total: NDArray[np.float64] = np.sqrt((np.where(there, scores, 0.0) ** 2).sum(axis=0) / np.maximum(there.sum(axis=0), 1))
    return np.where(there.any(axis=0), total, np.nan)


def one_sided(metric: str) -> int:
    """Return 1 where only more is worse, -1 where only less is, 0 where both are."""
    return _ONE_SIDED_METRICS.get(metric) or _ONE_SIDED.get(monitor_of(metric) or "", 0)


def sided(metric: str, score: float) -> float:
    """Return the size of a score; nothing where only more (or only less) is worse and this is not."""
    side = one_sided(metric)
    return abs(score) if not side or score * side > 0 else 0.0

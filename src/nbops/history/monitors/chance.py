"""How far is too far for a run with hundreds of series, of which one is always the furthest?

Each series has its own bound, but a run is out of the ordinary by its worst series, and the more there are the further that is
by chance alone. So the run is held against what the worst series of its earlier runs came to. The largest of many numbers tends
to Gumbel's distribution (Fisher, Tippett 1928; Gumbel, *Statistics of Extremes*, 1958). It is fitted to the median and the 0.9
quantile of the newest 200 runs, so that up to one faulty run in ten does not blind, and only what it makes of fewer than one run
in a hundred is said: a budget of false alarms for the whole run, not for each series. The same is done with what the three worst
series of a column are together. A table of few series has small maxima, and its bounds stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nbops.history.monitors.numbers import one_sided
from nbops.history.monitors.scales import monitor_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nbops.history.monitors.numbers import Judged

__all__ = ["NEAR", "Nearness", "nearness_of"]

NEAR = 0.8
"""The least that three series of a column must be together, as a part of their bounds."""
_CHANCES = {"low": 0.003, "normal": 0.01, "high": 0.05}
"""By sensitivity: of so many calm runs one may be said to be none, for each of the two kinds of evidence."""
_FIRST, _RUNS, _FEWEST = 30, 200, 10
"""Runs in which bounds are still learned; how many others are looked at; and how many there must be."""
_CAUTIOUS = 1.2
"""Times its bound that something must be where there are fewer runs."""
_MIDDLE, _HIGH = 0.5, 0.9
_SAME = 1e-6
_TOGETHER, _FIRST_SORTED = 3, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearness:
    """How near to their bounds the series of the last run are; 1 is on the bound."""

    last: NDArray[np.float64]
    """Of each series, 0 where it cannot be judged or is off to the side that is no harm."""
    alone: float
    """What the worst series must be so that a run is said to be out of the ordinary."""
    together: float
    """What the worst column must be."""
    columns: dict[str, float]
    """The root mean square of the three worst series of each column that are not the same number."""
    raises: bool
    """Whether the run is out of the ordinary."""


def nearness_of(judged: Judged, *, sensitivity: str = "normal") -> Nearness:
    """Hold the worst series and columns of the last run against those of earlier runs.

    Args:
        judged: All series of a subject.
        sensitivity: ``low``, ``normal`` or ``high``.
    """
    near = _near(judged)
    chance = _CHANCES[sensitivity]
    worst: NDArray[np.float64] = near.max(axis=0) if len(near) else np.zeros(judged.frame.values.shape[1])
    groups: dict[str, list[int]] = {}
    for number, (column, metric) in enumerate(judged.frame.keys):
        if column is not None and metric != "distance" and monitor_of(metric) is not None:
            groups.setdefault(column, []).append(number)
    by_column = {column: _three(near[numbers]) for column, numbers in groups.items()}
    alone = _limit(worst[:-1], chance=chance, least=1.0)
    most = np.max(list(by_column.values()), axis=0) if by_column else np.zeros(len(worst))
    together = _limit(most[:-1], chance=chance, least=NEAR)
    columns = {column: float(sizes[-1]) for column, sizes in by_column.items()}
    raises = bool(worst[-1] > alone or any(size >= together for size in columns.values()))
    return Nearness(last=near[:, -1], alone=alone, together=together, columns=columns, raises=raises)


def _near(judged: Judged) -> NDArray[np.float64]:
    sides = np.array([one_sided(metric) for _, metric in judged.frame.keys]).reshape(-1, 1)
    scores = np.nan_to_num(judged.scores)
    there = np.array([monitor_of(metric) is not None for _, metric in judged.frame.keys], bool).reshape(-1, 1)
    found: NDArray[np.float64] = np.where(there & ((sides == 0) | (scores * sides > 0)), np.abs(scores), 0.0) / judged.bounds
    return found


def _three(near: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the root mean square of the three largest of each run, without those that are the same number."""
    if len(near) > _FIRST_SORTED:
        near = np.partition(near, len(near) - _FIRST_SORTED, axis=0)[-_FIRST_SORTED:]
    ordered = np.sort(near, axis=0)[::-1]
    again = np.zeros(ordered.shape, bool)
    again[1:] = ordered[:-1] - ordered[1:] <= _SAME
    best = np.sort(np.where(again, 0.0, ordered), axis=0)[-_TOGETHER:]
    found: NDArray[np.float64] = np.sqrt((best**2).sum(axis=0) / _TOGETHER)
    return found


def _limit(past: NDArray[np.float64], *, chance: float, least: float) -> float:
    """Return what the largest of a run exceeds with this chance, by Gumbel's distribution through two quantiles."""
    known = past[_FIRST:][-_RUNS:]
    if len(known) < _FEWEST:
        return _CAUTIOUS * least
    middle, high = np.quantile(known, [_MIDDLE, _HIGH])
    wide = (high - middle) / (_place(_HIGH) - _place(_MIDDLE))
    return max(least, float(middle + wide * (_place(1.0 - chance) - _place(_MIDDLE))))


def _place(quantile: float) -> float:
    """Return a quantile of Gumbel's standard distribution."""
    return float(-np.log(-np.log(quantile)))

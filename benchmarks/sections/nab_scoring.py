"""The Numenta Anomaly Benchmark's scoring, written from its published description.

Lavin and Ahmad, "Evaluating Real-time Anomaly Detection Algorithms: the Numenta Anomaly Benchmark" (ICMLA 2015), and Ahmad,
Lavin, Purdy and Agha, "Unsupervised real-time anomaly detection for streaming data" (Neurocomputing 262, 2017), and its wiki:

- Points of the probation (the first 15 % of a series, at most 15 % of 5,000 points) do not count.
- Of the detections in a labelled window only the earliest counts, with a weight from 1 at the window's left edge down to nearly 0
  at its right edge; a window without one costs ``A_FN``.
- Each detection elsewhere costs ``A_FP`` times a weight that grows from 0 right after a window to 1, and is 1 before any window.
- The weight is the scaled sigmoid ``2 / (1 + exp(5 y)) - 1`` of the position ``y`` relative to the window, -1 where ``y > 3``.
- The sum over all series is put on a scale where a detector that says nothing has 0 and a perfect one has 100.
- One threshold holds for all series; the benchmark's optimiser takes the one with the largest sum.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["STANDARD", "Labelled", "Profile", "Sweep", "best_threshold", "load", "score_at", "sigmoid"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
_PROBATION = 0.15
_PROBATION_OF = 5_000
_STEEP = 5.0
_FAR = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What each kind of answer is worth."""

    true_positive: float = 1.0
    false_positive: float = 0.11
    false_negative: float = 1.0


STANDARD = Profile()
"""The profile of the published board's first column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A series with its labelled windows."""

    name: str
    times: tuple[str, ...]
    """As written in the file."""
    seconds: Floats
    """Since 1970, of clocks without a zone."""
    values: Floats
    windows: tuple[tuple[int, int], ...]
    """First and last row of each, counted from 0."""

    @property
    def probation(self) -> int:
        """Rows at the start that do not count."""
        return int(min(_PROBATION * len(self.values), _PROBATION * _PROBATION_OF))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """The result at one threshold."""

    threshold: float
    score: float
    """0 for a detector that says nothing, 100 for a perfect one."""
    found: int
    """Windows with a detection."""
    windows: int
    false_positives: int
    """Detections outside of windows; every row counts."""


def sigmoid(position: Floats) -> Floats:
    """Return the scaled sigmoid of positions relative to a window: -1 its left edge, 0 its right edge.

    >>> [round(float(one), 4) for one in sigmoid(np.array([-1.0, 0.0, 1.0, 3.5]))]
    [0.9866, 0.0, -0.9866, -1.0]
    """
    clipped = np.minimum(position, _FAR)
    return np.where(position > _FAR, -1.0, 2.0 / (1.0 + np.exp(_STEEP * clipped)) - 1.0)


def weights(series: Labelled, profile: Profile = STANDARD) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return what a detection at each row adds, and the number of the row's window (-1: none).

    A window's rows hold what the window would be worth if that detection were its earliest.
    """
    size = len(series.values)
    inside = np.full(size, -1, dtype=np.int64)
    worth = np.full(size, -profile.false_positive)
    for number, (left, right) in enumerate(series.windows):
        width = right - left + 1
        rows = np.arange(left, right + 1)
        inside[rows] = number
        worth[rows] = profile.true_positive * sigmoid(-(right - rows + 1) / width) / sigmoid(np.array([-1.0]))[0]
        following = series.windows[number + 1][0] if number + 1 < len(series.windows) else size
        after = np.arange(right + 1, following)
        worth[after] = profile.false_positive * sigmoid((after - right) / max(width - 1, 1))
    return worth, inside


def _events(
    series: Labelled, scores: Floats, profile: Profile
) -> tuple[Floats, Floats, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return, in falling order of score, what each row adds to the sum when the threshold sinks to its score."""
    worth, inside = weights(series, profile)
    rows = np.arange(series.probation, len(scores))
    rows = rows[np.argsort(-scores[rows], kind="stable")]
    added = worth[rows].copy()
    opens = np.zeros(len(rows), dtype=np.bool_)
    for number in range(len(series.windows)):
        mine = np.flatnonzero(inside[rows] == number)
        if len(mine):
            best = np.maximum.accumulate(np.maximum(worth[rows[mine]], -profile.false_negative))
            added[mine] = np.diff(best, prepend=-profile.false_negative)
            opens[mine[0]] = True
    return scores[rows], added, opens, inside[rows] < 0


def sweep(
    corpus: Sequence[Labelled], scores: Mapping[str, Floats], profile: Profile = STANDARD
) -> tuple[Floats, Floats, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return every threshold in falling order (the first lets nothing through), its score, windows found and false positives."""
    parts = [_events(series, np.asarray(scores[series.name], dtype=np.float64), profile) for series in corpus]
    levels, added, opens, wrong = (np.concatenate([part[place] for part in parts]) for place in range(4))
    if not np.isfinite(levels).all():
        raise ValueError("Scores must be finite numbers: the threshold could not be ordered.")
    order = np.argsort(-levels, kind="stable")
    levels, added, opens, wrong = levels[order], added[order], opens[order], wrong[order]
    last = np.append(np.flatnonzero(np.diff(levels)), len(levels) - 1)
    count = sum(len(series.windows) for series in corpus)
    nothing, perfect = -profile.false_negative * count, profile.true_positive * count
    sums = nothing + np.concatenate([[0.0], np.cumsum(added)[last]])
    scaled = 100.0 * (sums - nothing) / (perfect - nothing) if count else sums
    found = np.concatenate([[0], np.cumsum(opens)[last]])
    alarms = np.concatenate([[0], np.cumsum(wrong)[last]])
    return np.concatenate([[np.inf], levels[last]]), scaled, found, alarms


def score_at(corpus: Sequence[Labelled], scores: Mapping[str, Floats], threshold: float, profile: Profile = STANDARD) -> Sweep:
    """Return the result of the detections ``score >= threshold``."""
    levels, scaled, found, alarms = sweep(corpus, scores, profile)
    place = int(np.searchsorted(-levels, -threshold, side="right")) - 1
    return _at(corpus, place, (levels, scaled, found, alarms), threshold=threshold)


def best_threshold(corpus: Sequence[Labelled], scores: Mapping[str, Floats], profile: Profile = STANDARD) -> Sweep:
    """Return the result at the threshold that the benchmark's optimiser takes: the one with the largest score."""
    results = sweep(corpus, scores, profile)
    place = int(np.argmax(results[1]))
    return _at(corpus, place, results, threshold=float(results[0][place]))


def _at(
    corpus: Sequence[Labelled],
    place: int,
    results: tuple[Floats, Floats, npt.NDArray[np.int64], npt.NDArray[np.int64]],
    *,
    threshold: float,
) -> Sweep:
    _, scaled, found, alarms = results
    windows = sum(len(series.windows) for series in corpus)
    return Sweep(
        threshold=threshold,
        score=float(scaled[place]),
        found=int(found[place]),
        windows=windows,
        false_positives=int(alarms[place]),
    )


def load(folder: Path) -> list[Labelled]:
    """Return the labelled series of a folder: ``data/GROUP/NAME.csv`` and ``labels/combined_windows.json``."""
    labels = json.loads((folder / "labels" / "combined_windows.json").read_text(encoding="utf-8"))
    return [_read(folder / "data" / name, name, windows) for name, windows in sorted(labels.items())]


def _read(path: Path, name: str, windows: Sequence[Sequence[str]]) -> Labelled:
    rows = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()[1:] if line]
    times = tuple(row[0] for row in rows)
    stamps = np.array(times, dtype="datetime64[ms]")
    bounds = []
    for first, last in windows:
        inside = np.flatnonzero((stamps >= np.datetime64(first, "ms")) & (stamps <= np.datetime64(last, "ms")))
        bounds.append((int(inside[0]), int(inside[-1])))
    seconds = stamps.astype(np.int64).astype(np.float64) / 1e3
    values = np.array([float(row[1]) for row in rows])
    return Labelled(name=name, times=times, seconds=seconds, values=values, windows=tuple(bounds))

"""Scores every point of every series of a folder as a stream: ``nab_detect.py DETECTOR FOLDER OUT LIMIT``.

Each detector has one setting for all series and sees a point only when it comes; a score is higher the more unusual. OUT gets a
JSON object of lists.

- ``nbops``: :class:`nbops.history.monitors.stream.StreamDetector` as it comes.
- ``sigma``: the rule of three standard deviations: how many of them the value is from the mean of all points before it.
- ``gaussian``: the windowed Gaussian of the Numenta Anomaly Benchmark: the same with a window of 6,400 points that moves by 100.
- ``seasonal``: as observability tools do it: standard deviations from the mean of values at this time (half an hour around it)
  of the earlier days, of all points before it as long as there are fewer than 30 such; the best of the widths that were tried.
- ``river``: half-space trees, ``MinMaxScaler() | HalfSpaceTrees()`` as in https://riverml.xyz/latest/api/anomaly/HalfSpaceTrees/,
  as they come, seed 0.
- ``clock``: an alarm every 150 points whatever the data, for what the benchmark gives to that.
"""

from __future__ import annotations

import csv
import json
import math
import sys
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

try:
    from clock import Clock
except ImportError:  # read by a test, from the root
    from benchmarks.contestants.clock import Clock

Series = list[tuple[float, float]]
"""Seconds and value of each point."""


def _read(path: Path) -> Series:
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.reader(lines))[1:]
    return [(datetime.fromisoformat(at).replace(tzinfo=timezone.utc).timestamp(), float(value)) for at, value in rows]


class _Moments:
    """Mean and variance of numbers that come and go."""

    def __init__(self) -> None:
        self.count, self.mean, self._squares = 0, 0.0, 0.0

    def add(self, value: float, sign: int = 1) -> None:
        self.count += sign
        before = value - self.mean
        self.mean += sign * before / max(self.count, 1)
        self._squares += sign * before * (value - self.mean)

    def deviations(self, value: float) -> float:
        """Return how many standard deviations a value is from the mean."""
        spread = math.sqrt(max(self._squares, 0.0) / self.count) if self.count else 0.0
        return abs(value - self.mean) / max(spread, 1e-6) if self.count else 0.0


def sigma(series: Series) -> Iterator[float]:
    """Yield how many standard deviations each value is from the mean of those before."""
    seen = _Moments()
    for _, value in series:
        yield seen.deviations(value)
        seen.add(value)


def gaussian(series: Series, *, window: int = 6_400, step: int = 100) -> Iterator[float]:
    """Yield the same for a window that moves by steps."""
    kept: deque[float] = deque()
    coming: list[float] = []
    seen = _Moments()
    for _, value in series:
        yield seen.deviations(value)
        if len(kept) < window:
            kept.append(value)
            seen.add(value)
            continue
        coming.append(value)
        if len(coming) == step:
            for one in coming:
                seen.add(kept.popleft(), -1)
                seen.add(one)
                kept.append(one)
            coming = []


def seasonal(series: Series, *, day: float = 86_400.0, around: float = 1_800.0, least: int = 30) -> Iterator[float]:
    """Yield the same for the values of this time of earlier days."""
    everything = _Moments()
    times: list[float] = []
    values: list[float] = []
    for at, value in series:
        same = _Moments()
        earlier = at - day
        while times and earlier >= times[0] - around:
            for one in values[bisect_left(times, earlier - around) : bisect_right(times, earlier + around)]:
                same.add(one)
            earlier -= day
        yield (same if same.count >= least else everything).deviations(value)
        everything.add(value)
        times.append(max(at, times[-1]) if times else at)
        values.append(value)


def river(series: Series) -> Iterator[float]:
    """Yield the scores of half-space trees."""
    from river.anomaly import HalfSpaceTrees  # noqa: PLC0415 - of another environment
    from river.preprocessing import MinMaxScaler  # noqa: PLC0415

    model = MinMaxScaler() | HalfSpaceTrees(seed=0)
    for _, value in series:
        point = {"value": value}
        model.learn_one(point)
        yield float(model.score_one(point))


def clock(series: Series) -> Iterator[float]:
    """Yield an alarm every 150 points."""
    for place, _ in enumerate(series):
        yield float(place % 150 == 0)


def nbops(series: Series) -> Iterator[float]:
    """Yield the scores of nbops."""
    from nbops.history.monitors.stream import StreamDetector  # noqa: PLC0415 - not in the peers' environments

    detector = StreamDetector()
    for at, value in series:
        yield detector.update(at, value)


DETECTORS: dict[str, Callable[[Series], Iterator[float]]] = {
    "nbops": nbops,
    "sigma": sigma,
    "gaussian": gaussian,
    "seasonal": seasonal,
    "river": river,
    "clock": clock,
}


def main(name: str, folder: Path, out: Path, limit: int) -> None:
    """Score all series and print what it took."""
    detect = DETECTORS[name]
    files = sorted((folder / "data").glob("*/*.csv"))[:limit]
    data = {f"{path.parent.name}/{path.name}": _read(path) for path in files}
    watch = Clock()
    scores = {key: list(detect(series)) for key, series in data.items()}
    points = sum(len(series) for series in data.values())
    out.write_text(json.dumps(scores), encoding="utf-8")
    watch.report(points=points)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))

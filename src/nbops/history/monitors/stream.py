"""Anomalies in a dense series of numbers, point by point: how new is what the series does now, by all that it did before?

Three statistics of the newest points are watched: the value itself, the mean and the spread of the last 36. Each is asked how
far it is from the nearest that it ever was (a spike, a level or a calm never seen), and from the nearest at this time of
earlier days (a value that is normal elsewhere in the day). How unusual such a distance is, its own history tells: the share of
earlier distances that were as large; beyond the largest 2 % a Pareto tail is fitted to them (Hill's estimator), so that "never
seen" still has degrees. The evidence is the mean of the logarithms of these shares, in which the value counts twice. The same
calibration is applied once more to that mean, since a series that is often unusual is less so each time, and what follows a
detection within 120 points counts in full only when it is twice as unusual: one episode is told once.

Nothing is learned from later points, there is one setting for all series, and nothing is random. Each point costs some look-ups
in sorted lists of at most :data:`MEMORY` numbers.

Sources: distance to the nearest neighbour with conformal calibration as in Burnaev and Ishimtsev, "Conformalized density- and
distance-based anomaly detection in time-series data" (arXiv:1608.04585, 2016) and Laxhammar and Falkman (2014); novelty
relative to a context as in Smirnov's CAD OSE; B. M. Hill, "A simple general approach to inference about the tail of a
distribution" (Annals of Statistics 3, 1975); recalibrating an anomaly score by its own distribution as in Ahmad et al.,
"Unsupervised real-time anomaly detection for streaming data" (Neurocomputing 262, 2017). Measured by ``python -m benchmarks
--only nab``.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Sequence

__all__ = ["MEMORY", "THRESHOLD", "StreamDetector", "scan"]

MEMORY = 20_000
"""Points that are remembered, the newest."""
THRESHOLD = 0.98
"""A score from here on is an anomaly: about one point of 2,000 is where nothing happens."""
_WINDOW = 36
"""Points of which mean and spread are taken."""
_SMOOTH = 4
"""Points whose mean is compared with earlier days."""
_REST = 120
"""Points after a detection in which only something more unusual is one."""
_REST_SHARE = 0.5
"""What counts of the others."""
_WORSE = math.log10(2.0)
"""How much more evidence is something more unusual."""
_QUIET = 0.3
"""Evidence (of which 1 is one point of 10) that needs no rest."""
_START = 100
"""Distances before the first judgement."""
_TAIL, _LEAST = 0.02, 5
"""Share (and least number) of the largest distances to which the tail is fitted."""
_SHORTEST, _FLOOR, _MOST = 0.02, 1e-3, 10.0
"""The lightest tail (1 / its exponent); distances below this share of the largest are one; the most evidence."""
_SLOTS, _PER_SLOT = 24, 1_000
"""Parts of a day, and points that each remembers."""
_HALF = 0.5
_LARGEST = 1e100
"""Larger numbers are cut, so that no sum overflows."""
_TINY = 1e-9


class _Sorted:
    """The newest numbers, in order of size."""

    __slots__ = ("_limit", "_queue", "numbers")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._queue: deque[float] = deque()
        self.numbers: list[float] = []

    def add(self, number: float) -> None:
        """Remember a number; forget the oldest when there are too many."""
        insort(self.numbers, number)
        self._queue.append(number)
        if len(self._queue) > self._limit:
            del self.numbers[bisect_left(self.numbers, self._queue.popleft())]

    def distance(self, number: float) -> float:
        """Return how far the nearest is, infinite when there is none."""
        place = bisect_left(self.numbers, number)
        above = self.numbers[place] - number if place < len(self.numbers) else math.inf
        return min(above, number - self.numbers[place - 1]) if place else above


class _Evidence:
    """How unusual a distance is, by the earlier ones: ``-log10`` of the share that were as large."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen = _Sorted(MEMORY)

    def of(self, distance: float) -> float:
        """Return the evidence, 0 while there is too little history, at most 10; remember the distance."""
        found = self._judge(distance) if len(self._seen.numbers) >= _START else 0.0
        self._seen.add(distance)
        return found

    def _judge(self, distance: float) -> float:
        seen = self._seen.numbers
        size = len(seen)
        top = max(_LEAST, int(_TAIL * size))
        edge = seen[size - top - 1]
        if distance <= edge:
            return -math.log10((size - bisect_left(seen, distance) + 1) / (size + 1))
        # of a series that was constant till now the largest distance may be 0: then the first is ten times the edge
        base = max(edge, _FLOOR * seen[-1]) or distance / 10.0
        heavy = sum(math.log(max(one / base, 1.0)) for one in seen[size - top :]) / top
        beyond = math.log(max(distance / base, 1.0)) / max(heavy, _SHORTEST)
        return min(_MOST, -math.log10((top + 1) / (size + 1)) + beyond / math.log(10.0))


class _Times:
    """What was usual at this time of earlier days."""

    __slots__ = ("_period", "_slots", "_waiting")

    def __init__(self, period: float) -> None:
        self._period = period
        self._slots: dict[int, _Sorted] = {}
        self._waiting: dict[int, deque[tuple[float, float]]] = {}

    def distance(self, at: float, number: float) -> float | None:
        """Return how far the nearest of about this time of earlier days is (``None``: there are none); remember the number."""
        place, within = divmod(at % self._period / self._period * _SLOTS, 1.0)
        mine = int(place) % _SLOTS
        beside = (mine + (1 if within >= _HALF else -1)) % _SLOTS
        nearest = min(self._slot(slot, at).distance(number) for slot in (mine, beside))
        self._waiting.setdefault(mine, deque(maxlen=_PER_SLOT)).append((at, number))
        return nearest if math.isfinite(nearest) else None

    def _slot(self, slot: int, at: float) -> _Sorted:
        """Return the numbers of a part of the day; those of less than half a day ago are not among them yet."""
        found = self._slots.setdefault(slot, _Sorted(_PER_SLOT))
        waiting = self._waiting.get(slot, ())
        while waiting and abs(at - waiting[0][0]) > self._period / 2.0:
            found.add(waiting.popleft()[1])
        return found


class _Statistic:
    """A number that is taken of the newest points, beside all that it ever was and what it is at this time of the day."""

    __slots__ = ("_ever", "_ever_evidence", "_times", "_times_evidence", "_waiting", "_width")

    def __init__(self, *, width: int, period: float) -> None:
        """Args: width: How many points it is of; its neighbours in time share points with it and do not count."""
        self._width = width
        self._waiting: deque[float] = deque()
        self._ever, self._ever_evidence = _Sorted(MEMORY), _Evidence()
        self._times, self._times_evidence = _Times(period), _Evidence()

    def evidence(self, number: float, *, at: float | None, smooth: float) -> float:
        """Return the evidence of the newest; ``smooth`` is what is compared with earlier days."""
        distance = self._ever.distance(number)
        self._waiting.append(number)
        if len(self._waiting) >= self._width:
            self._ever.add(self._waiting.popleft())
        found = self._ever_evidence.of(distance) if math.isfinite(distance) else 0.0
        if at is None:
            return found
        usual = self._times.distance(at, smooth)
        return found if usual is None else (found + self._times_evidence.of(usual)) / 2.0


class _Episodes:
    """Evidence that is heard once: after it, for a while, only stronger evidence counts in full."""

    __slots__ = ("_left", "_strongest")

    def __init__(self) -> None:
        self._left, self._strongest = -1, 0.0

    def heard(self, evidence: float) -> float:
        """Return what counts of the evidence of the next point."""
        self._left -= 1
        if self._left >= 0 and evidence <= self._strongest + _WORSE:
            return evidence * _REST_SHARE
        if evidence > _QUIET:
            self._strongest, self._left = evidence, _REST
        return evidence


class StreamDetector:
    """Judges each point of a series by the points before it.

    >>> detector = StreamDetector()
    >>> scores = [detector.update(None, value) for value in [*([1.0, 2.0, 3.0] * 100), 50.0]]
    >>> max(scores[:-1]) < detector.threshold <= scores[-1], detector.is_anomaly
    (True, True)
    """

    def __init__(self, *, threshold: float = THRESHOLD, period: float = 86_400.0) -> None:
        """Begin without any history.

        Args:
            threshold: Score from which on a point is an anomaly, between 0 and 1.
            period: Seconds after which the series may repeat itself.

        Raises:
            ValueError: A number is out of its range.
        """
        if not 0.0 < threshold <= 1.0:
            raise ValueError(f"threshold is {threshold}; allowed are numbers over 0 and up to 1.")
        if not (period > 0.0 and math.isfinite(period)):
            raise ValueError(f"period is {period}; allowed are seconds over 0.")
        self.threshold = threshold
        self.score = 0.0
        """Of the newest point."""
        self._recent: deque[float] = deque(maxlen=_WINDOW)
        self._value = _Statistic(width=1, period=period)
        self._mean = _Statistic(width=_WINDOW, period=period)
        self._spread = _Statistic(width=_WINDOW, period=period)
        self._again = _Evidence()
        self._episodes = _Episodes()

    @property
    def is_anomaly(self) -> bool:
        """Tell whether the newest point is one."""
        return self.score >= self.threshold

    def update(self, at: float | None, value: float) -> float:
        """Take the next point and return how unusual it is.

        Args:
            at: Its time in seconds of a clock that shows the same at the same time of each day, in any order; ``None``, NaN and
                infinite: unknown, the time of the day is not considered.
            value: What was measured; NaN and infinite are no measurement, score 0 and are not learned.

        Returns:
            0 (as usual) to 1: one less the share of earlier points that were as unusual, beyond them by the fitted tail. The
            first about 100 points score 0.
        """
        if not math.isfinite(value):
            self.score = 0.0
            return 0.0
        value = min(max(float(value), -_LARGEST), _LARGEST)
        when = at if at is not None and math.isfinite(at) else None
        self._recent.append(value)
        evidence = self._evidence(value, when)
        self.score = 1.0 - 10.0 ** -self._episodes.heard((evidence + self._again.of(evidence)) / 2.0)
        return self.score

    def _evidence(self, value: float, at: float | None) -> float:
        points = list(self._recent)
        last = points[-_SMOOTH:]
        found = self._value.evidence(value, at=at, smooth=sum(last) / len(last))
        if len(points) < _WINDOW:
            return found / 2.0
        mean = sum(points) / _WINDOW
        spread = math.log(math.sqrt(sum((one - mean) ** 2 for one in points) / _WINDOW) + _TINY)
        of_mean = self._mean.evidence(mean, at=at, smooth=mean)
        return (2.0 * found + of_mean + self._spread.evidence(spread, at=at, smooth=spread)) / 4.0


def scan(values: Iterable[float], times: Sequence[float | None] | None = None) -> list[float]:
    """Return the score of each point of a series, each by the points before it.

    Args:
        values: Oldest first.
        times: Seconds (:meth:`StreamDetector.update`), as many as values.

    Raises:
        ValueError: There are more or fewer times than values.

    >>> scan([1.0, float("nan")])
    [0.0, 0.0]
    """
    numbers = list(values)
    stamps = [None] * len(numbers) if times is None else times
    detector = StreamDetector()
    return [detector.update(at, value) for at, value in zip(stamps, numbers, strict=True)]

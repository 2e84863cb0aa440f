"""The series of a subject over runs with what was expected of each point: what charts show is what was judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbops.history.monitors.frame import frame_of, ready
from nbops.history.monitors.numbers import judge_frame
from nbops.history.monitors.telling import _expected

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbops.history.index import SeriesPoint
    from nbops.history.monitors.frame import Key
    from nbops.history.monitors.numbers import Judged
    from nbops.model import Expected

__all__ = ["Courses", "courses_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Courses:
    """All series that monitors follow, those that they make themselves among them; runs that brought nothing new are left out."""

    keys: Mapping[Key, int]
    runs: tuple[str, ...]
    at: tuple[float, ...]
    """Seconds since 1970."""
    _judged: Judged

    def values(self, key: Key) -> list[float]:
        """Return a series, a number a run; not a number where it was not measured."""
        return [float(value) for value in self._judged.frame.values[self.keys[key]]]

    def expected(self, key: Key, step: int) -> Expected:
        """Return what was expected at one run, by the runs before it."""
        number = self.keys[key]
        return _expected(self._judged, number, step, float(self._judged.bounds[number, step]))


def courses_of(
    subject: str, series: Mapping[Key, Sequence[SeriesPoint]], *, timed: frozenset[str], sensitivity: str
) -> Courses | None:
    """Return all series of a subject, judged at each run; None where there is no run that measured it anew.

    Args:
        subject: ``dataset:NAME`` or ``task:NAME``.
        series: As :meth:`nbops.history.index.History.series` returns them.
        timed: Columns that hold dates or times.
        sensitivity: ``low``, ``normal`` or ``high``.
    """
    newest = max(
        ((point.at, point.run) for points in series.values() for point in points if point.changed),
        default=None,
    )
    if newest is None:
        return None
    at, run = newest
    followed = {key: points for key, points in series.items() if key[1] != "interval"}  # judged by whether it came
    current = {key: point.value for key, points in followed.items() for point in points if point.run == run}
    frame = frame_of(subject, followed, run=run, at=at.timestamp(), current=current)
    judged = judge_frame(ready(frame, timed=timed), sensitivity=sensitivity)
    keys = {key: number for number, key in enumerate(judged.frame.keys)}
    return Courses(keys=keys, runs=judged.frame.runs, at=tuple(float(one) for one in judged.frame.at), _judged=judged)

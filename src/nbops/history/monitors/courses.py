"""The series of a subject over runs with what was expected of each point: what charts show is what was judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbops.history.monitors.telling import _expected, band_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbops.history.index import SeriesPoint
    from nbops.history.monitors.frame import Key
    from nbops.history.monitors.numbers import Judged
    from nbops.history.side_by_side import Table
    from nbops.model import Expected

__all__ = ["Courses"]

_INTERVAL: Key = (None, "interval")


@dataclass(frozen=True, slots=True, kw_only=True)
class Courses:
    """All series of a subject up to the run that measured it last; runs that brought nothing new are left out.

    Those that monitors make themselves are among them.
    """

    table: Table
    """What was before that run."""
    current: Mapping[Key, SeriesPoint]
    """What that run measured."""
    judged: Judged | None = None
    """None where nothing is monitored, or could be."""
    rhythm: str = ""
    """When something new comes, in words; empty where runs are for days, or nothing is known yet."""

    def keys(self) -> list[Key]:
        """Return all series, in the order in which they first came."""
        intervals = [_INTERVAL] if self.table.intervals or _INTERVAL in self.current else []
        measured = [key for key in (*self.table.keys, *self.current) if key != _INTERVAL]
        return list(dict.fromkeys([*measured, *intervals, *(self.judged.frame.keys if self.judged else ())]))

    def places(self) -> dict[Key, int]:
        """Return where the series that monitors follow stand."""
        return {key: number for number, key in enumerate(self.judged.frame.keys)} if self.judged else {}

    def runs(self) -> tuple[tuple[str, float], ...]:
        """Return the runs of the series that monitors follow, and what they are for, in seconds since 1970."""
        return tuple(zip(self.judged.frame.runs, self.judged.frame.at.tolist(), strict=True)) if self.judged else ()

    def values(self, place: int) -> list[float]:
        """Return a series, a number a run; not a number where it was not measured."""
        found: list[float] = self.judged.frame.values[place].tolist() if self.judged else []
        return found

    def expected(self, place: int, step: int) -> Expected:
        """Return what was expected at one run, by the runs before it.

        Raises:
            LookupError: Nothing was judged.
        """
        if self.judged is None:
            raise LookupError("nothing was judged")
        return _expected(self.judged, place, step, float(self.judged.bounds[place, step]))

    def band(self, place: int, steps: Sequence[int]) -> list[tuple[float | None, float | None, float | None]]:
        """Return the lowest, highest and middle value that was expected at some runs, by the runs before each."""
        return band_at(self.judged, place, steps) if self.judged else []

    def points(self, key: Key) -> list[SeriesPoint]:
        """Return a series as it was measured, where there was something new."""
        before = list(self.table.intervals) if key == _INTERVAL else self.table.points(key)
        every = [*before, self.current[key]] if key in self.current else before
        return [point for point in every if point.changed]

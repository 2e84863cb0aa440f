"""What pages are given of monitoring: series with what was expected of them, what was out of the ordinary, and incidents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from nbops.model import Anomaly, Expected, Incident, MonitorCount

__all__ = ["BandPoint", "BandSeries", "BandsOf", "RunWatch", "Watch"]


class BandPoint(NamedTuple):
    """A number in one run, and what was expected of it before it was known; a tuple, as pages are given thousands."""

    run: str
    at: str
    """Day or instant that it is for, as ISO 8601."""
    value: float
    low: float | None = None
    high: float | None = None
    """None on both sides: there was too little history to expect anything."""
    center: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BandSeries:
    """A number over runs, the oldest first."""

    metric: str
    """``rowCount``, ``nullRate``, ``quantile:0.5``, ``share:EIRE``, ``age``..."""
    column: str | None = None
    points: tuple[BandPoint, ...] = ()
    expected: Expected | None = None
    """Of the last point; None while it is being learned."""
    rhythm: str = ""
    """Of ``interval``: when something new comes, and last did, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunWatch:
    """What monitors found in one run."""

    run: str
    at: str
    """Day or instant that its data is for, as ISO 8601."""
    datasets: frozenset[str] = frozenset()
    """Those that it measured anew."""
    anomalies: tuple[Anomaly, ...] = ()
    monitors: tuple[MonitorCount, ...] = ()


BandsOf: TypeAlias = Callable[[str, bool], Sequence[BandSeries]]
"""Gives series of a dataset with their bands, those to draw first; with True only what an overview shows: rows and freshness."""


def _none(_: str, __: bool) -> Sequence[BandSeries]:  # noqa: FBT001 - the form of BandsOf
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Monitoring as of one run."""

    runs: tuple[RunWatch, ...] = ()
    """The newest runs that had something to judge, the oldest first."""
    incidents: tuple[Incident, ...] = ()
    bands: BandsOf = _none

    def raised(self, subject: str) -> tuple[tuple[RunWatch, Anomaly], ...]:
        """Return what was out of the ordinary of a subject, the newest run first; in a run the furthest out first."""
        return tuple(
            (run, one)
            for run in reversed(self.runs)
            for one in sorted(run.anomalies, key=lambda one: (one.accepted is not None, -one.score))
            if one.subject == subject
        )

    def last_of(self, dataset: str) -> RunWatch | None:
        """Return the newest of these runs that measured a dataset anew."""
        return next((run for run in reversed(self.runs) if dataset in run.datasets), None)

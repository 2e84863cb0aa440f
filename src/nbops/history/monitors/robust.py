"""What many series are expected to be next, all of them at once: robust exponential smoothing with a weekly rhythm.

Level and weekday effects are smoothed exponentially, each new value only as far as it is credible (Huber's psi at two standard
deviations), and so is the spread, by a bounded rho: Gelper, Fried, Croux, *Robust forecasting with exponential and Holt-Winters
smoothing*, Journal of Forecasting 29 (2010). A weekday's effect counts only as far as it is larger than what chance makes of so
few values (shrinkage: James, Stein 1961). When three residuals in a row leave the spread on one side, the level has shifted: it
moves to the median of the three. The recursion goes over time and is vectorised over series: a step costs some 40 operations of
NumPy however few series there are, so that :func:`smooth_all` takes the series of all subjects through it at once. What does
not depend on the recursion is worked out for all steps before it, and a step leaves out what concerns no series in it. No
library that does these three things at once for many short series was found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Smoothed", "Smoothing", "smooth", "smooth_all"]

_LEVEL, _WEEK, _SPREAD = 0.12, 0.15, 0.08
"""How much of a new value goes into level, weekday's effect and spread once they are learned."""
_CLIP = 2.0
"""Standard deviations: up to here a value is credible, and from here on it may be the first of a shift."""
_SHIFT = 3
_FIRST = 3
"""So many values come in unclipped: there is nothing yet to doubt them by."""
_DEVIATION = 1.2533
"""Makes an absolute deviation a standard one."""
_AT_ONCE = 2_000_000
"""Values that go through the recursion together at most: 16 MB a number of theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoothed:
    """One row a series, one column a run."""

    expected: NDArray[np.float64]
    """What was expected of each value from those before it; NaN for the first."""
    spread: NDArray[np.float64]
    """Standard deviation around it, as known before the value."""
    seen: NDArray[np.int64]
    """Values before it."""
    weekly: NDArray[np.bool_]
    """Whether a weekday's effect of note was part of what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoothing:
    """What :func:`smooth` is given."""

    values: NDArray[np.float64]
    weekdays: NDArray[np.int64]
    floors: NDArray[np.float64]
    skip: NDArray[np.bool_] | None = None


def smooth(
    values: NDArray[np.float64], weekdays: NDArray[np.int64], floors: NDArray[np.float64], skip: NDArray[np.bool_] | None = None
) -> Smoothed:
    """Predict each value from those before it.

    Args:
        values: Series by runs, NaN where a series has no value; transformed so that differences are comparable.
        weekdays: Of each value (0 to 6), of the same shape or one row.
        floors: Least spread of each value, of the same shape.
        skip: Values that teach nothing (somebody said that they were exceptions).
    """
    work = _Work(values, np.broadcast_to(weekdays, values.shape), np.broadcast_to(floors, values.shape), skip)
    with np.errstate(all="ignore"):
        for step in range(values.shape[1]):
            work.take(step)
    return work.done()


def smooth_all(given: Sequence[Smoothing]) -> list[Smoothed]:
    """Do what :func:`smooth` does for several groups of series, which may be of different numbers of runs, in one go.

    Groups that have fewer runs begin later; what comes before is missing and teaches nothing, so that the result is the same.
    """
    found: list[Smoothed] = []
    start = 0
    while start < len(given):
        end, runs, series = start, 0, 0
        while end < len(given):
            longest, more = max(runs, given[end].values.shape[1]), series + given[end].values.shape[0]
            if end > start and longest * more > _AT_ONCE:
                break
            end, runs, series = end + 1, longest, more
        found += _together(given[start:end], runs)
        start = end
    return found


def _together(given: Sequence[Smoothing], runs: int) -> list[Smoothed]:
    if len(given) == 1:
        only = given[0]
        return [smooth(only.values, only.weekdays, only.floors, only.skip)]
    series = sum(len(one.values) for one in given)
    values, floors = np.full((series, runs), np.nan), np.zeros((series, runs))
    weekdays, skip = np.zeros((series, runs), np.int64), np.zeros((series, runs), bool)
    # what is missing is of any weekday: of the same as the others it costs less
    weekdays[:] = next((one.weekdays[:1] for one in given if one.values.shape[1] == runs and len(one.weekdays)), 0)
    places, at = [], 0
    for one in given:
        count, own = one.values.shape
        place = (slice(at, at + count), slice(runs - own, runs))
        values[place], floors[place], weekdays[place] = one.values, one.floors, one.weekdays
        if one.skip is not None:
            skip[place] = one.skip
        places.append(place)
        at += count
    done = smooth(values, weekdays, floors, skip if any(one.skip is not None for one in given) else None)
    return [
        Smoothed(expected=done.expected[place], spread=done.spread[place], seen=done.seen[place], weekly=done.weekly[place])
        for place in places
    ]


class _Work:
    """The recursion over time; arrays are runs by series here, so that a step is one piece of memory."""

    def __init__(
        self,
        values: NDArray[np.float64],
        weekdays: NDArray[np.int64],
        floors: NDArray[np.float64],
        skip: NDArray[np.bool_] | None,
    ) -> None:
        series = len(values)
        self.values, self.floors = np.ascontiguousarray(values.T), np.ascontiguousarray(floors.T)
        self.days = _DaysOf(weekdays)
        there = np.isfinite(self.values) if skip is None else np.isfinite(self.values) & ~skip.T
        if self.days.are_same and series and (there == there[:, :1]).all():
            there = there[:, :1]  # each series has the same runs, as a rule: what counts them is one column for all
        self.seen: NDArray[np.int64] = np.cumsum(there, axis=0) - there
        known = self.seen > 0
        self.there, self.known, self.old, self.new = there, known, there & known, there & ~known
        self.first, self.young = self.seen < _FIRST, self.seen < 2 * _FIRST
        of_day = self.days.seen(there)
        self.few = of_day < _FIRST
        self.all_old, self.any_new, self.any_first, self.any_young, self.any_few = (
            found.tolist()
            for found in (
                self.old.all(axis=1),
                *(some.any(axis=1) for some in (self.new, self.first, self.young, self.few)),
            )
        )
        self.gain = np.maximum(_LEVEL, 1.0 / (self.seen + 1))
        self.gain_of_day = np.maximum(_WEEK, 1.0 / (of_day + 1))
        self.at_least_one, self.counts = np.maximum(of_day, 1.0), (of_day > 1).astype(np.float64)
        wider = np.maximum(_SPREAD, 1.0 / np.maximum(self.seen, 1))
        self.wider, self.narrower = wider * _DEVIATION, 1 - wider
        self.expected, self.spread = np.empty_like(self.values), np.empty_like(self.values)
        self.effects = np.empty_like(self.values)
        self.level, self.width = np.zeros(series), np.zeros(series)
        self.week = np.zeros((7, series))
        self.last = [np.full(series, np.nan) for _ in range(_SHIFT)]
        """Values without the weekday's effect, the newest last."""
        self.out = np.zeros(series)
        """How many in a row left on one side; the sign is the side."""

    def done(self) -> Smoothed:
        np.copyto(self.expected, np.nan, where=~self.known)
        weekly = np.abs(self.effects) > self.spread
        np.copyto(self.spread, np.nan, where=~self.known)
        by_series = [np.ascontiguousarray(one.T) for one in (self.expected, self.spread)]
        seen = np.array(np.broadcast_to(self.seen.T, by_series[0].shape))
        of_note = np.ascontiguousarray(weekly.T)
        return Smoothed(expected=by_series[0], spread=by_series[1], seen=seen, weekly=of_note)

    def take(self, step: int) -> None:
        days, value, all_old = self.days.at(step), self.values[step], self.all_old[step]
        week = self.week[days]
        effect = np.multiply(week, self._credit(step, week), out=self.effects[step])
        np.add(self.level, effect, out=self.expected[step])
        sigma = np.maximum(self.width, self.floors[step], out=self.spread[step])
        alone = value - self.level
        residual = alone - effect
        if not all_old:
            old = self.old[step]
            alone, residual = np.where(old, alone, 0.0), np.where(old, residual, 0.0)
        bound = _CLIP * sigma
        size = np.abs(residual)
        far = size > bound  # before those that are not doubted yet are let in
        if self.any_first[step]:
            np.copyto(bound, np.inf, where=self.first[step])
        credible = np.copysign(np.minimum(size, bound), residual)
        # a weekday's first values may lie far from the rest (closed on Saturdays): they are believed
        weekly = np.where(self.few[step], alone - week, credible) if self.any_few[step] else credible
        weekly = weekly * self.gain_of_day[step]
        self.week[days] = week + (weekly if all_old else np.where(old, weekly, 0.0))
        self._widen(step, size, sigma)
        self._move(step, credible, value)
        self._shift(step, residual, far, value - effect)

    def _credit(self, step: int, week: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return which part of a weekday's effect counts."""
        power = week * week
        noise = self.width * self.width
        noise /= self.at_least_one[step]
        noise += 1e-300
        noise *= 2
        noise += power
        power /= noise
        power *= self.counts[step]
        return power

    def _widen(self, step: int, size: NDArray[np.float64], sigma: NDArray[np.float64]) -> None:
        # bounded, so that one outlier does not blind the monitor
        bounded = np.minimum(size, 3.0 * sigma)
        if self.any_young[step]:
            np.copyto(bounded, size, where=self.young[step])
        bounded *= self.wider[step]
        wide = self.narrower[step] * self.width
        wide += bounded
        self.width = wide if self.all_old[step] else np.where(self.old[step], wide, self.width)

    def _move(self, step: int, credible: NDArray[np.float64], value: NDArray[np.float64]) -> None:
        credible *= self.gain[step]
        if self.all_old[step]:
            self.level = self.level + credible
            return
        self.level = self.level + np.where(self.old[step], credible, 0.0)
        if self.any_new[step]:
            np.copyto(self.level, value, where=self.new[step])

    def _shift(self, step: int, residual: NDArray[np.float64], far: NDArray[np.bool_], plain: NDArray[np.float64]) -> None:
        if self.all_old[step]:
            self.last = [*self.last[1:], plain]
            out = np.zeros_like(self.out)
        else:
            old = self.old[step]
            for place, newer in enumerate((*self.last[1:], plain)):
                np.copyto(self.last[place], newer, where=old)
            far, out = far & old, np.where(old, 0.0, self.out)
        (places,) = far.nonzero()  # few of many
        if places.size:
            side, before = np.sign(residual[places]), self.out[places]
            counted = np.where(before * side > 0, before + side, side)
            out[places] = counted
            moved = places[np.abs(counted) >= _SHIFT]
            if moved.size:
                self.level[moved] = np.median(np.array([one[moved] for one in self.last]), axis=0)
                out[moved] = 0
        self.out = out


class _DaysOf:
    """Which weekday each step is, of all series the same as a rule: what is kept by weekday is then a row, else a choice."""

    def __init__(self, weekdays: NDArray[np.int64]) -> None:
        self._days = weekdays
        first = weekdays[0] if len(weekdays) else np.zeros(weekdays.shape[1], np.int64)
        same = (weekdays == first).all()
        self._same: list[int] | None = first.tolist() if same else None
        self._series = np.arange(len(weekdays))

    @property
    def are_same(self) -> bool:
        """Whether each step is of one weekday for all series."""
        return self._same is not None

    def at(self, step: int) -> Any:
        """Return where the weekday's numbers of each series stand, in arrays of weekdays by series."""
        return self._same[step] if self._same is not None else (self._days[:, step], self._series)

    def seen(self, there: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return how many values of its weekday were before each; ``there`` and the result are runs by series."""
        found = np.zeros(there.shape, np.int64)
        for day in range(7):
            if self._same is not None:
                steps = np.flatnonzero(np.array(self._same) == day)
                found[steps] = np.cumsum(there[steps], axis=0) - there[steps]
            else:
                of_day = day == self._days.T
                counted = of_day & there
                np.copyto(found, np.cumsum(counted, axis=0) - counted, where=of_day)
        return found

"""When something new comes, by the clock of the runs that look: learned from their starts alone, whatever their schedule.

What is known is censored: something that a run saw first came at some time after the run before had looked. So no rate is
estimated. The time in which nothing came, from the run that saw the last news to this one, is held against the same span of
earlier weeks (a seasonal block of one week), each of which either surely brought news, surely did not, or is not known, where
no run looked in time (interval censoring: Turnbull, Journal of the Royal Statistical Society B 38, 1976). Where nearly all that
are known brought some, so should this one.

Of news that come at random, some week's span is always full of them. So each earlier quiet run is judged likewise, by all other
weeks (jackknife, Quenouille 1956): where that would often have been a false alarm, there is no rhythm to go by.

What is silent for more than a week is also held against the times between news: beyond the longest by a tenth, and beyond the
limit of prediction of a log-normal distribution (Hahn, Meeker, *Statistical Intervals*, 1991, 4.6).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from nbops.history.index_arrivals import Arrival

__all__ = ["DAY", "WEEK", "Late", "Looks", "looks_of"]

HOUR = 3_600.0
DAY = 24 * HOUR
WEEK = 7 * DAY
_SLACK, _SLACK_PART = 1.25 * HOUR, 0.25
"""A run that much earlier or later is at the same time: schedules jitter, and summer time moves them by an hour."""
_BACK, _WEEKS, _LEAST = 60, 26, 4
"""Weeks that are looked through, those that count (the newest that are known), and how many there must be."""
_RARE = 0.12
"""A span in which something came as a rule: by Laplace's rule nothing came in fewer."""
_CHANCES = {"low": 0.01, "normal": 0.03, "high": 0.06}
"""By sensitivity: the share of earlier days on which there may have been a false alarm."""
_LEAST_DAYS = 10
"""Days with a run that must be known."""
_CHECKED = 1_500
"""Earlier quiet runs that are judged, the newest."""
_GAPS, _FEWEST_GAPS, _LONGER = 30, 5, 1.1
_CLOCKED, _CLOCK_LEAST = 0.9, 10
_STUDENT = (63.7, 9.92, 5.84, 4.60, 4.03, 3.71, 3.50, 3.36, 3.25, 3.17, 3.11, 3.05, 3.01, 2.98, 2.95)
"""Quantile 0.995 of Student's t for 1, 2... degrees of freedom; more err on the side of silence."""
_SMALLEST = 60.0

Exempt = Callable[[float], bool]
"""Tells of an instant whether nothing is expected there, such as on a holiday."""


def _never(_: float) -> bool:
    return False


class Late(NamedTuple):
    """Nothing new, for longer than the rhythm allows."""

    age: float
    """Seconds since the run that saw the last news."""
    within: float
    """Seconds within which something had come so far."""
    came: int
    known: int
    """Weeks whose same span is known, and in how many of them something came; 0: by the times between news."""


@dataclass(frozen=True, slots=True)
class _Span:
    came: int
    known: int
    longest: float


@dataclass(frozen=True)
class Looks:
    """The runs that looked at a dataset, the oldest first, and which of them saw something new.

    Attributes:
        at: When they began, in seconds since 1970.
        runs: Their ids.
        news: Whether there was something that no run before had seen; of the first that is not known.
        remade: Whether the last run saw other content, of which the newest time is none that is new.
    """

    at: tuple[float, ...]
    runs: tuple[str, ...]
    news: tuple[bool, ...]
    remade: bool = False

    @cached_property
    def events(self) -> tuple[int, ...]:
        """Places of the runs that saw something new, without the first run."""
        return tuple(place for place, new in enumerate(self.news) if new and place)

    @cached_property
    def _seen(self) -> list[float]:
        return [self.at[place] for place in self.events]

    @cached_property
    def _before(self) -> list[float]:
        return [self.at[place - 1] for place in self.events]

    @property
    def last(self) -> int:
        """Place of the run that saw the last news, or of the first."""
        return self.events[-1] if self.events else 0

    @cached_property
    def days(self) -> int:
        """How many days had a run that looked."""
        return len({at // DAY for at in self.at})

    @cached_property
    def gaps(self) -> tuple[float, ...]:
        """Seconds between news, as runs saw them, the newest last."""
        return tuple(later - earlier for earlier, later in pairwise(self._seen))[-_GAPS:]

    def to_learn(self) -> int:
        """Return how many weeks are to go before anything can be said; 0 where there is enough."""
        if not self.at:
            return _LEAST
        return max(0, math.ceil(_LEAST - (self.at[-1] - self.at[0] + _SLACK) / WEEK))

    def late(self, *, sensitivity: str = "normal", exempt: Exempt = _never) -> Late | None:
        """Return how late something new is at the last run; None where it brought some, or none is due.

        Args:
            sensitivity: ``low``, ``normal`` or ``high``.
            exempt: Earlier instants at which nothing was expected; they teach nothing.
        """
        if len(self.at) < 2 or self.news[-1]:  # noqa: PLR2004 - there is no span
            return None
        since, now = self.at[self.last], self.at[-1]
        if now <= since:
            return None
        due = self._due(since, now, exempt)
        if due is not None and self._is_rhythm(due, chance=_CHANCES[sensitivity], exempt=exempt):
            return Late(now - since, due.longest, due.came, due.known)
        limit = self._limit()
        return Late(now - since, limit, 0, 0) if limit is not None and now - since > max(limit, WEEK) else None

    def _due(self, since: float, now: float, exempt: Exempt) -> _Span | None:
        """Return what earlier weeks say of this span where it is that something should have come, else None."""
        until = now
        if now - since > WEEK + _SLACK:  # it was due in the first week or never
            place = bisect_right(self.at, since + WEEK + _SLACK) - 1
            until = self.at[place]
            if until <= since:
                return None
        span = self._span(since, until, exempt, back=_BACK, forth=0)
        return span if _is_full(span) else None

    def _span(self, since: float, until: float, exempt: Exempt, *, back: int, forth: int) -> _Span:
        """Return in how many weeks something came in the same span; the weeks before, and so many after."""
        came = known = 0
        longest = 0.0
        slack = min(_SLACK, _SLACK_PART * (until - since))
        for number in _weeks(back, forth):
            moved = number * WEEK
            if known >= _WEEKS:
                break
            if since + moved < self.at[0] - slack or exempt(until + moved):
                continue
            found = self._in(since + moved, until + moved, slack)
            if found is not None:
                known += 1
                came += found > 0
                longest = max(longest, found)
        return _Span(came, known, longest)

    def _in(self, start: float, end: float, slack: float) -> float | None:
        """Return how long after the start of a span something came; 0: nothing came; None: that is not known."""
        number = bisect_right(self._seen, start + slack)
        for place in (number, number + 1):
            if place >= len(self._seen):
                break
            # of two runs around the end of the span, the nearer is at the same time as this one
            late = self._seen[place] - end
            if self._before[place] >= start - slack and (late <= 0 or late <= min(slack, end - self._before[place])):
                return self._seen[place] - start
        quiet_until = self._before[number] if number < len(self._seen) else self.at[-1]
        if quiet_until < end - slack:
            return None
        closed = 0 < number < len(self._seen) and self._seen[number] - self._seen[number - 1] > self._closure
        return None if closed else 0.0  # weeks of a closure, such as Christmas, say nothing of others

    def _is_rhythm(self, due: _Span, *, chance: float, exempt: Exempt) -> bool:
        """Tell whether earlier quiet runs would have been left alone, each judged by the other weeks."""
        most = int(chance * self.days)
        if self.days < _LEAST_DAYS or due.known < _LEAST:
            return False
        wrong: set[int] = set()
        quiet = [place for place, new in enumerate(self.news[: self.last]) if place and not new][-_CHECKED:]
        for place in quiet:
            stretch = bisect_right(self.events, place)
            if stretch in wrong or stretch == 0 or exempt(self.at[place]):
                continue
            since, until = self.at[self.events[stretch - 1]], self.at[place]
            if 0 < until - since <= WEEK + _SLACK:
                forth = int((self.at[self.last] - until) // WEEK)
                if _is_full(self._span(since, until, exempt, back=_WEEKS, forth=min(forth, _WEEKS))):
                    wrong.add(stretch)
                    if len(wrong) > most:
                        return False
        return True

    def _limit(self) -> float | None:
        """Return the longest time between news that is to be expected, in seconds; None where there are too few."""
        limit = _limit(self.gaps)
        return max(_LONGER * max(self.gaps), limit) if limit is not None else None

    @cached_property
    def _closure(self) -> float:
        """Seconds between news from which on it was closed."""
        limit = _limit([later - earlier for earlier, later in pairwise(self._seen)])
        return limit if limit is not None else math.inf


def _limit(gaps: Sequence[float]) -> float | None:
    """Return the limit that the next of some spans exceeds in one of 200 cases, if they are log-normal; None for too few."""
    count = len(gaps)
    if count < _FEWEST_GAPS:
        return None
    logs = [math.log(max(gap, _SMALLEST)) for gap in gaps]
    middle = math.fsum(logs) / count
    spread = math.sqrt(math.fsum((one - middle) ** 2 for one in logs) / (count - 1))
    student = _STUDENT[count - 2] if count - 2 < len(_STUDENT) else _STUDENT[-1]
    return math.exp(min(middle + student * spread * math.sqrt(1 + 1 / count), 50.0))


def _weeks(back: int, forth: int) -> Iterator[int]:
    """Yield how many weeks away spans are, the nearest first.

    >>> list(_weeks(3, 1)), list(_weeks(2, 0))
    ([-1, 1, -2, -3], [-1, -2])
    """
    for number in range(1, max(back, forth) + 1):
        if number <= back:
            yield -number
        if number <= forth:
            yield number


def _is_full(span: _Span) -> bool:
    """Tell whether something came in a span in nearly all weeks."""
    quiet = span.known - span.came
    return span.known >= _LEAST and (quiet == 0 or (quiet + 1) / (span.known + 2) <= _RARE)


def looks_of(arrivals: Sequence[Arrival]) -> Looks:
    """Return which runs saw something new: content that none had seen before.

    Where the newest time in the data moves on with new content as a rule, content counts as new only where it does: a file that
    was made again of the same days is none. Without a hash of the content its size stands in.

    Args:
        arrivals: The oldest first.
    """
    fresh: list[bool] = []
    moved: list[bool | None] = []
    seen: set[object] = set()
    latest: float | None = None
    for one in arrivals:
        mark = one.content if one.content is not None else (one.rows, one.bytes, one.newest)
        known = mark == (None, None, None) and one.carried
        fresh.append(mark not in seen and not known)
        seen.add(mark)
        moved.append(None if one.newest is None or latest is None else one.newest > latest)
        latest = one.newest if latest is None else max(latest, one.newest if one.newest is not None else latest)
    told = [ahead for new, ahead in zip(fresh[:-1], moved[:-1], strict=True) if new and ahead is not None]
    clocked = len(told) >= _CLOCK_LEAST and sum(told) >= _CLOCKED * len(told)
    news = [new and (not clocked or ahead is not False) for new, ahead in zip(fresh, moved, strict=True)]
    return Looks(
        at=tuple(one.at for one in arrivals),
        runs=tuple(one.run for one in arrivals),
        news=tuple(news),
        remade=fresh[-1:] != news[-1:],
    )

"""A rhythm in words: on which days something new comes, and by when."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from datetime import datetime, timezone
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from nbops.history.counting import counted
from nbops.history.monitors.rhythm import DAY, HOUR, WEEK

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nbops.history.monitors.rhythm import Looks

__all__ = ["rhythm_in_words", "rhythm_with_last", "span_in_words"]

_NAMES = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
_WORKING = frozenset(range(5))
_RECENT = 13 * WEEK
_OFTEN, _TIMES, _FEWEST = 0.7, 3, 3
_QUARTER = 15 * 60.0
_NEARLY_ALL = 0.9
_DAYS_FROM, _HOURS_UNTIL = 72 * HOUR, 90 * 60.0


def span_in_words(seconds: float) -> str:
    """Return a span of time as people say it.

    >>> [span_in_words(one) for one in (40, 60 * 100, 26 * 3600, 5.2 * 86400)]
    ['1 min', '1 h 40 min', '26 h', '5 d']
    """
    if seconds >= _DAYS_FROM:
        return f"{round(seconds / DAY)} d"
    minutes = max(1, round(seconds / 60))
    if minutes < 60:  # noqa: PLR2004
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest and hours < 10 else f"{round(minutes / 60)} h"  # noqa: PLR2004


def rhythm_with_last(looks: Looks) -> str:
    """Return when something new comes, and when it last did."""
    words = rhythm_in_words(looks)
    return f"{words}; last new {_last(looks)}" if words and looks.events else words


def _last(looks: Looks) -> str:
    return datetime.fromtimestamp(looks.at[looks.last], tz=timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def rhythm_in_words(looks: Looks) -> str:
    """Return when something new comes.

    Times are those of the runs that saw it, in UTC, and the latest of nine in ten; empty where only one run looked.

    >>> from nbops.history.monitors.rhythm import Looks
    >>> at = [1_767_596_400.0 + 86_400.0 * day for day in range(43)]  # from Monday 5 January 2026, 07:00
    >>> rhythm_in_words(Looks(tuple(at), ("",) * 43, tuple(day % 7 < 5 for day in range(43))))
    'new content every weekday by 07:00 UTC'
    """
    if len(looks.at) < 2:  # noqa: PLR2004
        return ""
    to_go = looks.to_learn()
    if to_go:
        return f"learning when something new comes: {counted(to_go, 'more week')} to go"
    if not looks.events:
        return f"nothing new in {span_in_words(looks.at[-1] - looks.at[0])}, so none is expected"
    last = looks.at[-1]
    events = [looks.at[place] for place in looks.events if looks.at[place] >= last - _RECENT]
    days = _days(looks, events, since=last - _RECENT)
    if not days:
        return _seldom(looks)
    by_day: dict[int, list[float]] = defaultdict(list)
    for at in events:
        if _weekday(at) in days:
            by_day[int(at // DAY)].append(at % DAY)
    told = _told(days)
    if median(len(times) for times in by_day.values()) >= _TIMES:
        steps = [later - one for times in by_day.values() for one, later in pairwise(times)]
        return f"new content {told}, about every {_step(median(steps))}"
    firsts = sorted(times[0] for times in by_day.values())
    by = firsts[min(len(firsts) - 1, math.ceil(_NEARLY_ALL * len(firsts)) - 1)]
    minutes = int(math.ceil(by / _QUARTER) * 15)
    return f"new content {told} by {minutes // 60:02d}:{minutes % 60:02d} UTC"


def _weekday(at: float) -> int:
    return int(at // DAY + 3) % 7  # 1970 began on a Thursday


def _days(looks: Looks, events: Iterable[float], *, since: float) -> frozenset[int]:
    """Return the weekdays on which something new comes as a rule."""
    looked = Counter(_weekday(day * DAY) for day in {at // DAY for at in looks.at if at >= since})
    came = Counter(_weekday(day * DAY) for day in {at // DAY for at in events})
    return frozenset(day for day, count in looked.items() if count >= _FEWEST and came[day] >= _OFTEN * count)


def _told(days: frozenset[int]) -> str:
    if len(days) == len(_NAMES):
        return "every day"
    if days == _WORKING:
        return "every weekday"
    names = [_NAMES[day] for day in sorted(days)]
    if len(names) == len(_NAMES) - 1:
        return f"every day but {_NAMES[min(set(range(7)) - days)]}"
    return "on " + " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def _step(seconds: float) -> str:
    if seconds < _HOURS_UNTIL:
        return "hour" if seconds > 45 * 60 else f"{max(1, round(seconds / 60))} min"
    return f"{round(seconds / HOUR)} h"


def _seldom(looks: Looks) -> str:
    if len(looks.gaps) < _FEWEST:
        return "new content at no regular time"
    longest, usual = max(looks.gaps), median(looks.gaps)
    if longest > 1.5 * usual:
        return f"new content at no regular time, at the longest {span_in_words(longest)} apart"
    return f"new content about every {span_in_words(usual)}"

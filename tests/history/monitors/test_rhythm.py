"""The rhythm of runs by the clock: quiet days of many rhythms raise nothing, late files are found, nothing is guessed early."""

from __future__ import annotations

import datetime as dt
import random
from bisect import bisect_right
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbops.history.index_arrivals import Arrival
from nbops.history.monitors.rhythm import DAY, HOUR, WEEK, Looks, looks_of
from nbops.history.monitors.rhythm_words import rhythm_in_words, rhythm_with_last

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

START = dt.datetime(2026, 1, 5, tzinfo=dt.timezone.utc).timestamp()
QUIET_DAYS = 300

Schedule = "Callable[[int, random.Random], list[float]]"


def at_six(_: int, rng: random.Random) -> list[float]:
    return [6 * HOUR + rng.uniform(0, 600)]


def on_weekdays(day: int, rng: random.Random) -> list[float]:
    return at_six(day, rng) if day % 7 < 5 else []


def twice(_: int, rng: random.Random) -> list[float]:
    return [6 * HOUR + rng.uniform(0, 600), 18 * HOUR + rng.uniform(0, 600)]


def irregular(_: int, rng: random.Random) -> list[float]:
    return [rng.uniform(0, DAY) for _ in range(rng.choice([0, 1, 1, 2, 3]))]


def with_reruns(day: int, rng: random.Random) -> list[float]:
    first = at_six(day, rng)[0]
    return [first, *(first + rng.uniform(60, 3_000) for _ in range(rng.choice([0, 0, 1, 3])))]


def summer_time(day: int, rng: random.Random) -> list[float]:
    return [(6 if 84 <= day < 294 else 7) * HOUR + rng.uniform(0, 600)]


def with_a_gap(day: int, rng: random.Random) -> list[float]:
    return [] if 100 < day < 200 else at_six(day, rng)


SCHEDULES = {one.__name__: one for one in (at_six, on_weekdays, twice, irregular, with_reruns, summer_time, with_a_gap)}
FILES: dict[str, Callable[[int], bool]] = {
    "every day": lambda _: True,
    "every weekday": lambda day: day % 7 < 5,
    "every day but Saturdays": lambda day: day % 7 != 5,
    "on Mondays": lambda day: day % 7 == 0,
    "every other Monday": lambda day: day % 14 == 0,
    "on the first of a month": lambda day: dt.datetime.fromtimestamp(START + day * DAY, dt.timezone.utc).day == 1,
    "once": lambda day: day == 20,
    "never": lambda _: False,
}


def files(come: Callable[[int], bool], *, days: int = QUIET_DAYS, late: frozenset[int] = frozenset()) -> list[float]:
    """When files come: at five, ten minutes around it."""
    rng = random.Random(7)
    return [START + day * DAY + 5 * HOUR + rng.gauss(0, 600) for day in range(days) if come(day) and day not in late]


def seen(
    came: Sequence[float], schedule: Callable[[int, random.Random], list[float]], *, days: int = QUIET_DAYS, seed: int = 3
) -> list[Arrival]:
    rng = random.Random(seed)
    times = sorted(START + day * DAY + one for day in range(days) for one in schedule(day, rng))
    return [Arrival(f"R{number:06d}", at, str(bisect_right(came, at)), 10, 10, None, False) for number, at in enumerate(times)]


def alarms(arrivals: Sequence[Arrival], *, since: int = 0) -> Iterator[tuple[int, float]]:
    """Yield day and age of each run at which something is said to be late, judged by the runs before it alone."""
    for end in range(max(2, since), len(arrivals) + 1):
        late = looks_of(arrivals[:end]).late()
        if late is not None:
            yield int((arrivals[end - 1].at - START) // DAY), late.age


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("rhythm", FILES)
def test_three_hundred_quiet_days_raise_nothing(rhythm: str, schedule: str) -> None:
    assert list(alarms(seen(files(FILES[rhythm]), SCHEDULES[schedule]))) == []


@pytest.mark.parametrize("mean", [0.5, 1, 2, 5, 20])
@pytest.mark.parametrize("schedule", ["at_six", "irregular", "with_reruns", "summer_time"])
def test_what_comes_at_random_is_hardly_ever_late(mean: float, schedule: str) -> None:
    rng, came = random.Random(11), [START]
    while came[-1] < START + QUIET_DAYS * DAY:
        came.append(came[-1] + rng.expovariate(1 / (mean * DAY)))
    arrivals = seen(came, SCHEDULES[schedule])
    silences = {round(day - age / DAY) for day, age in alarms(arrivals)}
    assert len(silences) <= 0.02 * QUIET_DAYS


@pytest.mark.parametrize("schedule", ["at_six", "on_weekdays", "twice", "with_reruns", "summer_time"])
@pytest.mark.parametrize("rhythm", ["every day", "every weekday", "every day but Saturdays"])
@pytest.mark.parametrize("day", [43, 65, 141, 197])
def test_a_late_file_is_found_by_the_run_that_misses_it(rhythm: str, schedule: str, day: int) -> None:
    arrivals = seen(files(FILES[rhythm], days=day + 1, late=frozenset({day})), SCHEDULES[schedule], days=day + 1)
    first = next(number for number, one in enumerate(arrivals) if one.at >= START + day * DAY)
    assert [found for found, _ in alarms(arrivals, since=first)][:1] == [day]
    assert not list(alarms(arrivals[:first])), "and nothing before"


def test_a_late_weekly_and_monthly_file_is_found() -> None:
    days = 7 * 12
    weekly = seen(files(FILES["on Mondays"], days=days, late=frozenset({77})), at_six, days=days)
    assert next(day for day, _ in alarms(weekly, since=71)) == 77
    monthly = seen(files(FILES["on the first of a month"], late=frozenset({239})), at_six)
    first = next(alarms(monthly))[0]
    assert 239 + 1 <= first <= 239 + 6, "a tenth later than the longest month"


def test_a_file_every_hour_of_office_days() -> None:
    def hourly(_: int, rng: random.Random) -> list[float]:
        return [hour * HOUR + rng.uniform(0, 300) for hour in range(24)]

    def came(until: float) -> list[float]:
        every = [START + day * DAY + hour * HOUR - 900 for day in range(44) if day % 7 < 5 for hour in range(8, 18)]
        return [at for at in every if at < until]

    well = seen(came(START + 44 * DAY), hourly, days=44)
    assert list(alarms(well, since=24 * 30)) == []
    assert rhythm_in_words(looks_of(well)) == "new content every weekday, about every hour"
    stopped = START + 43 * DAY + 11 * HOUR
    broken = seen(came(stopped), hourly, days=44)
    first = next(one for one in range(len(broken)) if broken[one].at >= stopped - HOUR)
    found = [number for number in range(first, len(broken)) if looks_of(broken[: number + 1]).late()]
    assert dt.datetime.fromtimestamp(broken[found[0]].at, dt.timezone.utc).hour == 12, "by the first run that misses it"


def test_silence_is_told_as_long_as_it_lasts() -> None:
    arrivals = seen(files(FILES["every weekday"], days=50), at_six, days=75)
    assert [day for day, _ in alarms(arrivals)] == [50, *range(51, 75)], "from the next weekday on (day 50 is a Tuesday)"


def test_short_history_is_learning_and_says_how_long() -> None:
    for days, to_go in ((1, 4), (8, 3), (22, 1), (29, 0)):
        looks = looks_of(seen(files(FILES["every day"], days=days), at_six, days=days))
        assert looks.to_learn() == to_go
        words = rhythm_in_words(looks)
        assert ("learning" in words) is (to_go > 0 and days > 1)
        assert (f"{to_go} more week" in words) is (to_go > 0 and days > 1)
    late = seen(files(FILES["every day"], days=27), at_six, days=28)
    assert list(alarms(late)) == []


@pytest.mark.parametrize(
    ("rhythm", "schedule", "words"),
    [
        ("every weekday", "at_six", "new content every weekday by 06:15 UTC"),
        ("every day but Saturdays", "twice", "new content every day but Saturdays by 06:15 UTC"),
        ("on Mondays", "at_six", "new content on Mondays by 06:15 UTC"),
        ("on the first of a month", "at_six", "new content about every 30 d"),
        ("every other Monday", "at_six", "new content about every 14 d"),
        ("never", "at_six", "nothing new in 299 d, so none is expected"),
        ("once", "at_six", "new content at no regular time"),
    ],
)
def test_rhythms_in_words(rhythm: str, schedule: str, words: str) -> None:
    looks = looks_of(seen(files(FILES[rhythm]), SCHEDULES[schedule]))
    assert rhythm_in_words(looks) == words
    assert ("last new 2026-" in rhythm_with_last(looks)) is (rhythm != "never")


def test_a_file_that_was_made_again_of_the_same_days_brings_nothing_new() -> None:
    def dated(days: Iterable[tuple[int, int]]) -> list[Arrival]:
        return [
            Arrival(f"R{day:04d}", START + day * DAY + 6 * HOUR, f"content {day}", 10, 10, START + newest * DAY, False)
            for day, newest in days
        ]

    moving = [(day, day) for day in range(40)]
    assert looks_of(dated([*moving, (40, 40)])).late() is None
    stale = looks_of(dated([*moving, (40, 39)]))
    assert stale.late() is not None
    assert stale.remade
    standing = [(day, 0) for day in range(41)]
    assert looks_of(dated(standing)).late() is None, "a time that never moved says nothing"


def test_without_a_hash_the_size_stands_in() -> None:
    arrivals = [Arrival(f"R{day}", START + day * DAY, None, 100 + day, 1, None, False) for day in range(40)]
    assert all(looks_of(arrivals).news)
    again = [*arrivals, arrivals[-1]._replace(run="R40", at=START + 40 * DAY)]
    assert looks_of(again).late() is not None


def test_days_on_which_nothing_is_expected_teach_nothing() -> None:
    closed = frozenset(range(43, 78, 7))  # five Tuesdays, the day of the week of the late file
    arrivals = seen(files(FILES["every day"], days=85, late=closed | {85}), at_six, days=86)[:86]
    late = looks_of(arrivals)
    assert late.late() is None, "a Tuesday without a file is no surprise any more"
    holidays = {START + day * DAY for day in closed}
    found = late.late(exempt=lambda at: at // DAY * DAY in holidays)
    assert found is not None


times = st.lists(st.tuples(st.floats(0, 400 * DAY), st.integers(0, 6)), max_size=60)


@settings(max_examples=200, deadline=None)
@given(times)
def test_any_history_is_judged_without_an_error(found: list[tuple[float, int]]) -> None:
    arrivals = [Arrival(f"R{at}", START + at, str(content), 1, 1, None, False) for at, content in sorted(found)]
    looks = looks_of(arrivals)
    late = looks.late()
    assert rhythm_in_words(looks) or len(arrivals) < 2
    if late is not None:
        assert late.age > 0
        assert not looks.news[-1]
        assert looks.to_learn() == 0


@settings(max_examples=50, deadline=None)
@given(st.integers(30, 90), st.floats(0, WEEK), st.integers(0, 9))
def test_moving_all_runs_by_weeks_changes_nothing(days: int, by: float, seed: int) -> None:
    by = by // WEEK * WEEK + WEEK
    arrivals = seen(files(FILES["every weekday"], days=days - 1), at_six, days=days, seed=seed)
    moved = [one._replace(at=one.at + by) for one in arrivals]
    one, other = looks_of(arrivals).late(), looks_of(moved).late()
    assert (one is None) is (other is None)
    if one is not None and other is not None:
        assert one.age == pytest.approx(other.age)


def test_a_static_dataset_never_raises_and_a_clock_that_stood_does_no_harm() -> None:
    same = [Arrival(f"R{number}", START + number * 60.0, "a", 1, 1, None, True) for number in range(3_000)]
    assert list(alarms(same, since=2_990)) == []
    stood = Looks(at=(START,) * 50, runs=tuple(map(str, range(50))), news=(True,) * 49 + (False,))
    assert stood.late() is None

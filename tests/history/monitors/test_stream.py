"""The detector of dense series: what it must tell, what it must not, and what must not break it."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbops.history.monitors.stream import MEMORY, THRESHOLD, StreamDetector, _Episodes, scan

DAY, STEP = 86_400.0, 300.0


def daily(days: int, *, noise: float = 1.0, seed: int = 1) -> tuple[list[float], list[float]]:
    """Return times and values of a day's course, every five minutes."""
    chance = random.Random(seed)
    times = [place * STEP for place in range(int(days * DAY / STEP))]
    return times, [50.0 + 20.0 * math.sin(2.0 * math.pi * at / DAY) + chance.gauss(0.0, noise) for at in times]


def alarms(values: list[float], times: list[float] | None = None) -> list[int]:
    return [place for place, score in enumerate(scan(values, times)) if score >= THRESHOLD]


def test_a_spike_is_told_at_once_and_once() -> None:
    times, values = daily(6)
    for place in range(1_000, 1_006):
        values[place] += 60.0
    told = [place for place in alarms(values, times) if 990 <= place < 1_100]
    assert told == [1_000]


def test_a_value_that_is_normal_elsewhere_in_the_day_is_told_by_the_time_of_the_day() -> None:
    times, values = daily(9, noise=0.5)
    around = range(8 * 288 + 72, 8 * 288 + 108)  # the daily maximum is missing: the value of the night instead
    for place in around:
        values[place] = 50.0 + 0.1 * (place % 5)
    with_times, without = alarms(values, times), alarms(values)
    assert any(place in around for place in with_times)
    assert len([place for place in with_times if place in around]) >= len([place for place in without if place in around])


def test_a_new_level_is_told() -> None:
    chance = random.Random(3)
    values = [chance.gauss(10.0, 1.0) for _ in range(800)] + [chance.gauss(17.0, 1.0) for _ in range(200)]
    assert [place for place in alarms(values) if 800 <= place < 815]


def test_a_stuck_measurement_is_told() -> None:
    chance = random.Random(4)
    values = [chance.gauss(10.0, 1.0) for _ in range(1_500)] + [10.0] * 100
    assert [place for place in alarms(values) if 1_500 <= place < 1_560]


@pytest.mark.parametrize("seed", range(3))
def test_what_is_as_usual_is_rarely_told(seed: int) -> None:
    times, values = daily(14, seed=seed)
    assert len(alarms(values, times)) <= len(values) * 3 // 1_000


def test_a_constant_series_is_never_told_and_its_first_change_is() -> None:
    assert alarms([7.0] * 500) == []
    assert alarms([7.0] * 500 + [8.0]) == [500]
    assert max(scan([0.0] * 500)) == 0.0


def test_a_discrete_series_tells_a_value_never_seen() -> None:
    values = [float(place % 3) for place in range(400)] + [9.0]
    assert alarms(values) == [400]


def test_the_first_points_are_never_told() -> None:
    assert max(scan([1.0] * 50 + [1e9] * 50)) == 0.0


def test_nothing_of_the_future_is_used_and_nothing_is_random() -> None:
    times, values = daily(4)
    values[900] = 500.0
    whole = scan(values, times)
    assert scan(values[:901], times[:901]) == whole[:901]
    assert scan(values, times) == whole


def test_the_scale_does_not_matter() -> None:
    times, values = daily(4)
    values[900] = 500.0
    assert alarms([value * 4_096.0 for value in values], times) == alarms(values, times)


def test_missing_measurements_score_nothing_and_are_not_learned() -> None:
    times, values = daily(4)
    holes = [value for value in values for _ in range(2)]
    detector = StreamDetector()
    scores = []
    for place, value in enumerate(holes):
        missing = place % 2 == 1
        score = detector.update(times[place // 2], (math.nan, math.inf, -math.inf)[place % 3] if missing else value)
        if missing:
            assert score == 0.0
            assert not detector.is_anomaly
        else:
            scores.append(score)
    assert scores == scan(values, times)


def test_clocks_that_go_back_stand_still_or_are_unknown_do_not_break_it() -> None:
    _, values = daily(3)
    chance = random.Random(5)
    for times in (
        [0.0] * len(values),
        [-place * STEP for place in range(len(values))],
        [chance.uniform(-1e12, 1e12) for _ in values],
        [math.nan] * len(values),
        [math.inf if place % 2 else 1e300 for place in range(len(values))],
        [None if place % 2 else place * STEP for place in range(len(values))],
    ):
        scores = scan(values, times)
        assert all(0.0 <= score <= 1.0 for score in scores)


def test_gaps_of_months_do_not_break_it() -> None:
    times, values = daily(4)
    late = [at if place < 600 else at + 200 * DAY for place, at in enumerate(times)]
    assert len(alarms(values, late)) <= 5


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbops.history.monitors.stream.MEMORY", 300)
    monkeypatch.setattr("nbops.history.monitors.stream._PER_SLOT", 40)
    detector = StreamDetector()
    chance = random.Random(6)
    for place in range(2_000):
        detector.update(place * STEP, chance.random())
    for statistic in (detector._value, detector._mean, detector._spread):
        assert len(statistic._ever.numbers) <= 300
        assert len(statistic._ever_evidence._seen.numbers) <= 300
        assert all(len(slot.numbers) <= 40 for slot in statistic._times._slots.values())
        assert all(len(waiting) <= 40 for waiting in statistic._times._waiting.values())
    assert MEMORY == 20_000


def test_one_episode_is_told_once_unless_it_gets_worse() -> None:
    episodes = _Episodes()
    heard = [episodes.heard(evidence) for evidence in (3.0, 3.0, 3.1, 3.5, *[3.4] * 119, 3.4)]
    assert heard == [3.0, 1.5, 1.55, 3.5, *[1.7] * 119, 1.7]
    assert [episodes.heard(3.4), episodes.heard(3.4)] == [3.4, 1.7]


def test_what_stays_unusual_is_not_told_at_each_point() -> None:
    chance = random.Random(7)
    values = [chance.gauss(10.0, 1.0) for _ in range(1_000)]
    told = [place for place in alarms([*values, *[40.0] * 5, *[400.0] * 5]) if place >= 1_000]
    assert {1_000, 1_005} <= set(told)
    assert len(told) <= 3


@pytest.mark.parametrize(("threshold", "period"), [(0.0, 1.0), (1.1, 1.0), (math.nan, 1.0), (0.9, 0.0), (0.9, math.inf)])
def test_settings_out_of_range_are_refused(threshold: float, period: float) -> None:
    with pytest.raises(ValueError, match="allowed"):
        StreamDetector(threshold=threshold, period=period)


def test_as_many_times_as_values() -> None:
    with pytest.raises(ValueError, match="zip"):
        scan([1.0, 2.0], [0.0])
    assert scan([]) == []


NUMBERS = st.floats(allow_nan=True, allow_infinity=True, width=64)


@settings(max_examples=40, deadline=None)
@given(st.lists(NUMBERS, max_size=20), st.lists(st.none() | NUMBERS, min_size=1, max_size=7))
def test_any_numbers_give_scores_between_0_and_1(values: list[float], times: list[float | None]) -> None:
    base = [float(place % 7) for place in range(150)]
    both = [*base, *values]
    scores = scan(both, [times[place % len(times)] for place in range(len(both))])
    assert all(0.0 <= score <= 1.0 for score in scores)
    assert len(scores) == len(both)


def test_the_evidence_grows_with_the_distance() -> None:
    base = [float(place % 7) for place in range(300)]
    found = [scan([*base, value])[-1] for value in (7.0, 8.0, 20.0, 1e6)]
    assert all(one <= other for one, other in pairwise(found))
    assert found[0] < found[-1]

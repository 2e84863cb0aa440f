"""Slow leaks, several numbers that are near their limits at once, files that end early, and segments that seldom come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from nbops.history.index_details import details_of
from nbops.history.monitors.drift import drift_anomalies
from nbops.history.monitors.frame import DAY, Frame, ready
from nbops.history.monitors.joint import joint_anomalies
from nbops.history.monitors.leaks import leak_anomalies
from nbops.history.monitors.numbers import Judged, judge_frame
from nbops.history.monitors.telling import anomalies_of
from nbops.model import Distribution, Segment

if TYPE_CHECKING:
    from nbops.history.monitors.frame import Key

RUNS = 140
ROWS: Key = (None, "rowCount")


def noise(seed: int, size: float, runs: int = RUNS) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, size, runs)


def judged(series: dict[Key, np.ndarray]) -> Judged:
    runs = len(next(iter(series.values())))
    at = 1_700_006_400 + DAY * np.arange(runs)
    frame = Frame(
        subject="dataset:orders",
        keys=tuple(series),
        runs=tuple(map(str, range(runs))),
        at=at,
        values=np.array([*series.values()]),
    )
    return judge_frame(ready(frame, timed=frozenset()))


def rows(seed: int = 1, size: float = 0.05, runs: int = RUNS) -> np.ndarray:
    return np.round(1000 * np.exp(noise(seed, size, runs)))


def leaking(by_run: float, runs: int, *, seed: int = 2) -> np.ndarray:
    """Return shares of nulls that begin to grow so many runs before the end."""
    base = np.clip(0.01 + noise(seed, 0.003), 0.0, 1.0)
    steps = np.maximum(np.arange(RUNS) - (RUNS - runs) + 1, 0)
    return np.clip(base + 1 - (1 - by_run) ** steps, 0.0, 1.0)


@pytest.mark.parametrize("runs", [10, 15, 25])
def test_a_leak_of_one_in_a_hundred_a_run_is_found(runs: int) -> None:
    found = drift_anomalies(judged({ROWS: rows(), ("city", "nullRate"): leaking(0.01, runs)}))
    assert [(item.monitor, item.column, item.metric) for item in found] == [("drift", "city", "nullRate")]
    (one,) = found
    assert one.expected is not None
    assert one.expected.low is None
    assert one.expected.center == pytest.approx(0.01, abs=0.005)
    assert isinstance(one.observed, float)
    assert one.observed > (one.expected.high or 1.0)


@pytest.mark.parametrize("seed", range(20))
def test_what_does_not_leak_is_left_alone(seed: int) -> None:
    series = {ROWS: rows(seed, 0.3), ("city", "nullRate"): np.clip(0.02 + noise(seed, 0.01), 0.0, 1.0)}
    assert drift_anomalies(judged(series)) == []


def test_fewer_nulls_and_more_rows_are_no_leak() -> None:
    growing = np.round(rows() * 1.03 ** np.maximum(np.arange(RUNS) - 110, 0))
    assert leak_anomalies(judged({ROWS: growing})) == []
    assert drift_anomalies(judged({ROWS: growing, ("city", "nullRate"): leaking(0.02, 30)[::-1]})) == []


def falling(runs: int) -> np.ndarray:
    """Return the share of rows that is left, one in a hundred less in each of so many runs."""
    return 0.99 ** np.maximum(np.arange(RUNS) - (RUNS - runs) + 1, 0)


@pytest.mark.parametrize(("size", "runs"), [(0.02, 12), (0.05, 20), (0.25, 45)])
def test_lost_rows_are_found_the_sooner_the_steadier_a_dataset_is(size: float, runs: int) -> None:
    (found,) = leak_anomalies(judged({ROWS: np.round(rows(size=size) * falling(runs))}))
    assert (found.monitor, found.column, found.metric) == ("drift", None, "rowCount")
    assert found.expected is not None
    assert isinstance(found.observed, float)
    assert found.observed < (found.expected.low or 0.0) < (found.expected.center or 0.0)
    assert "less each run" in found.message


@pytest.mark.parametrize("seed", range(20))
def test_rows_that_only_differ_from_day_to_day_do_not_leak(seed: int) -> None:
    count = rows(seed, 0.3)
    invoices = np.round(count / np.exp(3.0 + noise(seed + 100, 0.25)))
    assert leak_anomalies(judged({ROWS: count, ("invoice", "distinctRate"): invoices / count})) == []


def test_lost_rows_under_a_business_that_grows_show_in_rows_per_invoice() -> None:
    invoices = np.round(100 * np.exp(0.02 * np.arange(RUNS) + noise(3, 0.1)))
    count = np.round(invoices * 20 * np.exp(noise(4, 0.2)) * falling(45))
    (found,) = leak_anomalies(judged({ROWS: count, ("invoice", "distinctRate"): invoices / count}))
    assert (found.column, found.metric) == ("invoice", "distinctRate")
    assert found.expected is not None
    assert isinstance(found.observed, float)
    assert found.observed > (found.expected.high or 1.0)


def test_a_business_that_falls_loses_no_rows_of_its_products() -> None:
    fall = falling(45) ** 2
    count, products = np.round(rows(size=0.1) * fall), np.round(400 * fall**0.5)
    found = leak_anomalies(judged({ROWS: count, ("product", "distinctRate"): products / count}))
    assert [item.metric for item in found] == ["rowCount"]


def test_a_weekly_rhythm_is_no_fall() -> None:
    weekly = np.where(np.arange(RUNS) % 7 < 5, 1000.0, 100.0) * np.exp(noise(5, 0.05))
    assert leak_anomalies(judged({ROWS: np.round(weekly)})) == []
    assert [item.metric for item in leak_anomalies(judged({ROWS: np.round(weekly * falling(30))}))] == ["rowCount"]


def test_a_business_that_rose_and_fell_before_must_do_so_faster() -> None:
    waves = np.round(rows() * np.exp(0.4 * np.sin(np.arange(RUNS) / 11.0)))
    assert leak_anomalies(judged({ROWS: waves})) == []


@pytest.mark.parametrize("runs", [1, 2, 14, 40, 56])
def test_with_little_history_nothing_is_said(runs: int) -> None:
    series = {ROWS: rows(runs=runs), ("city", "nullRate"): np.full(runs, np.nan)}
    assert drift_anomalies(judged(series)) == []
    assert leak_anomalies(judged(series)) == []
    assert joint_anomalies(judged(series), told=frozenset()) == []


def test_nulls_infinities_and_constants_raise_no_error() -> None:
    series: dict[Key, np.ndarray] = {
        ROWS: np.zeros(RUNS),
        ("a", "nullRate"): np.full(RUNS, np.nan),
        ("b", "nullRate"): np.zeros(RUNS),
        ("c", "missingRate"): np.where(np.arange(RUNS) % 2, np.nan, 1.0),
    }
    assert drift_anomalies(judged(series)) == []
    assert leak_anomalies(judged(series)) == []
    assert joint_anomalies(judged(series), told=frozenset()) == []


def with_last(values: np.ndarray, last: float) -> np.ndarray:
    made = values.copy()
    made[-1] = last
    return made


def clocked(count: float, latest: float) -> Judged:
    hours = 17.0 * 3600 + noise(7, 1200.0)
    return judged({ROWS: with_last(rows(size=0.25), count), ("at", "clock:1"): with_last(hours, latest * 3600)})


def test_few_rows_that_end_early_are_said_together() -> None:
    half = clocked(440, 15.7)
    assert anomalies_of(half, most=25) == []
    (found,) = joint_anomalies(half, told=frozenset())
    assert (found.monitor, found.column, found.metric) == ("volume", None, "rowCount")
    assert "15:42" in found.message


@pytest.mark.parametrize(("count", "latest"), [(1000, 15.7), (440, 17.0), (1600, 15.7), (440, 18.3), (700, 16.3)])
def test_a_slow_day_or_an_early_evening_alone_is_no_news(count: float, latest: float) -> None:
    assert joint_anomalies(clocked(count, latest), told=frozenset()) == []


def several(part: float) -> Judged:
    """Return three shares of a column, each in the last run at a part of its bound."""
    series: dict[Key, np.ndarray] = {ROWS: rows()}
    for number, value in enumerate(("1", "2", "4")):
        series["n", f"share:{value}"] = np.clip(0.2 + noise(number, 0.02), 0.0, 1.0)
    before = judged(series)
    for number, key in enumerate(before.frame.keys):
        if key[1].startswith("share:"):
            reach = (part + number / 1000) * before.bounds[number, -1] * before.spread[number, -1]
            edge = before.smoothed.expected[number, -1] + reach
            series[key] = with_last(series[key], before.scales[number].back(float(edge)))
    return judged(series)


def test_several_numbers_near_their_limits_are_one_anomaly() -> None:
    near = several(0.9)
    assert not [item for item in anomalies_of(near, most=25) if item.monitor != "distribution"]
    (found,) = joint_anomalies(near, told=frozenset())
    assert (found.monitor, found.column) == ("distribution", "n")
    assert found.message.count("usually") == 3
    assert joint_anomalies(near, told=frozenset({("shares", "n")})) == []
    assert joint_anomalies(several(0.6), told=frozenset()) == []


def test_the_same_number_under_two_names_counts_once() -> None:
    line = with_last(np.clip(0.2 + noise(1, 0.02), 0.0, 1.0), 0.292)
    twins = judged({ROWS: rows(), ("n", "share:1"): line, ("n", "share:2"): line, ("n", "share:3"): line})
    assert joint_anomalies(twins, told=frozenset()) == []


def test_powers_of_ten_are_shares_from_there_on() -> None:
    runs = 30
    usual: dict[Key, np.ndarray] = {
        ROWS: np.full(runs, 1000.0),
        ("price", "magnitude:e0"): np.full(runs, 0.7),
        ("price", "magnitude:e1"): np.full(runs, 0.3),
        ("price", "magnitude:e3"): with_last(np.full(runs, np.nan), 0.01),
    }
    made = judged(usual)
    values = {key[1]: made.frame.values[number, -1] for number, key in enumerate(made.frame.keys) if key[0] == "price"}
    assert values["magnitude:e3"] == pytest.approx(0.01)
    assert values["magnitude:e1"] == pytest.approx(0.31)
    assert "magnitude:e0" not in values
    assert [(item.monitor, item.column, item.metric) for item in anomalies_of(made, most=25)] == [
        ("magnitudes", "price", "magnitude:e3")
    ]


def test_the_oddest_segment_is_a_series_whichever_it_is() -> None:
    segments = [
        Segment(by="country", value="UK", rows=900, nulls=0, usual=450),
        Segment(by="country", value="Spain", rows=40, nulls=0, usual=4),
        Segment(by="country", value="EIRE", rows=60, nulls=0, usual=60),
        Segment(by="country", value="Malta", rows=3, nulls=0, usual=0),
    ]
    found = dict(details_of(Distribution(column="price", rows=1003, segments=tuple(segments))))
    assert found["price", "odd:country:usualRate"] == pytest.approx(0.1)


def test_ledgers_without_the_new_numbers_and_broken_ones_are_read() -> None:
    assert dict(details_of(Distribution(column="x", rows=10))) == {}
    odd = Distribution(column="x", rows=10, magnitudes={"soon": 3, "e1": 7}, top=float("nan"))
    assert dict(details_of(odd)) == {("x", "magnitude:e1"): 0.7}

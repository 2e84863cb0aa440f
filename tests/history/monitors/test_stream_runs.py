"""Datasets that are made many times a day are judged by the time of the day."""

from __future__ import annotations

import datetime as dt
import math
import random
from typing import TYPE_CHECKING

import pytest

from nbops.history.index import SeriesPoint, open_history
from nbops.history.monitors import judge
from nbops.history.monitors.stream_runs import dense_anomalies
from nbops.model import Dataset, Measurement, Run

if TYPE_CHECKING:
    from pathlib import Path

START = dt.datetime(2026, 1, 5, tzinfo=dt.timezone.utc)
KEY = (None, "rowCount")


def hourly(count: int, *, hours: float = 1.0) -> list[SeriesPoint]:
    """Return rows that are many by day and few by night."""
    chance = random.Random(1)
    points = []
    for number in range(count):
        at = START + dt.timedelta(hours=number * hours)
        rows = 10_000 * (1.2 + math.sin(2 * math.pi * at.hour / 24)) * chance.uniform(0.97, 1.03)
        points.append(SeriesPoint(run=f"r{number}", at=at, value=float(round(rows)), changed=True))
    return points


def judged(points: list[SeriesPoint], rows: float | None) -> list[object]:
    at = points[-1].at + (points[-1].at - points[-2].at) if len(points) > 1 else START
    return list(dense_anomalies("dataset:orders", {KEY: points}, at=at.timestamp(), rows=rows))


def test_the_rows_of_the_night_at_noon_are_told() -> None:
    points = hourly(390)  # the next is of 6 o'clock, when there are most
    (found,) = dense_anomalies(
        "dataset:orders", {KEY: points}, at=(points[-1].at + dt.timedelta(hours=1)).timestamp(), rows=5_000.0
    )
    assert (found.monitor, found.subject, found.metric, found.observed) == ("volume", "dataset:orders", "rowCount", 5_000.0)
    assert found.score >= 1.0
    assert found.expected is not None
    assert found.expected.center == pytest.approx(21_500, rel=0.05)
    assert "at this time of the day" in found.message


def test_what_is_usual_at_this_time_is_not() -> None:
    points = hourly(391)
    assert judged(points[:-1], points[-1].value) == []


@pytest.mark.parametrize("rows", [None, math.nan, math.inf])
def test_no_measurement_is_no_anomaly(rows: float | None) -> None:
    assert judged(hourly(390), rows) == []


def test_few_runs_and_daily_runs_are_left_to_the_other_monitors() -> None:
    assert judged(hourly(200), 0.0) == []
    assert judged(hourly(390, hours=24), 0.0) == []
    assert judged([], 0.0) == []


def test_a_little_more_than_ever_is_no_news() -> None:
    points = [SeriesPoint(run=str(n), at=START + dt.timedelta(hours=n), value=1_000.0, changed=True) for n in range(390)]
    assert judged(points, 1_010.0) == []
    assert len(judged(points, 1_500.0)) == 1


def test_clocks_that_go_back_do_not_break_it() -> None:
    assert isinstance(judged(hourly(390)[::-1], 0.0), list)


def a_run(number: int, rows: int) -> Run:
    at = START + dt.timedelta(hours=number)
    dataset = Dataset(
        name="orders",
        task="load",
        path="data/orders.parquet",
        format="parquet",
        rows=rows,
        content_hash=f"{number:08x}",
        measurements=(Measurement(metric="rowCount", value=rows),),
        verdict="passed",
    )
    return Run(
        id=f"{at:%Y%m%dT%H%M%SZ}-{number:06x}",
        status="succeeded",
        verdict="passed",
        pipeline="shop",
        command="ploomber build",
        started_at=f"{at:%Y-%m-%dT%H:%M:%SZ}",
        datasets=(dataset,),
    )


def test_all_monitors_together_tell_it_once(tmp_path: Path) -> None:
    points = hourly(331)
    with open_history(tmp_path / "reports", tmp_path / "cache") as history:
        for number, point in enumerate(points[:-1]):
            history.add(a_run(number, int(point.value)))
        usual, low = a_run(330, int(points[-1].value)), a_run(330, 5_000)
        history.add(usual)
        assert [item.monitor for item in judge(usual, history).raised if item.monitor == "volume"] == []
        history.add(low)
        judgement = judge(low, history)
    assert judgement.errors == ()
    (found,) = [item for item in judgement.raised if item.monitor == "volume"]
    assert found.observed == 5_000
    assert found.expected is not None
    assert found.expected.method == "nearest neighbours"

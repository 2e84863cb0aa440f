"""The monitors over runs that are made up: what they find, what they leave alone, and that nothing stops them."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from nbops.contract.config_monitoring import Monitoring, MonitoringOf
from nbops.history.expected import Correction
from nbops.history.index import History, open_history
from nbops.history.monitors import bands, judge
from nbops.model import Column, Dataset, Measurement, Run, TaskRun

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST = dt.date(2026, 1, 5)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with open_history(tmp_path / "reports", tmp_path / "cache") as found:
        yield found


def a_run(number: int, *, rows: int = 1000, nulls: int = 10, columns: str = "id,amount,city", day: dt.date | None = None) -> Run:
    day = day or FIRST + dt.timedelta(days=number)
    stamp = dt.datetime.combine(FIRST, dt.time(), dt.timezone.utc) + dt.timedelta(days=number)
    names = columns.split(",")
    dataset = Dataset(
        name="orders",
        task="load",
        path="data/orders.parquet",
        format="parquet",
        rows=rows,
        bytes=rows * 40,
        content_hash=f"{number:08x}",
        columns=tuple(Column(name=name, physical_type="BIGINT") for name in names),
        measurements=(
            Measurement(metric="rowCount", value=rows),
            Measurement(metric="nullValues", column=names[-1], value=nulls),
            Measurement(metric="mean", column=names[0], value=50.0 + number % 3),
        ),
        verdict="passed",
    )
    return Run(
        id=f"{stamp:%Y%m%dT%H%M%SZ}-{number:06x}",
        status="succeeded",
        verdict="passed",
        pipeline="shop",
        command="ploomber build",
        started_at=f"{stamp:%Y-%m-%dT%H:%M:%SZ}",
        logical_date=day.isoformat(),
        datasets=(dataset,),
        tasks=(TaskRun(name="load", kind="notebook", status="succeeded", seconds=10.0 + number % 4),),
    )


def wobble(number: int) -> int:
    return int(1000 + 60 * math.sin(number * 2.3) + 30 * math.cos(number * 1.1))


def fill(history: History, count: int = 40, **options: str) -> None:
    for number in range(count):
        history.add(a_run(number, rows=wobble(number), nulls=10 + number % 4, **options))  # type: ignore[arg-type]


def found(history: History, run: Run, **options: object) -> set[tuple[str, str | None]]:
    history.add(run)
    judgement = judge(run, history, **options)  # type: ignore[arg-type]
    assert not judgement.errors
    return {(item.monitor, item.column) for item in judgement.raised}


def test_an_ordinary_run_raises_nothing_and_says_what_was_judged(history: History) -> None:
    fill(history)
    run = a_run(40, rows=1010)
    history.add(run)
    judgement = judge(run, history)
    assert judgement.anomalies == ()
    counts = {item.monitor: item for item in judgement.counts}
    assert counts["volume"].judged == 2
    assert counts["schema"].judged == 1
    assert counts["duration"].judged == 1


def test_half_of_the_rows_are_missed(history: History) -> None:
    fill(history)
    run = a_run(40, rows=400)
    history.add(run)
    (first, *_) = judge(run, history).raised
    assert (first.monitor, first.subject) == ("volume", "dataset:orders")
    assert first.expected is not None
    assert first.expected.low is not None
    assert first.expected.high is not None
    assert 700 < first.expected.low < 1000 < first.expected.high < 1500 or first.metric == "bytes"
    assert "runs before" in first.expected.basis
    assert first.score > 1


def test_nulls_that_were_few_and_are_many(history: History) -> None:
    fill(history)
    assert ("nulls", "city") in found(history, a_run(40, nulls=300))


@pytest.mark.parametrize(
    ("columns", "metric", "column"),
    [
        ("id,amount,town", "renamed:city", "town"),
        ("id,amount,city,more", "added", "more"),
        ("id,city", "removed", "amount"),
        ("amount,id,city", "order", None),
    ],
)
def test_changes_of_the_columns_are_named(history: History, columns: str, metric: str, column: str | None) -> None:
    fill(history, 3)
    run = a_run(3, columns=columns)
    history.add(run)
    schema = [item for item in judge(run, history).raised if item.monitor == "schema"]
    assert (metric, column) in {(item.metric, item.column) for item in schema} or columns.endswith("town")


def test_with_little_history_it_is_learning(history: History) -> None:
    fill(history, 5)
    run = a_run(5, rows=3)
    history.add(run)
    judgement = judge(run, history)
    assert judgement.anomalies == ()
    assert {item.monitor: item.learning for item in judgement.counts}["volume"] == 2


def test_the_first_run_of_all_is_judged_without_error(history: History) -> None:
    run = a_run(0)
    history.add(run)
    judgement = judge(run, history)
    assert (judgement.anomalies, judgement.errors) == ((), ())


def test_a_weekly_rhythm_is_known_and_its_break_is_seen(history: History) -> None:
    for number in range(60):
        weekend = (FIRST + dt.timedelta(days=number)).weekday() >= 5
        history.add(a_run(number, rows=wobble(number) // (10 if weekend else 1)))
    saturday, monday = a_run(61, rows=100), a_run(63, rows=100)
    assert dt.date.fromisoformat(saturday.logical_date or "").weekday() == 5
    assert found(history, saturday) == set()
    history.add(a_run(62, rows=98))
    assert ("volume", None) in found(history, monday)


def test_a_level_that_shifts_becomes_the_new_normal(history: History) -> None:
    for number in range(60):
        history.add(a_run(number, rows=wobble(number) * (3 if number >= 40 else 1)))
    assert found(history, a_run(60, rows=3000)) == set()
    assert ("volume", None) in found(history, a_run(61, rows=600))


def test_outliers_in_the_history_do_not_blind(history: History) -> None:
    for number in range(60):
        history.add(a_run(number, rows=9 if number in {22, 37} else wobble(number)))
    assert found(history, a_run(60, rows=1020)) == set()


def test_nothing_new_where_something_new_comes_every_day(history: History) -> None:
    fill(history)
    late = a_run(40)
    old = a_run(39, rows=wobble(39), nulls=13)
    late = replace(late, datasets=(replace(old.datasets[0], changed=False),))
    assert ("freshness", None) in found(history, late)


def test_a_correction_marks_it_and_raises_nothing(history: History) -> None:
    fill(history)
    run = a_run(40, rows=400)
    sale = Correction(id="EXP-1", subject="dataset:orders", since="2026-02-10", until="2026-02-20", reason="shop was closed")
    history.add(run)
    judgement = judge(run, history, expected=(sale,))
    assert judgement.raised == ()
    assert {item.accepted for item in judgement.anomalies} == {"EXP-1"}


def test_sensitivity_and_switching_off(history: History) -> None:
    fill(history)
    low = Monitoring(datasets={"orders": MonitoringOf(sensitivity="low")})
    assert ("volume", None) in found(history, a_run(40, rows=600))
    assert ("volume", None) not in found(history, a_run(40, rows=780), settings=low)
    assert found(history, a_run(40, rows=1), settings=Monitoring(enabled=False)) == set()
    off = Monitoring(datasets={"orders": MonitoringOf(enabled=False)})
    assert found(history, a_run(40, rows=1), settings=off) == set()


def test_a_monitor_that_fails_is_counted_and_the_rest_goes_on(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(history)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("nbops.history.monitors.judging.judge_schema", broken)
    run = a_run(40, rows=300)
    history.add(run)
    judgement = judge(run, history)
    assert "volume" in {item.monitor for item in judgement.raised}
    assert {item.monitor: item.errored for item in judgement.counts}["schema"] == 1
    assert "boom" in judgement.errors[0]


def test_a_history_that_cannot_be_read_is_one_fault_and_not_that_of_others(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(history)
    run = a_run(40, rows=300)
    history.add(run)

    def broken(*_: object, **__: object) -> None:
        raise OSError("no disk")

    monkeypatch.setattr(history, "datasets", broken)
    judgement = judge(run, history)
    assert {item.monitor for item in judgement.counts if item.errored} == {"schema"}
    assert "volume" in {item.monitor for item in judgement.raised}
    assert len(judgement.errors) == 1


def test_gaps_clocks_that_go_back_and_ids_twice(history: History) -> None:
    fill(history, 30)
    history.add(a_run(3, rows=5))  # an id twice
    history.add(a_run(31, day=dt.date(2027, 9, 1)))  # a gap of months
    history.add(a_run(32, day=dt.date(2020, 1, 1)))  # a clock that goes back
    for number, day in ((33, dt.date(1970, 1, 1)), (34, dt.date(2030, 1, 1))):
        run = a_run(number, rows=1000, day=day)
        history.add(run)
        assert judge(run, history).errors == ()


def test_numbers_that_are_none_and_constants(history: History) -> None:
    odd = (
        Measurement(metric="mean", column="id", value=math.nan),
        Measurement(metric="maximum", column="id", value=math.inf),
        Measurement(metric="minimum", column="id", value=0.0),
        Measurement(metric="standardDeviation", column="id", value=1e300),
        Measurement(metric="nullValues", column="city", value=1000),
    )
    for number in range(31):
        run = a_run(number, rows=1000)
        run = replace(run, datasets=(replace(run.datasets[0], measurements=odd),))
        history.add(run)
        judgement = judge(run, history)
        assert (judgement.anomalies, judgement.errors) == ((), ())


def test_bands_say_what_was_expected_of_every_point(history: History) -> None:
    fill(history)
    points = history.points("dataset:orders", None, "rowCount")
    expected = bands(points, metric="rowCount")
    assert len(expected) == len(points)
    assert expected[3].basis == "learning: 11 more runs to go"
    inside = [
        (band.low or 0) <= point.value <= (band.high or 0) for band, point in zip(expected, points, strict=True) if band.high
    ]
    assert len(inside) == 26
    assert all(inside)
    assert bands([], metric="rowCount") == []

"""The history's index: all of it from ledgers, the same in whatever order and however often they are read."""

from __future__ import annotations

import math
import random
import shutil
import sqlite3
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbops.history import index_sync
from nbops.history.index import FILE, History, open_history
from nbops.model import Column, Dataset, Distribution, Measurement, Run, TaskRun
from nbops.quality.probabilities import PROBABILITIES
from nbops.record.store import ledger_path, write_run

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def name(number: int) -> str:
    return f"{START + timedelta(hours=number):%Y%m%dT%H%M%SZ}-{number:06x}"


def dataset(rows: int | None = 100, **more: Any) -> Dataset:
    categories = more.pop("categories", {"DE": 40, "FR": 50})
    others = more.pop("others", 0)
    measured = (
        Measurement(metric="nullValues", column="a", value=10),
        Measurement(metric="distinctValues", column="a", value=30),
        Measurement(metric="mean", column="a", value=1.5),
        Measurement(metric="maximum", column="t", value="2026-01-01 00:00:00"),
        Measurement(metric="minimumLength", column="c", error="no such column"),
        Measurement(metric="invalidValues", column="a", arguments=(("minimum", 3),), value=5),
    )
    return Dataset(
        name="orders",
        task="t",
        path="orders.parquet",
        format="parquet",
        columns=(Column(name="a", physical_type="BIGINT"), Column(name="c", physical_type="VARCHAR")),
        rows=rows,
        bytes=1000,
        measurements=more.pop("measurements", measured),
        distributions=(
            Distribution(column="a", rows=90, quantiles=tuple(float(n) for n in range(len(PROBABILITIES)))),
            Distribution(column="c", rows=90, categories=categories, others=others, patterns={"aa": 90}),
        ),
        storage={"bom": False, "delimiter": ","},
        verdict="passed",
        **{"content_hash": f"h{rows}", **more},
    )


def run(number: int, item: Dataset | None = None, **more: Any) -> Run:
    return Run(
        **{
            "id": name(number),
            "status": "succeeded",
            "verdict": "passed",
            "pipeline": "p",
            "command": "ploomber build",
            "started_at": f"{START + timedelta(hours=number):%Y-%m-%dT%H:%M:%SZ}",
            "tasks": (TaskRun(name="t", kind="notebook", status="succeeded", seconds=2.5, peak_memory_bytes=1_000),),
            "datasets": (dataset(100 + number) if item is None else item,),
            **more,
        }
    )


def dated(number: int, day: str, rows: int) -> Run:
    return run(number, dataset(rows), logical_date=day, parameters={"day": day, "region": "EU"})


def values(history: History, metric: str, column: str | None = None, **more: Any) -> list[float]:
    return [point.value for point in history.points("dataset:orders", column, metric, **more)]


def everything(history: History) -> Any:
    found = {subject: history.series(subject) for subject in history.subjects()}
    return found, history.datasets("orders", limit=1000), history.runs(limit=1000)


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "reports", tmp_path / "cache"


def test_numbers_of_a_run_are_series_of_its_dataset_and_task(places: tuple[Path, Path]) -> None:
    with open_history(*places) as history:
        history.add(run(0))
        series = history.series("dataset:orders")
        found = {key: points[0].value for key, points in series.items()}
        assert found[None, "rowCount"] == 100
        assert found[None, "bytes"] == 1000
        assert found["a", "nullRate"] == 0.1
        assert found["a", "distinctRate"] == pytest.approx(30 / 90)
        assert found["a", "invalidRate"] == 0.05
        assert found["a", "quantile:0.5"] == 5
        assert found["c", "share:DE"] == pytest.approx(4 / 9)
        assert found["c", "others"] == 0
        assert found[None, "age"] == 0
        assert found["t", "maximum"] == START.timestamp()
        assert not any(key[1] == "minimumLength" for key in found)
        assert {key: points[0].value for key, points in history.series("task:t").items()} == {
            (None, "seconds"): 2.5,
            (None, "peakMemory"): 1000,
        }
        assert history.subjects() == ["dataset:orders", "task:t"]
        entry = history.datasets("orders")[0]
        assert entry.distributions == dataset().distributions
        assert [(c.name, c.physical_type, c.nullable) for c in entry.columns] == [("a", "BIGINT", True), ("c", "VARCHAR", None)]
        assert entry.storage == {"bom": False, "delimiter": ","}


def test_what_was_added_is_what_the_ledgers_say(places: tuple[Path, Path], tmp_path: Path) -> None:
    reports, cache = places
    runs = [run(number) for number in range(5)]
    runs.append(run(5, replace(dataset(104), from_run=name(4), changed=False), tasks=()))
    with open_history(reports, cache) as history:
        for one in runs:
            write_run(reports, one)
            history.add(one)
        added = everything(history)
        assert history.sync() == 6  # what was added may have been recorded otherwise since
        assert history.sync() == 0
        assert everything(history) == added
    with open_history(reports, tmp_path / "other") as again:
        assert again.sync() == 6
        assert everything(again) == added


def test_a_run_is_added_once_however_often(places: tuple[Path, Path]) -> None:
    with open_history(*places) as history:
        history.add(run(0))
        history.add(run(0, dataset(7)))
        assert values(history, "rowCount") == [7]
        assert len(history.runs()) == 1


def test_what_was_carried_over_is_marked_and_has_the_numbers_of_its_home(places: tuple[Path, Path]) -> None:
    with open_history(*places) as history:
        history.add(run(0))
        history.add(run(1, replace(dataset(100), from_run=name(0), changed=False)))
        history.add(run(2, replace(dataset(100), changed=False)))
        history.add(run(3, dataset(3)))
        points = history.points("dataset:orders", None, "rowCount")
        assert [(point.value, point.changed) for point in points] == [(100, True), (100, False), (100, False), (3, True)]
        assert values(history, "age") == [0, 3600, 7200, 10800]
        intervals = history.points("dataset:orders", None, "interval")
        assert [(point.value, point.changed) for point in intervals] == [(3600, False), (7200, False), (10800, True)]
        assert len(history.datasets("orders")[1].distributions) == 2


def test_builds_with_nothing_to_do_push_no_point_out(places: tuple[Path, Path]) -> None:
    with open_history(*places) as history:
        for number in range(4):
            history.add(run(number))
        for number in range(4, 10):
            history.add(run(number, replace(dataset(103), from_run=name(3), changed=False)))
        points = history.points("dataset:orders", None, "rowCount", limit=3)
        assert [point.value for point in points if point.changed] == [101, 102, 103]


def test_a_date_that_is_built_again_is_no_new_day(places: tuple[Path, Path]) -> None:
    with open_history(*places) as history:
        history.add(dated(0, "2011-01-04", 4))
        history.add(dated(1, "2011-01-06", 6))
        history.add(dated(2, "2011-01-05", 5))
        history.add(dated(3, "2011-01-04", 44))
        assert values(history, "rowCount") == [44, 5, 6]
        assert values(history, "rowCount", before=name(1)) == [4]
        assert values(history, "rowCount", before=name(2)) == [4]
        assert values(history, "rowCount", before=name(3)) == []
        assert [entry.rows for entry in history.datasets("orders")] == [44, 5, 6]
        assert history.points("dataset:orders", None, "rowCount")[0].at == datetime(2011, 1, 4, tzinfo=timezone.utc)
        assert len({entry.parameters_hash for entry in history.runs()}) == 1


def test_a_category_that_is_not_there_has_no_share_where_all_are_known(places: tuple[Path, Path]) -> None:
    with open_history(*places) as history:
        history.add(run(0))
        history.add(run(1, dataset(1, categories={"DE": 90}, others=0)))
        history.add(run(2, dataset(2, categories={"DE": 80}, others=10)))
        assert values(history, "share:FR", "c") == [pytest.approx(5 / 9), 0.0]
        assert values(history, "share:DE", "c") == [pytest.approx(4 / 9), 1.0, pytest.approx(8 / 9)]


def test_current_points_are_those_of_the_run(places: tuple[Path, Path]) -> None:
    with open_history(*places) as history:
        history.add(run(0))
        history.add(run(2))
        last = run(5, dataset(1))
        history.add(last)
        found = history.current(last)
        assert found["dataset:orders"][None, "rowCount"].value == 1
        assert found["dataset:orders"][None, "interval"].value == 3 * 3600
        assert found["task:t"][None, "seconds"].value == 2.5
        assert {point.run for points in found.values() for point in points.values()} == {last.id}


def test_ledgers_that_come_change_and_go_are_noticed(places: tuple[Path, Path]) -> None:
    reports, cache = places
    for number in (1, 2, 4):
        write_run(reports, run(number))
    with open_history(reports, cache) as history:
        assert history.sync() == 3
        write_run(reports, run(3))  # one that a merge brought
        write_run(reports, run(2, dataset(222)))
        shutil.rmtree(ledger_path(reports, name(1)).parent)
        assert history.sync() == 2
        assert values(history, "rowCount") == [222, 103, 104]
        assert history.sync() == 0


def test_an_old_ledger_that_was_edited_is_found_in_turn(places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    reports, cache = places
    monkeypatch.setattr(index_sync, "_NEWEST", 2)
    monkeypatch.setattr(index_sync, "_IN_TURN", 3)
    for number in range(10):
        write_run(reports, run(number))
    with open_history(reports, cache) as history:
        history.sync()
        write_run(reports, run(5, dataset(5)))
        assert sum(history.sync() for _ in range(4)) == 1
        assert values(history, "rowCount")[5] == 5


def test_damaged_ledgers_are_passed_over_and_read_once_they_are_mended(places: tuple[Path, Path]) -> None:
    reports, cache = places
    for number in range(3):
        write_run(reports, run(number))
    good = ledger_path(reports, name(1)).read_bytes()
    ledger_path(reports, name(1)).write_text("{torn")
    (reports / "runs" / name(7)).mkdir()
    (reports / "runs" / "notes").mkdir()
    with open_history(reports, cache) as history:
        assert history.sync() == 2
        assert history.sync() == 0
        ledger_path(reports, name(1)).write_bytes(good)
        assert history.sync() == 1
        assert len(values(history, "rowCount")) == 3


def test_a_run_that_goes_on_has_no_numbers_yet(places: tuple[Path, Path]) -> None:
    reports, cache = places
    write_run(reports, run(0, status="running"))
    with open_history(reports, cache) as history:
        assert history.sync() == 1
        assert history.subjects() == []
        assert history.runs()[0].status == "running"
        write_run(reports, run(0))
        assert history.sync() == 1
        assert values(history, "rowCount") == [100]


def test_the_newest_come_first_where_not_all_are_read(places: tuple[Path, Path]) -> None:
    reports, cache = places
    for number in range(6):
        write_run(reports, run(number))
    with open_history(reports, cache) as history:
        assert history.sync(most=2) == 2
        assert values(history, "rowCount") == [104, 105]
        assert history.sync(most=3) == 3
        assert history.sync() == 1
        assert values(history, "rowCount") == [100, 101, 102, 103, 104, 105]


def test_distributions_are_put_together_of_as_many_entries_as_asked(places: tuple[Path, Path]) -> None:
    with open_history(*places) as history:
        for number in range(4):
            history.add(run(number))
        history.add(run(4, replace(dataset(7), columns=(), distributions=())))
        whole = history.datasets("orders")
        for asked in (0, 1, 2, 9):
            found = history.datasets("orders", spreads=asked)
            told = [bool(entry.distributions) for entry in found]
            assert told == [place >= 4 - asked and place < 4 for place in range(5)]
            assert [replace(entry, distributions=()) for entry in found] == [replace(e, distributions=()) for e in whole]
            assert all(not entry.distributions or entry == other for entry, other in zip(found, whole, strict=True))


def test_rows_that_do_not_hold_what_their_layout_says_are_never_taken_for_others(places: tuple[Path, Path]) -> None:
    """Two that together are as long as they should be are damaged all the same: the index is made anew."""
    reports, cache = places
    for number in range(4):
        write_run(reports, run(number))
    with open_history(reports, cache) as history:
        history.sync()
        whole = history.table("dataset:orders", name(9))
    connection = sqlite3.connect(cache / FILE)
    rows = connection.execute(
        "SELECT f.id, numbers FROM facts f JOIN subjects s ON s.id = f.subject WHERE s.name = 'dataset:orders'"
    )
    (first, one), (second, other), *_ = rows.fetchall()
    for place, numbers in ((first, one + other[:8]), (second, other[8:])):
        connection.execute("UPDATE facts SET numbers = ? WHERE id = ?", (numbers, place))
    connection.commit()
    connection.close()
    with open_history(reports, cache) as history:
        found = history.table("dataset:orders", name(9))
    assert found.values.tobytes() == whole.values.tobytes()


@pytest.mark.parametrize("damage", ["text", "other version", "no tables", "torn", "lost pages", "empty"])
def test_a_damaged_index_is_made_anew(places: tuple[Path, Path], damage: str) -> None:
    reports, cache = places
    for number in range(30):
        write_run(reports, run(number))
    with open_history(reports, cache) as history:
        history.sync()
        whole = everything(history)
    path = cache / FILE
    if damage == "text":
        path.write_text("this is no database" * 100)
    elif damage == "torn":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif damage == "lost pages":
        data = bytearray(path.read_bytes())
        data[4096:] = b"\xff" * (len(data) - 4096)
        path.write_bytes(bytes(data))
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA user_version = 99" if damage == "other version" else "DROP TABLE facts")
        connection.commit()
        connection.close()
    with open_history(reports, cache) as history:
        history.sync()
        assert everything(history) == whole
        assert not history.in_memory


def test_where_nothing_can_be_written_it_is_kept_in_memory(places: tuple[Path, Path]) -> None:
    reports, cache = places
    write_run(reports, run(0))
    cache.write_text("a file where the folder should be")
    with open_history(reports, cache) as history:
        assert history.in_memory
        assert history.sync() == 1
        assert values(history, "rowCount") == [100]


def test_an_index_that_another_process_holds_does_not_stop_a_run(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    reports, cache = places
    write_run(reports, run(0))
    open_history(reports, cache).close()
    holder = sqlite3.connect(cache / FILE)
    holder.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr("nbops.history.index._WAIT", 0.01)
    with open_history(reports, cache) as history:
        assert history.in_memory
        assert history.sync() == 1
    holder.close()
    assert (cache / FILE).exists()


def test_hostile_names_and_values_are_kept_as_they_are(places: tuple[Path, Path]) -> None:
    odd = ["<script>", "'; DROP TABLE facts; --", 'quo"te', "nul\0", "💥", "\u2028", "", "Ünï"]
    reports, cache = places
    columns = tuple(Column(name=text, physical_type="VARCHAR") for text in odd)
    spread = tuple(Distribution(column=text, rows=5, categories=dict.fromkeys(odd, 1), others=0) for text in odd)
    one = run(0, replace(dataset(), name="'; --\"<b>", columns=columns, distributions=spread))
    write_run(reports, one)
    with open_history(reports, cache) as history:
        history.add(one)
        series = history.series("dataset:'; --\"<b>")
        assert all(series[column, f"share:{value}"][0].value == 0.2 for column in odd for value in odd)
        assert [column.name for column in history.datasets("'; --\"<b>")[0].columns] == odd
        history.sync()
        assert len(history.series("dataset:'; --\"<b>")) == len(series)


def test_numbers_that_are_none_are_left_out(places: tuple[Path, Path]) -> None:
    odd = (math.nan, math.inf, True, "NaN", None, 10**400)
    measured = tuple(Measurement(metric="mean", column=f"c{n}", value=value) for n, value in enumerate(odd))
    one = run(0, dataset(None, measurements=measured, content_hash=None), started_at="yesterday", logical_date="soon")
    with open_history(*places) as history:
        history.add(one)
        series = history.series("dataset:orders")
        assert not any(metric == "mean" for _, metric in series)
        assert all(math.isfinite(point.value) for points in series.values() for point in points)
        assert history.runs()[0].at == START


def test_five_thousand_columns(places: tuple[Path, Path]) -> None:
    columns = tuple(Column(name=f"c{n}", physical_type="DOUBLE") for n in range(5000))
    spread = tuple(Distribution(column=f"c{n}", rows=9, quantiles=tuple(map(float, range(11)))) for n in range(5000))
    with open_history(*places) as history:
        for number in range(3):
            history.add(run(number, replace(dataset(number), columns=columns, distributions=spread)))
        assert len(history.series("dataset:orders")) > 55_000
    assert (places[1] / FILE).stat().st_size < 4_000_000


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    days=st.lists(st.sampled_from([None, "2011-01-01", "2011-01-02", "2011-01-03", "soon"]), min_size=1, max_size=8),
    seed=st.integers(0, 99),
)
def test_the_order_of_reading_makes_no_difference(tmp_path: Path, days: list[str | None], seed: int) -> None:
    runs = [run(number, logical_date=day) for number, day in enumerate(days)]
    found = []
    for order in (runs, random.Random(seed).sample(runs, len(runs))):
        (tmp_path / FILE).unlink(missing_ok=True)
        with History(tmp_path / "none", tmp_path) as history:
            for one in order:
                history.add(one)
            found.append(everything(history))
    assert found[0] == found[1]


def test_a_table_holds_what_series_say(tmp_path: Path) -> None:
    draws = random.Random(3)
    with open_history(tmp_path / "reports", tmp_path) as history:
        for number in range(30):
            some = {one: draws.randrange(1, 40) for one in draws.sample(["DE", "FR", "IT", "ES"], draws.randrange(1, 4))}
            item = dataset(draws.choice([None, 100, 103 + number]), categories=some, others=draws.choice([0, 0, 4]))
            if number % 5 == 4:
                item = replace(item, from_run=name(number - 1), changed=False)
            dates = {"logical_date": f"2026-01-{draws.randrange(1, 29):02d}"} if number % 3 == 0 else {}
            history.add(run(number, item, **dates))
        for subject in ("dataset:orders", "task:t"):
            for number in (0, 7, 29):
                for limit in (3, 400):
                    series = history.series(subject, before=name(number), limit=limit)
                    table = history.table(subject, name(number), limit=limit)
                    intervals = series.pop((None, "interval"), [])
                    assert {key: table.points(key) for key in table.keys} == series
                    assert list(table.keys) == list(series), "ties are told in this order"
                    assert list(table.intervals) == intervals
            assert (
                history.newest(subject)
                == max((point.at, point.run) for points in history.series(subject).values() for point in points if point.changed)[
                    1
                ]
            )
        assert history.newest("dataset:none") is None

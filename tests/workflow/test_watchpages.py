"""What pages are given of monitoring: from ledgers and history, whatever state caches and settings are in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from nbops.history.index import open_history
from nbops.history.monitors import judge
from nbops.model import Anomaly, Column, Dataset, Measurement, MonitorCount, Run
from nbops.record.store import read_run, write_run
from nbops.workflow.watchpages import watch_of

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = (Column(name="amount", physical_type="DOUBLE"),)
OUT = Anomaly(monitor="volume", subject="dataset:orders", metric="rowCount", observed=7, score=9.0)


def _run(number: int, *, changed: bool = True) -> Run:
    rows = 100 + number % 5 if number != 24 else 7
    measured = (
        Measurement(metric="nullValues", column="amount", value=number % 3),
        Measurement(metric="mean", column="amount", value=10.0 + number % 4),
    )
    item = Dataset(name="orders", task="orders", path="o.parquet", format="parquet", columns=COLUMNS, rows=rows, bytes=900,
                   measurements=measured, changed=changed, content_hash=f"sha256:{number}",
                   from_run=None if changed else _id(number - 1))  # fmt: skip
    found = (OUT,) if number == 24 else ()
    counts = (MonitorCount(monitor="volume", judged=2),) if changed else ()
    return Run(id=_id(number), status="succeeded", verdict="passed", pipeline="p", command="c",
               started_at=f"2026-01-{number + 1:02d}T06:00:00Z", datasets=(item,), anomalies=found, monitors=counts)  # fmt: skip


def _id(number: int) -> str:
    return f"202601{number + 1:02d}T060000Z-{number:06x}"


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    for number in range(25):
        write_run(tmp_path / "reports", _run(number))
    return tmp_path / "reports"


def test_runs_say_what_they_measured_and_what_was_out_of_the_ordinary(reports: Path) -> None:
    idle = _run(25, changed=False)
    write_run(reports, idle)
    watch = watch_of(reports.parent, reports, read_run(reports, idle.id))
    assert [run.run for run in watch.runs] == [_id(number) for number in range(25)], "a run with nothing to judge is left out"
    assert [(run.run, one.metric) for run, one in watch.raised("dataset:orders")] == [(_id(24), "rowCount")]
    assert watch.last_of("orders") == watch.runs[-1]
    assert watch.last_of("nothing") is None


def test_series_have_bands_once_they_were_learned_and_the_one_that_is_out_comes_first(reports: Path) -> None:
    watch = watch_of(reports.parent, reports, read_run(reports, _id(24)))
    first, *others = watch.bands("orders", False)
    assert (first.column, first.metric) == (None, "rowCount")
    assert [point.value for point in first.points][-2:] == [103, 7]
    assert [point.low is None for point in first.points] == [True] * 14 + [False] * 11
    assert first.points[-1].low is not None
    assert first.points[-1].low > 7
    assert ("amount", "nullRate") in {(one.column, one.metric) for one in others}
    assert {one.metric for one in watch.bands("orders", True)} == {"rowCount", "interval"}
    assert list(watch.bands("no such dataset", False)) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1, "runs": [1]}', '{"version": 1, "runs": {"x": 1}}', "\0" * 50])
def test_a_damaged_cache_or_setting_changes_nothing(reports: Path, text: str) -> None:
    run = read_run(reports, _id(24))
    before = watch_of(reports.parent, reports, run).runs
    (reports.parent / ".nbops/cache/watched.json").write_text(text, encoding="utf-8")
    (reports.parent / "pyproject.toml").write_text("[tool.nbops.monitoring]\nsensitivity = 3\n", encoding="utf-8")
    assert watch_of(reports.parent, reports, run).runs == before


def test_a_ledger_that_changed_is_read_again(reports: Path) -> None:
    run = read_run(reports, _id(24))
    watch_of(reports.parent, reports, run)
    write_run(reports, replace(_run(20), anomalies=(OUT, replace(OUT, metric="bytes"))))
    watch = watch_of(reports.parent, reports, run)
    assert [(at.run, one.metric) for at, one in watch.raised("dataset:orders")][1:] == [(_id(20), "bytes"), (_id(20), "rowCount")]


def test_what_is_not_watched_has_no_band(reports: Path) -> None:
    (reports.parent / "pyproject.toml").write_text("[tool.nbops.monitoring]\nenabled = false\n", encoding="utf-8")
    series = watch_of(reports.parent, reports, read_run(reports, _id(24))).bands("orders", False)
    assert len(series) >= 3
    assert all(point.low is None and point.high is None for one in series for point in one.points)


def test_without_a_run_there_is_nothing(tmp_path: Path) -> None:
    watch = watch_of(tmp_path, tmp_path / "reports", None)
    assert (watch.runs, watch.incidents) == ((), ())


def test_a_judgement_that_is_handed_on_draws_what_judging_again_draws(reports: Path) -> None:
    run = read_run(reports, _id(24))
    with open_history(reports, reports.parent / ".nbops/cache") as history:
        history.sync()
        handed = judge(run, history).courses
    again, given = watch_of(reports.parent, reports, run), watch_of(reports.parent, reports, run, courses=handed)
    assert set(handed) == {"orders"}
    for short in (False, True):
        assert given.bands("orders", short) == again.bands("orders", short) != []
    alone = watch_of(reports.parent, reports, run).bands("orders", True)
    assert alone == again.bands("orders", True), "an overview judges a dataset's own numbers without those of its columns"


def test_a_run_for_an_earlier_date_hands_nothing_on(reports: Path) -> None:
    late = replace(_run(25), id=_id(26), logical_date="2026-01-03", started_at="2026-01-27T06:00:00Z")
    write_run(reports, late)
    with open_history(reports, reports.parent / ".nbops/cache") as history:
        history.sync()
        assert judge(late, history).courses == {}
    rows = watch_of(reports.parent, reports, read_run(reports, late.id)).bands("orders", False)[0]
    assert rows.points[-1].run == _id(24), "the newest date is drawn last"
    assert late.id in {point.run for point in rows.points}

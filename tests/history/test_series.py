"""Series of earlier measurements: bounded, the same from the same ledgers, whatever lies in the cache."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nbops.history import series as module
from nbops.history.series import POINTS, series_of
from nbops.model import Check, CheckResult, Column, Dataset, Measurement, Run
from nbops.record.store import ledger_path, write_run


def run(number: int, *, rows: int | None = None, home: str | None = None, dataset: bool = True) -> Run:
    """A run that measured one dataset, or carried it over from ``home``."""
    count = number if rows is None else rows
    item = Dataset(
        name="orders",
        task="t",
        path="orders.parquet",
        format="parquet",
        columns=(Column(name="a", physical_type="BIGINT"),),
        rows=count,
        content_hash=f"h{count}",
        measurements=(
            Measurement(metric="nullValues", column="a", value=count),
            Measurement(metric="maximum", column="a", value="z"),
        ),
        verdict="passed",
        from_run=home,
    )
    check = Check(id="a.nullValues", dataset="orders", metric="nullValues", column="a", operator="mustBe", expected=0)
    result = CheckResult(check=check, verdict="failed" if count else "passed", observed=count, from_run=home)
    return Run(
        id=name(number),
        status="succeeded",
        verdict="passed",
        pipeline="p",
        command="ploomber build",
        started_at="2026-11-22T19:41:56Z",
        datasets=(item,) if dataset else (),
        checks=(result,) if dataset else (),
    )


def name(number: int) -> str:
    return f"202611{1 + number // 24:02d}T{number % 24:02d}0000Z-000000"


def rows(found: module.Series) -> list[int | None]:
    return [point.rows for point in found["orders"]]


def test_runs_with_nothing_to_do_push_no_point_out_and_cost_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        write_run(tmp_path, run(number))
    for number in range(5, 200):
        write_run(tmp_path, run(number, rows=4, home=name(4)))
    last = run(200)
    write_run(tmp_path, last)
    asked: list[str] = []
    real = module.read_run
    monkeypatch.setattr(module, "read_run", lambda reports, run_id, **more: asked.append(run_id) or real(reports, run_id, **more))
    assert rows(series_of(last, reports=tmp_path)) == [0, 1, 2, 3, 4, 200]
    assert len(asked) == 6  # the run before, which leads to the fifth, and the five


def test_the_cost_does_not_grow_with_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(120):
        write_run(tmp_path, run(number))
    asked: list[str] = []
    real = module.read_run
    monkeypatch.setattr(module, "read_run", lambda reports, run_id, **more: asked.append(run_id) or real(reports, run_id, **more))
    cache = tmp_path / "cache"
    found = series_of(run(119), reports=tmp_path, cache=cache)
    assert rows(found) == list(range(100, 120))
    assert len(asked) == POINTS - 1
    asked.clear()
    assert series_of(run(119), reports=tmp_path, cache=cache) == found
    assert asked == []


@pytest.mark.parametrize(
    "damage", [b"", b"[]", b"{", b'{"version": 1}', b'{"version": 1, "stamp": [1, 2], "points": [[1]], "homes": []}', b"\xff"]
)
def test_a_damaged_cache_is_made_anew(tmp_path: Path, damage: bytes) -> None:
    for number in range(4):
        write_run(tmp_path, run(number))
    cache = tmp_path / "cache"
    found = series_of(run(3), reports=tmp_path, cache=cache)
    files = sorted((cache / "points").glob("*.json"))
    assert len(files) == 4
    for file in files:
        file.write_bytes(damage)
    assert series_of(run(3), reports=tmp_path, cache=cache) == found == series_of(run(3), reports=tmp_path)
    assert all(file.read_bytes() != damage for file in files)


def test_a_changed_or_missing_ledger_counts_not_the_cache(tmp_path: Path) -> None:
    for number in range(4):
        write_run(tmp_path, run(number))
    cache = tmp_path / "cache"
    series_of(run(3), reports=tmp_path, cache=cache)
    write_run(tmp_path, run(1, rows=77_777))
    ledger_path(tmp_path, name(2)).write_text("{", encoding="utf-8")
    assert rows(series_of(run(3), reports=tmp_path, cache=cache)) == [0, 77_777, 3]


def test_a_run_is_told_of_by_those_before_it_only(tmp_path: Path) -> None:
    for number in range(4):
        write_run(tmp_path, run(number))
    assert rows(series_of(run(1), reports=tmp_path)) == [0, 1]


def test_a_run_that_did_not_look_at_a_dataset_is_passed_over(tmp_path: Path) -> None:
    write_run(tmp_path, run(0))
    write_run(tmp_path, run(1, dataset=False))
    write_run(tmp_path, run(2))
    assert rows(series_of(run(2), reports=tmp_path)) == [0, 2]
    assert series_of(run(1, dataset=False), reports=tmp_path) == {}


def test_a_home_that_leads_nowhere_does_not_stop_the_way_back(tmp_path: Path) -> None:
    write_run(tmp_path, run(0))
    write_run(tmp_path, run(1, home="20200101T000000Z-000000"))
    write_run(tmp_path, run(2, home=name(2)))
    assert rows(series_of(replace(run(3)), reports=tmp_path)) == [0, 3]

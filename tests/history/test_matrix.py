"""Rows of the matrix: bounded, cached, and made anew when their ledger changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops.history.matrix import matrix_row, matrix_rows
from nbops.model import Check, CheckResult, Dataset
from nbops.record.store import ledger_path, write_run

if TYPE_CHECKING:
    import pytest


def test_a_row_tells_the_worst_of_each_dataset(shop: Any) -> None:
    run = shop.make()
    run = replace(run, checks=(run.checks[0], replace(run.checks[1], verdict="failed")))
    row = matrix_row(run)
    assert row.datasets == {"orders": "failed"}  # whatever the dataset itself says
    assert row.checks == {("orders", "amount.nullValues"): "failed"}
    assert matrix_row(shop.with_dataset(run, from_run=shop.FIRST)).carried == {"orders"}
    assert matrix_row(shop.with_dataset(shop.make(), published=False)).datasets == {"orders": "held"}
    assert matrix_row(shop.with_dataset(shop.make(), error="x")).datasets == {"orders": "errored"}


def test_rows_are_bounded(shop: Any) -> None:
    items = tuple(Dataset(name=f"d{n}", task="load", path="x", format="csv") for n in range(500))
    checks = tuple(
        CheckResult(check=Check(id=f"c{n}", dataset="d0", metric="m"), verdict="failed" if n == 499 else "warned")
        for n in range(500)
    )
    row = matrix_row(replace(shop.make(), datasets=items, checks=checks))
    assert (len(row.datasets), len(row.checks), row.more) == (200, 60, 440)
    assert next(iter(row.checks)) == ("d0", "c499")  # the worst first


def test_the_cache_gives_what_the_ledgers_would(tmp_path: Path, shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = "</script>__proto__\u202e\x00" + "x" * 500
    run = shop.make()
    run = replace(run, checks=(replace(run.checks[0], verdict="warned", check=replace(run.checks[0].check, id=hostile)),))
    write_run(tmp_path, run)
    first = matrix_rows(tmp_path, tmp_path / "cache")([run.id])
    reads: list[str] = []
    monkeypatch.setattr("nbops.history.matrix.read_run", lambda *arguments, **named: reads.append("read"))
    assert matrix_rows(tmp_path, tmp_path / "cache")([run.id]) == first == [matrix_row(run)]
    assert reads == []


def test_a_ledger_that_changed_and_a_damaged_cache(tmp_path: Path, shop: Any) -> None:
    run = shop.make()
    write_run(tmp_path, run)
    matrix_rows(tmp_path, tmp_path / "cache")([run.id])
    write_run(tmp_path, shop.with_dataset(run, verdict="warned", rows=3))
    assert matrix_rows(tmp_path, tmp_path / "cache")([run.id])[0].datasets == {"orders": "warned"}
    for damage in (
        "{",
        "[]",
        '{"version": 1}',
        f'{{"version": 1, "runs": {{"{run.id}": {{"stamp": 1}}}}}}',
        '{"version": 1, "runs": 3}',
    ):
        (tmp_path / "cache" / "matrix.json").write_text(damage, encoding="utf-8")
        assert matrix_rows(tmp_path, tmp_path / "cache")([run.id])[0].datasets == {"orders": "warned"}
    ledger_path(tmp_path, run.id).write_text("{", encoding="utf-8")
    assert matrix_rows(tmp_path, tmp_path / "cache")([run.id, "nonsense"]) == []

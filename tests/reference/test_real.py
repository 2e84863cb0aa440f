"""The reference pipeline on the real shop's 541,909 order lines: equal to the published numbers, and worth its while."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from reference_run import REAL, Pipeline, run_notebooks

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not REAL.is_dir(), reason="the Online Retail data is not beside the repository"),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return run_notebooks(tmp_path_factory.mktemp("real"), source=str(REAL / "by_day"))


def _held(pipeline: Pipeline) -> list[str]:
    return [
        f"{result.check.dataset}: {result.check.id}: {result.message}"
        for audit in pipeline.audits.values()
        for result in audit.results
        if result.verdict in {"failed", "errored"}
    ]


def test_the_dirt_is_the_known_dirt(whole: Pipeline) -> None:
    known = json.loads((REAL / "known_dirt.json").read_text(encoding="utf-8"))
    found = dict(duckdb.read_parquet(whole.products["dirt_report"]).project("measure, found").fetchall())
    same = set(found) & set(known)
    assert len(same) == 13
    assert {name: found[name] for name in same} == {name: known[name] for name in same}


def test_no_row_is_lost(whole: Pipeline) -> None:
    report = duckdb.read_parquet(whole.products["cleaning_report"]).project("rule, effect, rows").fetchall()
    rows = {rule: count for rule, effect, count in report if effect != "changed"}
    assert rows.pop("read") == 541_909 == sum(rows.values())
    assert rows["exact copy"] == 5_268
    quarantine = whole.audits["orders"].quarantine
    assert quarantine is not None
    assert (quarantine.rows_in, quarantine.rows_in - quarantine.rows) == (rows["sale"], quarantine.rows_out)


def test_no_contract_is_broken(whole: Pipeline) -> None:
    assert not _held(whole)


def test_the_recommender_beats_popularity(whole: Pipeline) -> None:
    rows = (
        duckdb.read_parquet(whole.products["recommender_metrics"]).project("model, purchases, recall, ndcg, coverage").fetchall()
    )
    found = {(model, purchases): measures for model, purchases, *measures in rows}
    for purchases, margin in (("any", 2.0), ("new", 1.3)):
        for baseline in ("popular ever", "popular lately"):
            pairs = zip(found["neighbours", purchases], found[baseline, purchases], strict=True)
            assert all(ours > margin * theirs for ours, theirs in pairs), (purchases, baseline)


@pytest.mark.parametrize(
    ("since", "until"), [("2010-12-01", "2010-12-09"), ("2011-03-01", "2011-03-31"), ("2011-01-04", "2011-01-04")]
)
def test_windows_keep_the_contracts(tmp_path: Path, since: str, until: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").mkdir()
    days = run_notebooks(tmp_path / "folder", source=str(REAL), since=since, until=until)
    file = run_notebooks(tmp_path / "file", source=str(REAL / "online_retail.parquet"), since=since, until=until)
    assert not _held(days)
    for name in ("orders", "recommendations"):
        assert days.audits[name].dataset.rows == file.audits[name].dataset.rows

"""Measuring what does not fit into its share of memory uses the disk, where the data is, and gives the same numbers."""

from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb
import pytest

from nbops.quality import engine

ROWS = 1_200_000


@pytest.fixture(scope="module")
def codes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of texts that are all different, with one of them twice: more than 100 MB in a table of distinct ones."""
    path = tmp_path_factory.mktemp("codes") / "codes.parquet"
    text = f"CAST(i % {ROWS - 1} AS VARCHAR)"
    duckdb.sql(f"COPY (SELECT md5({text}) || sha256({text}) AS code FROM range({ROWS}) t(i)) TO '{path}' (FORMAT parquet)")
    return path


def test_a_limit_far_below_the_need_gives_the_same_verdict(codes, tmp_path, look, contract_of, monkeypatch):
    seen: list[Path] = []
    original = tempfile.TemporaryDirectory

    def noted(*arguments, **options):
        found = original(*arguments, **options)
        seen.append(Path(found.name))
        return found

    monkeypatch.setattr(engine.tempfile, "TemporaryDirectory", noted)
    beside = tmp_path / "staging"
    beside.mkdir()
    contract = contract_of({"name": "code", "unique": True}, name="codes")
    small = look(codes, contract, memory_limit="100MB", threads=1, spill=beside)
    assert small.dataset.error is None
    assert [result.observed for result in small.results if result.check.metric == "duplicateValues"] == [1], small.results
    large = look(codes, contract, memory_limit="4GB", threads=2)
    assert [(r.check.id, r.verdict, r.observed, r.failing_rows) for r in small.results] == [
        (r.check.id, r.verdict, r.observed, r.failing_rows) for r in large.results
    ]
    assert seen[0].parent == beside
    assert not list(beside.iterdir()), "what was spilled is cleared away"

"""Whose values are told, and where the rows are that are compared."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from nbops.model import Column, ColumnEdge, Dataset, Run, TaskLineage
from nbops.workflow.previous import keep_previous, previous_of
from nbops.workflow.segmenting import personal_columns, rows_of


def _run(*datasets: Dataset, edges: tuple[ColumnEdge, ...] = ()) -> Run:
    return Run(
        id="20261122T194156Z-000001",
        status="succeeded",
        verdict="passed",
        pipeline="shop",
        command="nbops build",
        started_at="2026-11-22T19:41:56Z",
        datasets=datasets,
        column_lineage=(TaskLineage(task="t", edges=edges),),
    )


def _dataset(name: str, *columns: str, personal: str = "", published: bool = True) -> Dataset:
    found = tuple(
        Column(name=column, physical_type="VARCHAR", classification="personal" if column == personal else None)
        for column in columns
    )
    return Dataset(name=name, task="t", path=f"output/{name}.parquet", format="parquet", columns=found, published=published)


def test_a_column_made_of_a_personal_one_is_personal_and_one_of_its_name_too() -> None:
    edge = ColumnEdge(source="people", source_column="email", target="orders", target_column="who", kind="derived", how="static")
    run = _run(_dataset("people", "email", personal="email"), _dataset("orders", "who", "email", "country"), edges=(edge,))
    assert personal_columns("orders", run) == {"who", "email"}
    assert personal_columns("orders", _run(_dataset("orders", "country"))) == frozenset()


def test_where_it_is_not_known_which_column_all_are_personal() -> None:
    edge = ColumnEdge(source="people", source_column=None, target="orders", target_column=None, kind="derived", how="assumed")
    run = _run(_dataset("people", "email", personal="email"), _dataset("orders", "who", "country"), edges=(edge,))
    assert personal_columns("orders", run) >= {"who", "country"}


def test_the_version_before_is_a_second_name_of_the_same_bytes(tmp_path: Path) -> None:
    target = tmp_path / "output/orders.parquet"
    target.parent.mkdir()
    target.write_bytes(b"old")
    keep_previous(tmp_path, target)
    kept = previous_of(tmp_path, "output/orders.parquet")
    assert kept is not None
    assert kept.stat().st_ino == target.stat().st_ino
    fresh = tmp_path / "new"
    fresh.write_bytes(b"new")
    fresh.replace(target)
    assert kept.read_bytes() == b"old"
    keep_previous(tmp_path, target)
    assert kept.read_bytes() == b"new"
    assert [path.name for path in kept.parent.iterdir()] == ["orders.parquet"]


@pytest.mark.parametrize("name", ["output/executed.ipynb", "output/model.pkl"])
def test_only_rows_are_kept(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    target.parent.mkdir()
    target.write_bytes(b"x")
    keep_previous(tmp_path, target)
    assert not (tmp_path / ".nbops").exists()


def test_links_folders_and_files_elsewhere_are_left_alone(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    outside = tmp_path / "orders.parquet"
    outside.write_bytes(b"x")
    os.symlink(outside, root / "link.parquet")  # noqa: PTH211 - as a user would have made it
    (root / "parts.parquet").mkdir()
    for path in (outside, root / "link.parquet", root / "parts.parquet", root / "none.parquet"):
        keep_previous(root, path)
    assert not any((root / ".nbops").rglob("*.parquet")) if (root / ".nbops").exists() else True
    assert previous_of(root, "../orders.parquet") is None
    assert previous_of(root, "/etc/passwd") is None


def test_what_was_held_lies_with_the_failed_attempt_and_the_version_before_is_published(tmp_path: Path) -> None:
    good, held = _dataset("orders", "a"), _dataset("orders", "a", published=False)
    run = _run(held)
    published = tmp_path / "output/orders.parquet"
    kept = tmp_path / f".nbops/failed/{run.id}/t-1/tree/output/orders.parquet"
    for path in (published, kept):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
    assert rows_of(tmp_path, run, good, held) == (published, kept)
    assert rows_of(tmp_path, run, good, good) == (None, published)


def test_rows_of_another_run_are_not_taken_for_those_that_were_measured(tmp_path: Path) -> None:
    item = replace(_dataset("orders", "a"), content_hash="0" * 64)
    path = tmp_path / "output/orders.parquet"
    path.parent.mkdir()
    path.write_bytes(b"x")
    keep_previous(tmp_path, path)
    assert rows_of(tmp_path, _run(item), replace(item, content_hash="1" * 64), item) == (None, None)

"""The catalog and the lineage: small, complete or said to be cut, unchanged when nothing changed, true after a failed run."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbops.model import (
    Check,
    CheckResult,
    Column,
    ColumnEdge,
    Dataset,
    LineageEdge,
    Measurement,
    Run,
    TaskLineage,
    TaskRun,
)
from nbops.pages.catalog import catalog_context
from nbops.pages.latest import latest_of
from nbops.pages.lineage import lineage_context
from nbops.pages.overview import render_overview
from nbops.pages.render import render_index, render_run
from nbops.pages.score import score_of
from nbops.pages.summaries import summarise
from nbops.record.ledger import as_stored
from nbops.record.store import write_run

Runs = dict[str, Callable[[], Run]]
LATER = "20261123T060000Z-00000{}"


def pipeline(*, datasets: int, columns: int, fan: int = 2) -> Run:
    """A pipeline in which each task reads ``fan`` earlier datasets and makes one; each column is made of two of each."""
    tasks, made, edges, traced = [], [], [], []
    for number in range(datasets):
        task, name = f"make_the_dataset_{number:03d}", f"a_dataset_with_a_name_{number:03d}"
        sources = [f"a_dataset_with_a_name_{number - step:03d}" for step in range(1, fan + 1) if number >= step]
        tasks.append(TaskRun(name=task, kind="notebook", status="succeeded", last_success="20261122T194156Z-1f0c9a"))
        text = "What this column holds, in a sentence of some length."
        found = tuple(Column(name=f"column_number_{at:02d}", physical_type="VARCHAR", description=text) for at in range(columns))
        made.append(
            Dataset(
                name=name,
                task=task,
                path=f"{name}.parquet",
                format="parquet",
                columns=found,
                rows=5,
                owner="Team",
                verdict="passed",
            )
        )
        edges += [LineageEdge(source=f"dataset:{source}", target=f"task:{task}") for source in sources]
        edges.append(LineageEdge(source=f"task:{task}", target=f"dataset:{name}", kind="writes"))
        own = [
            ColumnEdge(
                source=source,
                source_column=f"column_number_{other:02d}",
                target=name,
                target_column=column.name,
                kind="derived",
                how="static",
                transformation=how,  # type: ignore[arg-type]
                task=task,
                cells=(at % 9,),
            )
            for at, column in enumerate(found)
            for source in sources
            for other, how in ((at, "identity"), ((at + 1) % columns, "transformation"))
        ]
        traced.append(TaskLineage(task=task, edges=tuple(own)))
    return Run(
        id="20261122T194156Z-1f0c9a",
        status="succeeded",
        verdict="passed",
        pipeline="p",
        command="ploomber build",
        started_at="2026-11-22T19:41:56Z",
        tasks=tuple(tasks),
        datasets=tuple(made),
        lineage=tuple(edges),
        column_lineage=tuple(traced),
    )


def text_of(path: Path) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", path.read_text(encoding="utf-8")))


def test_fifty_datasets_with_lineage_fit(tmp_path: Path) -> None:
    run = pipeline(datasets=50, columns=20)
    render_run(run, reports=tmp_path)
    for path in render_overview(as_stored(run), reports=tmp_path):
        assert path.stat().st_size < 300_000, path.name
    html = (tmp_path / "lineage.html").read_text(encoding="utf-8")
    assert html.count("<rect") == 100
    assert "columns are left out here, so that the page stays small" in html or html.count('<th scope="row"') > 1_000
    text = text_of(tmp_path / "catalog.html")
    assert all(f"a_dataset_with_a_name_{number:03d}" in text for number in range(50))


@pytest.mark.parametrize(("datasets", "drawn"), [(5, True), (50, True), (250, True), (400, False)])
def test_pipelines_of_any_size_are_drawn_or_said_to_be_too_large(tmp_path: Path, datasets: int, drawn: bool) -> None:
    run = pipeline(datasets=datasets, columns=2)
    render_overview(as_stored(run), reports=tmp_path)
    html = (tmp_path / "lineage.html").read_text(encoding="utf-8")
    assert ('id="drawing"' in html) == drawn
    assert ("more than a drawing can show" in html) != drawn
    assert html.count('<tr id="r-') == min(2 * datasets, 700)
    assert len(html) < 700_000


def test_five_thousand_columns_are_bounded_and_said_to_be(tmp_path: Path) -> None:
    run = pipeline(datasets=2, columns=3)
    wide = tuple(Column(name=f"c{number}", physical_type="INT") for number in range(5_000))
    run = replace(run, datasets=(replace(run.datasets[0], columns=wide), run.datasets[1]))
    render_overview(as_stored(run), reports=tmp_path)
    for name in ("catalog", "lineage"):
        path = tmp_path / f"{name}.html"
        assert path.stat().st_size < 300_000
        assert "left out here, so that the page stays small" in text_of(path)
    assert "c4999" not in text_of(tmp_path / "lineage.html")


def test_nothing_changes_when_nothing_did(tmp_path: Path, runs: Runs) -> None:
    first = runs["passing"]()
    pages = {}
    tasks = tuple(replace(task, status="up_to_date", notebook=None, cells=(), last_success=first.id) for task in first.tasks)
    datasets = tuple(replace(item, changed=False, from_run=first.id) for item in first.datasets)
    ages = tuple(
        replace(item, measurements=tuple(replace(m, value=99) if m.metric == "freshness" else m for m in item.measurements))
        for item in datasets
    )
    idle = replace(first, id=LATER.format(1), started_at="2026-11-23T06:00:00Z", tasks=tasks, datasets=ages)
    for run in (first, idle):
        write_run(tmp_path, run)
        render_run(run, reports=tmp_path)
        render_index([summarise(run)], latest=run, reports=tmp_path)
        pages[run.id] = [(tmp_path / f"{name}.html").read_bytes() for name in ("catalog", "lineage")]
    assert pages[first.id] == pages[idle.id]
    assert not any(idle.id.encode() in page for page in pages[idle.id])


def test_after_a_failed_run_everything_is_still_there(tmp_path: Path, runs: Runs) -> None:
    good = runs["passing"]()
    bad = replace(runs["failing"](), id=LATER.format(2))
    bad = replace(bad, tasks=tuple(replace(task, last_success=good.id) for task in bad.tasks), column_lineage=())
    for run in (good, bad):
        write_run(tmp_path, run)
        render_run(run, reports=tmp_path)
    latest = latest_of(as_stored(bad), reports=tmp_path)
    assert {item.name for item in latest.run.datasets} == {item.name for item in good.datasets}
    assert latest.earlier["recommendations"] == good.id
    assert latest.datasets["recommendations"] == f"runs/{good.id}/datasets/recommendations.html"
    context = lineage_context(latest)
    states = {node.key: node.mark for node in context["nodes"].values()}
    assert (states["task:clean"], states["task:train"]) == ("failed", "held")
    assert states["dataset:recommendations"] == "passed"
    entries = {entry.dataset.name: entry for entry in catalog_context(latest)["entries"].items}
    assert entries["recommendations"].score.percent == 100
    assert entries["order_lines"].popularity.datasets == 7


def test_a_page_of_an_earlier_run_that_is_gone_is_not_linked(tmp_path: Path, runs: Runs) -> None:
    good = runs["passing"]()
    bad = runs["failing"]()
    bad = replace(bad, id=LATER.format(2), tasks=tuple(replace(task, last_success=good.id) for task in bad.tasks))
    write_run(tmp_path, good)  # no pages
    write_run(tmp_path, bad)
    render_run(bad, reports=tmp_path)
    latest = latest_of(as_stored(bad), reports=tmp_path)
    assert "recommendations" in latest.earlier
    assert "recommendations" not in latest.datasets


def test_files_that_the_same_tasks_read_are_one_box_and_all_named(tmp_path: Path) -> None:
    run = pipeline(datasets=2, columns=1)
    files = tuple(LineageEdge(source=f"file:contracts/c{n}.yaml", target=run.lineage[0].source, how="observed") for n in range(9))
    other = LineageEdge(source="file:raw.csv", target=run.lineage[0].source)
    render_overview(as_stored(replace(run, lineage=(*run.lineage, *files, other))), reports=tmp_path)
    html = (tmp_path / "lineage.html").read_text(encoding="utf-8")
    text = text_of(tmp_path / "lineage.html")
    assert ">9 files</text>" in html
    assert all(f"contracts/c{n}.yaml" in text for n in range(9))
    assert ">raw.csv</text>" in html
    assert html.count('class="edge unsaid"') == 1
    assert "not declared" in text


SEVERITIES = st.sampled_from(["error", "warn"])
VERDICTS = st.sampled_from(["passed", "warned", "failed", "errored", "skipped"])


@given(st.lists(st.tuples(VERDICTS, SEVERITIES), max_size=30))
def test_the_score_is_full_only_without_any_objection(kinds: list[Any]) -> None:
    results = [
        CheckResult(check=Check(id=str(n), dataset="d", metric="m", severity=severity), verdict=verdict)
        for n, (verdict, severity) in enumerate(kinds)
    ]
    score = score_of(results)
    judged = [verdict for verdict, _ in kinds if verdict != "skipped"]
    assert (score is None) == (not judged)
    if score is not None:
        assert 0 <= score.percent <= 100
        assert (score.percent == 100) == (set(judged) == {"passed"})
        assert (score.passed, score.judged) == (judged.count("passed"), len(judged))


def test_an_error_weighs_three_times_a_warning() -> None:
    def result(verdict: Any, severity: Any) -> CheckResult:
        return CheckResult(check=Check(id=f"{verdict}{severity}", dataset="d", metric="m", severity=severity), verdict=verdict)

    found = score_of([result("failed", "error"), result("passed", "warn")])
    assert found is not None
    assert found.percent == 25


def test_freshness_tells_instants_and_the_column_that_the_contract_names(tmp_path: Path) -> None:
    run = pipeline(datasets=1, columns=1)
    columns = (Column(name="made", physical_type="TIMESTAMP"), Column(name="sold_on", physical_type="DATE"))
    measured = (
        Measurement(metric="maximum", column="made", value="2026-11-01T10:00:00"),
        Measurement(metric="maximum", column="sold_on", value="2026-10-31"),
        Measurement(metric="freshness", column="sold_on", value=86_400 * 22),
    )
    promise = Check(id="sold_on.latency", dataset=run.datasets[0].name, metric="freshness", column="sold_on", severity="warn")
    promise = replace(promise, operator="mustBeLessOrEqualTo", expected=172_800)
    late = CheckResult(check=promise, verdict="warned", observed=86_400 * 22)
    run = replace(run, datasets=(replace(run.datasets[0], columns=columns, measurements=measured),), checks=(late,))
    render_overview(as_stored(run), reports=tmp_path)
    text = text_of(tmp_path / "catalog.html")
    assert "31 Oct 2026 newest sold_on ≤ 2 d: warned" in text
    assert "22 d" not in text
    assert "Last made 22 Nov 2026, 19:41 UTC" in text


def test_what_is_only_measured_again_is_not_from_that_run(tmp_path: Path, runs: Runs) -> None:
    """Rows were set aside; the next run measures what is left, a third carries that over: one page for all three."""
    first = runs["passing"]()
    rule = Check(id="quantity.rule", dataset="order_lines", metric="invalidValues", column="quantity", quarantine=True)
    warned = CheckResult(check=rule, verdict="warned", observed=3, failing_rows=3)
    first = replace(
        first,
        checks=(*first.checks, warned),
        datasets=tuple(replace(item, verdict="warned") if item.name == "order_lines" else item for item in first.datasets),
    )
    tasks = tuple(replace(task, status="up_to_date", notebook=None, cells=(), last_success=first.id) for task in first.tasks)

    def later(number: int, home: str | None) -> Run:
        datasets = tuple(
            replace(item, changed=False, verdict="passed", from_run=home if item.name == "order_lines" else first.id)
            for item in first.datasets
        )
        checks = (*first.checks[:-1], replace(warned, verdict="passed", observed=0, failing_rows=0))
        return replace(first, id=LATER.format(number), tasks=tasks, datasets=datasets, checks=checks)

    pages = []
    for run in (first, later(1, None), later(2, LATER.format(1)), later(3, LATER.format(1))):
        write_run(tmp_path, run)
        render_run(run, reports=tmp_path)
        render_index([summarise(run)], latest=run, reports=tmp_path)
        pages.append([(tmp_path / f"{name}.html").read_bytes() for name in ("catalog", "lineage")])
    assert pages[0] == pages[1] == pages[2] == pages[3]
    changed = later(4, None)
    new = tuple(replace(item, contract_hash="new") if item.name == "order_lines" else item for item in changed.datasets)
    write_run(tmp_path, replace(changed, datasets=new))
    latest = latest_of(as_stored(replace(changed, datasets=new)), reports=tmp_path)
    assert latest.datasets["order_lines"] == f"runs/{changed.id}/datasets/order_lines.html"

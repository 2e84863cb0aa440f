"""What a run's page tells beside its findings: changes, the time line, freshness; and the matrix of runs. All bounded."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nbops.history.compare import compare
from nbops.history.matrix import MatrixRow
from nbops.history.sources import CellChange, Line, NotebookChange
from nbops.model import CellRun, Check, CheckResult, Column, Dataset, Measurement, Run, TaskRun
from nbops.pages.changes import changes_view
from nbops.pages.compare import comparison_page
from nbops.pages.fresh import freshness_rows, made_at
from nbops.pages.matrix import RowHead, matrix_of
from nbops.pages.render import render_index, render_run
from nbops.pages.summaries import summarise
from nbops.pages.timing import gantt, longest_cell

Runs = dict[str, Callable[[], Run]]
EARLIER = "20261121T060000Z-00000a"


def text_of(path: Path) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", path.read_text(encoding="utf-8")).split())


def test_the_page_of_a_run_leads_with_five_findings_their_owner_and_what_to_do(tmp_path: Path, make_site: Any) -> None:
    page = next(make_site("checked", tmp_path).glob("runs/*/index.html"))
    html, text = page.read_text(encoding="utf-8"), text_of(page)
    worst = html[html.index('<ol class="findings">') :]
    assert worst[: worst.index("</ol>")].count('<li class="finding') == 5
    assert "Owner shop-data@example.com" in text
    assert "Next: Look at the example rows; mend the data in task features, or the rule if it asks too much" in text
    assert 'href="tasks/features.html"' in html


def test_findings_beyond_five_are_folded_not_lost(tmp_path: Path, runs: Runs) -> None:
    run = runs["checked"]()
    check = run.checks[-1]
    more = tuple(replace(check, check=replace(check.check, id=f"rule{number}")) for number in range(60))
    render_run(replace(run, checks=(*run.checks, *more)), reports=tmp_path)
    text = text_of(next(tmp_path.glob("runs/*/index.html")))
    assert "60 more findings, of less weight" in text
    assert "and 25 more, in the tables below" in text


def test_changes_since_the_last_accepted_run_are_told_heaviest_first(tmp_path: Path, runs: Runs) -> None:
    before, after = replace(runs["passing"](), id=EARLIER), runs["checked"]()
    found = compare(before, after)
    render_run(after, reports=tmp_path, accepted=found, previous=compare(replace(runs["failing"](), id=EARLIER), after))
    text = text_of(next(tmp_path.glob("runs/*/index.html")))
    assert text.index("was passed, is failed") < text.index("is new, and warned")
    assert "drift was not made in run" in text
    assert "Since the run before" in text
    assert f"nbops diff {EARLIER} {after.id}" in text


def test_without_a_run_to_compare_with_the_page_says_so(tmp_path: Path, runs: Runs) -> None:
    render_run(runs["passing"](), reports=tmp_path)
    assert "No run before this one was accepted" in text_of(next(tmp_path.glob("runs/*/index.html")))


def test_the_same_is_said_to_be_the_same_with_what_was_compared(tmp_path: Path, runs: Runs) -> None:
    run = runs["passing"]()
    render_run(run, reports=tmp_path, accepted=compare(replace(run, id=EARLIER), run))
    assert "Nothing differs: 40 checks, 10 datasets, 60 columns, 10 tasks, 4 parameters, 4 packages compared." in text_of(
        next(tmp_path.glob("runs/*/index.html"))
    )


def _wide(run_id: str, shift: float) -> Run:
    """50 datasets of 60 columns, of which each moved."""
    columns = tuple(Column(name=f"a_rather_long_column_name_{number:02d}", physical_type="DOUBLE") for number in range(60))
    items = tuple(
        Dataset(
            name=f"a_rather_long_dataset_name_{number:02d}",
            task="t",
            path="x",
            format="parquet",
            columns=columns,
            rows=1_000 + int(shift),
            measurements=tuple(
                Measurement(metric=metric, column=column.name, value=value + shift)
                for column in columns
                for metric, value in (("mean", 5.0), ("standardDeviation", 1.0), ("maximum", 9.0), ("nullValues", 3))
            ),
        )
        for number in range(50)
    )
    task = TaskRun(name="t", kind="sql", status="succeeded")
    return Run(
        id=run_id, status="succeeded", verdict="passed", pipeline="wide", command="c", started_at="2026-11-22T19:41:56Z",
        tasks=(task,), datasets=items, parameters={f"p{number}": shift for number in range(300)},
    )  # fmt: skip


def test_comparisons_are_bounded_on_every_page(tmp_path: Path) -> None:
    before, after = _wide(EARLIER, 0), _wide("20261122T194156Z-1f0c9a", 100)
    found = compare(before, after)
    assert len(found.changes) > 3_000
    render_run(after, reports=tmp_path, accepted=found, previous=found)
    render_index([summarise(after)], latest=after, reports=tmp_path, accepted=found)
    html = comparison_page(found)
    assert html == comparison_page(compare(before, after))
    sizes = [path.stat().st_size for path in (*tmp_path.glob("runs/*/index.html"), tmp_path / "index.html")]
    assert max(*sizes, len(html.encode())) < 300_000
    view = changes_view(found, top=8, each=40)
    assert len(view.top.items) + view.top.more == len(found.changes)
    assert sum(number for _, number, _ in view.groups) == len(found.changes)


def test_the_matrix_of_fifty_datasets_is_bounded_and_keeps_what_objected(tmp_path: Path) -> None:
    names = [f"a_rather_long_dataset_name_{number:02d}" for number in range(50)]
    rows = [
        MatrixRow(
            id=f"20261122T19{number:02d}00Z-000000",
            datasets={name: "warned" if place % 5 == number % 5 else "passed" for place, name in enumerate(names)},
            checks={(name, f"some_column.rule_{rule}"): "warned" for name in names[number % 5 :: 5] for rule in range(6)},
        )
        for number in range(23)
    ]
    run = _wide(rows[-1].id, 0)
    every = [replace(summarise(run), id=row.id) for row in rows]
    render_index(every, latest=run, reports=tmp_path, rows=lambda ids: [row for row in rows if row.id in ids])
    path = tmp_path / "history.html"
    assert path.stat().st_size < 300_000
    html = path.read_text(encoding="utf-8")
    assert html.count('<th scope="col" class="c">') == 40
    assert "Left out, as others objected more often: 260 objecting checks." in text_of(path)
    assert html.count('<td class="w">warned</td>') > 230


def test_cells_of_the_matrix() -> None:
    heads = [RowHead(id=name, started_at="x", mark="passed", page=None) for name in ("b", "a", "unread")]
    rows = [
        MatrixRow(id="a", datasets={"one": "passed", "two": "failed"}, checks={("two", "rule"): "failed"}),
        MatrixRow(id="b", datasets={"one": "passed", "two": "held", "__proto__": "brand new"}, carried=frozenset({"one"})),
    ]
    found = matrix_of(heads, rows, links={"one": "one.html"}, order=["two", "one"])
    assert [(column.dataset, column.check) for column in found.columns] == [
        ("two", ""), ("two", "rule"), ("one", ""), ("__proto__", ""),
    ]  # fmt: skip
    assert [row.cells for row in found.rows] == [("h", "", "p k", "e"), ("f", "f", "p", ""), ("", "", "", "")]
    assert {word for _, word in found.key} == {"passed", "failed", "errored", "held"}


def test_the_time_line(runs: Runs) -> None:
    found = gantt(runs["passing"]())
    assert found is not None
    train = next(bar for bar in found.bars if bar.task.name == "train")
    assert (round(train.start), round(train.width)) == (25, 58)
    assert len(train.parts) == 5
    assert sum(part.width for part in train.parts) == pytest.approx(100, abs=0.5)
    assert [tick.label for tick in found.ticks] == ["0", "30 s", "1 min"]
    assert gantt(runs["up_to_date"]()) is None


@pytest.mark.parametrize("seconds", [0.0, 1e-9, 1e9, float("inf"), float("nan")])
def test_the_time_line_of_odd_times(runs: Runs, seconds: float) -> None:
    run = runs["passing"]()
    cells = (CellRun(index=0, seconds=seconds), CellRun(index=1, seconds=3.0, status="failed"))
    task = replace(run.tasks[0], seconds=seconds, cells=cells, started_at="2020-01-01T00:00:00Z")
    found = gantt(replace(run, tasks=(task, *run.tasks[1:])))
    for bar in found.bars if found else ():
        assert 0 <= bar.start <= 100
        assert 0 <= bar.width <= 100
        assert all(0 <= part.width <= 100.001 for part in bar.parts)


def test_many_short_cells_are_drawn_as_one_and_the_failed_one_always(runs: Runs) -> None:
    run = runs["passing"]()
    cells = tuple(CellRun(index=n, seconds=0.001, status="failed" if n == 150 else "succeeded") for n in range(300))
    task = replace(run.tasks[0], seconds=10.0, cells=(*cells, CellRun(index=300, seconds=6.0)))
    found = gantt(replace(run, tasks=(task,)))
    assert found is not None
    assert [(part.failed, part.rest) for part in found.bars[0].parts] == [
        (False, False), (True, False), (False, False), (False, False), (False, True),
    ]  # fmt: skip
    assert longest_cell(task) == (300, 6.0)
    assert longest_cell(replace(task, cells=())) is None


def test_freshness(runs: Runs) -> None:
    run = runs["passing"]()
    check = Check(
        id="at.freshness", dataset="order_lines", metric="freshness", column="ordered_at", operator="mustBeLessOrEqualTo",
        expected=172_800.0,
    )  # fmt: skip
    late = CheckResult(check=check, verdict="warned", observed=28_531_305)
    unknown = replace(late, verdict="errored", observed=None)
    rows = freshness_rows(replace(run, checks=(late, replace(unknown, check=replace(check, dataset="customers")))))
    assert [(row.dataset, row.verdict, row.age, row.expected) for row in rows] == [
        ("customers", "errored", "not known", "≤ 2 d"),
        ("order_lines", "warned", "330 d 05 h", "≤ 2 d"),
    ]
    assert rows[1].owner == "shop-data@example.com"
    measured = replace(run.datasets[0], measurements=(Measurement(metric="freshness", column="at", value=3_600),))
    assert freshness_rows(replace(run, checks=(), datasets=(measured,)))[0].age == "1 h"


def test_when_a_dataset_was_made(runs: Runs) -> None:
    run = runs["up_to_date"]()
    assert made_at(run, run.datasets[0]) == "2026-11-22T19:41:56Z"
    tasks = tuple(replace(task, last_success=EARLIER) for task in run.tasks)
    assert made_at(replace(run, tasks=tasks), run.datasets[0]) == "2026-11-21T06:00:00Z"
    assert made_at(replace(run, tasks=(), id="x"), replace(run.datasets[0], from_run="../..")) == ""


def test_hostile_names_in_a_comparison_stay_text(tmp_path: Path, runs: Runs) -> None:
    found = compare(replace(runs["passing"](), id=EARLIER), runs["hostile"]())
    html = comparison_page(found)
    assert "<script>" not in html
    assert "<img" not in html
    assert "\u202e" not in html
    assert len(html.encode()) < 300_000


def _notebook(number: int, cells: int, lines: int) -> NotebookChange:
    each = tuple(Line(sign="+" if place % 2 else "-", text="<b>x</b>" * 60) for place in range(lines))
    change = CellChange(kind="changed", cell="code", before=0, after=0, lines=each)
    return NotebookChange(task=f"<i>{number}</i>", cells=(change,) * cells, matched_by="difflib")


def test_notebooks_in_a_comparison_are_bounded_counted_and_text(runs: Runs) -> None:
    found = compare(replace(runs["passing"](), id=EARLIER), runs["passing"]())
    many = [_notebook(number, 50, 200) for number in range(60)]
    html = comparison_page(found, notebooks=many, unknown=["The notebook of <i>z</i> is gone."])
    assert len(html.encode()) < 900_000
    for said in (
        "60 with another source",
        "5,000 lines added, 5,000 removed, in 50 cells",
        "and 40 notebooks more",
        "nbops[diff]",
    ):
        assert said in html, said
    assert "<i>0" not in html
    assert "<b>x" not in html
    assert "&lt;i&gt;z&lt;/i&gt; is gone" in html
    assert "nbops[diff]" not in comparison_page(found, notebooks=[replace(many[0], matched_by="nbdime")])


def test_only_what_differs_within_a_line_is_marked(runs: Runs) -> None:
    found = compare(replace(runs["passing"](), id=EARLIER), runs["passing"]())
    lines = (Line(sign="-", text="total = price * 2"), Line(sign="+", text="total = price * 3"), Line(sign=" ", text="done"))
    cell = CellChange(kind="changed", cell="code", before=1, after=2, lines=lines)
    html = comparison_page(found, notebooks=[NotebookChange(task="t", cells=(cell,), matched_by="nbdime")])
    assert "total = price * <mark>2</mark></del>" in html
    assert "total = price * <mark>3</mark></ins>" in html
    assert "Cell 2, was 1: changed" in html

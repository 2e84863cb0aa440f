"""``nbops.explore()`` in JupyterLab, by mouse and by keyboard."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from nbops.model import Check, CheckResult, Column, ColumnEdge, Dataset, LineageEdge, Run, TaskLineage, TaskRun
from nbops.record.store import write_run

pytestmark = [pytest.mark.browser, pytest.mark.e2e]

PICTURES = os.environ.get("NBOPS_PICTURES")
RUN = "20260101T000000Z-aaaaaa"
HOSTILE = "<img src=x onerror=window.hit=1>'\""


def _dataset(name: str, task: str, *, verdict: Any = "passed") -> Dataset:
    columns = tuple(Column(name=column, physical_type="DOUBLE") for column in ("id", "amount", HOSTILE))
    return Dataset(name=name, task=task, path=f"output/{name}.csv", format="csv", rows=1234, verdict=verdict, columns=columns)


def _edge(source: str, target: str, task: str) -> ColumnEdge:
    return ColumnEdge(
        source=source,
        source_column="amount",
        target=target,
        target_column="amount",
        kind="derived",
        how="sql",
        task=task,
        cells=(2,),
    )


@pytest.fixture
def shop(project: Path) -> Path:
    """The project with a run: raw -> clean -> orders -> 20 reports."""
    reports = [f"report_{number:02d}" for number in range(20)]
    lineage = [
        LineageEdge(source=f"file:{HOSTILE}.csv", target="task:ingest"),
        LineageEdge(source="task:ingest", target="dataset:raw", kind="writes"),
        LineageEdge(source="dataset:raw", target="task:clean"),
        LineageEdge(source="task:clean", target="dataset:orders", kind="writes"),
    ]
    lineage += [LineageEdge(source="dataset:orders", target=f"task:{name}") for name in reports]
    check = Check(id="amount.nullValues", dataset="orders", metric="nullValues", column="amount")
    run = Run(
        id=RUN,
        pipeline="shop",
        command="nbops build",
        started_at="2026-01-01T00:00:00Z",
        status="succeeded",
        verdict="failed",
        tasks=tuple(TaskRun(name=name, kind="notebook", status="succeeded") for name in ("ingest", "clean", *reports)),
        datasets=(_dataset("raw", "ingest"), _dataset("orders", "clean", verdict="failed")),
        lineage=tuple(lineage),
        checks=(CheckResult(check=check, verdict="failed", message=f"5 nulls {HOSTILE}"),),
        column_lineage=(TaskLineage(task="clean", edges=(_edge("raw", "orders", "clean"),)),),
    )
    write_run(project / "reports", run)
    page = project / "reports/runs" / RUN / "datasets/orders.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("<!doctype html><title>orders</title><h1>The page of orders</h1>", encoding="utf-8")
    return project


def _active(page: Any) -> str:
    return str(page.evaluate("() => document.activeElement.dataset.key || document.activeElement.getAttribute('role') || ''"))


def test_by_mouse_and_by_keyboard(page: Any, lab: Any, shop: Path, cell: Any, show: Any, violations: Any, theme: Any) -> None:  # noqa: PLR0915, PLR0917
    cell(shop / "try.ipynb", "import nbops\nnbops.explore()")
    widget = show(page, lab(shop), "try.ipynb")
    title = widget.locator(".nbops-e-title")
    assert title.inner_text().startswith("dataset orders failed")
    widget.get_by_text("5 nulls <img").wait_for()
    assert violations(page) == []
    with page.context.expect_page() as opened:
        widget.get_by_role("link", name="page").click()
    opened.value.get_by_role("heading", name="The page of orders").wait_for()
    opened.value.close()

    # by mouse
    widget.get_by_role("button", name="task clean, succeeded", exact=False).first.click()
    title.filter(has_text="task clean").wait_for()
    widget.locator(".nbops-e-sides").get_by_role("button", name="orders").click()
    title.filter(has_text="dataset orders").wait_for()
    widget.get_by_text("3 columns").click()
    widget.locator(".nbops-e-columns").get_by_role("button", name="amount").click()
    title.filter(has_text="column orders.amount").wait_for()
    assert "computed in clean, cell 3" in widget.locator(".nbops-e-sides").inner_text()
    widget.get_by_role("button", name="Back").click()
    title.filter(has_text="dataset orders").wait_for()

    # by keyboard: along the lines, open, back, search
    assert _active(page) == "dataset:orders"
    page.keyboard.press("ArrowLeft")
    assert _active(page) == "task:clean"
    page.keyboard.press("ArrowLeft")
    assert _active(page) == "dataset:raw"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert _active(page) == "dataset:orders"
    page.keyboard.press("ArrowRight")
    first = _active(page)
    assert first.startswith("task:report_")
    page.keyboard.press("ArrowDown")
    assert _active(page) != first
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    title.filter(has_text="dataset raw").wait_for()
    page.wait_for_function("() => document.activeElement.dataset.key === 'dataset:raw'")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert _active(page) == f"file:{HOSTILE}.csv"
    page.keyboard.press("Escape")
    title.filter(has_text="dataset orders").wait_for()
    page.keyboard.press("/")
    assert _active(page) == "combobox"
    page.keyboard.type("report_1")
    widget.get_by_role("option").nth(9).wait_for()
    assert violations(page) == []
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    title.filter(has_text="task report_11").wait_for()
    page.keyboard.press("/")
    page.keyboard.type("orders.<img")
    widget.get_by_role("option").first.wait_for()
    page.keyboard.press("Enter")
    title.filter(has_text=f"column orders.{HOSTILE}").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    title.filter(has_text="dataset orders").wait_for()
    assert page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets.length") == 1, "no key got through"
    assert page.evaluate("() => window.hit") is None

    page.add_style_tag(content=".Toastify { display: none }")  # JupyterLab asks about news
    for name in ("dark", "light"):
        theme(page, name)
        assert violations(page) == []
        if PICTURES:
            widget.screenshot(path=f"{PICTURES}/explore-{name}.png")
    page.set_viewport_size({"width": 390, "height": 800})
    page.evaluate("() => { window.jupyterapp.shell.collapseLeft(); }")
    assert violations(page) == []
    if PICTURES:
        widget.screenshot(path=f"{PICTURES}/explore-narrow.png")
    assert page.errors == []
    assert all(url.startswith(("http://127.0.0.1", "data:", "blob:")) for url in page.requests)

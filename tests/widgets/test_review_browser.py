"""``nbops.review()`` in JupyterLab, by mouse and by keyboard."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from nbops.history.expected import FILE, load_corrections
from nbops.history.incidents.store import load_incidents
from nbops.history.incidents.update import update
from nbops.model import Anomaly, Check, CheckResult, Column, Dataset, LineageEdge, Run, RunError, TaskRun
from nbops.record.store import read_run, write_run

pytestmark = [pytest.mark.browser, pytest.mark.e2e]

PICTURES = os.environ.get("NBOPS_PICTURES")
HOSTILE = "<img src=x onerror=window.hit=1>'\"; DROP \u202eTABLE 😀"
CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
schema:
  - name: orders
    properties:
      - {name: id, required: true}
      - {name: mail, classification: personal}
"""


def _run(number: int, *, bad: bool) -> Run:
    nulls = Check(id="id.nullValues", dataset="orders", metric="nullValues", column="id", operator="mustBe", expected=0)
    size = Check(id="rowCount", dataset="orders", metric="rowCount", operator="mustBeGreaterThan", expected=900, severity="warn")
    rows = tuple({"_row": n, "id": None, "mail": "•••", "note": HOSTILE, "amount": 2**60 + n} for n in range(2, 5))
    told = "812 rows, usually 1,000 to 1,040"
    unusual = Anomaly(monitor="volume", subject="dataset:orders", metric="rowCount", observed=812, message=told, score=4.0)
    return Run(
        id=f"20261122T1900{number:02d}Z-00000{number}",
        status="failed" if bad else "succeeded",
        verdict="failed" if bad else "passed",
        pipeline="shop",
        command="ploomber build",
        started_at=f"2026-11-22T19:00:{number:02d}Z",
        tasks=(
            TaskRun(
                name="clean",
                kind="notebook",
                status="failed" if bad else "succeeded",
                source="clean.py",
                products={"data": "orders.csv"},
                error=RunError(kind="ChecksFailed", message="id") if bad else None,
            ),
        ),
        datasets=(
            Dataset(
                name="orders",
                task="clean",
                path="orders.csv",
                format="csv",
                rows=812 if bad else 1_000,
                published=not bad,
                columns=(Column(name="id", physical_type="BIGINT"), Column(name="mail", physical_type="VARCHAR")),
            ),
        ),
        checks=(
            CheckResult(
                check=nulls, verdict="failed" if bad else "passed", observed=3, failing_rows=3, examples=rows if bad else ()
            ),
            CheckResult(check=size, verdict="warned" if bad else "passed", observed=812, message=HOSTILE),
        ),
        anomalies=(unusual,) if bad else (),
        lineage=(LineageEdge(source="task:clean", target="dataset:orders", kind="writes"),),
    )


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    (root / "contracts").mkdir(parents=True)
    (root / "pipeline.yaml").write_text("tasks: []\n", encoding="utf-8")
    (root / "contracts/orders.odcs.yaml").write_text(CONTRACT, encoding="utf-8")
    for words in (("init", "-q"), ("config", "user.name", "Ada"), ("config", "user.email", "a@example.org")):
        subprocess.run(["git", *words], cwd=root, check=True)
    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "x"], cwd=root, check=True)
    for made in (_run(1, bad=False), _run(2, bad=True)):
        write_run(root / "reports", made)
        update(root / "reports", read_run(root / "reports", made.id))
    return root


def _picture(widget: Any, name: str) -> None:
    if PICTURES:
        widget.screenshot(path=f"{PICTURES}/{name}.png")


def _states(root: Path) -> set[str]:
    return {item.state for item in load_incidents(root / "reports").found}


def test_by_mouse(page: Any, lab: Any, shop: Path, cell: Any, show: Any, violations: Any, theme: Any) -> None:  # noqa: PLR0917
    cell(shop / "try.ipynb", "import nbops\nnbops.review()")
    widget = show(page, lab(shop), "try.ipynb")
    widget.get_by_text("3 of 3 still to decide.").wait_for()
    assert widget.get_by_text("1 of 3", exact=True).is_visible()
    assert widget.locator("tbody tr").count() == 3
    assert str(2**60 + 2) in widget.locator("tbody").inner_text(), "no digit is lost"
    assert widget.get_by_text("Values of personal columns are not shown.").is_visible()
    assert widget.get_by_role("button", name="Previous").is_disabled()
    for name in ("dark", "light"):
        theme(page, name)
        assert violations(page) == []
        _picture(widget, f"review-{name}")

    widget.get_by_role("button", name="Next").click()
    widget.get_by_text("2 of 3", exact=True).wait_for()
    widget.get_by_label("Show").select_option("warn")
    widget.get_by_text("1 of 2", exact=True).wait_for()
    widget.get_by_role("heading", name="812 rows").wait_for()
    widget.get_by_role("button", name="Accept as expected").click()
    widget.get_by_text("Say why: others will want to know.").first.wait_for()
    assert widget.get_by_label("Reason").evaluate("field => field === document.activeElement")
    assert not (shop / FILE).exists()
    widget.get_by_label("Reason").fill(f"a quiet week {HOSTILE}")
    widget.get_by_label("Until").fill("2026-12-01")
    widget.get_by_role("button", name="Accept as expected").click()
    widget.locator("[data-state=expected]").wait_for()
    [entry] = load_corrections(shop)
    assert (entry.subject, entry.until, entry.by) == ("dataset:orders", "2026-12-01", "Ada")
    widget.get_by_text("EXP-").first.wait_for()
    _picture(widget, "review-accepted")
    widget.get_by_role("button", name="Take back the last acceptance").click()
    widget.locator("[data-state=open]").wait_for()
    assert not (shop / FILE).exists()
    assert widget.get_by_role("button", name="Take back the last acceptance").is_disabled()

    widget.get_by_label("Show").select_option("error")
    widget.get_by_label("Reason").fill("known")
    widget.get_by_role("button", name="Acknowledge").click()
    widget.locator("[data-state=acknowledged]").wait_for()
    assert "acknowledged" in _states(shop)
    page.set_viewport_size({"width": 390, "height": 800})
    page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    assert violations(page) == []
    _picture(widget, "review-narrow")
    assert page.evaluate("() => window.hit") is None
    assert page.errors == []
    assert all(url.startswith(("http://127.0.0.1", "data:", "blob:")) for url in page.requests)


def test_by_keyboard(page: Any, lab: Any, shop: Path, cell: Any, show: Any, until: Any) -> None:  # noqa: PLR0917
    cell(shop / "try.ipynb", "import nbops\nwalk = nbops.review()\nwalk")
    widget = show(page, lab(shop), "try.ipynb")
    cells = page.locator(".jp-Cell").count()
    widget.get_by_role("button", name="Next").focus()
    page.keyboard.press("Enter")
    widget.get_by_text("2 of 3", exact=True).wait_for()
    page.keyboard.press("n")
    widget.get_by_text("3 of 3", exact=True).wait_for()
    assert widget.evaluate("node => node.contains(document.activeElement)"), "the focus stays when its button is off"
    page.keyboard.press("p")
    page.keyboard.press("p")
    widget.get_by_text("1 of 3", exact=True).wait_for()
    said = widget.locator("[role=status]")
    assert "1 of 3: failed, orders" in said.inner_text()
    for _ in range(20):
        page.keyboard.press("Tab")
        if widget.get_by_label("Reason").evaluate("field => field === document.activeElement"):
            break
    page.keyboard.type("np dd")  # neither a walk nor JupyterLab's keys
    assert widget.get_by_label("Reason").input_value() == "np dd"
    page.keyboard.press("Enter")
    widget.locator("[data-state=expected]").wait_for()
    assert _states(shop) == {"expected"}
    assert "Accepted." in said.inner_text()
    assert widget.get_by_role("heading", level=4).evaluate("node => node === document.activeElement")
    assert page.locator(".jp-Cell").count() == cells
    page.evaluate("""() => { window.jupyterapp.shell.currentWidget.sessionContext.session.kernel
        .requestExecute({code: "open('left', 'w').write(str(walk.review.left))"}); }""")
    until(lambda: (shop / "left").exists() and (shop / "left").read_text())
    assert (shop / "left").read_text() == "0"
    assert page.errors == []

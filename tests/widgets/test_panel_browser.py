"""``nbops.panel()`` in JupyterLab, by mouse and by keyboard, with real builds."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from nbops.record.store import latest_run

pytestmark = [pytest.mark.browser, pytest.mark.e2e]

PICTURES = os.environ.get("NBOPS_PICTURES")
"""Folder that pictures for docs/ are written to."""
TASK = """\
# %% tags=["parameters"]
upstream = None
product = None
rows = 3  # 1 to 1,000
label = "plain"
country = "UK"
since = "2024-01-31"
sure = True
tags = ["a"]

# %%
import json
import time
from pathlib import Path

print("rows", rows)
while not Path("go").exists():
    time.sleep(0.05)
Path(product["data"]).parent.mkdir(exist_ok=True, parents=True)
Path(product["data"]).write_text("a,country\\n" + f"1,{country}\\n" * rows, encoding="utf-8")
Path("seen.json").write_text(json.dumps([rows, label, country, since, sure, tags]), encoding="utf-8")
"""
CONTRACT = """\
apiVersion: v3.0.2
kind: DataContract
id: first
version: 1.0.0
status: active
name: first
schema:
  - name: first
    properties:
      - {name: a, logicalType: integer}
      - name: country
        logicalType: string
        quality:
          - {metric: invalidValues, arguments: {validValues: [UK, FR]}, mustBe: 0}
    quality:
      - {metric: rowCount, mustBeLessThan: 100}
"""
HOSTILE = "<img src=x onerror=window.hit=1>'\"; DROP 😀"


@pytest.fixture
def shop(waiting: Path) -> Path:
    (waiting / "notebooks/first.py").write_text(TASK, encoding="utf-8")
    (waiting / "contracts").mkdir()
    (waiting / "contracts/first.odcs.yaml").write_text(CONTRACT, encoding="utf-8")
    (waiting / ".gitignore").write_text("output\n.nbops\ngo\nseen.json\n", encoding="utf-8")
    return waiting


def _picture(page: Any, widget: Any, name: str) -> None:
    if PICTURES:
        page.add_style_tag(content=".Toastify { display: none }")
        widget.screenshot(path=f"{PICTURES}/{name}.png")


def test_by_mouse(page: Any, lab: Any, shop: Path, cell: Any, show: Any, violations: Any, theme: Any) -> None:  # noqa: PLR0915, PLR0917
    cell(shop / "try.ipynb", 'import nbops\nnbops.panel("first")')
    widget = show(page, lab(shop), "try.ipynb")
    rows = widget.get_by_label("rows")
    assert (rows.get_attribute("type"), rows.get_attribute("min"), rows.get_attribute("max")) == ("number", "1", "1000")
    assert widget.get_by_label("sure").is_checked()
    assert widget.get_by_label("since").get_attribute("type") == "date"
    assert widget.get_by_label("country").locator("option").all_inner_texts() == ["UK", "FR"]
    assert violations(page) == []

    rows.fill("1001")
    wrong = widget.locator(".nbops-w-wrong", has_text="must be at most 1,000")
    wrong.wait_for()
    assert rows.get_attribute("aria-invalid") == "true"
    widget.get_by_role("button", name="Run").click()
    widget.get_by_text("One value is not right: rows.").first.wait_for()
    assert rows.evaluate("field => field === document.activeElement")
    assert not (shop / ".nbops/lab/build.json").exists(), "nothing is started"
    _picture(page, widget, "panel-wrong")

    rows.fill("200")
    wrong.wait_for(state="hidden")
    widget.get_by_label("label").fill(HOSTILE)
    widget.get_by_label("country").select_option("FR")
    widget.get_by_label("sure").uncheck()
    widget.get_by_label("tags").fill('["<b>", "ü"]')
    widget.get_by_role("button", name="Run").click()
    widget.get_by_text("Building").first.wait_for()
    assert widget.get_by_role("button", name="Run").is_disabled()
    # the kernel is free while the build goes on
    page.evaluate("""() => { window.jupyterapp.shell.currentWidget.sessionContext.session.kernel
        .requestExecute({code: "open('free', 'w').close()"}); }""")
    page.wait_for_function("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'")
    (shop / "go").touch()
    widget.get_by_text("Build: a task or its checks failed. first: failed.").first.wait_for()
    assert (shop / "free").exists()
    assert json.loads((shop / "seen.json").read_text()) == [200, HOSTILE, "FR", "2024-01-31", False, ["<b>", "ü"]]
    widget.locator("[data-verdict=failed]").first.wait_for()
    widget.get_by_text("rowCount").first.wait_for()
    assert widget.locator(".nbops-p-log").is_visible()
    run = latest_run(shop / "reports")
    assert run is not None
    assert next(task for task in run.tasks if task.name == "first").parameters["label"] == HOSTILE
    assert page.evaluate("() => window.hit") is None
    for name in ("dark", "light"):
        theme(page, name)
        assert violations(page) == []
        _picture(page, widget, f"panel-{name}")

    with page.context.expect_page() as opened:
        widget.get_by_role("link", name="page of the task").click()
    opened.value.get_by_role("heading", name="first").first.wait_for()
    opened.value.close()
    widget.get_by_role("button", name="Reset values").click()
    assert rows.input_value() == "3"
    assert (shop / "notebooks/first.py").read_text() == TASK, "what was typed holds for one run"
    page.set_viewport_size({"width": 390, "height": 800})
    page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    assert violations(page) == []
    _picture(page, widget, "panel-narrow")
    assert page.errors == []
    assert all(url.startswith(("http://127.0.0.1", "data:", "blob:")) for url in page.requests)


def test_by_keyboard(page: Any, lab: Any, shop: Path, show: Any, violations: Any, until: Any) -> None:  # noqa: PLR0917
    source = shop / "notebooks/first.py"
    head, _, work = source.read_text(encoding="utf-8").partition("# %%\n")
    work = "".join(f"    {line}\n" for line in work.splitlines())
    # the panel stands in the task's own notebook, in which no name is needed, and stays there in builds
    source.write_text(f"{head}# %%\nimport os\nif 'NBOPS_TASK' in os.environ:\n{work}\n# %%\nimport nbops\nnbops.panel()\n")
    widget = show(page, lab(shop), "notebooks/first.py")
    widget.get_by_role("heading", name="Parameters of first").wait_for()
    widget.get_by_label("rows").focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("7")
    page.keyboard.press("Tab")
    assert widget.get_by_label("label").evaluate("field => field === document.activeElement")
    page.keyboard.type("dd")  # in JupyterLab: delete the cell
    assert "dd" in widget.get_by_label("label").input_value()
    page.keyboard.press("Enter")
    widget.get_by_text("Building").first.wait_for()
    stop = widget.get_by_role("button", name="Stop")
    until((shop / "reports/runs").is_dir)
    for _ in range(20):
        if stop.evaluate("button => button === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    widget.get_by_text("Build: stopped", exact=False).first.wait_for()
    assert not (shop / "output/first.csv").exists()
    assert violations(page) == []
    (shop / "go").touch()
    widget.get_by_label("label").focus()
    page.keyboard.press("Enter")
    widget.get_by_text("Build: done. first: succeeded.").first.wait_for()
    assert len((shop / "output/first.csv").read_text().splitlines()) == 8
    executed = json.loads((shop / "output/first.ipynb").read_text(encoding="utf-8"))
    shown = json.dumps([executed["cells"][-1]["outputs"], executed["metadata"].get("widgets")])
    assert "Parameters of first" in shown
    assert str(shop) not in shown
    assert page.locator(".jp-Cell").count() >= 2, "no key got through to the notebook"
    assert page.errors == []

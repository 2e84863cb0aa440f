"""What a task's notebook is told of its last run: over the server's endpoint, and in a real browser."""

from __future__ import annotations

import json
import subprocess
import urllib.parse
from pathlib import Path
from typing import Any

import pytest
from tests.lab_tools import begin, violations

from nbops.lab.cells import notebook_state, recorded_cells, writing_cell
from nbops.model import Dataset, Run, TaskRun


def test_checks_are_told_with_the_cell_that_made_the_data(broken: Path) -> None:
    found = notebook_state(broken / "notebooks/first.py", names={broken: ""})
    assert (found["project"], found["pipeline"], found["task"], found["status"]) == ("", "pipeline.yaml", "first", "failed")
    [dataset] = found["datasets"]
    assert (dataset["name"], dataset["cell"], dataset["columns"], dataset["published"]) == ("first", 1, ["a"], False)
    assert 'product["data"]' in dataset["source"]
    assert dataset["checks"][0]["verdict"] == "failed"
    assert found["before"] is None
    assert notebook_state(broken / "notebooks/helpers.py", names={broken: ""}) == {"task": None, "error": None}
    assert notebook_state(broken / "notebooks/first.py", names={}) == {"task": None, "error": None}  # of no project that is shown

    (broken / "pipeline.yaml").write_text("tasks:\n  - source: [\n", encoding="utf-8")
    assert "pipeline.yaml" in notebook_state(broken / "notebooks/first.py", names={broken: ""})["error"]


def test_the_writing_cell_is_the_last_that_names_the_product() -> None:
    task = TaskRun(name="t", kind="notebook", status="succeeded", products={"nb": "o/t.ipynb", "data": "o/t.csv"})
    item = Dataset(name="t", task="t", path="o/t.csv", format="csv")
    run = Run(id="r", status="succeeded", verdict="passed", pipeline="p", command="c", started_at="")
    cells = {
        0: "product = None",
        2: 'df.to_csv(product["data"])',
        3: "print(product['nb'])",
        4: "product[",
        5: "%time product['data']",
    }
    assert writing_cell(item, run, task, {k: cells[k] for k in (0, 2, 3, 4)}) == 2
    assert writing_cell(item, run, task, {0: cells[0], 4: cells[4]}) is None
    assert writing_cell(item, run, task, {}) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cells": 3}', '{"cells": [3, {}]}'])
def test_a_damaged_record_of_a_notebook_tells_no_cells(tmp_path: Path, text: str) -> None:
    task = TaskRun(name="t", kind="notebook", status="succeeded", notebook="runs/r/t.ipynb")
    assert recorded_cells(tmp_path, task) == {}
    (tmp_path / "runs/r").mkdir(parents=True)
    (tmp_path / "runs/r/t.ipynb").write_text(text, encoding="utf-8")
    assert recorded_cells(tmp_path, task) == {}


def test_a_record_outside_of_the_reports_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "x.ipynb").write_text(json.dumps({"cells": [{"cell_type": "code", "source": "1"}]}), encoding="utf-8")
    task = TaskRun(name="t", kind="notebook", status="succeeded", notebook="../x.ipynb")
    assert recorded_cells(tmp_path / "reports", task) == {}


def test_only_files_that_are_served_are_told_of_and_only_to_who_is_logged_in(lab: Any, broken: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text("1", encoding="utf-8")
    (broken / "notebooks/link.py").symlink_to(tmp_path / "outside.py")
    server = lab(broken)
    assert server.request("nbops/api/notebook?path=notebooks/first.py")[1]["task"] == "first"
    for path in ("../outside.py", "/etc/passwd", "notebooks/link.py", "notebooks", "", "a\0b", "..%2foutside.py"):
        assert server.request(f"nbops/api/notebook?path={urllib.parse.quote(path)}")[0] == 404, path
    assert server.request("nbops/api/notebook")[0] == 400
    for path in ("notebook?path=notebooks/first.py", "sources?target=first"):
        assert server.request(f"nbops/api/{path}", token="wrong")[0] == 403
    status, found = server.request("nbops/api/sources?target=first.a")
    assert (status, found["node"]) == (200, "first.a")
    assert server.request("nbops/api/sources?target=nothing")[0] == 400
    assert server.request("nbops/api/sources?target=first&project=../..")[0] == 404


@pytest.mark.browser
@pytest.mark.e2e
def test_a_failing_check_stands_at_its_cell_and_goes_when_it_is_mended(page: Any, lab: Any, broken: Path) -> None:
    begin(page, lab(broken), "notebooks/first.py")
    banner = page.locator(".jp-CodeCell .nbops-cell-banner")
    banner.wait_for()
    assert "a.invalidValues" in banner.inner_text()
    cell = page.locator(".jp-CodeCell", has=page.locator(".nbops-cell-banner"))
    assert 'Path(product["data"])' in cell.inner_text()
    assert violations(page, ".nbops-cell-banner") == []

    page.get_by_role("button", name="Checks", exact=True).focus()
    page.keyboard.press("Enter")
    checks = page.locator(".nbops-notebook-checks")
    checks.get_by_text("first: 1 failed").wait_for()
    page.evaluate("() => { window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'}); }")
    page.locator("body[data-jp-theme-light=false]").wait_for(state="attached")
    assert violations(page, ".nbops-notebook-checks") == []
    assert violations(page, ".nbops-cell-banner") == []
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Close the checks").click()
    checks.wait_for(state="hidden")

    page.get_by_role("button", name="Sources", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Show").click()
    page.get_by_role("dialog").get_by_text("first comes from").wait_for()
    page.keyboard.press("Escape")

    # a notebook that was edited: the banner stays with its cell, and says so
    page.evaluate(
        "() => { const m = window.jupyterapp.shell.currentWidget.content.model.sharedModel;"
        " m.insertCell(0, {cell_type: 'code', source: '1'}); }"
    )
    page.locator(".nbops-cell-banner", has_text="has moved").wait_for()
    page.evaluate("() => { window.jupyterapp.shell.currentWidget.content.model.sharedModel.deleteCell(0); }")

    contract = broken / "contracts/first.odcs.yaml"
    contract.write_text(contract.read_text(encoding="utf-8").replace("[2]", "[1]"), encoding="utf-8")
    page.get_by_role("button", name="Run task", exact=True).click()
    banner.wait_for(state="detached")

    # an .ipynb of the pipeline has the same buttons, all by keyboard: Tab leads to the toolbar, arrows lead along it
    page.evaluate("() => { window.jupyterapp.commands.execute('docmanager:open', {path: 'notebooks/second.ipynb'}); }")
    page.wait_for_function("() => window.jupyterapp.shell.currentWidget?.context?.path === 'notebooks/second.ipynb'")
    toolbar = page.locator(".jp-NotebookPanel:visible .jp-NotebookPanel-toolbar")
    for name in ("Run task", "Checks", "Compare", "Sources", "Tables"):
        toolbar.get_by_role("button", name=name, exact=True).wait_for()
    toolbar.locator("jp-button, button").first.focus()
    told = "() => document.activeElement.getAttribute('aria-label')"
    while (name := page.evaluate(told)) != "Tables":
        page.keyboard.press("ArrowRight")
        assert page.evaluate(told) != name, "the arrows lead to the last button"
    page.wait_for_function("() => window.jupyterapp.shell.currentWidget.sessionContext?.session?.kernel?.status === 'idle'")
    page.keyboard.press("Enter")
    page.locator(".nbops-toolbar [aria-pressed=true]:visible", has_text="Tables").wait_for()
    page.evaluate(
        """() => { const { model } = window.jupyterapp.shell.currentWidget.content;
                   model.sharedModel.insertCell(0, {cell_type: 'code', source:
                     "import pyarrow\\norders = pyarrow.table({'amount': [1, None, 3]})"});
                   window.jupyterapp.shell.currentWidget.content.activeCellIndex = 0;
                   window.jupyterapp.commands.execute('notebook:run-cell'); }"""
    )
    output = page.locator(".jp-NotebookPanel:visible .jp-CodeCell").first.locator(".jp-OutputArea-output")
    output.get_by_text("orders").first.wait_for()
    assert "3" in output.first.inner_text()
    assert page.errors == []
    log = subprocess.run(["git", "log", "-1", "--format=%B"], cwd=broken, check=True, capture_output=True, text=True).stdout
    assert "nbops" in log

"""A day in JupyterLab, in a real browser: edit a task's notebook, build, see what is wrong, say so, mend it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.lab_tools import begin

pytestmark = [pytest.mark.browser, pytest.mark.e2e]

_SOURCE = "notebooks/first.py"
_REASON = "the supplier counts from one"


def _incident(project: Path) -> dict[str, Any]:
    [path] = (project / "reports/incidents").glob("INC-*.json")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_from_editing_a_task_to_a_mended_incident(  # noqa: PLR0915, PLR0917 - one walk, step by step
    page: Any,
    picture: Callable[..., None],
    lab: Any,
    waiting: Path,
    contract_text: str,
    until: Callable[..., Any],
) -> None:
    contract = waiting / "contracts/first.odcs.yaml"
    contract.parent.mkdir()
    contract.write_text(contract_text, encoding="utf-8")
    before = (waiting / _SOURCE).read_bytes()
    begin(page, lab(waiting))
    page.evaluate("() => { window.jupyterapp.commands.execute('nbops:show'); }")
    panel = page.locator(".nbops-panel")
    first = panel.locator("[data-task=first]")
    first.get_by_text("stale").wait_for()
    assert "No runs yet" in panel.locator(".nbops-verdict").inner_text()

    # the notebook of a task opens with what the pipeline would give it
    first.locator("summary").click()
    first.get_by_role("button", name="Notebook").click()
    page.wait_for_function(f"() => window.jupyterapp.shell.currentWidget?.context?.path === '{_SOURCE}'")
    notebook = page.locator(".jp-NotebookPanel:visible")
    notebook.get_by_text("output/first.csv").first.wait_for()

    # edited and saved, the file has the edit and nothing else
    cell = notebook.locator(".jp-CodeCell", has_text="write_text")
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.press("Enter")
    page.keyboard.type("# looked at")
    page.keyboard.press("Control+s")
    expected = before.rstrip(b"\n") + b"\n# looked at\n"
    until(lambda: (waiting / _SOURCE).read_bytes() != before)
    until(lambda: not page.evaluate("() => window.jupyterapp.shell.currentWidget.context.model.dirty"))
    assert (waiting / _SOURCE).read_bytes() == expected

    # a build is seen while it goes on
    panel.get_by_role("button", name="Build", exact=True).click()
    panel.get_by_text("Building: 0 done, 1 running, 1 left").wait_for()
    first.get_by_text("running").wait_for()
    picture(page, "lab-building")
    (waiting / "go").touch()
    panel.get_by_text("Last run failed").wait_for()

    # what failed stands at the cell that made the data
    failing = notebook.locator(".jp-CodeCell", has=page.locator(".nbops-cell-banner"))
    failing.get_by_text("a.invalidValues").wait_for()
    assert "# looked at" in failing.inner_text()
    picture(page, "lab-failing-check")

    # its report is a tab beside the notebook
    panel.get_by_role("button", name="Open report").click()
    report = page.frame_locator(".nbops-report iframe")
    report.locator("h1").wait_for()
    report.get_by_text("a.invalidValues").first.wait_for(state="attached")

    # it is as expected, somebody says, and why
    incident = panel.locator("[data-incident]")
    incident.get_by_role("button", name="as expected").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill(_REASON)
    dialog.get_by_role("button", name="Mark as expected").click()
    incident.wait_for(state="detached")
    told = _incident(waiting)
    assert told["state"] == "expected"
    assert _REASON in json.dumps(told["events"])

    # a rule that is wrong belongs into its contract: mended, and built
    contract.write_text(contract_text.replace("[2]", "[1]"), encoding="utf-8")
    panel.get_by_role("button", name="Build", exact=True).click()
    panel.get_by_text("Last run passed").wait_for()
    first.get_by_text("fresh", exact=True).wait_for()
    panel.locator("[data-task=second]").get_by_text("fresh", exact=True).wait_for()
    [ledger] = [run for run in (waiting / "reports/runs").iterdir() if run.name != told["opened_run"]]
    told = until(lambda: (found := _incident(waiting))["findings"][0].get("mended_run") and found)
    assert told["findings"][0]["mended_run"] == ledger.name
    assert (told["state"], told["resolved_run"]) == ("resolved", ledger.name)
    assert panel.locator("[data-incident]").count() == 0

    # its page tells who accepted it and why
    report_path = f"reports/incidents/{told['id']}.html"
    page.evaluate("path => { window.jupyterapp.commands.execute('nbops:open-report', {project: '', path}); }", report_path)
    shown = page.frame_locator(".nbops-report:visible iframe")
    shown.get_by_text(_REASON).first.wait_for()

    # and the notebook has no banner any more, and no change but the one that was made
    failing.wait_for(state="detached")
    assert (waiting / _SOURCE).read_bytes() == expected
    assert page.errors == []

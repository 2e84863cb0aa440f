"""The pipeline in JupyterLab's sidebar, in a real browser with real builds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.lab_tools import begin, violations

pytestmark = [pytest.mark.browser, pytest.mark.e2e]


def tab_to(page: Any, name: str) -> None:
    """Press Tab until what is called so has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        told = page.evaluate(
            "() => document.activeElement.getAttribute('aria-label') || document.activeElement.innerText?.trim() || ''"
        )
        if told.replace("\n", " ").startswith(name):
            return
    pytest.fail(f"Tab does not lead to {name}")


def show(page: Any, server: Any, *, workspace: str | None = None) -> None:
    begin(page, server, workspace=workspace)
    page.evaluate("() => { window.jupyterapp.commands.execute('nbops:show'); }")


def test_from_stale_to_a_failing_check_and_mended(page: Any, lab: Any, waiting: Path, contract_text: str) -> None:
    (waiting / "contracts").mkdir()
    (waiting / "contracts/first.odcs.yaml").write_text(contract_text, encoding="utf-8")
    show(page, lab(waiting))
    first = page.locator("[data-task=first]")
    first.get_by_text("stale").wait_for()
    assert "No runs yet" in page.locator(".nbops-verdict").inner_text()

    tab_to(page, "Build")
    page.keyboard.press("Enter")
    page.get_by_text("Building: 0 done, 1 running, 1 left").wait_for()
    first.get_by_text("running").wait_for()
    assert page.get_by_role("progressbar", name="Tasks done").is_visible()
    assert page.get_by_role("button", name="Build", exact=True).is_disabled()
    (waiting / "go").touch()
    first.get_by_text("failed", exact=True).first.wait_for()  # live, or when it has ended
    page.get_by_text("Last run failed").wait_for()

    tab_to(page, "failed first")
    page.keyboard.press("Enter")  # the list is driven by keyboard
    page.get_by_text("a.invalidValues").first.wait_for()
    tab_to(page, "Run from here")  # and so are the buttons in it
    assert violations(page, ".nbops-panel") == []
    page.get_by_text("Log of the last build").click()
    page.locator(".nbops-log", has_text="first").wait_for()

    page.get_by_role("button", name="Open report").focus()
    page.keyboard.press("Space")
    page.frame_locator(".nbops-report iframe").locator("h1").wait_for()
    assert page.locator(".nbops-report iframe").get_attribute("sandbox") == ""
    first.get_by_role("button", name="Notebook").click()
    page.wait_for_function("() => window.jupyterapp.shell.currentWidget?.context?.path === 'notebooks/first.py'")

    contract = waiting / "contracts/first.odcs.yaml"
    contract.write_text(contract.read_text(encoding="utf-8").replace("[2]", "[1]"), encoding="utf-8")
    first.get_by_role("button", name="Run from here").click()
    first.get_by_text("fresh", exact=True).wait_for()
    page.locator("[data-task=second]").get_by_text("fresh").wait_for()
    first.get_by_text("made just now").wait_for()
    assert page.errors == []


def test_a_broken_pipeline_is_said_and_lab_works(page: Any, lab: Any, waiting: Path) -> None:
    (waiting / "pipeline.yaml").write_text("tasks:\n  - source: [<b>\n", encoding="utf-8")
    server = lab(waiting)
    show(page, server)
    page.locator(".nbops-problem", has_text="pipeline.yaml").wait_for()
    assert page.locator(".nbops-problem b").count() == 0
    page.get_by_role("button", name="Open pipeline.yaml, line").click()
    page.wait_for_function("() => window.jupyterapp.shell.currentWidget?.context?.path === 'pipeline.yaml'")
    page.evaluate("() => { window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'}); }")
    page.locator("body[data-jp-theme-light=false]").wait_for(state="attached")
    assert violations(page, ".nbops-panel") == []
    assert server.request("api/contents")[0] == 200
    assert page.errors == []


def test_an_incident_is_opened_acknowledged_and_marked_as_expected(page: Any, lab: Any, broken: Path) -> None:
    show(page, lab(broken))
    incident = page.locator("[data-incident]")
    incident.get_by_text("error").wait_for()
    assert "open · just now · first" in incident.inner_text()
    incident.get_by_role("button", name="Open incident").click()
    page.frame_locator(".nbops-report iframe").locator("h1").wait_for()

    incident.get_by_role("button", name="Acknowledge").focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("textbox").fill("the supplier sends it again")
    page.keyboard.press("Enter")
    incident.get_by_text("acknowledged").wait_for()

    incident.get_by_role("button", name="as expected").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("the new normal <img src=x onerror=alert(1)>")
    dialog.get_by_role("button", name="Mark as expected").click()
    incident.wait_for(state="detached")
    assert violations(page, ".nbops-panel") == []
    assert page.errors == []


def test_where_there_is_no_pipeline_ways_to_one_are_offered(page: Any, lab: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    show(page, lab(tmp_path / "empty"))
    page.locator(".nbops-problem", has_text="no pipeline").wait_for()
    page.get_by_role("button", name="New project").wait_for()
    page.get_by_role("button", name="Open a terminal").wait_for()
    assert violations(page, ".nbops-panel") == []


def test_two_tabs_and_a_terminal_see_the_same_of_several_pipelines_one_is_chosen(page: Any, lab: Any, waiting: Path) -> None:
    text = (waiting / "pipeline.yaml").read_text(encoding="utf-8")
    (waiting / "pipeline.serve.yaml").write_text(text.partition("  - source: notebooks/second")[0], encoding="utf-8")
    server = lab(waiting)
    show(page, server)
    page.locator("[data-task=second]").wait_for()

    # a build of a terminal is the same in both tabs while it goes on and when it has ended
    other = page.context.new_page()
    other.set_default_timeout(180_000)
    show(other, server, workspace="second")
    other.locator("[data-task=second]").wait_for()
    build = subprocess.Popen([sys.executable, "-m", "nbops.cli", "build"], cwd=waiting, stdout=subprocess.DEVNULL)
    for tab in (page, other):
        tab.get_by_text("Building: 0 done, 1 running, 1 left").wait_for()
        tab.get_by_text("is building.").wait_for()
        assert tab.get_by_role("button", name="Build", exact=True).is_disabled()
        assert tab.get_by_role("button", name="Stop", exact=True).is_enabled()
    (waiting / "go").touch()
    assert build.wait(timeout=170) == 0
    for tab in (page, other):
        tab.locator(".nbops-verdict", has_text="Last run").wait_for()
        tab.locator("[data-task=second] .nbops-stale").wait_for()  # the file that the first waits for is new since it began
    words = [tab.locator(".nbops-verdict").inner_text() for tab in (page, other)]
    assert words[0] == words[1]
    assert words[0].startswith("Last run passed")
    other.close()

    page.get_by_role("combobox", name="Pipeline").select_option("pipeline.serve.yaml")
    page.locator("[data-task=second]").wait_for(state="detached")
    page.locator("[data-task=first]").wait_for()
    assert violations(page, ".nbops-panel") == []

"""The pipeline in JupyterLab's sidebar, in a real browser with real builds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.e2e]

_ARGUMENTS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-sync"
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
      - name: a
        logicalType: integer
        quality:
          - {metric: invalidValues, arguments: {validValues: [2]}, mustBe: 0}
"""


@pytest.fixture
def page(chromium: str) -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS.split())
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(120_000)
        page.errors = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        yield page
        browser.close()


def show(page: Any, server: Any) -> None:
    page.goto(f"{server.url}/lab?reset&token={server.token}")
    page.wait_for_function("() => window.jupyterapp !== undefined")
    page.evaluate("async () => { await window.jupyterapp.restored; }")
    page.evaluate("() => { window.jupyterapp.commands.execute('nbops:show'); }")


def violations(page: Any) -> list[str]:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    return [item["id"] for item in axe.run(page, context=".nbops-panel").response["violations"]]


def test_from_stale_to_a_failing_check_and_mended(page: Any, lab: Any, waiting: Path) -> None:
    (waiting / "contracts").mkdir()
    (waiting / "contracts/first.odcs.yaml").write_text(CONTRACT, encoding="utf-8")
    show(page, lab(waiting))
    first = page.locator("[data-task=first]")
    first.get_by_text("stale").wait_for()
    assert "No runs yet" in page.locator(".nbops-verdict").inner_text()

    page.get_by_role("button", name="Build", exact=True).click()
    page.get_by_text("Building:").wait_for()
    assert page.get_by_role("button", name="Build", exact=True).is_disabled()
    (waiting / "go").touch()
    first.get_by_text("failed", exact=True).first.wait_for()  # live, or when it has ended
    page.get_by_text("Last run failed").wait_for()

    first.locator("summary").focus()
    page.keyboard.press("Enter")  # the list is driven by keyboard
    page.get_by_text("a.invalidValues").first.wait_for()
    assert violations(page) == []
    page.get_by_text("Log of the last build").click()
    page.locator(".nbops-log", has_text="first").wait_for()

    page.get_by_role("button", name="Open report").click()
    page.frame_locator(".nbops-report iframe").locator("h1").wait_for()
    assert page.locator(".nbops-report iframe").get_attribute("sandbox") == ""
    first.get_by_role("button", name="Notebook").click()
    page.wait_for_function("() => window.jupyterapp.shell.currentWidget?.context?.path === 'notebooks/first.py'")

    contract = waiting / "contracts/first.odcs.yaml"
    contract.write_text(contract.read_text(encoding="utf-8").replace("[2]", "[1]"), encoding="utf-8")
    first.get_by_role("button", name="Run anew").click()
    first.get_by_text("fresh", exact=True).wait_for()
    page.locator("[data-task=second]").get_by_text("stale").wait_for()
    assert page.errors == []


def test_a_broken_pipeline_is_said_and_lab_works(page: Any, lab: Any, waiting: Path) -> None:
    (waiting / "pipeline.yaml").write_text("tasks:\n  - source: [<b>\n", encoding="utf-8")
    server = lab(waiting)
    show(page, server)
    page.locator(".nbops-problem", has_text="pipeline.yaml").wait_for()
    assert page.locator(".nbops-problem b").count() == 0
    page.evaluate("() => { window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'}); }")
    page.locator("body[data-jp-theme-light=false]").wait_for(state="attached")
    assert violations(page) == []
    assert server.request("api/contents")[0] == 200
    assert page.errors == []

"""docs/tutorial.md in a real browser, step by step: its names, code, rules and commands are taken from the page itself."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.lab_tools import begin, violations

from nbops.adapters.pipeline_yaml import read_pipeline
from nbops.record.store import latest_run

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.timeout(1200)]

_PAGE = Path(__file__).parents[2] / "docs/tutorial.md"
_BLOCK = re.compile(r"<!-- (?P<what>\w+): (?P<how>[^\n]*?) -->\n```\w+\n(?P<text>.*?)```\n", re.DOTALL)
_ROW = re.compile(r"^\| (Name|Reads from|Product) \| `([^`]+)` \|$", re.MULTILINE)


def _blocks(what: str) -> list[tuple[str, str]]:
    """Return what the page says how to do with its blocks of a kind, and their texts, in its order."""
    return [
        (found["how"], found["text"]) for found in _BLOCK.finditer(_PAGE.read_text(encoding="utf-8")) if found["what"] == what
    ]


def _launch(page: Any, item: str) -> Any:
    """Press an item of nbops in a launcher, and return the dialog that it opens."""
    if page.locator(".jp-LauncherCard:visible").count() == 0:
        page.evaluate("() => { window.jupyterapp.commands.execute('launcher:create'); }")
    page.locator(".jp-LauncherCard:visible", has_text=item).click()
    return page.locator(".jp-Dialog")


def _bring(page: Any, path: str) -> None:
    page.evaluate("path => { window.jupyterapp.commands.execute('docmanager:open', {path}); }", path)
    page.wait_for_function("path => window.jupyterapp.shell.currentWidget?.context?.path === path", arg=path)


def _write(page: Any, editor: Any, text: str) -> None:
    """Put a text into an editor instead of what is in it, as by pasting."""
    editor.click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def _save(page: Any, until: Callable[..., Any]) -> None:
    page.keyboard.press("Control+s")
    until(lambda: not page.evaluate("() => window.jupyterapp.shell.currentWidget.context.model.dirty"))


def _type(page: Any, until: Callable[..., Any], commands: str, *, done: Callable[[], Any]) -> None:
    """Type commands into a new terminal, and wait until they were carried out."""
    page.evaluate("() => { window.jupyterapp.commands.execute('terminal:create-new'); }")
    terminal = page.locator(".jp-Terminal:visible")
    terminal.locator(".xterm-helper-textarea").wait_for(state="attached")
    terminal.locator(".xterm-screen").click()
    for line in commands.splitlines():
        page.keyboard.type(line)
        page.keyboard.press("Enter")
    until(done)
    page.evaluate("() => { window.jupyterapp.shell.currentWidget.dispose(); }")


def _apply(page: Any, how: str, text: str) -> None:
    """Do what the page says with a cell: write it below the last one, or in place of the one that is named."""
    notebook = page.locator(".jp-NotebookPanel:visible")
    if how == "below":
        notebook.locator(".jp-CodeCell .jp-InputPrompt").nth(_active(page)).click()
        page.keyboard.press("Escape")
        page.keyboard.press("b")
        cell = notebook.locator(".jp-CodeCell.jp-mod-active")
    else:
        wanted = re.fullmatch(r'replaces "(.+)"', how)
        assert wanted, f"{how!r}: not known to this test"
        cell = notebook.locator(".jp-CodeCell", has=page.locator(".cm-line", has_text=wanted[1])).first
    _write(page, cell.locator(".cm-content"), text.rstrip("\n"))


def _active(page: Any) -> int:
    number = page.evaluate("""() => {
      const content = window.jupyterapp.shell.currentWidget.content;
      return content.widgets.filter(cell => cell.model.type === 'code').indexOf(content.activeCell);
    }""")
    assert isinstance(number, int)
    return number


def _runs(root: Path) -> int:
    return len(list((root / "reports/runs").glob("*/run.json")))


def _ended(server: Any, root: Path, before: int) -> Any:
    """Return the latest run once there is one more, and nothing is building."""
    if _runs(root) <= before or server.request(f"nbops/api/build?project={root.name}")[1]["build"]["running"]:
        return None
    return latest_run(root / "reports")


def test_the_tutorial(  # noqa: PLR0915, PLR0917 - one walk, step by step
    page: Any,
    picture: Callable[..., None],
    lab: Any,
    tmp_path: Path,
    git_identity: Mapping[str, str],
    until: Callable[..., Any],
) -> None:
    served = tmp_path / "work"
    served.mkdir()
    shop = served / "shop"
    shell = '--ServerApp.terminado_settings={"shell_command": ["/bin/sh"]}'  # as started from a terminal; else a login shell
    server = lab(served, shell, PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    assert git_identity
    begin(page, server)
    panel = page.locator(".nbops-panel")

    # 1. the way by the terminal; then the one by the launcher
    [(_, typed), *later] = _blocks("terminal")
    _type(page, until, typed, done=lambda: _committed(shop))
    shutil.rmtree(shop)
    dialog = _launch(page, "Project")
    dialog.get_by_label("Name").fill("a/b")
    dialog.get_by_role("button", name="Make").click()
    dialog.get_by_role("alert").filter(has_text="are allowed").wait_for()
    assert violations(page, ".nbops-form") == []
    dialog.get_by_label("Name").fill("shop")
    picture(page, "tutorial-project")
    dialog.get_by_role("button", name="Make").click()
    panel.locator("[data-task=daily_sales]").get_by_text("stale").wait_for()
    page.locator(".jp-RenderedMarkdown:visible h1", has_text="shop").wait_for()
    dialog = _launch(page, "Project")
    dialog.get_by_label("Name").fill("shop")
    dialog.get_by_role("button", name="Make").click()
    dialog.get_by_role("alert").filter(has_text="these files are there already").wait_for()
    dialog.get_by_role("button", name="Cancel").click()
    dialog = _launch(page, "Contract")
    dialog.get_by_text("Build the pipeline first").wait_for()
    dialog.get_by_role("button").last.click()

    # 2. a first run
    panel.get_by_role("button", name="Build", exact=True).click()
    panel.get_by_text("Last run passed").wait_for()
    panel.locator("[data-task=orders] summary").click()
    panel.get_by_text("90 rows", exact=True).wait_for()
    panel.get_by_role("button", name="Open report").click()
    page.frame_locator(".nbops-report iframe").locator("h1").wait_for()
    picture(page, "tutorial-report")
    panel.locator("[data-task=orders] summary").click()

    # 3. a notebook
    asked = dict(_ROW.findall(_PAGE.read_text(encoding="utf-8")))
    dialog = _launch(page, "Task notebook")
    dialog.get_by_label("Name").fill("orders")
    dialog.get_by_role("button", name="Make").click()
    dialog.get_by_role("alert").filter(has_text="has a task of this name").wait_for()
    dialog.get_by_label("Name").fill(asked["Name"])
    dialog.get_by_label("Reads from").select_option([asked["Reads from"]])
    dialog.get_by_label("Product").fill(asked["Product"])
    picture(page, "tutorial-task")
    dialog.get_by_role("button", name="Make").click()
    source = f"shop/notebooks/{asked['Name']}.py"
    page.wait_for_function("path => window.jupyterapp.shell.currentWidget?.context?.path === path", arg=source)
    assert [task.name for task in read_pipeline(shop / "pipeline.yaml").tasks] == ["orders", "daily_sales", "customers"]
    notebook = page.locator(".jp-NotebookPanel:visible")
    notebook.get_by_text(asked["Product"]).first.wait_for()
    first, second, third, fourth = _blocks("cell")
    for block in (first, second):
        _apply(page, *block)
    page.evaluate("""async () => {
      const panel = window.jupyterapp.shell.currentWidget;
      await panel.sessionContext.ready;
      window.jupyterapp.commands.execute('notebook:run-all-cells');
    }""")
    notebook.locator(".jp-OutputArea-output th", has_text="revenue").wait_for()
    until(lambda: "[*]" not in notebook.inner_text() and "[ ]:" not in notebook.inner_text())
    assert notebook.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    notebook.locator(".jp-CodeCell", has_text="nbops.expect").scroll_into_view_if_needed()
    picture(page, "tutorial-notebook")
    before = _runs(shop)
    notebook.get_by_role("button", name="Run task").click()
    run = until(lambda: _ended(server, shop, before))
    assert (run.status, run.verdict) == ("succeeded", "passed")
    panel.locator("[data-task=customers]").get_by_text("fresh", exact=True).wait_for()

    # 4. a contract
    dialog = _launch(page, "Contract")
    choice = dialog.get_by_label("Dataset")
    choice.wait_for()
    assert choice.locator("option").all_inner_texts() == ["customers"]
    choice.evaluate("box => { box.options[0].value = 'custom'; }")  # a list that is older than the run
    dialog.get_by_role("button", name="Make").click()
    dialog.get_by_role("alert").filter(has_text="no dataset 'custom'").wait_for()
    dialog.get_by_role("button", name="Make").click()
    contract = "shop/contracts/customers.odcs.yaml"
    page.wait_for_function("path => window.jupyterapp.shell.currentWidget?.context?.path === path", arg=contract)
    [(how, rules)] = _blocks("contract")
    column = how.removeprefix("column ")
    old = (served / contract).read_text(encoding="utf-8")
    entry = re.compile(rf"^( *)- name: {column}\n(?:\1 .*\n)+", re.MULTILINE)
    new, times = entry.subn(lambda _: rules, old, count=1)
    assert times == 1, old
    _write(page, page.locator(".jp-FileEditor:visible .cm-content"), new)
    _save(page, until)
    assert (served / contract).read_text(encoding="utf-8") == new

    # 5. a check that fails
    _bring(page, source)
    before = _runs(shop)
    notebook.get_by_role("button", name="Run task").click()
    run = until(lambda: _ended(server, shop, before))
    assert run.verdict == "failed"
    failing = notebook.locator(".jp-CodeCell", has=page.locator(".nbops-cell-banner"))
    failing.get_by_text("customer").first.wait_for()
    panel.locator("[data-incident]").wait_for()
    notebook.get_by_text("A build is going on").wait_for(state="hidden")
    failing.scroll_into_view_if_needed()
    picture(page, "tutorial-failing-check")

    # 6. mended
    for block in (third, fourth):
        _apply(page, *block)
    before = _runs(shop)
    notebook.get_by_role("button", name="Run task").click()
    run = until(lambda: _ended(server, shop, before))
    assert run.verdict == "passed"
    failing.wait_for(state="detached")
    panel.locator("[data-incident]").wait_for(state="detached")

    # 7. green
    before = _runs(shop)
    panel.get_by_role("button", name="Build", exact=True).click()
    run = until(lambda: _ended(server, shop, before))
    assert run.verdict == "passed"
    panel.get_by_text("Last run passed").wait_for()
    for name in ("orders", "daily_sales", "customers"):
        panel.locator(f"[data-task={name}]").get_by_text("fresh", exact=True).wait_for()
    panel.get_by_text("Graph", exact=True).click()
    panel.locator("[data-task=customers] summary").click()
    panel.get_by_text("18 rows", exact=True).wait_for()
    panel.get_by_role("button", name="Contract of customers").click()
    page.wait_for_function("path => window.jupyterapp.shell.currentWidget?.context?.path === path", arg=contract)
    picture(page, "tutorial-green")
    for _, typed in later:
        _type(
            page, until, f"set -e\ncd shop\n{typed}touch ../typed\n", done=(served / "typed").exists
        )  # a failure ends the shell
        (served / "typed").unlink()
    assert page.errors == []


def _committed(root: Path) -> bool:
    return any((root / ".git/refs/heads").glob("*"))

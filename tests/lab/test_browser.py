"""JupyterLab after a plain install, in a real browser."""

from __future__ import annotations

import urllib.request
from typing import Any

import nbformat
import pytest
from tests.lab_tools import begin, styled

pytestmark = [pytest.mark.browser, pytest.mark.e2e]

_READY = """() => {
  const widget = window.jupyterapp.shell.currentWidget;
  if (!widget?.context?.isReady || document.querySelector('#jupyterlab-splash')) return false;
  const kernel = widget.sessionContext?.session?.kernel;
  return kernel?.connectionStatus === 'connected' && kernel.status === 'idle';
}"""
_SOURCES = "() => window.jupyterapp.shell.currentWidget.content.widgets.map(cell => cell.model.sharedModel.getSource())"


def _open(page: Any, server: Any, path: str) -> None:
    begin(page, server, path)
    page.wait_for_function(_READY)


def _is_untouched(page: Any) -> bool:
    """Tell whether an open notebook is shown as it is saved, after its kernel has said who it is."""
    return page.evaluate(
        """async () => { const widget = window.jupyterapp.shell.currentWidget;
                       const kernel = widget.sessionContext.session.kernel;
                       await kernel.spec; await kernel.info;
                       await new Promise(done => setTimeout(done)); // what waits for the same has had its turn
                       return !widget.context.model.dirty; }"""
    )


def _edit_run_save(page: Any, *, line: str) -> None:
    """Add a line to the last cell, run everything, wait for it, and save."""
    page.evaluate(
        """line => { const model = window.jupyterapp.shell.currentWidget.content.widgets.at(-1).model.sharedModel;
                     model.setSource(model.getSource() + '\\n' + line); }""",
        line,
    )
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
    page.wait_for_function(
        """() => { const cells = window.jupyterapp.shell.currentWidget.content.widgets.filter(cell => cell.model.type === 'code');
                 return cells.every(cell => cell.model.executionCount) && cells.at(-1).model.executionState !== 'running'; }"""
    )
    page.wait_for_function(_READY)
    page.evaluate(
        """() => { window.saved = ''; window.jupyterapp.shell.currentWidget.context.save().then(
                     () => { window.saved = 'done'; }, error => { window.saved = String(error); }); }"""
    )
    page.wait_for_function("() => window.saved")
    assert page.evaluate("() => window.saved") == "done"


def test_ipynb_shows_its_parameters_and_is_saved_clean(page: Any, lab: Any, project: Any) -> None:
    server = lab(project)
    assert server.request("api/contents")[0] == 200
    _open(page, server, "notebooks/second.ipynb")
    assert _is_untouched(page)
    assert 'upstream = {"first": {"nb": "output/first.ipynb", "data": "output/first.csv"}}' in page.evaluate(_SOURCES)[1]
    _edit_run_save(page, line="assert upstream['first']['data'] == 'output/first.csv'")
    text = (project / "notebooks" / "second.ipynb").read_text(encoding="utf-8")
    saved = nbformat.reads(text, as_version=4)
    nbformat.validate(saved)
    assert len(saved.cells) == 2
    assert "assert upstream" in saved.cells[1].source
    assert saved.cells[1].outputs[0].text == "output/second.csv\n"
    for private in (str(project), "injected", "papermill", "trusted", "iopub"):
        assert private not in text
    assert (project / "output" / "second.csv").is_file(), "the kernel runs where builds run"
    assert server.request("api/contents/notebooks")[0] == 200
    assert page.errors == []


def test_percent_py_opens_as_a_notebook_and_modules_as_text(page: Any, lab: Any, project: Any) -> None:
    original = (project / "notebooks" / "first.py").read_text(encoding="utf-8")
    server = lab(project)
    _open(page, server, "notebooks/first.py")
    assert _is_untouched(page)
    sources = page.evaluate(_SOURCES)
    assert "rows = 3" in sources[1]
    assert "product = " in sources[1]
    assert sources[2] == "# First"
    _edit_run_save(page, line="edited = True")
    text = (project / "notebooks" / "first.py").read_text(encoding="utf-8")
    assert text.splitlines()[-1] == "edited = True"
    assert text.replace("\nedited = True", "") == original, "nothing else changed"
    page.evaluate("() => { window.jupyterapp.commands.execute('docmanager:open', {path: 'notebooks/helpers.py'}); }")
    page.wait_for_function("() => window.jupyterapp.shell.currentWidget.context?.path === 'notebooks/helpers.py'")
    assert page.evaluate("() => window.jupyterapp.shell.currentWidget.content.constructor.name !== 'Notebook'")
    assert page.locator(".jp-FileEditor").count() == 1
    assert page.errors == []


def test_no_cloud_button(page: Any, lab: Any, project: Any) -> None:
    server = lab(project)
    _open(page, server, "notebooks/second.ipynb")
    assert page.get_by_text("Share Notebook").count() == 0
    assert "Ploomber" not in page.locator("body").inner_text()


@pytest.mark.parametrize("sheet", ["nbops.css", "profile.css"])
def test_reports_have_their_style_in_the_viewer_that_trusts_nobody(page: Any, lab: Any, project: Any, sheet: str) -> None:
    assets = project / "reports" / "assets"
    assets.mkdir(parents=True)
    (assets / sheet).write_text("body { color: rgb(1, 2, 3) }", encoding="utf-8")
    (assets / "other.css").write_text("body { background-color: rgb(4, 5, 6) }", encoding="utf-8")
    links = "".join(f'<link rel="stylesheet" href="assets/{name}">' for name in (sheet, "other.css"))
    (project / "reports" / "index.html").write_text(f"<!doctype html>{links}<p>A report</p>", encoding="utf-8")
    server = lab(project)
    page.goto(f"{server.url}/lab/tree/reports/index.html?reset&token={server.token}")
    body = page.frame_locator(".jp-HTMLViewer iframe").locator("body")
    body.get_by_text("A report").wait_for()
    assert styled(body.locator("p"), "color", "rgb(1, 2, 3)")
    assert body.evaluate("node => getComputedStyle(node).backgroundColor") != "rgb(4, 5, 6)", "the user's own files stay closed"
    with urllib.request.urlopen(f"{server.url}/files/reports/assets/{sheet}", timeout=60) as answer:  # the page to log in
        assert b"rgb(1, 2, 3)" not in answer.read()

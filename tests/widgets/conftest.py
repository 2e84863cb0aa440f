"""Widgets in a real JupyterLab: what they are driven with."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

_SPEC = importlib.util.spec_from_file_location("_lab_conftest", Path(__file__).parents[1] / "lab" / "conftest.py")
assert _SPEC is not None
assert _SPEC.loader is not None
_lab = importlib.util.module_from_spec(_SPEC)
sys.modules["_lab_conftest"] = _lab
_SPEC.loader.exec_module(_lab)

lab, project, waiting, until = _lab.lab, _lab.project, _lab.waiting, _lab.until

_ARGUMENTS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-sync"
_READY = """() => {
  const widget = window.jupyterapp.shell.currentWidget;
  if (!widget?.context?.isReady || document.querySelector('#jupyterlab-splash')) return false;
  const kernel = widget.sessionContext?.session?.kernel;
  return kernel?.connectionStatus === 'connected' && kernel.status === 'idle';
}"""


@pytest.fixture
def page(chromium: str) -> Iterator[Any]:
    """A page of a real browser; scripts' errors are kept in ``page.errors``."""
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS.split())
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(120_000)
        page.errors = []
        page.requests = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.on("request", lambda request: page.requests.append(request.url))
        yield page
        browser.close()


@pytest.fixture
def cell() -> Callable[[Path, str], Path]:
    """Return a function that writes a notebook of one cell."""

    def write(path: Path, source: str) -> Path:
        kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)], metadata={"kernelspec": kernel})
        nbformat.write(made, path)
        return path

    return write


@pytest.fixture
def show() -> Callable[..., Any]:
    """Return a function that opens a notebook in JupyterLab, runs it, and returns the widget."""

    def opened(page: Any, server: Any, path: str) -> Any:
        page.goto(f"{server.url}/lab/tree/{path}?reset&token={server.token}")
        page.wait_for_function("() => window.jupyterapp !== undefined")
        page.evaluate("async () => { await window.jupyterapp.restored; }")
        page.wait_for_function(_READY)
        page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
        widget = page.locator(".nbops-w")
        widget.wait_for()
        return widget

    return opened


@pytest.fixture
def violations() -> Callable[..., list[str]]:
    """Return a function that names what axe finds wrong with a widget."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()

    def found(page: Any) -> list[str]:
        return [
            f"{item['id']}: {item['nodes'][0]['html'][:200]}" for item in axe.run(page, context=".nbops-w").response["violations"]
        ]

    return found


@pytest.fixture
def theme() -> Callable[[Any, str], None]:
    """Return a function that turns JupyterLab light or dark, and waits until the widget has followed."""

    def turn(page: Any, name: str) -> None:
        title = {"dark": "JupyterLab Dark", "light": "JupyterLab Light"}[name]
        page.evaluate("title => { window.jupyterapp.commands.execute('apputils:change-theme', {theme: title}); }", title)
        page.locator(f".nbops-w[data-ground={name}]").wait_for()

    return turn

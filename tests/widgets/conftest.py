"""Widgets in a real JupyterLab: what they are driven with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from tests.lab_tools import begin, lab, page, project, until, waiting

__all__ = ["lab", "page", "project", "until", "waiting"]

_READY = """() => {
  const widget = window.jupyterapp.shell.currentWidget;
  if (!widget?.context?.isReady || document.querySelector('#jupyterlab-splash')) return false;
  const kernel = widget.sessionContext?.session?.kernel;
  return kernel?.connectionStatus === 'connected' && kernel.status === 'idle';
}"""


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
        begin(page, server, path)
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

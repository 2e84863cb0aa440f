"""Notebooks on warm kernels: one server for many tests."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
import papermill
import psutil
import pytest

from nbops import kernels
from nbops.adapters.papermill import ENGINE_NAME, register_engine
from nbops.contract.config import Config

PRELOADED = ("numpy", "pandas", "pyarrow", "pyarrow.parquet", "duckdb", "matplotlib.pyplot", "scipy.linalg")
KERNELSPEC = {"name": "python3", "display_name": "Python 3", "language": "python"}

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="kernels are forked on Linux only")


class Ran:
    """An executed notebook."""

    def __init__(self, notebook: Any) -> None:
        self.cells = notebook.cells
        self.metadata = notebook.metadata

    def text(self, cell: int = -1) -> str:
        """Return what a code cell printed to standard output."""
        return "".join(o["text"] for o in self.cells[cell].outputs if o["output_type"] == "stream" and o["name"] == "stdout")

    def value(self, cell: int = -1) -> Any:
        """Return the JSON that a code cell printed."""
        return json.loads(self.text(cell))


def write(path: Path, cells: list[str | tuple[str, list[str]]], *, kernelspec: Mapping[str, str] = KERNELSPEC) -> Path:
    """Write a notebook of code cells; a pair gives a cell tags."""
    made = []
    for cell in cells:
        source, tags = (cell, []) if isinstance(cell, str) else cell
        made.append(nbformat.v4.new_code_cell(source, metadata={"tags": tags}))
    nbformat.write(nbformat.v4.new_notebook(cells=made, metadata={"kernelspec": dict(kernelspec)}), path)
    return path


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--repeat", type=int, default=1, help="run each test of warm kernels this many times")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    times = metafunc.config.getoption("--repeat")
    if times > 1:
        metafunc.fixturenames.append("_repetition")
        metafunc.parametrize("_repetition", range(times))


@pytest.fixture(scope="session", autouse=True)
def _environment() -> Iterator[None]:
    # the kernels of a module share one server, so what is read once must not change in between
    patch = pytest.MonkeyPatch()
    patch.setenv("PYTHONWARNINGS", "")
    yield
    patch.undo()


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[psutil.Process]:
    """Start the process that kernels are forked from; return it."""
    kernels.stop()
    kernels.prestart(tmp_path_factory.mktemp("root"), Config(), imports=PRELOADED)
    assert kernels.running()
    yield psutil.Process(kernels._server._process.pid)
    # before DuckDB 2.0
    assert set(kernels.stop()) <= {"duckdb is not imported ahead of notebooks: its import starts threads"}


@pytest.fixture
def execute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Return a function that executes code cells with papermill, in the way nbops does, and returns the notebook."""
    register_engine(max_output_bytes=1_000_000)

    def run(*cells: str | tuple[str, list[str]], parameters: Mapping[str, Any] | None = None, **options: Any) -> Ran:
        source = write(tmp_path / "in.ipynb", list(cells), kernelspec=options.pop("kernelspec", KERNELSPEC))
        target = tmp_path / "out.ipynb"
        options = {"progress_bar": False, "engine_name": ENGINE_NAME, "cwd": str(tmp_path), **options}
        # ipykernel does not capture what is written below Python when it believes to run in a test
        monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)
        try:
            papermill.execute_notebook(str(source), str(target), parameters=dict(parameters or {}), **options)
        finally:
            run.last = Ran(nbformat.read(target, 4)) if target.exists() else None
        return run.last

    run.last = None
    return run


@pytest.fixture
def forked(warm: psutil.Process) -> Iterator[Callable[[], list[int]]]:
    """Return a function that lists the kernels started in this test, having checked that each was forked."""
    started: list[int] = []
    parents: list[int] = []

    def note(pid: int) -> None:
        started.append(pid)
        parents.append(psutil.Process(pid).ppid())

    kernels.observe(note)
    yield lambda: started
    kernels.observe(None)
    assert all(parent == warm.pid for parent in parents), f"a kernel was started the ordinary way: {kernels.notices()}"

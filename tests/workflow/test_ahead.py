"""What is imported before notebooks run, found in their sources without Ploomber."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys

import pytest

from nbops import kernels
from nbops.contract.config import Config
from nbops.pipeline import TaskSpec
from nbops.quality.profile import FORKED
from nbops.workflow.ahead import imported_by, prestart, start_kernels_early
from nbops.workflow.fingerprint import Fingerprinter
from nbops.workflow.hashing import HashCache

PIPELINE = """
tasks:
  - {source: a.ipynb, product: out/a.ipynb}
  - {source: b.py, product: out/b.ipynb}
  - {source: c.sql, product: out/c.csv, client: db.client}
  - {source: broken.ipynb, product: out/d.ipynb}
"""


def notebook(*cells):
    made = [{"cell_type": "code", "source": cell, "metadata": {}, "outputs": [], "execution_count": None} for cell in cells]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    (tmp_path / "a.ipynb").write_text(notebook("import pandas as pd, helpers", "%matplotlib inline\nfrom duckdb import sql"))
    (tmp_path / "b.py").write_text("# %% tags=['parameters']\nupstream = None\n# %%\nimport numpy.linalg\n")
    (tmp_path / "helpers.py").write_text("import yaml\n")
    (tmp_path / "c.sql").write_text("import nothing")
    (tmp_path / "broken.ipynb").write_text("{")
    asked = []
    monkeypatch.setattr(kernels, "prestart", lambda root, config, *, imports, companion: asked.append(imports))
    return tmp_path, asked


@pytest.mark.parametrize("profile", [True, False])
def test_the_profiler_is_forked_along_when_there_are_to_be_profiles(tmp_path, monkeypatch, profile):
    asked = []
    monkeypatch.setattr(kernels, "prestart", lambda root, config, *, imports, companion: asked.append(companion))
    prestart(tmp_path, Config(profile=profile), imports=None)
    assert asked == [FORKED if profile else None]
    assert callable(importlib.import_module(FORKED).run)


def test_before_the_first_run_the_sources_tell(project):
    root, asked = project
    start_kernels_early(root, Config(), pipeline=root / "pipeline.yaml", values={})
    (found,) = asked
    assert {"pandas", "duckdb", "numpy.linalg", "yaml"} <= set(found)
    assert not {"helpers", "nothing"} & set(found)


def test_later_what_was_remembered_is_taken(project, monkeypatch):
    root, asked = project
    monkeypatch.setattr(kernels, "remembers", lambda _: True)
    start_kernels_early(root, Config(), pipeline=root / "pipeline.yaml", values={})
    assert asked == [None]


@pytest.mark.parametrize("text", [None, "tasks: [", "{tasks: 1}"])
def test_a_pipeline_that_cannot_be_read_is_no_hindrance(project, text):
    root, asked = project
    if text is None:
        (root / "pipeline.yaml").unlink()
    else:
        (root / "pipeline.yaml").write_text(text)
    start_kernels_early(root, Config(), pipeline=root / "pipeline.yaml", values={})
    start_kernels_early(root, Config(), pipeline=None, values={})
    assert asked == [None, None]


def test_a_pipeline_without_notebooks_starts_nothing(project):
    root, asked = project
    (root / "pipeline.yaml").write_text("tasks:\n  - {source: c.sql, product: out/c.csv, client: db.client}\n")
    start_kernels_early(root, Config(), pipeline=root / "pipeline.yaml", values={})
    assert asked == []


@pytest.mark.parametrize(
    ("imported", "code", "part", "wanted"),
    [
        ("import pandas as pd", "pd.read_parquet('x')", "pyarrow.dataset", True),
        ("import pandas as pd", "pd.read_csv('x')", "pyarrow.dataset", False),
        ("import pyarrow as pa", "pa.array([1, 2])", "pandas", True),
        ("import pyarrow.parquet as pq\nimport pyarrow as pa", "pa.Table.from_pylist([])", "pandas", True),
        ("import pyarrow.parquet as pq", "pq.read_metadata('x')", "pandas", False),
        ("import numpy as np", "np.array([1, 2])", "pandas", False),
        ("import matplotlib.pyplot as plt", "plt.plot([1, 2])", "matplotlib.backends.backend_agg", True),
        ("from matplotlib import pyplot", "pyplot.plot([1, 2])", "PIL.PngImagePlugin", True),
        ("import nbops", "nbops.expect(True, 'it holds')", "nbops.quality.notebook", True),
        ("import nbops", "nbops.__all__", "nbops.quality.notebook", False),
    ],
)
def test_what_a_library_loads_on_use_is_imported_where_code_uses_it_so(tmp_path, imported, code, part, wanted):
    cells = (imported, code)
    task = TaskSpec(
        name="t", kind="notebook", source=tmp_path / "t.ipynb", code=cells, language="python", upstream=(), products=()
    )
    fingerprinter = Fingerprinter(root=tmp_path, tasks=(task,), config=Config(), hashes=HashCache(tmp_path / "hashes.json"))
    assert (part in imported_by([task], fingerprinter=fingerprinter)) is wanted


@pytest.mark.parametrize(
    ("cell", "module"),
    [
        ("import pyarrow as pa\npa.array([1, 2])\npa.Table.from_pylist([{'a': 1}])", "pandas"),
        ("import nbops\nnbops.expect(True, 'it holds')", "nbops.quality.notebook"),
    ],
)
def test_libraries_do_load_it_on_use(cell, module):
    """Should a library no longer do so, what is imported ahead for it is imported in vain."""
    code = f"import sys\n{cell}\nprint({module!r} in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip().endswith("True")

"""What is imported before notebooks run, found in their sources without Ploomber."""

from __future__ import annotations

import json

import pytest

from nbops import kernels
from nbops.contract.config import Config
from nbops.pipeline import TaskSpec
from nbops.workflow.ahead import imported_by, start_kernels_early
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
    monkeypatch.setattr(kernels, "prestart", lambda root, config, *, imports=None: asked.append(imports))
    return tmp_path, asked


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


@pytest.mark.parametrize(("code", "wanted"), [("pd.read_parquet('x')", True), ("pd.read_csv('x')", False)])
def test_what_pandas_loads_for_parquet_is_imported_where_parquet_is_named(tmp_path, code, wanted):
    cells = ("import pandas as pd", code)
    task = TaskSpec(
        name="t", kind="notebook", source=tmp_path / "t.ipynb", code=cells, language="python", upstream=(), products=()
    )
    fingerprinter = Fingerprinter(root=tmp_path, tasks=(task,), config=Config(), hashes=HashCache(tmp_path / "hashes.json"))
    assert ("pyarrow.dataset" in imported_by([task], fingerprinter=fingerprinter)) is wanted

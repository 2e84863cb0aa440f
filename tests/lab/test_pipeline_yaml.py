"""``pipeline.yaml`` read without Ploomber, held against Ploomber itself."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbops.adapters.pipeline_yaml import FileTask, PipelineFile, find_pipeline, find_task, injected_values, read_pipeline
from nbops.errors import ConfigError


@dataclass(frozen=True)
class Cell:
    """A notebook, given as its parameters cell."""

    code: str


_ASK_PLOOMBER = """
import contextlib, io, json, os, sys, warnings
warnings.simplefilter("ignore")
from pathlib import Path
from ploomber.spec import DAGSpec
from ploomber.sources.notebooksource import json_serializable_params
from ploomber.tasks import NotebookRunner

answers = {}
for folder in sys.argv[1:]:
    os.chdir(folder)
    sys.path.insert(0, folder)
    with contextlib.redirect_stdout(io.StringIO()):
        dag = DAGSpec("pipeline.yaml").to_dag().render(force=True, show_progress=False)
    found = {}
    for name in dag:
        if isinstance(dag[name], NotebookRunner):
            found[name] = json_serializable_params(dag[name]._params)
    answers[folder] = found
    sys.path.remove(folder)
    sys.modules.pop("steps", None)
print("ANSWERS" + json.dumps(answers))
"""

_STYLES = {
    "documented": {
        "pipeline.yaml": """
tasks:
  - source: notebooks/get.py
    product: {nb: "output/get.ipynb", data: "output/deep/../get.csv"}
    params: {rows: 10, flag: "true", text: "1e3", number: "7", nothing: null, list: [1, "2", x], nested: {a: {b: "3.5"}}}
  - source: notebooks/clean.py
    name: tidy
    product: {nb: output/clean.html, data: output/clean.parquet}
  - source: notebooks/plot.ipynb
    product: output/plot.ipynb
""",
        "notebooks/get.py": Cell("upstream = None"),
        "notebooks/clean.py": Cell("upstream = ['get']"),
        "notebooks/plot.ipynb": Cell("upstream = {'tidy': None, 'get': None}\nproduct = None"),
    },
    "env": {
        "pipeline.yaml": """
meta: {extract_upstream: false}
tasks:
  - source: notebooks/get.py
    product: {nb: "{{out}}/get.ipynb", data: "{{path.data}}/{{sample}}.csv"}
    params: {sample: "{{sample}}", where: "{{here}}/x", ratio: "{{ratio}}", who: "{{deep.er.value}}"}
  - source: notebooks/clean.py
    upstream: get
    product: {nb: "{{out}}/clean.ipynb"}
  - source: notebooks/last.py
    upstream: [get, clean]
    product: {nb: "{{root}}/{{out}}/last.ipynb"}
""",
        "env.yaml": "sample: small\nout: 'output/{{sample}}'\nratio: 0.25\npath: {data: 'data'}\ndeep: {er: {value: yes}}\n",
        "notebooks/get.py": Cell(""),
        "notebooks/clean.py": Cell(""),
        "notebooks/last.py": Cell(""),
    },
    "grid": {
        "pipeline.yaml": """
tasks:
  - source: notebooks/fit.py
    name: fit-
    product: {nb: output/fit.report.ipynb, model: output/fit.pkl}
    grid: {depth: [1, 2], rate: [0.1, 0.2]}
    params: {seed: 1}
  - source: notebooks/named.py
    name: named-[[depth]]
    product: "output/named-[[depth]].ipynb"
    grid: [{depth: [3]}, {depth: 4}]
  - source: notebooks/best.py
    product: {nb: output/best.ipynb}
""",
        "notebooks/fit.py": Cell("upstream = None"),
        "notebooks/named.py": Cell("upstream = None"),
        "notebooks/best.py": Cell("upstream = ['fit-*', 'named-3']"),
    },
    "in the notebook": {
        "pipeline.yaml": """
meta: {extract_product: true, import_tasks_from: more.yaml}
tasks:
  - source: notebooks/get.py
""",
        "more.yaml": "- source: notebooks/use.py\n",
        "notebooks/get.py": Cell("upstream = None\nproduct = {'nb': 'output/get.ipynb', 'data': 'output/get.csv'}"),
        "notebooks/use.py": Cell("upstream = ['get']\nproduct = {'nb': 'output/use.ipynb'}"),
    },
    "functions": {
        "pipeline.yaml": """
meta: {extract_upstream: false}
tasks:
  - source: steps.make
    product: output/made.csv
  - source: notebooks/use.py
    upstream: make
    product: {nb: output/use.ipynb}
""",
        "steps.py": "def make(product):\n    pass\n",
        "notebooks/use.py": Cell(""),
    },
}


def _write(folder: Path, files: dict[str, Any]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        elif name.endswith(".ipynb"):
            path.write_text(json.dumps(_notebook(content.code)), encoding="utf-8")
        else:
            path.write_text(f'# %% tags=["parameters"]\n{content.code}\n\n# %%\nprint(1)\n', encoding="utf-8")
    return folder


def _notebook(parameters: str) -> dict[str, Any]:
    cell = {"cell_type": "code", "execution_count": None, "outputs": []}
    return {
        "cells": [
            {**cell, "id": "a", "metadata": {"tags": ["parameters"]}, "source": parameters},
            {**cell, "id": "b", "metadata": {}, "source": "print(1)"},
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _relative(value: Any, root: Path) -> Any:
    if isinstance(value, dict):
        return {key: _relative(item, root) for key, item in value.items()}
    return value.removeprefix(f"{root}/") if isinstance(value, str) else value


@pytest.mark.e2e
def test_it_says_what_ploomber_says(tmp_path: Path) -> None:
    folders = {name: _write(tmp_path / name, files) for name, files in _STYLES.items()}
    command = [sys.executable, "-c", _ASK_PLOOMBER, *map(str, folders.values())]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert "ANSWERS" in done.stdout, done.stderr
    answers = json.loads(done.stdout.partition("ANSWERS")[2])
    compared = 0
    for name, folder in folders.items():
        pipeline = read_pipeline(folder / "pipeline.yaml")
        tasks = {task.name: task for task in pipeline.tasks}
        assert set(answers[str(folder)]) <= set(tasks)
        for task_name, theirs in answers[str(folder)].items():
            task = tasks[task_name]
            assert task.source is not None
            code = _parameters(_STYLES[name], task.source.relative_to(folder).as_posix())
            ours = json.loads(json.dumps(injected_values(pipeline, task, parameters_cell=code, base=folder)))
            # paths are compared as relative ones, which is how nbops shows them
            for key in ("product", "upstream"):
                if key in theirs:
                    theirs[key] = _relative(theirs[key], folder)
            assert ours == theirs, (name, task_name)
            compared += 1
    assert compared == 3 + 3 + 7 + 2 + 1


def _parameters(files: dict[str, Any], name: str) -> str:
    return str(files[name].code)


def test_paths_are_relative_to_where_the_kernel_runs(tmp_path: Path) -> None:
    first = "{source: nb/a.py, product: {nb: out/a.ipynb, away: /elsewhere/x.csv}}"
    text = f"tasks: [{first}, {{source: q.sql, product: [main, t, table]}}]"
    _write(tmp_path, {"pipeline.yaml": text})
    pipeline = read_pipeline(tmp_path / "pipeline.yaml")
    values = injected_values(pipeline, pipeline.tasks[0], parameters_cell="upstream = ['q']", base=tmp_path / "nb")
    assert values == {"upstream": {"q": "main.t"}, "product": {"nb": "../out/a.ipynb", "away": "/elsewhere/x.csv"}}


def test_find_pipeline_looks_up_and_honours_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert find_pipeline(deep) is None
    (tmp_path / "pipeline.yaml").write_text("tasks: []\n")
    (tmp_path / "pipeline.serve.yaml").write_text("tasks: []\n")
    assert find_pipeline(deep) == tmp_path / "pipeline.yaml"
    monkeypatch.setenv("ENTRY_POINT", "pipeline.serve.yaml")
    assert find_pipeline(deep) == tmp_path / "pipeline.serve.yaml"
    monkeypatch.setenv("ENTRY_POINT", "package.module.function")
    assert find_pipeline(deep) == tmp_path / "pipeline.yaml"


def test_packaged_layout(tmp_path: Path) -> None:
    files = {"setup.py": "", "src/shop/pipeline.yaml": "tasks: [{source: src/shop/a.py, product: out/a.ipynb}]\n"}
    _write(tmp_path, files)
    found = find_pipeline(tmp_path / "src" / "shop")
    assert found == tmp_path / "src" / "shop" / "pipeline.yaml"
    pipeline = read_pipeline(found)
    assert pipeline.root == tmp_path
    assert find_task(pipeline, tmp_path / "src" / "shop" / "a.py") == pipeline.tasks[0]
    assert find_task(pipeline, tmp_path / "src" / "shop" / "b.py") is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tasks: [", "line 2"),
        ("", "no list of tasks"),
        ("location: a.b\n", "no list of tasks"),
        ("tasks: 3\n", "no list of tasks"),
        ("tasks: [3]\n", "each needs a source"),
        ("meta: []\ntasks: []\n", None),
        ("meta: [1]\ntasks: []\n", "expected a mapping"),
        ("tasks: [{source: a.py, product: '{{nowhere}}/a.ipynb'}]\n", "'nowhere' is undefined"),
        ("tasks: [{source: a.py, product: '{{ ().__class__.__mro__ }}'}]\n", "unsafe"),
        ("\x00", "cannot be read"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, text: str, says: str | None) -> None:
    (tmp_path / "pipeline.yaml").write_text(text, encoding="utf-8")
    if says is None:
        assert read_pipeline(tmp_path / "pipeline.yaml").tasks == ()
        return
    with pytest.raises(ConfigError, match=says) as caught:
        read_pipeline(tmp_path / "pipeline.yaml")
    assert "pipeline.yaml" in str(caught.value)


def test_unknown_upstream_is_named(tmp_path: Path) -> None:
    _write(tmp_path, {"pipeline.yaml": "tasks: [{source: a.py, product: a.ipynb}]\n"})
    pipeline = read_pipeline(tmp_path / "pipeline.yaml")
    with pytest.raises(ConfigError, match=r"'b' is no task. Allowed: a\."):
        injected_values(pipeline, pipeline.tasks[0], parameters_cell="upstream = ['b']", base=tmp_path)


@given(st.text(max_size=200))
def test_any_parameters_cell_is_survived(code: str) -> None:
    tasks = (FileTask(name="a", source=None, product="a"),)
    pipeline = PipelineFile(path=Path("pipeline.yaml"), root=Path(), tasks=tasks, extract_upstream=True, extract_product=True)
    assert "product" in injected_values(
        pipeline, tasks[0], parameters_cell=f"product = 1\n# {code!r}\nupstream = ['a']", base=Path()
    )
    with suppress(ConfigError):
        injected_values(pipeline, tasks[0], parameters_cell=code, base=Path())


def test_nothing_is_imported_from_ploomber() -> None:
    code = "import sys, nbops.lab.contents; print([name for name in sys.modules if name.startswith('ploomber')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"

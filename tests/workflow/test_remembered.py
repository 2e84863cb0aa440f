"""What is told of a pipeline without Ploomber, before all of it was ever built."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nbops.pipeline import Product, TaskSpec
from nbops.workflow.remembered import recall, remember

_PIPELINE = """\
tasks:
  - {source: a.py, product: {nb: out/a.ipynb}}
  - {source: b.py, product: {nb: out/b.ipynb}}
  - {source: c.py, product: {nb: out/c.ipynb}}
"""


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    for name, upstream in (("a", "None"), ("b", '["a"]'), ("c", "[x for x in y]")):
        text = f'# %% tags=["parameters"]\nupstream = {upstream}\nproduct = None\n\n# %%\n1\n'
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    (tmp_path / "pipeline.yaml").write_text(_PIPELINE, encoding="utf-8")
    return tmp_path / "pipeline.yaml"


def _task(pipeline: Path, name: str, *upstream: str) -> TaskSpec:
    product = Product(key="nb", path=f"out/{name}.ipynb", kind="file")
    source = pipeline.parent / f"{name}.py"
    return TaskSpec(
        name=name, kind="notebook", source=source, code=("1",), language="python", upstream=upstream, products=(product,)
    )


def test_upstream_is_read_from_sources_that_no_build_has_loaded(pipeline: Path) -> None:
    found = recall(pipeline.parent, pipeline=pipeline, values={})
    assert {task.name: task.upstream for task in found.tasks} == {"a": (), "b": ("a",), "c": ()}
    assert set(found.unknown) == {"a", "b", "c"}
    (pipeline.parent / "b.py").write_text("(", encoding="utf-8")
    assert len(recall(pipeline.parent, pipeline=pipeline, values={}).tasks) == 3, "what cannot be read stops nothing"


def test_a_build_of_a_part_adds_to_what_is_known(pipeline: Path) -> None:
    root = pipeline.parent
    remember(root, [_task(pipeline, "a")], pipeline=pipeline, values={}, partial=True)
    assert set(recall(root, pipeline=pipeline, values={}).unknown) == {"b", "c"}
    remember(root, [_task(pipeline, "b", "a")], pipeline=pipeline, values={}, partial=True)
    assert set(recall(root, pipeline=pipeline, values={}).unknown) == {"c"}
    pipeline.write_text(_PIPELINE.replace("out/a", "out/z"), encoding="utf-8")
    remember(root, [_task(pipeline, "b", "a")], pipeline=pipeline, values={}, partial=True)
    assert set(recall(root, pipeline=pipeline, values={}).unknown) == {"a", "c"}, "a change of another task is still seen"
    remember(root, [_task(pipeline, "b", "a")], pipeline=pipeline, values={})
    pipeline.write_text(_PIPELINE, encoding="utf-8")
    assert set(recall(root, pipeline=pipeline, values={}).unknown) == {"a", "c"}, "a whole build replaces what was kept"


def test_without_reading_text_notebooks_new_and_changed_ones_are_unknown(pipeline: Path) -> None:
    root = pipeline.parent
    found = recall(root, pipeline=pipeline, values={}, whole=False)
    assert {task.name: task.upstream for task in found.tasks} == {"a": (), "b": (), "c": ()}
    assert set(found.unknown) == {"a", "b", "c"}
    remember(
        root, [_task(pipeline, "a"), _task(pipeline, "b", "a"), _task(pipeline, "c")], pipeline=pipeline, values={}, partial=True
    )
    assert recall(root, pipeline=pipeline, values={}, whole=False).unknown == {}
    (root / "b.py").write_text((root / "b.py").read_text(encoding="utf-8") + "2\n", encoding="utf-8")
    assert set(recall(root, pipeline=pipeline, values={}, whole=False).unknown) == {"b"}
    assert recall(root, pipeline=pipeline, values={}).unknown == {}


def test_whether_notebooks_are_to_run_is_told_without_jupytext(pipeline: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from nbops.contract.config import Config; "
        "from nbops.workflow.outlook import notebooks_to_run; root = Path.cwd(); "
        "told = notebooks_to_run(root, Config(), pipeline=root / 'pipeline.yaml', values={}, forced=False); "
        "print(told, 'jupytext' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=pipeline.parent, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]

"""What is told of a pipeline without Ploomber, before all of it was ever built."""

from __future__ import annotations

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

"""A new task: written whole or not at all, and nothing else in the pipeline changes."""

from __future__ import annotations

from pathlib import Path

import jupytext
import nbformat
import pytest

from nbops.adapters.pipeline_yaml import read_pipeline
from nbops.errors import ConfigError
from nbops.workflow.new_task import create_task

PIPELINE = """\
# the shop
meta: {extract_upstream: true}

tasks:
  # what comes in
  - source: notebooks/first.py   # daily
    product: {nb: "output/first.ipynb", data: "output/first.csv"}

  - source: notebooks/second.py
    product:
      nb: output/second.ipynb
      data: output/second.parquet
    params:
      text: |
        two
        lines

# the end
on_render: nbops.attach
"""


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    path = tmp_path / "pipeline.yaml"
    path.write_text(PIPELINE, encoding="utf-8")
    (tmp_path / "notebooks").mkdir()
    return path


def test_the_entry_is_added_and_every_other_line_stays(pipeline: Path) -> None:
    made = create_task(pipeline, "third", upstream=["second", "first"])
    text = pipeline.read_text(encoding="utf-8")
    added = text.splitlines()[made.line - 2 : made.line + 5]
    assert added == [
        "",
        "  - source: notebooks/third.py",
        "    name: third",
        "    product:",
        "      nb: output/third.ipynb",
        "      third: output/third.parquet",
        "",
    ]
    left = text.splitlines()
    del left[made.line - 2 : made.line + 4]
    assert left == PIPELINE.splitlines()
    task = read_pipeline(pipeline).tasks[-1]
    assert (task.name, task.source) == ("third", pipeline.parent / "notebooks/third.py")
    notebook = jupytext.read(pipeline.parent / made.notebook)
    assert notebook.cells[1].metadata["tags"] == ["parameters"]
    assert 'upstream = ["second", "first"]' in notebook.cells[1].source
    assert 'pd.read_csv(upstream["first"]["data"])' in notebook.cells[3].source


@pytest.mark.parametrize("ending", ["\n", "\r\n", ""])
def test_other_ways_to_write_a_pipeline(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "pipeline.yaml"
    line = ending or "\n"
    text = line.join(["tasks:", "- source: a.ipynb", "  product: out/a.ipynb"]) + ending
    path.write_bytes(text.encode())
    create_task(path, "b")
    now = path.read_bytes().decode()
    assert now.startswith(text)
    assert [task.name for task in read_pipeline(path).tasks] == ["a", "b"]
    nbformat.validate(nbformat.read(tmp_path / "b.ipynb", as_version=4))


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("first", {}, "task of this name"),
        ("FIRST", {}, "task of this name"),
        ("a b", {}, "letters"),
        ("", {}, "letters"),
        ("../x", {}, "letters"),
        ("<b>", {}, "letters"),
        ("x\n- source: y", {}, "letters"),
        ("import", {}, "keyword"),
        ("😀", {}, "letters"),
        ("x" * 65, {}, "letters"),
        ("x", {"upstream": ["frst"]}, "Did you mean 'first'"),
        ("x", {"product": "../x.parquet"}, "within the project"),
        ("x", {"product": "/tmp/x.parquet"}, "within the project"),
        ("x", {"product": "output/x.exe"}, "must end in"),
        ("x", {"product": "output/first.csv"}, "first makes it"),
        ("x", {"notebook": "notebooks/%2e%2e/x.py"}, "within the project"),
        ("x", {"notebook": "link/x.py"}, "no folder of the project"),
        ("x", {"notebook": "taken.py"}, "there already"),
    ],
)
def test_bad_input_writes_nothing(pipeline: Path, name: str, given: dict[str, object], said: str) -> None:
    root = pipeline.parent
    (root / "link").symlink_to(root.parent)
    (root / "taken.py").write_text("mine", encoding="utf-8")
    before = sorted(path.name for path in root.rglob("*"))
    with pytest.raises(ConfigError, match=said):
        create_task(pipeline, name, **given)  # type: ignore[arg-type]
    assert pipeline.read_text(encoding="utf-8") == PIPELINE
    assert sorted(path.name for path in root.rglob("*")) == before
    assert (root / "taken.py").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("text", ["tasks: [{source: a.py, product: b.ipynb}]\n", "tasks: []\n", "tasks:\n  - [\n", "- 3\n", ""])
def test_a_pipeline_that_cannot_be_extended_is_said(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"pipeline\.yaml"):
        create_task(path, "x")
    assert path.read_text(encoding="utf-8") == text
    assert [one.name for one in tmp_path.iterdir()] == ["pipeline.yaml"]


def test_no_notebook_is_left_when_the_pipeline_cannot_be_written(pipeline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("nbops.workflow.new_task.replace_file", fails)
    with pytest.raises(OSError, match="disk full"):
        create_task(pipeline, "x")
    assert not (pipeline.parent / "notebooks/x.py").exists()
    assert pipeline.read_text(encoding="utf-8") == PIPELINE

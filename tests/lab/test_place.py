"""A notebook knows its place: what cells run by hand see is what the pipeline gives, and opening and saving change nothing."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from nbops.errors import ConfigError
from nbops.lab import contents
from nbops.lab.handlers import text_notebooks
from nbops.lab.overview import overview, project_folders
from nbops.lab.place import look_up

pytest.importorskip("jupytext.async_contentsmanager", reason="jupytext 1.17 or newer is needed")

PIPELINE = """\
on_render: nbops.attach
tasks:
  - source: notebooks/get.py
    product: {nb: "{{out}}/get.ipynb", seen: "{{out}}/get.json"}
    params: {rows: 3, share: 0.5, none: null, flag: true, label: 'a "b" é', words: ["{{sample}}", "2"], deep: {er: ["1e3"]}}
  - source: notebooks/deep/er/tidy.ipynb
    product: {nb: "{{out}}/tidy.ipynb", seen: "{{out}}/deep/../tidy.json"}
    params: {sample: "{{sample}}"}
  - source: notebooks/deep/own.py
    local_execution: true
    product: {nb: "{{out}}/own.ipynb", seen: "{{out}}/own.json"}
  - source: notebooks/fit.py
    name: fit-
    product: {nb: "{{out}}/fit.ipynb", seen: "{{out}}/fit.json"}
    grid: {depth: [1, 2], rate: [0.1]}
  - source: notebooks/best.py
    product: {nb: "{{out}}/best.ipynb", seen: "{{out}}/best.json"}
"""
SERVE = """\
on_render: nbops.attach
tasks:
  - source: notebooks/serve.py
    product: {nb: "{{out}}/serve.ipynb", seen: "{{out}}/serve.json"}
    params: {port: "{{port}}"}
"""
TELLS = """\
import json
from pathlib import Path
from project_module import ANSWER

told = {name: value for name, value in list(globals().items()) if name in %s}
told |= {"types": {name: type(value).__name__ for name, value in told.items()}, "cwd": str(Path.cwd()), "answer": ANSWER}
Path(product["seen"]).parent.mkdir(exist_ok=True, parents=True)
Path(product["seen"]).write_text(json.dumps(told), encoding="utf-8")
"""
NAMES = ["upstream", "product", "rows", "share", "none", "flag", "label", "words", "deep", "sample", "depth", "rate", "port"]
UPSTREAM = {
    "notebooks/get.py": "None",
    "notebooks/deep/er/tidy.ipynb": "['get']",
    "notebooks/deep/own.py": "['get', 'tidy']",
    "notebooks/fit.py": "['get']",
    "notebooks/best.py": "['fit-*']",
    "notebooks/serve.py": "None",
}


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments],
        cwd=root, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project of all kinds of notebooks, both of whose pipelines were built."""
    root = tmp_path_factory.mktemp("place") / "shop"
    (root / "notebooks/deep/er").mkdir(parents=True)
    (root / "pipeline.yaml").write_text(PIPELINE, encoding="utf-8")
    (root / "pipeline.serve.yaml").write_text(SERVE, encoding="utf-8")
    (root / "env.yaml").write_text("out: output\nsample: small\n", encoding="utf-8")
    (root / "env.serve.yaml").write_text("out: output/serve\nport: 80\n", encoding="utf-8")
    (root / "project_module.py").write_text("ANSWER = 42\n", encoding="utf-8")
    (root / "notebooks/deep/project_module.py").write_text("ANSWER = 43\n", encoding="utf-8")
    (root / ".gitignore").write_text("output\n.nbops\n__pycache__\n.ipynb_checkpoints\n", encoding="utf-8")
    code = TELLS % NAMES
    for name, upstream in UPSTREAM.items():
        parameters = f"upstream = {upstream}\nproduct = None"
        if name.endswith(".py"):
            text = f'# %% tags=["parameters"]\n{parameters}\n\n# %% [markdown]\n# # Words\n\n# %%\n{code}'
            (root / name).write_text(text, encoding="utf-8")
            continue
        cells: list[Any] = [
            nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
            nbformat.v4.new_code_cell(code),
        ]
        for index, cell in enumerate(cells):
            cell["id"] = f"cell-{index}"
        kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), root / name)
    _git(root, "init", "-q")
    _git(root, "add", ".")
    _git(root, "commit", "-qm", "x")
    for entry in ("pipeline.yaml", "pipeline.serve.yaml"):
        command = [sys.executable, "-m", "nbops.cli", "build", "--entry-point", entry]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=500)
        assert done.returncode == 0, done.stdout + done.stderr
    return root


@pytest.fixture
def manager(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
    from jupytext.async_contentsmanager import build_async_jupytext_contents_manager_class

    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter-data"))
    cls: Any = contents.derive(build_async_jupytext_contents_manager_class(AsyncLargeFileManager))
    made = cls(root_dir=str(built), log=logging.getLogger("nbops.test"))
    yield made
    made.notary.store.close()


def _in_full(value: Any, base: Path) -> Any:
    """Return a copy in which each text that names a file under ``output`` is its whole path."""
    if isinstance(value, dict):
        return {key: _in_full(item, base) for key, item in value.items()}
    return str((base / value).resolve()) if isinstance(value, str) and "output/" in value else value


def _told(path: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return told


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("path", "task", "seen"),
    [
        ("notebooks/get.py", "get", "output/get.json"),
        ("notebooks/deep/er/tidy.ipynb", "tidy", "output/tidy.json"),
        ("notebooks/deep/own.py", "own", "output/own.json"),
        ("notebooks/fit.py", "fit-0", "output/fit-0.json"),
        ("notebooks/best.py", "best", "output/best.json"),
        ("notebooks/serve.py", "serve", "output/serve/serve.json"),
    ],
)
def test_cells_run_by_hand_see_what_the_pipeline_gives(manager: Any, built: Path, path: str, task: str, seen: str) -> None:
    by_pipeline = _told(built / seen)
    before = (built / path).read_bytes()
    published = (built / seen).read_bytes()
    model = asyncio.run(manager.get(path, type="notebook"))
    notebook = nbformat.from_dict(json.loads(json.dumps(model["content"])))
    folder = built / asyncio.run(manager.get_kernel_path(path=path))
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    by_hand = _told(built / seen)
    assert by_hand["cwd"] == by_pipeline["cwd"], task
    assert by_hand["answer"] == by_pipeline["answer"], "project modules are found in the same order"
    assert by_hand["types"] == by_pipeline["types"]
    here = Path(by_hand["cwd"])
    product = {key: str((here / value).resolve()) for key, value in by_hand.pop("product").items()}
    assert set(product) == set(by_pipeline.pop("product"))
    assert product["seen"] == str(built / seen)
    assert _in_full(by_hand, here) == _in_full(by_pipeline, here)

    (built / seen).write_bytes(published)  # what the cells wrote by hand is not what is looked at here
    bare = json.loads(json.dumps(model["content"]))
    asyncio.run(manager.save({"type": "notebook", "format": "json", "content": bare}, path))
    assert (built / path).read_bytes() == before
    assert str(built) not in (built / path).read_text(encoding="utf-8")
    assert _git(built, "status", "--porcelain") == ""


@pytest.mark.e2e
def test_opening_and_saving_all_makes_nothing_stale(manager: Any, built: Path) -> None:
    for path in UPSTREAM:
        model = asyncio.run(manager.get(path, type="notebook"))
        assert "product = {" in json.dumps([cell["source"] for cell in model["content"]["cells"]])
        saved = {"type": "notebook", "format": "json", "content": json.loads(json.dumps(model["content"]))}
        asyncio.run(manager.save(saved, path))
    for entry in ("pipeline.yaml", "pipeline.serve.yaml"):
        found = overview(built, built, pipeline=entry)
        assert found["error"] is None
        assert found["tasks"]
        assert [(task["name"], task["reasons"]) for task in found["tasks"] if task["stale"] is not False] == []


def test_a_named_pipeline_alone_is_a_project(tmp_path: Path) -> None:
    root = tmp_path / "only"
    (root / "notebooks").mkdir(parents=True)
    (root / "pipeline.serve.yaml").write_text("tasks: [{source: notebooks/a.py, product: out/a.ipynb}]\n", encoding="utf-8")
    (root / "notebooks/a.py").write_text('# %% tags=["parameters"]\nupstream = None\nproduct = None\n', encoding="utf-8")
    assert project_folders(root) == {"": root}
    assert project_folders(root / "notebooks") == {"..": root}
    assert project_folders(tmp_path) == {"only": root}
    assert text_notebooks(root) == ["notebooks/a.py"]
    assert text_notebooks(tmp_path) == ["only/notebooks/a.py"]
    found = look_up(root / "notebooks/a.py")
    assert found is not None
    assert (found[0].path.name, found[1].name) == ("pipeline.serve.yaml", "a")


def test_one_broken_pipeline_does_not_hide_a_notebook_of_another(tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_text("tasks: [", encoding="utf-8")
    (tmp_path / "pipeline.serve.yaml").write_text("tasks: [{source: a.py, product: out/a.ipynb}]\n", encoding="utf-8")
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("x = 1\n", encoding="utf-8")
    found = look_up(tmp_path / "a.py")
    assert found is not None
    assert found[0].path.name == "pipeline.serve.yaml"
    with pytest.raises(ConfigError, match=r"pipeline\.yaml: line"):
        look_up(tmp_path / "b.py")  # it may be the broken one's
    assert text_notebooks(tmp_path) == ["a.py"]


def test_a_file_that_is_no_task_has_no_place(tmp_path: Path) -> None:
    assert look_up(tmp_path / "a.py") is None
    (tmp_path / "pipeline.yaml").write_text("tasks: []\n", encoding="utf-8")
    assert look_up(tmp_path / "a.py") is None

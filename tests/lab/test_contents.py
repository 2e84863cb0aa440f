"""The contents manager, and the server extension that puts it in place."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from nbops.adapters.pipeline_yaml import read_pipeline
from nbops.lab import contents, place

pytest.importorskip("jupytext.async_contentsmanager", reason="jupytext 1.17 or newer is needed")


@pytest.fixture
def managers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Return a function that makes a contents manager; their databases of signatures are closed at the end."""
    from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
    from jupytext.async_contentsmanager import build_async_jupytext_contents_manager_class

    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter-data"))
    made: list[Any] = []

    def make(served: Path, cls: Any = None) -> Any:
        cls = cls or contents.derive(build_async_jupytext_contents_manager_class(AsyncLargeFileManager))
        made.append(cls(root_dir=str(served), log=logging.getLogger("nbops.test")))
        return made[-1]

    yield make
    for manager in made:
        manager.notary.store.close()


@pytest.fixture
def manager(managers: Callable[..., Any], project: Path) -> Any:
    return managers(project)


def _get(manager: Any, path: str, **options: Any) -> dict[str, Any]:
    model: dict[str, Any] = asyncio.run(manager.get(path, **options))
    return model


def _save(manager: Any, path: str, content: Any) -> dict[str, Any]:
    model = {"type": "notebook", "format": "json", "content": json.loads(json.dumps(content))}
    saved: dict[str, Any] = asyncio.run(manager.save(model, path))
    return saved


@pytest.mark.parametrize("path", ["notebooks/first.py", "notebooks/second.ipynb"])
def test_open_shows_and_save_leaves_the_bytes_alone(manager: Any, project: Path, path: str) -> None:
    if path.endswith(".ipynb"):  # as the manager itself writes it, so that formatting is not what is compared
        _save(manager, path, _get(manager, path)["content"])
    before = (project / path).read_bytes()
    model = _get(manager, path, type="notebook", require_hash=path.endswith(".ipynb"))
    sources = [cell["source"] for cell in model["content"]["cells"]]
    assert any("product = {" in source and "output/" in source for source in sources)
    assert str(project) not in json.dumps(sources)
    _save(manager, path, model["content"])
    assert (project / path).read_bytes() == before


_KERNEL = "#   kernelspec:\n#     display_name: Python 3 (ipykernel)\n#     language: python\n#     name: python3\n"
_FORMAT = "#   jupytext:\n#     text_representation:\n#       extension: .py\n#       format_name: percent\n"


@pytest.mark.parametrize(
    "header",
    [
        f"# ---\n# jupyter:\n{_KERNEL}# ---\n\n",
        f"# ---\n# jupyter:\n{_FORMAT}{_KERNEL}# ---\n\n",
        f"# ---\n# jupyter:\n{_FORMAT}#       format_version: '1.3'\n{_KERNEL}# ---\n\n",
        "",
    ],
)
def test_a_header_stays_as_it_is(manager: Any, project: Path, header: str) -> None:
    path = project / "notebooks" / "first.py"
    path.write_text(header + path.read_text(encoding="utf-8"), encoding="utf-8")
    before = path.read_text(encoding="utf-8")
    content = _get(manager, "notebooks/first.py", type="notebook")["content"]
    content["metadata"]["language_info"] = {"name": "python", "version": "3.11.7"}  # as Lab adds once a kernel runs
    _save(manager, "notebooks/first.py", content)
    assert path.read_text(encoding="utf-8") == before


def test_pairing_from_labs_menu_is_kept(manager: Any, project: Path) -> None:
    path = project / "notebooks" / "first.py"
    path.write_text(f"# ---\n# jupyter:\n{_KERNEL}# ---\n\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    content = _get(manager, "notebooks/first.py", type="notebook")["content"]
    content["metadata"]["jupytext"]["formats"] = "ipynb,py:percent"
    _save(manager, "notebooks/first.py", content)
    assert "formats: ipynb,py:percent" in path.read_text(encoding="utf-8")
    assert (project / "notebooks" / "first.ipynb").is_file()


def test_edits_are_saved(manager: Any, project: Path) -> None:
    model = _get(manager, "notebooks/first.py", type="notebook")
    model["content"]["cells"][-1]["source"] += "\n# emoji \U0001f600 </script>"
    _save(manager, "notebooks/first.py", model["content"])
    assert "# emoji \U0001f600 </script>" in (project / "notebooks" / "first.py").read_text(encoding="utf-8")


def test_a_copy_elsewhere_holds_no_injected_cell(manager: Any, project: Path) -> None:
    model = _get(manager, "notebooks/second.ipynb")
    _save(manager, "copy.ipynb", model["content"])
    saved = nbformat.read(project / "copy.ipynb", as_version=4)
    assert len(saved.cells) == 2


def test_a_notebook_that_is_no_notebook_is_still_saved(
    manager: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    content = _get(manager, "notebooks/second.ipynb")["content"]
    monkeypatch.setattr(contents, "clean", lambda *_, **__: 1 / 0)
    _save(manager, "notebooks/second.ipynb", content)
    assert "is saved as it is" in caplog.text


@pytest.mark.parametrize("broken", ["tasks: [", "", "tasks: [{source: notebooks/second.ipynb, product: '{{nowhere}}'}]", "\x00"])
def test_a_broken_pipeline_stops_nothing(manager: Any, project: Path, broken: str, caplog: pytest.LogCaptureFixture) -> None:
    shown = _get(manager, "notebooks/second.ipynb")["content"]
    (project / "pipeline.yaml").write_text(broken, encoding="utf-8")
    with caplog.at_level(logging.WARNING, logger="nbops.test"):
        model = _get(manager, "notebooks/second.ipynb")
    assert len(model["content"]["cells"]) == 2
    assert "pipeline" in caplog.text
    _save(manager, "notebooks/second.ipynb", shown)
    assert len(nbformat.read(project / "notebooks" / "second.ipynb", as_version=4).cells) == 2


def test_a_pipeline_that_cannot_be_read_in_time_stops_nothing(
    manager: Any, project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import threading

    release = threading.Event()
    monkeypatch.setattr(contents, "_PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(place, "read_pipeline", lambda _: release.wait(30))

    async def open_it() -> Any:
        try:
            return await manager.get("notebooks/second.ipynb")
        finally:
            release.set()

    with caplog.at_level(logging.WARNING, logger="nbops.test"):
        model = asyncio.run(open_it())
    assert len(model["content"]["cells"]) == 2
    assert "TimeoutError" in caplog.text
    assert project.exists()


def test_kernels_start_where_builds_run(managers: Callable[..., Any], manager: Any, project: Path) -> None:
    def kernel_path(path: str) -> str:
        return str(asyncio.run(manager.get_kernel_path(path=path)))

    assert kernel_path("notebooks/second.ipynb") == ""
    assert kernel_path("notebooks/0b4fae31-a-random-name") == "", "Lab asks with a random name"
    (project / "elsewhere").mkdir()
    assert kernel_path("elsewhere/x.ipynb") == "elsewhere"
    above = managers(project.parent)
    assert asyncio.run(above.get_kernel_path(path="shop/notebooks/second.ipynb")) == "shop"
    inside = managers(project / "notebooks")
    assert asyncio.run(inside.get_kernel_path(path="second.ipynb")) == "", "the project's root is not served: as Jupyter does"


def test_paths_follow_the_kernel_into_the_notebooks_folder(managers: Callable[..., Any], project: Path) -> None:
    inside = managers(project / "notebooks")
    cell = _get(inside, "second.ipynb")["content"]["cells"][1]["source"]
    assert 'product = {"nb": "../output/second.ipynb", "data": "../output/second.csv"}' in cell
    text = (project / "pipeline.yaml").read_text(encoding="utf-8")
    (project / "pipeline.yaml").write_text(
        text.replace("    params:", "    local_execution: true\n    params:"), encoding="utf-8"
    )
    manager = managers(project)
    assert asyncio.run(manager.get_kernel_path(path="notebooks/some-random-name")) == "notebooks"
    assert '"../output/second.csv"' in _get(manager, "notebooks/second.ipynb")["content"]["cells"][1]["source"]


def test_files_and_folders_are_listed(manager: Any) -> None:
    listing = _get(manager, "notebooks")
    assert {entry["name"] for entry in listing["content"]} == {"first.py", "helpers.py", "second.ipynb"}
    assert _get(manager, "notebooks/helpers.py", type="file", format="text")["content"].startswith("def one")
    opened = _get(manager, "notebooks/helpers.py", type="notebook")
    assert "injected" not in json.dumps(opened["content"])


class _App:
    """What ``install`` needs of a ServerApp."""

    def __init__(self, cls: Any) -> None:
        self.contents_manager_class = cls
        self.log = logging.getLogger("nbops.test")


def test_install_derives_from_what_is_configured() -> None:
    from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

    class Mine(AsyncLargeFileManager):
        """A team's own manager."""

    app = _App(Mine)
    contents.install(app)
    assert issubclass(app.contents_manager_class, Mine)
    assert hasattr(app.contents_manager_class, "load_dag"), "Ploomber's extension steps back"
    assert hasattr(app.contents_manager_class, "formats"), "jupytext's extension steps back"


def test_install_leaves_a_synchronous_manager_alone(caplog: pytest.LogCaptureFixture) -> None:
    from jupyter_server.services.contents.largefilemanager import LargeFileManager

    app = _App(LargeFileManager)
    contents.install(app)
    assert app.contents_manager_class is LargeFileManager
    assert "LargeFileManager is configured" in caplog.text


def test_install_works_without_jupytext(
    managers: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, project: Path
) -> None:
    from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

    monkeypatch.setitem(sys.modules, "jupytext.async_contentsmanager", None)
    app = _App(AsyncLargeFileManager)
    contents.install(app)
    assert "jupytext 1.17 or newer is missing" in caplog.text
    manager = managers(project, app.contents_manager_class)
    assert "upstream = {" in _get(manager, "notebooks/second.ipynb")["content"]["cells"][1]["source"]


def test_install_survives_an_unknown_jupytext(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    import jupytext.async_contentsmanager as module
    from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

    monkeypatch.setattr(module, "build_async_jupytext_contents_manager_class", lambda _: 1 / 0)
    app = _App(AsyncLargeFileManager)
    contents.install(app)
    assert app.contents_manager_class is AsyncLargeFileManager
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.e2e
def test_server_answers_and_asks_for_a_token(lab: Any, project: Path) -> None:
    server = lab(project)
    assert server.request("api/contents")[0] == 200
    assert server.request("api/contents/notebooks/second.ipynb?content=1")[0] == 200
    assert server.request("nbops/api/notebooks") == (200, {"notebooks": ["notebooks/first.py"]})
    assert "ploomber-extension" in server.page_config()["disabledExtensions"]
    assert {extension["name"] for extension in server.page_config()["federated_extensions"]} >= {"nbops", "jupyterlab-jupytext"}
    assert server.request("api/contents", token="wrong")[0] == 403
    assert server.request("nbops/api/notebooks", token="wrong")[0] == 403
    log = server.log.read_text(errors="replace")
    assert "[nbops] notebooks of a pipeline show" in log
    assert "Ploomber" not in log


@pytest.mark.e2e
def test_with_ploombers_extension_forced_on_it_steps_back(lab: Any, project: Path) -> None:
    server = lab(project, '--ServerApp.jpserver_extensions={"jupyterlab": True, "ploomber": True, "nbops.lab": True}')
    assert "already - OK" in server.log.read_text(errors="replace")
    assert server.request("api/contents")[0] == 200


@pytest.mark.e2e
def test_the_fault_that_is_mended(lab: Any, project: Path) -> None:
    """Without nbops' extension the packages break each other; when this fails, upstream is mended and this may go."""
    options = '--ServerApp.jpserver_extensions={"ploomber": True, "nbops.lab": False, "jupyterlab_jupytext": True}'
    server = lab(project, options)
    assert server.request("api/contents")[0] == 500


_PLOOMBER = """
import sys, warnings
warnings.simplefilter("ignore")
from ploomber.spec import DAGSpec
dag = DAGSpec("pipeline.yaml").to_dag()
if sys.argv[1] == "build":
    dag.build()
dag.render(show_progress=False)
print("OUTDATED", sorted(str(bool(dag[name].product._is_outdated())) for name in dag))
"""


@pytest.mark.e2e
def test_a_save_makes_no_finished_work_stale(manager: Any, project: Path) -> None:
    def ploomber(what: str) -> str:
        command = [sys.executable, "-c", _PLOOMBER, what]
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout.rpartition("OUTDATED ")[2].strip()

    assert ploomber("build") == "['False', 'False']"
    for path in ("notebooks/first.py", "notebooks/second.ipynb"):
        _save(manager, path, _get(manager, path, type="notebook")["content"])
    assert ploomber("status") == "['False', 'False']"
    model = _get(manager, "notebooks/first.py", type="notebook")
    model["content"]["cells"][-1]["source"] += "\nprint('changed')"
    _save(manager, "notebooks/first.py", model["content"])
    assert "True" in ploomber("status"), "and an edit still does"


def test_the_reference_notebooks_open_with_parameters_and_are_saved_as_they_were(
    managers: Callable[..., Any], tmp_path: Path
) -> None:
    from nbops.workflow.template import template_files

    for name, source in template_files().items():
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    manager = managers(tmp_path)
    pipeline = read_pipeline(tmp_path / "pipeline.yaml")
    assert pipeline.on_render == "nbops.attach"
    for task in pipeline.tasks:
        assert task.source is not None
        path = task.source.relative_to(tmp_path).as_posix()
        before = task.source.read_bytes()
        model = _get(manager, path, type="notebook")
        injected = [cell for cell in model["content"]["cells"] if "injected-parameters" in cell["metadata"].get("tags", [])]
        assert len(injected) == 1, path
        assert "product = {" in injected[0]["source"]
        _save(manager, path, model["content"])
        assert task.source.read_bytes() == before, path

"""Notebooks that are open in JupyterLab while something happens to them, in a real browser."""

from __future__ import annotations

import json
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

import pytest
from tests.lab_tools import begin

from nbops.lab.overview import overview

pytestmark = [pytest.mark.browser, pytest.mark.e2e]

_CELLS = "() => window.jupyterapp.shell.currentWidget.content.widgets.map(cell => cell.model.sharedModel.getSource())"
_EDIT = """line => { const model = window.jupyterapp.shell.currentWidget.content.widgets.at(-1).model.sharedModel;
                     model.setSource(model.getSource() + '\\n' + line); }"""
_SAVE = """() => { window.saved = ''; window.jupyterapp.commands.execute('docmanager:save').then(
                     () => { window.saved = 'done'; }, error => { window.saved = String(error); }); }"""
_DIRTY = "() => window.jupyterapp.shell.currentWidget.context.model.dirty"


def _open(page: Any, server: Any, path: str) -> None:
    begin(page, server, path)
    page.wait_for_function("() => window.jupyterapp.shell.currentWidget?.context?.isReady")


def _save(page: Any) -> None:
    page.evaluate(_SAVE)
    page.wait_for_function("() => window.saved")
    assert page.evaluate("() => window.saved") == "done"


def _built(server: Any) -> dict[str, Any] | None:
    found: dict[str, Any] = server.request("nbops/api/build")[1]
    return None if found["build"]["running"] else found


def _task(root: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(task for task in overview(root, root)["tasks"] if task["name"] == name)
    return found


def test_unsaved_edits_and_the_build_of_the_notebook_do_not_touch_each_other(
    page: Any, lab: Any, waiting: Path, until: Any
) -> None:
    source = waiting / "notebooks/first.py"
    original = source.read_text(encoding="utf-8")
    server = lab(waiting)
    _open(page, server, "notebooks/first.py")
    page.evaluate(_EDIT, "edited = 'not saved'")
    assert page.evaluate(_DIRTY)
    assert server.request("nbops/api/build", method="POST", body={"task": "first"})[0] == 201
    until(lambda: (found := server.request("nbops/api/status")[1]["run"]) and found["status"] == "running")
    (waiting / "go").touch()
    done = until(lambda: _built(server))
    assert done["build"]["exit_code"] == 0, done["log"]

    assert source.read_text(encoding="utf-8") == original, "a build does not write to its sources"
    assert page.evaluate(_CELLS)[-1].endswith("edited = 'not saved'"), "and not into the browser"
    assert page.evaluate(_DIRTY)
    made = (waiting / "output/first.ipynb").read_text(encoding="utf-8")
    assert "not saved" not in made, "what was built is what was saved"
    _save(page)
    assert page.locator(".jp-Dialog").count() == 0, "nobody is asked which of two versions to throw away"
    assert source.read_text(encoding="utf-8") == original.rstrip("\n") + "\nedited = 'not saved'\n"
    assert _task(waiting, "first")["stale"] is not False
    assert page.errors == []


def test_an_edit_saved_in_the_middle_of_its_build_is_not_taken_for_built(page: Any, lab: Any, waiting: Path, until: Any) -> None:
    source = waiting / "notebooks/first.py"
    begun = "Path('output').mkdir(exist_ok=True)\nPath('output/begun').touch()\nwhile"
    source.write_text(source.read_text(encoding="utf-8").replace("while", begun), encoding="utf-8")
    server = lab(waiting)
    _open(page, server, "notebooks/first.py")
    assert server.request("nbops/api/build", method="POST", body={"task": "first"})[0] == 201
    until((waiting / "output/begun").exists)  # the notebook itself runs: its kernel was given the old code
    page.evaluate(_EDIT, "edited = 'in the middle'")
    _save(page)
    (waiting / "go").touch()
    done = until(lambda: _built(server))
    assert done["build"]["exit_code"] == 0, done["log"]
    assert "in the middle" in source.read_text(encoding="utf-8"), "the edit is not lost"
    assert (waiting / "output/first.csv").read_text(encoding="utf-8") == "a\n1\n", "nor is the build"
    assert "in the middle" not in (waiting / "output/first.ipynb").read_text(encoding="utf-8")
    assert _task(waiting, "first")["stale"] is not False, "code that did not run is never taken for built"
    page.evaluate("() => { window.jupyterapp.commands.execute('docmanager:reload'); }")
    page.wait_for_function(f"() => ({_CELLS})().at(-1).endsWith(\"edited = 'in the middle'\")")
    assert page.errors == []


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Return a Jupyter data folder with a kernel whose environment has all that this one has, but not nbops."""
    packages = tmp_path / "packages"
    packages.mkdir()
    for path in {Path(sysconfig.get_path(kind)) for kind in ("purelib", "platlib")}:
        for item in path.iterdir():
            if "nbops" not in item.name and item.suffix != ".pth" and not (packages / item.name).exists():
                (packages / item.name).symlink_to(item)
    environment = tmp_path / "it's an env"
    venv.create(environment, with_pip=False, symlinks=True)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    (environment / "lib" / version / "site-packages" / "all.pth").write_text(f"{packages}\n", encoding="utf-8")
    spec = tmp_path / "data/kernels/elsewhere"
    spec.mkdir(parents=True)
    python = str(environment / "bin/python")
    argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(
        json.dumps({"argv": argv, "display_name": "Elsewhere <b>", "language": "python"}), encoding="utf-8"
    )
    return tmp_path / "data"


def test_a_kernel_without_nbops_is_said_with_the_command_that_mends_it(
    page: Any, lab: Any, project: Path, elsewhere: Path
) -> None:
    path = project / "notebooks/second.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    notebook["metadata"]["kernelspec"] = {"name": "elsewhere", "display_name": "Elsewhere <b>", "language": "python"}
    path.write_text(json.dumps(notebook), encoding="utf-8")
    server = lab(project, JUPYTER_PATH=str(elsewhere))
    _open(page, server, "notebooks/second.ipynb")
    said = page.locator(".Toastify__toast", has_text="has no nbops")
    said.wait_for()
    assert 'The kernel "Elsewhere <b>" has no nbops' in said.inner_text()
    assert said.locator("b").count() == 0
    said.get_by_role("button", name="How to mend it").click()
    dialog = page.locator(".jp-Dialog")
    dialog.wait_for()
    assert "/it'\\''s an env/bin/python' -m pip install nbops" in dialog.inner_text()
    dialog.get_by_role("button", name="Close").click()
    dialog.wait_for(state="detached")
    assert page.locator(".jp-Notebook .jp-InputPrompt", has_text="[1]").count() == 0, "nothing was run for that"

    page.evaluate("() => { window.jupyterapp.commands.execute('docmanager:open', {path: 'notebooks/first.py'}); }")
    page.wait_for_function("() => window.jupyterapp.shell.currentWidget?.context?.path === 'notebooks/first.py'")
    page.wait_for_function("() => window.jupyterapp.shell.currentWidget.sessionContext?.session?.kernel?.status === 'idle'")
    assert page.locator(".Toastify__toast", has_text="has no nbops").count() <= 1, "a kernel that has it is not spoken of"
    assert page.errors == []

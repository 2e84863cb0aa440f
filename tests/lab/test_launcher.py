"""What the launcher's "New" items make, in a real browser, and what the server refuses to make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.lab_tools import begin, violations

from nbops.adapters.pipeline_yaml import read_pipeline

pytestmark = [pytest.mark.e2e]


def _files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if ".ipynb_checkpoints" not in path.parts)


def test_what_cannot_be_made_is_refused_and_nothing_is_written(lab: Any, project: Path) -> None:
    server = lab(project)
    before, text = _files(project.parent / "shop"), (project / "pipeline.yaml").read_bytes()
    assert server.request("nbops/api/new", method="POST", body={"kind": "project", "name": "x"}, token="wrong")[0] == 403
    refused: list[dict[str, Any]] = [
        {"kind": "task", "name": "first"},
        {"kind": "task", "name": '<img src=x onerror="1">'},
        {"kind": "task", "name": "x", "upstream": ["gone"]},
        {"kind": "task", "name": "x", "upstream": "first"},
        {"kind": "task", "name": "x", "product": "../../x.parquet"},
        {"kind": "task", "name": "x", "notebook": "/etc/x.py"},
        {"kind": "task", "name": 3},
        {"kind": "contract", "dataset": "../x"},
        {"kind": "project", "name": "new", "folder": ".."},
        {"kind": "project", "name": "new", "folder": "/etc"},
        {"kind": "project", "name": "../new"},
        {"kind": "project", "name": "a\nb"},
        {"kind": "project", "name": ""},
        {"kind": "project", "name": "new", "example": "../shop"},
        {"kind": "contract", "dataset": "gone"},
        {"kind": "else"},
    ]
    for body in refused:
        assert server.request("nbops/api/new", method="POST", body=body)[0] == 400, body
    assert server.request("nbops/api/new", method="POST", body={"kind": "task", "project": "../..", "name": "x"})[0] == 404
    assert (_files(project.parent / "shop"), (project / "pipeline.yaml").read_bytes()) == (before, text)
    assert not (project.parent / "new").exists()
    status, answer = server.request("nbops/api/new", method="POST", body={"kind": "project", "name": "fresh", "folder": ""})
    assert (status, answer) == (201, {"open": "fresh/README.md"})
    assert (project / "fresh/pipeline.yaml").is_file()
    assert server.request("nbops/api/new", method="POST", body={"kind": "project", "name": "fresh"})[0] == 400, "it is there"


@pytest.mark.browser
def test_a_task_is_made_from_the_launcher(page: Any, lab: Any, project: Path) -> None:
    begin(page, lab(project))
    page.locator(".jp-LauncherCard", has_text="Task notebook").click()
    form = page.locator(".jp-Dialog")
    form.get_by_label("Name").fill("first")
    assert violations(page, ".nbops-form") == []
    page.keyboard.press("Enter")
    form.get_by_role("alert").filter(has_text="has a task of this name").wait_for()
    form.get_by_label("Name").fill("third")
    form.get_by_label("Reads from").select_option(["second"])
    form.get_by_role("button", name="Make").click()
    page.wait_for_function("() => window.jupyterapp.shell.currentWidget?.context?.path === 'notebooks/third.ipynb'")
    assert [task.name for task in read_pipeline(project / "pipeline.yaml").tasks] == ["first", "second", "third"]
    assert page.errors == []

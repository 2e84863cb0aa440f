"""Which task a widget is for."""

from __future__ import annotations

from pathlib import Path

import pytest

import nbops
from nbops.errors import ConfigError, LockedError, NbopsError, UnknownTarget
from nbops.lab import builds
from nbops.widgets.place import notebook_here


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JPY_SESSION_NAME", "NBOPS_TASK"):
        monkeypatch.delenv(name, raising=False)


def test_a_notebook_is_known_by_the_server(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", str(project / "notebooks/first.py"))
    assert notebook_here() == project / "notebooks/first.py"
    panel = nbops.panel(folder=project)
    assert panel.values == {"rows": 3, "label": 'a "b" é'}
    assert panel.view["task"] == "first"
    assert str(project) not in str(panel.view), "no path of this machine where widget state may be stored"
    monkeypatch.setenv("JPY_SESSION_NAME", str(project / "notebooks/gone.py"))
    assert notebook_here() is None


def test_in_a_build_the_task_is_known(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBOPS_TASK", "second")
    assert nbops.panel(folder=project / "notebooks").view["task"] == "second"


def test_unknown_names_are_said(project: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownTarget, match=r"no task 'frist'. Allowed: first, second. Did you mean 'first'"):
        nbops.panel("frist", folder=project)
    with pytest.raises(UnknownTarget, match=r'name the task: nbops.panel\("first"\)'):
        nbops.panel(folder=project)
    with pytest.raises(ConfigError, match="no pipeline here"):
        nbops.panel("first", folder=tmp_path)


def test_a_contract_that_a_comment_names_must_be_there(project: Path) -> None:
    source = project / "notebooks/first.py"
    source.write_text(source.read_text(encoding="utf-8").replace("rows = 1", "rows = 1  # contract: orders.x"), encoding="utf-8")
    with pytest.raises(NbopsError, match=r"names the contract of orders\.x, which there is not"):
        nbops.panel("first", folder=project)


def test_only_what_differs_is_given_to_the_build(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []

    class Started:
        id = "x"

    monkeypatch.setattr("nbops.widgets.panel.start_build", lambda root, **more: started.append((root, more)) or Started())
    panel = nbops.panel("first", folder=project)
    answer = panel._answer("run", {"values": {"rows": "3", "label": "new", "stranger": "x"}, "upstream": True})
    assert answer == {"ok": True, "data": {"errors": {}, "started": "x", "changed": ["label"]}}
    given = {"pipeline": None, "task": "first", "upstream": True, "force": False, "parameters": {"label": "new"}}
    assert started == [(project.resolve(), given)]
    refused = panel._answer("run", {"values": {"rows": "x", "label": "\0"}})
    assert sorted(refused["data"]["errors"]) == ["label", "rows"]
    assert len(started) == 1


def test_a_project_that_is_being_built_is_said(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(_: Path, **__: object) -> None:
        raise LockedError("somebody is building this project")

    monkeypatch.setattr("nbops.widgets.panel.start_build", locked)
    answer = nbops.panel("first", folder=project)._answer("run", {"values": {}})
    assert answer == {"ok": False, "error": "somebody is building this project"}


def test_the_log_is_read_on_from_where_it_was(project: Path) -> None:
    panel = nbops.panel("first", folder=project)
    assert panel._answer("state", {"offset": "x"})["data"]["running"] is False
    (project / ".nbops/lab").mkdir(parents=True)
    (project / ".nbops/lab/build.log").write_text("one\ntwo\n")
    first = panel._answer("state", {"offset": 0})["data"]
    assert (first["log"], first["offset"]) == ("one\ntwo\n", 8)
    assert panel._answer("state", {"offset": 8})["data"]["log"] == ""
    assert builds.state_of(project).mine is None


def test_a_terminal_shows_the_parameters_as_text(project: Path) -> None:
    text = repr(nbops.panel("first", folder=project))
    assert text.startswith("Parameters of first")
    assert "rows" in text
    assert "3" in text

"""Notebooks in git without outputs: real git, real nbstripout."""

from __future__ import annotations

import subprocess

import nbformat
import pytest

from nbops.contract.config import Config
from nbops.errors import ConfigError
from nbops.workflow import git_setup


def git(root, *arguments):
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


def notebook(number):
    cells = [
        nbformat.v4.new_code_cell("1 + 1", execution_count=number, metadata={"execution": {"iopub.status.busy": str(number)}},
                                  outputs=[nbformat.v4.new_output("stream", text=f"run {number}\n")]),
        nbformat.v4.new_code_cell(f"rows = {number}", metadata={"tags": ["injected-parameters"]}),
    ]  # fmt: skip
    for index, cell in enumerate(cells):
        cell["id"] = f"cell-{index}"
    return nbformat.v4.new_notebook(
        cells=cells, metadata={"papermill": {"duration": number}, "language_info": {"name": "python"}}
    )


@pytest.fixture
def project(git_repo):
    (git_repo / "reports/runs").mkdir(parents=True)
    nbformat.write(notebook(1), git_repo / "task ä.ipynb")
    nbformat.write(notebook(1), git_repo / "reports/runs/task.ipynb")
    return git_repo


def test_what_an_execution_changes_is_not_committed_and_the_file_stays(project):
    (project / ".gitattributes").write_text("*.png binary", encoding="utf-8")
    done = git_setup.set_up(project, Config())
    assert len(done.changed) == 5
    assert git_setup.set_up(project, Config()).changed == ()
    git(project, "add", ".")
    git(project, "commit", "-qm", "a")
    stored = git(project, "show", "HEAD:task ä.ipynb")
    assert "run 1" not in stored
    assert "injected" not in stored
    assert "papermill" not in stored
    assert "cell-0" in stored
    assert "run 1" in (project / "task ä.ipynb").read_text(encoding="utf-8")
    assert "run 1" in git(project, "show", "HEAD:reports/runs/task.ipynb")
    nbformat.write(notebook(2), project / "task ä.ipynb")
    git(project, "add", ".")
    assert git(project, "status", "--porcelain") == ""
    assert (project / ".gitattributes").read_text(encoding="utf-8").startswith("*.png binary\n#")


def test_undone_it_is_as_if_it_had_never_been(project):
    settings = git(project, "config", "--local", "--list")
    git_setup.set_up(project, Config())
    assert git_setup.state_of_setup(project).filter
    git_setup.undo(project)
    assert git(project, "config", "--local", "--list") == settings
    assert not (project / ".gitattributes").exists()
    assert git_setup.undo(project).changed == ()
    (project / ".gitattributes").write_bytes(b"*.png binary\n\n# mine\n*.csv text\n")
    git_setup.set_up(project, Config())
    git_setup.undo(project)
    assert (project / ".gitattributes").read_bytes() == b"*.png binary\n\n# mine\n*.csv text\n"


def test_a_filter_that_cannot_run_lets_nothing_in(project):
    git_setup.set_up(project, Config())
    git(project, "config", "filter.nbops-notebook.clean", "/nowhere/python -m nbstripout")
    with pytest.raises(subprocess.CalledProcessError):
        git(project, "add", "task ä.ipynb")


def test_no_repository_and_no_nbstripout_are_said(tmp_path, project, monkeypatch):
    with pytest.raises(ConfigError, match="git init"):
        git_setup.set_up(tmp_path / "..", Config())
    monkeypatch.setattr(git_setup.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"nbops\[git\]"):
        git_setup.set_up(project, Config())
    assert not (project / ".gitattributes").exists()


def test_the_command_tells_sets_and_undoes(project, monkeypatch, capfd):
    from nbops.cli import main

    (project / "pipeline.yaml").write_text("tasks: []\n", encoding="utf-8")
    monkeypatch.chdir(project)
    assert main(["git"]) == 1
    assert main(["git", "setup"]) == 0
    assert ".gitattributes" in capfd.readouterr().out
    assert main(["git"]) == 0
    assert main(["git", "setup", "--undo"]) == 0
    assert main(["git", "--undo"]) == 2

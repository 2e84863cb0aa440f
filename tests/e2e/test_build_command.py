"""`nbops build` does what `ploomber build` does, on pipelines of every style."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from e2e_project import Project, Result, ran_in, statuses_of

from nbops.record.store import read_run, run_ids

STYLES = sorted(path.parent.name for path in (Path(__file__).parent / "pipelines").glob("*/pipeline.yaml"))


def nbops(project: Project, *arguments: str, folder: str = ".", **environment: str) -> Result:
    """Run ``nbops ARGUMENTS`` as users do."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("nbops")), *arguments],
        cwd=project.root / folder,
        env={**project.machine(), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=600,
    )
    return Result(done.returncode, done.stdout)


def _portable(fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a fingerprint is the same in another folder: data differs by its times, `resources_` are absolute paths."""
    found = {key: value for key, value in fingerprint.items() if key not in {"outputs", "contents", "upstream"}}
    return {**found, "parameters": {**found.get("parameters", {}), "resources_": None}}


def told(project: Project, number: int) -> dict[str, object]:
    """Return what a run's ledger says apart from times, the machine and the command."""
    run = read_run(project.root / "reports", run_ids(project.root / "reports")[number])
    return {
        "status": (run.status, run.verdict, dict(run.parameters)),
        "tasks": {task.name: (task.kind, task.status, task.reasons, task.upstream) for task in run.tasks},
        "fingerprints": {task.name: _portable(task.fingerprint or {}) for task in run.tasks},
        "datasets": {dataset.name: (dataset.content_hash, dataset.rows) for dataset in run.datasets},
        "notices": [notice.kind for notice in run.notices],
    }


@pytest.mark.parametrize("style", STYLES)
def test_both_commands_make_the_same_run(style: str, make_project: Callable[..., Project]) -> None:
    ours, theirs = make_project(style, name="project"), make_project(style, name="other")
    nbops(ours, "build").ok()
    theirs.ploomber("build").ok()
    assert ran_in(ours.latest()) == {task.name for task in ours.latest().tasks}
    assert ours.latest().command == "nbops build"
    assert told(ours, -1) == told(theirs, -1)
    assert ours.committed()
    assert all(path.startswith("reports/") for path in ours.committed())

    # each command takes the other's work for its own
    assert set(statuses_of(ours.build()).values()) == {"up_to_date"}
    nbops(theirs, "build").ok()
    assert set(statuses_of(theirs.latest()).values()) == {"up_to_date"}


def test_options_of_ploomber_are_taken(make_project: Callable[..., Project]) -> None:
    project = make_project("mixed")
    result = nbops(project, "build", "--partially", "count", "--env--greeting", "hello", folder="steps").ok()
    assert "count" in result.text
    assert ran_in(project.latest()) == {"raw", "count"}
    assert project.latest().parameters["greeting"] == "hello"
    assert project.latest().command == "nbops build --partially count --env--greeting hello"
    nbops(project, "build", "-f", "-p", "count", "-su").ok()
    assert ran_in(project.latest()) == {"count"}


@pytest.mark.parametrize(
    ("arguments", "change", "code", "said"),
    [
        (["--no-such-option"], None, 2, "unrecognized arguments: --no-such-option"),
        (["--entry-point", "nothing.yaml"], None, 3, "nothing"),
        ([], ("pipeline.yaml", "tasks.clean", "tasks.no_such_function"), 3, "no_such_function"),
        ([], ("tasks.py", "import json", "import no_such_package"), 3, "no_such_package"),
        ([], ("tasks.py", "def clean(", "def clean(missing, "), 3, "missing"),
        ([], ("tasks.py", "import json", 'raise RuntimeError("at import")\nimport json'), 3, "at import"),
    ],
)
def test_what_cannot_begin_ends_with_its_own_exit_code(
    arguments: list[str], change: tuple[str, str, str] | None, code: int, said: str, make_project: Callable[..., Project]
) -> None:
    project = make_project("functions")
    if change is not None:
        path, old, new = change
        project.write(path, project.read(path).replace(old, new, 1))
    result = nbops(project, "build", *arguments)
    assert result.code == code, result.text
    assert said in result.text
    assert "fault of its own" not in result.text
    assert not (project.root / "reports").exists()


def test_a_failed_run_ends_with_one_and_is_recorded(built: Project) -> None:
    built.edit("tasks.py", '{"rows": sum', '{"rows": no_such_name, "sum": sum')
    result = nbops(built, "build")
    assert result.code == 1, result.text
    assert "NameError" in result.text
    assert built.latest().status == "failed"


def test_a_kernel_that_is_not_there_is_said_as_ploomber_says_it(make_project: Callable[..., Project]) -> None:
    project = make_project("notebooks")
    project.edit("pipeline.yaml", "- source: summary.py", "- source: summary.py\n    kernelspec_name: no_such_kernel")
    ours, theirs = nbops(project, "build"), project.ploomber("build")
    assert (ours.code, theirs.code) == (3, 1)
    assert "no_such_kernel" in theirs.text
    assert [line for line in ours.text.splitlines() if "no_such_kernel" in line]


def test_the_plain_start_does_the_same(built: Project) -> None:
    nbops(built, "build", NBOPS_START="plain").ok()
    assert set(statuses_of(built.latest()).values()) == {"up_to_date"}


def test_a_lean_start_that_goes_wrong_becomes_a_plain_one(built: Project) -> None:
    code = """
import builtins, sys
from nbops.adapters import lean_imports
def broken(*arguments):
    lean_imports._left_out.clear()
    raise RuntimeError("broken")
lean_imports._leave_out = broken
from nbops.cli import main
code = main(["build"])
import ploomber.io.unserialize, pandas
assert ploomber.io.unserialize.pd is pandas
sys.exit(code)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=built.root,
        env=built.machine(),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert "broken" not in done.stdout + done.stderr
    assert set(statuses_of(built.latest()).values()) == {"up_to_date"}
    assert json.loads((built.root / f"reports/runs/{built.latest().id}/run.json").read_text())["status"] == "succeeded"

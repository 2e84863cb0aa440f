"""`nbops status` answers as `ploomber status` does, without Ploomber, and says so where it cannot."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from e2e_project import Project

STYLES = sorted(path.parent.name for path in (Path(__file__).parent / "pipelines").glob("*/pipeline.yaml"))
CHANGES = {
    "functions": [("tasks.py", "json.dumps(", "json.dumps(  # a comment\n        ", None)],
    "grid": [("pipeline.yaml", "scale: [10]", "scale: [11]", None)],
    "mixed": [
        ("env.yaml", "greeting:", "greeting: good day  #", {"page"}),
        ("words.txt", "", "more\n", {"count", "page"}),
        ("steps/raw.sh", "", "# more\n", {"raw", "count", "page"}),
    ],
    "notebooks": [("summary.py", "", "# a comment\n", set())],
    "sql": [("sql/totals.sql", "", "-- more\n", {"totals", "show"})],
    "libraries": [("tasks.py", '.to_frame("a")', '.to_frame("b")', {"total", "inside"})],
}


def ask(project: Project, *arguments: str) -> dict[str, dict[str, object]]:
    """Return what ``nbops status --json`` says of each task, having seen that nothing heavy was loaded."""
    code = (
        "import sys; from nbops.cli import main; code = main(sys.argv[1:]); "
        "heavy = {'ploomber', 'pandas', 'matplotlib', 'duckdb', 'numpy', 'papermill', 'pyarrow'} & set(sys.modules); "
        "sys.exit(code or sorted(heavy) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "status", "--json", *arguments],
        cwd=project.root,
        env=project.machine(),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return {item["task"]: item for item in json.loads(done.stdout)}


def judged(project: Project) -> dict[str, bool]:
    """Return nbops' own judgement of what is stale, made on the pipeline that Ploomber loads."""
    before = """
import json, sys
from nbops.adapters import ploomber
shown = ploomber.show_status
def tell(dag, stale):
    print("STALE " + json.dumps(stale))
    shown(dag, stale)
ploomber.show_status = tell
"""
    text = project.ploomber("status", before=before).ok().text
    line = next(line for line in text.splitlines() if line.startswith("STALE "))
    found: dict[str, bool] = json.loads(line.removeprefix("STALE "))
    return found


@pytest.mark.parametrize("style", STYLES)
def test_both_commands_tell_the_same(style: str, make_project: Callable[..., Project]) -> None:
    project = make_project(style)
    assert {item["stale"] for item in ask(project).values()} == {True}, "nothing ever ran"
    run = project.build()
    told = ask(project)
    assert {name: item["stale"] for name, item in told.items()} == judged(project) == {task.name: False for task in run.tasks}
    assert {item["last_success"] for item in told.values()} == {run.id}
    for path, old, new, expected in CHANGES[style]:
        before = project.read(path)
        project.write(path, before.replace(old, new, 1) if old else before + new)
        told = ask(project)
        truth = judged(project)
        assert all(item["stale"] in {truth[name], None} for name, item in told.items()), (path, told, truth)
        if expected is not None:
            assert {name for name, item in told.items() if item["stale"]} == expected
            assert all(item["reasons"] for name, item in told.items() if name in expected)
        project.write(path, before)
    assert {item["stale"] for item in ask(project).values()} == {False}


def test_what_only_ploomber_knows_is_said_to_be_unknown(built: Project) -> None:
    built.build()
    text = built.read("pipeline.yaml")
    built.write("pipeline.yaml", text.replace("tasks.clean", "tasks.load_again"))
    told = ask(built)
    assert any(item["stale"] is None for item in told.values()) or any(item["stale"] for item in told.values())
    assert all(item["reasons"] for item in told.values() if item["stale"] is not False)
    built.write("pipeline.yaml", "tasks: 3\n")
    code = "import sys; from nbops.cli import main; sys.exit(main(['status']))"
    done = subprocess.run([sys.executable, "-c", code], cwd=built.root, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 3
    assert "ploomber status" in done.stderr


@pytest.mark.parametrize("command", [["runs"], ["show"], ["gc", "--dry-run"], ["--help"], ["status"], ["build", "--help"]])
def test_commands_that_only_read_load_nothing_heavy(built: Project, command: list[str]) -> None:
    code = (
        "import sys; from nbops.cli import main; code = main(sys.argv[1:]); "
        "heavy = {'ploomber', 'pandas', 'matplotlib', 'duckdb', 'numpy', 'papermill', 'pyarrow', 'bs4'} & set(sys.modules); "
        "sys.exit(code or sorted(heavy) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        cwd=built.root,
        env=built.machine(),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr

"""Pipelines in Ploomber's documented styles, with no knowledge of nbops, become governed by one line."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from e2e_project import Project, ran_in, statuses_of, tasks_of

TASKS = {
    "notebooks": ["load", "summary"],
    "functions": ["load", "clean", "report"],
    "sql": ["orders", "totals", "show"],
    "grid": ["load", "fit-0", "fit-1", "best"],
    "mixed": ["raw", "count", "page"],
}
KINDS = {
    "notebooks": {"load": "notebook", "summary": "notebook"},
    "functions": {"load": "function", "clean": "function", "report": "function"},
    "sql": {"orders": "sql", "totals": "sql", "show": "notebook"},
    "grid": {"load": "function", "fit-0": "function", "fit-1": "function", "best": "function"},
    "mixed": {"raw": "shell", "count": "script", "page": "notebook"},
}
LAST = {"notebooks": "summary", "functions": "report", "sql": "show", "grid": "best", "mixed": "page"}
MIDDLE = {"notebooks": "load", "functions": "clean", "sql": "totals", "grid": "fit-*", "mixed": "count"}


def data_files(project: Project) -> dict[str, bytes]:
    """Return the products that are the same from build to build: all but executed notebooks and Ploomber's own notes."""
    found = (path for path in (project.root / "output").rglob("*") if path.is_file())
    return {
        path.name: path.read_bytes() for path in found if path.suffix not in {".ipynb", ".html"} and not path.name.startswith(".")
    }


def listing(root: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of every file and folder."""
    # Ploomber itself asks git for the state of the repository, and git refreshes its index
    found: dict[str, tuple[int, int]] = {}
    for base, folders, names in os.walk(root):
        for name in [*folders, *names]:
            path = Path(base, name)
            if path in {root / ".git", root / ".git/index"}:
                continue
            found[str(path)] = (path.lstat().st_size, path.lstat().st_mtime_ns)
    return found


def wait_for_packing(root: Path) -> None:
    """Wait until what packs the objects of the build before has ended: it goes on after that."""
    packing = [
        process
        for process in psutil.process_iter(["cmdline"])
        if "nbops.record.packing" in (process.info["cmdline"] or ())
        and any(str(root) in word for word in process.info["cmdline"])
    ]
    assert not psutil.wait_procs(packing, timeout=60)[1]


def outdated(project: Project) -> dict[str, bool]:
    """Return what ``ploomber status`` says of each task, having seen that it writes nothing."""
    wait_for_packing(project.root)
    before = listing(project.root)
    text = project.ploomber("status").ok().text
    assert listing(project.root) == before
    header, *rows = [line for line in text.splitlines() if line.strip() and not line.startswith(("Loading", "--"))][-200:]
    while "Outdated?" not in header:
        header, *rows = rows
    start, end = header.index("Outdated?"), header.index("Product")
    found: dict[str, bool] = {}
    for row in rows:
        name = row.split()[0] if not row.startswith(" ") else ""
        if name and re.search(r"True|False|Source|Upstream", row[start:end]):
            found[name] = "False" not in row[start:end]
    return found


@pytest.mark.parametrize("style", sorted(TASKS))
def test_one_line_governs_a_pipeline_that_never_heard_of_nbops(style: str, make_project: Callable[..., Project]) -> None:
    project = make_project(style, attached=False)
    project.ploomber("build").ok()
    plain = data_files(project)
    assert not (project.root / "reports").exists()
    project.attach()
    project.git("add", "pipeline.yaml")
    project.git("commit", "--quiet", "--message=one line")
    # work of the user's own: staged, changed after staging, never staged, untracked
    project.write("notes.md", "staged\n")
    project.git("add", "notes.md")
    project.write("notes.md", "staged\nand more\n")
    project.write(".gitignore", project.read(".gitignore") + "*.tmp\n")
    project.write("draft.txt", "untracked\n")
    staged, unstaged, status = project.git("diff", "--cached"), project.git("diff"), project.git("status", "--porcelain")
    commits = project.commits()

    run = project.build()

    assert (run.status, run.verdict) == ("succeeded", "passed")
    assert {task.name: task.kind for task in run.tasks} == KINDS[style]
    assert ran_in(run) == set(TASKS[style])
    assert project.commits()[1:] == commits, "not exactly one commit more"
    assert project.committed()
    assert all(path.startswith("reports/") for path in project.committed())
    assert {"reports/index.html", f"reports/runs/{run.id}/run.json"} <= set(project.committed())
    assert f"Nbops-Run: {run.id}" in project.git("log", "-1", "--format=%B")
    assert project.git("diff", "--cached") == staged
    assert project.git("diff") == unstaged
    assert project.git("status", "--porcelain") == status
    assert data_files(project) == plain
    for task in run.tasks:
        if task.kind == "notebook":
            assert f"reports/{task.notebook}" in project.committed()
            assert len(task.cells) >= 2
            assert all(cell.status == "succeeded" for cell in task.cells)

    project.ploomber("status").ok()
    assert not any(outdated(project).values())
    second = project.build()
    assert ran_in(second) == set(), tasks_of(second)
    assert set(statuses_of(second).values()) == {"up_to_date"}
    assert all(task.reasons for task in second.tasks)
    assert data_files(project) == plain


@pytest.mark.parametrize("style", ["functions", "grid"])
def test_single_tasks_and_partial_builds_are_recorded(style: str, make_project: Callable[..., Project]) -> None:
    project = make_project(style)
    partial = project.build("--partially", MIDDLE[style])
    assert ran_in(partial) == set(TASKS[style]) - {LAST[style]}

    name = TASKS[style][1]
    commits = project.commits()
    project.ploomber("task", name, "--force").ok()
    run = project.latest()
    assert run.command.startswith(f"ploomber task {name}")
    assert ran_in(run) == {name}
    assert tasks_of(run)[name].reasons == ("forced",)
    assert {task.status for task in run.tasks if task.name != name} == {"not_selected"}
    assert project.commits()[1:] == commits

    whole = project.build()
    assert ran_in(whole) == {LAST[style]}, {task.name: task.reasons for task in whole.tasks}


def test_upstream_can_be_skipped(built: Project) -> None:
    built.write("data/source.csv", "id,value\n1,2\n2,0\n")
    built.edit("tasks.py", '{"rows": sum', '{"count": sum')
    run = built.build("--partially", "report", "--skip-upstream")
    assert statuses_of(run) == {"load": "not_selected", "clean": "not_selected", "report": "succeeded"}
    assert json.loads(built.read("output/report.json")) == {"count": 32}
    assert ran_in(built.build()) == {"load", "clean", "report"}
    assert json.loads(built.read("output/report.json")) == {"count": 1}


def test_tasks_that_were_left_out_are_no_reason_to_complain(built: Project) -> None:
    text = (
        "kind: DataContract\napiVersion: v3.1.0\nversion: 1.0.0\nid: {0}\nschema:\n"
        "  - name: {0}\n    properties:\n      - {{name: id, logicalType: integer}}\n"
    )
    built.write("contracts/clean.odcs.yaml", text.format("clean"))
    built.write("contracts/nothing.odcs.yaml", text.format("nothing"))
    assert built.build("--partially", "load").notices == ()
    (notice,) = built.build().notices
    assert notice.kind == "orphan_contract"
    assert "'nothing'" in notice.message


@pytest.mark.parametrize("how", ["--entry-point", "-e", "ENTRY_POINT"])
def test_another_pipeline_beside_the_first(how: str, built: Project) -> None:
    built.write("pipeline.serve.yaml", built.read("pipeline.yaml").replace("output/", "serving/"))
    built.write("env.serve.yaml", "rows: 5\n")
    by_name = how == "ENTRY_POINT"
    arguments = () if by_name else (how, "pipeline.serve.yaml")
    run = built.build(*arguments, environment={how: "pipeline.serve.yaml"} if by_name else {})
    assert run.parameters["rows"] == 5
    assert len(built.read("serving/raw.csv").splitlines()) == 6
    assert len(built.read("output/raw.csv").splitlines()) == 41


def test_a_notebook_task_alone_is_recorded(make_project: Callable[..., Project]) -> None:
    project = make_project("notebooks")
    project.build("--partially", "load")
    project.ploomber("task", "summary", "--force").ok()
    assert ran_in(project.latest()) == {"summary"}
    assert project.build().verdict == "passed"
    assert ran_in(project.latest()) == set()


def test_status_agrees_with_what_the_next_build_does(built: Project) -> None:
    built.edit("tasks.py", '{"rows": sum', '{"count": sum')
    assert outdated(built) == {"load": False, "clean": False, "report": True}
    assert ran_in(built.build()) == {"report"}
    built.write("data/source.csv", "id,value\n1,2\n2,0\n")
    assert outdated(built) == {"load": True, "clean": True, "report": True}
    assert ran_in(built.build()) == {"load", "clean", "report"}
    (built.root / "output/clean.csv").unlink()
    assert outdated(built)["clean"] is True
    assert outdated(built)["load"] is False
    built.build()
    assert not any(outdated(built).values())


def test_plot_and_task_status_write_nothing(built: Project) -> None:
    before = listing(built.root)
    built.ploomber("task", "load", "--status").ok()
    assert listing(built.root) == before


_HOOKS = """
from pathlib import Path

def finished(dag, report):
    with open("finished.log", "a") as stream:
        stream.write(",".join(sorted(dag)) + "\\n")

def failed(dag, traceback):
    names = sorted(name for name in dag if dag[name].exec_status.name == "Errored")
    Path("failed.log").write_text(",".join(names))

def task_failed(task):
    Path("task_failed.log").write_text(task.name)
"""
_MEETING = """
import time
from pathlib import Path

def _meet(mine, other):
    Path("meet", mine).write_text("here")
    deadline = time.monotonic() + 60
    while not Path("meet", other).exists():
        assert time.monotonic() < deadline, "the other task does not run at the same time"
        time.sleep(0.02)

def left(product):
    _meet("left", "right")
    Path(product).write_text("left")

def right(product):
    _meet("right", "left")
    Path(product).write_text("right")

def last(product, upstream):
    if Path("break").exists():
        raise ValueError("asked to break")
    Path(product).write_text(Path(upstream["left"]).read_text() + Path(upstream["right"]).read_text())
"""


def test_the_pipelines_own_executor_and_hooks_keep_working(make_project: Callable[..., Project]) -> None:
    project = make_project(
        {
            "pipeline.yaml": """
executor:
  dotted_path: ploomber.executors.Parallel
  processes: 2
on_finish: hooks.finished
on_failure: hooks.failed
tasks:
  - source: tasks.left
    product: output/left.txt
  - source: tasks.right
    product: output/right.txt
  - source: tasks.last
    product: output/last.txt
    on_failure: hooks.task_failed
""",
            "hooks.py": _HOOKS,
            "tasks.py": _MEETING,
            "meet/.gitignore": "*\n",
        }
    )
    project.write("break", "")
    run, text = project.fail()
    assert statuses_of(run) == {"left": "succeeded", "right": "succeeded", "last": "failed"}
    assert "asked to break" in text
    assert project.read("failed.log") == "last"
    assert project.read("task_failed.log") == "last"
    assert not (project.root / "finished.log").exists()

    (project.root / "break").unlink()
    assert ran_in(project.build()) == {"last"}
    assert project.read("output/last.txt") == "leftright"
    assert project.read("finished.log") == "last,left,right\n"


def test_a_task_hook_that_refuses_holds_the_publication(make_project: Callable[..., Project]) -> None:
    project = make_project(
        {
            "pipeline.yaml": "tasks:\n  - source: tasks.make\n    product: output/made.txt\n    on_finish: hooks.check\n",
            "tasks.py": "from pathlib import Path\n\ndef make(product):\n    Path(product).write_text(open('text.txt').read())\n",
            "hooks.py": (
                "from pathlib import Path\n\ndef check(product):\n"
                "    if 'bad' in Path(str(product)).read_text():\n        raise ValueError('the hook refuses')\n"
            ),
            "text.txt": "good",
        }
    )
    project.build()
    project.write("text.txt", "bad")
    run, text = project.fail()
    assert "the hook refuses" in text
    assert tasks_of(run)["make"].status == "failed"
    assert project.read("output/made.txt") == "good"


def test_a_run_without_a_repository_is_recorded_and_says_so(make_project: Callable[..., Project]) -> None:
    project = make_project("functions", repository=False)
    result = project.ploomber("build").ok()
    run = project.latest()
    assert run.verdict == "passed"
    assert run.git is None or run.git.commit is None
    assert (project.root / "reports/index.html").is_file()
    assert re.search(r"not (in )?a git|no git", result.text, re.IGNORECASE), result.text

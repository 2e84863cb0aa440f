"""Blame, bisect and replay on a real pipeline in a real repository."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from e2e_project import tasks_of

from nbops.cli.app import program
from nbops.contract.config import load_config
from nbops.model import Incident, IncidentFinding
from nbops.workflow.causes import causes_for
from nbops.workflow.previous import previous_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from e2e_project import Project


def _call(project: Project, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(program, ["-C", str(project.root), *arguments], standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return int(done.return_value or 0), done.stdout


@pytest.fixture
def broken(built: Project, git_identity: object) -> Project:
    """A project in which one commit of three lost rows, and its input grew at the same time."""
    assert git_identity
    built.write("notes.md", "about nothing\n")
    built.commit("words")
    built.edit("deeper.py", "LEAST = 1", "LEAST = 3")
    built.commit("only what counts more")
    built.write("more.md", "about less\n")
    built.commit("more words")
    built.write("data/source.csv", built.read("data/source.csv") + "".join(f"{i},{i % 5}\n" for i in range(40, 60)))
    built.commit("more rows")
    built.build()
    return built


def test_code_that_lost_rows_is_told_from_data_that_brought_some(broken: Project) -> None:
    before, after = broken.runs()[-2:]
    products = {path: path.read_bytes() for path in (broken.root / "output").iterdir() if path.is_file()}
    head = broken.git("rev-parse", "HEAD")

    code, text = _call(broken, "blame", "clean.rows", "--json")
    blamed = json.loads(text)[0]
    assert code == 0
    assert (blamed["run"], blamed["before"], blamed["after"]) == (after.id, 32, 24)
    assert blamed["author"] == "Tester"

    code, text = _call(broken, "bisect", "clean.rows >= 30", "--json")
    found = json.loads(text)
    assert (code, found["commit"]["subject"]) == (0, "only what counts more")
    assert (found["good"]["run"], found["bad"]["run"]) == (before.id, after.id)
    assert found["commit"]["author"] == "Tester"

    code, text = _call(broken, "replay", "clean.rows", "--code", before.id, "--data", after.id, "--json")
    told = json.loads(text)["measurements"][0]
    assert (told["old_code_old_data"], told["new_code_new_data"]) == (32, 24)
    assert (told["old_code_new_data"], told["new_code_old_data"]) == (48, 16)
    assert (told["by_code"], told["by_data"], told["interaction"]) == (-20, 12, -8)

    # nothing of the project was touched
    assert {path: path.read_bytes() for path in products} == products
    assert broken.git("rev-parse", "HEAD") == head
    assert broken.git("status", "--porcelain") == ""
    assert broken.git("worktree", "list").count("\n") == 0
    assert len(broken.runs()) == 2

    # the version before is at hand without a copy, and is not committed
    kept = previous_of(broken.root, "output/clean.csv")
    assert kept is not None
    assert len(kept.read_text(encoding="utf-8").splitlines()) == 33
    assert not broken.git("ls-files", ".nbops")

    finding = IncidentFinding(key="monitor:volume:dataset:clean:rowCount", kind="monitor", subject="dataset:clean")
    incident = Incident(
        id="INC-1",
        title="",
        state="open",
        severity="warn",
        root="dataset:clean",
        opened_run=after.id,
        opened_at="",
        findings=(finding,),
    )
    causes = causes_for(broken.root, load_config(broken.root), incident, after, before)
    assert (causes[0].kind, causes[0].subject) == ("code", "file:deeper.py")
    assert causes[0].commit == found["commit"]["commit"]


def test_the_cell_that_became_slow_is_named_with_its_commit(make_project: Callable[..., Project]) -> None:
    project = make_project("notebooks")
    before = project.build()
    project.edit("summary.py", 'print("total", total)', 'import time\n\ntime.sleep(5)  # slow code\nprint("total", total)')
    project.commit("the total is thought over")
    after = project.build()
    finding = IncidentFinding(key="monitor:duration:task:summary:seconds", kind="monitor", subject="task:summary")
    incident = Incident(
        id="INC-1",
        title="",
        state="open",
        severity="warn",
        root="task:summary",
        opened_run=after.id,
        opened_at="",
        findings=(finding,),
    )
    first = causes_for(project.root, load_config(project.root), incident, after, before)[0]
    assert (first.kind, first.subject) == ("code", "task:summary")
    slowest = max(tasks_of(after)["summary"].cells, key=lambda cell: cell.seconds or 0.0).index
    assert first.cells[0] == slowest
    assert first.commit == project.commits()[1], "below that of the reports"
    assert any(text.startswith(f"cell {slowest} took 5.") and text.endswith(" before") for text in first.evidence)


def test_what_cannot_be_is_said(built: Project) -> None:
    import click

    from nbops.errors import NbopsError

    for arguments in (
        ("bisect", "clean.rows >= 1"),
        ("bisect", "clean.rows >= 1000"),
        ("bisect", "clone.rows > 1"),
        ("blame", "nothing"),
    ):
        with pytest.raises((click.UsageError, NbopsError)):
            _call(built, *arguments)

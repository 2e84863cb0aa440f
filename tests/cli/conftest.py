"""Fixtures for the command line: a project with runs, and two ways to call a command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from nbops.cli import main
from nbops.model import Check, CheckResult, Dataset, Environment, GitState, Notice, Quarantine, Run, RunError, TaskRun
from nbops.record.store import write_run

HOSTILE = "evil\x1b[31m\x00\u202e\u2066<script>'\"; DROP TABLE x\r\n\x9b2J\u200b"
"""What a terminal would obey, and what a reader could not see."""


def run_id(number: int) -> str:
    return f"20261122T19{number:02d}00Z-{number:06x}"


def make_run(
    number: int = 1, *, verdict: str = "passed", name: str = "orders", message: str = "", status: str = "succeeded"
) -> Run:
    """Return a run with one task, one dataset, and a check of its verdict."""
    check = Check(id="id.nullValues", dataset=name, metric="nullValues", column="id", operator="mustBe", expected=0)
    bad = verdict in {"failed", "errored"}
    error = RunError(
        kind="ChecksFailed", message=message or "2 nulls", task="load", cell=3, traceback="Trace\n  line", hint="Mend it."
    )
    return Run(
        id=run_id(number),
        status=status,  # type: ignore[arg-type]
        verdict=verdict,  # type: ignore[arg-type]
        pipeline="shop",
        command="ploomber build",
        started_at="2026-11-22T19:41:56Z",
        finished_at=None if status == "running" else "2026-11-22T19:42:06Z",
        seconds=None if status == "running" else 10.25,
        git=GitState(commit="0123456789abcdef", branch="main", dirty=True, changed_files=2),
        environment=Environment(python="3.11.2", platform="Linux", nbops="0.1.0"),
        tasks=(
            TaskRun(name="load", kind="notebook", status="failed" if bad else "succeeded", seconds=3.2, reasons=("new task",)),
        ),
        datasets=(Dataset(name=name, task="load", path=f"output/{name}.parquet", format="parquet", rows=1234, bytes=56_789),),
        checks=(CheckResult(check=check, verdict=verdict, message=message),),  # type: ignore[arg-type]
        quarantine=(Quarantine(dataset=name, task="load", path=f"quarantine/{name}/x.parquet", rows_in=10, rows_out=7, rows=3),),
        errors=(error,) if bad else (),
        notices=(Notice(kind="output", message=message),) if message else (),
    )


@dataclass(frozen=True)
class Said:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a pipeline and no runs, as the current folder."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "pipeline.yaml").write_text(
        "tasks:\n  - source: load.py\n    product:\n      nb: output/load.ipynb\n      orders: output/orders.csv\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(folder)
    monkeypatch.delenv("NBOPS_DEBUG", raising=False)
    return folder


@pytest.fixture
def with_runs(project: Path) -> Path:
    """The project with three runs: passed, warned, and the latest failed."""
    for number, verdict in enumerate(("passed", "warned", "failed"), start=1):
        write_run(project / "reports", make_run(number, verdict=verdict))
    return project


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Call a command in this process."""

    def calling(*arguments: str) -> Said:
        capfd.readouterr()
        code = main(arguments)
        captured = capfd.readouterr()
        return Said(code, captured.out, captured.err)

    return calling


def start(*arguments: str, folder: Path, environment: Mapping[str, str] | None = None, shell: str | None = None) -> Said:
    """Call a command in a process of its own; ``shell`` is what stands around it, with ``nbops`` for the command."""
    command = [sys.executable, "-c", "import sys; from nbops.cli import main; sys.exit(main())", *arguments]
    variables = {**os.environ, "NO_COLOR": "1", **(environment or {})}
    if shell is not None:
        line = shell.replace("nbops", '"$@"', 1)
        command = ["bash", "-c", line, "bash", *command]
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, check=False, timeout=120)
    return Said(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))

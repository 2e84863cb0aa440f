"""A run as text for people: what went wrong first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nbops.cli.output import Cell, Column, colour_of, printable, table
from nbops.pages.text import count, duration, not_committed, plural, size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from nbops.history.comparison import RunRef
    from nbops.model import CheckResult, GitState, Run, RunError

__all__ = ["check_rows", "code_words", "describe_checks", "describe_run"]

_WORST_FIRST = ("errored", "failed", "warned", "skipped", "passed")
_CHECKS = (
    Column(title="VERDICT"),
    Column(title="DATASET"),
    Column(title="CHECK"),
    Column(title="FINDING", flexible=True),
)
_TASKS = (
    Column(title="TASK"),
    Column(title="STATUS"),
    Column(title="TOOK", right=True),
    Column(title="WHY", flexible=True),
)
_DATASETS = (
    Column(title="DATASET"),
    Column(title="VERDICT"),
    Column(title="ROWS", right=True),
    Column(title="SIZE", right=True),
    Column(title="PATH", flexible=True),
)
_TRACE_LINES = 12


def describe_run(run: Run, *, reports: str, root: Path) -> str:
    """Return a run as text.

    Args:
        run: The run.
        reports: The project's reports folder, relative to its root.
        root: The project's root; whether the run has a page is looked up there.
    """
    return "\n".join(_run(run, reports=reports, root=root))


def describe_checks(results: Iterable[CheckResult], *, all_of_them: bool = False) -> str:
    """Return check results as a table, the worst first; those that passed are left out unless asked for."""
    found = [item for item in results if all_of_them or item.verdict != "passed"]
    return table(_CHECKS, check_rows(found)) if found else ""


def check_rows(results: Iterable[CheckResult]) -> list[list[str | Cell]]:
    """Return a row of text for each result, the worst first: errors before warnings, then by dataset and check."""
    ordered = sorted(
        results,
        key=lambda item: (
            item.check.severity != "error",
            _WORST_FIRST.index(item.verdict),
            item.check.dataset,
            item.check.id,
        ),
    )
    return [
        [_word(item.verdict), item.check.dataset, item.check.id, item.message or item.check.description or ""] for item in ordered
    ]


def _word(word: str) -> Cell:
    return Cell(word, colour_of(word))


def _run(run: Run, *, reports: str, root: Path) -> Iterator[str]:
    verdict = click.style(run.verdict.upper(), fg=colour_of(run.verdict), bold=True)
    status = "" if run.status in {"succeeded", "failed"} else f", {run.status}"
    yield f"{printable(run.id)}  {verdict}{status}"
    yield from _head(run)
    page = f"{reports}/runs/{run.id}/index.html"
    if (root / page).is_file():
        yield f"  page      {page}"
    for error in run.errors:
        yield from _error(error)
    yield from _section("Tasks", table(_TASKS, [_task_row(run, index) for index in range(len(run.tasks))]) if run.tasks else "")
    rows: list[list[str | Cell]] = [
        [
            item.name,
            _word(item.verdict),
            count(item.rows),
            size(item.bytes),
            item.path + ("" if item.published else "  (last good version kept)"),
        ]
        for item in run.datasets
    ]
    yield from _section("Datasets", table(_DATASETS, rows) if rows else "")
    passed = sum(1 for item in run.checks if item.verdict == "passed")
    yield from _section(
        f"Checks: {passed} of {len(run.checks)} passed" if run.checks else "Checks: none",
        describe_checks(run.checks),
        always=True,
    )
    lines = [
        f"{item.dataset}: {plural(item.rows, 'row')} of {count(item.rows_in)}, in {item.path}"
        for item in run.quarantine
        if item.rows
    ]
    yield from _section("Quarantine", "\n".join(f"  {printable(line)}" for line in lines))
    yield from _section("Notices", "\n".join(f"  {printable(item.message)}" for item in run.notices))


def _head(run: Run) -> Iterator[str]:
    took = f", took {duration(run.seconds)}" if run.seconds is not None else ""
    yield f"  command   {printable(run.command)}"
    yield f"  started   {printable(run.started_at)}{took}"
    if run.git is not None and run.git.commit:
        yield f"  code      {printable(code_words(run.git))}"
    if run.environment is not None:
        yield f"  ran on    Python {printable(run.environment.python)}, nbops {printable(run.environment.nbops)}"


def code_words(code: GitState | RunRef) -> str:
    """Return which code a run was made with: commit, branch, and what no commit holds."""
    branch = f"branch {code.branch}" if code.branch else "no branch"
    more = f", {not_committed(code.changed_files)}" if code.dirty else ""
    return f"commit {(code.commit or '')[:9]} on {branch}{more}"


def _error(error: RunError) -> Iterator[str]:
    where = f"{error.task}: " if error.task else ""
    cell = f" (cell {error.cell})" if error.cell is not None else ""
    yield ""
    yield click.style(printable(f"{where}{error.kind}{cell}: {error.message}"), fg="red")
    if error.traceback:
        trace = printable(click.unstyle(error.traceback), lines=True).splitlines()
        left_out = [f"... {len(trace) - _TRACE_LINES} lines above"] if len(trace) > _TRACE_LINES else []
        yield from (f"    {line}" for line in (*left_out, *trace[-_TRACE_LINES:]))
    if error.hint:
        yield f"  {printable(error.hint)}"


def _task_row(run: Run, index: int) -> list[str | Cell]:
    task = run.tasks[index]
    reason = task.error.message if task.error is not None else task.reasons[0] if task.reasons else ""
    return [task.name, _word(task.status), duration(task.seconds), reason]


def _section(title: str, body: str, *, always: bool = False) -> Iterator[str]:
    if body or always:
        yield ""
        yield click.style(title, bold=True)
    if body:
        yield body

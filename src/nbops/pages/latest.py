"""The pipeline as the latest run left it: what that run did not look at is as it last was."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nbops.errors import LedgerError
from nbops.pages.links import Links
from nbops.pages.names import page_name
from nbops.pages.views import report_link
from nbops.record.store import ledger_path, loader, read_run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nbops.model import Run

__all__ = ["Latest", "latest_of"]

_MOST_RUNS = 40
"""So many earlier ledgers are read at most for what the latest run did not look at."""


_LOOKED_AT = frozenset({"succeeded", "up_to_date"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Latest:
    """The latest run, completed, and where its pages are."""

    run: Run
    """With the datasets, checks and column lineage of tasks that did not run now, from the run in which they last succeeded."""
    earlier: Mapping[str, str]
    """Dataset that the latest run did not look at to the run that did."""
    tasks: Mapping[str, str]
    """Task to its page, below ``reports/``."""
    datasets: Mapping[str, str]
    """Dataset to its page, below ``reports/``; one whose page is gone is not there."""
    profiles: Mapping[str, str]
    """Dataset to its profile, likewise."""


def latest_of(run: Run, *, reports: Path) -> Latest:
    """Return the state of the pipeline at its latest run.

    Args:
        run: The latest run, as stored.
        reports: The project's ``reports`` folder.
    """
    whole, earlier = _completed(run, reports)
    links = Links(run, reports=reports, root="", here=f"runs/{run.id}/")
    datasets = {item.name: links.dataset(item.name) for item in run.datasets}
    for name, home in earlier.items():
        found = report_link(f"runs/{home}/datasets/{page_name(name)}.html", reports)
        if found is not None:
            datasets[name] = found
    profiles = {item.name: report_link(item.profile, reports) for item in whole.datasets}
    return Latest(
        run=whole,
        earlier=earlier,
        tasks={task.name: links.task(task.name) for task in run.tasks},
        datasets=datasets,
        profiles={name: page for name, page in profiles.items() if page is not None},
    )


def _completed(run: Run, reports: Path) -> tuple[Run, dict[str, str]]:
    there = {item.name for item in run.datasets}
    told = {part.task for part in run.column_lineage}
    made = {task for task in (item.task for item in run.datasets) if task}
    missing = [
        task
        for task in run.tasks
        if task.status not in _LOOKED_AT and task.last_success and task.last_success < run.id
        if task.name not in made or task.name not in told
    ]
    load = loader(reports)
    datasets, checks, lineage = list(run.datasets), list(run.checks), list(run.column_lineage)
    earlier: dict[str, str] = {}
    for home in sorted({str(task.last_success) for task in missing}, reverse=True)[:_MOST_RUNS]:
        try:
            ledger_path(reports, home)
            other = read_run(reports, home, load=load)
        except LedgerError:
            continue
        names = {task.name for task in missing if task.last_success == home}
        for item in other.datasets:
            if item.task in names and item.task not in made and item.name not in there:
                earlier[item.name] = item.from_run or home
                datasets.append(replace(item, from_run=earlier[item.name]))
                checks += [result for result in other.checks if result.check.dataset == item.name]
        lineage += [part for part in other.column_lineage if part.task in names and part.task not in told]
    return replace(run, datasets=tuple(datasets), checks=tuple(checks), column_lineage=tuple(lineage)), earlier

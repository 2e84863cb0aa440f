"""The pipeline as the latest run left it: what that run did not look at is as it last was."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nbops.errors import LedgerError
from nbops.pages.links import Links
from nbops.pages.names import page_name
from nbops.pages.views import report_link
from nbops.record.store import ledger_path, loader, read_run, run_before

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nbops.model import CheckResult, Dataset, Run
    from nbops.record.refer import Load

__all__ = ["Latest", "latest_of"]

_MOST_RUNS = 40
"""So many earlier ledgers are read at most for what the latest run did not look at."""


_STEPS = 20
_LOOKED_AT = frozenset({"succeeded", "up_to_date"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Latest:
    """The latest run, completed, and where its pages are."""

    run: Run
    """With the datasets, checks and column lineage of tasks that did not run now, from the run in which they last succeeded.

    Datasets are from the run that made them, also where a later one measured the same data again; a check that only objected to
    rows which were set aside has passed, as it does of what is published.
    """
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
    load = loader(reports)
    whole, earlier = _completed(run, reports, load)
    made = {item.name: _made_in(item, run, reports, load) for item in run.datasets}
    whole = replace(
        whole,
        datasets=tuple(replace(item, from_run=made.get(item.name, item.from_run)) for item in whole.datasets),
        checks=tuple(map(_of_what_is_left, whole.checks)),
    )
    links = Links(run, reports=reports, root="", here=f"runs/{run.id}/")
    datasets = {item.name: links.dataset(item.name) for item in run.datasets}
    moved = {item.name: made[item.name] for item in run.datasets if made[item.name] != (item.from_run or run.id)}
    for name, home in (earlier | moved).items():
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


def _of_what_is_left(result: CheckResult) -> CheckResult:
    return replace(result, verdict="passed") if result.check.quarantine and result.verdict == "warned" else result


def _made_in(item: Dataset, run: Run, reports: Path, load: Load) -> str:
    """Return the run that made a dataset's content: what was only measured again, and is as it was, is not from that run.

    A run that set rows aside is followed by one that measures what is left; nothing is news then.
    """
    home, mine = item.from_run or run.id, item if item.from_run is None else None
    for _ in range(_STEPS):
        if home != run.id:
            entries = (load(home) or {}).get("datasets", ())
            if all(entry.get("changed", True) for entry in entries if entry.get("name") == item.name):
                return home
            with suppress(LedgerError):
                mine = next((one for one in read_run(reports, home, load=load).datasets if one.name == item.name), None)
        before = run_before(reports, home) if mine is not None and not mine.changed and mine.from_run is None else None
        old = next((one for one in before.datasets if one.name == item.name), None) if before is not None else None
        if before is None or old is None or mine is None or not old.published:
            return home
        if (old.content_hash, old.contract_hash, old.error) != (mine.content_hash, mine.contract_hash, mine.error):
            return home
        home, mine = old.from_run or before.id, None
    return home


def _completed(run: Run, reports: Path, load: Load) -> tuple[Run, dict[str, str]]:
    there = {item.name for item in run.datasets}
    told = {part.task for part in run.column_lineage}
    made = {task for task in (item.task for item in run.datasets) if task}
    missing = [
        task
        for task in run.tasks
        if task.status not in _LOOKED_AT and task.last_success and task.last_success < run.id
        if task.name not in made or task.name not in told
    ]
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

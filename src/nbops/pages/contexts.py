"""What each page is made of: one function a page, from records to the names that its template uses."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from nbops.pages.changes import changes_view, same_inputs
from nbops.pages.findings import Finding, findings, headline
from nbops.pages.fresh import freshness_rows
from nbops.pages.graph import draw, in_order
from nbops.pages.incidents import OPEN_STATES, during_words, newest_first, open_during
from nbops.pages.links import Links, known
from nbops.pages.matrix import RowHead, matrix_of
from nbops.pages.templating import markup
from nbops.pages.text import count, duration, instant, not_committed, plural, short
from nbops.pages.timing import gantt, longest_cell
from nbops.pages.views import (
    by_severity,
    dataset_rows,
    flows,
    report_link,
    shown,
    strip_rows,
)
from nbops.pages.words import RANKS, label, summary_mark
from nbops.record.homes import task_home

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from nbops.history.comparison import Comparison
    from nbops.history.matrix import MatrixRow
    from nbops.model import CheckResult, Dataset, Environment, GitState, Incident, Run, TaskRun
    from nbops.pages.summaries import RunSummary

__all__ = [
    "RUNS_ON_A_PAGE",
    "RowsOf",
    "archived",
    "history_context",
    "index_context",
    "run_context",
]

RUNS_ON_A_PAGE = 10
_RUNS_ON_INDEX, _ARCHIVES = 5, 12

RowsOf: TypeAlias = "Callable[[Sequence[str]], Sequence[MatrixRow]]"
"""Gives rows of the matrix for ids of runs; the builder of the page reads no ledger itself."""

_FINDINGS, _FINDINGS_ON_PAGE = 40, 5
_CHANGES, _CHANGES_EACH, _CHANGES_ON_INDEX, _CHANGES_BEFORE = 8, 40, 4, 15
_TASKS, _DATASETS, _CHECKS = 200, 150, 150
_INCIDENTS = 8
_IDLE, _IDLE_REASONS = 100, 20


def _run_facts(run: Run) -> list[tuple[str, Any]]:
    git = run.git
    commit: Any = ""
    if git is not None and git.commit:
        changed = f", {not_committed(git.changed_files)}" if git.dirty else ""
        commit = markup("<code>{}</code>{}", git.commit[:9], changed)
    return [
        ("Run", markup("<code>{}</code>", run.id)),
        ("Started", instant(run.started_at)),
        ("Took", duration(run.seconds) if run.seconds is not None else ""),
        ("Command", markup("<code>{}</code>", short(run.command, 120))),
        ("Commit", commit),
        ("Branch", short(git.branch, 80) if git and git.branch else "detached head" if git and git.commit else ""),
    ]


def run_context(
    run: Run,
    *,
    reports: Path,
    accepted: Comparison | None = None,
    previous: Comparison | None = None,
    incidents: Sequence[Incident] = (),
) -> dict[str, Any]:
    """Return what ``run.html.j2`` shows.

    Args:
        run: The run.
        reports: The project's ``reports`` folder.
        accepted: The run compared with the last accepted one before it; None when there is none.
        previous: The run compared with the one before it, when that is another.
        incidents: All incidents.
    """
    found = findings(run)
    during = open_during(incidents, run.id)
    ordered = by_severity(run.checks)
    objecting = [result for result in ordered if result.verdict not in {"passed", "skipped"}]
    bad = [result for result in objecting if not result.from_run]
    good = [result for result in ordered if result.verdict in {"passed", "skipped"}]
    datasets = {item.name for item in run.datasets}
    elsewhere = [result for result in good if result.check.dataset not in datasets]
    links = Links(run, reports=reports, root="../../", here="")
    rows = dataset_rows(run, reports)
    own = {item.name for item in run.datasets if links.own_dataset(item.name)}
    tasks, elsewhere_lineage = _task_lists(run, links), _lineage_elsewhere(run, reports)
    stands = elsewhere_lineage if _is_as_before(run, found, accepted, previous, tasks) and not own else None
    return {
        **known(run, reports, root="../../", here=""),
        "stands": stands,
        "head": headline(run, found),
        "facts": _run_facts(run),
        "contents": _contents(run, found, during, stands=stands is not None),
        "incidents": shown([(during_words(one, run.id), one) for one in during], _INCIDENTS),
        "found": shown(found[:_FINDINGS_ON_PAGE], _FINDINGS_ON_PAGE),
        "further": shown(found[_FINDINGS_ON_PAGE:], _FINDINGS - _FINDINGS_ON_PAGE),
        "changes": changes_view(accepted, top=_CHANGES, each=_CHANGES_EACH) if accepted else None,
        "since_previous": changes_view(previous, top=_CHANGES_BEFORE, each=0) if previous else None,
        "strip": shown(strip_rows(run), _TASKS),
        "gantt": gantt(run),
        **tasks,
        "datasets": shown([row for row in rows if _is_news(row.dataset) or row.dataset.name in own], _DATASETS),
        "unchanged": shown([row for row in rows if not _is_news(row.dataset) and row.dataset.name not in own], _IDLE),
        "fresh": shown(freshness_rows(run), _DATASETS),
        "quarantine": shown(run.quarantine, _DATASETS),
        "bad_checks": shown(bad, _CHECKS),
        "carried_checks": len(objecting) - len(bad),
        "good_checks": shown([result for result in elsewhere if not result.from_run], _CHECKS),
        "good_words": _good_words(elsewhere),
        "good_carried": any(result.from_run for result in elsewhere),
        "dataset_words": _good_words([result for result in good if result.check.dataset in datasets]),
        "flows": shown(flows(run), _TASKS) if elsewhere_lineage is None else None,
        "drawing": draw(run) if elsewhere_lineage is None else None,
        "lineage_of": elsewhere_lineage,
        "parameters": sorted(run.parameters.items()),
        "git": _git(run.git),
        "environment": _environment(run.environment),
        "packages": sorted(run.environment.packages.items()) if run.environment else [],
        "packages_as_before": same_inputs(accepted, "environment"),
    }


def _is_as_before(
    run: Run, found: Sequence[Finding], accepted: Comparison | None, previous: Comparison | None, tasks: Mapping[str, Any]
) -> bool:
    """Tell whether nothing ran and nothing differs, so that a line that leads to the run whose results stand says it all."""
    comparisons = [one for one in (accepted, previous) if one is not None]
    same = accepted is not None and not any(one.different or one.changes or one.unknown for one in comparisons)
    idle = tasks["idle"].items
    alone = len(idle) == 1 and idle[0][0] == "up_to_date" and not tasks["tasks"].items and not tasks["idle"].more
    return same and alone and not run.quarantine and len(found) <= _FINDINGS


def _contents(
    run: Run, found: Sequence[Finding], during: Sequence[Incident], *, stands: bool
) -> list[tuple[str, str, int | None]]:
    contents: list[tuple[str, str, int | None]] = [
        ("findings", "Findings", len(found)),
        *([("incidents", "Incidents", len(during))] if during else []),
        ("changes", "Changes", None),
    ]
    if stands:
        return [*contents, ("before", "As before", None)]
    contents += [
        ("tasks", "Tasks", len(run.tasks)),
        ("datasets", "Datasets", len(run.datasets)),
    ]
    contents += [("quarantine", "Quarantine", len(run.quarantine))] if run.quarantine else []
    contents += [("checks", "Checks", len(run.checks))]
    names = ("Lineage", "Parameters", "Code", "Environment")
    return [*contents, *((name.lower(), name, None) for name in names)]


def _task_lists(run: Run, links: Links) -> dict[str, Any]:
    """Return the tasks that have something to tell, and those that had nothing to do by what each says of it."""
    tasks = in_order(run.tasks)
    idle = [task for task in tasks if task.status in {"up_to_date", "not_selected"} and not links.own_task(task.name)]
    names = {task.name for task in idle}
    reasons: dict[tuple[str, str], list[TaskRun]] = {}
    for task in idle:
        reasons.setdefault((task.status, " ".join(task.reasons[:1])), []).append(task)
    grouped = [(status, reason, shown(same, _IDLE)) for (status, reason), same in reasons.items()]
    return {
        "tasks": shown([(task, longest_cell(task)) for task in tasks if task.name not in names], _TASKS),
        "idle": shown(sorted(grouped, key=lambda group: -len(group[2].items)), _IDLE_REASONS),
    }


def _lineage_elsewhere(run: Run, reports: Path) -> str | None:
    """Return the page of the run whose lineage this one's is, as no task had to run; None when it is this run's own."""
    homes = {task_home(run, task) for task in run.tasks}
    if not homes or run.id in homes:
        return None
    return report_link(f"runs/{max(homes)}/index.html", reports)


def _good_words(results: Sequence[CheckResult]) -> str:
    if not results:
        return ""
    skipped = sum(result.verdict == "skipped" for result in results)
    passed = plural(len(results) - skipped, "check")
    return f"{passed} passed" + (f", {count(skipped)} skipped" if skipped else "")


def _git(git: GitState | None) -> list[tuple[str, Any]]:
    if git is None:
        return []
    tree = not_committed(git.changed_files) if git.dirty else "clean"
    return [("Commit", git.commit), ("Branch", git.branch or "detached head"), ("Working tree", tree)]


def _environment(found: Environment | None) -> list[tuple[str, Any]]:
    if found is None:
        return []
    pairs = [("Python", found.python), ("Platform", found.platform), ("nbops", found.nbops), ("Fingerprint", found.fingerprint)]
    return [pair for pair in pairs if pair[1]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _RunRow:
    summary: RunSummary
    mark: str
    page: str | None
    tasks: str
    checks: str


def _run_row(summary: RunSummary, reports: Path) -> _RunRow:
    return _RunRow(
        summary=summary,
        mark=summary_mark(verdict=summary.verdict, status=summary.status, tasks=summary.tasks, checks=summary.checks),
        page=report_link(f"runs/{summary.id}/index.html", reports),
        tasks=_counts(summary.tasks, ("failed", "interrupted", "held"), "succeeded"),
        checks=_counts(summary.checks, ("failed", "errored", "warned"), "passed"),
    )


def _counts(numbers: Mapping[str, int], bad: Sequence[str], good: str) -> str:
    total = sum(numbers.values())
    if not total:
        return "none"
    parts = [f"{count(numbers[name])} {label(name).lower()}" for name in bad if numbers.get(name)]
    fine = numbers.get(good, 0)
    return (
        f"{', '.join(parts)} of {count(total)}"
        if parts
        else f"all {count(total)}"
        if fine == total
        else f"{count(fine)} of {count(total)} {good}"
    )


def archived(runs: int) -> int:
    """Return how many pages of older runs there are: the page of the newest lists from one page's worth to just under two.

    >>> archived(19), archived(20), archived(30)
    (0, 1, 2)
    """
    return max(0, runs // RUNS_ON_A_PAGE - 1)


def history_context(
    summaries: Sequence[RunSummary], number: int, *, latest: Run | None, rows: RowsOf, reports: Path
) -> dict[str, Any]:
    """Return what ``history.html.j2`` shows: the newest runs, or those of one page of older ones.

    Args:
        summaries: All runs, the oldest first.
        number: 0 for the newest runs, else the page of older ones, on 1 the oldest.
        latest: The newest run.
        rows: Gives the rows of the matrix for ids of runs.
        reports: The project's ``reports`` folder.
    """
    pages = archived(len(summaries))
    first = (number - 1 if number else pages) * RUNS_ON_A_PAGE
    part = summaries[first : first + RUNS_ON_A_PAGE] if number else summaries[first:]
    runs = [_run_row(summary, reports) for summary in part][::-1]
    heads = [RowHead(id=row.summary.id, started_at=row.summary.started_at, mark=row.mark, page=row.page) for row in runs]
    newest = latest if not number else None
    verdicts = Counter(row.mark for row in runs)
    told = [f"{count(verdicts[word])} {label(word).lower()}" for word in RANKS if verdicts[word]]
    return {
        "root": "../" if number else "",
        "pipeline": latest.pipeline if latest is not None else "",
        "runs": runs,
        "count": len(summaries),
        "first": first + 1,
        "last": first + len(runs),
        "archived_as": number,
        "here_is": "" if number else "history.html",
        "tally": _history_tally(told, len(runs), len(summaries), number),
        "matrix": matrix_of(
            heads, rows([row.summary.id for row in runs]), links=_dataset_links(newest, reports), order=_dataset_order(latest)
        ),
        "history": _history(runs),
        "archives": [] if number else [*range(pages, max(0, pages - _ARCHIVES), -1)],
        "oldest": 1 if not number and pages > _ARCHIVES else None,
        "older": number - 1 if number > 1 else None,
        "per_page": RUNS_ON_A_PAGE,
    }


def _history_tally(told: Sequence[str], shown_runs: int, runs: int, number: int) -> list[str]:
    if not runs:
        return ["Every build of the pipeline becomes a run, and stands here."]
    if number:
        return [", ".join(told), "a run without a link keeps its ledger in reports/runs, and nbops render makes its pages again"]
    return [f"the newest {count(shown_runs)}: {', '.join(told)}" if shown_runs < runs else ", ".join(told)]


def _dataset_order(run: Run | None) -> list[str]:
    """Return the datasets of a run in the order of the tasks that make them."""
    if run is None:
        return []
    position = {task.name: place for place, task in enumerate(in_order(run.tasks))}
    return [item.name for item in sorted(run.datasets, key=lambda item: (position.get(item.task, len(position)), item.name))]


def _dataset_links(run: Run | None, reports: Path) -> dict[str, str]:
    """Return the pages of a run's datasets, relative to ``reports``; none for a page of older runs, which is written once."""
    if run is None:
        return {}
    links = Links(run, reports=reports, root="", here=f"runs/{run.id}/")
    return {item.name: links.dataset(item.name) for item in run.datasets}


def index_context(
    summaries: Sequence[RunSummary],
    latest: Run | None,
    *,
    reports: Path,
    accepted: Comparison | None = None,
    incidents: Sequence[Incident] = (),
) -> dict[str, Any]:
    """Return what ``index.html.j2`` shows: the latest run, and the few before it."""
    rows = [_run_row(summary, reports) for summary in summaries[-_RUNS_ON_INDEX:]][::-1]
    context: dict[str, Any] = {"root": "", "here_is": "index.html", "run": latest, "runs": rows, "count": len(summaries)}
    if latest is None:
        return context
    found, rows_of_datasets = findings(latest), dataset_rows(latest, reports)
    return {
        **context,
        **known(latest, reports, root="", here=f"runs/{latest.id}/"),
        "here": f"runs/{latest.id}/",
        "head": headline(latest, found),
        "facts": [
            *[("Run", markup('<a href="runs/{}/index.html"><code>{}</code></a>', latest.id, latest.id))],
            *_run_facts(latest)[1:],
        ],
        "found": shown(found, _FINDINGS_ON_PAGE),
        "incidents": shown([("", one) for one in newest_first(incidents) if one.state in OPEN_STATES], _INCIDENTS),
        "changes": changes_view(accepted, top=_CHANGES_ON_INDEX, each=0) if accepted else None,
        "strip": shown(strip_rows(latest), _TASKS),
        "datasets": shown([row for row in rows_of_datasets if _is_news(row.dataset)], _DATASETS),
        "as_before": sum(not _is_news(row.dataset) for row in rows_of_datasets),
    }


def _is_news(item: Dataset) -> bool:
    """Tell whether a dataset changed, or is to be looked at."""
    return item.changed or not item.published or item.verdict not in {"passed", "skipped"} or item.error is not None


def _history(rows: Sequence[_RunRow]) -> list[tuple[str, int]]:
    longest = max((row.summary.seconds or 0.0 for row in rows), default=0.0)
    heights = [(row.mark, round(100 * (row.summary.seconds or 0.0) / longest) if longest else 100) for row in rows]
    return heights[::-1]

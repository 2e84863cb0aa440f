"""What each page is made of: one function a page, from records to the names that its template uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbops.pages.findings import Finding, fault, findings, headline
from nbops.pages.graph import draw
from nbops.pages.links import Links
from nbops.pages.names import page_name
from nbops.pages.templating import markup
from nbops.pages.text import count, duration, instant, plural, short, size
from nbops.pages.views import (
    COLUMNS_SHOWN,
    by_severity,
    column_anchors,
    columns_of,
    dataset_rows,
    flows,
    loose_measurements,
    report_link,
    shown,
    task_rows,
)
from nbops.pages.words import figure, label, mark, rank, summary_mark
from nbops.record.homes import task_home

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from nbops.model import CheckResult, Dataset, Environment, GitState, Run, RunError, TaskRun
    from nbops.pages.notebook import Body
    from nbops.record.summaries import RunSummary

__all__ = ["RUNS_ON_A_PAGE", "archive_context", "archived", "dataset_context", "index_context", "run_context", "task_context"]

RUNS_ON_A_PAGE = 25

_FINDINGS, _FINDINGS_ON_INDEX = 40, 6
_TASKS, _DATASETS, _CHECKS = 200, 150, 150
_LOOSE = 200


def _known(run: Run, reports: Path, *, root: str, here: str) -> dict[str, Any]:
    return {
        "run": run,
        "root": root,
        "links": Links(run, reports=reports, root=root, here=here),
        "known_datasets": {item.name for item in run.datasets},
        "known_tasks": {task.name for task in run.tasks},
    }


def _run_facts(run: Run) -> list[tuple[str, Any]]:
    git = run.git
    commit: Any = ""
    if git is not None and git.commit:
        changed = f", {plural(git.changed_files, 'changed file')}" if git.dirty else ""
        commit = markup("<code>{}</code>{}", git.commit[:9], changed)
    return [
        ("Run", markup("<code>{}</code>", run.id)),
        ("Started", instant(run.started_at)),
        ("Took", duration(run.seconds) if run.seconds is not None else ""),
        ("Command", markup("<code>{}</code>", short(run.command, 120))),
        ("Commit", commit),
        ("Branch", short(git.branch, 80) if git and git.branch else "detached head" if git and git.commit else ""),
    ]


def run_context(run: Run, *, reports: Path) -> dict[str, Any]:
    """Return what ``run.html.j2`` shows."""
    found = findings(run)
    ordered = by_severity(run.checks)
    bad = [result for result in ordered if result.verdict not in {"passed", "skipped"}]
    good = [result for result in ordered if result.verdict in {"passed", "skipped"}]
    datasets = {item.name for item in run.datasets}
    elsewhere = [result for result in good if result.check.dataset not in datasets]
    rows = task_rows(run)
    contents = [
        ("findings", "Findings", len(found)),
        ("tasks", "Tasks", len(run.tasks)),
        ("datasets", "Datasets", len(run.datasets)),
    ]
    contents += [("quarantine", "Quarantine", len(run.quarantine))] if run.quarantine else []
    contents += [("checks", "Checks", len(run.checks))]
    rest = [(anchor, title, None) for anchor, title in (("lineage", "Lineage"), ("parameters", "Parameters"), ("code", "Code"))]
    return {
        **_known(run, reports, root="../../", here=""),
        "head": headline(run, found),
        "facts": _run_facts(run),
        "contents": [*contents, *rest, ("environment", "Environment", None)],
        "found": shown(found, _FINDINGS),
        "strip": shown(rows, _TASKS),
        "tasks": shown(rows, _TASKS),
        "datasets": shown(dataset_rows(run, reports), _DATASETS),
        "quarantine": shown(run.quarantine, _DATASETS),
        "bad_checks": shown(bad, _CHECKS),
        "good_checks": shown(elsewhere, _CHECKS),
        "good_words": _good_words(elsewhere),
        "dataset_words": _good_words([result for result in good if result.check.dataset in datasets]),
        "flows": shown(flows(run), _TASKS),
        "drawing": draw(run),
        "lineage_of": _lineage_elsewhere(run, reports),
        "parameters": sorted(run.parameters.items()),
        "git": _git(run.git),
        "environment": _environment(run.environment),
        "packages": sorted(run.environment.packages.items()) if run.environment else [],
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
    tree = f"{plural(git.changed_files, 'file')} changed and not committed" if git.dirty else "clean"
    return [("Commit", git.commit), ("Branch", git.branch or "detached head"), ("Working tree", tree)]


def _environment(found: Environment | None) -> list[tuple[str, Any]]:
    if found is None:
        return []
    pairs = [("Python", found.python), ("Platform", found.platform), ("nbops", found.nbops), ("Fingerprint", found.fingerprint)]
    return [pair for pair in pairs if pair[1]]


def dataset_context(run: Run, item: Dataset, *, reports: Path) -> dict[str, Any]:
    """Return what ``dataset.html.j2`` shows."""
    results = by_severity([result for result in run.checks if result.check.dataset == item.name])
    quarantine = [entry for entry in run.quarantine if entry.dataset == item.name]
    explained = [result for result in results if result.verdict not in {"passed", "skipped"}][:30]
    broken = any(entry.rows_in != entry.rows_out + entry.rows for entry in quarantine)
    verdicts = [
        item.verdict,
        *(result.verdict for result in results),
        *(["errored"] if item.error else []),
        *(["failed"] if broken else []),
    ]
    profile = report_link(item.profile, reports)
    facts = [
        ("Rows", count(item.rows)),
        ("Columns", count(len(item.columns)) if item.columns else ""),
        ("Size", size(item.bytes)),
        ("File", markup("<code>{}</code>{}", short(item.path, 160), _format(item))),
        ("Contract", markup("<code>{}</code>", short(item.contract, 120)) if item.contract else "none"),
        ("Owner", short(item.owner, 80) if item.owner else ""),
        ("Profile", markup('<a href="../../../{}">profile of the data</a>', markup("{}", profile)) if profile else ""),
    ]
    return {
        **_known(run, reports, root="../../../", here="../"),
        "item": item,
        "mark_of": min((mark(verdict) for verdict in verdicts), key=rank),
        "sentence": _dataset_sentence(run, item),
        "facts": facts,
        "failing": any(result.verdict in {"failed", "errored"} for result in results),
        "checks": shown(results, _CHECKS),
        "explained": explained,
        "quarantine": quarantine[:20],
        "anchors": column_anchors(item.columns),
        "columns": columns_of(item, most=COLUMNS_SHOWN),
        "described": any(column.description for column in item.columns[:COLUMNS_SHOWN]),
        "measurements": shown(loose_measurements(item), _LOOSE),
        "lineage": _dataset_lineage(run, item),
        "sla": [(key, figure("freshness", text)) for key, text in sorted(item.sla.items())],  # its numbers are seconds
    }


def _format(item: Dataset) -> str:
    return "" if item.path.lower().endswith(f".{item.format.lower()}") else f" {short(item.format, 40)}"


def _dataset_sentence(run: Run, item: Dataset) -> str:
    results = [result for result in run.checks if result.check.dataset == item.name]
    bad = sum(result.verdict not in {"passed", "skipped"} for result in results)
    judged = (
        f"{count(bad)} of {plural(len(results), 'check')} did not pass"
        if bad
        else f"{plural(len(results), 'check')}, none objected"
    )
    content = "not published" if not item.published else "content changed" if item.changed else "content as in the run before"
    return f"{judged if results else 'No checks'}; {content}"


def _dataset_lineage(run: Run, item: Dataset) -> list[tuple[str, Any]]:
    node = f"dataset:{item.name}"
    makers = {edge.source for edge in run.lineage if edge.target == node} or ({f"task:{item.task}"} if item.task else set())
    readers = {edge.target for edge in run.lineage if edge.source == node}
    made_from = {edge.source for edge in run.lineage if edge.target in makers}
    made_by = {edge.target for edge in run.lineage if edge.source in readers}
    sides = (("Made by", makers), ("From", made_from), ("Read by", readers), ("Which make", made_by))
    return [(title, shown([_split(name) for name in sorted(nodes)], 25)) for title, nodes in sides]


def _split(node: str) -> tuple[str, str]:
    kind, _, name = node.partition(":")
    return (kind, name) if name else ("file", node)


def task_context(run: Run, task: TaskRun, body: Body, *, reports: Path) -> dict[str, Any]:
    """Return what ``task.html.j2`` shows; ``body`` is its notebook."""
    cell = task.error.cell if task.error else None
    lost = cell is not None and cell not in body.anchors
    problem = _problem(task, task.error, seen=cell is not None and not lost) if task.error else None
    earlier = (
        f"runs/{task.last_success}/tasks/{page_name(task.name)}.html"
        if task.last_success and task.last_success != run.id
        else None
    )
    earlier = report_link(earlier, reports)
    download = report_link(task.notebook, reports)
    mine = sorted((item for item in run.datasets if item.task == task.name), key=lambda item: item.name)
    return {
        **_known(run, reports, root="../../../", here="../"),
        "task": task,
        "mark_of": min([mark(task.status), *(["failed"] if task.error and task.status == "succeeded" else [])], key=rank),
        "fault": fault(task.error) if task.error else "",
        "facts": _task_facts(task),
        "problem": problem,
        "lost_anchor": cell if lost else None,
        "parameters": sorted(task.parameters.items()),
        "products": sorted(task.products.items()),
        "datasets": shown(mine, 60),
        "upstream": shown(task.upstream, 60),
        "is_notebook": task.kind == "notebook" or task.notebook is not None,
        "body": body,
        "earlier": f"../../../{earlier}" if earlier else None,
        "download": f"../../../{download}" if download else None,
    }


def _task_facts(task: TaskRun) -> list[tuple[str, Any]]:
    return [
        ("Kind", task.kind),
        ("Source", markup("<code>{}</code>", short(task.source, 160)) if task.source else ""),
        ("Started", instant(task.started_at) if task.started_at else ""),
        ("Took", duration(task.seconds) if task.seconds is not None else ""),
        ("Peak memory", size(task.peak_memory_bytes) if task.peak_memory_bytes is not None else ""),
        ("Attempts", count(task.attempts) if task.attempts else ""),
        ("Last success", markup("<code>{}</code>", short(task.last_success, 60)) if task.last_success else ""),
    ]


def _problem(task: TaskRun, error: RunError, *, seen: bool) -> Finding:
    """Return a task's error; the cell and its traceback only where the notebook below does not show them."""
    return Finding(
        mark="interrupted" if task.status == "interrupted" else "failed",
        title=error.message,
        hint=error.hint or "",
        cell=error.cell,
        source="" if seen else error.cell_source or "",
        traceback="" if seen else error.traceback or "",
    )


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
    """Return how many pages of older runs there are: the index lists from one page's worth of runs to just under two.

    >>> archived(49), archived(50), archived(75)
    (0, 1, 2)
    """
    return max(0, runs // RUNS_ON_A_PAGE - 1)


def archive_context(summaries: Sequence[RunSummary], number: int, *, pipeline: str, reports: Path) -> dict[str, Any]:
    """Return what ``archive.html.j2`` shows: the runs of one page, the oldest runs on page 1.

    Args:
        summaries: All runs, in any order.
        number: The page, from 1.
        pipeline: What the pipeline is called.
        reports: The project's ``reports`` folder.
    """
    ordered = sorted(summaries, key=lambda summary: summary.id)
    first = (number - 1) * RUNS_ON_A_PAGE
    rows = [_run_row(summary, reports) for summary in ordered[first : first + RUNS_ON_A_PAGE]][::-1]
    older = number - 1 if number > 1 else None
    return {"root": "../", "runs": rows, "first": first + 1, "last": first + len(rows), "older": older, "pipeline": pipeline}


def index_context(summaries: Sequence[RunSummary], latest: Run | None, *, reports: Path) -> dict[str, Any]:
    """Return what ``index.html.j2`` shows: the latest run, then all of them."""
    ordered = sorted(summaries, key=lambda summary: summary.id)
    pages = archived(len(ordered))
    rows = [_run_row(summary, reports) for summary in ordered[pages * RUNS_ON_A_PAGE :]][::-1]
    context: dict[str, Any] = {
        "root": "",
        "run": latest,
        "runs": rows,
        "count": len(ordered),
        "archives": list(range(pages, 0, -1)),
        "per_page": RUNS_ON_A_PAGE,
        "history": _history(rows),
    }
    if latest is None:
        return context
    found, rows_of_datasets = findings(latest), dataset_rows(latest, reports)
    return {
        **context,
        **_known(latest, reports, root="", here=f"runs/{latest.id}/"),
        "here": f"runs/{latest.id}/",
        "head": headline(latest, found),
        "facts": [
            *[("Run", markup('<a href="runs/{}/index.html"><code>{}</code></a>', latest.id, latest.id))],
            *_run_facts(latest)[1:],
        ],
        "found": shown(found, _FINDINGS_ON_INDEX),
        "strip": shown(task_rows(latest), _TASKS),
        "datasets": shown([row for row in rows_of_datasets if _is_news(row.dataset)], _DATASETS),
        "as_before": sum(not _is_news(row.dataset) for row in rows_of_datasets),
    }


def _is_news(item: Dataset) -> bool:
    """Tell whether a dataset changed, or is to be looked at."""
    return item.changed or not item.published or item.verdict not in {"passed", "skipped"} or item.error is not None


def _history(rows: Sequence[_RunRow]) -> list[tuple[str, float]]:
    longest = max((row.summary.seconds or 0.0 for row in rows), default=0.0)
    heights = [(row.mark, 100 * (row.summary.seconds or 0.0) / longest if longest else 100.0) for row in rows]
    return heights[::-1]

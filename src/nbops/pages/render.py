"""Run -> HTML below ``reports/``. The same ledger and notebooks give the same bytes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from typing import TYPE_CHECKING

from nbops.pages.archive import renew_archive
from nbops.pages.body import Body
from nbops.pages.cells import stories
from nbops.pages.contexts import RUNS_ON_A_PAGE, archived, history_context, index_context, run_context
from nbops.pages.dataset import dataset_context
from nbops.pages.files import put
from nbops.pages.links import Links
from nbops.pages.names import page_name
from nbops.pages.origins import Origins
from nbops.pages.overview import render_overview
from nbops.pages.summaries import Listing
from nbops.pages.task import task_context
from nbops.pages.templating import STYLESHEET, page, template_hash
from nbops.pages.views import report_link
from nbops.quality.profile import STYLESHEET as PROFILE_STYLESHEET
from nbops.record.ledger import as_stored
from nbops.record.store import ledger_path

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from nbops.history.comparison import Comparison
    from nbops.history.matrix import MatrixRow
    from nbops.history.series import Series
    from nbops.model import Incident, Run, TaskRun
    from nbops.pages.contexts import RowsOf
    from nbops.pages.summaries import RunSummary
    from nbops.pages.watch import Watch

__all__ = ["pages_of", "render_index", "render_run"]

_HEAD = 2_000
"""Bytes of a page in which what it was made of is written."""


def pages_of(run: Run, reports: Path) -> list[str]:
    """Return the pages that :func:`render_run` writes, relative to the run's folder."""
    links = Links(run, reports=reports, root="", here="")
    datasets = [links.dataset(item.name) for item in run.datasets if links.own_dataset(item.name)]
    return ["index.html", *datasets, *(links.task(task.name) for task in run.tasks if links.own_task(task.name))]


def render_run(
    run: Run,
    *,
    reports: Path,
    accepted: Comparison | None = None,
    previous: Comparison | None = None,
    series: Series | None = None,
    incidents: Sequence[Incident] = (),
) -> list[Path]:
    """Write the pages of a run: one of its own, one a dataset, one a task, and the stylesheet that all pages share.

    A task that was up to date and a dataset that was carried over have a page with the run that made them, linked from here.

    The executed notebooks are read from where ``TaskRun.notebook`` says; one that is missing or damaged is said on the page.
    Profiles and pages of other runs are linked where they are there.

    Args:
        run: The run, scrubbed; shown in its ledger's form, so that pages made again from the ledger are the same.
        reports: The project's ``reports`` folder.
        accepted: The run compared with the last accepted one before it; None when there is none.
        previous: The run compared with the one before it, when that is another.
        series: What earlier runs measured of each dataset; without it pages tell of this run only.
        incidents: All incidents; the run's page leads to those that were open while it went on.

    Returns:
        The pages, also those whose bytes did not change.

    Raises:
        LedgerError: The run's id has not the form of one.
        OSError: A page could not be written.
    """
    folder = ledger_path(reports, run.id).parent
    run = as_stored(run)
    context = run_context(run, reports=reports, accepted=accepted, previous=previous, incidents=incidents)
    paths = [_stylesheet(reports), put(folder / "index.html", page("run.html.j2", context))]
    links = Links(run, reports=reports, root="", here="")
    origins = Origins(run)
    for item in run.datasets:
        if not links.own_dataset(item.name):
            continue
        html = page(
            "dataset.html.j2",
            dataset_context(run, item, reports=reports, origins=origins, points=(series or {}).get(item.name, ())),
        )
        paths.append(put(folder / "datasets" / f"{page_name(item.name)}.html", html))
    for task in run.tasks:
        if not links.own_task(task.name):
            continue
        body = _body(task, reports, told=stories(task, origins.made_by(task.name)))
        html = page("task.html.j2", task_context(run, task, body, reports=reports, origins=origins))
        paths.append(put(folder / "tasks" / f"{page_name(task.name)}.html", html))
    return paths


def render_index(
    summaries: Sequence[RunSummary],
    *,
    latest: Run | None,
    reports: Path,
    accepted: Comparison | None = None,
    rows: RowsOf | None = None,
    watch: Watch | None = None,
    pruned: Collection[str] = (),
    whole: bool = False,
) -> list[Path]:
    """Write ``reports/index.html``, the latest run in short; ``history.html``, the newest runs; and pages of older runs.

    A page of older runs changes only when a run on it loses its pages, and is made only when it is missing or has to change: what
    is written with a run does not grow with their number. Given a :class:`~nbops.pages.summaries.Listing` it looks at the
    newest of them, at those that hold a pruned run and at a few others in turn; at all, when one of these shows that more than
    that has changed.

    Args:
        summaries: All runs, in any order; or a listing of them.
        latest: The newest run; None shows how to make the first one.
        reports: The project's ``reports`` folder. Runs whose pages are gone are listed without a link.
        accepted: The latest run compared with the last accepted one before it.
        rows: Gives rows of the matrix for ids of runs; without it the matrix is empty.
        watch: What monitors found in the newest runs, and incidents.
        pruned: Runs that lost their pages just now.
        whole: Look at all pages of older runs, also where a listing is given.

    Returns:
        The pages that were looked at, also those whose bytes did not change.

    Raises:
        LedgerError: The latest run's id has not the form of one.
        OSError: A page could not be written.
    """
    if latest is not None:
        ledger_path(reports, latest.id)
        latest = as_stored(latest)
    listing = summaries if isinstance(summaries, Listing) else None
    ordered = summaries if listing is not None else sorted(summaries, key=lambda summary: summary.id)
    rows = rows or _no_rows
    incidents = watch.incidents if watch is not None else ()
    html = page("index.html.j2", index_context(ordered, latest, reports=reports, accepted=accepted, incidents=incidents))
    paths = [_stylesheet(reports), put(reports / "index.html", html)]
    context = history_context(ordered, 0, latest=latest, rows=rows, reports=reports)
    paths.append(put(reports / "history.html", page("history.html.j2", {**context, "key": ""})))

    def renew(number: int) -> bool:
        """Write a page of older runs when it has to change; tell whether it had to."""
        path = reports / "archive" / f"{number}.html"
        key = _key(ordered[(number - 1) * RUNS_ON_A_PAGE : number * RUNS_ON_A_PAGE], reports, latest)
        paths.append(path)
        if _has_key(path, key):
            return False
        context = history_context(ordered, number, latest=latest, rows=rows, reports=reports)
        put(path, page("history.html.j2", {**context, "key": key}))
        return True

    ids = listing.ids() if listing is not None and not whole else None
    renew_archive(archived(len(ordered)), renew, reports=reports, ids=ids, pruned=pruned)
    return paths + render_overview(latest, reports=reports, watch=watch, whole=whole or ids is None or bool(pruned))


def _no_rows(_: Sequence[str]) -> list[MatrixRow]:
    return []


def _key(part: Sequence[RunSummary], reports: Path, latest: Run | None) -> str:
    """Return a hash of all that a page of older runs is made of but its matrix, which is of the same ledgers."""
    runs = [(_plain(summary), report_link(f"runs/{summary.id}/index.html", reports) is not None) for summary in part]
    made_of = [template_hash(), latest.pipeline if latest is not None else "", runs]
    return hashlib.sha256(json.dumps(made_of, sort_keys=True, default=str).encode("utf-8", "replace")).hexdigest()[:32]


def _plain(summary: RunSummary) -> dict[str, object]:
    """Return what a summary holds; its values are plain, so that nothing need be copied."""
    return {item.name: getattr(summary, item.name) for item in fields(summary)}


def _has_key(path: Path, key: str) -> bool:
    """Tell whether a page is there that was made of the same."""
    try:
        with path.open("rb") as stream:
            return f'content="nbops {key}"'.encode() in stream.read(_HEAD)
    except OSError:
        return False


def _stylesheet(reports: Path) -> Path:
    if (reports / "profiles").is_dir():
        put(reports / "assets" / "profile.css", PROFILE_STYLESHEET.read_text(encoding="utf-8"))
    return put(reports / "assets" / "nbops.css", STYLESHEET.read_text(encoding="utf-8"))


def _body(task: TaskRun, reports: Path, *, told: Mapping[int, Sequence[str]]) -> Body:
    if task.notebook is None:
        return Body(problem="This task did not run, so there is no executed notebook." if task.kind == "notebook" else "")
    if report_link(task.notebook, reports) is None:
        return Body(problem="The executed notebook is not kept with this run.")
    from nbops.pages.notebook import NotebookPages  # noqa: PLC0415 - loads what reads foreign HTML

    return NotebookPages(reports).render(reports / task.notebook, task, told=told)

"""Run -> HTML below ``reports/``. The same ledger and notebooks give the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbops.pages.contexts import archive_context, archived, dataset_context, index_context, run_context, task_context
from nbops.pages.files import put
from nbops.pages.links import Links
from nbops.pages.names import page_name
from nbops.pages.notebook import Body, NotebookPages
from nbops.pages.overview import render_overview
from nbops.pages.templating import STYLESHEET, page
from nbops.pages.views import report_link
from nbops.quality.profile import STYLESHEET as PROFILE_STYLESHEET
from nbops.record.ledger import as_stored
from nbops.record.store import ledger_path

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nbops.model import Run, TaskRun
    from nbops.record.summaries import RunSummary

__all__ = ["render_index", "render_run"]


def render_run(run: Run, *, reports: Path) -> list[Path]:
    """Write the pages of a run: one of its own, one a dataset, one a task, and the stylesheet that all pages share.

    A task that was up to date and a dataset that was carried over have a page with the run that made them, linked from here.

    The executed notebooks are read from where ``TaskRun.notebook`` says; one that is missing or damaged is said on the page.
    Profiles and pages of other runs are linked where they are there.

    Args:
        run: The run, scrubbed; shown in its ledger's form, so that pages made again from the ledger are the same.
        reports: The project's ``reports`` folder.

    Returns:
        The pages, also those whose bytes did not change.

    Raises:
        LedgerError: The run's id has not the form of one.
        OSError: A page could not be written.
    """
    folder = ledger_path(reports, run.id).parent
    run = as_stored(run)
    notebooks = NotebookPages(reports)
    paths = [_stylesheet(reports), put(folder / "index.html", page("run.html.j2", run_context(run, reports=reports)))]
    links = Links(run, reports=reports, root="", here="")
    for item in run.datasets:
        if not links.own_dataset(item.name):
            continue
        html = page("dataset.html.j2", dataset_context(run, item, reports=reports))
        paths.append(put(folder / "datasets" / f"{page_name(item.name)}.html", html))
    for task in run.tasks:
        if not links.own_task(task.name):
            continue
        body = _body(task, notebooks, reports)
        html = page("task.html.j2", task_context(run, task, body, reports=reports))
        paths.append(put(folder / "tasks" / f"{page_name(task.name)}.html", html))
    return paths


def render_index(summaries: Sequence[RunSummary], *, latest: Run | None, reports: Path) -> list[Path]:
    """Write ``reports/index.html``: the latest run in full, then the newest runs; and pages of older runs, each written once.

    A page of older runs changes only when a run on it loses its pages.

    Args:
        summaries: All runs, in any order.
        latest: The newest run; None shows how to make the first one.
        reports: The project's ``reports`` folder. Runs whose pages are gone are listed without a link.

    Returns:
        The pages, also those whose bytes did not change.

    Raises:
        LedgerError: The latest run's id has not the form of one.
        OSError: A page could not be written.
    """
    if latest is not None:
        ledger_path(reports, latest.id)
        latest = as_stored(latest)
    html = page("index.html.j2", index_context(summaries, latest, reports=reports))
    paths = [_stylesheet(reports), put(reports / "index.html", html)]
    pipeline = latest.pipeline if latest is not None else ""
    for number in range(1, archived(len(summaries)) + 1):
        html = page("archive.html.j2", archive_context(summaries, number, pipeline=pipeline, reports=reports))
        paths.append(put(reports / "archive" / f"{number}.html", html))
    return paths + render_overview(latest, reports=reports)


def _stylesheet(reports: Path) -> Path:
    if (reports / "profiles").is_dir():
        put(reports / "assets" / "profile.css", PROFILE_STYLESHEET.read_text(encoding="utf-8"))
    return put(reports / "assets" / "nbops.css", STYLESHEET.read_text(encoding="utf-8"))


def _body(task: TaskRun, notebooks: NotebookPages, reports: Path) -> Body:
    if task.notebook is None:
        return Body(problem="This task did not run, so there is no executed notebook." if task.kind == "notebook" else "")
    if report_link(task.notebook, reports) is None:
        return Body(problem="The executed notebook is not kept with this run.")
    return notebooks.render(reports / task.notebook, task)

"""Two runs side by side in a tab of JupyterLab, or a run and the working copy with what is not saved yet."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops.contract.config import load_config
from nbops.errors import LedgerError, NbopsError, did_you_mean
from nbops.history.sources import Cell, cells_in
from nbops.lab.place import pipelines_of
from nbops.pages.summaries import Listing
from nbops.record.store import read_run, run_ids

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbops.adapters.pipeline_yaml import FileTask, PipelineFile
    from nbops.contract.config import Config
    from nbops.model import Run
    from nbops.pages.compare import WouldRun

__all__ = ["WORKING", "Made", "Wanted", "cells_of_edits", "choices", "diff_page"]

WORKING = "working"
"""Stands for the project's files as they are, where an id of a run may stand."""
_MOST_RUNS = 60
_MOST_LOOKED_AT = 20
"""Runs that are looked through for one in which a task ran."""
_MOST_CELLS, _MOST_TEXT = 5_000, 5_000_000
_NOTEBOOKS = frozenset({".ipynb", ".py", ".r", ".R", ".md", ".Rmd", ".qmd", ".jl"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be compared."""

    before: str = ""
    """An id, or what :func:`nbops.history.select.select_pair` takes; by default the run before, of one run that one."""
    after: str = ""
    """Likewise, or :data:`WORKING`; by default the latest run, where there is one only the working copy.

    Of a task, by default the last two runs in which it ran."""
    task: str | None = None
    """Show this task first; of the working copy only this one."""
    edits: Mapping[Path, tuple[Cell, ...]] = field(default_factory=dict)
    """Notebooks that are open with changes that are not saved yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A page, and what it compares."""

    html: str
    before: str
    after: str


def choices(root: Path) -> dict[str, Any]:
    """Return the runs that can be chosen, the newest first.

    Args:
        root: The project's root.

    Returns:
        ``runs`` (id, instant, verdict, status, branch, headline) and ``more`` (how many older ones there are).
    """
    reports = root / load_config(root).reports
    listing = Listing(reports, root / ".nbops" / "cache")
    found = sorted(listing[-_MOST_RUNS:], key=lambda item: item.id, reverse=True)
    told = ("id", "started_at", "verdict", "status", "branch", "headline")
    return {
        "runs": [{name: getattr(item, name) for name in told} for item in found],
        "more": max(0, len(listing) - _MOST_RUNS),
    }


def cells_of_edits(given: Any, served: Path) -> dict[Path, tuple[Cell, ...]]:
    """Return the cells of notebooks that are open with changes, by their files.

    Args:
        given: From the browser: ``{path: [{"cell_type", "source", "metadata"}, ...]}``, paths relative to the served folder.
        served: The server's root; what is elsewhere is left out.

    Raises:
        NbopsError: It is no such thing, or too much.
    """
    if given is None:
        return {}
    if not isinstance(given, dict) or not all(isinstance(cells, list) for cells in given.values()):
        raise NbopsError("edits must be an object of lists of cells, by the paths of notebooks.")
    size = sum(len(str(cell.get("source", ""))) if isinstance(cell, dict) else 0 for cells in given.values() for cell in cells)
    if size > _MOST_TEXT or sum(map(len, given.values())) > _MOST_CELLS:
        raise NbopsError("The notebooks that are open hold too much that is not saved: save them, and compare again.")
    found: dict[Path, tuple[Cell, ...]] = {}
    for path, cells in given.items():
        if "\0" in path:
            continue
        file = (served / path.lstrip("/")).resolve()
        if file.is_relative_to(served):
            found[file] = cells_in({"cells": cells})
    return found


def diff_page(root: Path, wanted: Wanted, *, root_address: str = "") -> Made:
    """Return the page of a comparison.

    Args:
        root: The project's root.
        wanted: What is to be compared.
        root_address: From the page to the project's root, such as an empty text.

    Raises:
        NbopsError: A run is not there, a ledger cannot be read, or there is nothing to compare; and why.
    """
    config = load_config(root)
    reports = root / config.reports
    ids = run_ids(reports)
    if not ids:
        raise LedgerError("There are no runs yet. Build the pipeline first; the next run is compared with it.")
    before, after = wanted.before, wanted.after or (WORKING if len(ids) == 1 and not wanted.before else "latest")
    if before == WORKING:
        raise LedgerError("The working copy can only stand after a run: it is what the next run will be made of.")
    address = f"{root_address}{config.reports}/"
    if after == WORKING:
        return _working(root, config, wanted, before or ids[-1], address=address)
    if wanted.task is not None and not before and after == "latest":
        before, after = _last_two(reports, ids, wanted.task)
    return _runs(root, reports, wanted, before or "previous", after, address=address)


def _last_two(reports: Path, ids: Sequence[str], task: str) -> tuple[str, str]:
    """Return the last two runs in which a task ran; the last two of all where that is not known."""
    found: list[str] = []
    for run_id in list(reversed(ids))[:_MOST_LOOKED_AT]:
        with suppress(LedgerError):
            entry = next((one for one in read_run(reports, run_id).tasks if one.name == task), None)
            if entry is not None and entry.status in {"succeeded", "failed"}:
                found.append(run_id)
        if len(found) == 2:  # noqa: PLR2004
            return found[1], found[0]
    return "previous", "latest"


def _runs(root: Path, reports: Path, wanted: Wanted, before: str, after: str, *, address: str) -> Made:
    from nbops.history.compare import compare  # noqa: PLC0415 - who does not compare does not pay
    from nbops.history.select import select_pair  # noqa: PLC0415
    from nbops.pages.compare import comparison_page, leads_of  # noqa: PLC0415
    from nbops.workflow.notebook_changes import notebooks_between  # noqa: PLC0415

    one, other = select_pair(root, reports, before, after)
    if one.id == other.id:
        raise LedgerError(f"Both are {one.id}. Choose another run to compare with.")
    notebooks = notebooks_between(reports, one, other)
    ordered = sorted(notebooks.changed, key=lambda item: item.task != wanted.task)
    html = comparison_page(
        compare(one, other), notebooks=ordered, unknown=notebooks.unknown, leads=leads_of((one, other), reports, root=address)
    )
    return Made(html=html, before=one.id, after=other.id)


def _working(root: Path, config: Config, wanted: Wanted, before: str, *, address: str) -> Made:
    from nbops.history.compare import run_ref  # noqa: PLC0415
    from nbops.history.select import select_pair  # noqa: PLC0415
    from nbops.pages.compare import leads_of, working_page  # noqa: PLC0415
    from nbops.workflow.notebook_changes import notebooks_since  # noqa: PLC0415

    reports = root / config.reports
    run, _ = select_pair(root, reports, before if before != "previous" else "latest", "latest")
    tasks = _tasks_of(root, run)
    if wanted.task is not None and wanted.task not in {task.name for _, task in tasks}:
        raise NbopsError(f"no task {wanted.task[:60]!r}. {did_you_mean(wanted.task[:60], [task.name for _, task in tasks])}")
    chosen = [(pipeline, task) for pipeline, task in tasks if wanted.task in {None, task.name}]
    now: dict[str, Path | Sequence[Cell]] = {}
    unsaved: list[str] = []
    for _, task in chosen:
        if task.source is None or task.source.suffix not in _NOTEBOOKS or not _is_notebook(run, task):
            continue
        edit = wanted.edits.get(task.source.resolve())
        now[task.name] = task.source if edit is None else edit
        unsaved += [task.name] if edit is not None else []
    found = notebooks_since(reports, run, now)
    pipelines = dict.fromkeys(pipeline.path for pipeline, _ in chosen)
    html = working_page(
        run_ref(run),
        would=_would(root, config, list(pipelines), {task.name for _, task in chosen}),
        notebooks=found.changed,
        unknown=found.unknown,
        unsaved=unsaved,
        looked_at=found.looked_at,
        leads=leads_of((run,), reports, root=address),
    )
    return Made(html=html, before=run.id, after=WORKING)


def _tasks_of(root: Path, run: Run) -> list[tuple[PipelineFile, FileTask]]:
    """Return the tasks of the pipeline that a run is of.

    Raises:
        NbopsError: It cannot be read.
    """
    from nbops.adapters.pipeline_yaml import read_pipeline  # noqa: PLC0415

    files = pipelines_of(root)
    named = [path for path in files if path.name == Path(run.pipeline).name] or list(files)
    found: dict[str, tuple[PipelineFile, FileTask]] = {}
    for path in named:
        pipeline = read_pipeline(path)
        for task in pipeline.tasks:
            found.setdefault(task.name, (pipeline, task))
    return list(found.values())


def _is_notebook(run: Run, task: FileTask) -> bool:
    """Tell whether a task is a notebook, by what the run says of it; what it does not know is."""
    kind = next((one.kind for one in run.tasks if one.name == task.name), "notebook")
    return kind in {"notebook", "script"}


def _would(root: Path, config: Config, pipelines: Sequence[Path], names: set[str]) -> list[WouldRun]:
    from nbops.pages.compare import WouldRun  # noqa: PLC0415
    from nbops.workflow.outlook import outlook  # noqa: PLC0415

    found = [item for path in pipelines for item in outlook(root, config, pipeline=path, values={})]
    return [WouldRun(task=item.task, stale=item.stale, reasons=item.reasons) for item in found if item.task in names]

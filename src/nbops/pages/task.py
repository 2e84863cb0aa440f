"""``tasks/<name>.html``: one task of a run, with its notebook as it was executed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbops.pages.cells import cell_rows
from nbops.pages.findings import Finding, fault
from nbops.pages.lineage import anchor
from nbops.pages.links import known
from nbops.pages.names import page_name
from nbops.pages.templating import markup
from nbops.pages.text import count, duration, instant, short, size
from nbops.pages.views import Shown, report_link, shown
from nbops.pages.words import mark, rank

if TYPE_CHECKING:
    from pathlib import Path

    from nbops.model import Run, RunError, TaskRun
    from nbops.pages.body import Body
    from nbops.pages.cells import CellRow
    from nbops.pages.origins import Origins

__all__ = ["task_context"]

_CELLS, _SIDES, _NOTES = 250, 60, 30


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """Something that a task reads or makes."""

    kind: str
    name: str
    how: str


def task_context(run: Run, task: TaskRun, body: Body, *, reports: Path, origins: Origins) -> dict[str, Any]:
    """Return what ``task.html.j2`` shows.

    Args:
        run: The run, as stored.
        task: One of its tasks.
        body: The task's notebook.
        reports: The project's ``reports`` folder.
        origins: The run's column lineage.
    """
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
    cells = [row for row in cell_rows(task, origins.made_by(task.name)) if _tells(row)]
    return {
        **known(run, reports, root="../../../", here="../"),
        "task": task,
        "mark_of": min([mark(task.status), *(["failed"] if task.error and task.status == "succeeded" else [])], key=rank),
        "fault": fault(task.error) if task.error else "",
        "facts": _facts(task, run.id),
        "problem": problem,
        "lost_anchor": cell if lost else None,
        "parameters": sorted(task.parameters.items()),
        "products": sorted(task.products.items()),
        "datasets": shown(mine, _SIDES),
        "upstream": shown(task.upstream, _SIDES),
        "reads": _ends(run, task, reads=True),
        "writes": _ends(run, task, reads=False),
        "notes": shown([note for part in run.column_lineage if part.task == task.name for note in part.notes], _NOTES),
        "notices": shown([notice for notice in run.notices if notice.task == task.name], _NOTES),
        "tables_told": any(row.tables for row in cells),
        "makes_told": any(row.made for row in cells),
        "cells": shown(cells, _CELLS),
        "anchors": body.anchors,
        "place": anchor("task", task.name),
        "is_notebook": task.kind == "notebook" or task.notebook is not None,
        "body": body,
        "earlier": f"../../../{earlier}" if earlier else None,
        "download": f"../../../{download}" if download else None,
    }


def _tells(row: CellRow) -> bool:
    """Tell whether a cell took time that can be seen, did something to data, or went wrong."""
    return bool(row.tables or row.made or row.cell.status != "succeeded" or (row.cell.seconds or 0) >= 0.001)  # noqa: PLR2004


def _ends(run: Run, task: TaskRun, *, reads: bool) -> Shown:
    node = f"task:{task.name}"
    found: dict[tuple[str, str], str] = {}
    for edge in run.lineage:
        here, there = (edge.target, edge.source) if reads else (edge.source, edge.target)
        if here == node:
            kind, colon, name = there.partition(":")
            key = (kind, name) if colon and kind in {"task", "dataset", "file", "host"} else ("file", there)
            if found.get(key, "observed") == "observed":
                found[key] = edge.how
    ends = [_End(kind=kind, name=name, how=found[kind, name]) for kind, name in sorted(found)]
    return shown(ends, _SIDES)


def _facts(task: TaskRun, run_id: str) -> list[tuple[str, Any]]:
    earlier = task.last_success if task.last_success != run_id else None
    return [
        ("Kind", task.kind),
        ("Source", markup("<code>{}</code>", short(task.source, 160)) if task.source else ""),
        ("Started", instant(task.started_at) if task.started_at else ""),
        ("Took", duration(task.seconds) if task.seconds is not None else ""),
        ("Peak memory", size(task.peak_memory_bytes) if task.peak_memory_bytes is not None else ""),
        ("Attempts", count(task.attempts) if task.attempts else ""),
        ("Last success", markup("<code>{}</code>", short(earlier, 60)) if earlier else ""),
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

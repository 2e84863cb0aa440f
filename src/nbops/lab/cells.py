"""What a task's notebook is told where it is open: its last run, its checks, and at which cells they belong."""

from __future__ import annotations

import ast
import json
import re
from typing import TYPE_CHECKING, Any

from nbops.contract.config import load_config
from nbops.errors import LedgerError, NbopsError
from nbops.lab.builds import state_of
from nbops.lab.place import look_up
from nbops.record.store import latest_run, read_run, resolve_run_id, run_ids
from nbops.workflow.outlook import outlook
from nbops.workflow.sourcecells import cells_of_source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from nbops.lineage.graph import Direction, Graph, Node
    from nbops.model import Dataset, Run, TaskRun

__all__ = ["notebook_state", "reached", "recorded_cells", "sources_of", "writing_cell"]

_MOST_ROWS = 200
_LARGEST = 20_000_000
"""Bytes of an executed notebook that is read for its cells."""
_GOOD = frozenset({"passed", "skipped"})


def notebook_state(file: Path, *, names: Mapping[Path, str]) -> dict[str, Any]:
    """Return what is known of a notebook's task.

    Args:
        file: The notebook, absolute, within what the server serves.
        names: A project's root to the name by which a browser asks for it.

    Returns:
        ``task``: null for a file that is no task of a project that is shown, with ``error`` where that cannot be told; else its
        ``project``, ``pipeline``, ``task``, ``stale``, ``reasons``, ``building``, and ``run``, ``before`` (ids), ``status``,
        ``error``, ``datasets`` of the latest run. A dataset has its ``checks``, its ``columns`` and the ``cell`` that made it
        with that cell's ``source`` as it was run.
    """
    try:
        place = look_up(file)
    except NbopsError as error:
        return {"task": None, "error": str(error)}
    if place is None or place[0].root not in names:
        return {"task": None, "error": None}
    pipeline, task = place
    root = pipeline.root
    config = load_config(root)
    reports = root / config.reports
    found: dict[str, Any] = {
        "project": names[root],
        "pipeline": pipeline.path.name,
        "task": task.name,
        "building": state_of(root).running,
        "stale": None,
        "reasons": [],
        "error": None,
    }
    try:
        item = next((one for one in outlook(root, config, pipeline=pipeline.path, values={}) if one.task == task.name), None)
        if item is not None:
            found |= {"stale": item.stale, "reasons": list(item.reasons)}
        run = _last_with(reports, task.name)
    except (NbopsError, OSError) as error:
        return found | {"error": str(error)} | _of_run(None, task.name, reports)
    return found | _of_run(run, task.name, reports)


def _last_with(reports: Path, task: str) -> Run | None:
    """Return the newest ended run that judged a task's data; the latest where none did."""
    latest = latest_run(reports)
    for run_id in list(reversed(run_ids(reports)))[:10]:
        try:
            run = read_run(reports, run_id)
        except LedgerError:
            continue
        entry = next((one for one in run.tasks if one.name == task), None)
        if run.status != "running" and entry is not None and entry.status not in {"not_selected", "held", "interrupted"}:
            return run
    return latest


def _of_run(run: Run | None, name: str, reports: Path) -> dict[str, Any]:
    task = next((one for one in run.tasks if one.name == name), None) if run is not None else None
    if run is None or task is None:
        return {"run": run.id if run else None, "before": None, "status": None, "failure": None, "datasets": []}
    cells = recorded_cells(reports, task)
    before = [run_id for run_id in run_ids(reports) if run_id < run.id]
    return {
        "run": run.id,
        "before": before[-1] if before else None,
        "status": task.status,
        "failure": _failure(task, cells),
        "datasets": [_dataset(item, run, task, cells) for item in run.datasets if item.task == name],
    }


def _failure(task: TaskRun, cells: Mapping[int, str]) -> dict[str, Any] | None:
    error = task.error
    if error is None or error.cell is None:
        return None
    return {"kind": error.kind, "message": error.message, "cell": error.cell, "source": cells.get(error.cell)}


def _dataset(item: Dataset, run: Run, task: TaskRun, cells: Mapping[int, str]) -> dict[str, Any]:
    cell = writing_cell(item, run, task, cells)
    results = [result for result in run.checks if result.check.dataset == item.name]
    results.sort(key=lambda result: (result.verdict in _GOOD, result.verdict != "failed", result.check.id))
    return {
        "name": item.name,
        "verdict": item.verdict,
        "rows": item.rows,
        "published": item.published,
        "cell": cell,
        "source": None if cell is None else cells.get(cell),
        "columns": [column.name for column in item.columns],
        "checks": [
            {"id": one.check.id, "verdict": one.verdict, "message": one.message, "severity": one.check.severity}
            for one in results
        ],
    }


def recorded_cells(reports: Path, task: TaskRun) -> dict[int, str]:
    """Return the source of a task's code cells as its run recorded them, by index; empty where there is no record.

    Args:
        reports: The project's ``reports`` folder.
        task: The task in that run.
    """
    if not task.notebook:
        return {}
    path = reports / task.notebook
    try:
        if path.stat().st_size > _LARGEST or not path.resolve().is_relative_to(reports.resolve()):
            return {}
        document = json.loads(path.read_bytes())
        return dict(cells_of_source(document)) if isinstance(document, dict) else {}
    except (OSError, ValueError, RecursionError, AttributeError, TypeError):
        return {}


def writing_cell(item: Dataset, run: Run, task: TaskRun, cells: Mapping[int, str]) -> int | None:
    """Return the index of the cell that made a dataset: the last that names its product, else the last its lineage tells of.

    Args:
        item: The dataset.
        run: Its run.
        task: Its task in that run.
        cells: From :func:`recorded_cells`.
    """
    keys = [key for key, path in task.products.items() if path == item.path]
    named = [index for index, text in cells.items() if any(_names_product(text, key) for key in keys)]
    if named:
        return max(named)
    edges = [edge for part in run.column_lineage if part.task == task.name for edge in part.edges if edge.target == item.name]
    known = [cell for edge in edges for cell in edge.cells]
    return max(known) if known else None


def _names_product(code: str, key: str) -> bool:
    """Tell whether a cell's code uses ``product["key"]``, or ``product`` itself where the task has one product."""
    if "product" not in code:
        return False
    try:
        tree = ast.parse(re.sub(r"^\s*[%!].*$", "", code, flags=re.MULTILINE))
    except (SyntaxError, ValueError, RecursionError):
        return bool(re.search(rf"""product\s*\[\s*(['"]){re.escape(key)}\1\s*\]""", code))
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "product":
            if isinstance(node.slice, ast.Constant) and node.slice.value == key:
                return True
        elif key == "product" and isinstance(node, ast.Name) and node.id == "product" and isinstance(node.ctx, ast.Load):
            return True
    return False


def sources_of(root: Path, target: str, *, up: bool = True, down: bool = False, depth: int | None = None) -> dict[str, Any]:
    """Return what a dataset or column comes from and goes into, as the latest run says.

    Args:
        root: The project's root.
        target: ``DATASET`` or ``DATASET.COLUMN``.
        up: What it comes from.
        down: What it goes into.
        depth: Go so many steps at most.

    Returns:
        ``node``, ``run`` and ``rows``: way, what, steps, how, task and cells.

    Raises:
        UnknownTarget: There is no such dataset or column.
        LedgerError: There is no run.
    """
    from nbops.lineage.graph import Graph  # noqa: PLC0415 - who does not ask does not pay
    from nbops.workflow.asking import find_node  # noqa: PLC0415

    reports = root / load_config(root).reports
    run = read_run(reports, resolve_run_id(reports, "latest"))
    node = find_node(run, target)
    graph = Graph.of_columns(run) if node.column is not None else Graph.of_datasets(run)
    ways: Sequence[Direction] = [*(["up"] if up else []), *(["down"] if down else [])]  # type: ignore[list-item]
    rows = [row for way in ways for row in reached(graph, node, way, depth=depth)]
    return {"node": str(node), "run": run.id, "rows": rows[:_MOST_ROWS], "more": max(0, len(rows) - _MOST_ROWS)}


def reached(graph: Graph, node: Node, way: Direction, *, depth: int | None) -> list[tuple[str, ...]]:
    """Return what is reached from a node as rows of text: way, what, steps, how, task and cells."""
    word = {"up": "comes from", "down": "goes into"}[way]
    rows: list[tuple[str, ...]] = []
    for item in graph.reach([node], way, depth=depth, influence="note"):
        how = ", ".join(dict.fromkeys(f"{edge.transformation} ({edge.how})" for edge in item.edges))
        places = dict.fromkeys(
            f"{edge.task}{' cell ' + ', '.join(map(str, edge.cells)) if edge.cells else ''}" for edge in item.edges if edge.task
        )
        rows.append((word if item.kind == "derived" else "rows by", str(item.node), str(item.distance), how, "; ".join(places)))
    return rows

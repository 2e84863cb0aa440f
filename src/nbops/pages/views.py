"""What the templates show, computed: rows of tables, positions of bars. No markup here."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from nbops.pages.fresh import made_at
from nbops.pages.graph import in_order
from nbops.pages.judged import by_rule
from nbops.pages.names import page_name
from nbops.pages.text import count
from nbops.pages.words import rank

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from nbops.model import CheckResult, Column, Dataset, LineageEdge, Measurement, Quarantine, Run, TaskRun

__all__ = [
    "COLUMNS_SHOWN",
    "ColumnTable",
    "DatasetRow",
    "Flow",
    "Shown",
    "balance",
    "by_severity",
    "column_anchors",
    "columns_of",
    "coming",
    "dataset_rows",
    "flows",
    "loose_measurements",
    "report_link",
    "shown",
    "strip_rows",
]

COLUMNS_SHOWN = 250
"""Columns that a dataset's page shows at most."""
_MOST_METRICS = 14
_FIRST_METRICS = (
    "nullValues",
    "missingValues",
    "distinctValues",
    "duplicateValues",
    "invalidValues",
    "minimum",
    "median",
    "mean",
    "maximum",
    "standardDeviation",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The first items of a long list, and how many were left out."""

    items: tuple[Any, ...]
    more: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRow:
    """A dataset with what the run's other records say of it."""

    dataset: Dataset
    page: str
    quarantined: int
    checks: str
    profile: str | None
    made: str
    """When its task last made it, as ISO 8601."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What one task reads and writes; nodes as ``(kind, name)``."""

    task: str
    known: bool
    reads: Shown
    writes: Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnTable:
    """Columns by metrics."""

    metrics: tuple[str, ...]
    rows: Shown
    """``(column, values)`` where values are measurements or None, one a metric."""


def shown(items: Sequence[Any], most: int) -> Shown:
    """Cap a list."""
    return Shown(items=tuple(items[:most]), more=max(0, len(items) - most))


_coming: ContextVar[frozenset[str]] = ContextVar("_coming", default=frozenset())


@contextmanager
def coming(paths: Iterable[str]) -> Iterator[None]:
    """Take files for there that another process is writing.

    Args:
        paths: The files, below ``reports/``.
    """
    token = _coming.set(frozenset(paths))
    try:
        yield
    finally:
        _coming.reset(token)


def report_link(path: str | None, reports: Path) -> str | None:
    """Return a path below ``reports/`` as a relative URL; None when it leaves that folder or nothing is there."""
    if not path or "\0" in path or "\\" in path:
        return None
    parts = PurePosixPath(path).parts
    if path.startswith("/") or ".." in parts:
        return None
    try:
        exists = path in _coming.get() or os.path.isfile(f"{reports}{os.sep}{path}")  # noqa: PTH113 - as text it costs a third
    except (OSError, ValueError):
        return None
    return quote("/".join(parts)) if exists else None


def strip_rows(run: Run) -> tuple[TaskRun, ...]:
    """Return the run's tasks in topological order."""
    return in_order(run.tasks)


def dataset_rows(run: Run, reports: Path) -> tuple[DatasetRow, ...]:
    """Return the run's datasets, the worst verdict first, then by the order of the tasks that write them."""
    position = {task.name: number for number, task in enumerate(in_order(run.tasks))}
    aside = Counter[str]()
    for entry in run.quarantine:
        aside[entry.dataset] += entry.rows
    ordered = sorted(run.datasets, key=lambda item: (rank(item.verdict), position.get(item.task, len(position)), item.name))
    return tuple(
        DatasetRow(
            dataset=item,
            page=page_name(item.name),
            quarantined=aside[item.name],
            checks=_checks_of(run.checks, item.name),
            profile=report_link(item.profile, reports),
            made=made_at(run, item),
        )
        for item in ordered
    )


def _checks_of(results: Sequence[CheckResult], dataset: str) -> str:
    verdicts = Counter(rule.result.verdict for rule in by_rule(result for result in results if result.check.dataset == dataset))
    total = sum(verdicts.values())
    if not total:
        return "none"
    bad = [f"{count(verdicts[word])} {word}" for word in ("failed", "errored", "warned") if verdicts[word]]
    return f"{', '.join(bad)} of {count(total)}" if bad else f"{count(total)} passed" if not verdicts["skipped"] else count(total)


def by_severity(results: Sequence[CheckResult]) -> tuple[CheckResult, ...]:
    """Return check results, worst first; the ledger's order within a verdict."""
    return tuple(sorted(results, key=lambda result: rank(result.verdict)))


def flows(run: Run) -> tuple[Flow, ...]:
    """Return what each task reads and writes, in topological order; edges that touch no task of the run come last."""
    edges = run.lineage
    names = [task.name for task in in_order(run.tasks)]
    strangers = sorted(
        {_node(end)[1] for edge in edges for end in (edge.source, edge.target) if end.startswith("task:")} - set(names)
    )
    rows = [_flow(name, edges, known=True) for name in names] + [_flow(name, edges, known=False) for name in strangers]
    return tuple(row for row in rows if row.reads.items or row.writes.items)


def _flow(task: str, edges: Sequence[LineageEdge], *, known: bool) -> Flow:
    node = f"task:{task}"
    reads = sorted({_node(edge.source) for edge in edges if edge.target == node})
    writes = sorted({_node(edge.target) for edge in edges if edge.source == node})
    return Flow(task=task, known=known, reads=shown(reads, 25), writes=shown(writes, 25))


def _node(text: str) -> tuple[str, str]:
    kind, _, name = text.partition(":")
    return (kind, name) if kind in {"task", "dataset", "file"} and name else ("file", text)


def columns_of(dataset: Dataset, *, most: int) -> ColumnTable:
    """Return a dataset's columns with their plain measurements; those with arguments stand apart (``loose_measurements``)."""
    named = {column.name for column in dataset.columns}
    taken: dict[str, dict[str, Measurement]] = {}
    metrics = Counter[str]()
    for item in dataset.measurements:
        if item.column in named and not item.arguments:
            taken.setdefault(str(item.column), {})[item.metric] = item
            metrics[item.metric] += 1
    names = _metric_order(metrics)
    rows = [(column, tuple(taken.get(column.name, {}).get(name) for name in names)) for column in dataset.columns[:most]]
    return ColumnTable(metrics=names, rows=Shown(items=tuple(rows), more=max(0, len(dataset.columns) - most)))


def _metric_order(metrics: Mapping[str, int]) -> tuple[str, ...]:
    first = {name: number for number, name in enumerate(_FIRST_METRICS)}
    return tuple(sorted(metrics, key=lambda name: (first.get(name, len(first)), name))[:_MOST_METRICS])


def column_anchors(columns: Sequence[Column]) -> tuple[str, ...]:
    """Return the place on a dataset's page for each column; columns may share a name.

    >>> from nbops.model import Column
    >>> column_anchors([Column(name="a", physical_type="INT"), Column(name="a", physical_type="INT")])
    ('column-a', 'column-a.2')
    """
    seen = Counter[str]()
    found = []
    for column in columns[:COLUMNS_SHOWN]:
        name = page_name(column.name)
        seen[name] += 1
        found.append(f"column-{name}" if seen[name] == 1 else f"column-{name}.{seen[name]}")
    return tuple(found) + ("columns",) * (len(columns) - len(found))


def loose_measurements(dataset: Dataset) -> tuple[Measurement, ...]:
    """Return the measurements that fit no cell of the column table: of the whole dataset, with arguments, of unknown columns."""
    named = {column.name for column in dataset.columns}
    names = set(
        _metric_order(Counter(item.metric for item in dataset.measurements if item.column in named and not item.arguments))
    )
    return tuple(item for item in dataset.measurements if item.column not in named or item.arguments or item.metric not in names)


def balance(entry: Quarantine) -> bool:
    """Tell whether no row was lost."""
    return entry.rows_in == entry.rows_out + entry.rows

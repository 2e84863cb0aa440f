"""What depends on something of a pipeline: datasets, columns, checks, owners, tasks that show it. A function of a Run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from nbops.lineage.graph import Graph, Node

if TYPE_CHECKING:
    from nbops.model import CheckResult, Run

__all__ = ["Affected", "Impact", "impact_of"]

_DATASET, _TASK = "dataset:", "task:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """A dataset that depends on what was asked about."""

    dataset: str
    distance: int
    """Edges between; 0 where it was asked about itself."""
    kind: Literal["derived", "influence"]
    """``influence`` when only which rows there are depends on it."""
    columns: Mapping[str, Literal["derived", "influence"]]
    """Columns of which that can be told; of others all are meant when ``whole``."""
    whole: bool
    """It depends on it as a whole: its rows, or columns that cannot be told apart."""
    owner: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What depends on something."""

    datasets: tuple[Affected, ...]
    """The nearest first."""
    checks: tuple[CheckResult, ...]
    """Checks that look at what is affected, with their latest verdicts."""
    owners: Mapping[str, tuple[str, ...]]
    """Owner to datasets."""
    tasks: tuple[str, ...]
    """Tasks that make or read what is affected, in the pipeline's order."""


def impact_of(run: Run, nodes: Iterable[Node], *, tasks: Iterable[str] = (), depth: int | None = None) -> Impact:
    """Return what depends on datasets, columns or tasks.

    Args:
        run: The run whose lineage is asked.
        nodes: Datasets or columns.
        tasks: Tasks; all that they make depends on them.
        depth: Longest way, in edges between columns; None for any.
    """
    asked = set(tasks)
    makes = _makes(run)
    start = [*nodes, *(Node(name) for task in sorted(asked) for name in makes.get(task, ()))]
    found = Graph.of_columns(run).reach(start, "down", depth=depth)
    nearest: dict[str, tuple[int, int]] = {}
    columns: dict[str, dict[str, Literal["derived", "influence"]]] = defaultdict(dict)
    whole: set[str] = set()
    ranked = [(node, 0, "derived") for node in start] + [(item.node, item.distance, item.kind) for item in found]
    for node, distance, kind in ranked:
        rank = (distance, int(kind == "influence"))
        nearest[node.name] = min(nearest.get(node.name, rank), rank, key=lambda pair: (pair[1], pair[0]))
        if node.column is None:
            whole.add(node.name)
        else:
            columns[node.name].setdefault(node.column, "influence" if kind == "influence" else "derived")
    known = {dataset.name: dataset for dataset in run.datasets}
    datasets = tuple(
        Affected(
            dataset=name,
            distance=distance,
            kind="influence" if weak else "derived",
            columns=dict(sorted(columns[name].items())),
            whole=name in whole,
            owner=known[name].owner if name in known else None,
        )
        for name, (distance, weak) in sorted(nearest.items(), key=lambda item: (item[1], item[0]))
        if name in known or not _is_outside(name)
    )
    names = {item.dataset for item in datasets}
    owners: dict[str, list[str]] = defaultdict(list)
    for item in datasets:
        if item.owner:
            owners[item.owner].append(item.dataset)
    return Impact(
        datasets=datasets,
        checks=tuple(result for result in run.checks if _is_of(result, datasets)),
        owners={owner: tuple(sorted(owned)) for owner, owned in sorted(owners.items())},
        tasks=_tasks(run, asked, names),
    )


def _is_outside(name: str) -> bool:
    return ":" in name


def _makes(run: Run) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for edge in run.lineage:
        if edge.kind == "writes":
            found[edge.source.removeprefix(_TASK)].append(edge.target.removeprefix(_DATASET))
    for dataset in run.datasets:
        if dataset.name not in found[dataset.task]:
            found[dataset.task].append(dataset.name)
    for part in run.column_lineage:
        found[part.task] += sorted({edge.target for edge in part.edges} - set(found[part.task]))
    return found


def _tasks(run: Run, asked: set[str], datasets: set[str]) -> tuple[str, ...]:
    """Return the tasks that make or read datasets, and those that read tasks which show them."""
    touched = set(asked) | {dataset.task for dataset in run.datasets if dataset.name in datasets}
    for edge in run.lineage:
        if edge.kind == "reads" and edge.source.removeprefix(_DATASET) in datasets and edge.source.startswith(_DATASET):
            touched.add(edge.target.removeprefix(_TASK))
    below = {edge.target.removeprefix(_TASK) for edge in run.lineage if edge.source.removeprefix(_TASK) in asked}
    return tuple(task.name for task in run.tasks if task.name in touched | below)


def _is_of(result: CheckResult, datasets: Iterable[Affected]) -> bool:
    check = result.check
    for item in datasets:
        if item.dataset == check.dataset and (check.column is None or item.whole or check.column in item.columns):
            return True
        if check.metric == "references" and dict(check.arguments).get("dataset") == item.dataset:
            return True
    return False

"""The pipeline as a graph: an order to read it in, and a layered drawing of its lineage."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from nbops.pages.layers import layered
from nbops.pages.text import short

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nbops.model import Run, TaskRun

__all__ = ["Drawing", "Edge", "Node", "draw", "grouped", "in_order", "pairs_of"]

_MOST_NODES = 90
_ROW, _LETTER, _HEIGHT, _LABEL = 36, 6.9, 26, 24
_TOGETHER = 4
"""From so many files on that the same tasks read they are one box."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A box of the drawing; units are CSS pixels."""

    kind: str
    label: str
    mark: str
    x: float
    y: float
    width: float
    height: float = _HEIGHT


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A line of the drawing, as SVG path data."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A layered drawing, left to right."""

    width: int
    height: int
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def in_order(tasks: Sequence[TaskRun]) -> tuple[TaskRun, ...]:
    """Return tasks with each after those it depends on; ties keep the ledger's order, and so does a cycle."""
    known = {task.name: task for task in tasks}
    names = _sorted({task.name: [name for name in task.upstream if name in known] for task in tasks})
    return tuple(known[name] for name in names)


def _sorted(upstream: Mapping[str, Iterable[str]]) -> list[str]:
    position = {name: number for number, name in enumerate(upstream)}
    sorter = TopologicalSorter(upstream)
    ordered: list[str] = []
    try:
        sorter.prepare()
    except CycleError:
        return list(upstream)
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=position.__getitem__)
        ordered += ready
        sorter.done(*ready)
    return ordered


def pairs_of(run: Run) -> dict[tuple[str, str], bool]:
    """Return source and target of each edge, and whether somebody declared it."""
    pairs: dict[tuple[str, str], bool] = {}
    for edge in run.lineage:
        if edge.source != edge.target:
            pairs[edge.source, edge.target] = pairs.get((edge.source, edge.target), False) or edge.how != "observed"
    fed = {target for _, target in pairs}
    for item in run.datasets:
        if item.task and f"dataset:{item.name}" not in fed:
            pairs[f"task:{item.task}", f"dataset:{item.name}"] = True
    return pairs


def grouped(pairs: Mapping[tuple[str, str], bool]) -> tuple[dict[tuple[str, str], bool], dict[str, tuple[str, ...]]]:
    """Put files that the same tasks read, and nobody writes, into one node where they are many; return the files of each."""
    targets: dict[str, set[tuple[str, bool]]] = defaultdict(set)
    for (source, target), declared in pairs.items():
        targets[source].add((target, declared))
    written = {target for _, target in pairs}
    same: dict[frozenset[tuple[str, bool]], list[str]] = defaultdict(list)
    for source, ends in targets.items():
        if source.startswith("file:") and source not in written:
            same[frozenset(ends)].append(source)
    group: dict[str, str] = {}
    members: dict[str, tuple[str, ...]] = {}
    for sources in same.values():
        if len(sources) >= _TOGETHER:
            names = tuple(sorted(source.removeprefix("file:") for source in sources))
            key = f"file:{names[0]} and {len(names) - 1} more"
            members[key] = names
            group |= dict.fromkeys(sources, key)
    return {(group.get(source, source), target): declared for (source, target), declared in pairs.items()}, members


def draw(run: Run) -> Drawing | None:
    """Return the run's dataset-level lineage as a layered drawing; the same lineage gives the same one.

    Returns:
        None when there is nothing to draw, or more than fits on a page.
    """
    pairs, members = grouped(pairs_of(run))
    names = {name for pair in pairs for name in pair}
    if not run.lineage or len(names) > _MOST_NODES:
        return None
    labels = {name: short(name.partition(":")[2] or name, _LABEL) for name in names}
    labels |= {name: f"{short(files[0], _LABEL - 10)} and {len(files) - 1} more" for name, files in members.items()}
    widths = {name: float(round(max(len(label), 2) * _LETTER + 34)) for name, label in labels.items()}
    layout = layered(names, pairs, widths=widths, height=_HEIGHT, gap=_ROW - _HEIGHT)
    marks: dict[str, str] = {f"task:{task.name}": task.status for task in run.tasks}
    marks |= {f"dataset:{item.name}": item.verdict for item in run.datasets}
    nodes = tuple(
        Node(kind=_kind(box.name), label=labels[box.name], mark=marks.get(box.name, ""), x=box.x, y=box.y, width=box.width)
        for box in layout.boxes
    )
    edges = tuple(Edge(path=line.path) for line in layout.lines)
    return Drawing(width=layout.width, height=layout.height, nodes=nodes, edges=edges)


def _kind(name: str) -> str:
    kind = name.partition(":")[0]
    return kind if kind in {"task", "dataset"} else "file"

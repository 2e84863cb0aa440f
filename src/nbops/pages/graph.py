"""The pipeline as a graph: an order to read it in, and a layered drawing of its lineage."""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from nbops.pages.layers import layered
from nbops.pages.text import short

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nbops.model import Run, TaskRun

__all__ = ["Drawing", "Edge", "Node", "draw", "in_order"]

_MOST_NODES = 90
_ROW, _LETTER, _HEIGHT = 36, 6.9, 26


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


def draw(run: Run) -> Drawing | None:
    """Return the run's dataset-level lineage as a layered drawing; the same lineage gives the same one.

    Returns:
        None when there is nothing to draw, or more than fits on a page.
    """
    pairs = {(edge.source, edge.target) for edge in run.lineage if edge.source != edge.target}
    names = {name for pair in pairs for name in pair}
    if not names or len(names) > _MOST_NODES:
        return None
    labels = {name: short(name.partition(":")[2] or name, 24) for name in names}
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

"""The pipeline as a graph: an order to read it in, and a layered drawing of its lineage."""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import TYPE_CHECKING

from nbops.pages.text import short

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nbops.model import Run, TaskRun

__all__ = ["Drawing", "Edge", "Node", "draw", "in_order"]

_MOST_NODES = 90
_ROW, _GAP, _PAD, _LETTER, _HEIGHT = 36, 34, 8, 6.9, 26


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
    """Return the run's dataset-level lineage as a layered drawing (after Sugiyama, Tagawa and Toda 1981).

    Layers are longest paths from the sources, edges over several layers bend at a point in each, and a few sweeps order each
    layer by the mean position of its neighbours. The same lineage gives the same drawing.

    Returns:
        None when there is nothing to draw, or more than fits on a page.
    """
    pairs = sorted({(edge.source, edge.target) for edge in run.lineage if edge.source != edge.target})
    names = sorted({name for pair in pairs for name in pair})
    if not names or len(names) > _MOST_NODES:
        return None
    upstream: dict[str, list[str]] = {name: [] for name in names}
    for source, target in pairs:
        upstream[target].append(source)
    order = _sorted(upstream)
    layer: dict[str, int] = {}
    for name in order:
        layer[name] = max((layer[source] + 1 for source in upstream[name] if source in layer), default=0)
    pairs = [(source, target) for source, target in pairs if layer[source] < layer[target]]
    chains = [_chain(source, target, layer) for source, target in pairs]
    layers = _arrange(chains, layer)
    return _place(run, layers, chains)


def _chain(source: str, target: str, layer: Mapping[str, int]) -> list[tuple[int, str]]:
    bends = [(level, f"\0{source}\0{target}") for level in range(layer[source] + 1, layer[target])]
    return [(layer[source], source), *bends, (layer[target], target)]


def _arrange(chains: Sequence[Sequence[tuple[int, str]]], layer: Mapping[str, int]) -> list[list[str]]:
    layers: list[list[str]] = [[] for _ in range(max(layer.values()) + 1)]
    before: dict[tuple[int, str], list[str]] = {}
    after: dict[tuple[int, str], list[str]] = {}
    points = {(level, name) for name, level in layer.items()} | {point for chain in chains for point in chain}
    for level, name in sorted(points):
        layers[level].append(name)
    for chain in chains:
        for left, right in pairwise(chain):
            after.setdefault(left, []).append(right[1])
            before.setdefault(right, []).append(left[1])
    for sweep in range(8):
        down = sweep % 2 == 0
        levels = range(1, len(layers)) if down else range(len(layers) - 2, -1, -1)
        for level in levels:
            position = {name: number for number, name in enumerate(layers[level - 1 if down else level + 1])}
            near = before if down else after
            current = {name: float(number) for number, name in enumerate(layers[level])}
            layers[level].sort(key=lambda name: _mean(near.get((level, name), ()), position, current[name]))
    return layers


def _mean(names: Sequence[str], position: Mapping[str, int], otherwise: float) -> float:
    return sum(position[name] for name in names) / len(names) if names else otherwise


def _place(run: Run, layers: Sequence[Sequence[str]], chains: Sequence[Sequence[tuple[int, str]]]) -> Drawing:
    marks = {f"task:{task.name}": task.status for task in run.tasks} | {
        f"dataset:{item.name}": item.verdict for item in run.datasets
    }
    tallest = max(len(names) for names in layers)
    nodes: list[Node] = []
    points: dict[tuple[int, str], tuple[float, float, float]] = {}
    x = float(_PAD)
    for level, names in enumerate(layers):
        labels = {name: short(name.partition(":")[2] or name, 24) for name in names if not name.startswith("\0")}
        width = max((len(text) for text in labels.values()), default=2) * _LETTER + 34
        width = float(round(width))
        top = _PAD + (tallest - len(names)) * _ROW / 2
        for number, name in enumerate(names):
            y = top + number * _ROW
            points[level, name] = (x, x + width, y + _HEIGHT / 2)
            if name in labels:
                kind = name.partition(":")[0]
                kind = kind if kind in {"task", "dataset"} else "file"
                nodes.append(Node(kind=kind, label=labels[name], mark=marks.get(name, ""), x=x, y=y, width=width))
        x += width + _GAP
    edges = tuple(Edge(path=_curve([points[point] for point in chain])) for chain in chains)
    return Drawing(
        width=round(x - _GAP + _PAD), height=round(2 * _PAD + tallest * _ROW - _ROW + _HEIGHT), nodes=tuple(nodes), edges=edges
    )


def _curve(points: Sequence[tuple[float, float, float]]) -> str:
    """Return an edge as a path in relative steps, which repeat between edges and so cost little."""
    whole = [(round(left), round(right), round(y)) for left, right, y in points]
    path = f"M{whole[0][1]} {whole[0][2]}"
    for number, ((_, right, y), (left, through, next_y)) in enumerate(pairwise(whole), start=2):
        across, down = left - right, next_y - y
        path += f"c{across // 2} 0 {across // 2} {down} {across} {down}" if down else f"h{across}"
        path += f"h{through - left}" if number < len(whole) else ""
    return path

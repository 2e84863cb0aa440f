"""Questions to a run's lineage: what a dataset or column comes from, and what depends on it. Pure functions of a Run.

There are two levels. Of datasets: each reaches those that are made of it. Of columns: an edge leads from a column to a column;
one that names no column stands for all of them, or for the rows as such. Of two ways to a node the better one counts: where a
value is derived all the way before where something only decides which rows there are (influence), the shorter before the longer.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Literal

from nbops.model import ColumnEdge

if TYPE_CHECKING:
    from nbops.model import Run

__all__ = ["Direction", "Graph", "Node", "Reached", "column_edges", "dataset_edges", "known_datasets"]

Direction = Literal["up", "down"]
"""``up``: what it comes from; ``down``: what depends on it."""

_DATASET, _TASK = "dataset:", "task:"


@dataclass(frozen=True, slots=True, order=True)
class Node:
    """A dataset (or file, host, relation outside the pipeline), or a column of it."""

    name: str
    column: str | None = None
    """None: all columns, or the rows as such."""

    def __str__(self) -> str:
        """Return ``dataset.column``, or the dataset alone."""
        return self.name if self.column is None else f"{self.name}.{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A node that another leads to."""

    node: Node
    distance: int
    """Edges between, at least 1."""
    kind: Literal["derived", "influence"]
    """``derived`` when each edge of the way is."""
    edges: tuple[ColumnEdge, ...]
    """The last edges of the ways to it, sorted."""


def known_datasets(run: Run) -> frozenset[str]:
    """Return the names of the pipeline's datasets, also of those that this run did not look at."""
    nodes = {node for edge in run.lineage for node in (edge.source, edge.target)}
    return frozenset({dataset.name for dataset in run.datasets} | {_bare(node) for node in nodes if node.startswith(_DATASET)})


def _bare(node: str) -> str:
    """Return the name that column edges have for a node of the pipeline."""
    return node.removeprefix(_DATASET)


def column_edges(run: Run) -> tuple[ColumnEdge, ...]:
    """Return all edges between columns.

    Of a dataset of which its task's lineage says nothing an edge is assumed from all that the task reads: no silent gap.
    """
    found = [edge for part in run.column_lineage for edge in part.edges]
    covered = {(edge.task, edge.target) for edge in found}
    assumed = [edge for edge in _assumed(run) if (edge.task, edge.target) not in covered]
    return tuple(found + assumed)


def dataset_edges(run: Run) -> tuple[ColumnEdge, ...]:
    """Return one edge, without columns, for each two datasets of which one is made of the other.

    Those that a task reads without using a column count as well, as influence.
    """
    best: dict[tuple[str, str, str], ColumnEdge] = {}
    for edge in column_edges(run):
        key = (edge.source, edge.target, edge.task)
        known = best.get(key)
        cells = tuple(sorted({*edge.cells, *(known.cells if known else ())}))
        lead = edge if known is None or (known.kind == "influence" and edge.kind == "derived") else known
        best[key] = replace(lead, source_column=None, target_column=None, cells=cells)
    for edge in _assumed(run):
        best.setdefault((edge.source, edge.target, edge.task), replace(edge, kind="influence", transformation="filter"))
    return tuple(best[key] for key in sorted(best))


def _assumed(run: Run) -> list[ColumnEdge]:
    """Return an edge from each thing that a task reads to each dataset that it makes."""
    reads, writes = _tasks(run)
    return [
        ColumnEdge(source=source, source_column=None, target=target, target_column=None, kind="derived", how="assumed", task=task)
        for task in sorted(reads)
        for source, target in product(sorted(reads[task]), sorted(writes[task]))
        if source != target
    ]


def _tasks(run: Run) -> tuple[Mapping[str, set[str]], Mapping[str, set[str]]]:
    """Return what each task reads and makes; a task that reads another without datasets between reads what that one reads."""
    reads: dict[str, set[str]] = defaultdict(set)
    writes: dict[str, set[str]] = defaultdict(set)
    above: dict[str, set[str]] = defaultdict(set)
    for edge in run.lineage:
        if edge.kind == "writes":
            writes[edge.source.removeprefix(_TASK)].add(_bare(edge.target))
        elif edge.source.startswith(_TASK):
            above[edge.target.removeprefix(_TASK)].add(edge.source.removeprefix(_TASK))
        else:
            reads[edge.target.removeprefix(_TASK)].add(_bare(edge.source))
    for task in list(above):
        seen, queue = {task}, list(above[task])
        while queue:
            up = queue.pop()
            if up not in seen:
                seen.add(up)
                reads[task] |= reads.get(up, set())
                queue += above.get(up, ())
    return reads, writes


class Graph:
    """Edges, to be followed in both directions.

    Args:
        edges: From :func:`column_edges` or :func:`dataset_edges`.
        columns: Dataset to its columns, so that "all columns" can be told from none; those that edges name are known anyway.
    """

    def __init__(self, edges: Iterable[ColumnEdge], *, columns: Mapping[str, Iterable[str]] | None = None) -> None:
        self.edges = tuple(edges)
        self._columns = {name: set(items) for name, items in (columns or {}).items()}

    @classmethod
    def of_columns(cls, run: Run) -> Graph:
        """Return the graph of a run's columns."""
        return cls(column_edges(run), columns={item.name: [c.name for c in item.columns] for item in run.datasets})

    @classmethod
    def of_datasets(cls, run: Run) -> Graph:
        """Return the graph of a run's datasets."""
        return cls(dataset_edges(run))

    @cached_property
    def _by_end(self) -> Mapping[Direction, Mapping[str, list[ColumnEdge]]]:
        found: dict[Direction, dict[str, list[ColumnEdge]]] = {"up": defaultdict(list), "down": defaultdict(list)}
        for edge in self.edges:
            found["up"][edge.target].append(edge)
            found["down"][edge.source].append(edge)
        return found

    @cached_property
    def columns(self) -> Mapping[str, frozenset[str]]:
        """Name to the columns that are known of it."""
        found: dict[str, set[str]] = defaultdict(set)
        for name, items in self._columns.items():
            found[name] |= items
        for edge in self.edges:
            found[edge.source] |= {edge.source_column} if edge.source_column is not None else set()
            found[edge.target] |= {edge.target_column} if edge.target_column is not None else set()
        return {name: frozenset(items) for name, items in found.items()}

    def next(self, node: Node, direction: Direction) -> list[tuple[ColumnEdge, Node]]:
        """Return the edges at a node and where they lead, sorted; an edge that names no column is at all of them.

        The number of rows depends on no column's value, so ``count(*)`` is not down from a column.
        """
        found: set[tuple[Node, int]] = set()
        edges = self._by_end[direction].get(node.name, [])
        for number, edge in enumerate(edges):
            here, there = _ends(edge, direction)
            if direction == "down" and node.column is not None and _counts_rows(edge):
                continue
            if (node.column is None or here.column is None or here.column == node.column) and there != node:
                found.add((there, number))
        ordered = sorted(found, key=lambda item: (item[0].name, item[0].column or "", item[0].column is not None, item[1]))
        return [(edges[number], there) for there, number in ordered]

    def reach(
        self,
        start: Iterable[Node],
        direction: Direction,
        *,
        depth: int | None = None,
        influence: Literal["follow", "note", "omit"] = "follow",
    ) -> tuple[Reached, ...]:
        """Return what is reached from some nodes, the best known first, then the nearest.

        Args:
            start: Where to begin; these themselves are not returned.
            direction: Up or down.
            depth: Longest way, in edges; None for any.
            influence: ``follow`` edges of influence like others, ``note`` where they lead and go no further, or ``omit`` them.
        """
        first = set(start)
        best: dict[Node, tuple[int, int]] = {}
        last: dict[Node, set[ColumnEdge]] = defaultdict(set)
        queue: list[tuple[int, int, Node]] = [(0, 0, node) for node in sorted(first, key=_order)]
        heap = [(weak, far, _order(node), node) for weak, far, node in queue]
        done: set[Node] = set()
        while heap:
            weak, far, _, node = heapq.heappop(heap)
            if node in done:
                continue
            done.add(node)
            if (depth is not None and far >= depth) or (weak and influence == "note"):
                continue
            for edge, there in self.next(node, direction):
                step = edge.kind == "influence"
                if step and influence == "omit":
                    continue
                if there not in first:
                    last[there].add(edge)
                    rank = (max(weak, int(step)), far + 1)
                    if there not in best or rank < best[there]:
                        best[there] = rank
                        heapq.heappush(heap, (*rank, _order(there), there))
        ordered = sorted(best, key=lambda node: (*best[node], _order(node)))
        return tuple(
            Reached(
                node=node,
                distance=best[node][1],
                kind="influence" if best[node][0] else "derived",
                edges=tuple(sorted(last[node], key=_edge_order)),
            )
            for node in ordered
        )


def _counts_rows(edge: ColumnEdge) -> bool:
    """Return whether the rows as such are aggregated, as by ``count(*)``: no column's value enters."""
    return (
        edge.source_column is None
        and edge.target_column is not None
        and edge.how == "sql"
        and edge.transformation == "aggregation"
    )


def _order(node: Node) -> tuple[str, bool, str]:
    return (node.name, node.column is not None, node.column or "")


def _edge_order(edge: ColumnEdge) -> tuple[str, ...]:
    ends: Sequence[str | None] = (edge.source, edge.source_column, edge.target, edge.target_column)
    return (*(end or "" for end in ends), edge.transformation, edge.task)


def _ends(edge: ColumnEdge, direction: Direction) -> tuple[Node, Node]:
    """Return where an edge begins and ends for who goes in a direction."""
    source, target = Node(edge.source, edge.source_column), Node(edge.target, edge.target_column)
    return (source, target) if direction == "down" else (target, source)

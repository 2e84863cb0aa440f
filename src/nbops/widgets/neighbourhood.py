"""A run's lineage, a node and its surroundings at a time: however large the graph is, what is handed over stays small.

Keys are ``task:NAME``, ``dataset:NAME``, ``file:PATH`` and ``host:NAME:PORT`` as in the ledger, and ``column:`` with a JSON list
of dataset and column. Columns have a graph of their own; the others are in that of the pipeline.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from nbops.errors import UnknownTarget
from nbops.lineage.graph import Graph, Node
from nbops.pages.graph import grouped, pairs_of
from nbops.pages.layers import layered
from nbops.pages.text import short

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nbops.model import Dataset, Run, TaskRun

    Way = Literal["up", "down"]

__all__ = ["Lineage", "Surroundings", "column_key"]

_DEPTH, _FAN, _MOST_NODES = 2, 12, 60
_LETTER, _LABEL, _HEIGHT, _SPACE = 6.9, 28, 30.0, 12.0
_MOST_FOUND, _LONGEST_QUERY = 40, 200
_KINDS = ("task", "dataset", "file", "host", "column")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """A node and what is near it, drawn; JSON."""

    focus: str
    width: int
    height: int
    nodes: tuple[dict[str, Any], ...]
    """``key``, ``kind``, ``name``, ``label``, ``mark``, its place, and how many neighbours are hidden."""
    edges: tuple[dict[str, str], ...]
    """``source``, ``target``, and ``path`` as SVG path data."""


def column_key(dataset: str, column: str) -> str:
    """Return the key of a column.

    >>> column_key("orders", "amount")
    'column:["orders", "amount"]'
    """
    return "column:" + json.dumps([dataset, column], ensure_ascii=False)


def split_column(key: str) -> tuple[str, str]:
    """Return dataset and column of a column's key.

    Raises:
        UnknownTarget: It is none.
    """
    try:
        dataset, column = json.loads(key.removeprefix("column:"))
    except (ValueError, TypeError) as error:
        raise UnknownTarget(f"no column: {key[:80]!r}.") from error
    if not isinstance(dataset, str) or not isinstance(column, str):
        raise UnknownTarget(f"no column: {key[:80]!r}.")
    return dataset, column


class Lineage:
    """The lineage of a run, indexed.

    Args:
        run: A run, as stored.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        pairs, self.members = grouped(pairs_of(run))
        self.up: dict[str, list[str]] = defaultdict(list)
        self.down: dict[str, list[str]] = defaultdict(list)
        for source, target in sorted(pairs):
            self.up[target].append(source)
            self.down[source].append(target)
        self.datasets: dict[str, Dataset] = {item.name: item for item in run.datasets}
        self.tasks: dict[str, TaskRun] = {task.name: task for task in run.tasks}
        keys = {f"task:{name}" for name in self.tasks} | {f"dataset:{name}" for name in self.datasets}
        self.keys = tuple(sorted(keys | {key for pair in pairs for key in pair}))
        self._known = frozenset(self.keys)

    @cached_property
    def columns(self) -> Graph:
        """The graph of columns."""
        return Graph.of_columns(self.run)

    def has(self, key: str) -> bool:
        """Return whether there is such a node."""
        if not key.startswith("column:"):
            return key in self._known
        try:
            dataset, column = split_column(key)
        except UnknownTarget:
            return False
        return column in self.columns.columns.get(dataset, ())

    def next(self, key: str, way: Way) -> list[str]:
        """Return the neighbours of a node on one side."""
        if not key.startswith("column:"):
            return (self.up if way == "up" else self.down).get(key, [])
        node = Node(*split_column(key))
        return list(dict.fromkeys(self.key_of(there) for _, there in self.columns.next(node, way)))

    def key_of(self, node: Node) -> str:
        """Return the key of a node of the graph of columns."""
        if node.column is not None:
            return column_key(node.name, node.column)
        return next((key for kind in ("dataset", "file") if (key := f"{kind}:{node.name}") in self._known), f"file:{node.name}")

    def mark(self, key: str) -> str:
        """Return a task's status or a dataset's verdict; empty for others."""
        kind, _, name = key.partition(":")
        if kind == "task" and name in self.tasks:
            return self.tasks[name].status
        return self.datasets[name].verdict if kind == "dataset" and name in self.datasets else ""

    def name(self, key: str) -> str:
        """Return what people call a node."""
        return ".".join(split_column(key)) if key.startswith("column:") else key.partition(":")[2] or key

    def around(self, focus: str) -> Surroundings:
        """Return a node with what is up to two steps from it, the nearest first, as many as a drawing holds.

        Raises:
            UnknownTarget: There is no such node.
        """
        if not self.has(focus):
            raise UnknownTarget(f"the lineage has no {self.name(focus)[:80]!r} (any more); search for it.")
        near: dict[str, None] = {focus: None}
        pairs: dict[tuple[str, str], None] = {}
        ways: tuple[Way, ...] = ("up", "down")
        edges = {way: [focus] for way in ways}
        for _ in range(_DEPTH):
            for way in ways:
                edges[way] = self._step(edges[way], way, near, pairs)
        return self._drawn(focus, near, pairs)

    def whole(self) -> Surroundings:
        """Return all of the pipeline's graph, drawn; for graphs that are small enough."""
        pairs = dict.fromkeys((source, target) for source, targets in self.down.items() for target in targets)
        return self._drawn(self.keys[0], self.keys, pairs)

    def _step(self, keys: Iterable[str], way: Way, near: dict[str, None], pairs: dict[tuple[str, str], None]) -> list[str]:
        reached = []
        for key in keys:
            for there in self.next(key, way)[:_FAN]:
                if there not in near:
                    if len(near) >= _MOST_NODES:
                        continue
                    near[there] = None
                    reached.append(there)
                pairs[(there, key) if way == "up" else (key, there)] = None
        return reached

    def _drawn(self, focus: str, near: Iterable[str], pairs: Mapping[tuple[str, str], None]) -> Surroundings:
        labels = {key: short(self.name(key), _LABEL) or "(empty)" for key in near}
        widths = {key: float(round(max(len(label) * _LETTER + 26, 60))) for key, label in labels.items()}
        layout = layered(labels, pairs, widths=widths, height=_HEIGHT, gap=_SPACE)
        shown: dict[Way, dict[str, int]] = {"up": defaultdict(int), "down": defaultdict(int)}
        for source, target in pairs:
            shown["down"][source] += 1
            shown["up"][target] += 1
        nodes = tuple(
            {
                "key": box.name, "kind": self.kind(box.name), "name": self.name(box.name), "label": labels[box.name],
                "mark": self.mark(box.name), "x": box.x, "y": box.y, "width": box.width, "height": box.height,
                "up": max(len(self.next(box.name, "up")) - shown["up"][box.name], 0),
                "down": max(len(self.next(box.name, "down")) - shown["down"][box.name], 0),
            }
            for box in layout.boxes
        )  # fmt: skip
        edges = tuple({"source": line.source, "target": line.target, "path": line.path} for line in layout.lines)
        return Surroundings(focus=focus, width=layout.width, height=layout.height, nodes=nodes, edges=edges)

    def kind(self, key: str) -> str:
        """Return the kind of a node."""
        kind = key.partition(":")[0]
        return kind if kind in _KINDS else "file"

    def search(self, text: str) -> tuple[list[str], int]:
        """Return the first keys that a text is found in, those that begin with it before others, and how many there are."""
        wanted = text.strip().casefold()[:_LONGEST_QUERY]
        if not wanted:
            return [], 0
        found: list[tuple[int, int, str, str]] = []
        for key in self.keys:
            self._weigh(found, key, self.name(key), wanted)
        for dataset, item in self.datasets.items():
            for column in item.columns:
                if wanted in f"{dataset}.{column.name}".casefold():
                    name = column.name if "." not in wanted else f"{dataset}.{column.name}"
                    self._weigh(found, column_key(dataset, column.name), name, wanted)
        return [key for *_, key in sorted(found)[:_MOST_FOUND]], len(found)

    def _weigh(self, found: list[tuple[int, int, str, str]], key: str, name: str, wanted: str) -> None:
        folded = name.casefold()
        if wanted in folded:
            rank = 0 if folded == wanted else 1 if folded.startswith(wanted) else 2
            found.append((rank, _KINDS.index(self.kind(key)), folded, key))

"""Where columns come from and what they are used for, in words and links: what pages show of column lineage."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from nbops.lineage.graph import column_edges, dataset_edges

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nbops.model import ColumnEdge, Run

__all__ = ["HOW", "TRANSFORMATIONS", "Origins", "Phrase"]

HOW = {"sql": "from SQL", "static": "from the code", "observed": "observed", "assumed": "assumed"}
"""How an edge is known, in words."""

_PARAMETER = "parameter:"

TRANSFORMATIONS = {
    "identity": "as it is",
    "transformation": "computed",
    "aggregation": "aggregated",
    "join": "join",
    "group_by": "grouping",
    "filter": "filter",
    "sort": "order",
    "window": "window",
    "conditional": "condition",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """Columns of one dataset at the other end of edges that have the rest in common."""

    kind: str
    """``dataset``, ``parameters``, ``task`` (what it made itself), or ``outside``."""
    dataset: str
    columns: tuple[str, ...]
    """Empty: all columns of it (of an origin), or its rows (of a use); of parameters their names."""
    derived: bool
    what: str
    how: str
    task: str
    cells: tuple[int, ...]


class Origins:
    """The column lineage of a run, indexed by both ends.

    Args:
        run: A run, as stored.
    """

    def __init__(self, run: Run) -> None:
        self.edges = column_edges(run)
        self._run = run
        self._into: dict[tuple[str, str | None], list[ColumnEdge]] = defaultdict(list)
        self._from: dict[tuple[str, str | None], list[ColumnEdge]] = defaultdict(list)
        for edge in self.edges:
            self._into[edge.target, edge.target_column].append(edge)
            self._from[edge.source, edge.source_column].append(edge)

    def of_column(self, dataset: str, column: str) -> tuple[Phrase, ...]:
        """Return what a column's values are made of; beside that stands what :meth:`of_all` says."""
        return _phrases([edge for edge in self._into.get((dataset, column), ()) if edge.kind == "derived"], source=True)

    def of_all(self, dataset: str) -> tuple[Phrase, ...]:
        """Return what every column of a dataset may be made of, where it is not known column by column."""
        return _phrases([edge for edge in self._into.get((dataset, None), ()) if edge.kind == "derived"], source=True)

    def decided_by(self, dataset: str, column: str) -> tuple[Phrase, ...]:
        """Return what a column's value depends on without being made of it: windows and conditions."""
        return _phrases([edge for edge in self._into.get((dataset, column), ()) if edge.kind == "influence"], source=True)

    def rows_of(self, dataset: str) -> tuple[Phrase, ...]:
        """Return what decides which rows a dataset has."""
        return _phrases([edge for edge in self._into.get((dataset, None), ()) if edge.kind == "influence"], source=True)

    def uses_of(self, dataset: str, column: str) -> tuple[Phrase, ...]:
        """Return what is made of a column, and what rows it decides; beside that stands what :meth:`uses_of_all` says."""
        return _phrases(self._from.get((dataset, column), ()), source=False)

    def uses_of_all(self, dataset: str) -> tuple[Phrase, ...]:
        """Return what is made of a dataset where it is not known of which of its columns."""
        return _phrases(self._from.get((dataset, None), ()), source=False)

    def users(self, dataset: str, column: str) -> tuple[int, int]:
        """Return how many columns are made of a column, and of how many datasets it decides the rows."""
        edges = [*self._from.get((dataset, column), ()), *self._from.get((dataset, None), ())]
        made = {(edge.target, edge.target_column) for edge in edges if edge.kind == "derived"}
        return len(made), len({edge.target for edge in edges if edge.kind == "influence"})

    def columns_made_of(self, dataset: str) -> int:
        """Return how many columns of other datasets are made of columns of this one."""
        edges = self._by_source.get(dataset, ())
        return len({(edge.target, edge.target_column) for edge in edges if edge.kind == "derived" and edge.target != dataset})

    @cached_property
    def _by_source(self) -> Mapping[str, Sequence[ColumnEdge]]:
        found: dict[str, list[ColumnEdge]] = defaultdict(list)
        for edge in self.edges:
            found[edge.source].append(edge)
        return found

    @cached_property
    def downstream(self) -> Mapping[str, frozenset[str]]:
        """Dataset to the datasets that are made of it, directly or not."""
        onward: dict[str, set[str]] = defaultdict(set)
        for edge in dataset_edges(self._run):
            onward[edge.source].add(edge.target)
        return {name: _reached(name, onward) for name in onward}

    def made_by(self, task: str) -> Mapping[int, tuple[tuple[str, tuple[str, ...]], ...]]:
        """Return for each cell of a task the columns of datasets that are made in it, as ``(dataset, columns)``."""
        found: dict[int, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for edge in self.edges:
            if edge.task == task and edge.kind == "derived" and edge.target_column is not None:
                for cell in edge.cells:
                    found[cell][edge.target].add(edge.target_column)
        return {
            cell: tuple((dataset, tuple(sorted(found[cell][dataset]))) for dataset in sorted(found[cell]))
            for cell in sorted(found)
        }


def _reached(start: str, onward: Mapping[str, Iterable[str]]) -> frozenset[str]:
    seen: set[str] = set()
    queue = [start]
    while queue:
        for name in onward.get(queue.pop(), ()):
            if name not in seen:
                seen.add(name)
                queue.append(name)
    return frozenset(seen - {start})


def _named(name: str) -> dict[str, str]:
    if name == _PARAMETER:
        return {"kind": "parameters", "dataset": ""}
    for prefix, kind in (("task:", "task"), ("file:", "outside"), ("host:", "outside")):
        if name.startswith(prefix) and name != prefix:
            return {"kind": kind, "dataset": name.removeprefix(prefix)}
    return {"kind": "dataset", "dataset": name}


def _phrases(edges: Iterable[ColumnEdge], *, source: bool) -> tuple[Phrase, ...]:
    grouped: dict[tuple[bool, str, str, str, str, tuple[int, ...]], set[str | None]] = defaultdict(set)
    for edge in edges:
        name, column = (edge.source, edge.source_column) if source else (edge.target, edge.target_column)
        if name.startswith(_PARAMETER):
            name, column = _PARAMETER, name.removeprefix(_PARAMETER)
        influence = edge.kind != "derived"
        grouped[influence, name, edge.transformation, edge.how, edge.task, edge.cells].add(column)
    return tuple(
        Phrase(
            **_named(name),
            columns=() if None in columns else tuple(sorted(column for column in columns if column is not None)),
            derived=not influence,
            what=TRANSFORMATIONS.get(transformation, transformation),
            how=HOW.get(how, how),
            task=task,
            cells=cells,
        )
        for (influence, name, transformation, how, task, cells), columns in sorted(grouped.items(), key=lambda item: item[0])
    )

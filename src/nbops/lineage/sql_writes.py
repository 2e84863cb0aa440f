"""What statements wrote, turned into edges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from nbops.lineage.sql_model import IDENTITY, STRENGTHS, Origin, Relation, Value, merge
from nbops.model import ColumnEdge, ColumnTransformation

__all__ = ["Writes"]


@dataclass(slots=True)
class Writes:
    """Collects tables that are written, their columns, and what these are made of."""

    target: str = ""
    """Name of what a bare query's columns go to."""
    relations: dict[str, list[Relation]] = field(default_factory=dict)
    """Name to what was written to it, statement by statement."""
    written: dict[str, None] = field(default_factory=dict)
    """Names in the order of writing; a bare query's is not among them."""
    temporaries: set[str] = field(default_factory=set)
    """Names in lower case of what ends with the connection."""
    known: dict[str, Sequence[str]] = field(default_factory=dict)
    """Columns of tables that the statements made."""

    def table(self, name: str, relation: Relation, *, temporary: bool = False, keep: bool = False) -> None:
        """Take in what a statement writes to a table; without ``keep`` it replaces what was there."""
        if not keep:
            self.temporaries.discard(name.lower())
        if temporary:
            self.temporaries.add(name.lower())
        self.written[name] = None
        self.relations.setdefault(name, []).append(relation)

    def query(self, relation: Relation) -> None:
        """Take in a bare query under the target's name; of several the last counts."""
        self.relations[self.target] = [relation]

    def remember(self, name: str, relation: Relation) -> None:
        """Keep the columns of a table that a statement made, for those after it."""
        if relation.complete and relation.columns:
            self.known[name] = list(relation.names())

    def rename(self, old: str, new: str, catalog: dict[str, Relation]) -> None:
        """Give what was written to a table to its new name."""
        if "." in old and "." not in new:
            new = f"{old.rpartition('.')[0]}.{new}"
        if old.lower() in catalog:
            catalog[new.lower()] = catalog.pop(old.lower())
        if old in self.relations:
            self.relations.setdefault(new, []).extend(self.relations.pop(old))
            self.written = dict.fromkeys(new if name == old else name for name in self.written)
        if old in self.known:
            self.known[new] = self.known.pop(old)
        if old.lower() in self.temporaries:
            self.temporaries.discard(old.lower())
            self.temporaries.add(new.lower())

    def columns(self) -> dict[str, tuple[str, ...] | None]:
        """Return the columns of all that was written; None where they are not known."""
        result: dict[str, tuple[str, ...] | None] = {}
        for name, relations in self.relations.items():
            if name in self.known:
                result[name] = tuple(self.known[name])
            elif all(relation.complete for relation in relations):
                result[name] = tuple(dict.fromkeys(column for relation in relations for column in relation.names()))
            else:
                result[name] = None
        return result

    def edges(self) -> Iterator[ColumnEdge]:
        """Return an edge for each source of each column, and for each column that chooses rows."""
        for target, relations in self.relations.items():
            for column, value in _cells(relations).items():
                for (source, source_column), strength in value.origins.items():
                    yield _edge((source, source_column), (target, column), "derived", STRENGTHS[strength])
                for source, source_column, influence in value.touches:
                    yield _edge((source, source_column), (target, column), "influence", influence)
            for relation in relations:
                for source, source_column, influence in relation.touches | relation.sorting:
                    yield _edge((source, source_column), (target, None), "influence", influence)


def _cells(relations: Sequence[Relation]) -> dict[str | None, Value]:
    """Return the columns, those of one name once, and what is not known of them under no name."""
    named: dict[str | None, list[Value]] = {}
    for relation in relations:
        for name, value in relation.columns:
            named.setdefault(name, []).append(value)
        for group in relation.open:
            named.setdefault(None, []).append(Value({(table, None): IDENTITY for table in group}))
        if relation.opaque is not None and not relation.columns:
            named.setdefault(None, []).append(relation.opaque)
    return {name: values[0] if len(values) == 1 else merge(values) for name, values in named.items()}


def _edge(
    source: Origin, target: Origin, kind: Literal["derived", "influence"], transformation: ColumnTransformation
) -> ColumnEdge:
    return ColumnEdge(
        source=source[0],
        source_column=source[1],
        target=target[0],
        target_column=target[1],
        kind=kind,
        how="sql",
        transformation=transformation,
    )

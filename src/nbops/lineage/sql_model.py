"""What a column and a table are while SQL is analysed: values made of source columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

__all__ = [
    "AGGREGATION",
    "IDENTITY",
    "NOTHING",
    "STRENGTHS",
    "TRANSFORMATION",
    "Influence",
    "Origin",
    "Relation",
    "Touch",
    "Value",
    "align",
    "as_touches",
    "merge",
    "strengthen",
]

Influence = Literal["join", "group_by", "filter", "sort", "window", "conditional"]
Origin = tuple[str, str | None]
"""A source table and its column; None is all of its columns, or the row itself."""
Touch = tuple[str, str | None, Influence]
"""A source table, its column, and how it chooses rows or values."""

IDENTITY, TRANSFORMATION, AGGREGATION = 0, 1, 2
STRENGTHS: tuple[Literal["identity", "transformation", "aggregation"], ...] = ("identity", "transformation", "aggregation")
"""Names of the strengths; of two on a path the stronger one holds."""


@dataclass(frozen=True, slots=True)
class Value:
    """What a column, or an expression, is made of."""

    origins: Mapping[Origin, int] = field(default_factory=lambda: MappingProxyType({}))
    touches: frozenset[Touch] = frozenset()
    """Columns that choose this value without entering it: of windows and conditions."""


NOTHING = Value()


def merge(values: Iterable[Value]) -> Value:
    """Return what is made of all of some values; the stronger strength holds where they share an origin."""
    origins: dict[Origin, int] = {}
    touches: set[Touch] = set()
    for value in values:
        touches |= value.touches
        for origin, strength in value.origins.items():
            origins[origin] = max(strength, origins.get(origin, IDENTITY))
    return Value(origins, frozenset(touches))


def strengthen(value: Value, strength: int) -> Value:
    """Return a value computed from another one."""
    return Value({origin: max(strength, was) for origin, was in value.origins.items()}, value.touches)


def as_touches(value: Value, influence: Influence) -> set[Touch]:
    """Return what a value becomes where it only chooses: all that it is made of, and all that chose it."""
    touches: set[Touch] = {(table, column, influence) for table, column in value.origins}
    touches.update((table, column, influence) for table, column, _ in value.touches)
    return touches


@dataclass(slots=True)
class Relation:
    """A table, a query, or anything else with columns that may stand in FROM."""

    columns: list[tuple[str | None, Value]] = field(default_factory=list)
    """In order. None: one or more columns whose names are not known."""
    open: tuple[tuple[str, ...], ...] = ()
    """Tables whose columns are not known and that stand here too. Tables of one group are alike: a column is in each of them."""
    hidden: frozenset[str] = frozenset()
    """Columns that are not in the open tables, in lower case: they were excluded or replaced."""
    opaque: Value | None = None
    """What a column that is not listed is made of, of functions whose columns are not known."""
    rows: frozenset[str] = frozenset()
    """Source tables that its rows are rows of: what counting them counts."""
    touches: set[Touch] = field(default_factory=set)
    """What chose its rows."""
    sorting: set[Touch] = field(default_factory=set)
    """What orders its rows without choosing any: counts only at the end of a statement."""
    path: str = ""
    """The source table that it is, of tables and files."""

    _places: dict[str, list[int]] = field(default_factory=dict, repr=False, compare=False)
    _counted: int = field(default=0, repr=False, compare=False)

    def _namesakes(self, name: str) -> list[int]:
        """Return the places of columns of a name in any case; the index grows with the columns."""
        for place in range(self._counted, len(self.columns)):
            known = self.columns[place][0]
            if known is not None:
                self._places.setdefault(known.lower(), []).append(place)
        self._counted = len(self.columns)
        return self._places.get(name.lower(), [])

    def find(self, name: str) -> Value | None:
        """Return a listed column by its name: as it is spelt, else in any case; None when there is none."""
        places = self._namesakes(name)
        exact = [place for place in places if self.columns[place][0] == name]
        return self.columns[(exact or places)[0]][1] if places else None

    def spelling(self, name: str) -> str | None:
        """Return how a listed column spells its name, None when there is none."""
        spelt = [self.columns[place][0] for place in self._namesakes(name)]
        return name if name in spelt else (spelt[0] if spelt else None)

    def names(self) -> Iterator[str]:
        """Return the names of the listed columns."""
        return (name for name, _ in self.columns if name is not None)

    @property
    def complete(self) -> bool:
        """Whether all columns and their names are known."""
        return not self.open and (self.opaque is None or bool(self.columns)) and all(name is not None for name, _ in self.columns)

    def row(self) -> Value:
        """Return what a whole row is made of."""
        values = [value for _, value in self.columns]
        values += [Value({(table, None): IDENTITY}) for group in self.open for table in group]
        if self.opaque is not None:
            values.append(self.opaque)
        return merge(values)

    def renamed(self, names: Iterable[str]) -> Relation:
        """Return the same with other names for its first columns."""
        new = list(names)
        columns = [(name, value) for name, (_, value) in zip(new, self.columns, strict=False)] + self.columns[len(new) :]
        missing = new[len(self.columns) :]
        if missing and not (self.complete or any(name is None for name, _ in self.columns)):
            # the columns of an open table are known by nothing but their place: each may be any of them
            columns += [(name, strengthen(self.row(), IDENTITY)) for name in missing]
            return Relation(columns, rows=self.rows, touches=self.touches, sorting=self.sorting)
        if missing and not self.complete:
            whole = merge(value for name, value in self.columns if name is None)
            columns = [(name, value) for name, value in columns if name is not None]
            columns += [(name, whole) for name in new[len(columns) :]]
        return Relation(columns, self.open, self.hidden, self.opaque, self.rows, self.touches, self.sorting)


def align(sides: list[Relation], *, by_name: bool = False) -> Relation:
    """Return the rows of several relations under one another; names are those of the first, rows are of all.

    Args:
        sides: At least one.
        by_name: Columns of one name stand under one another; else those of one place do.
    """
    first = sides[0]
    result = Relation(
        rows=frozenset().union(*(side.rows for side in sides)), touches=set().union(*(side.touches for side in sides))
    )
    if by_name:
        _align_names(sides, result)
    elif all(side.complete for side in sides):
        width = max(len(side.columns) for side in sides)
        for place in range(width):
            cells = [side.columns[place] for side in sides if place < len(side.columns)]
            result.columns.append((cells[0][0], merge(value for _, value in cells)))
    else:
        _align_open(sides, first, result)
    return result


def _align_names(sides: list[Relation], result: Relation) -> None:
    """Put columns of one name under one another."""
    names: dict[str, str] = {}
    for side in sides:
        for name in side.names():
            names.setdefault(name.lower(), name)
    for lowered, name in names.items():
        values = []
        for side in sides:
            found = side.find(name)
            if found is not None:
                values.append(found)
            elif lowered not in side.hidden:
                values += [Value({(table, name): IDENTITY for table in group}) for group in side.open]
        result.columns.append((name, merge(values)))
    result.open = (tuple(dict.fromkeys(table for side in sides for group in side.open for table in group)),)
    result.open = tuple(group for group in result.open if group)
    result.columns += [cell for side in sides for cell in side.columns if cell[0] is None]


def _align_open(sides: list[Relation], first: Relation, result: Relation) -> None:
    """Put columns under one another where the places of some are not known: by name where the first side's are listed."""
    others = merge(side.row() for side in sides[1:])
    result.columns = [(name, merge((value, others))) for name, value in first.columns]
    if first.open or first.opaque is not None:
        result.open = first.open
        if first.opaque is not None:
            result.opaque = merge((first.opaque, others))
        result.columns.append((None, others))
        result.hidden = first.hidden

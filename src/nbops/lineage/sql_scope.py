"""Where names of SQL are looked up: the tables of a FROM, and what surrounds them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nbops.lineage.sql_model import IDENTITY, NOTHING, TRANSFORMATION, Relation, Value, merge, strengthen

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["PER_STEP", "Context", "OutOfBudgetError", "Scope", "Source"]


PER_STEP = 4
"""Sources of a value, or tables of a FROM, that are looked at in the time of a step."""


class OutOfBudgetError(Exception):
    """The work that may be spent on some SQL is spent."""


@dataclass(slots=True)
class Source:
    """A relation under the name by which a query refers to it."""

    name: str
    relation: Relation
    qualifiers: tuple[str, ...] = ()
    """What may stand before the name: its schema and database, nearest last."""
    merged: frozenset[str] = frozenset()
    """Columns that a join's USING merged into those of the tables before, in lower case: not in ``*``."""

    def is_called(self, parts: Sequence[str]) -> bool:
        """Tell whether a dotted name (without the column) means this source."""
        if not parts or not self.name or parts[-1].lower() != self.name.lower():
            return False
        before = [part.lower() for part in parts[:-1]]
        mine = [part.lower() for part in self.qualifiers]
        return not before or before == mine[-len(before) :]


@dataclass(slots=True)
class Context:
    """What holds for all statements of some SQL."""

    dialect: str
    schemas: Mapping[str, Sequence[str]]
    budget: int
    query: Callable[[exp.Expression, Scope], Relation]
    """Evaluates a query: what the parts that meet subqueries call."""
    statement: Callable[[exp.Expression, Scope], Relation]
    """Follows a statement inside a WITH, and returns what its RETURNING gives."""
    catalog: dict[str, Relation] = field(default_factory=dict)
    """Views and temporary tables that earlier statements made, by name in lower case."""
    known: dict[str, Sequence[str]] = field(default_factory=dict)
    """Columns of tables that earlier statements made, and that stay."""
    macros: dict[str, tuple[list[str], exp.Expression]] = field(default_factory=dict)
    """Macros that earlier statements made, by name in lower case: parameters in lower case and body."""
    variables: dict[str, Value] = field(default_factory=dict)
    """Variables that a script declared, by name in lower case; columns of the name go first."""
    reads: dict[str, None] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    place: str = ""
    """Which statement it is, for notes."""

    def spend(self, steps: int = 1) -> None:
        """Count work.

        Raises:
            OutOfBudgetError: It is spent.
        """
        self.budget -= steps
        if self.budget < 0:
            raise OutOfBudgetError

    def spend_on(self, relations: Iterable[Relation]) -> None:
        """Count the work of looking at all columns of some relations.

        Raises:
            OutOfBudgetError: It is spent.
        """
        for relation in relations:
            sources = sum(len(value.origins) + len(value.touches) for _, value in relation.columns)
            self.spend(len(relation.columns) + (sources + len(relation.touches)) // PER_STEP)

    def note(self, text: str) -> None:
        """Say what could not be analysed."""
        self.notes[f"{self.place}: {text}" if self.place else text] = None


@dataclass(slots=True)
class Scope:
    """The names that one SELECT sees."""

    context: Context
    parent: Scope | None = None
    sources: list[Source] = field(default_factory=list)
    ctes: dict[str, Relation] = field(default_factory=dict)
    aliases: dict[str, Value] = field(default_factory=dict)
    """Columns of the SELECT list so far, in lower case: many dialects let other clauses use them."""
    self_named: set[str] = field(default_factory=set)
    """Those aliases whose expression uses a column of the alias's own name."""
    aliases_first: bool = False
    """ORDER BY looks for aliases before columns."""
    merged: dict[str, Value] = field(default_factory=dict)
    """Columns that USING merged, in lower case."""
    windows: dict[str, exp.Expression] = field(default_factory=dict)
    binding: Value | None = None
    """What COLUMNS(...) stands for at the moment."""

    def cte(self, name: str) -> Relation | None:
        """Return the CTE of a name, from here or from around."""
        return next((scope.ctes[name.lower()] for scope in self._around() if name.lower() in scope.ctes), None)

    def rows(self) -> frozenset[str]:
        """Return the source tables that the rows of this FROM are rows of."""
        return frozenset().union(*(source.relation.rows for source in self.sources))

    def spelling(self, parts: Sequence[str]) -> str:
        """Return a column's name as its table spells it, else as it is written."""
        name = parts[-1]
        for scope in self._around():
            for source in scope.sources:
                if len(parts) == 1 or source.is_called(parts[:-1]):
                    found = source.relation.spelling(name)
                    if found is not None:
                        return found
        return name

    def at(self, place: str) -> Value:
        """Return Snowflake's ``$1``: the column of a place, of staged files and of what has no names."""
        listed = [value for source in self.sources for _, value in source.relation.columns]
        if place.isdigit() and listed and int(place) <= len(listed):
            return listed[int(place) - 1]
        return self.resolve([f"${place}"]) if any(source.relation.open for source in self.sources) else NOTHING

    def resolve(self, parts: Sequence[str]) -> Value:
        """Return what a column is made of.

        Args:
            parts: Its dotted name as it is written. Which of the parts are of the table, of the column and of fields inside it
                depends on what there is: the longest name of a table goes first, as SQL does.
        """
        self.context.spend()
        found = self._lookup(parts)
        if found is None:
            found = self.context.variables.get(parts[0].lower())
        return found if found is not None else self._unknown(parts)

    def _around(self) -> Iterator[Scope]:
        """Return this scope and those around it, from the inside out."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def _lookup(self, parts: Sequence[str]) -> Value | None:
        called = False
        for scope in self._around() if len(parts) > 1 else ():
            for length in range(len(parts) - 1, 0, -1):
                for source in scope.sources:
                    if source.is_called(parts[:length]):
                        called = True
                        found = scope._column(source, parts[length])  # noqa: SLF001 - a scope like this one
                        if found is not None:
                            return strengthen(found, TRANSFORMATION) if len(parts) > length + 1 else found
        for scope in self._around():
            found = scope._bare(parts[0], listed=called, fields=len(parts) > 1)  # noqa: SLF001
            if found is not None:
                return strengthen(found, TRANSFORMATION) if len(parts) > 1 else found
        return None

    def _column(self, source: Source, name: str) -> Value | None:
        """Return a column of one source, None when it has none of that name."""
        relation = source.relation
        found = relation.find(name)
        if found is not None:
            return found
        if relation.open and name.lower() not in relation.hidden:
            return self._of_open(name, relation.open)
        if relation.opaque is not None:
            return relation.opaque
        unnamed = [value for known, value in relation.columns if known is None]
        return merge(unnamed) if unnamed else None

    def _of_open(self, name: str, groups: Sequence[tuple[str, ...]]) -> Value:
        """Return a column of tables whose columns are not known."""
        if len(groups) == 1:
            return Value({(table, name): IDENTITY for table in groups[0]})
        tables = sorted({table for group in groups for table in group})
        self.context.note(
            f"column {name} may be of any of {', '.join(tables)}, whose columns are not known: widened to all columns"
        )
        return Value({(table, None): IDENTITY for table in tables})

    def _bare(self, name: str, *, listed: bool = False, fields: bool = False) -> Value | None:
        """Return what a name without a table means in this scope alone.

        Args:
            name: The name.
            listed: Only columns that are listed count: a table of this name is in sight.
            fields: Something follows that is taken from it: it is no whole row.
        """
        lowered = name.lower()
        alias = self.aliases.get(lowered)
        if alias is not None and self.aliases_first:
            return alias
        if lowered in self.merged:
            return self.merged[lowered]
        self.context.spend(len(self.sources) // PER_STEP)
        found = [value for source in self.sources if (value := source.relation.find(name)) is not None]
        if found:
            if len(found) > 1:
                self.context.note(f"column {name} is ambiguous: taken as all of its namesakes")
            return merge(found)
        if listed:
            return None
        if alias is not None and lowered not in self.self_named:
            return alias
        return self._loose(name, fields=fields) or alias

    def _loose(self, name: str, *, fields: bool) -> Value | None:
        """Return what a name may mean that no table lists."""
        lowered = name.lower()
        groups = [group for source in self.sources if lowered not in source.relation.hidden for group in source.relation.open]
        unsure = [source.relation for source in self.sources if source.relation.opaque is not None]
        unnamed = [value for source in self.sources for known, value in source.relation.columns if known is None]
        whole = [source.relation.row() for source in self.sources if source.name.lower() == lowered]
        if whole and not fields:
            self.context.spend(len(whole[0].origins) // PER_STEP)
            return strengthen(whole[0], TRANSFORMATION)
        if groups:
            variable = self.context.variables.get(lowered)
            return variable if variable is not None else self._of_open(name, groups)
        if unsure or unnamed:
            return merge([relation.opaque for relation in unsure if relation.opaque is not None] + unnamed)
        return None

    def _unknown(self, parts: Sequence[str]) -> Value:
        """Return the best that can be said of a column that no table is known to have."""
        name = ".".join(parts)
        near = next((scope.sources for scope in self._around() if scope.sources), [])
        named = near
        if len(parts) > 1:
            named = [source for scope in self._around() for source in scope.sources if source.is_called(parts[:-1])][:1]
        paths = [source.relation.path for source in named]
        if len(paths) == 1 and paths[0]:
            self.context.note(f"{paths[0]} is not known to have a column {parts[-1]}")
            return Value({(paths[0], parts[-1]): IDENTITY})
        rows = sorted(frozenset().union(*(source.relation.rows for source in named or near)))
        if not rows:
            self.context.note(f"column {name} is not known")
            return NOTHING
        self.context.note(f"column {name} is not known: widened to all columns of {', '.join(rows)}")
        return Value({(table, None): TRANSFORMATION for table in rows})

"""The state of one interpretation: heap, names, what was read and written, notes, and the budget."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from nbops.lineage.code.records import Access
from nbops.lineage.code.tables import table_taint, taint_table, union
from nbops.lineage.code.values import (
    NO_NAMES,
    Bound,
    Choice,
    Class,
    Col,
    Const,
    Dep,
    Func,
    Group,
    Lazy,
    Map,
    Object,
    Ref,
    Rest,
    Scope,
    Seq,
    Table,
    Taint,
    Text,
    Value,
    at_least,
    guess,
    merge,
    taint_of,
)

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable, Iterable, Mapping, Sequence


__all__ = ["MISSING", "BudgetError", "Machine", "Written"]

MISSING: Any = object()
"""Of a plain value that is not known."""
_STEPS = 2_000_000
_NOTES = 500
_DEEPEST = 60
Thing = Table | Seq | Map | Object
_T = TypeVar("_T", Table, Seq, Map, Object)


class BudgetError(Exception):
    """The time or the steps that the analysis may take are used up."""


@dataclass(slots=True)
class Written:
    """A table that was written, as it was then."""

    name: str
    table: Table
    cell: int
    call: str
    params: frozenset[str]
    nested: bool = False


@dataclass(slots=True)
class Machine:
    """Everything that evaluating an expression may read or change."""

    schemas: Mapping[str, Sequence[str]]
    values: Mapping[str, object]
    modules: Mapping[str, str]
    deadline: float
    evaluate: Callable[[ast.expr], Value]
    call: Callable[..., Value]
    run: Callable[[Sequence[ast.stmt]], None]
    heap: dict[int, Thing] = field(default_factory=dict)
    scope: Scope = field(default_factory=lambda: Scope({}))
    top: Scope = field(default_factory=lambda: Scope({}))
    loaded: dict[str, Scope] = field(default_factory=dict)
    reads: dict[tuple[str, int, str], Access] = field(default_factory=dict)
    writes: list[Written] = field(default_factory=list)
    accesses: dict[tuple[str, int, str], Access] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    controls: list[Taint] = field(default_factory=list)
    calls: list[object] = field(default_factory=list)
    cell: int = 0
    line: int = 1
    depth: int = 0
    steps: int = 0
    inside: int = 0
    """How many branches or loops of unknown course the code being run is in."""
    ended: str = ""
    """``return``, ``break``, ``continue``, ``raise`` while a block is left."""
    returned: list[Value] = field(default_factory=list)
    tests: list[Col] = field(default_factory=list)
    """What decided, inside the function being followed, which way it went."""
    variables: dict[int, set[str]] = field(default_factory=dict)
    injected: set[str] = field(default_factory=set)
    next_address: int = 0
    inserting: bool = False
    """The SQL being run adds to a relation and does not replace it."""
    relation_params: dict[str, frozenset[str]] = field(default_factory=dict)
    """Of what is read: the injected names that its path has."""

    # -- budget and notes

    def step(self) -> None:
        """Count a step.

        Raises:
            BudgetError: There were too many, or time is up.
        """
        self.steps += 1
        if self.steps > _STEPS or (not self.steps % 64 and time.monotonic() > self.deadline):
            raise BudgetError

    def note(self, message: str) -> None:
        """Say where lineage is wider than the truth, once."""
        if len(self.notes) < _NOTES:
            where = f"cell {self.cell}, line {self.line}"
            module = self.scope.module
            self.notes.setdefault(f"{where}: {message}" if not module else f"{where} (in {module}): {message}", None)

    # -- heap

    def new(self, thing: Thing) -> Ref:
        """Put something on the heap."""
        self.next_address += 1
        self.heap[self.next_address] = thing
        return Ref(self.next_address)

    def thing(self, value: Value) -> Thing | None:
        """Return what a reference holds."""
        return self.heap.get(value.at) if isinstance(value, Ref) else None

    def of(self, value: Value, kind: type[_T]) -> _T | None:
        """Return what a reference holds when it is of a kind."""
        found = self.heap.get(value.at) if isinstance(value, Ref) else None
        return found if isinstance(found, kind) else None

    def put(self, ref: Value, thing: Thing) -> None:
        """Change what a reference holds."""
        if isinstance(ref, Ref):
            self.heap[ref.at] = thing

    def table(self, value: Value) -> Table | None:
        """Return the table that a value is; of several, their union."""
        found = self.thing(value)
        if isinstance(found, Table):
            return found
        if isinstance(value, Choice):
            tables = [table for table in map(self.table, value.options) if table is not None]
            return union(tables) if tables else None
        return None

    def items(self, value: Value) -> tuple[Value, ...] | None:
        """Return the items of a sequence (or the keys of a mapping) when all are known."""
        found = self.thing(value)
        if isinstance(found, Seq) and found.exact:
            return found.items
        if isinstance(found, Map) and found.exact:
            return tuple(Const(key, found.params) for key in found.items)
        if isinstance(value, Const) and isinstance(value.value, (tuple, list, range, frozenset, set)):
            limited = list(value.value)[:10_001]
            return tuple(Const(item, value.params) for item in limited) if len(limited) <= 10_000 else None
        return None

    def plain(self, value: Value, depth: int = 0) -> Any:
        """Return the Python value when all of it is known, else :data:`MISSING`."""
        if isinstance(value, Const):
            return value.value
        if depth > _DEEPEST:
            return MISSING
        found = self.thing(value)
        if isinstance(found, Seq) and found.exact:
            items = [self.plain(item, depth + 1) for item in found.items]
            if any(item is MISSING for item in items):
                return MISSING
            return tuple(items) if found.kind == "tuple" else items
        if isinstance(found, Map) and found.exact:
            pairs = {key: self.plain(item, depth + 1) for key, item in found.items.items()}
            return MISSING if any(item is MISSING for item in pairs.values()) else pairs
        return MISSING

    def names(self, value: Value | None) -> tuple[str, ...] | None:
        """Return column names that are written as one text or a list of texts; None when they are not known."""
        if value is None:
            return None
        if isinstance(value, Const):
            if isinstance(value.value, str):
                return (value.value,)
            if isinstance(value.value, (int, float)) and not isinstance(value.value, bool):
                return (str(value.value),)
        items = self.items(value)
        if items is None:
            if isinstance(value, Col) and "names" in value.flags and value.index:
                return tuple(name or "" for name, _ in value.index)
            return None
        found: list[str] = []
        for item in items:
            plain = self.plain(item)
            if plain is MISSING:
                return None
            found.append(plain if isinstance(plain, str) else str(plain))
        return tuple(found)

    def params(self, value: Value | None) -> frozenset[str]:
        """Return the injected names that entered a value."""
        return self.taint(value).params if value is not None else NO_NAMES

    # -- what may have entered a value

    def taint(self, value: Value | None, seen: frozenset[int] = frozenset()) -> Taint:
        """Return all that a value may have been made of."""
        if value is None or len(seen) > _DEEPEST:
            return Taint()
        if isinstance(value, Const):
            return Taint(params=value.params) if value.params else Taint()
        if isinstance(value, Col):
            return Taint(value.deps, value.marks, value.rows, value.params, value.origins)
        if isinstance(value, Taint):
            return value
        if isinstance(value, Ref):
            return Taint() if value.at in seen else self._taint_of_thing(value, seen | {value.at})
        if isinstance(value, Text):
            return taint_of((*(self.taint(p, seen) for p in value.parts if not isinstance(p, str)), Taint(params=value.params)))
        if isinstance(value, Choice):
            return taint_of(self.taint(option, seen) for option in value.options)
        if isinstance(value, Bound):
            return self.taint(value.this, seen)
        if isinstance(value, Group):
            return self.taint(value.series, seen) if value.series else table_taint(value.table, self.schemas)
        return Taint()

    def _taint_of_thing(self, value: Ref, seen: frozenset[int]) -> Taint:
        self.step()
        thing = self.heap.get(value.at)
        if isinstance(thing, Table):
            return table_taint(thing, self.schemas)
        if isinstance(thing, Seq):
            return taint_of(self.taint(item, seen) for item in thing.items)
        if isinstance(thing, Map):
            parts = [self.taint(item, seen) for item in thing.items.values()]
            return taint_of((*parts, self.taint(thing.other, seen), Taint(params=thing.params)))
        if isinstance(thing, Object):
            return taint_of((thing.taint, *(self.taint(item, seen) for item in thing.attributes.values())))
        return Taint()

    def unknown(self, parts: Iterable[Value | None] = (), kind: str = "") -> Ref:
        """Make an object of which only is known what may have entered it."""
        taint = taint_of([self.taint(part) for part in parts])
        return self.new(Object(kind=kind, taint=self.guessed(taint)))

    def guessed(self, taint: Taint) -> Taint:
        """Mark what entered as assumed."""
        if not (taint.deps or taint.marks):
            return taint
        derived = guess(taint.deps, self.cell)
        return replace(taint, deps=derived, marks={replace(dep, how="assumed"): cells for dep, cells in taint.marks.items()})

    def add_taint(self, ref: Value, parts: Iterable[Value | None]) -> None:
        """Let more enter an object: ``model.fit(X, y)``."""
        found = self.of(ref, Object)
        if found is not None:
            more = taint_of([self.taint(part) for part in parts])
            if more != Taint():
                self.put(ref, replace(found, taint=taint_of((found.taint, self.guessed(more)))))

    def col(self, value: Value) -> Col:
        """See any value as a column."""
        if isinstance(value, Col):
            return value
        if isinstance(value, Const):
            return Col(params=value.params, flags=frozenset({"scalar"}))
        table = self.table(value)
        if table is not None and len(table.columns) == 1 and not table.open:
            only = next(iter(table.columns.values()))
            return replace(only, rows=table.rows, origins=table.origins)
        items = self.items(value)
        if items is not None and items and not isinstance(self.thing(value), Map):
            return self.blend([self.col(item) for item in items], "identity")
        taint = self.taint(value)
        deps = at_least(taint.deps, "transformation", self.cell) if isinstance(value, Text) else taint.deps
        return Col(deps, taint.marks, taint.rows, taint.params, origins=taint.origins)

    def blend(self, cols: Iterable[Col], kind: str = "transformation") -> Col:
        """Compute one column from several."""
        found = list(cols)
        deps = merge(*(col.deps for col in found))
        first = next((col for col in found if col.deps or col.index), None)
        return Col(
            at_least(deps, kind, self.cell),  # type: ignore[arg-type]
            merge(*(col.marks for col in found)),
            merge(*(col.rows for col in found)),
            NO_NAMES.union(*(col.params for col in found)),
            name=first.name if first else None,
            index=first.index if first else (),
            lib=first.lib if first else "pandas",
            home=first.home if first else None,
            origins=NO_NAMES.union(*(col.origins for col in found)),
            flags=frozenset({"scalar"}) if found and all("scalar" in col.flags for col in found) else NO_NAMES,
        )

    # -- reading and writing

    def path(self, value: Value) -> str:
        """Return a path as text; ``*`` stands for what is not known."""
        if isinstance(value, Const):
            return str(value.value)
        if isinstance(value, Text):
            return "".join(part if isinstance(part, str) else "*" for part in value.parts)
        if isinstance(value, Choice):
            return self.path(value.options[0])
        return "?"

    def read(
        self, name: str, call: str, *, lib: str, only: Sequence[str] | None = None, params: frozenset[str] = NO_NAMES
    ) -> Table:
        """Record that something is read, and return it as a table."""
        self.reads.setdefault((name, self.cell, call), Access(name=name, cell=self.cell, call=call))
        here = frozenset({self.cell})
        if params:
            self.relation_params[name] = self.relation_params.get(name, NO_NAMES) | params
        known = self.columns_of(name)
        wanted = tuple(only) if only is not None else known
        base = {"params": params, "lib": lib, "origins": frozenset({name}), "name": name}
        if wanted is None:
            return Table(rest=(Rest(name, cells=here),), **base)  # type: ignore[arg-type]
        columns = {
            column: Col({Dep(name, column, "identity"): here}, name=column, lib=lib, params=params, origins=frozenset({name}))
            for column in wanted
        }
        return Table(columns=columns, **base)  # type: ignore[arg-type]

    def columns_of(self, name: str) -> tuple[str, ...] | None:
        """Return the columns of something read: as told, or as this code wrote it."""
        if name in self.schemas:
            return tuple(self.schemas[name])
        for written in reversed(self.writes):
            if written.name == name:
                table = written.table
                return None if table.open else tuple(table.columns)
        return None

    def write(self, name: str, table: Table, call: str, params: frozenset[str] = NO_NAMES) -> None:
        """Record that a table is written."""
        params = params.union(*(control.params for control in self.controls))
        self.accesses.setdefault((name, self.cell, call), Access(name=name, cell=self.cell, call=call))
        self.writes.append(Written(name, table, self.cell, call, params, nested=self.inside > 0))

    def write_other(self, name: str, call: str, value: Value | None = None, params: frozenset[str] = NO_NAMES) -> None:
        """Record that something is written that is no table, with what may have entered it."""
        taint = self.guessed(self.taint(value))
        self.write(name, taint_table(taint), call, params | taint.params)


def is_unknown(value: Value) -> bool:
    """Tell whether nothing is known of a value but what entered it."""
    return isinstance(value, (Taint, Lazy, Func, Class))

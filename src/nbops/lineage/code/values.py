"""The values of the abstract interpretation: constants, columns, tables, and what is known of everything else.

All are immutable. What Python code can change in place (tables, lists, mappings, objects) lives on the interpreter's heap and
is held by a :class:`Ref`, so that a branch costs a copy of two dictionaries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import ast

    from nbops.model import ColumnTransformation

__all__ = [
    "EMPTY",
    "NO_NAMES",
    "Bound",
    "Choice",
    "Class",
    "Col",
    "Const",
    "Dep",
    "Deps",
    "Func",
    "Group",
    "Lazy",
    "Map",
    "Module",
    "Object",
    "Ref",
    "Rest",
    "Scope",
    "Seq",
    "Table",
    "Taint",
    "Text",
    "Value",
    "as_influence",
    "at_least",
    "guess",
    "merge",
    "stamped",
    "taint_of",
]

How = Literal["sql", "static", "observed", "assumed"]
_STRENGTH: Mapping[str, int] = {"identity": 0, "transformation": 1, "aggregation": 2}


@dataclass(frozen=True, slots=True)
class Dep:
    """One column of something read (None: all of them), and what became of it."""

    source: str
    column: str | None
    kind: ColumnTransformation
    how: How = "static"


Deps = Mapping[Dep, frozenset[int]]
"""What something comes from, with the cells on the way."""
EMPTY: Deps = {}
NO_NAMES: frozenset[str] = frozenset()


def merge(*parts: Deps) -> Deps:
    """Return the union; cells of what is in several add up."""
    full = [part for part in parts if part]
    if not full:
        return EMPTY
    found = dict(full[0])
    for part in full[1:]:
        for dep, cells in part.items():
            known = found.get(dep)
            found[dep] = cells if known is None or known is cells else known | cells
    return found


def at_least(deps: Deps, kind: ColumnTransformation, cell: int) -> Deps:
    """Make derivations at least this strong: a transformed aggregate stays an aggregate."""
    found: dict[Dep, frozenset[int]] = {}
    for dep, cells in deps.items():
        new = dep if _STRENGTH.get(dep.kind, -1) >= _STRENGTH[kind] else replace(dep, kind=kind)
        found[new] = found.get(new, frozenset()) | cells | {cell}
    return found


def as_influence(deps: Deps, kind: ColumnTransformation, cell: int) -> Deps:
    """Turn anything into an influence of one kind."""
    found: dict[Dep, frozenset[int]] = {}
    for dep, cells in deps.items():
        new = replace(dep, kind=kind)
        found[new] = found.get(new, frozenset()) | cells | {cell}
    return found


def stamped(deps: Deps, cell: int) -> Deps:
    """Add a cell to the way of each."""
    return {dep: cells if cell in cells else cells | {cell} for dep, cells in deps.items()}


def guess(deps: Deps, cell: int) -> Deps:
    """Say of derivations that they are assumed: the code between is beyond analysis."""
    found: dict[Dep, frozenset[int]] = {}
    for dep, cells in deps.items():
        kind: ColumnTransformation = "transformation" if dep.kind == "identity" else dep.kind
        new = replace(dep, how="assumed", kind=kind)
        found[new] = found.get(new, frozenset()) | cells | {cell}
    return found


@dataclass(frozen=True, slots=True)
class Const:
    """A known plain value: text, number, None, a date... Paths are text with ``path`` set."""

    value: Any
    params: frozenset[str] = NO_NAMES
    path: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """Text of which parts are unknown."""

    parts: tuple[str | Value, ...]
    params: frozenset[str] = NO_NAMES
    path: bool = False


@dataclass(frozen=True, slots=True)
class Col:
    """A column, a series, an array, a row's cell or a number made from data."""

    deps: Deps = field(default_factory=dict)
    marks: Deps = field(default_factory=dict)
    """Influences on the value: ``window``, ``conditional``."""
    rows: Deps = field(default_factory=dict)
    """Influences on which rows there are, of the table it is of."""
    params: frozenset[str] = NO_NAMES
    name: str | None = None
    index: tuple[tuple[str | None, Col], ...] = ()
    origin: tuple[int, str] | None = None
    """Heap address and column of the pandas table that it is of."""
    lib: str = "pandas"
    origins: frozenset[str] = NO_NAMES
    """What is read for the rows it is of, for counting them."""
    home: int | None = None
    """Heap address of the Ibis table that it is of: names in its windows are those of that table."""
    flags: frozenset[str] = NO_NAMES
    """``index``, ``names`` (a table's column names), ``scalar``, ``desc``..."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Columns of which the names are unknown: all of a source's but those excluded, under their own names."""

    source: str
    excluded: frozenset[str] = NO_NAMES
    kind: ColumnTransformation = "identity"
    how: How = "static"
    cells: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Table:
    """A table: named columns, those of unknown name, and what chose the rows."""

    columns: Mapping[str, Col] = field(default_factory=dict)
    rest: tuple[Rest, ...] = ()
    wide: Deps | None = None
    """There are columns of which nothing is known; what any of them may come from."""
    rows: Deps = field(default_factory=dict)
    index: tuple[tuple[str | None, Col], ...] = ()
    params: frozenset[str] = NO_NAMES
    lib: str = "pandas"
    origins: frozenset[str] = NO_NAMES
    flags: frozenset[str] = NO_NAMES
    name: str | None = None

    @property
    def open(self) -> bool:
        """Whether there may be more columns than those known by name."""
        return bool(self.rest) or self.wide is not None


@dataclass(frozen=True, slots=True)
class Group:
    """A grouping, a rolling or expanding window, a resampling: a table (or one column) and what it is grouped by."""

    table: Table
    keys: tuple[Col, ...] = ()
    selected: tuple[str, ...] | None = None
    one: bool = False
    as_index: bool = True
    window: bool = False
    lib: str = "pandas"
    series: Col | None = None
    having: Deps = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lazy:
    """An expression over columns of a table that is not known yet (Polars' ``pl.col``, Ibis' ``_``)."""

    resolve: Callable[[Table, Any], tuple[Value, ...]]
    lib: str
    name: str | None = None
    parts: tuple[Any, ...] = ()
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Seq:
    """A list, tuple or set. ``exact``: these items in this order and no others."""

    items: tuple[Value, ...] = ()
    exact: bool = True
    kind: str = "list"


@dataclass(frozen=True, slots=True)
class Map:
    """A mapping with plain keys. ``exact``: these keys and no others; otherwise ``other`` stands for the rest."""

    items: Mapping[Any, Value] = field(default_factory=dict)
    exact: bool = True
    other: Value | None = None
    params: frozenset[str] = NO_NAMES


@dataclass(frozen=True, slots=True)
class Taint:
    """All that may have entered a value of which nothing more is known."""

    deps: Deps = field(default_factory=dict)
    marks: Deps = field(default_factory=dict)
    rows: Deps = field(default_factory=dict)
    params: frozenset[str] = NO_NAMES
    origins: frozenset[str] = NO_NAMES


@dataclass(frozen=True, slots=True)
class Object:
    """Any other object: attributes that are known, and what else may have entered it."""

    kind: str = ""
    attributes: Mapping[str, Value] = field(default_factory=dict)
    taint: Taint = field(default_factory=Taint)
    cls: Class | None = None


@dataclass(frozen=True, slots=True)
class Ref:
    """A :class:`Table`, :class:`Seq`, :class:`Map` or :class:`Object` on the heap."""

    at: int


@dataclass(frozen=True, slots=True)
class Module:
    """A module, or something inside a library, by its dotted name: ``pandas``, ``numpy.random``."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """Names of a function call, a module or the notebook; looked up outwards."""

    names: dict[str, Value]
    outer: Scope | None = None
    module: str = ""


@dataclass(frozen=True, slots=True)
class Func:
    """A function or lambda whose code is known."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    scope: Scope
    this: Value | None = None


@dataclass(frozen=True, slots=True)
class Class:
    """A class whose code is known."""

    node: ast.ClassDef
    scope: Scope


@dataclass(frozen=True, slots=True)
class Bound:
    """A method of a value, not called yet."""

    this: Value
    name: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several values; which one is known when the code runs only."""

    options: tuple[Value, ...]


Value = Const | Text | Col | Group | Lazy | Ref | Module | Func | Class | Bound | Choice | Taint


def taint_of(parts: Iterable[Taint]) -> Taint:
    """Return the union of all."""
    found = list(parts)
    return Taint(
        deps=merge(*(part.deps for part in found)),
        marks=merge(*(part.marks for part in found)),
        rows=merge(*(part.rows for part in found)),
        params=NO_NAMES.union(*(part.params for part in found)),
        origins=NO_NAMES.union(*(part.origins for part in found)),
    )

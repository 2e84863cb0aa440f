"""From what an analysis of SQL tells to values: names in the SQL may be tables that the code made."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from nbops.lineage.code.tables import column_of, table_taint, taint_table
from nbops.lineage.code.values import (
    NO_NAMES,
    Col,
    Dep,
    Rest,
    Table,
    as_influence,
    at_least,
    merge,
    stamped,
    taint_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nbops.lineage.code.machine import Machine
    from nbops.lineage.records import SqlLineage
    from nbops.model import ColumnEdge

__all__ = ["SqlResult", "follow_sql"]

_TARGET = "nbops_result"


@dataclass(slots=True)
class SqlResult:
    """What some SQL made."""

    table: Table
    """What its last query returns."""
    made: dict[str, Table] = field(default_factory=dict)
    """What it wrote, by name."""
    temporary: frozenset[str] = NO_NAMES


def follow_sql(
    machine: Machine, text: str, find: Callable[[str], Table | None], *, call: str, params: frozenset[str] = NO_NAMES
) -> SqlResult:
    """Analyse SQL.

    Args:
        machine: Where reads and notes go.
        text: The SQL.
        find: Returns the table that a name stands for, if the code made it.
        call: How it is called, for reads.
        params: Injected names that entered the text.
    """
    from nbops.lineage.sql import analyse_sql

    tables: dict[str, Table | None] = {}
    schemas: dict[str, tuple[str, ...]] = {}
    words = {word.casefold() for word in re.findall(r"[\w.$/*-]+", text)}
    for name in sorted({*re.findall(r"[^\W\d][\w$]*", text), *re.findall(r"'([^']+)'", text), *re.findall(r'"([^"]+)"', text)}):
        table = find(name)
        if table is not None:
            tables[name.casefold()] = table
            if not table.open:
                schemas[name] = tuple(table.columns)
        elif (known := machine.columns_of(name)) is not None:
            schemas[name] = known
    for name, columns in machine.schemas.items():
        if name.casefold() in words:
            schemas.setdefault(name, tuple(columns))
    found = analyse_sql(text, schemas=schemas, target=_TARGET)
    for note in found.notes:
        machine.note(f"SQL: {note}")
    for name in found.reads:
        if name.casefold() not in tables:
            tables[name.casefold()] = None
            machine.read(name, call, lib="relation", params=params)
    made = {name: _table_of(machine, found, name, tables, params) for name in (*found.writes, _TARGET)}
    result = made.pop(_TARGET)
    return SqlResult(result, made, frozenset(found.temporary))


def _table_of(
    machine: Machine, found: SqlLineage, target: str, tables: Mapping[str, Table | None], params: frozenset[str]
) -> Table:
    """Return one target of an analysis as a table, its sources replaced by what they are made of."""
    edges = [edge for edge in found.edges if edge.target == target]
    names = found.columns.get(target)
    builder = _Builder(machine, tables)
    for name in names or ():
        builder.columns.setdefault(name, Col(name=name, lib="relation"))
    for edge in edges:
        machine.step()
        builder.take(edge)
    sources = {edge.source.casefold() for edge in edges} or {name.casefold() for name in found.reads}
    inner = [table for name in sorted(sources) if (table := tables.get(name)) is not None]
    for table in inner:
        builder.rows.append(stamped(table.rows, machine.cell))
    origins = {edge.source for edge in edges if tables.get(edge.source.casefold()) is None}
    all_params = params.union(*(table.params for table in inner))
    known = frozenset(builder.columns)
    wide = builder.wide
    asked = target != _TARGET or not found.writes
    if asked and names is None and not builder.rest and wide is None and not builder.columns:
        wide = taint_table(taint_of([table_taint(table, machine.schemas) for table in inner])).wide
    return Table(
        columns=builder.columns,
        rest=tuple(replace(rest, excluded=rest.excluded | known) for rest in builder.rest) if names is None else (),
        wide=(wide or {}) if names is None and (wide is not None or not builder.rest) else None,
        rows=merge(*builder.rows),
        params=all_params,
        lib="relation",
        origins=frozenset(origins).union(*(table.origins for table in inner)),
    )


class _Builder:
    """Puts a table together, edge by edge."""

    def __init__(self, machine: Machine, tables: Mapping[str, Table | None]) -> None:
        self.machine = machine
        self.tables = tables
        self.columns: dict[str, Col] = {}
        self.rest: list[Rest] = []
        self.rows: list[Mapping[Dep, frozenset[int]]] = []
        self.wide: Mapping[Dep, frozenset[int]] | None = None

    def take(self, edge: ColumnEdge) -> None:
        """Add an edge."""
        table = self.tables.get(edge.source.casefold())
        if edge.kind == "derived" and edge.target_column is None:
            self._all(edge, table)
            return
        col = self._source(edge, table)
        if edge.kind == "derived":
            name = edge.target_column or ""
            known = self.columns.get(name, Col(name=name, lib="relation"))
            deps = at_least(col.deps, edge.transformation, self.machine.cell)
            marks = stamped(col.marks, self.machine.cell)
            self.columns[name] = replace(
                known, deps=merge(known.deps, deps), marks=merge(known.marks, marks), params=known.params | col.params
            )
        elif edge.target_column is not None:
            known = self.columns.get(edge.target_column, Col(name=edge.target_column, lib="relation"))
            more = as_influence(merge(col.deps, col.marks), edge.transformation, self.machine.cell)
            self.columns[edge.target_column] = replace(known, marks=merge(known.marks, more), params=known.params | col.params)
        else:
            self.rows.append(as_influence(merge(col.deps, col.marks), edge.transformation, self.machine.cell))

    def _source(self, edge: ColumnEdge, table: Table | None) -> Col:
        here = frozenset({self.machine.cell})
        if table is None:
            kind = edge.transformation if edge.kind == "derived" else "identity"
            params = self.machine.relation_params.get(edge.source, NO_NAMES)
            return Col({Dep(edge.source, edge.source_column, kind, edge.how): here}, params=params)
        if edge.source_column is None:
            if edge.transformation == "aggregation" or edge.kind == "influence":
                deps = {Dep(name, None, edge.transformation, "sql"): here for name in sorted(table.origins)}
                return Col(deps, params=table.params)
            taint = table_taint(table, self.machine.schemas)
            return Col(self.machine.guessed(taint).deps, taint.marks, params=taint.params)
        name = _spelt(table, edge.source_column)
        col = column_of(self.machine, table, name)
        return replace(col, deps=_by_sql(col.deps), marks=_by_sql(col.marks))

    def _all(self, edge: ColumnEdge, table: Table | None) -> None:
        """``SELECT *`` of a table whose columns are not known to the SQL; or a pivot's columns."""
        here = frozenset({self.machine.cell})
        if edge.transformation == "identity" and edge.source_column is None:
            if table is None:
                self.rest.append(Rest(edge.source, cells=here, how="sql"))
                return
            for name, col in table.columns.items():
                self.columns.setdefault(name, replace(col, lib="relation", index=()))
            self.rest.extend(table.rest)
            if table.wide is not None:
                self.wide = merge(self.wide or {}, table.wide)
            return
        col = self._source(edge, table)
        self.wide = merge(self.wide or {}, at_least(col.deps, edge.transformation, self.machine.cell))


def _by_sql(deps: Mapping[Dep, frozenset[int]]) -> Mapping[Dep, frozenset[int]]:
    return {replace(dep, how="sql") if dep.how == "static" else dep: cells for dep, cells in deps.items()}


def _spelt(table: Table, name: str) -> str:
    """Return a column's name as the table has it: SQL does not tell upper from lower case."""
    if name in table.columns:
        return name
    folded = name.casefold()
    return next((known for known in table.columns if known.casefold() == folded), name)

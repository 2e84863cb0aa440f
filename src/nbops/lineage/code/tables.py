"""Tables: their union, what entered them, and their columns however they are known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nbops.lineage.code.values import (
    EMPTY,
    NO_NAMES,
    Col,
    Dep,
    Rest,
    Table,
    Taint,
    guess,
    merge,
    stamped,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbops.lineage.code.machine import Machine
    from nbops.model import ColumnTransformation

__all__ = ["both", "column_of", "foreign", "table_taint", "taint_table", "union"]

VALUES = frozenset({"identity", "transformation", "aggregation"})


def union(tables: Sequence[Table]) -> Table:
    """Return what is one of several tables: each column from where it comes from in any of them."""
    if len(tables) == 1:
        return tables[0]
    columns: dict[str, Col] = {}
    for table in tables:
        for name, col in table.columns.items():
            known = columns.get(name)
            columns[name] = col if known is None else both(known, col)
    rest: dict[Rest, None] = dict.fromkeys(rest for table in tables for rest in table.rest)
    return replace(
        tables[0],
        columns=columns,
        rest=tuple(rest),
        wide=merge(*(table.wide for table in tables if table.wide is not None))
        if any(t.wide is not None for t in tables)
        else None,
        rows=merge(*(table.rows for table in tables)),
        params=NO_NAMES.union(*(table.params for table in tables)),
        origins=NO_NAMES.union(*(table.origins for table in tables)),
        index=max((table.index for table in tables), key=len),
    )


def both(left: Col, right: Col) -> Col:
    """Return a column that is one or the other, or is made of both alike."""
    if left is right:
        return left
    return replace(
        left,
        deps=merge(left.deps, right.deps),
        marks=merge(left.marks, right.marks),
        rows=merge(left.rows, right.rows),
        params=left.params | right.params,
        origins=left.origins | right.origins,
        index=left.index or right.index,
    )


def table_taint(table: Table, schemas: Mapping[str, Sequence[str]]) -> Taint:
    """Return all that entered a table: single columns, or "all of" a source when all of it did, or its columns are unknown."""
    cols = [*table.columns.values(), *(col for _, col in table.index)]
    deps = dict(merge(*(col.deps for col in cols)))
    for rest in table.rest:
        deps[Dep(rest.source, None, rest.kind, rest.how)] = rest.cells
    deps.update({dep: cells for dep, cells in (table.wide or EMPTY).items() if dep.kind in VALUES})
    whole = {dep.source for dep in deps if dep.column is None and dep.kind != "aggregation"}
    seen: dict[str, set[str]] = {}
    for dep in deps:
        if dep.column is not None:
            seen.setdefault(dep.source, set()).add(dep.column)
    whole |= {source for source, names in seen.items() if len(names) > 1 and names.issuperset(schemas.get(source, ("\0",)))}
    for dep in [dep for dep in deps if dep.source in whole and dep.column is not None]:
        cells = deps.pop(dep)
        wide = replace(dep, column=None)
        deps[wide] = deps.get(wide, frozenset()) | cells
    more = {dep: cells for dep, cells in (table.wide or EMPTY).items() if dep.kind not in VALUES}
    marks = merge(*(col.marks for col in cols), more)
    params = table.params.union(*(col.params for col in cols))
    return Taint(deps, marks, table.rows, params, table.origins)


def taint_table(taint: Taint, lib: str = "pandas") -> Table:
    """Return a table of which nothing is known but what may have entered it."""
    return Table(wide=merge(taint.deps, taint.marks), rows=taint.rows, params=taint.params, lib=lib, origins=taint.origins)


def column_of(machine: Machine, table: Table, name: str) -> Col:
    """Return a table's column, however it is known."""
    found = table.columns.get(name) or next((col for key, col in table.index if key == name), None)
    if found is not None:
        return replace(
            found, rows=table.rows, origins=table.origins, lib=table.lib, name=name, params=found.params | table.params
        )
    near = [rest for rest in table.rest if name not in rest.excluded]
    deps = {dep: cells for dep, cells in (table.wide or EMPTY).items() if dep.kind in VALUES}
    marks = {dep: cells for dep, cells in (table.wide or EMPTY).items() if dep.kind not in VALUES}
    if len(near) == 1 and table.wide is None:
        deps[Dep(near[0].source, name, near[0].kind, near[0].how)] = near[0].cells
    elif near:
        for rest in near:
            deps[Dep(rest.source, None, "transformation", "assumed")] = rest.cells
        machine.note(f"column {name!r} may be of {' or '.join(sorted({r.source for r in near}))}: their columns are not known")
    elif table.wide is None:
        machine.note(f"column {name!r} is not among the known columns of this table: taken to come from all of them")
        deps = dict(guess(table_taint(table, machine.schemas).deps, machine.cell))
    return Col(deps, marks, table.rows, table.params, name=name, lib=table.lib, origins=table.origins)


def foreign(table: Table, col: Col, cell: int) -> Col:
    """Make a column part of a table: what chose the rows that it was computed from becomes an influence on its value."""
    marks = dict(col.marks)
    for dep, cells in col.rows.items():
        if dep not in table.rows:
            kind: ColumnTransformation = "window" if dep.kind in {"group_by", "sort", "window"} else "conditional"
            new = replace(dep, kind=kind)
            marks[new] = marks.get(new, frozenset()) | cells
    return replace(
        col, deps=stamped(col.deps, cell), marks=stamped(marks, cell), rows=EMPTY, index=(), origin=None, flags=NO_NAMES
    )

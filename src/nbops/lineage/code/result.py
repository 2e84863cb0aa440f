"""From an interpretation to what is told: edges, columns, parameters, notes."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from nbops.lineage.code.records import CellFacts, CodeLineage
from nbops.lineage.code.values import Dep, Deps, Table, Value
from nbops.model import ColumnEdge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nbops.lineage.code.machine import Machine, Written

__all__ = ["assemble", "cell_facts"]

_STRENGTH = {"identity": 0, "transformation": 1, "aggregation": 2}
_KNOWN = {"assumed": 0, "sql": 1, "static": 2, "observed": 3}
Key = tuple[str, str | None, str, str | None, str]
_MOST = 2_000_000


def assemble(machine: Machine, cells: Iterable[CellFacts]) -> CodeLineage:
    """Return what an interpretation found."""
    edges: dict[Key, ColumnEdge] = {}
    columns: dict[str, tuple[str, ...] | None] = {}
    parameters: dict[str, set[str]] = {}
    for written in machine.writes:
        _edges_of(machine, written, edges)
        known = None if written.table.open else tuple(str(name) for name in written.table.columns)
        before = columns.get(written.name, ())
        columns[written.name] = (
            known if before == () or before is None or known is None else tuple(dict.fromkeys((*before, *known)))
        )
        parameters.setdefault(written.name, set()).update(written.params, written.table.params)
        for name, col in written.table.columns.items():
            if col.params:
                parameters.setdefault(f"{written.name}.{name}", set()).update(col.params)
                parameters[written.name].update(col.params)
    ordered = sorted(edges.values(), key=_order)
    return CodeLineage(
        reads=tuple(machine.reads.values()),
        writes=tuple(machine.accesses.values()),
        edges=tuple(ordered),
        columns=MappingProxyType(columns),
        parameters=MappingProxyType({name: tuple(sorted(found)) for name, found in sorted(parameters.items()) if found}),
        cells=tuple(cells),
        notes=tuple(machine.notes),
    )


def _order(edge: ColumnEdge) -> tuple[str, str, str, str, str, str]:
    return edge.target, edge.target_column or "", edge.kind, edge.source, edge.source_column or "", edge.transformation


def _edges_of(machine: Machine, written: Written, edges: dict[Key, ColumnEdge]) -> None:
    table = written.table
    for name, col in table.columns.items():
        _add(machine, edges, written, str(name), col.deps, "derived")
        _add(machine, edges, written, str(name), col.marks, "influence")
    for rest in table.rest:
        _add(machine, edges, written, None, {Dep(rest.source, None, rest.kind, rest.how): rest.cells}, "derived")
    if table.wide:
        values = {dep: cells for dep, cells in table.wide.items() if dep.kind in _STRENGTH}
        _add(machine, edges, written, None, {replace(dep, how="assumed"): cells for dep, cells in values.items()}, "derived")
        tests = {dep: cells for dep, cells in table.wide.items() if dep.kind not in _STRENGTH}
        _add(machine, edges, written, None, {replace(dep, how="assumed"): cells for dep, cells in tests.items()}, "influence")
    _add(machine, edges, written, None, table.rows, "influence")


def _add(machine: Machine, edges: dict[Key, ColumnEdge], written: Written, column: str | None, deps: Deps, kind: str) -> None:
    for dep, cells in deps.items():
        if not dep.source or len(edges) > _MOST:
            continue
        sort = "derived" if kind == "derived" else dep.kind
        key = (dep.source, dep.column, written.name, column, sort)
        known = edges.get(key)
        way = frozenset(cell for cell in cells if cell >= 0) | {written.cell}
        transformation, how = dep.kind, dep.how
        if known is not None:
            way |= set(known.cells)
            if kind == "derived" and _STRENGTH.get(known.transformation, 1) > _STRENGTH.get(transformation, 1):
                transformation = known.transformation
            if _KNOWN[known.how] > _KNOWN[how]:
                how = known.how
        edges[key] = ColumnEdge(
            source=dep.source,
            source_column=dep.column,
            target=written.name,
            target_column=column,
            kind="derived" if kind == "derived" else "influence",
            how=how,
            transformation=transformation,
            cells=tuple(sorted(way)),
        )


def cell_facts(machine: Machine, cell: int, before: dict[str, Table], names: dict[str, Value]) -> CellFacts:
    """Return which variables a cell bound, and which columns it gave to tables."""
    columns: dict[str, tuple[str, ...]] = {}
    for name, value in names.items():
        table = machine.table(value) if not name.startswith(("_", "\0")) else None
        if table is None:
            continue
        old = before.get(name)
        if old is table:
            continue
        new = tuple(str(column) for column, col in table.columns.items() if old is None or old.columns.get(column) != col)
        if new:
            columns[name] = new
    return CellFacts(cell=cell, variables=tuple(sorted(machine.variables.get(cell, ()))), columns=MappingProxyType(columns))

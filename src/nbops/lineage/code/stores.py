"""Assignments and deletions: to names, attributes, items, and columns of tables."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from nbops.lineage.code.iteration import element, iterate
from nbops.lineage.code.machine import MISSING, Machine
from nbops.lineage.code.tables import both, column_of, foreign, table_taint
from nbops.lineage.code.values import (
    EMPTY,
    Bound,
    Choice,
    Col,
    Const,
    Map,
    Object,
    Seq,
    Table,
    Taint,
    Value,
    as_influence,
    at_least,
    merge,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["assign", "conditional", "delete", "drop_columns", "rename_columns", "set_column", "with_column"]


def assign(machine: Machine, target: ast.expr, value: Value) -> None:
    """Bind a target to a value."""
    if isinstance(target, ast.Name):
        _bind(machine, target.id, value)
    elif isinstance(target, (ast.Tuple, ast.List)):
        _unpack(machine, target.elts, value)
    elif isinstance(target, ast.Starred):
        assign(machine, target.value, value)
    elif isinstance(target, ast.Attribute):
        _set_attribute(machine, machine.evaluate(target.value), target.attr, value)
    elif isinstance(target, ast.Subscript):
        base = machine.evaluate(target.value)
        if isinstance(base, Col) and base.origin is None and isinstance(target.value, ast.Name):
            _bind(machine, target.value.id, _patched(machine, base, machine.evaluate(target.slice), value))
        else:
            set_item(machine, base, target.slice, value)


def _bind(machine: Machine, name: str, value: Value) -> None:
    machine.scope.names[name] = value
    if machine.scope is machine.top:
        machine.variables.setdefault(machine.cell, set()).add(name)


def _unpack(machine: Machine, targets: Sequence[ast.expr], value: Value) -> None:
    items = iterate(machine, value)
    star = next((at for at, target in enumerate(targets) if isinstance(target, ast.Starred)), None)
    if items is not None and star is None and len(items) == len(targets):
        for target, item in zip(targets, items, strict=True):
            assign(machine, target, item)
    elif items is not None and star is not None and len(items) >= len(targets) - 1:
        after = len(targets) - star - 1
        middle = items[star : len(items) - after]
        given = [*items[:star], machine.new(Seq(tuple(middle))), *items[len(items) - after :]]
        for target, item in zip(targets, given, strict=True):
            assign(machine, target, item)
    else:
        for target in targets:
            assign(machine, target, element(machine, value))


def _set_attribute(machine: Machine, base: Value, name: str, value: Value) -> None:
    thing = machine.thing(base)
    if isinstance(thing, Object):
        machine.put(base, replace(thing, attributes={**thing.attributes, name: value}))
    elif isinstance(thing, Table):
        if name == "columns":
            names = machine.names(value)
            machine.put(base, rename_columns(machine, thing, names))
        elif name == "index":
            col = machine.col(value)
            machine.put(base, replace(thing, index=((col.name, col),) if col.deps else ()))
        elif name in thing.columns:
            set_column(machine, base, name, value)
    elif isinstance(base, Bound) and name == "name" and base.name in {"index", "columns"}:
        table = machine.of(base.this, Table)
        names = machine.names(value)
        if table is not None and names and base.name == "index" and len(table.index) == 1:
            machine.put(base.this, replace(table, index=((names[0], table.index[0][1]),)))


def rename_columns(machine: Machine, table: Table, names: Sequence[str] | None) -> Table:
    """Give all columns new names, in order."""
    if names is not None and not table.open and len(names) == len(table.columns):
        columns: dict[str, Col] = {}
        for name, col in zip(names, table.columns.values(), strict=True):
            columns[name] = both(columns[name], col) if name in columns else replace(col, name=name)
        return replace(table, columns=columns)
    whole = table_taint(table, machine.schemas)
    wide = at_least(whole.deps, "transformation", machine.cell)
    assumed = machine.guessed(replace(whole, deps=wide)).deps
    if names is None or len(set(names)) != len(names):
        machine.note("columns get names that are not known: each may come from any column")
        return Table(wide=assumed, rows=table.rows, params=table.params, lib=table.lib, origins=table.origins)
    machine.note("columns of unknown names get new ones by their order: each may come from any column")
    columns = {name: Col(assumed, whole.marks, name=name, lib=table.lib) for name in names}
    return replace(table, columns=columns, rest=(), wide=None)


def with_column(machine: Machine, table: Table, name: str, col: Col) -> Table:
    """Return a table with a column set."""
    new = replace(foreign(table, col, machine.cell), name=name, params=col.params | _controlled(machine), lib=table.lib)
    rest = tuple(replace(part, excluded=part.excluded | {name}) for part in table.rest) if table.rest else ()
    index = tuple(level for level in table.index if level[0] != name) if name not in table.columns else table.index
    return replace(table, columns={**table.columns, name: new}, rest=rest, index=index if table.lib == "pandas" else table.index)


def _controlled(machine: Machine) -> frozenset[str]:
    return frozenset().union(*(control.params for control in machine.controls))


def set_column(machine: Machine, ref: Value, name: str, value: Value) -> None:
    """Set a column of a table on the heap."""
    table = machine.of(ref, Table)
    if table is not None:
        machine.put(ref, with_column(machine, table, name, machine.col(value)))


def conditional(machine: Machine, options: Sequence[Col], test: Col) -> Col:
    """Return a column whose value is one of several, by a test."""
    blended = machine.blend(options)
    own = next((option for option in options if option.index or option.name), test)
    marks = merge(blended.marks, as_influence(merge(test.deps, test.marks), "conditional", machine.cell))
    return replace(
        blended,
        marks=marks,
        rows=merge(blended.rows, test.rows),
        params=blended.params | test.params,
        name=own.name,
        index=own.index,
        origins=blended.origins | test.origins,
        flags=blended.flags & test.flags,
    )


def _patched(machine: Machine, old: Col, key: Value, value: Value) -> Col:
    test = machine.col(key)
    return replace(conditional(machine, [old, machine.col(value)], test), name=old.name, index=old.index, lib=old.lib)


def set_item(machine: Machine, base: Value, key: ast.expr, value: Value) -> None:
    """``base[key] = value``."""
    if isinstance(base, Bound) and base.name in {"loc", "iloc", "at", "iat"}:
        _set_located(machine, base, key, value)
        return
    if isinstance(base, Choice):
        for option in base.options:
            set_item(machine, option, key, value)
        return
    found = machine.evaluate(key)
    thing = machine.thing(base)
    if isinstance(thing, Table):
        _set_in_table(machine, base, thing, found, value)
    elif isinstance(thing, Map):
        plain = machine.plain(found)
        params = thing.params
        if plain is not MISSING and _hashable(plain):
            machine.put(base, replace(thing, items={**thing.items, plain: value}, params=params))
        else:
            machine.put(base, replace(thing, exact=False, other=machine.unknown([thing.other, value, found])))
    elif isinstance(thing, Seq):
        plain = machine.plain(found)
        if isinstance(plain, int) and thing.exact and -len(thing.items) <= plain < len(thing.items):
            items = list(thing.items)
            items[plain] = value
            machine.put(base, replace(thing, items=tuple(items)))
        else:
            machine.put(base, replace(thing, items=(*thing.items, value), exact=False))
    elif isinstance(thing, Object):
        machine.add_taint(base, [value, found])
    elif isinstance(base, Col) and base.origin is not None:
        address, name = base.origin
        table = machine.heap.get(address)
        if isinstance(table, Table):
            machine.heap[address] = with_column(machine, table, name, _patched(machine, base, found, value))


def _hashable(plain: object) -> bool:
    try:
        hash(plain)
    except TypeError:
        return False
    return True


def _set_in_table(machine: Machine, base: Value, table: Table, key: Value, value: Value) -> None:
    names = machine.names(key)
    if names is not None:
        inner = machine.table(value)
        if len(names) == 1 or inner is None or inner.open or len(inner.columns) != len(names):
            parts = iterate(machine, value) if len(names) > 1 and inner is None else None
            for at, name in enumerate(names):
                one = parts[at] if parts is not None and len(parts) == len(names) else value
                set_column(machine, base, name, one)
        else:
            for name, col in zip(names, inner.columns.values(), strict=True):
                set_column(machine, base, name, replace(col, rows=inner.rows))
        return
    if isinstance(key, Col) and key.deps and "names" not in key.flags and not _is_name(key):
        _set_where(machine, base, table, key, None, value)
        return
    inner = machine.table(key)
    if inner is not None:
        test = machine.col(Taint(table_taint(inner, machine.schemas).deps))
        _set_where(machine, base, table, test, None, value)
        return
    machine.note("a column is set whose name is not known: any column may come from what it is set to")
    taint = machine.guessed(machine.taint(value))
    machine.put(base, replace(table, wide=merge(table.wide or EMPTY, taint.deps), params=table.params | taint.params))


def _is_name(key: Col) -> bool:
    return "scalar" in key.flags


def _set_where(machine: Machine, base: Value, table: Table, test: Col, names: Sequence[str] | None, value: Value) -> None:
    """``df.loc[test, names] = value``; names None: all columns."""
    new = machine.col(value)
    for name in names if names is not None else tuple(table.columns):
        table = machine.of(base, Table) or table
        known = name in table.columns or (table.open and names is None)
        old = [column_of(machine, table, name)] if known or table.rest else []
        set_column(
            machine,
            base,
            name,
            conditional(machine, [*old, new], test) if test.deps or test.marks else _mixed(machine, [*old, new]),
        )


def _mixed(machine: Machine, options: Sequence[Col]) -> Col:
    return machine.blend(options)


def _set_located(machine: Machine, base: Bound, key: ast.expr, value: Value) -> None:
    table = machine.of(base.this, Table)
    if table is None:
        return
    rows: ast.expr = key
    column: ast.expr | None = None
    if isinstance(key, ast.Tuple) and len(key.elts) == 2:
        rows, column = key.elts
    every = isinstance(rows, ast.Slice) and rows.lower is None and rows.upper is None
    test = Col() if isinstance(rows, ast.Slice) else machine.col(machine.evaluate(rows))
    names: Sequence[str] | None = None
    if column is not None and not (isinstance(column, ast.Slice) and column.lower is None and column.upper is None):
        found = machine.evaluate(column)
        if base.name in {"iloc", "iat"}:
            position = machine.plain(found)
            known = list(table.columns)
            inside = isinstance(position, int) and not table.open and -len(known) <= position < len(known)
            names = (known[position],) if inside else None
        else:
            names = machine.names(found)
        if names is None:
            _set_in_table(machine, base.this, table, Taint(), value)
            return
    if every and names is not None:
        _set_in_table(machine, base.this, table, machine.new(Seq(tuple(Const(name) for name in names))), value)
        return
    _set_where(machine, base.this, table, test, names, value)


def delete(machine: Machine, target: ast.expr) -> None:
    """``del name``, ``del df["a"]``."""
    if isinstance(target, ast.Name):
        machine.scope.names.pop(target.id, None)
    elif isinstance(target, (ast.Tuple, ast.List)):
        for one in target.elts:
            delete(machine, one)
    elif isinstance(target, ast.Subscript):
        base, key = machine.evaluate(target.value), machine.evaluate(target.slice)
        table, dictionary = machine.of(base, Table), machine.of(base, Map)
        names = machine.names(key)
        if table is not None and names is not None:
            machine.put(base, drop_columns(table, names))
        elif dictionary is not None:
            plain = machine.plain(key)
            if plain is not MISSING:
                left = {name: item for name, item in dictionary.items.items() if name != plain}
                machine.put(base, replace(dictionary, items=left))


def drop_columns(table: Table, names: Sequence[str]) -> Table:
    """Return a table without some columns."""
    gone = frozenset(names)
    return replace(
        table,
        columns={name: col for name, col in table.columns.items() if name not in gone},
        rest=tuple(replace(part, excluded=part.excluded | gone) for part in table.rest),
        index=tuple(level for level in table.index if level[0] not in gone),
    )

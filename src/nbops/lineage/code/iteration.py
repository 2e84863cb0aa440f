"""What a ``for`` loop, an unpacking or a comprehension goes over."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nbops.lineage.code.tables import union
from nbops.lineage.code.values import Choice, Col, Const, Group, Map, Object, Seq, Table, Value

if TYPE_CHECKING:
    from nbops.lineage.code.machine import Machine

__all__ = ["element", "iterate", "row_of"]


def iterate(machine: Machine, value: Value) -> list[Value] | None:
    """Return the items when all of them are known, else None."""
    items = machine.items(value)
    if items is not None:
        return list(items)
    if isinstance(value, Const) and isinstance(value.value, str) and len(value.value) <= 1000:
        return [Const(letter, value.params) for letter in value.value]
    if isinstance(value, Const) and isinstance(value.value, dict):
        return [Const(key, value.params) for key in value.value]
    table = machine.of(value, Table)
    if table is not None and not table.open and table.lib == "pandas":
        return [Const(name) for name in table.columns]
    if table is not None and not table.open and table.lib == "polars":
        return [replace(col, rows=table.rows) for col in table.columns.values()]
    return None


def element(machine: Machine, value: Value) -> Value:
    """Return what stands for any item of something of which not all items are known."""
    thing = machine.thing(value)
    if isinstance(thing, Seq):
        from nbops.lineage.code.joining import choose

        return choose(machine, list(thing.items)) if thing.items else machine.unknown()
    if isinstance(thing, Map):
        return machine.unknown(params_only(thing))
    if isinstance(value, Col):
        return replace(value, index=(), origin=None)
    if isinstance(value, Group):
        return group_element(machine, value)
    if isinstance(value, Choice):
        tables = [table for table in map(machine.table, value.options) if table is not None]
        if tables:
            return machine.new(union(tables))
    if isinstance(thing, Object) and thing.kind == "rows":
        return thing.attributes["row"]
    return machine.unknown([value], kind=thing.kind if isinstance(thing, Object) else "")


def params_only(thing: Map) -> list[Value]:
    """Return what stands for an unknown key of a mapping."""
    return [Const(None, thing.params)]


def group_element(machine: Machine, group: Group) -> Value:
    """Return key and part of a grouping."""
    table = group.table
    keys: tuple[Value, ...] = tuple(replace(key, rows=table.rows) for key in group.keys)
    key = keys[0] if len(keys) == 1 and group.lib == "pandas" else machine.new(Seq(keys, kind="tuple"))
    return machine.new(Seq((key, machine.new(table)), kind="tuple"))


def row_of(machine: Machine, table: Table) -> Value:
    """Return what stands for any row of a table: its cells are reached by the columns' names."""
    return machine.new(replace(table, flags=table.flags | {"row"}))

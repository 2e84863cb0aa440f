"""Attributes and items: ``value.name``, ``value[key]``."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from nbops.lineage.code.functions import class_member, load_module
from nbops.lineage.code.iteration import element
from nbops.lineage.code.joining import choose
from nbops.lineage.code.machine import MISSING, Machine
from nbops.lineage.code.multi import Multi
from nbops.lineage.code.operators import each_column, lift
from nbops.lineage.code.tables import column_of, table_taint
from nbops.lineage.code.texts import path_attribute
from nbops.lineage.code.values import (
    NO_NAMES,
    Bound,
    Choice,
    Class,
    Col,
    Const,
    Group,
    Lazy,
    Map,
    Module,
    Object,
    Ref,
    Seq,
    Table,
    Taint,
    Text,
    Value,
    as_influence,
    merge,
)
from nbops.lineage.code.words import FRAME_METHODS, IBIS_METHODS, METHODS_FIRST

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["filtered", "get_attribute", "get_item", "select", "widened"]

NAMESPACES = frozenset({"str", "dt", "cat", "list", "arr", "struct", "name", "bin", "sparse", "plot", "meta"})
_DATE_PARTS = frozenset(
    "year month day hour minute second microsecond nanosecond date time timetz dayofweek day_of_week weekday dayofyear "
    "day_of_year quarter days_in_month daysinmonth is_month_start is_month_end is_quarter_start is_quarter_end "
    "is_year_start is_year_end is_leap_year tz freq unit days seconds microseconds nanoseconds components codes categories "
    "ordered".split()
)
_SIZES = frozenset({"shape", "size", "empty", "ndim", "nbytes", "dtype", "hasnans", "is_unique", "dtypes"})


def get_attribute(machine: Machine, value: Value, name: str) -> Value:
    """Return ``value.name``."""
    if isinstance(value, Module):
        return _of_module(machine, value, name)
    if isinstance(value, Class):
        return class_member(machine, value, name, None) or Bound(value, name)
    if isinstance(value, (Const, Text)):
        return path_attribute(machine, value, name)
    if isinstance(value, Choice):
        table = machine.table(value)
        if table is not None:
            return get_attribute(machine, machine.new(table), name)
        return choose(machine, [get_attribute(machine, option, name) for option in value.options])
    if isinstance(value, Col):
        return _of_column(machine, value, name)
    if isinstance(value, Group):
        return _of_group(value, name)
    if isinstance(value, Bound):
        return _of_bound(machine, value, name)
    if isinstance(value, Lazy):
        if value.kind == "deferred":
            return Lazy(
                lambda table, context: (column_of(machine, table, name),), "ibis", name=name, kind="attribute", parts=(value,)
            )
        return Bound(value, name)
    thing = machine.thing(value)
    if isinstance(thing, Object):
        if name in thing.attributes:
            return thing.attributes[name]
        member = class_member(machine, thing.cls, name, value) if thing.cls is not None else None
        return member if member is not None else Bound(value, name)
    if isinstance(thing, Table):
        return _of_table(machine, value, thing, name)
    return Bound(value, name)


def _of_module(machine: Machine, module: Module, name: str) -> Value:
    whole = f"{module.name}.{name}"
    if whole in {"ibis._", "ibis.deferred"}:
        return Lazy(lambda table, context: (machine.new(table),), "ibis", kind="deferred")
    if whole in machine.modules:
        return Module(whole)
    if module.name in machine.modules:
        scope = load_module(machine, module.name)
        if name in scope.names:
            return scope.names[name]
        return machine.unknown()
    if whole in {"math.pi", "numpy.pi", "math.e", "numpy.e", "numpy.nan", "pandas.NA", "pandas.NaT", "math.inf", "numpy.inf"}:
        return Const(0.5)
    if whole == "os.sep":
        return Const("/")
    return Module(whole)


def _of_group(group: Group, name: str) -> Value:
    if group.lib == "pandas" and group.series is None and name in group.table.columns:
        return replace(group, selected=(name,), one=True)
    return Bound(group, name)


def _of_bound(machine: Machine, value: Bound, name: str) -> Value:
    if value.name in NAMESPACES:
        if value.name == "dt" and name in _DATE_PARTS and isinstance(value.this, Col) and value.this.lib == "pandas":
            return machine.blend([value.this])
        if value.name == "cat" and name in _DATE_PARTS and isinstance(value.this, Col):
            return machine.blend([value.this])
        return Bound(value.this, f"{value.name}.{name}")
    if isinstance(value.this, Lazy) and value.this.lib == "ibis":
        return Bound(value, name)
    table = machine.of(value.this, Table)
    if table is not None and value.name == "columns" and table.lib != "ibis":
        return Bound(column_names(machine, table), name)
    if table is not None and value.name == "index":
        return get_attribute(machine, index_of(table), name)
    if table is None and machine.of(value.this, Object) is not None:
        return Bound(machine.unknown([value]), name)
    return Bound(value, name)


def column_names(machine: Machine, table: Table) -> Value:
    """Return a table's column names as a list."""
    items = tuple(Const(name.levels if isinstance(name, Multi) else name) for name in table.columns)
    return machine.new(Seq(items, exact=not table.open, kind="columns"))


def index_of(table: Table) -> Value:
    """Return a pandas index as a column."""
    if not table.index:
        return Col(rows=table.rows, origins=table.origins, flags=frozenset({"index"}))
    name, col = table.index[0]
    cols = [level for _, level in table.index]
    return replace(col, deps=merge(*(one.deps for one in cols)), name=name, rows=table.rows, flags=frozenset({"index"}))


def _of_table(machine: Machine, value: Value, table: Table, name: str) -> Value:
    row = "row" in table.flags
    methods = IBIS_METHODS if table.lib == "ibis" else METHODS_FIRST
    if (name in table.columns and name not in methods) or (row and name not in {"_asdict", "_fields"}):
        return get_column(machine, value, table, name)
    if name in {"columns", "column_names"}:
        return column_names(machine, table)
    if name == "index" and table.lib == "pandas":
        return index_of(table)
    if name in _SIZES:
        return _counted(table)
    if name == "values" and table.lib == "pandas":
        return machine.col(table_taint(table, machine.schemas))
    if name == "T":
        from nbops.lineage.code.frames import transposed

        return machine.new(transposed(machine, table))
    if table.lib == "ibis" and table.rest and name not in IBIS_METHODS:
        return get_column(machine, value, table, name)
    if table.lib == "pandas" and table.rest and name not in FRAME_METHODS:
        return get_column(machine, value, table, name)
    return Bound(value, name)


def _counted(table: Table) -> Col:
    from nbops.lineage.code.columns import row_count

    return replace(row_count(table, 0), flags=frozenset({"scalar"}))


def _of_column(machine: Machine, value: Col, name: str) -> Value:
    if name in {"values", "array", "T", "flat"}:
        return value
    if name == "index":
        if value.index:
            level, col = value.index[0]
            return replace(col, name=level, flags=frozenset({"index"}))
        return Col(rows=value.rows, origins=value.origins, flags=frozenset({"index"}))
    if name in _SIZES:
        return replace(machine.blend([value], "aggregation"), flags=frozenset({"scalar"}))
    if name == "name" and value.lib == "pandas":
        return Const(value.name) if value.name else Taint()
    if name in _DATE_PARTS and ("index" in value.flags or "scalar" in value.flags or "cell" in value.flags):
        return machine.blend([value])
    return Bound(value, name)


def get_column(machine: Machine, value: Value, table: Table, name: str) -> Col:
    """Return a column of a table on the heap."""
    col = column_of(machine, table, name)
    origin = (value.at, name) if table.lib == "pandas" and hasattr(value, "at") and "row" not in table.flags else None
    index = table.index if table.lib == "pandas" else ()
    flags = frozenset({"cell"}) if "row" in table.flags else NO_NAMES
    home = value.at if table.lib == "ibis" and isinstance(value, Ref) else None
    return replace(col, origin=origin, index=index, flags=flags, home=home)


def select(machine: Machine, table: Table, names: Sequence[str]) -> Table:
    """Return a table of some columns, in this order."""
    columns = {name: replace(column_of(machine, table, name), rows={}, index=()) for name in names}
    return replace(table, columns=columns, rest=(), wide=None, flags=NO_NAMES)


def widened(machine: Machine, table: Table, why: str, extra: Sequence[Value | None] = ()) -> Table:
    """Return a table of which the columns are no longer known: any may come from all columns that went in."""
    machine.note(why)
    parts = [table_taint(table, machine.schemas), *(machine.taint(value) for value in extra)]
    from nbops.lineage.code.tables import taint_table
    from nbops.lineage.code.values import taint_of

    made = taint_table(machine.guessed(taint_of(parts)), table.lib)
    return replace(made, rows=merge(*(part.rows for part in parts)))


def filtered(machine: Machine, table: Table, test: Col) -> Table:
    """Return a table of the rows for which a test holds."""
    more = as_influence(merge(test.deps, test.marks), "filter", machine.cell)
    others = {dep: cells for dep, cells in test.rows.items() if dep not in table.rows}
    return replace(table, rows=merge(table.rows, more, others), params=table.params | test.params, flags=table.flags - {"row"})


def get_item(machine: Machine, value: Value, node: ast.expr) -> Value:
    """Return ``value[node]``."""
    if isinstance(value, Bound):
        if value.name in {"loc", "iloc", "at", "iat"}:
            return _located(machine, value, node)
        if value.name in NAMESPACES:
            return machine.blend([machine.col(value.this)])
    key = machine.evaluate(node)
    return item_of(machine, value, key)


def item_of(machine: Machine, value: Value, key: Value) -> Value:
    """Return an item by a key that is a value already."""
    if isinstance(value, Choice):
        table = machine.table(value)
        if table is None:
            return choose(machine, [item_of(machine, option, key) for option in value.options])
        value = machine.new(table)
    thing = machine.thing(value)
    if isinstance(thing, Table):
        return _of_table_item(machine, value, thing, key)
    if isinstance(thing, Map):
        return _of_map(machine, thing, key)
    if isinstance(thing, Seq):
        return _of_sequence(machine, value, thing, key)
    if isinstance(value, Group):
        names = machine.names(key)
        if names is None:
            machine.note("columns of a grouping are chosen by names that are not known")
            return value
        return replace(value, selected=names, one=isinstance(key, Const))
    if isinstance(value, Col):
        return _of_series(machine, value, key)
    if isinstance(value, Const):
        plain = machine.plain(key)
        try:
            return Const(value.value[plain], value.params) if plain is not MISSING else machine.unknown([value, key])
        except Exception:  # noqa: BLE001 - what the notebook's own constants raise is theirs
            return machine.unknown([value, key])
    if isinstance(value, Bound) and isinstance(value.this, Lazy):
        return lift(machine, value.this, [value.this], machine.blend)
    if isinstance(value, Lazy):
        names = machine.names(key)
        if value.kind == "deferred" and names:
            return get_attribute(machine, value, names[0])
        return lift(machine, value, [value], machine.blend)
    if isinstance(thing, Object):
        from nbops.lineage.code.numbers import archive_item

        return archive_item(machine, value, thing, key)
    return machine.unknown([value, key])


def _of_map(machine: Machine, thing: Map, key: Value) -> Value:
    plain = machine.plain(key)
    if plain is not MISSING:
        try:
            found = thing.items.get(plain)
        except TypeError:
            found = None
        if found is not None:
            return found
        return thing.other if thing.other is not None else machine.unknown([Const(None, thing.params)])
    options = list(thing.items.values())
    if machine.taint(key).deps and options and all(isinstance(option, (Const, Col)) for option in options):
        made = machine.blend([machine.col(key)])  # a value looked up by data is made of it, as by `map`
        cols = [option for option in options if isinstance(option, Col)]
        return machine.blend([made, *cols]) if cols else made
    if thing.other is not None:
        options.append(thing.other)
    return choose(machine, options) if options else machine.unknown([key])


def _of_sequence(machine: Machine, value: Value, thing: Seq, key: Value) -> Value:
    plain = machine.plain(key)
    if isinstance(plain, int) and thing.exact and -len(thing.items) <= plain < len(thing.items):
        return thing.items[plain]
    if isinstance(plain, slice):
        return machine.new(replace(thing, items=thing.items[plain] if thing.exact else thing.items))
    return element(machine, value)


def _of_series(machine: Machine, value: Col, key: Value) -> Value:
    plain = machine.plain(key)
    if plain is not MISSING and not isinstance(plain, (list, tuple)):
        scalar = frozenset() if isinstance(plain, slice) else frozenset({"scalar"})
        return replace(value, flags=value.flags | scalar, origin=None)
    test = machine.col(key)
    if not (test.deps or test.marks):
        return replace(value, origin=None)
    more = as_influence(merge(test.deps, test.marks), "filter", machine.cell)
    return replace(value, rows=merge(value.rows, more), params=value.params | test.params, origin=None)


def _of_table_item(machine: Machine, value: Value, table: Table, key: Value) -> Value:
    plain = machine.plain(key)
    if isinstance(plain, slice):
        return machine.new(replace(table, flags=table.flags - {"row"}))
    if isinstance(plain, int) and not isinstance(plain, bool) and table.lib in {"polars", "pandas", "ibis", "numpy"}:
        known = list(table.columns)
        if str(plain) in table.columns:
            return get_column(machine, value, table, str(plain))
        if table.lib == "pandas" and not table.open and -len(known) <= plain < len(known):
            return get_column(machine, value, table, known[plain])
        return machine.new(table)
    names = machine.names(key)
    if names is not None:
        if isinstance(plain, str) or isinstance(key, Const):
            return get_column(machine, value, table, names[0])
        if isinstance(plain, tuple) and table.lib == "pandas":
            return get_column(machine, value, table, str(plain))
        return machine.new(select(machine, table, names))
    if isinstance(key, Lazy):
        return machine.new(_by_lazy(machine, table, key))
    if isinstance(key, Col) and "scalar" not in key.flags:
        return machine.new(filtered(machine, table, key))
    inner = machine.table(key)
    if inner is not None:
        test = machine.col(table_taint(inner, machine.schemas))
        from nbops.lineage.code.stores import conditional

        return machine.new(each_column(machine, table, lambda col: conditional(machine, [col], test)))
    items = machine.items(key)
    if items is not None and any(isinstance(item, Col) for item in items):
        for item in items:
            table = filtered(machine, table, machine.col(item))
        return machine.new(table)
    if isinstance(key, Taint) or machine.of(key, Object) is not None:
        return machine.new(widened(machine, table, "columns are chosen by names that are not known", [key]))
    seq = machine.of(key, Seq)
    if seq is not None and seq.items:
        known_names = [machine.plain(item) for item in seq.items]
        if all(isinstance(name, str) for name in known_names):
            made = select(machine, table, [str(name) for name in known_names])
            return machine.new(
                replace(made, wide=widened(machine, table, "some columns are chosen by names that are not known").wide)
            )
    return machine.new(widened(machine, table, "columns are chosen in a way that is not known", [key]))


def _by_lazy(machine: Machine, table: Table, key: Lazy) -> Table:
    for test in key.resolve(table, None):
        table = filtered(machine, table, machine.col(test))
    return table


def _located(machine: Machine, value: Bound, node: ast.expr) -> Value:
    this = value.this
    if isinstance(this, Col):
        return _of_series(machine, this, machine.evaluate(node))
    table = machine.table(this)
    if table is None:
        return machine.unknown([this])
    rows, column = (node.elts[0], node.elts[1]) if isinstance(node, ast.Tuple) and len(node.elts) == 2 else (node, None)
    key = machine.evaluate(rows)
    if hasattr(key, "node"):  # a function of the table: df.loc[lambda d: ...]
        from nbops.lineage.code.expressions import Arguments

        key = machine.call(key, Arguments([machine.new(table)]))
    if not isinstance(rows, ast.Slice) and machine.plain(key) is MISSING:
        table = filtered(machine, table, machine.col(key))
    one_row = machine.plain(key) is not MISSING and not isinstance(machine.plain(key), (slice, list))
    if column is None or (isinstance(column, ast.Slice) and column.lower is None and column.upper is None):
        return machine.new(replace(table, flags=table.flags | {"row"}) if one_row else table)
    return _located_columns(machine, value, table, column, one_row=one_row)


def _located_columns(machine: Machine, value: Bound, table: Table, column: ast.expr, *, one_row: bool) -> Value:
    found = machine.evaluate(column)
    known = list(table.columns)
    plain = machine.plain(found)
    if isinstance(column, ast.Slice):
        return machine.new(_sliced(machine, table, column))
    if value.name in {"iloc", "iat"}:
        positions = plain if isinstance(plain, list) else [plain]
        if table.open or not all(isinstance(at, int) and -len(known) <= at < len(known) for at in positions):
            made = widened(machine, table, "columns are chosen by position, and their order is not known")
            return machine.new(made) if isinstance(plain, list) else machine.col(machine.new(made))
        names: Sequence[str] | None = [known[at] for at in positions]
        single = not isinstance(plain, list)
    else:
        names = machine.names(found)
        single = isinstance(found, Const)
    if names is None:
        if isinstance(found, Col) and "names" not in found.flags:
            return machine.new(widened(machine, table, "columns are chosen by data", [found]))
        return machine.new(widened(machine, table, "columns are chosen by names that are not known", [found]))
    if single:
        col = get_column(machine, machine.new(table), table, names[0])
        return replace(col, origin=None, flags=col.flags | {"scalar"} if one_row else col.flags)
    return machine.new(select(machine, table, names))


def _sliced(machine: Machine, table: Table, node: ast.Slice) -> Table:
    """``df.loc[:, "a":"c"]``, ``df.iloc[:, :3]``."""
    known = list(table.columns)
    ends = [machine.plain(machine.evaluate(end)) if end is not None else None for end in (node.lower, node.upper)]
    if table.open or any(end is MISSING for end in ends):
        return widened(machine, table, "columns are chosen by a slice, and their order is not known")
    low, high = ends
    first = known.index(low) if isinstance(low, str) and low in known else low if isinstance(low, int) else None
    last = known.index(high) + 1 if isinstance(high, str) and high in known else high if isinstance(high, int) else None
    return select(machine, table, known[first:last])

"""Ibis: tables, their methods, and the functions of the module."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from nbops.lineage.code.access import filtered, get_column
from nbops.lineage.code.columns import row_count
from nbops.lineage.code.duckdb_ import run_local
from nbops.lineage.code.frames import frame_method
from nbops.lineage.code.frames_rows import chosen, renamed
from nbops.lineage.code.groups import without_order
from nbops.lineage.code.ibis_joins import JOIN_METHODS, join_tables
from nbops.lineage.code.ibis_values import value_function
from nbops.lineage.code.ibis_values import values_of as resolved
from nbops.lineage.code.operators import each_column
from nbops.lineage.code.pandas_ import make_frame
from nbops.lineage.code.polars_frames import placed
from nbops.lineage.code.reshaping import stacked
from nbops.lineage.code.stores import drop_columns, rename_columns, with_column
from nbops.lineage.code.tables import column_of, table_taint, union
from nbops.lineage.code.values import (
    NO_NAMES,
    Choice,
    Col,
    Const,
    Group,
    Map,
    Object,
    Table,
    Taint,
    Value,
    as_influence,
    at_least,
    merge,
)
from nbops.lineage.code.writing import write_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nbops.lineage.code.expressions import Arguments
    from nbops.lineage.code.machine import Machine
    from nbops.lineage.code.methods import Method

__all__ = ["backend_method", "ibis_function", "ibis_group_method", "ibis_method"]

_WRITES = frozenset({"to_parquet", "to_csv", "to_json", "to_delta", "to_xlsx", "to_parquet_dir"})
_SAME = frozenset(
    {"head", "limit", "view", "as_table", "alias", "cache", "sample", "tail", "unbind", "preview", "__getitem__", "bind"}
)
_OUT = {"execute": "pandas", "to_pandas": "pandas", "to_polars": "polars", "to_pyarrow": "arrow", "to_pyarrow_batches": "arrow"}


def ibis_function(machine: Machine, name: str, args: Arguments) -> Value:
    """Return what a function of Ibis returns."""
    last = name.rsplit(".", 1)[-1]
    if last in {"connect", "get_backend"} or (re.fullmatch(r"ibis\.\w+\.(connect|from_connection)", name) is not None):
        return machine.new(Object(kind="ibis connection"))
    if last.startswith("read_"):
        return _read(machine, last, args)
    if last == "memtable":
        data = args.get(0, "data")
        table = machine.table(data) if data is not None else None
        if table is not None:
            return machine.new(replace(table, lib="ibis", index=(), flags=NO_NAMES))
        return make_frame(machine, data, args.get(None, "columns"), "ibis")
    if last == "table":
        return _declared(machine, args)
    if last in {"union", "join", "intersect", "difference"} and args.pos and machine.table(args.pos[0]) is not None:
        return ibis_method(machine, args.pos[0], machine.table(args.pos[0]) or Table(), last, type(args)(args.pos[1:], args.kw))
    if last in {"set_backend", "options"}:
        return Taint()
    if last == "to_sql" and args.pos:
        return machine.unknown(args.pos)
    return value_function(machine, name, args)


def _read(machine: Machine, name: str, args: Arguments) -> Value:
    target = args.get(0, "paths", "path", "source") or Const("?")
    items = machine.items(target) if not isinstance(target, Const) else None
    options = items if items is not None else target.options if isinstance(target, Choice) else [target]
    tables = []
    for one in options:
        path = machine.path(one)
        if path == "?":
            machine.note(f"{name}: what is read is not known")
        tables.append(machine.read(path, f"ibis.{name}", lib="ibis", params=machine.params(one)))
    return machine.new(replace(union(tables), name=None))


def _declared(machine: Machine, args: Arguments) -> Value:
    schema, name = args.get(0, "schema"), machine.plain(args.get(None, "name") or Const(None))
    if not isinstance(name, str) and len(args.pos) > 1:
        name = machine.plain(args.pos[1])
    columns = machine.of(schema, Map) if schema is not None else None
    only = [str(key) for key in columns.items] if columns is not None else None
    if isinstance(name, str):
        return machine.new(machine.read(name, "ibis.table", lib="ibis", only=only))
    return machine.new(Table(columns={key: Col(name=key, lib="ibis") for key in only or ()}, lib="ibis"))


def backend_method(machine: Machine, ref: Value, name: str, args: Arguments) -> Value:
    """Return what a method of a connection returns."""
    thing = machine.of(ref, Object)
    if name.startswith("read_"):
        made = _read(machine, name, args)
        given = machine.plain(args.get(1, "table_name") or Const(None))
        if isinstance(given, str) and thing is not None:
            machine.put(ref, replace(thing, attributes={**thing.attributes, f"relation {given}": made}))
        return made
    if name == "table":
        given = machine.plain(args.get(0, "name") or Const(None))
        if thing is not None and f"relation {given}" in thing.attributes:
            return thing.attributes[f"relation {given}"]
        shown = machine.path(args.get(0, "name") or Const("?"))
        database = machine.plain(args.get(None, "database", "schema") or Const(None))
        whole = f"{database}.{shown}" if isinstance(database, str) else shown
        return machine.new(machine.read(whole, "ibis.table", lib="ibis", params=machine.params(args.get(0, "name"))))
    if name == "sql":
        tables = {
            key.removeprefix("relation "): table
            for key, value in (thing.attributes if thing else {}).items()
            if (table := machine.table(value))
        }
        return run_local(machine, args.get(0, "query") or Const(""), lib="ibis", call="ibis.sql", tables=tables)
    if name in {"create_table", "create_view", "insert"}:
        return _create(machine, ref, name, args)
    if name in {"to_parquet", "to_csv", *_OUT} and args.pos:
        table = machine.table(args.pos[0])
        if table is not None:
            return ibis_method(machine, args.pos[0], table, name, type(args)(args.pos[1:], args.kw))
        col = args.pos[0]
        return replace(col, lib="pandas") if isinstance(col, Col) else machine.unknown(args.all())
    if name == "tables":
        return ref
    return machine.unknown(args.all())


def _create(machine: Machine, ref: Value, name: str, args: Arguments) -> Value:
    given, data = args.get(0, "name", "table_name"), args.get(1, "obj")
    table = machine.table(data) if data is not None else None
    thing = machine.of(ref, Object)
    if given is None or thing is None:
        return Taint()
    shown = machine.path(given)
    if table is None:
        machine.note(f"{name}: of what is not known")
        return machine.unknown(args.all())
    made = machine.new(replace(table, lib="ibis", name=None))
    if name == "create_view" or machine.plain(args.get(None, "temp") or Const(value=False)) is True:
        machine.put(ref, replace(thing, attributes={**thing.attributes, f"relation {shown}": made}))
    else:
        machine.write(shown, table, f"ibis.{name}", machine.params(given))
    return made


def ibis_method(machine: Machine, ref: Value, table: Table, name: str, args: Arguments) -> Value:
    """Return what a method of a table returns."""
    if name in _WRITES:
        return write_table(machine, table, name, args)
    if name in _OUT:
        return machine.new(replace(table, lib=_OUT[name], name=None, flags=NO_NAMES))
    if name in _METHODS:
        found = _METHODS[name](machine, table, args)
        return machine.new(found) if isinstance(found, Table) else found
    if name in _SAME:
        return machine.new(table)
    if name.endswith("join") and name != "join":
        how = name.removesuffix("_join").removeprefix("any_")
        kw = {**args.kw, "how": Const(how)}
        return machine.new(join_tables(machine, table, type(args)(args.pos, kw)))
    if name in {"schema", "get_name", "compile", "visualize", "has_name", "equals", "op", "get_backend", "columns"}:
        return Taint()
    if name == "pipe" and args.pos:
        return machine.call(args.pos[0], type(args)([ref, *args.pos[1:]], args.kw))
    return frame_method(machine, ref, name, args)


def _named(machine: Machine, table: Table, args: Arguments) -> list[Col]:
    cols = resolved(machine, table, args.pos)
    for name, value in args.kw.items():
        cols.extend(replace(col, name=name) for col in resolved(machine, table, [value])[:1])
    if args.extra:
        machine.note("columns that are known when it runs only")
        whole = machine.guessed(table_taint(table, machine.schemas))
        cols.append(Col(whole.deps, whole.marks, flags=frozenset({"wide"})))
    return cols


def _mutate(machine: Machine, table: Table, args: Arguments) -> Table:
    return placed(machine, table, _named(machine, table, args), keep=True)


def _select(machine: Machine, table: Table, args: Arguments) -> Table:
    whole = [one for value in args.pos if (one := machine.table(value)) is not None]
    base = placed(machine, table, _named(machine, table, args), keep=False)
    if table.open and any(table is one or one.rest == table.rest for one in whole):
        return replace(base, columns={**table.columns, **base.columns}, rest=table.rest)
    return base


def _filter(machine: Machine, table: Table, args: Arguments) -> Table:
    for test in resolved(machine, table, args.pos, strings=False):
        table = filtered(machine, table, test)
    return table


def _group_by(machine: Machine, table: Table, args: Arguments) -> Group:
    given = [*args.pos, *([args.kw["by"]] if "by" in args.kw else [])]
    keys = resolved(machine, table, given)
    keys.extend(
        replace(col, name=name)
        for name, value in args.kw.items()
        if name != "by"
        for col in resolved(machine, table, [value])[:1]
    )
    return Group(table, tuple(keys), lib="ibis")


def _aggregate(machine: Machine, table: Table, args: Arguments) -> Table:
    by = [args.kw["by"]] if "by" in args.kw else []
    having = args.kw.get("having")
    rest = {name: value for name, value in args.kw.items() if name not in {"by", "having"}}
    keys = resolved(machine, table, by)
    metrics = _named(machine, table, type(args)(args.pos, rest, args.extra))
    tests = resolved(machine, table, [having], strings=False) if having is not None else []
    return _grouped(machine, table, keys, metrics, tests)


def _grouped(machine: Machine, table: Table, keys: Sequence[Col], metrics: Sequence[Col], having: Sequence[Col] = ()) -> Table:
    rows = without_order(chosen(machine, table, keys, "group_by")) if keys else without_order(table)
    if having:
        rows = chosen(machine, rows, having, "filter")
    columns = {key.name or "": replace(key, rows={}, index=(), flags=NO_NAMES) for key in keys}
    base = replace(rows, columns=columns, rest=(), wide=None, flags=NO_NAMES, rows=table.rows)
    gathered = [replace(col, deps=at_least(col.deps, "aggregation", machine.cell), rows=table.rows) for col in metrics]
    return replace(placed(machine, base, gathered, keep=True), rows=rows.rows)


def ibis_group_method(machine: Machine, group: Group, name: str, args: Arguments) -> Value:
    """Return what a method of a grouping returns."""
    table = group.table
    if name in {"aggregate", "agg"}:
        metrics = _named(machine, table, args)
        tests = [Col(group.having)] if group.having else []
        return machine.new(_grouped(machine, table, group.keys, metrics, tests))
    if name in {"count", "size"}:
        counted = replace(row_count(table, machine.cell), name="count", lib="ibis")
        return machine.new(_grouped(machine, table, group.keys, [counted]))
    if name in {"mutate", "select"}:
        from nbops.lineage.code.columns import windowed

        keys = [replace(key, rows={}) for key in group.keys]
        order = [Col(group.having)] if group.window else []
        cols = [windowed(machine, col, [*keys, *order]) for col in _named(machine, table, args)]
        return machine.new(placed(machine, table, cols, keep=name == "mutate"))
    if name == "order_by":
        found = resolved(machine, table, args.pos)
        return replace(group, window=True, having=merge(group.having, *(col.deps for col in found)))
    if name == "having":
        found = resolved(machine, table, args.pos, strings=False)
        return replace(group, having=merge(group.having, *(merge(col.deps, col.marks) for col in found)))
    return machine.unknown([group, *args.all()])


def _order_by(machine: Machine, table: Table, args: Arguments) -> Table:
    given = [*args.pos, *([args.kw["by"]] if "by" in args.kw else [])]
    return chosen(machine, table, resolved(machine, table, given), "sort")


def _distinct(machine: Machine, table: Table, args: Arguments) -> Table:
    on = args.get(None, "on")
    cols = resolved(machine, table, [on]) if on is not None else [replace(col, rows=table.rows) for col in table.columns.values()]
    if on is None and table.open:
        taint = table_taint(table, machine.schemas)
        cols = [Col(taint.deps, taint.marks)]
    return chosen(machine, table, cols, "group_by")


def _drop(machine: Machine, table: Table, args: Arguments) -> Table:
    return drop_columns(table, [col.name for col in resolved(machine, table, args.pos) if col.name and "wide" not in col.flags])


def _rename(machine: Machine, table: Table, args: Arguments) -> Table:
    names = {str(machine.plain(old)): new for new, old in args.kw.items() if isinstance(machine.plain(old), str)}
    given = machine.plain(args.pos[0]) if args.pos else None
    if isinstance(given, dict):
        names.update({str(old): str(new) for new, old in given.items()})
    elif isinstance(given, str) and not table.open:
        change: Mapping[str, Callable[[str], str]] = {
            "snake_case": lambda text: re.sub(r"\W+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)).strip("_").lower(),
            "ALL_CAPS": lambda text: re.sub(r"\W+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)).strip("_").upper(),
        }
        function = change.get(given)
        for name in table.columns:
            names[name] = function(name) if function else given.format(name=name) if "{name}" in given else name
    elif args.pos:
        return rename_columns(machine, table, None)
    return renamed(machine, table, names)


def _relabel(machine: Machine, table: Table, args: Arguments) -> Table:
    given = machine.plain(args.pos[0]) if args.pos else None
    return (
        renamed(machine, table, {str(a): str(b) for a, b in given.items()})
        if isinstance(given, dict)
        else rename_columns(machine, table, None)
    )


def _cast(machine: Machine, table: Table, args: Arguments) -> Table:
    given = machine.of(args.get(0, "schema") or Const(None), Map)
    if given is None:
        return each_column(machine, table, lambda col: machine.blend([col]))
    for name in given.items:
        table = with_column(machine, table, str(name), machine.blend([replace(column_of(machine, table, str(name)), rows={})]))
    return table


def _fill(machine: Machine, table: Table, args: Arguments) -> Table:
    given = args.get(0, "replacements")
    mapping = machine.of(given, Map) if given is not None else None
    if mapping is None:
        return each_column(machine, table, lambda col: machine.blend([col]))
    for name, value in mapping.items.items():
        parts = [replace(column_of(machine, table, str(name)), rows={}), *resolved(machine, table, [value], strings=False)]
        table = with_column(machine, table, str(name), machine.blend(parts))
    return table


def _drop_null(machine: Machine, table: Table, args: Arguments) -> Table:
    subset = args.get(0, "subset")
    if subset is None or (isinstance(subset, Const) and subset.value is None):
        taint = table_taint(table, machine.schemas)
        cols = [replace(col, rows=table.rows) for col in table.columns.values()] if not table.open else [Col(taint.deps)]
    else:
        cols = resolved(machine, table, [subset])
    return chosen(machine, table, cols, "filter")


def _set(word: str) -> Method:
    def method(machine: Machine, table: Table, args: Arguments) -> Table:
        others = [one for value in args.pos if (one := machine.table(value)) is not None]
        if word == "union":
            made = stacked(machine, [table, *others])
            distinct = machine.plain(args.get(None, "distinct") or Const(value=False)) is True
            return _distinct(machine, made, type(args)()) if distinct else made
        cols = [col for one in (table, *others) for col in one.columns.values()]
        rows = merge(table.rows, *(one.rows for one in others))
        return chosen(machine, replace(table, rows=rows), cols, "filter")

    return method


def _count(machine: Machine, table: Table, args: Arguments) -> Value:
    made = replace(row_count(table, machine.cell), lib="ibis", name="CountStar()", flags=frozenset({"agg"}))
    tests = resolved(machine, table, args.all(), strings=False)
    return replace(made, marks=merge(*(as_influence(merge(t.deps, t.marks), "conditional", machine.cell) for t in tests)))


def _value_counts(machine: Machine, table: Table, args: Arguments) -> Table:
    cols = [replace(col, rows=table.rows) for col in table.columns.values()]
    return _grouped(machine, table, cols, [replace(row_count(table, machine.cell), name="count")])


def _unnest(machine: Machine, table: Table, args: Arguments) -> Table:
    cols = resolved(machine, table, args.pos)
    for col in cols:
        table = with_column(machine, table, col.name or "", machine.blend([replace(col, rows={})]))
    return chosen(machine, table, cols, "join")


def _sql(machine: Machine, table: Table, args: Arguments) -> Value:
    name = table.name or "t"
    return run_local(machine, args.get(0, "query") or Const(""), lib="ibis", call="ibis.sql", tables={name: table, "t": table})


def _alias(machine: Machine, table: Table, args: Arguments) -> Table:
    name = machine.plain(args.pos[0]) if args.pos else None
    return replace(table, name=name if isinstance(name, str) else None)


def _window_by(machine: Machine, table: Table, args: Arguments) -> Table:
    return table


def _column(machine: Machine, table: Table, args: Arguments) -> Value:
    names = machine.names(args.pos[0]) if args.pos else None
    return get_column(machine, machine.new(table), table, names[0]) if names else machine.unknown([machine.new(table)])


_METHODS: Mapping[str, Method] = {
    **JOIN_METHODS,
    "mutate": _mutate,
    "select": _select,
    "projection": _select,
    "filter": _filter,
    "group_by": _group_by,
    "aggregate": _aggregate,
    "agg": _aggregate,
    "order_by": _order_by,
    "distinct": _distinct,
    "drop": _drop,
    "rename": _rename,
    "relabel": _relabel,
    "cast": _cast,
    "try_cast": _cast,
    "fill_null": _fill,
    "fillna": _fill,
    "drop_null": _drop_null,
    "dropna": _drop_null,
    "union": _set("union"),
    "intersect": _set("intersect"),
    "difference": _set("difference"),
    "count": _count,
    "nunique": _count,
    "value_counts": _value_counts,
    "unnest": _unnest,
    "sql": _sql,
    "alias": _alias,
    "window_by": _window_by,
    "get_column": _column,
}

"""Polars: functions, and the methods of eager and lazy frames."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nbops.lineage.code.access import get_column, widened
from nbops.lineage.code.column_words import AGGREGATES
from nbops.lineage.code.columns import column_method, row_count
from nbops.lineage.code.frames import frame_method
from nbops.lineage.code.frames_rows import chosen, renamed
from nbops.lineage.code.groups import without_order
from nbops.lineage.code.iteration import iterate, row_of
from nbops.lineage.code.operators import each_column
from nbops.lineage.code.pandas_ import make_frame
from nbops.lineage.code.polars_expressions import expression_function, resolved
from nbops.lineage.code.polars_frames import COLUMN_METHODS, computed, placed
from nbops.lineage.code.reshaping import as_table, concat, side_by_side, stacked
from nbops.lineage.code.stores import drop_columns, with_column
from nbops.lineage.code.tables import column_of, table_taint, union
from nbops.lineage.code.values import (
    NO_NAMES,
    Choice,
    Col,
    Const,
    Func,
    Group,
    Lazy,
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
from nbops.lineage.code.writing import WRITERS, write_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbops.lineage.code.expressions import Arguments
    from nbops.lineage.code.machine import Machine
    from nbops.lineage.code.methods import Method

__all__ = ["polars_function", "polars_group_method", "polars_method", "series_method"]

_READS = ("read_", "scan_")
_SAME = frozenset(
    "collect lazy head limit tail slice sample clone rechunk shrink_to_fit set_sorted reverse cache collect_async "
    "gather_every first last fetch profile remote to_frame fill_nan_ interpolate_ serialize inspect approx_n_unique_ shift_ "
    "clear".split()
)
_TOTALS = AGGREGATES | {"null_count", "approx_n_unique"}


def polars_function(machine: Machine, name: str, args: Arguments) -> Value:
    """Return what a function of Polars returns."""
    last = name.rsplit(".", 1)[-1]
    if last.startswith(_READS) and last not in {"read_database", "read_database_uri"}:
        return _read(machine, last, args)
    if last in {"read_database", "read_database_uri"}:
        from nbops.lineage.code.duckdb_ import run_sql

        return run_sql(
            machine, args.get(0, "query") or Const(""), connection=args.get(1, "connection"), lib="polars", call=f"polars.{last}"
        )
    if last in {"DataFrame", "LazyFrame", "from_dict", "from_dicts", "from_records", "from_arrow", "from_pandas", "from_numpy"}:
        return _made(machine, last, args)
    if last == "Series":
        return _series(machine, args)
    if last in {"concat", "align_frames"}:
        return _concatenated(machine, args)
    if last == "collect_all" and args.pos:
        return args.pos[0]
    if last in {"sql", "SQLContext"}:
        return _sql(machine, last, args)
    return expression_function(machine, name, args)


def _read(machine: Machine, name: str, args: Arguments) -> Value:
    target = args.get(0, "source", "path") or Const("?")
    options = target.options if isinstance(target, Choice) else tuple(machine.items(target) or ()) or (target,)
    only = machine.names(args.get(None, "columns"))
    tables = []
    for one in options if not isinstance(target, Const) else (target,):
        thing = machine.of(one, Object)
        path = machine.path(thing.attributes["path"] if thing is not None and "path" in thing.attributes else one)
        if path == "?":
            machine.note(f"{name}: what is read is not known")
        tables.append(machine.read(path, f"polars.{name}", lib="polars", only=only, params=machine.params(one)))
    table = union(tables)
    new = machine.names(args.get(None, "new_columns"))
    if new is not None and not table.open:
        known = list(table.columns)
        table = renamed(machine, table, dict(zip(known, new, strict=False)))
    index = machine.plain(args.get(None, "row_index_name") or Const(None))
    if isinstance(index, str):
        table = replace(table, columns={index: Col(name=index, lib="polars"), **table.columns})
    return machine.new(table)


def _made(machine: Machine, name: str, args: Arguments) -> Value:
    data = args.get(0, "data", "df")
    schema = args.get(1, "schema")
    mapping = machine.of(schema, Map) if schema is not None else None
    names: Value | None = machine.new(Seq(tuple(Const(str(key)) for key in mapping.items))) if mapping is not None else schema
    table = machine.table(data) if data is not None else None
    if (
        name == "from_pandas"
        and table is not None
        and machine.plain(args.get(None, "include_index") or Const(value=False)) is not True
    ):
        return machine.new(replace(table, index=(), lib="polars", flags=NO_NAMES))
    return make_frame(machine, data, names if isinstance(names, (Const, type(None))) or machine.names(names) else None, "polars")


def _series(machine: Machine, args: Arguments) -> Value:
    name, values = args.get(0, "name"), args.get(1, "values")
    if values is None and name is not None and not isinstance(name, Const):
        name, values = None, name
    plain = machine.plain(name) if name is not None else ""
    col = machine.col(values) if values is not None else Col()
    return replace(col, name=plain if isinstance(plain, str) else None, lib="polars", origin=None, index=())


def _concatenated(machine: Machine, args: Arguments) -> Value:
    made = concat(machine, args.get(0, "items"), args)
    table = machine.table(made)
    return machine.new(replace(table, lib="polars", index=())) if table is not None else made


def _sql(machine: Machine, name: str, args: Arguments) -> Value:
    if name == "SQLContext":
        frames = machine.of(args.get(0, "frames") or Const(None), Map)
        tables = {f"relation {key.casefold()}": value for key, value in {**(frames.items if frames else {}), **args.kw}.items()}
        return machine.new(
            Object(kind="connection", attributes={"lasting": Const(value=False), "frames": Const("polars"), **tables})
        )
    from nbops.lineage.code.duckdb_ import run_local

    return run_local(machine, args.get(0, "query") or Const(""), lib="polars", call="polars.sql")


# -- frames


def polars_method(machine: Machine, ref: Value, table: Table, name: str, args: Arguments) -> Value:
    """Return what a method of a frame returns."""
    if name in WRITERS:
        return write_table(machine, table, name, args)
    if name in _METHODS:
        found = _METHODS[name](machine, table, args)
        return machine.new(found) if isinstance(found, Table) else found
    if name in _IN_PLACE:
        return _in_place(machine, ref, table, name, args)
    if name in _SAME:
        return machine.new(replace(table, flags=NO_NAMES))
    if name in {"to_pandas", "to_arrow"}:
        return machine.new(replace(table, lib="pandas" if name == "to_pandas" else "arrow", flags=NO_NAMES))
    if name in _TOTALS:
        return machine.new(each_column(machine, table, lambda col: machine.blend([col], "aggregation"), "aggregation"))
    if name in {"get_column", "to_series", "drop_in_place"}:
        return _one(machine, ref, table, name, args)
    if name in {
        "glimpse",
        "show",
        "explain",
        "show_graph",
        "estimated_size",
        "equals",
        "is_empty",
        "collect_schema",
        "hash_rows",
        "style",
    }:
        return machine.unknown([ref]) if name == "hash_rows" else Taint()
    return frame_method(machine, ref, name, args)


_IN_PLACE = frozenset({"insert_column", "replace_column", "extend", "insert_at_idx", "vstack", "hstack"})


def _in_place(machine: Machine, ref: Value, table: Table, name: str, args: Arguments) -> Value:
    if name in {"insert_column", "replace_column", "insert_at_idx"} and len(args.pos) > 1:
        found = resolved(machine, table, [args.pos[1]])
        for col in found:
            table = with_column(machine, table, col.name or "", col)
        machine.put(ref, table)
        return ref
    if name == "hstack" and args.pos:
        items = iterate(machine, args.pos[0]) or [args.pos[0]]
        tables = [one for item in items if (one := as_table(machine, item)) is not None]
        return machine.new(side_by_side(machine, [table, *tables]))
    other = machine.table(args.pos[0]) if args.pos else None
    made = (
        stacked(machine, [table, other])
        if other is not None
        else widened(machine, table, f"{name}: with what is not known", args.all())
    )
    if name == "extend":
        machine.put(ref, made)
        return ref
    return machine.new(made)


def _one(machine: Machine, ref: Value, table: Table, name: str, args: Arguments) -> Value:
    plain = machine.plain(args.pos[0]) if args.pos else 0
    known = list(table.columns)
    if isinstance(plain, int) and not table.open and -len(known) <= plain < len(known):
        plain = known[plain]
    if not isinstance(plain, str):
        return machine.col(table_taint(table, machine.schemas))
    col = get_column(machine, ref, table, plain)
    if name == "drop_in_place":
        machine.put(ref, drop_columns(table, [plain]))
    return col


def _rows(machine: Machine, table: Table, args: Arguments) -> Value:
    return machine.new(Object(kind="rows", attributes={"row": row_of(machine, table)}, taint=machine.taint(machine.new(table))))


def _partition(machine: Machine, table: Table, args: Arguments) -> Value:
    made = chosen(machine, table, resolved(machine, table, args.pos), "filter")
    return machine.new(Seq((machine.new(made),), exact=False))


def _item(machine: Machine, table: Table, args: Arguments) -> Value:
    if len(args.pos) == 2:
        names = machine.names(args.pos[1])
        if names and isinstance(machine.plain(args.pos[1]), str):
            return replace(column_of(machine, table, names[0]), flags=frozenset({"scalar"}))
    return replace(machine.col(machine.new(table)), flags=frozenset({"scalar"}))


def _own_sql(machine: Machine, table: Table, args: Arguments) -> Value:
    from nbops.lineage.code.duckdb_ import run_local

    name = machine.plain(args.get(None, "table_name") or Const("self"))
    return run_local(machine, args.get(0, "query") or Const(""), lib="polars", call="polars.sql", tables={str(name): table})


def _transposed(machine: Machine, table: Table, args: Arguments) -> Table:
    from nbops.lineage.code.frames import transposed

    return transposed(machine, table)


def _get_columns(machine: Machine, table: Table, args: Arguments) -> Value:
    ref = machine.new(table)
    return machine.new(Seq(tuple(get_column(machine, ref, table, name) for name in table.columns), exact=not table.open))


_METHODS: Mapping[str, Method] = {
    **COLUMN_METHODS,
    "shift": lambda machine, table, args: each_column(machine, table, lambda col: machine.blend([col])),
    "interpolate": lambda machine, table, args: each_column(machine, table, lambda col: machine.blend([col])),
    "iter_rows": _rows,
    "rows": _rows,
    "to_dicts": _rows,
    "partition_by": _partition,
    "item": _item,
    "sql": _own_sql,
    "transpose": _transposed,
    "get_columns": _get_columns,
    "iter_columns": _get_columns,
}


def polars_group_method(machine: Machine, group: Group, name: str, args: Arguments) -> Value:
    """Return what a method of a grouping returns."""
    table = group.table
    if name in {"map_groups", "apply"}:
        function = args.get(0, "function")
        if isinstance(function, Func):
            result = machine.table(machine.call(function, type(args)([machine.new(table)])))
            if result is not None:
                return machine.new(chosen(machine, result, group.keys, "group_by"))
        return machine.new(
            chosen(
                machine,
                widened(machine, table, "map_groups: the function is beyond analysis", args.all()),
                group.keys,
                "group_by",
            )
        )
    if name in {"head", "tail"}:
        return machine.new(chosen(machine, table, group.keys, "filter"))
    if name == "having":
        return replace(group, having=merge(*(merge(col.deps, col.marks) for col in resolved(machine, table, args.pos))))
    keys = {key.name for key in group.keys}
    if name == "agg":
        cols = computed(machine, table, args)
    elif name in {"len", "count"}:
        given = machine.plain(args.get(0, "name") or Const("len"))
        cols = [replace(row_count(table, machine.cell), name=given if isinstance(given, str) else "len")]
    else:
        cols = [column_of(machine, table, one) for one in table.columns if one not in keys]
        if table.open:
            taint = table_taint(replace(table, columns={}, index=()), machine.schemas)
            cols.append(Col(taint.deps, taint.marks, flags=frozenset({"wide"})))
    made = without_order(chosen(machine, table, group.keys, "group_by"))
    if group.having:
        made = replace(made, rows=merge(made.rows, as_influence(group.having, "filter", machine.cell)))
    base = replace(
        made, columns={key.name or "": replace(key, rows={}, index=(), flags=NO_NAMES) for key in group.keys}, rest=(), wide=None
    )
    gathered = [replace(col, deps=at_least(col.deps, "aggregation", machine.cell), rows=table.rows) for col in cols]
    return machine.new(replace(placed(machine, replace(base, rows=table.rows), gathered, keep=True), rows=base.rows))


def series_method(machine: Machine, col: Col, name: str, args: Arguments) -> Value:
    """Return what a method of a Series returns."""
    if name == "to_frame":
        new = machine.names(args.get(0, "name"))
        return machine.new(as_table(machine, replace(col, name=new[0] if new else col.name)) or Table(lib="polars"))
    if name == "to_pandas":
        return replace(col, lib="pandas")
    resolved_args = [machine.col(value) if isinstance(value, Lazy) else value for value in args.pos]
    return column_method(machine, col, name, type(args)(resolved_args, args.kw, args.extra))

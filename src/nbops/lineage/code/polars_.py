"""Polars: functions, and the methods of eager and lazy frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from nbops.lineage.code.access import filtered, get_column, widened
from nbops.lineage.code.columns import AGGREGATES, column_method, row_count
from nbops.lineage.code.frames import chosen, frame_method, renamed
from nbops.lineage.code.groups import without_order
from nbops.lineage.code.iteration import iterate, row_of
from nbops.lineage.code.machine import Machine, column_of, table_taint, union
from nbops.lineage.code.operators import each_column
from nbops.lineage.code.pandas_ import make_frame
from nbops.lineage.code.polars_expressions import expression_function, expression_method, resolved
from nbops.lineage.code.reshaping import as_table, concat, joined, melt, side_by_side, stacked
from nbops.lineage.code.stores import drop_columns, with_column
from nbops.lineage.code.values import (
    NO_NAMES,
    Choice,
    Col,
    Const,
    Deps,
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
    from nbops.lineage.code.expressions import Arguments
    from nbops.model import ColumnTransformation

__all__ = ["expression_method", "polars_function", "polars_group_method", "polars_method", "series_method"]

Method = Callable[[Machine, Table, "Arguments"], Value | Table]
_READS = ("read_", "scan_")
_SAME = frozenset(
    "collect lazy head limit tail slice sample clone rechunk shrink_to_fit set_sorted reverse cache collect_async gather_every first last "  # noqa: E501
    "fetch profile remote to_frame fill_nan_ interpolate_ serialize inspect approx_n_unique_ shift_ clear".split()
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


def placed(machine: Machine, table: Table, cols: Sequence[Col], *, keep: bool) -> Table:
    """Put computed columns into a table: beside those that there are, or alone."""
    made = table if keep else replace(table, columns={}, rest=(), wide=None, flags=NO_NAMES)
    for col in cols:
        if "wide" in col.flags:
            made = replace(made, wide=merge(made.wide or {}, col.deps, col.marks))
        else:
            made = with_column(
                machine, made, col.name if col.name is not None else "literal", replace(col, rows=_foreign(table, col))
            )
    return made


def _foreign(table: Table, col: Col) -> Deps:
    return {dep: cells for dep, cells in col.rows.items() if dep not in table.rows}


def _select(machine: Machine, table: Table, args: Arguments) -> Table:
    return placed(machine, table, _expressions(machine, table, args), keep=False)


def _with_columns(machine: Machine, table: Table, args: Arguments) -> Table:
    return placed(machine, table, _expressions(machine, table, args), keep=True)


def _expressions(machine: Machine, table: Table, args: Arguments) -> list[Col]:
    cols = resolved(machine, table, args.pos)
    for name, value in args.kw.items():
        found = resolved(machine, table, [value])
        cols.extend(replace(col, name=name) for col in found[:1])
    for value in args.extra:
        machine.note("expressions that are known when it runs only: the columns that they make are not known")
        taint = machine.guessed(machine.taint(value))
        whole = machine.guessed(table_taint(table, machine.schemas))
        cols.append(Col(merge(taint.deps, whole.deps), taint.marks, flags=frozenset({"wide"})))
    return cols


def _filter(machine: Machine, table: Table, args: Arguments) -> Table:
    made = table
    for test in resolved(machine, table, args.pos, names=False):
        made = filtered(machine, made, test)
    for name, value in args.kw.items():
        test = machine.blend([column_of(machine, table, name), machine.col(value)])
        made = filtered(machine, made, test)
    return made


def _sort(machine: Machine, table: Table, args: Arguments) -> Table:
    given = [*args.pos, *([args.kw["by"]] if "by" in args.kw else [])]
    return chosen(machine, table, resolved(machine, table, given), "sort")


def _group_by(machine: Machine, table: Table, args: Arguments) -> Group:
    given = [*args.pos, *(args.kw[name] for name in ("by",) if name in args.kw)]
    keys = resolved(machine, table, given)
    for name, value in args.kw.items():
        if name not in {"maintain_order", "by"}:
            keys.extend(replace(col, name=name) for col in resolved(machine, table, [value])[:1])
    return Group(table, tuple(keys), lib="polars")


def _group_by_dynamic(machine: Machine, table: Table, args: Arguments) -> Group:
    given = [value for value in (args.get(0, "index_column"), args.get(None, "group_by", "by")) if value is not None]
    keys = resolved(machine, table, given)
    first = [replace(machine.blend([keys[0]]), name=keys[0].name)] if keys else []
    return Group(table, (*keys[1:], *first), lib="polars")


def _join(machine: Machine, table: Table, args: Arguments) -> Table:
    other = machine.table(args.get(0, "other") or Const(None))
    if other is None:
        return widened(machine, table, "join: with what is not known", args.all())
    how = str(machine.plain(args.get(2, "how") or Const("inner")))
    suffix = machine.plain(args.get(None, "suffix") or Const("_right"))
    on = args.get(1, "on")
    left_given, right_given = args.kw.get("left_on", on), args.kw.get("right_on", on)
    lefts = resolved(machine, table, [left_given]) if left_given is not None else []
    rights = resolved(machine, other, [right_given]) if right_given is not None else []
    extra = args.get(None, "by")
    if extra is not None:
        lefts += resolved(machine, table, [extra])
        rights += resolved(machine, other, [extra])
    coalesce = machine.plain(args.get(None, "coalesce") or Const(None))
    whole = how in {"full", "outer"} and coalesce is not True
    shared = [a.name for a, b in zip(lefts, rights, strict=False) if a.name == b.name and a.name is not None]
    drop = [b.name for a, b in zip(lefts, rights, strict=False) if b.name is not None and a.name != b.name]
    two = ("", suffix if isinstance(suffix, str) else "_right")
    pairs = list(zip(lefts, rights, strict=False))
    if how == "right":
        swapped = joined(machine, drop_columns(table, [a.name for a in lefts if a.name]), other, pairs, how=how, suffixes=two)
        return replace(swapped, lib="polars")
    if whole:
        return joined(machine, table, other, pairs, how=how, suffixes=two)
    how = "full" if how in {"outer_coalesce", "outer"} else how
    return joined(machine, table, other, pairs, how=how, shared=shared, suffixes=two, drop=drop)


def _join_asof(machine: Machine, table: Table, args: Arguments) -> Table:
    return _join(
        machine,
        table,
        type(args)(
            args.pos[:1], {**{k: v for k, v in args.kw.items() if k not in {"strategy", "tolerance"}}, "how": Const("left")}
        ),
    )


def _join_where(machine: Machine, table: Table, args: Arguments) -> Table:
    other = machine.table(args.pos[0]) if args.pos else None
    if other is None:
        return widened(machine, table, "join_where: with what is not known", args.all())
    made = joined(machine, table, other, [], suffixes=("", "_right"))
    tests = resolved(machine, made, args.pos[1:], names=False)
    return chosen(machine, made, tests, "join")


def _drop(machine: Machine, table: Table, args: Arguments) -> Table:
    found = resolved(machine, table, args.pos or list(args.kw.values())[:1])
    if any("wide" in col.flags for col in found):
        machine.note("drop: which columns go is not known: all may be there still")
    return drop_columns(table, [col.name for col in found if col.name is not None and "wide" not in col.flags])


def _unique(machine: Machine, table: Table, args: Arguments) -> Table:
    subset = args.get(0, "subset")
    cols = resolved(machine, table, [subset]) if subset is not None else resolved(machine, table, [_everything(machine)])
    return chosen(machine, table, cols, "group_by")


def _everything(machine: Machine) -> Value:
    return expression_function(machine, "polars.all", _no_arguments())


def _no_arguments() -> Arguments:
    from nbops.lineage.code.expressions import Arguments

    return Arguments()


def _drop_nulls(machine: Machine, table: Table, args: Arguments) -> Table:
    subset = args.get(0, "subset")
    return chosen(machine, table, resolved(machine, table, [subset if subset is not None else _everything(machine)]), "filter")


def _unpivot(machine: Machine, table: Table, args: Arguments) -> Table:
    on, index = args.get(0, "on"), args.get(None, "index")
    return _turned(machine, table, on, index, args)


def _melt(machine: Machine, table: Table, args: Arguments) -> Table:
    return _turned(machine, table, args.get(1, "value_vars"), args.get(0, "id_vars"), args)


def _turned(machine: Machine, table: Table, on: Value | None, index: Value | None, args: Arguments) -> Table:
    ids = [col.name or "" for col in resolved(machine, table, [index])] if index is not None else []
    none = on is None or (isinstance(on, Const) and on.value is None)
    values = None if none else [col.name or "" for col in resolved(machine, table, [on or Const(None)])]
    names = [machine.plain(args.get(None, f"{word}_name") or Const(word)) for word in ("variable", "value")]
    return melt(machine, table, ids, values, (str(names[0] or "variable"), str(names[1] or "value")))


def _pivot(machine: Machine, table: Table, args: Arguments) -> Table:
    on = resolved(machine, table, [args.get(0, "on", "columns") or Const("")])
    index = resolved(machine, table, [args.kw["index"]]) if "index" in args.kw else []
    values = resolved(machine, table, [args.kw["values"]]) if "values" in args.kw else []
    if not values:
        gone = {col.name for col in (*on, *index)}
        values = [column_of(machine, table, name) for name in table.columns if name not in gone]
    machine.note("a pivot: its columns' names are data")
    marks = merge(*(as_influence(col.deps, "conditional", machine.cell) for col in on))
    kind: ColumnTransformation = "aggregation" if "aggregate_function" in args.kw else "identity"
    deps = merge(*(at_least(col.deps, kind, machine.cell) for col in values))
    wide = {replace(dep, how="assumed"): cells for dep, cells in merge(deps, marks).items()}
    made = chosen(machine, table, index, "group_by")
    columns = {col.name or "": replace(col, rows={}, index=()) for col in index}
    return replace(made, columns=columns, rest=(), wide=wide)


def _row_index(machine: Machine, table: Table, args: Arguments) -> Table:
    name = machine.plain(args.get(0, "name") or Const("index"))
    col = replace(row_count(table, machine.cell), rows={}, name=str(name))
    return replace(table, columns={str(name): col, **table.columns})


def _explode(machine: Machine, table: Table, args: Arguments) -> Table:
    cols = resolved(machine, table, args.pos)
    made = table
    for col in cols:
        made = with_column(machine, made, col.name or "", machine.blend([replace(col, rows={})]))
    return chosen(machine, made, cols, "join")


def _unnest(machine: Machine, table: Table, args: Arguments) -> Table:
    cols = resolved(machine, table, args.pos)
    machine.note("unnest: the fields' names are data")
    wide = merge(
        table.wide or {}, *(at_least(machine.guessed(Taint(col.deps)).deps, "transformation", machine.cell) for col in cols)
    )
    return replace(drop_columns(table, [col.name or "" for col in cols]), wide=wide)


def _cast(machine: Machine, table: Table, args: Arguments) -> Table:
    given = machine.of(args.get(0, "dtypes") or Const(None), Map)
    if given is None or not all(isinstance(key, str) for key in given.items):
        return each_column(machine, table, lambda col: machine.blend([col]))
    made = table
    for name in given.items:
        made = with_column(machine, made, name, machine.blend([replace(column_of(machine, table, name), rows={})]))
    return made


def _fill(machine: Machine, table: Table, args: Arguments) -> Table:
    value = args.get(0, "value")
    more = resolved(machine, table, [value], names=False) if value is not None else []
    data = [col for col in more if col.deps or col.marks or col.params]
    return each_column(machine, table, lambda col: machine.blend([col, *data]))


def _map_rows(machine: Machine, table: Table, args: Arguments) -> Table:
    return widened(machine, table, "map_rows: the function is beyond analysis", args.all())


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


def _rename(machine: Machine, table: Table, args: Arguments) -> Value:
    return frame_method(machine, machine.new(table), "rename", type(args)([], {"columns": args.get(0, "mapping") or Const(None)}))


_METHODS: Mapping[str, Method] = {
    "rename": _rename,
    "select": _select,
    "with_columns": _with_columns,
    "select_seq": _select,
    "with_columns_seq": _with_columns,
    "filter": _filter,
    "remove": _filter,
    "sort": _sort,
    "top_k": lambda machine, table, args: _sort(machine, table, type(args)([], args.kw)),
    "bottom_k": lambda machine, table, args: _sort(machine, table, type(args)([], args.kw)),
    "group_by": _group_by,
    "groupby": _group_by,
    "group_by_dynamic": _group_by_dynamic,
    "rolling": _group_by_dynamic,
    "join": _join,
    "join_asof": _join_asof,
    "join_where": _join_where,
    "drop": _drop,
    "unique": _unique,
    "drop_nulls": _drop_nulls,
    "drop_nans": _drop_nulls,
    "unpivot": _unpivot,
    "melt": _melt,
    "pivot": _pivot,
    "with_row_index": _row_index,
    "with_row_count": _row_index,
    "explode": _explode,
    "unnest": _unnest,
    "cast": _cast,
    "fill_null": _fill,
    "fill_nan": _fill,
    "shift": lambda machine, table, args: each_column(machine, table, lambda col: machine.blend([col])),
    "interpolate": lambda machine, table, args: each_column(machine, table, lambda col: machine.blend([col])),
    "map_rows": _map_rows,
    "map_batches": _map_rows,
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
        cols = _expressions(machine, table, args)
    elif name in {"len", "count"}:
        given = machine.plain(args.get(None, "name") or Const("len"))
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

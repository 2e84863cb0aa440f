"""Methods of Polars' frames that compute columns, choose rows, join and turn."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nbops.lineage.code.access import filtered, widened
from nbops.lineage.code.columns import row_count
from nbops.lineage.code.frames import frame_method
from nbops.lineage.code.frames_rows import chosen
from nbops.lineage.code.groups import without_order
from nbops.lineage.code.operators import each_column
from nbops.lineage.code.polars_expressions import expression_function, resolved
from nbops.lineage.code.reshaping import joined, melt
from nbops.lineage.code.stores import drop_columns, with_column
from nbops.lineage.code.tables import column_of, table_taint
from nbops.lineage.code.values import (
    NO_NAMES,
    Col,
    Const,
    Deps,
    Group,
    Map,
    Table,
    Taint,
    Value,
    as_influence,
    at_least,
    merge,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbops.lineage.code.expressions import Arguments
    from nbops.lineage.code.machine import Machine
    from nbops.lineage.code.methods import Method
    from nbops.model import ColumnTransformation

__all__ = ["COLUMN_METHODS", "placed"]


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
    several = [col for col in cols if "several rows" in col.flags]
    return chosen(machine, made, several, "join") if several else made


def _foreign(table: Table, col: Col) -> Deps:
    return {dep: cells for dep, cells in col.rows.items() if dep not in table.rows}


def _select(machine: Machine, table: Table, args: Arguments) -> Table:
    return placed(machine, table, computed(machine, table, args), keep=False)


def _with_columns(machine: Machine, table: Table, args: Arguments) -> Table:
    return placed(machine, table, computed(machine, table, args), keep=True)


def computed(machine: Machine, table: Table, args: Arguments) -> list[Col]:
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
    other = machine.table(args.get(0, "other") or Const(None))
    given = {name: value for name, value in args.kw.items() if name not in {"other", "strategy", "tolerance"}}
    first = args.pos[:1] if other is None else [machine.new(without_order(other))]  # rows stay as they stand on the left
    return _join(machine, table, type(args)(first, {**given, "how": Const("left")}))


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


def _rename(machine: Machine, table: Table, args: Arguments) -> Value:
    return frame_method(machine, machine.new(table), "rename", type(args)([], {"columns": args.get(0, "mapping") or Const(None)}))


COLUMN_METHODS: Mapping[str, Method] = {
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
    "map_rows": _map_rows,
    "map_batches": _map_rows,
}

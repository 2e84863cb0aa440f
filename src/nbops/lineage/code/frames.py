"""Methods of pandas DataFrames, and of what stands for one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from nbops.lineage.code.access import get_column, item_of, widened
from nbops.lineage.code.column_words import AGGREGATES, CUMULATIVE, ORDERED
from nbops.lineage.code.columns import apply_function, column_method, in_order, row_count
from nbops.lineage.code.frames_rows import ROW_METHODS, chosen
from nbops.lineage.code.groups import grouped
from nbops.lineage.code.iteration import row_of
from nbops.lineage.code.operators import each_column
from nbops.lineage.code.querying import evaluated, query
from nbops.lineage.code.reshaping import RESHAPES
from nbops.lineage.code.stores import conditional, drop_columns, with_column
from nbops.lineage.code.tables import column_of, table_taint
from nbops.lineage.code.values import (
    NO_NAMES,
    Bound,
    Col,
    Const,
    Func,
    Map,
    Module,
    Object,
    Seq,
    Table,
    Taint,
    Value,
    merge,
    stamped,
)
from nbops.lineage.code.writing import WRITERS, write_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbops.lineage.code.expressions import Arguments
    from nbops.lineage.code.machine import Machine
    from nbops.lineage.code.methods import Method

__all__ = ["frame_method", "transposed"]
_SAME = frozenset(
    "copy head tail sample convert_dtypes infer_objects reindex_like align swaplevel reorder_levels pad "
    "to_period to_timestamp tz_convert tz_localize between_time at_time truncate asfreq set_flags first last squeeze xs "
    "reindex swapaxes collect lazy rechunk clone limit to_pandas to_arrow slice iloc take arrow df pl fetchdf fetch_df "
    "fetch_arrow_table fetchnumpy to_polars from_arrow persist compute cache fetchall fetchone fetchmany to_table read_all "
    "combine_chunks get_chunk".split()
)
_ELEMENTS = frozenset(
    "round abs clip isna isnull notna notnull ffill bfill interpolate shift diff pct_change applymap add sub mul div "
    "truediv floordiv mod pow radd rsub rmul rdiv eq ne lt le gt ge isin combine dot".split()
)
_QUIET = frozenset(
    {
        "info",
        "plot",
        "hist",
        "boxplot",
        "style",
        "memory_usage",
        "to_markdown",
        "to_string",
        "to_html",
        "to_clipboard",
        "show",
        "explain",
    }
)


def frame_method(machine: Machine, ref: Value, name: str, args: Arguments) -> Value:
    """Return what a method of a DataFrame returns, and change the frame when the method does."""
    table = machine.table(ref)
    if table is None:
        return machine.unknown([ref, *args.all()])
    if name in WRITERS:
        return write_table(machine, table, name, args)
    if name in _QUIET:
        return Taint()
    found: Value | Table | None = None
    if name in _METHODS:
        found = _METHODS[name](machine, table, args)
    elif name in RESHAPES:
        found = RESHAPES[name](machine, table, args)
    elif name in {"loc", "iloc", "at", "iat"}:
        return Bound(ref, name)
    elif name in {"groupby", "rolling", "expanding", "ewm", "resample"}:
        return grouped(machine, table, name, args)
    elif name in _SAME:
        found = replace(table, flags=table.flags - {"row"})
    elif name in _ELEMENTS:
        found = _elements(machine, table, args, ordered=name in ORDERED)
    elif name in CUMULATIVE:
        empty = type(args)()
        found = each_column(machine, table, lambda col: machine.col(column_method(machine, col, name, empty)), "aggregation")
    elif name in AGGREGATES:
        return _aggregate_all(machine, table, name, args)
    elif name in {"insert", "update", "pop"}:
        return _in_place(machine, ref, table, name, args)
    if found is None:
        found = widened(machine, table, f".{name}(): what it does is not known", args.all())
    if not isinstance(found, Table):
        return found
    if machine.plain(args.get(None, "inplace") or Const(value=False)) is True:
        machine.put(ref, found)
        return Const(None)
    return machine.new(found)


def _elements(machine: Machine, table: Table, args: Arguments, *, ordered: bool) -> Table:
    others = [value for value in args.pos if machine.taint(value).deps]
    if len(others) == 1:
        import ast

        from nbops.lineage.code.operators import binary

        made = machine.table(binary(machine, ast.Add(), machine.new(table), others[0]))
        if made is not None:
            return made
    return each_column(machine, table, lambda col: machine.blend([in_order(machine, col) if ordered else col]))


def _in_place(machine: Machine, ref: Value, table: Table, name: str, args: Arguments) -> Value:
    if name == "insert":
        names = machine.names(args.get(1, "column"))
        value = args.get(2, "value")
        if names and value is not None:
            machine.put(ref, with_column(machine, table, names[0], machine.col(value)))
        else:
            machine.put(ref, widened(machine, table, "insert: the column's name is not known", args.all()))
        return Const(None)
    if name == "pop":
        names = machine.names(args.get(0, "item"))
        if names:
            col = get_column(machine, ref, table, names[0])
            machine.put(ref, drop_columns(table, names))
            return replace(col, origin=None)
        return machine.unknown([ref])
    other = machine.table(args.pos[0]) if args.pos else None
    if other is None:
        machine.put(ref, widened(machine, table, "update: from what is not known", args.all()))
        return Const(None)
    made = table
    for column in table.columns:
        if column in other.columns or other.open:
            old, new = column_of(machine, table, column), column_of(machine, other, column)
            made = with_column(machine, made, column, machine.blend([old, new]))
    machine.put(ref, made)
    return Const(None)


def _aggregate_all(machine: Machine, table: Table, name: str, args: Arguments) -> Value:
    """``df.sum()``: a series with one value a column."""
    if name in {"corr", "cov", "mode", "describe", "quantile"}:
        made = each_column(machine, table, lambda col: machine.blend([col], "aggregation"), "aggregation")
        return machine.new(replace(made, index=()))
    axis = machine.plain(args.get(0, "axis") or Const(0))
    cols = [replace(col, rows=table.rows, origins=table.origins) for col in table.columns.values()]
    if axis in (1, "columns"):
        if table.open:
            taint = table_taint(table, machine.schemas)
            return machine.blend(
                [Col(taint.deps, taint.marks, taint.rows, taint.params, index=table.index, origins=table.origins)]
            )
        return replace(machine.blend(cols), name=None, index=table.index, rows=table.rows)
    if table.lib in {"polars", "ibis", "relation"}:
        made = each_column(machine, table, lambda col: machine.blend([col], "aggregation"), "aggregation")
        return machine.new(made)
    made = each_column(machine, table, lambda col: machine.blend([col], "aggregation"), "aggregation")
    return machine.new(replace(made, index=(), flags=frozenset({"row"})))


def _assign(machine: Machine, table: Table, args: Arguments) -> Table:
    made = table
    for name, value in args.kw.items():
        made = with_column(machine, made, name, machine.col(_of_frame(machine, made, value)))
    if args.extra:
        machine.note("assign: columns of names that are not known")
        taint = machine.guessed(machine.taint(machine.unknown(args.extra)))
        made = replace(made, wide=merge(made.wide or {}, taint.deps))
    return made


def _of_frame(machine: Machine, table: Table, value: Value) -> Value:
    """Call a function with the table; return anything else as it is."""
    if isinstance(value, (Func, Module, Bound)):
        from nbops.lineage.code.expressions import Arguments

        return machine.call(value, Arguments([machine.new(table)]))
    return value


def _query(machine: Machine, table: Table, args: Arguments) -> Table:
    return query(machine, table, args.get(0, "expr"))


def _eval(machine: Machine, table: Table, args: Arguments) -> Value | Table:
    return evaluated(machine, table, args.get(0, "expr"))


def _astype(machine: Machine, table: Table, args: Arguments) -> Table:
    given = machine.of(args.get(0, "dtype", "schema") or Const(None), Map)
    if given is None or not given.exact:
        return each_column(machine, table, lambda col: machine.blend([col]))
    made = table
    for name in given.items:
        made = with_column(machine, made, str(name), machine.blend([column_of(machine, table, str(name))]))
    return replace(made, rows=table.rows)


def _fillna(machine: Machine, table: Table, args: Arguments) -> Table:
    value = args.get(0, "value")
    given = machine.of(value, Map) if value is not None else None
    if given is not None and given.exact:
        made = table
        for name, fill in given.items.items():
            if str(name) in table.columns or table.open:
                parts = [column_of(machine, table, str(name)), machine.col(fill)]
                made = with_column(machine, made, str(name), machine.blend(parts))
        return made
    other = machine.table(value) if value is not None else None
    if other is not None:
        return each_column(
            machine,
            table,
            lambda col: (
                machine.blend([col, column_of(machine, other, col.name or "")]) if (col.name or "") in other.columns else col
            ),
        )
    fill_col = machine.col(value) if value is not None else Col()
    return each_column(
        machine, table, lambda col: machine.blend([col, fill_col]) if fill_col.deps or fill_col.params else machine.blend([col])
    )


def _where(machine: Machine, table: Table, args: Arguments) -> Table:
    test = args.get(0, "cond")
    test = _of_frame(machine, table, test) if test is not None else Const(None)
    inner = machine.table(test)
    other = args.get(1, "other")
    options = [machine.col(other)] if other is not None and machine.table(other) is None else []
    second = machine.table(other) if other is not None else None

    def one(col: Col) -> Col:
        name = col.name or ""
        by = column_of(machine, inner, name) if inner is not None and name in inner.columns else machine.col(test)
        extra = [column_of(machine, second, name)] if second is not None and name in second.columns else options
        return conditional(machine, [col, *extra], by)

    named = replace(table, columns={name: replace(col, name=name) for name, col in table.columns.items()})
    return each_column(machine, named, one)


def _apply(machine: Machine, table: Table, args: Arguments) -> Value | Table:
    function = args.get(0, "func", "function")
    axis = machine.plain(args.get(1, "axis") or Const(0))
    if function is None:
        return table
    if axis in (1, "columns"):
        extra = machine.items(args.get(None, "args") or Const(())) or ()
        row = row_of(machine, table)
        if isinstance(function, (Func, Module)):
            result = apply_function(machine, function, [row, *extra], [], "apply")
            return _rows_to_columns(machine, table, result)
        taint = table_taint(table, machine.schemas)
        machine.note("apply: the function is beyond analysis")
        whole = machine.guessed(replace(taint, params=taint.params | machine.params(function)))
        return Col(whole.deps, whole.marks, table.rows, whole.params, index=table.index, origins=table.origins)

    def one(col: Col) -> Col:
        col = replace(col, index=table.index)
        return machine.col(apply_function(machine, function, [col], [col], "apply"))

    names = machine.names(function)
    if isinstance(function, Const) and names and names[0] in AGGREGATES:
        return _aggregate_all(machine, table, names[0], type(args)())
    made = each_column(machine, table, one)
    results = list(made.columns.values())
    if results and all(dep.kind == "aggregation" for col in results for dep in col.deps) and not table.open:
        return replace(made, flags=frozenset({"row"}), index=())
    return made


def _rows_to_columns(machine: Machine, table: Table, result: Value) -> Value | Table:
    """What ``apply(function, axis=1)`` makes of what the function returns for a row."""
    inner = machine.table(result)
    if inner is not None:
        return replace(inner, rows=merge(table.rows, inner.rows), index=table.index, flags=NO_NAMES)
    made = machine.col(result)
    return Col(
        stamped(made.deps, machine.cell),
        made.marks,
        table.rows,
        made.params,
        index=table.index,
        origins=table.origins,
        lib=table.lib,
    )


def _agg(machine: Machine, table: Table, args: Arguments) -> Value | Table:
    given = args.get(0, "func")
    known = machine.of(given, Map) if given is not None else None
    if known is not None:
        columns = {
            str(name): replace(machine.blend([column_of(machine, table, str(name))], "aggregation"), rows={}, index=())
            for name in known.items
        }
        return Table(
            columns=columns, rows=table.rows, lib=table.lib, params=table.params, origins=table.origins, flags=frozenset({"row"})
        )
    return _aggregate_all(machine, table, "sum", type(args)())


def _pipe(machine: Machine, table: Table, args: Arguments) -> Value:
    function = args.get(0, "func")
    if function is None:
        return machine.new(table)
    ref = machine.new(table)
    items = machine.items(function)
    if items and len(items) == 2:
        name = machine.plain(items[1])
        return machine.call(items[0], type(args)(args.pos[1:], {**args.kw, str(name): ref}, args.extra))
    return machine.call(function, type(args)([ref, *args.pos[1:]], args.kw, args.extra))


def _value_counts(machine: Machine, table: Table, args: Arguments) -> Value:
    names = machine.names(args.get(0, "subset")) or tuple(table.columns)
    keys = [replace(column_of(machine, table, name), name=name) for name in names]
    made = chosen(machine, table, keys, "group_by")
    counted = replace(row_count(made, machine.cell), name="count", rows=made.rows)
    return replace(counted, index=tuple((key.name, replace(key, rows={}, index=())) for key in keys))


def _describe(machine: Machine, table: Table, args: Arguments) -> Table:
    made = each_column(machine, table, lambda col: machine.blend([col], "aggregation"), "aggregation")
    return replace(made, index=((None, Col()),))


def _get(machine: Machine, table: Table, args: Arguments) -> Value:
    return item_of(machine, machine.new(table), args.pos[0]) if args.pos else machine.unknown([machine.new(table)])


def _iterrows(machine: Machine, table: Table, args: Arguments) -> Value:
    row = row_of(machine, table)
    pair = machine.new(Seq((Const(None), row), kind="tuple"))
    return machine.new(Object(kind="rows", attributes={"row": pair}))


def _itertuples(machine: Machine, table: Table, args: Arguments) -> Value:
    return machine.new(Object(kind="rows", attributes={"row": row_of(machine, table)}))


def _items(machine: Machine, table: Table, args: Arguments) -> Value:
    ref = machine.new(table)
    if not table.open:
        pairs = tuple(
            machine.new(Seq((Const(name), get_column(machine, ref, table, name)), kind="tuple")) for name in table.columns
        )
        return machine.new(Seq(pairs))
    pair = machine.new(Seq((Const(None), machine.col(table_taint(table, machine.schemas))), kind="tuple"))
    return machine.new(Object(kind="rows", attributes={"row": pair}))


def _to_dict(machine: Machine, table: Table, args: Arguments) -> Value:
    how = machine.plain(args.get(0, "orient") or Const("dict"))
    if how in {"records", "list"}:
        row = row_of(machine, table)
        return machine.new(Object(kind="rows", attributes={"row": row})) if how == "records" else machine.new(table)
    return machine.new(table)


def _to_numpy(machine: Machine, table: Table, args: Arguments) -> Value:
    return machine.col(table_taint(table, machine.schemas))


def transposed(machine: Machine, table: Table) -> Table:
    """Turn rows into columns: their names are data."""
    taint = table_taint(table, machine.schemas)
    machine.note("a transposed table: its columns' names are data")
    return Table(wide=machine.guessed(taint).deps, rows=table.rows, lib=table.lib, params=taint.params, origins=table.origins)


def _combine_first(machine: Machine, table: Table, args: Arguments) -> Table:
    other = machine.table(args.pos[0]) if args.pos else None
    if other is None or table.open or other.open:
        return widened(machine, table, "combine_first: the columns are not known", args.all())
    columns = {}
    for name in sorted({*table.columns, *other.columns}):
        parts = [one.columns[name] for one in (table, other) if name in one.columns]
        columns[name] = machine.blend(parts) if len(parts) > 1 else parts[0]
    return replace(table, columns=columns, rows=merge(table.rows, other.rows), origins=table.origins | other.origins)


_METHODS: Mapping[str, Method] = {
    **ROW_METHODS,
    "assign": _assign,
    "query": _query,
    "eval": _eval,
    "astype": _astype,
    "fillna": _fillna,
    "where": _where,
    "mask": _where,
    "apply": _apply,
    "transform": _apply,
    "agg": _agg,
    "aggregate": _agg,
    "pipe": _pipe,
    "value_counts": _value_counts,
    "describe": _describe,
    "get": _get,
    "iterrows": _iterrows,
    "itertuples": _itertuples,
    "items": _items,
    "to_dict": _to_dict,
    "to_numpy": _to_numpy,
    "to_records": _to_numpy,
    "combine_first": _combine_first,
}

"""Methods of columns: pandas Series, Polars expressions and Series, Ibis values, arrays."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nbops.lineage.code.column_words import AGGREGATES, CHOOSERS, CUMULATIVE, ORDERED, RANKS, SAME, SORTS
from nbops.lineage.code.iteration import iterate
from nbops.lineage.code.stores import conditional
from nbops.lineage.code.tables import foreign
from nbops.lineage.code.values import (
    Bound,
    Col,
    Const,
    Dep,
    Func,
    Group,
    Lazy,
    Map,
    Module,
    Object,
    Seq,
    Table,
    Value,
    as_influence,
    at_least,
    merge,
    stamped,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbops.lineage.code.expressions import Arguments
    from nbops.lineage.code.machine import Machine

__all__ = ["apply_function", "column_method", "in_order", "lookup", "row_count", "windowed"]


def row_count(table: Table, cell: int) -> Col:
    """Return the number of a table's rows: of no single column."""
    deps = {Dep(name, None, "aggregation"): frozenset({cell}) for name in sorted(table.origins)}
    return Col(deps, rows=table.rows, params=table.params, lib=table.lib, origins=table.origins)


def windowed(machine: Machine, col: Col, keys: Sequence[Col]) -> Col:
    """Let a value depend on the rows around it: by which they are grouped or sorted."""
    marks = [as_influence(merge(key.deps, key.marks), "window", machine.cell) for key in keys]
    return replace(col, marks=merge(col.marks, *marks), params=col.params.union(*(key.params for key in keys)))


def lookup(machine: Machine, keys: Col, values: Col, by: Sequence[Col]) -> Col:
    """Look values up by keys: ``keys.map(values)``."""
    inner = replace(foreign(Table(rows=keys.rows), values, machine.cell), rows={})
    tests = merge(*(merge(key.deps, key.marks) for key in (keys, *by)))
    marks = merge(inner.marks, as_influence(tests, "conditional", machine.cell))
    return Col(
        stamped(inner.deps, machine.cell),
        marks,
        keys.rows,
        keys.params | values.params,
        name=keys.name,
        index=keys.index,
        lib=keys.lib,
        origins=keys.origins,
    )


def apply_function(machine: Machine, function: Value, given: Sequence[Value], base: Sequence[Col], what: str) -> Value:
    """Call a function with what stands for its arguments; when its code is not known, say so and widen."""
    if isinstance(function, (Func, Module, Bound)) and not (isinstance(function, Module) and _outside(machine, function)):
        from nbops.lineage.code.expressions import Arguments

        return machine.call(function, Arguments(list(given)))
    if isinstance(function, Const) and isinstance(function.value, str) and base:
        return _named(machine, base[0], function.value)
    machine.note(f"{what}: the function is beyond analysis")
    blended = machine.blend(base)
    more = machine.guessed(machine.taint(function))
    from nbops.lineage.code.values import guess

    return replace(blended, deps=merge(guess(blended.deps, machine.cell), more.deps), params=blended.params | more.params)


def _outside(machine: Machine, function: Module) -> bool:
    return function.name.split(".")[0] not in {"builtins", "numpy", "pandas", "math", "polars", "str", "datetime"}


def _named(machine: Machine, col: Col, name: str) -> Col:
    from nbops.lineage.code.expressions import Arguments

    return machine.col(column_method(machine, col, name, Arguments()))


def column_method(machine: Machine, col: Col, name: str, args: Arguments) -> Value:
    """Return what a method of a column returns."""
    last = name.rsplit(".", 1)[-1]
    if "." in name:
        return _namespaced(machine, col, name, args)
    if name in _SPECIAL:
        return _SPECIAL[name](machine, col, args)
    if name in ORDERED or (name in CUMULATIVE and name != "rank"):
        col = in_order(machine, col)
    if name in {"groupby", "rolling", "expanding", "ewm", "resample"} and col.lib != "polars":
        return _grouping(machine, col, name, args)
    if name in RANKS:
        return replace(col, deps={}, marks=merge(col.marks, as_influence(col.deps, "window", machine.cell)), flags=frozenset())
    if name in AGGREGATES:
        if name in {"len", "size"}:
            return replace(row_count(Table(rows=col.rows, origins=col.origins), machine.cell), flags=frozenset({"scalar", "agg"}))
        return _aggregated(machine, col, args)
    if name in CUMULATIVE:
        made = machine.blend([col], "aggregation")
        return replace(made, index=col.index, flags=frozenset())
    if name in SAME:
        return _renamed(machine, col, name, args)
    if name in SORTS:
        return _sorted(machine, col, name, args)
    if name in CHOOSERS:
        return _chosen(machine, col, name, args)
    if name.startswith("to_") and name not in {"to_datetime", "to_dict", "to_timestamp", "to_period", "to_decimal", "to_integer"}:
        from nbops.lineage.code.frames import frame_method

        whole = machine.new(_as_table(col))
        return frame_method(machine, whole, last, args)
    others = [machine.col(value) for value in args.all() if _is_data(machine, value)]
    return replace(machine.blend([col, *others]), name=col.name, index=col.index, rows=merge(col.rows, *(o.rows for o in others)))


def _is_data(machine: Machine, value: Value) -> bool:
    taint = machine.taint(value)
    return bool(taint.deps or taint.marks or taint.params)


def _as_table(col: Col) -> Table:
    name = col.name if col.name is not None else "0"
    return Table(
        columns={name: replace(col, rows={}, index=(), origin=None, flags=frozenset())},
        rows=col.rows,
        index=col.index,
        params=col.params,
        lib=col.lib,
        origins=col.origins,
    )


def in_order(machine: Machine, col: Col) -> Col:
    """Let what sorted the rows be an influence on a value that depends on their order."""
    sorts = {dep: cells for dep, cells in col.rows.items() if dep.kind == "sort"}
    return replace(col, marks=merge(col.marks, as_influence(sorts, "window", machine.cell))) if sorts else col


def _aggregated(machine: Machine, col: Col, args: Arguments) -> Col:
    others = [machine.col(value) for value in args.all() if _is_data(machine, value)]
    where = args.kw.get("where")
    if where is not None and others:
        test = others.pop()
        base = machine.blend([col, *others], "aggregation")
        marks = merge(base.marks, as_influence(merge(test.deps, test.marks), "conditional", machine.cell))
        return replace(base, marks=marks, index=(), flags=frozenset({"scalar", "agg"}))
    made = machine.blend([col, *others], "aggregation")
    return replace(made, name=col.name, index=(), flags=frozenset({"scalar", "agg"}))


def _renamed(machine: Machine, col: Col, name: str, args: Arguments) -> Value:
    new = machine.names(args.get(0, "name", "index"))
    if name in {"rename", "alias", "name"} and new:
        return replace(col, name=new[0], origin=None)
    if name == "to_frame":
        table = _as_table(replace(col, name=new[0] if new else col.name))
        return machine.new(table)
    return replace(col, origin=None)


def _sorted(machine: Machine, col: Col, name: str, args: Arguments) -> Col:
    by = [machine.col(value) for value in args.pos if _is_data(machine, value)] or [col]
    kind = "window" if col.lib == "polars" and name == "sort_by" else "sort"
    if kind == "window":
        return windowed(machine, col, by)
    more = merge(*(as_influence(merge(one.deps, one.marks), "sort", machine.cell) for one in by))
    made = replace(col, rows=merge(col.rows, more), origin=None)
    return machine.blend([made]) if name in {"argsort", "arg_sort"} else made


def _chosen(machine: Machine, col: Col, name: str, args: Arguments) -> Col:
    tests = [machine.col(value) for value in args.pos if _is_data(machine, value)] if name == "filter" else [col]
    kind = "conditional" if name == "filter" and col.lib in {"polars", "ibis"} else "filter"
    more = merge(*(as_influence(merge(test.deps, test.marks), kind, machine.cell) for test in tests))  # type: ignore[arg-type]
    if kind == "conditional":
        return replace(col, marks=merge(col.marks, more))
    if name in {"unique", "distinct"}:
        return replace(col, origin=None, index=())
    return replace(col, rows=merge(col.rows, more), origin=None)


def _namespaced(machine: Machine, col: Col, name: str, args: Arguments) -> Value:
    space, last = name.split(".", 1)
    if space == "name":
        return col
    if space in {"list", "arr"} and last.split(".")[-1] in AGGREGATES:
        return machine.blend([col])
    if space == "str" and last in {"split", "extract", "partition", "get_dummies", "extractall"} and col.lib == "pandas":
        expand = machine.plain(args.get(None, "expand") or Const(last != "split"))
        if expand is True:
            made = machine.blend([col])
            wide = Table(wide=made.deps, rows=col.rows, lib="pandas", origins=col.origins, index=col.index, params=col.params)
            names = _group_names(machine, args) if last.startswith("extract") else None
            if names is not None:
                columns = {key: replace(made, name=key, rows={}, index=()) for key in names}
                return machine.new(replace(wide, columns=columns, wide=None))
            return machine.new(replace(wide, columns={str(at): replace(made, rows={}, index=()) for at in range(2)}))
    others = [machine.col(value) for value in args.all() if _is_data(machine, value)]
    return replace(machine.blend([col, *others]), name=col.name, index=col.index)


def _group_names(machine: Machine, args: Arguments) -> list[str] | None:
    import re

    pattern = machine.plain(args.get(0, "pat") or Const(None))
    if not isinstance(pattern, str) or len(pattern) > 1000:
        return None
    try:
        compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return None
    named = {number: name for name, number in compiled.groupindex.items()}
    return [named.get(at + 1, str(at)) for at in range(compiled.groups)]


def _grouping(machine: Machine, col: Col, name: str, args: Arguments) -> Value:
    table = _as_table(in_order(machine, col) if name != "groupby" else col)
    if name == "groupby":
        from nbops.lineage.code.groups import keys_of

        keys = keys_of(machine, Table(index=col.index, rows=col.rows), args.get(0, "by", "level"))
        return Group(table, keys, selected=tuple(table.columns), one=True)
    if name == "resample":
        periods = tuple(replace(machine.blend([level]), name=key) for key, level in col.index[:1])
        return Group(table, periods, selected=tuple(table.columns), one=True)
    return Group(table, (), selected=tuple(table.columns), one=True, window=True)


# -- methods of their own kind


def _where(machine: Machine, col: Col, args: Arguments) -> Value:
    test, other = args.get(0, "cond"), args.get(1, "other")
    if test is None:
        return col
    found = _called(machine, test, col)
    options = [col, machine.col(other)] if other is not None else [col]
    return replace(conditional(machine, options, found), name=col.name, index=col.index, lib=col.lib)


def _called(machine: Machine, value: Value, col: Col) -> Col:
    if isinstance(value, Func):
        from nbops.lineage.code.expressions import Arguments

        value = machine.call(value, Arguments([col]))
    return machine.col(value)


def _map(machine: Machine, col: Col, args: Arguments) -> Value:
    function = args.get(0, "func", "arg", "function", "mapper", "to_replace")
    if function is None:
        return col
    if isinstance(function, Col):
        by = [replace(level, rows={}) for _, level in function.index]
        return lookup(machine, col, function, by)
    thing = machine.thing(function)
    if isinstance(thing, Object) and isinstance(thing.attributes.get("series"), Col):
        return _map(machine, col, type(args)([thing.attributes["series"]]))
    if isinstance(thing, (Map, Object)):
        taint = machine.taint(function)
        made = machine.blend([col])
        if taint.deps:
            return lookup(machine, col, machine.col(function), [])
        return replace(made, params=made.params | taint.params, name=col.name, index=col.index)
    if isinstance(function, Const) and isinstance(function.value, str):
        return _named(machine, col, function.value)
    cell = replace(col, flags=frozenset({"cell"}), index=(), origin=None)
    rest = args.pos[1:]
    result = apply_function(machine, function, [cell, *rest], [col], "apply")
    if machine.table(result) is not None or isinstance(machine.thing(result), (Seq, Map)):
        return _expanded(machine, col, result)
    made = machine.col(result)
    if not (made.deps or made.marks) and not isinstance(function, Func):
        made = machine.blend([col])
    return replace(
        made,
        name=col.name,
        index=col.index,
        rows=col.rows,
        lib=col.lib,
        origins=col.origins,
        flags=frozenset(),
        deps=at_least(made.deps, "transformation", machine.cell),
    )


def _expanded(machine: Machine, col: Col, result: Value) -> Value:
    """What a function returns that makes several columns of one."""
    table = machine.table(result)
    if table is not None:
        return machine.new(replace(table, rows=merge(table.rows, col.rows), index=col.index, flags=frozenset()))
    return replace(machine.blend([machine.col(result)]), name=col.name, index=col.index, rows=col.rows)


def _fill(machine: Machine, col: Col, args: Arguments) -> Value:
    others = [machine.col(value) for value in args.pos[:1] or [v for k, v in args.kw.items() if k in {"value", "other"}]]
    data = [
        replace(other, rows={}) if other.rows == col.rows else other
        for other in others
        if other.deps or other.marks or other.params
    ]
    return replace(machine.blend([col, *data]), name=col.name, index=col.index, rows=col.rows, flags=col.flags & {"scalar"})


def _isin(machine: Machine, col: Col, args: Arguments) -> Value:
    others = [machine.col(value) for value in args.pos if _is_data(machine, value)]
    return replace(machine.blend([col, *others]), name=col.name, index=col.index)


def _value_counts(machine: Machine, col: Col, args: Arguments) -> Value:
    normalize = machine.plain(args.get(None, "normalize") or Const(value=False))
    name = "proportion" if normalize is True else "count"
    rows = merge(col.rows, as_influence(merge(col.deps, col.marks), "group_by", machine.cell))
    key = replace(col, rows={}, index=(), deps=stamped(col.deps, machine.cell), origin=None)
    counted = replace(row_count(Table(rows=rows, origins=col.origins), machine.cell), name=name, params=col.params)
    if col.lib == "pandas":
        return replace(counted, index=((col.name, key),), lib="pandas", rows=rows)
    columns = {col.name or "value": key, name: replace(counted, rows={})}
    return machine.new(Table(columns=columns, rows=rows, lib=col.lib, params=col.params, origins=col.origins))


def _to_dict(machine: Machine, col: Col, args: Arguments) -> Value:
    return machine.new(Object(kind="mapping", attributes={"series": col}, taint=machine.taint(col)))


def _reset(machine: Machine, col: Col, args: Arguments) -> Value:
    if machine.plain(args.get(None, "drop") or Const(value=False)) is True:
        return replace(col, index=(), origin=None)
    columns = {level or ("index" if len(col.index) == 1 else f"level_{at}"): one for at, (level, one) in enumerate(col.index)}
    named = machine.names(args.get(None, "name"))
    name = named[0] if named else col.name if col.name is not None else "0"
    columns[name] = replace(col, index=(), rows={}, origin=None, flags=frozenset())
    table = Table(columns=columns, rows=col.rows, params=col.params, lib=col.lib, origins=col.origins)
    return machine.new(table)


def _agg(machine: Machine, col: Col, args: Arguments) -> Value:
    functions = args.get(0, "func")
    names = machine.names(functions)
    if isinstance(functions, Const) and names:
        return _named(machine, col, names[0])
    if names:
        return replace(machine.blend([col], "aggregation"), index=())
    return apply_function(machine, functions or Const(None), [col], [col], "agg")


def _over(machine: Machine, col: Col, args: Arguments) -> Value:
    keys: list[Col] = []
    for value in [*args.pos, *(args.kw[name] for name in ("partition_by", "order_by", "group_by") if name in args.kw)]:
        items = iterate(machine, value) if not isinstance(value, (Const, Lazy, Col)) else None
        for one in items if items is not None else [value]:
            spec = machine.of(one, Object)
            if spec is not None and spec.kind == "window":
                keys.extend(machine.col(level) for level in spec.attributes.values())
            else:
                keys.append(machine.col(one))
    return replace(windowed(machine, col, keys), flags=col.flags - {"agg", "scalar"})


def _combine_first(machine: Machine, col: Col, args: Arguments) -> Value:
    return replace(machine.blend([col, *(machine.col(value) for value in args.pos)]), name=col.name, index=col.index)


def _items(machine: Machine, col: Col, args: Arguments) -> Value:
    key: Value = col.index[0][1] if col.index else Const(None)
    pair = machine.new(Seq((key, replace(col, index=())), kind="tuple"))
    return machine.new(Object(kind="rows", attributes={"row": pair}, taint=machine.taint(col)))


def _explode(machine: Machine, col: Col, args: Arguments) -> Value:
    return machine.blend([col])


_SPECIAL = {
    "where": _where,
    "mask": _where,
    "map": _map,
    "apply": _map,
    "transform": _map,
    "map_elements": _map,
    "map_batches": _map,
    "fillna": _fill,
    "fill_null": _fill,
    "fill_nan": _fill,
    "coalesce": _fill,
    "isin": _isin,
    "is_in": _isin,
    "value_counts": _value_counts,
    "to_dict": _to_dict,
    "reset_index": _reset,
    "agg": _agg,
    "aggregate": _agg,
    "over": _over,
    "combine_first": _combine_first,
    "items": _items,
    "iteritems": _items,
    "explode": _explode,
}

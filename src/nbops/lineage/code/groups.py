"""Groupings, rolling windows and resampling of pandas."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nbops.lineage.code.column_words import AGGREGATES, CUMULATIVE, ORDERED
from nbops.lineage.code.columns import apply_function, column_method, in_order, row_count, windowed
from nbops.lineage.code.iteration import iterate
from nbops.lineage.code.multi import Multi
from nbops.lineage.code.tables import column_of, table_taint
from nbops.lineage.code.values import (
    NO_NAMES,
    Col,
    Const,
    Func,
    Group,
    Map,
    Module,
    Object,
    Rest,
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

__all__ = ["group_method", "grouped", "keys_of", "without_order"]

_KEPT = frozenset({"head", "tail", "nth", "sample", "filter"})
_SHIFTS = frozenset({"shift", "diff", "pct_change", "ffill", "bfill", "fillna", "interpolate"})
_ORDERED = frozenset({"cumcount", "ngroup"})


def keys_of(machine: Machine, table: Table, by: Value | None) -> tuple[Col, ...]:
    """Return the columns of a grouping."""
    if by is None:
        return ()
    if isinstance(by, Col):
        return (replace(by, index=(), origin=None),)
    names = machine.names(by)
    if names is not None and not isinstance(by, Col):
        found: list[Col] = []
        for name in names:
            if name not in table.columns and not table.open and name.isdigit() and int(name) < len(table.index):
                level, col = table.index[int(name)]
                found.append(replace(col, name=level))
            else:
                found.append(replace(column_of(machine, table, name), rows={}, index=()))
        return tuple(found)
    spec = machine.of(by, Object)
    if spec is not None and spec.kind == "grouper":
        return keys_of(machine, table, spec.attributes.get("key"))
    items = iterate(machine, by)
    if items is not None:
        return tuple(col for item in items for col in keys_of(machine, table, item))
    if isinstance(by, (Func, Module)):
        return tuple(machine.blend([col]) for _, col in table.index)
    machine.note("grouped by columns that are not known")
    taint = machine.guessed(table_taint(table, machine.schemas))
    return (Col(taint.deps, taint.marks),)


def grouped(machine: Machine, table: Table, name: str, args: Arguments) -> Group:
    """``df.groupby(...)``, ``df.rolling(...)``, ``df.resample(...)``."""
    if name == "groupby":
        by = args.get(0, "by")
        level = args.get(None, "level")
        keys = keys_of(machine, table, by) if by is not None else _levels(machine, table, level)
        as_index = machine.plain(args.get(None, "as_index") or Const(value=True)) is not False
        return Group(table, keys, as_index=as_index)
    if name == "resample":
        on = args.get(None, "on")
        base = (
            keys_of(machine, table, on) if on is not None else tuple(replace(col, name=level) for level, col in table.index[:1])
        )
        return Group(table, tuple(replace(machine.blend([key]), name=key.name) for key in base))
    on_names = machine.names(args.get(None, "on"))
    order = tuple(column_of(machine, table, on) for on in on_names or ())
    return Group(table, order, window=True)


def without_order(table: Table) -> Table:
    """Forget how rows were sorted: their groups are put in an order of their own."""
    rows = {dep: cells for dep, cells in table.rows.items() if dep.kind != "sort"}
    return table if len(rows) == len(table.rows) else replace(table, rows=rows)


def _levels(machine: Machine, table: Table, level: Value | None) -> tuple[Col, ...]:
    plain = machine.plain(level) if level is not None else None
    wanted = plain if isinstance(plain, (list, tuple)) else [plain]
    found = [replace(col, name=name) for at, (name, col) in enumerate(table.index) if name in wanted or at in wanted]
    return tuple(found) or tuple(replace(col, name=name) for name, col in table.index)


def group_method(machine: Machine, group: Group, name: str, args: Arguments) -> Value:
    """Return what a method of a grouping returns."""
    if group.window:
        return _window_method(machine, group, name, args)
    if name == "resample":
        return replace(group, keys=(*group.keys, *grouped(machine, group.table, name, type(args)(args.pos, args.kw)).keys))
    if name in {"rolling", "expanding", "ewm"}:
        return replace(group, window=True)
    if name in {"agg", "aggregate"}:
        return _agg(machine, group, args)
    if name == "size":
        return _shaped(machine, group, {"size": replace(row_count(group.table, machine.cell), rows={})}, one=True, unnamed=True)
    if name == "transform":
        return _transform(machine, group, args)
    if name in _ORDERED:
        return windowed(machine, Col(rows=group.table.rows, index=group.table.index, origins=group.table.origins), group.keys)
    if name in CUMULATIVE:
        empty = type(args)()
        return _spread(machine, group, lambda col: machine.col(column_method(machine, col, name, empty)))
    if name in _SHIFTS:
        return _spread(machine, group, lambda col: machine.blend([in_order(machine, col)]))
    if name in {"apply", "pipe"}:
        return _apply(machine, group, args)
    if name in _KEPT:
        return _kept(machine, group, name, args)
    if name == "get_group":
        return machine.new(_by_keys(machine, group.table, group.keys, "filter"))
    if name == "describe":
        return _described(machine, group)
    if name == "value_counts":
        keys = (*group.keys, *(_column(machine, group, one) for one in group.selected or ()))
        inner = replace(group, keys=keys)
        made = machine.col(group_method(machine, inner, "size", args))
        return replace(made, name="count")
    if name in {"groups", "indices", "ngroups", "ndim"}:
        return machine.unknown([group])
    if name in AGGREGATES or name == "ohlc":
        word = Const(name)
        return _shaped(machine, group, {one: _aggregated(machine, group, one, word) for one in _selected(group)})
    machine.note(f"groupby.{name}(): what it does is not known")
    return machine.unknown([group, *args.all()])


def _selected(group: Group) -> tuple[str, ...]:
    if group.selected is not None:
        return group.selected
    keys = {key.name for key in group.keys}
    return tuple(name for name in group.table.columns if name not in keys)


def _column(machine: Machine, group: Group, name: str) -> Col:
    return replace(column_of(machine, group.table, name), index=(), name=name)


def _by_keys(machine: Machine, table: Table, keys: Sequence[Col], kind: str) -> Table:
    more = merge(*(as_influence(merge(key.deps, key.marks), kind, machine.cell) for key in keys))  # type: ignore[arg-type]
    foreign = merge(*({dep: cells for dep, cells in key.rows.items() if dep not in table.rows} for key in keys))
    return replace(table, rows=merge(table.rows, more, foreign), params=table.params.union(*(key.params for key in keys)))


def _shaped(
    machine: Machine, group: Group, columns: dict[str, Col], *, one: bool | None = None, unnamed: bool = False, rest: bool = True
) -> Value:
    """Make the table (or series) of a grouping's results: the keys become the index, or columns."""
    table = without_order(_by_keys(machine, group.table, group.keys, "group_by"))
    keys = tuple(
        (key.name, replace(key, rows={}, index=(), origin=None, deps=stamped(key.deps, machine.cell))) for key in group.keys
    )
    parts: tuple[Rest, ...] = ()
    if rest and group.selected is None and one is None:
        gone = frozenset(key.name for key in group.keys if key.name) | frozenset(columns)
        parts = tuple(
            replace(part, kind="aggregation", excluded=part.excluded | gone, cells=part.cells | {machine.cell})
            for part in group.table.rest
        )
    wide = (
        at_least(group.table.wide, "aggregation", machine.cell)
        if group.table.wide is not None and rest and group.selected is None
        else None
    )
    clean = {name: replace(col, rows={}, index=(), origin=None, flags=NO_NAMES, name=name) for name, col in columns.items()}
    single = group.one if one is None else one
    if single and group.as_index and len(clean) == 1:
        name, only = next(iter(clean.items()))
        return replace(
            only,
            name=None if unnamed else name,
            rows=table.rows,
            index=keys,
            origins=table.origins,
            params=only.params | table.params,
        )
    if group.as_index:
        made = replace(table, columns=clean, rest=parts, wide=wide, index=keys, flags=NO_NAMES)
    else:
        named = {name or "index": col for name, col in keys}
        made = replace(table, columns={**named, **clean}, rest=parts, wide=wide, index=(), flags=NO_NAMES)
    return machine.new(made)


def _spread(machine: Machine, group: Group, function: object) -> Value:
    """Give each row a value of its group."""
    columns = {}
    for name in _selected(group):
        col = function(_column(machine, group, name))  # type: ignore[operator]
        columns[name] = windowed(machine, col, group.keys)
    table = group.table
    if group.one and len(columns) == 1:
        name, only = next(iter(columns.items()))
        return replace(only, name=name, rows=table.rows, index=table.index, origins=table.origins, flags=NO_NAMES)
    clean = {name: replace(col, rows={}, index=(), flags=NO_NAMES) for name, col in columns.items()}
    rest = () if group.selected is not None else tuple(replace(part, kind="aggregation") for part in table.rest)
    return machine.new(replace(table, columns=clean, rest=rest))


def _window_method(machine: Machine, group: Group, name: str, args: Arguments) -> Value:
    if name in {"rolling", "expanding", "ewm"}:
        return group
    if name in {"agg", "aggregate"}:
        given = machine.of(args.get(0, "func") or Const(None), Map)
        if given is not None:
            group = replace(group, selected=tuple(str(key) for key in given.items), one=False)
    made = _spread(machine, group, lambda col: machine.blend([col], "aggregation"))
    if group.keys and isinstance(made, Col) and any(key.name for key in group.keys):
        return made
    return made


def _aggregated(machine: Machine, group: Group, name: str, function: Value) -> Col:
    col = replace(_column(machine, group, name), rows=group.table.rows)
    plain = machine.plain(function)
    if isinstance(plain, str):
        if plain == "size":
            return row_count(group.table, machine.cell)
        return machine.blend([in_order(machine, col) if plain in ORDERED else col], "aggregation")
    if isinstance(function, Module):
        return machine.blend([col], "aggregation")
    made = machine.col(apply_function(machine, function, [col], [col], "agg"))
    return replace(made, deps=at_least(made.deps, "aggregation", machine.cell))


def _word(machine: Machine, function: Value) -> str:
    plain = machine.plain(function)
    if isinstance(plain, str):
        return plain
    if isinstance(function, Module):
        return function.name.rsplit(".", 1)[-1]
    return getattr(getattr(function, "node", None), "name", "<lambda_0>")


def _agg(machine: Machine, group: Group, args: Arguments) -> Value:
    named = {name: value for name, value in args.kw.items() if name not in {"func", "engine", "engine_kwargs"}}
    given = args.get(0, "func")
    if given is None:
        return _named_aggregates(machine, group, named, args)
    spec = machine.of(given, Map)
    if spec is not None:
        columns: dict[str, Col] = {}
        for name, functions in spec.items.items():
            several = machine.items(functions) if not isinstance(functions, Const) else None
            if several is None:
                columns[str(name)] = _aggregated(machine, group, str(name), functions)
            else:
                for function in several:
                    columns[Multi((str(name), _word(machine, function)))] = _aggregated(machine, group, str(name), function)
        return _shaped(machine, group, columns, one=False, rest=not spec.exact)
    several = machine.items(given) if not isinstance(given, Const) else None
    if several is not None:
        made: dict[str, Col] = {}
        for name in _selected(group):
            for function in several:
                key: str = _word(machine, function) if group.one else Multi((name, _word(machine, function)))
                made[key] = _aggregated(machine, group, name, function)
        return _shaped(machine, group, made, one=False)
    return _shaped(machine, group, {name: _aggregated(machine, group, name, given) for name in _selected(group)})


def _named_aggregates(machine: Machine, group: Group, named: dict[str, Value], args: Arguments) -> Value:
    columns: dict[str, Col] = {}
    for name, value in named.items():
        pair = machine.items(value)
        spec = machine.of(value, Object)
        if spec is not None and spec.kind == "named_agg":
            pair = (spec.attributes["column"], spec.attributes["aggfunc"])
        if pair is not None and len(pair) == 2 and not isinstance(value, Const):
            source = machine.names(pair[0])
            if source:
                columns[name] = _aggregated(machine, group, source[0], pair[1])
                continue
        if group.one and group.selected:
            columns[name] = _aggregated(machine, group, group.selected[0], value)
            continue
        machine.note(f"agg: what {name!r} is computed from is not known")
        columns[name] = machine.col(machine.unknown([group, value]))
    result = _shaped(machine, group, columns, one=False, rest=False)
    if args.extra:
        machine.note("agg: columns of names that are not known")
        table = machine.of(result, Table)
        if table is not None:
            machine.put(result, replace(table, wide=machine.guessed(table_taint(group.table, machine.schemas)).deps))
    return result


def _transform(machine: Machine, group: Group, args: Arguments) -> Value:
    function = args.get(0, "func") or Const("sum")

    def one(col: Col) -> Col:
        if isinstance(function, (Const, Module)):
            plain = machine.plain(function)
            return machine.blend([col], "transformation" if plain in _SHIFTS else "aggregation")
        return machine.col(apply_function(machine, function, [replace(col, rows=group.table.rows)], [col], "transform"))

    return _spread(machine, group, one)


def _apply(machine: Machine, group: Group, args: Arguments) -> Value:
    function = args.get(0, "func")
    table = group.table
    if function is None:
        return machine.unknown([group])
    if group.one and group.selected:
        part: Value = replace(_column(machine, group, group.selected[0]), rows=table.rows)
    else:
        part = machine.new(table if group.selected is None else _narrow(machine, group))
    if not isinstance(function, Func):
        machine.note("groupby.apply: the function is beyond analysis")
        result: Value = machine.unknown([part, function])
    else:
        result = machine.call(
            function, type(args)([part, *args.pos[1:]], {k: v for k, v in args.kw.items() if k != "include_groups"})
        )
    inner = machine.table(result)
    keys = tuple((key.name, replace(key, rows={}, index=(), origin=None)) for key in group.keys)
    if inner is not None:
        by = _by_keys(machine, inner, group.keys, "group_by")
        index = keys if "row" in inner.flags else (*keys, *inner.index)
        return machine.new(replace(by, index=index, flags=NO_NAMES))
    made = machine.col(result)
    whole = _by_keys(machine, table, group.keys, "group_by")
    return replace(made, name=None, rows=whole.rows, index=keys, origins=table.origins, flags=NO_NAMES)


def _narrow(machine: Machine, group: Group) -> Table:
    from nbops.lineage.code.access import select

    return select(machine, group.table, group.selected or ())


def _kept(machine: Machine, group: Group, name: str, args: Arguments) -> Value:
    table = group.table
    if name == "filter":
        function = args.get(0, "func")
        ref = machine.new(table)
        result = machine.call(function, type(args)([ref])) if function is not None else Const(None)
        test = machine.col(result)
        more = as_influence(merge(test.deps, test.marks), "filter", machine.cell)
        table = replace(table, rows=merge(table.rows, more))
    made = _by_keys(machine, table, group.keys, "filter")
    if group.one and group.selected:
        return replace(_column(machine, replace(group, table=made), group.selected[0]), rows=made.rows, index=made.index)
    return machine.new(made)


def _described(machine: Machine, group: Group) -> Value:
    words = ("count", "mean", "std", "min", "25%", "50%", "75%", "max")
    columns: dict[str, Col] = {}
    for name in _selected(group):
        col = machine.blend([_column(machine, group, name)], "aggregation")
        for word in words:
            columns[word if group.one else Multi((name, word))] = col
    return _shaped(machine, group, columns, one=False)

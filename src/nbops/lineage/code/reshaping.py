"""Joining, stacking and turning tables: pandas' ``merge``, ``concat``, ``melt``, ``pivot_table``..."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nbops.lineage.code.access import widened
from nbops.lineage.code.iteration import element, iterate
from nbops.lineage.code.stores import drop_columns, with_column
from nbops.lineage.code.tables import column_of, table_taint, union
from nbops.lineage.code.values import (
    NO_NAMES,
    Col,
    Const,
    Dep,
    Deps,
    Map,
    Rest,
    Seq,
    Table,
    Value,
    as_influence,
    at_least,
    guess,
    merge,
    stamped,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbops.lineage.code.expressions import Arguments
    from nbops.lineage.code.machine import Machine
    from nbops.lineage.code.methods import Method
    from nbops.model import ColumnTransformation

__all__ = ["RESHAPES", "as_table", "concat", "dummies", "joined", "melt", "merged", "side_by_side", "stacked"]


def as_table(machine: Machine, value: Value) -> Table | None:
    """See a table or a series as a table."""
    table = machine.table(value)
    if table is not None:
        return table
    if isinstance(value, Col):
        name = value.name if value.name is not None else "0"
        only = replace(value, rows={}, index=(), origin=None, flags=NO_NAMES, name=name)
        return Table(
            columns={name: only}, rows=value.rows, index=value.index, params=value.params, lib=value.lib, origins=value.origins
        )
    return None


def joined(
    machine: Machine,
    left: Table,
    right: Table,
    pairs: Sequence[tuple[Col, Col]],
    *,
    how: str = "inner",
    shared: Sequence[str] = (),
    suffixes: tuple[str, str] = ("_x", "_y"),
    drop: Sequence[str] = (),
) -> Table:
    """Join two tables.

    Args:
        machine: Where notes go.
        left: The left table.
        right: The right table.
        pairs: Columns that must be equal.
        how: ``inner``, ``left``, ``right``, ``outer``, ``semi``, ``anti``, ``cross``...
        shared: Names of keys that are one column afterwards.
        suffixes: What is added to names that both have.
        drop: Columns of the right one that go.
    """
    keys = merge(*(merge(a.deps, a.marks, b.deps, b.marks) for a, b in pairs))
    kind: ColumnTransformation = "filter" if how in {"semi", "anti"} else "join"
    rows = merge(left.rows, right.rows, as_influence(keys, kind, machine.cell))
    params = left.params | right.params
    if how in {"semi", "anti"}:
        return replace(left, rows=rows, params=params)
    columns: dict[str, Col] = {}
    both = (set(left.columns) & set(right.columns)) - set(shared) - set(drop)
    for name, col in left.columns.items():
        if name in shared:
            other = replace(column_of(machine, right, name), rows={}, index=())
            parts = {"right": [other], "outer": [col, other], "full": [col, other]}.get(how, [col])
            made = parts[0] if len(parts) == 1 else machine.blend(parts)
            columns[name] = replace(made, rows={}, name=name, deps=stamped(made.deps, machine.cell))
        else:
            columns[f"{name}{suffixes[0]}" if name in both else name] = col
    for name in shared:
        if name not in columns:
            mine, other = (replace(column_of(machine, table, name), rows={}, index=()) for table in (left, right))
            parts = {"right": [other], "outer": [mine, other], "full": [mine, other]}.get(how, [mine])
            columns[name] = parts[0] if len(parts) == 1 else machine.blend(parts)
    for name, col in right.columns.items():
        if name not in shared and name not in drop:
            columns[f"{name}{suffixes[1]}" if name in both else name] = col
    gone = frozenset(shared)
    rest = (*_without(left, gone), *_without(right, gone | frozenset(drop)))
    wide = merge(left.wide or {}, right.wide or {}) if left.wide is not None or right.wide is not None else None
    return replace(
        left,
        columns=columns,
        rest=rest,
        wide=wide,
        rows=rows,
        params=params,
        origins=left.origins | right.origins,
        index=(),
        flags=NO_NAMES,
    )


def _without(table: Table, gone: frozenset[str]) -> list[Rest]:
    return [replace(part, excluded=part.excluded | gone) for part in table.rest]


def merged(machine: Machine, left: Table, right: Table, args: Arguments, first: int) -> Table:
    """``left.merge(right, ...)``; ``first`` is where the arguments after the tables begin."""
    how_value = machine.plain(args.get(first, "how") or Const("inner"))
    how = how_value if isinstance(how_value, str) else "inner"
    on = args.get(first + 1, "on")
    left_on, right_on = args.get(first + 2, "left_on"), args.get(first + 3, "right_on")
    suffixes_value = machine.plain(args.get(None, "suffixes") or Const(("_x", "_y")))
    pair = tuple(str(one or "") for one in suffixes_value) if isinstance(suffixes_value, (tuple, list)) else ("_x", "_y")
    shared: Sequence[str] = ()
    pairs: list[tuple[Col, Col]] = []
    index = (machine.plain(args.get(None, name) or Const(value=False)) is True for name in ("left_index", "right_index"))
    left_index, right_index = index
    if on is not None:
        names = machine.names(on)
        if names is None:
            machine.note("merge: the keys are not known")
            return _unknown_keys(machine, left, right)
        shared = names
        pairs = [(column_of(machine, left, name), column_of(machine, right, name)) for name in names]
    elif left_on is not None or right_on is not None or left_index or right_index:
        lefts, rights = _side(machine, left, left_on, index=left_index), _side(machine, right, right_on, index=right_index)
        if lefts is None or rights is None:
            machine.note("merge: the keys are not known")
            return _unknown_keys(machine, left, right)
        names_l, names_r = machine.names(left_on) if left_on else None, machine.names(right_on) if right_on else None
        if names_l and names_r:
            shared = [a for a, b in zip(names_l, names_r, strict=False) if a == b]
        pairs = list(zip(lefts, rights, strict=False))
    elif how != "cross":
        if left.open or right.open:
            machine.note("merge without keys: the columns that both have are not known")
            return _unknown_keys(machine, left, right)
        shared = [name for name in left.columns if name in right.columns]
        pairs = [(left.columns[name], right.columns[name]) for name in shared]
    by = machine.names(args.get(None, "by"))
    if by:
        shared = [*shared, *by]
        pairs += [(column_of(machine, left, name), column_of(machine, right, name)) for name in by]
    two = (pair[0], pair[1]) if len(pair) == 2 else ("_x", "_y")
    made = joined(machine, left, right, pairs, how=how, shared=shared, suffixes=two)
    if left_index and right_index:
        made = replace(made, index=left.index)
    indicator = machine.plain(args.get(None, "indicator") or Const(value=False))
    if indicator:
        name = indicator if isinstance(indicator, str) else "_merge"
        keys = merge(*(merge(a.deps, b.deps) for a, b in pairs))
        columns = {**made.columns, name: Col(marks=as_influence(keys, "conditional", machine.cell), name=name)}
        made = replace(made, columns=columns)
    return made


def _side(machine: Machine, table: Table, on: Value | None, *, index: bool) -> list[Col] | None:
    if index:
        return [col for _, col in table.index] or [Col()]
    names = machine.names(on)
    if names is None:
        return [on] if isinstance(on, Col) else None
    return [column_of(machine, table, name) for name in names]


def _unknown_keys(machine: Machine, left: Table, right: Table) -> Table:
    """Join by columns that are not known: any may decide."""
    deps = merge(*(guess(table_taint(table, machine.schemas).deps, machine.cell) for table in (left, right)))
    both = set(left.columns) & set(right.columns)
    return joined(machine, left, right, [(Col(deps), Col())], shared=sorted(both))


def _merge(machine: Machine, table: Table, args: Arguments) -> Table:
    right = as_table(machine, args.pos[0]) if args.pos else as_table(machine, args.kw.get("right", Const(None)))
    if right is None:
        return widened(machine, table, "merge: with what is not known", args.all())
    return merged(machine, table, right, args, 1)


def _join(machine: Machine, table: Table, args: Arguments) -> Table:
    other = args.get(0, "other")
    items = iterate(machine, other) if other is not None and as_table(machine, other) is None else None
    tables = [as_table(machine, one) for one in ([other] if items is None else items) if one is not None]
    on = machine.names(args.get(1, "on"))
    how = machine.plain(args.get(2, "how") or Const("left"))
    suffixes = tuple(str(machine.plain(args.get(None, name) or Const(""))) for name in ("lsuffix", "rsuffix"))
    made = table
    for right in tables:
        if right is None:
            return widened(machine, table, "join: with what is not known", args.all())
        mine = [column_of(machine, made, name) for name in on] if on else [col for _, col in made.index]
        theirs = [col for _, col in right.index]
        pairs = list(zip(mine or [Col()] * len(theirs), theirs or [Col()] * len(mine), strict=False))
        index = made.index
        plain = replace(right, index=())
        joint = joined(
            machine, made, plain, pairs, how=how if isinstance(how, str) else "left", suffixes=(suffixes[0], suffixes[1])
        )
        made = replace(joint, index=index)
    return made


def concat(machine: Machine, given: Value | None, args: Arguments) -> Value:
    """``pd.concat``, ``pl.concat``."""
    if given is None:
        return machine.unknown()
    mapping = machine.of(given, Map)
    items: list[Value] = list(mapping.items.values()) if mapping is not None else []
    if mapping is None:
        known = iterate(machine, given) if machine.table(given) is None else None
        seq = machine.of(given, Seq)
        items = known if known is not None else list(seq.items) if seq is not None else [element(machine, given)]
    items = [item for item in items if not (isinstance(item, Const) and item.value is None)]
    tables = [as_table(machine, item) for item in items]
    if not tables or None in tables:
        machine.note("concat: some of what is concatenated is not known")
        return machine.unknown(items)
    found = [table for table in tables if table is not None]
    axis = machine.plain(args.get(None, "axis") or Const(0))
    how = machine.plain(args.get(None, "how") or Const("vertical"))
    if axis in (1, "columns") or how == "horizontal":
        return machine.new(side_by_side(machine, found))
    if all(isinstance(item, Col) for item in items) and found[0].lib == "pandas":
        return replace(machine.blend([item for item in items if isinstance(item, Col)], "identity"), index=())
    return machine.new(stacked(machine, found, inner=machine.plain(args.get(None, "join") or Const("outer")) == "inner"))


def stacked(machine: Machine, tables: Sequence[Table], *, inner: bool = False) -> Table:
    """Put tables below one another: columns by name."""
    made = union(tables)
    if inner and not made.open:
        common = [name for name in made.columns if all(name in table.columns for table in tables)]
        made = replace(made, columns={name: made.columns[name] for name in common})
    index = made.index if all(table.index for table in tables) else ()
    columns = (
        {name: replace(col, deps=stamped(col.deps, machine.cell)) for name, col in made.columns.items()}
        if len(tables) > 1
        else made.columns
    )
    return replace(made, columns=columns, index=index, flags=NO_NAMES)


def side_by_side(machine: Machine, tables: Sequence[Table]) -> Table:
    """Put tables beside one another."""
    columns: dict[str, Col] = {}
    for table in tables:
        for name, col in table.columns.items():
            columns[name] = machine.blend([columns[name], col], "identity") if name in columns else col
    made = union(tables)
    keys = [col for table in tables for _, col in table.index]
    rows = merge(made.rows, as_influence(merge(*(key.deps for key in keys)), "join", machine.cell) if len(tables) > 1 else {})
    return replace(made, columns=columns, rows=rows, index=tables[0].index, flags=NO_NAMES)


def _append(machine: Machine, table: Table, args: Arguments) -> Value:
    ref = machine.new(table)
    other = args.get(0, "other")
    items = [other] if other is not None else []
    return concat(machine, machine.new(Seq((ref, *items))), type(args)())


def melt(
    machine: Machine, table: Table, ids: Sequence[str] | None, values: Sequence[str] | None, names: tuple[str, str]
) -> Table:
    """Turn columns into rows."""
    kept = {name: replace(column_of(machine, table, name), rows={}, index=()) for name in ids or ()}
    deps: Deps
    if values is not None:
        cols = [column_of(machine, table, name) for name in values]
        deps, marks = merge(*(col.deps for col in cols)), merge(*(col.marks for col in cols))
    else:
        cols = [col for name, col in table.columns.items() if name not in kept]
        wild: dict[Dep, frozenset[int]] = {Dep(part.source, None, part.kind, part.how): part.cells for part in table.rest}
        deps = merge(*(col.deps for col in cols), wild, table.wide or {})
        marks = merge(*(col.marks for col in cols))
    value = Col(stamped(deps, machine.cell), marks, name=names[1], lib=table.lib)
    columns = {**kept, names[0]: Col(name=names[0], lib=table.lib), names[1]: value}
    return replace(table, columns=columns, rest=(), wide=None, index=(), flags=NO_NAMES)


def _melt(machine: Machine, table: Table, args: Arguments) -> Table:
    ids, values = machine.names(args.get(0, "id_vars")), machine.names(args.get(1, "value_vars"))
    named = [
        machine.plain(args.get(at, name) or Const(default))
        for at, name, default in ((2, "var_name", "variable"), (3, "value_name", "value"))
    ]
    if (ids is None and args.get(0, "id_vars") is not None) or (values is None and args.get(1, "value_vars") is not None):
        return widened(machine, table, "melt: the columns' names are not known")
    return melt(machine, table, ids, values, (str(named[0] or "variable"), str(named[1] or "value")))


def _pivot_table(machine: Machine, table: Table, args: Arguments) -> Table:
    return _pivoted(machine, table, args, positions=(1, 2, 0), kind="aggregation")


def _pivot(machine: Machine, table: Table, args: Arguments) -> Table:
    return _pivoted(machine, table, args, positions=(None, None, None), kind="identity")


def _pivoted(machine: Machine, table: Table, args: Arguments, positions: tuple[int | None, ...], kind: str) -> Table:
    index = machine.names(args.get(positions[0], "index")) or ()
    across = machine.names(args.get(positions[1], "columns"))
    wanted = machine.names(args.get(positions[2], "values"))
    chosen = set(index) | set(across or ())
    values = wanted if wanted is not None else tuple(name for name in table.columns if name not in chosen)
    keys = [replace(column_of(machine, table, name), rows={}, index=()) for name in index]
    marks = merge(*(as_influence(column_of(machine, table, name).deps, "conditional", machine.cell) for name in across or ()))
    rows = merge(table.rows, *(as_influence(key.deps, "group_by", machine.cell) for key in keys))
    cols = {name: column_of(machine, table, name) for name in values}
    made = {name: replace(machine.blend([col], kind), rows={}, index=(), name=name) for name, col in cols.items()}
    levels = tuple((name, replace(column_of(machine, table, name), rows={}, index=())) for name in index)
    base = replace(table, rows=rows, index=levels, rest=(), wide=None, flags=NO_NAMES)
    if across is None and args.get(positions[1], "columns") is None:
        return replace(base, columns=made)
    deps = merge(
        *(col.deps for col in made.values()),
        *({Dep(p.source, None, "aggregation", "assumed"): p.cells} for p in table.rest if wanted is None),
    )
    machine.note("a pivot: its columns' names are data")
    wide = {replace(dep, how="assumed"): cells for dep, cells in merge(deps, marks).items()}
    return replace(base, columns={}, wide=wide)


def _stack(machine: Machine, table: Table, args: Arguments) -> Value:
    taint = table_taint(replace(table, index=()), machine.schemas)
    return Col(
        stamped(taint.deps, machine.cell),
        taint.marks,
        table.rows,
        taint.params,
        index=(*table.index, (None, Col())),
        origins=table.origins,
    )


def _unstack(machine: Machine, table: Table, args: Arguments) -> Table:
    taint = table_taint(replace(table, index=()), machine.schemas)
    machine.note("unstack: its columns' names are data")
    wide = {replace(dep, how="assumed"): cells for dep, cells in taint.deps.items()}
    return replace(table, columns={}, rest=(), wide=wide, index=table.index[:-1], flags=NO_NAMES)


def _explode(machine: Machine, table: Table, args: Arguments) -> Table:
    names = machine.names(args.get(0, "column", "columns"))
    if names is None:
        return widened(machine, table, "explode: the column's name is not known")
    made = table
    for name in names:
        col = column_of(machine, table, name)
        more = as_influence(merge(col.deps, col.marks), "join", machine.cell)
        made = with_column(machine, made, name, machine.blend([replace(col, rows={})]))
        made = replace(made, rows=merge(made.rows, more))
    return made


def dummies(machine: Machine, table: Table, columns: Sequence[str] | None) -> Table:
    """Turn values into columns: their names are data."""
    names = columns if columns is not None else tuple(table.columns)
    cols = [column_of(machine, table, name) for name in names]
    machine.note("get_dummies: its columns' names are data")
    deps = merge(*(at_least(col.deps, "transformation", machine.cell) for col in cols))
    wide = {replace(dep, how="assumed"): cells for dep, cells in deps.items()}
    kept = drop_columns(table, names) if columns is not None else replace(table, columns=table.columns)
    return replace(kept, wide=merge(kept.wide or {}, wide), flags=NO_NAMES)


RESHAPES: Mapping[str, Method] = {
    "merge": _merge,
    "join": _join,
    "append": _append,
    "melt": _melt,
    "pivot_table": _pivot_table,
    "pivot": _pivot,
    "stack": _stack,
    "unstack": _unstack,
    "explode": _explode,
}

"""Methods of DataFrames that choose, sort and name: rows, columns and the index."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nbops.lineage.code.access import select, widened
from nbops.lineage.code.machine import MISSING, Machine
from nbops.lineage.code.stores import drop_columns
from nbops.lineage.code.tables import column_of, table_taint
from nbops.lineage.code.values import (
    Bound,
    Col,
    Const,
    Func,
    Map,
    Module,
    Seq,
    Table,
    Value,
    as_influence,
    merge,
    stamped,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbops.lineage.code.expressions import Arguments
    from nbops.lineage.code.methods import Method

__all__ = ["ROW_METHODS", "chosen", "renamed"]


def _rename(machine: Machine, table: Table, args: Arguments) -> Table:
    mapper = args.get(None, "columns") or (
        args.get(0, "mapper") if machine.plain(args.get(None, "axis") or Const(0)) in (1, "columns") else None
    )
    if mapper is None:
        return table
    plain = machine.plain(mapper)
    if isinstance(plain, dict) or machine.of(mapper, Map) is not None:
        known = machine.of(mapper, Map)
        pairs = {str(old): machine.plain(new) for old, new in known.items.items()} if known is not None else plain
        if (known is None or known.exact) and all(isinstance(new, str) for new in pairs.values()):
            return renamed(machine, table, {str(old): str(new) for old, new in pairs.items()})
    elif isinstance(mapper, (Func, Module, Bound)) and not table.open:
        names: dict[str, str] = {}
        from nbops.lineage.code.expressions import Arguments

        for name in table.columns:
            new = machine.plain(machine.call(mapper, Arguments([Const(name)])))
            if not isinstance(new, str):
                break
            names[name] = new
        if len(names) == len(table.columns):
            return renamed(machine, table, names)
    return widened(machine, table, "rename: the new names are not known", [mapper])


def renamed(machine: Machine, table: Table, names: Mapping[str, str]) -> Table:
    """Return a table with columns renamed."""
    columns: dict[str, Col] = {}
    for name, col in table.columns.items():
        columns[names.get(name, name)] = (
            replace(col, name=names.get(name, name), deps=stamped(col.deps, machine.cell)) if name in names else col
        )
    gone = frozenset(names)
    if table.open:
        for old, new in names.items():
            if old not in table.columns:
                columns[new] = replace(column_of(machine, table, old), rows={}, index=(), name=new)
    rest = tuple(replace(part, excluded=part.excluded | gone | frozenset(names.values())) for part in table.rest)
    index = tuple((names.get(level, level) if level is not None else None, col) for level, col in table.index)
    return replace(table, columns=columns, rest=rest, index=index)


def _drop(machine: Machine, table: Table, args: Arguments) -> Table:
    axis = machine.plain(args.get(None, "axis") or Const(0))
    given = args.get(None, "columns")
    if given is None and (axis in (1, "columns") or table.lib != "pandas"):
        given = args.get(0, "labels")
        if table.lib != "pandas" and len(args.pos) > 1:
            given = machine.new(Seq(tuple(args.pos)))
    if given is None:
        return table
    names = machine.names(given)
    if names is None:
        machine.note("drop: the columns' names are not known: all may be there still")
        return table
    return drop_columns(table, names)


def _subset(machine: Machine, table: Table, value: Value | None) -> list[Col]:
    names = machine.names(value) if value is not None else None
    if names is not None:
        return [column_of(machine, table, name) for name in names]
    taint = table_taint(table, machine.schemas)
    cols = [replace(col, rows=table.rows) for col in table.columns.values()]
    return cols if not table.open else [Col(taint.deps, taint.marks)]


def chosen(machine: Machine, table: Table, by: Sequence[Col], kind: str) -> Table:
    """Let columns decide which rows there are, or how they are sorted."""
    more = merge(*(as_influence(merge(col.deps, col.marks), kind, machine.cell) for col in by))  # type: ignore[arg-type]
    return replace(
        table, rows=merge(table.rows, more), params=table.params.union(*(col.params for col in by)), flags=table.flags - {"row"}
    )


def _dropna(machine: Machine, table: Table, args: Arguments) -> Table:
    if machine.plain(args.get(None, "axis") or Const(0)) in (1, "columns"):
        return table
    return chosen(machine, table, _subset(machine, table, args.get(None, "subset")), "filter")


def _drop_duplicates(machine: Machine, table: Table, args: Arguments) -> Table:
    return chosen(machine, table, _subset(machine, table, args.get(0, "subset")), "group_by")


def _duplicated(machine: Machine, table: Table, args: Arguments) -> Value:
    return replace(machine.blend(_subset(machine, table, args.get(0, "subset")), "aggregation"), name=None, index=table.index)


def _sort(machine: Machine, table: Table, args: Arguments) -> Table:
    names = machine.names(args.get(0, "by"))
    if names is None:
        machine.note("sort_values: the columns' names are not known")
        return chosen(machine, table, _subset(machine, table, None), "sort")
    return chosen(machine, table, [column_of(machine, table, name) for name in names], "sort")


def _sort_index(machine: Machine, table: Table, args: Arguments) -> Table:
    if machine.plain(args.get(0, "axis") or Const(0)) in (1, "columns"):
        return table
    return chosen(machine, table, [col for _, col in table.index], "sort")


def _largest(machine: Machine, table: Table, args: Arguments) -> Table:
    names = machine.names(args.get(1, "columns"))
    by = [column_of(machine, table, name) for name in names] if names else _subset(machine, table, None)
    return chosen(machine, table, by, "sort")


def _set_index(machine: Machine, table: Table, args: Arguments) -> Table:
    keys = args.get(0, "keys")
    names = machine.names(keys)
    keep = machine.plain(args.get(1, "drop") or Const(value=True)) is False
    if names is None:
        col = machine.col(keys) if keys is not None else Col()
        return replace(table, index=((col.name, replace(col, rows={}, index=())),))
    levels = tuple((name, replace(column_of(machine, table, name), rows={}, index=(), name=name)) for name in names)
    kept = table if keep else drop_columns(table, names)
    before = table.index if machine.plain(args.get(None, "append") or Const(value=False)) is True else ()
    return replace(kept, index=(*before, *levels))


def _reset_index(machine: Machine, table: Table, args: Arguments) -> Table:
    level = machine.names(args.get(0, "level"))
    moved = [one for one in table.index if level is None or one[0] in level]
    left = tuple(one for one in table.index if one not in moved)
    if machine.plain(args.get(None, "drop") or Const(value=False)) is True:
        return replace(table, index=left)
    names = machine.names(args.get(None, "names"))
    columns: dict[str, Col] = {}
    for at, (name, col) in enumerate(moved):
        new = names[at] if names and at < len(names) else name or ("index" if len(moved) == 1 else f"level_{at}")
        columns[new] = replace(col, name=new, rows={}, index=())
    if not table.index and not table.open:
        columns["index"] = Col(name="index")
    gone = frozenset(columns)
    rest = tuple(replace(part, excluded=part.excluded | gone) for part in table.rest)
    return replace(table, columns={**columns, **table.columns}, rest=rest, index=left)


def _rename_axis(machine: Machine, table: Table, args: Arguments) -> Table:
    names = machine.names(args.get(0, "mapper", "index"))
    if names and len(names) == len(table.index):
        return replace(table, index=tuple((new, col) for new, (_, col) in zip(names, table.index, strict=True)))
    return table


def _filter(machine: Machine, table: Table, args: Arguments) -> Table:
    import re

    items = machine.names(args.get(0, "items"))
    if items is not None:
        return select(machine, table, [name for name in items if name in table.columns or table.open])
    like, regex = machine.plain(args.get(1, "like") or Const(None)), machine.plain(args.get(2, "regex") or Const(None))
    if table.open or MISSING in {id(like) and like, regex}:
        return widened(machine, table, "filter: which columns it keeps is not known")
    if isinstance(like, str):
        return select(machine, table, [name for name in table.columns if like in name])
    if isinstance(regex, str) and len(regex) < 1000:
        try:
            return select(machine, table, [name for name in table.columns if len(name) < 1000 and re.search(regex, name)])
        except (re.error, RecursionError):
            pass
    return widened(machine, table, "filter: which columns it keeps is not known")


def _select_dtypes(machine: Machine, table: Table, args: Arguments) -> Table:
    return widened(machine, table, "select_dtypes: which columns are of which type is not known")


def _affixed(*, before: bool) -> Method:
    def method(machine: Machine, table: Table, args: Arguments) -> Table:
        text = machine.plain(args.get(0, "prefix", "suffix") or Const(None))
        if not isinstance(text, str) or table.open:
            return widened(machine, table, "the columns' new names are not known")
        names = {name: f"{text}{name}" if before else f"{name}{text}" for name in table.columns}
        return renamed(machine, table, names)

    return method


def _set_axis(machine: Machine, table: Table, args: Arguments) -> Table:
    from nbops.lineage.code.stores import rename_columns

    if machine.plain(args.get(1, "axis") or Const(0)) in (1, "columns"):
        return rename_columns(machine, table, machine.names(args.get(0, "labels")))
    return table


ROW_METHODS: Mapping[str, Method] = {
    "rename": _rename,
    "rename_columns": _rename,
    "drop": _drop,
    "dropna": _dropna,
    "drop_duplicates": _drop_duplicates,
    "duplicated": _duplicated,
    "sort_values": _sort,
    "sort_index": _sort_index,
    "nlargest": _largest,
    "nsmallest": _largest,
    "set_index": _set_index,
    "reset_index": _reset_index,
    "rename_axis": _rename_axis,
    "filter": _filter,
    "select_dtypes": _select_dtypes,
    "add_prefix": _affixed(before=True),
    "add_suffix": _affixed(before=False),
    "set_axis": _set_axis,
}

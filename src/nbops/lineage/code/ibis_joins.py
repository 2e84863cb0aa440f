"""Joins of Ibis, and turning columns into rows and back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nbops.lineage.code.frames_rows import chosen, renamed
from nbops.lineage.code.ibis_values import values_of as resolved
from nbops.lineage.code.iteration import iterate
from nbops.lineage.code.reshaping import joined
from nbops.lineage.code.tables import column_of
from nbops.lineage.code.values import (
    Col,
    Const,
    Lazy,
    Seq,
    Table,
    Value,
    as_influence,
    at_least,
    merge,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbops.lineage.code.expressions import Arguments
    from nbops.lineage.code.machine import Machine
    from nbops.lineage.code.methods import Method

__all__ = ["JOIN_METHODS"]


def join_tables(machine: Machine, table: Table, args: Arguments) -> Table:
    other = machine.table(args.get(0, "right") or Const(None))
    if other is None:
        from nbops.lineage.code.access import widened

        return widened(machine, table, "join: with what is not known", args.all())
    how = str(machine.plain(args.get(2, "how") or Const("inner")))
    given = args.get(1, "predicates", "on")
    names = [
        machine.plain(args.get(None, word) or Const(default)) for word, default in (("lname", ""), ("rname", "{name}_right"))
    ]
    pairs, shared = _predicates(machine, table, other, given)
    how = {"outer": "full", "any_inner": "inner", "any_left": "left"}.get(how, how)
    both = (set(table.columns) & set(other.columns)) - set(shared)
    left, right = table, other
    keep_left = shared if how in {"inner", "left", "right", "asof"} else []
    if isinstance(names[0], str) and "{name}" in names[0]:
        left = renamed(machine, table, {name: names[0].format(name=name) for name in both})
    if isinstance(names[1], str) and "{name}" in names[1]:
        clash = both if keep_left else both | set(shared)
        right = renamed(machine, other, {name: names[1].format(name=name) for name in clash})
    kept = shared if keep_left else []
    made = joined(machine, left, right, pairs, how="left" if how == "asof" else how, shared=kept, suffixes=("", "_right"))
    return replace(made, name=None)


def _predicates(machine: Machine, left: Table, right: Table, given: Value | None) -> tuple[list[tuple[Col, Col]], list[str]]:
    """Return the pairs of keys of a join, and the names that both tables have for one."""
    pairs: list[tuple[Col, Col]] = []
    shared: list[str] = []
    if given is None:
        return pairs, shared
    items = iterate(machine, given) if not isinstance(given, (Const, Col, Lazy)) else None
    if items is not None and machine.plain(given) is not None and len(items) == 2 and not _is_pair_list(machine, given):
        items = list(items)
    for item in items if items is not None else [given]:
        two = iterate(machine, item) if not isinstance(item, (Const, Col, Lazy)) else None
        if isinstance(item, Const) and isinstance(item.value, str):
            shared.append(item.value)
            pairs.append((column_of(machine, left, item.value), column_of(machine, right, item.value)))
        elif two is not None and len(two) == 2:
            mine, theirs = resolved(machine, left, [two[0]]), resolved(machine, right, [two[1]])
            pairs.extend(zip(mine, theirs, strict=False))
            shared.extend(a.name for a, b in zip(mine, theirs, strict=False) if a.name == b.name and a.name)
        else:
            found = resolved(machine, left, [item], strings=False)
            pairs.extend((col, Col()) for col in found)
            if (
                isinstance(item, Col)
                and "equal" in item.flags
                and item.name
                and item.name in left.columns
                and item.name in right.columns
            ):
                shared.append(item.name)
    return pairs, shared


def _is_pair_list(machine: Machine, given: Value) -> bool:
    seq = machine.of(given, Seq)
    return seq is not None and seq.kind == "tuple"


def _longer(machine: Machine, table: Table, args: Arguments) -> Table:
    from nbops.lineage.code.reshaping import melt

    cols = [col.name or "" for col in resolved(machine, table, args.pos[:1])]
    names = [
        machine.plain(args.get(None, word) or Const(default)) for word, default in (("names_to", "name"), ("values_to", "value"))
    ]
    ids = [name for name in table.columns if name not in cols]
    made = melt(machine, table, ids, cols, (str(names[0]), str(names[1])))
    return replace(made, rest=tuple(replace(part, excluded=part.excluded | frozenset(cols)) for part in table.rest))


def _wider(machine: Machine, table: Table, args: Arguments) -> Table:
    on = resolved(machine, table, [args.kw["names_from"]]) if "names_from" in args.kw else []
    values = resolved(machine, table, [args.kw["values_from"]]) if "values_from" in args.kw else []
    gone = {col.name for col in (*on, *values)}
    ids = (
        resolved(machine, table, [args.kw["id_cols"]])
        if "id_cols" in args.kw
        else [column_of(machine, table, n) for n in table.columns if n not in gone]
    )
    marks = merge(*(as_influence(col.deps, "conditional", machine.cell) for col in on))
    deps = merge(*(at_least(col.deps, "aggregation", machine.cell) for col in values))
    made = chosen(machine, table, ids, "group_by")
    columns = {col.name or "": replace(col, rows={}) for col in ids}
    prefix, names = machine.plain(args.get(None, "names_prefix") or Const("")), args.get(None, "names")
    told = machine.plain(names) if names is not None else None
    if isinstance(told, (list, tuple)) and len(on) == len(values) == 1 and isinstance(prefix, str):
        new = {f"{prefix}{name}": Col(deps, marks, params=values[0].params, lib="ibis") for name in told}
        return replace(made, columns={**columns, **new}, rest=(), wide=None)
    machine.note("a pivot: its columns' names are data")
    wide = {replace(dep, how="assumed"): cells for dep, cells in merge(deps, marks).items()}
    return replace(made, columns=columns, rest=(), wide=wide)


JOIN_METHODS: Mapping[str, Method] = {
    "join": join_tables,
    "pivot_longer": _longer,
    "pivot_wider": _wider,
}

"""NumPy, SciPy and ``math``: functions of arrays, which pass columns on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nbops.lineage.code.column_words import AGGREGATES, CUMULATIVE
from nbops.lineage.code.iteration import iterate
from nbops.lineage.code.stores import conditional
from nbops.lineage.code.values import Col, Const, Lazy, Object, Seq, Table, Taint, Value

if TYPE_CHECKING:
    from nbops.lineage.code.expressions import Arguments
    from nbops.lineage.code.machine import Machine

__all__ = ["archive_item", "number_function"]

_READERS = frozenset({"numpy.load", "numpy.loadtxt", "numpy.genfromtxt", "numpy.fromfile", "scipy.sparse.load_npz"})
_WRITERS = frozenset({"numpy.save", "numpy.savetxt", "numpy.savez", "numpy.savez_compressed", "scipy.sparse.save_npz"})
_SAME = frozenset(
    {
        "array",
        "asarray",
        "ascontiguousarray",
        "copy",
        "ravel",
        "squeeze",
        "atleast_1d",
        "float64",
        "int64",
        "int32",
        "float32",
        "reshape",
    }
)


def number_function(machine: Machine, name: str, args: Arguments) -> Value:
    """Return what a function of NumPy (or ``math``) returns."""
    last = name.rsplit(".", 1)[-1]
    if name in _READERS:
        path = machine.path(args.pos[0]) if args.pos else "?"
        table = machine.read(path, name, lib="archive", params=machine.params(args.get(0, "file", "fname")))
        return machine.new(
            Object(kind="archive", attributes={"table": machine.new(table)}, taint=machine.taint(machine.new(table)))
        )
    if name in _WRITERS:
        return _write(machine, name, args)
    if any(isinstance(value, Lazy) for value in args.all()):
        from nbops.lineage.code.operators import lift

        first = next(value for value in args.all() if isinstance(value, Lazy))
        return lift(machine, first, args.all(), machine.blend)
    if last == "where" and len(args.pos) == 3:
        return conditional(machine, [machine.col(args.pos[1]), machine.col(args.pos[2])], machine.col(args.pos[0]))
    if last == "select":
        return _select(machine, args)
    if last in {"unique", "nonzero", "lexsort", "divmod", "modf", "histogram"} and (args.kw or last == "nonzero"):
        col = machine.blend([machine.col(value) for value in args.pos])
        return machine.new(
            Seq((col, col, col)[: 2 if len(args.kw) < 2 else 3], exact=last in {"unique", "nonzero"}, kind="tuple")
        )
    if last in _SAME and args.pos:
        return replace(machine.col(args.pos[0]), origin=None)
    data = [value for value in args.all() if _has_data(machine, value)]
    if not data:
        return Taint(params=machine.taint(machine.unknown(args.all())).params)
    tables = [table for table in map(machine.table, data) if table is not None]
    if tables and len(data) == 1 and last not in AGGREGATES:
        from nbops.lineage.code.operators import each_column

        return machine.new(each_column(machine, tables[0], lambda col: machine.blend([col])))
    kind = "aggregation" if last in AGGREGATES or last in CUMULATIVE else "transformation"
    made = machine.blend([machine.col(value) for value in data], kind)
    if kind == "aggregation" and last in AGGREGATES:
        return replace(made, index=(), flags=frozenset({"scalar", "agg"}))
    return made


def _has_data(machine: Machine, value: Value) -> bool:
    taint = machine.taint(value)
    return bool(taint.deps or taint.marks or taint.params)


def _select(machine: Machine, args: Arguments) -> Value:
    tests, options = args.get(0, "condlist"), args.get(1, "choicelist")
    default = args.get(2, "default")
    first = iterate(machine, tests) if tests is not None else None
    second = iterate(machine, options) if options is not None else None
    conditions = [machine.col(one) for one in first] if first is not None else [machine.col(tests or Const(None))]
    values = [machine.col(one) for one in second] if second is not None else [machine.col(options or Const(None))]
    if default is not None:
        values.append(machine.col(default))
    return conditional(machine, values, machine.blend(conditions))


def _write(machine: Machine, name: str, args: Arguments) -> Value:
    target = args.get(0, "file", "fname")
    if target is None:
        return Taint()
    thing = machine.of(target, Object)
    params = machine.params(target)
    path = machine.path(thing.attributes["path"]) if thing is not None and "path" in thing.attributes else machine.path(target)
    if thing is not None and "path" in thing.attributes:
        params = machine.params(thing.attributes["path"])
    columns: dict[str, Col] = {}
    whole = [machine.taint(value) for value in args.extra]
    unnamed = {f"arr_{at}": one for at, one in enumerate(args.pos[1:])}
    for key, value in {**unnamed, **args.kw}.items():
        if not isinstance(value, Const):
            columns[key] = replace(machine.col(value), rows={}, index=(), name=key)
    rows = [machine.col(value).rows for value in args.all() if not isinstance(value, Const)]
    from nbops.lineage.code.values import merge, taint_of

    extra = machine.guessed(taint_of(whole))
    table = Table(columns=columns, rows=merge(*rows, extra.rows), wide=extra.deps if args.extra else None, lib="numpy")
    machine.write(path, table, name, params)
    return Taint()


def archive_item(machine: Machine, ref: Value, thing: Object, key: Value) -> Value:
    """Return an item of an object: an array of an archive, an item of a mapping made from data."""
    inner = thing.attributes.get("table")
    if thing.kind == "archive" and inner is not None:
        table = machine.of(inner, Table)
        names = machine.names(key)
        if table is not None and names:
            from nbops.lineage.code.tables import column_of

            return replace(column_of(machine, table, names[0]), rows={})
        return machine.unknown([inner])
    series = thing.attributes.get("series")
    if thing.kind == "mapping" and isinstance(series, Col):
        from nbops.lineage.code.columns import lookup

        return lookup(machine, machine.col(key), series, [level for _, level in series.index])
    if thing.kind == "rows" and isinstance(machine.plain(key), (int, slice)):
        return thing.attributes["row"] if isinstance(machine.plain(key), int) else ref
    return machine.unknown([ref, key])

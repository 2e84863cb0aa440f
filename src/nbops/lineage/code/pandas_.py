"""Functions of pandas: reading, making and combining frames."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nbops.lineage.code.groups import without_order
from nbops.lineage.code.iteration import element, iterate
from nbops.lineage.code.reshaping import as_table, concat, dummies, merged
from nbops.lineage.code.stores import rename_columns
from nbops.lineage.code.tables import taint_table, union
from nbops.lineage.code.values import (
    NO_NAMES,
    Choice,
    Col,
    Const,
    Map,
    Object,
    Seq,
    Table,
    Taint,
    Value,
    as_influence,
    merge,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nbops.lineage.code.expressions import Arguments
    from nbops.lineage.code.machine import Machine

__all__ = ["make_frame", "pandas_function"]

_READERS = frozenset(
    "read_csv read_parquet read_json read_excel read_feather read_pickle read_orc read_table read_hdf read_stata read_sas "
    "read_spss read_xml read_html read_fwf read_sql_table read_gbq read_clipboard".split()
)
_NO_DATA = frozenset(
    "CategoricalDtype DateOffset ExcelWriter IndexSlice Timedelta Timestamp bdate_range date_range interval_range "
    "option_context period_range reset_option set_option show_versions timedelta_range".split()
)


def pandas_function(machine: Machine, name: str, args: Arguments) -> Value:
    """Return what a function of pandas returns."""
    last = name.rsplit(".", 1)[-1]
    if last in _READERS:
        return _read(machine, last, args)
    if last in {"read_sql", "read_sql_query"}:
        from nbops.lineage.code.duckdb_ import run_sql

        return run_sql(
            machine, args.get(0, "sql") or Const(""), connection=args.get(1, "con"), lib="pandas", call=f"pandas.{last}"
        )
    handler = _FUNCTIONS.get(last)
    if handler is not None:
        return handler(machine, args)
    if last in _NO_DATA:
        if last == "ExcelWriter" and args.pos:
            return machine.new(Object(kind="file", attributes={"path": args.pos[0]}))
        data = [machine.col(value) for value in args.all() if machine.taint(value).deps or machine.taint(value).params]
        return replace(machine.blend(data), index=()) if data else Col()
    from nbops.lineage.code.frames import frame_method

    if args.pos and machine.table(args.pos[0]) is not None:
        return frame_method(machine, args.pos[0], last, type(args)(args.pos[1:], args.kw, args.extra))
    data = [machine.col(value) for value in args.all() if machine.taint(value).deps]
    if data and last[0].islower():
        return machine.blend(data)  # pd.to_datetime(s), pd.to_numeric(s), pd.cut(s, bins), pd.isna(s)...
    return machine.unknown(args.all())


def _read(machine: Machine, name: str, args: Arguments) -> Value:
    target = args.get(0, "filepath_or_buffer", "path", "path_or_buf", "io", "filepath", "table_name") or Const("?")
    if isinstance(target, Choice):
        tables = [machine.table(_read(machine, name, type(args)([option, *args.pos[1:]], args.kw))) for option in target.options]
        return machine.new(union([table for table in tables if table is not None]))
    thing = machine.of(target, Object)
    if thing is not None and "path" in thing.attributes:
        target = thing.attributes["path"]
    elif thing is not None and thing.taint.deps:
        return machine.new(taint_table(thing.taint))
    path = machine.path(target)
    if path == "?":
        machine.note(f"{name}: what is read is not known")
    only = machine.names(args.get(None, "usecols", "columns"))
    if only is not None and all(one.isdigit() for one in only):
        known = machine.columns_of(path)
        only = tuple(known[int(one)] for one in only if int(one) < len(known)) if known is not None else None
    names = machine.names(args.get(None, "names"))
    table = machine.read(path, f"pandas.{name}", lib="pandas", only=only, params=machine.params(target))
    if names is not None and name in {"read_csv", "read_table", "read_fwf"}:
        table = (
            rename_columns(machine, table, names)
            if not table.open
            else machine.read(path, f"pandas.{name}", lib="pandas", only=names)
        )
    index = machine.names(args.get(None, "index_col"))
    if index is not None:
        from nbops.lineage.code.frames import frame_method

        if all(one.isdigit() for one in index) and not table.open:
            index = tuple(list(table.columns)[int(one)] for one in index if int(one) < len(table.columns))
        if not all(one.isdigit() for one in index):
            keys = machine.new(Seq(tuple(Const(one) for one in index)))
            return frame_method(machine, machine.new(table), "set_index", type(args)([keys]))
    if machine.plain(args.get(None, "sheet_name") or Const(0)) is None:
        return machine.new(Map({}, exact=False, other=machine.new(table)))
    if args.get(None, "chunksize") is not None:
        return machine.new(Seq((machine.new(table),), exact=False))
    return machine.new(table)


def make_frame(machine: Machine, data: Value | None, columns: Value | None, lib: str, index: Value | None = None) -> Value:
    """Make a table of anything: a mapping of columns, rows, an array, another table."""
    names = machine.names(columns)
    table = machine.table(data) if data is not None else None
    if table is not None:
        table = replace(table, lib=lib, flags=NO_NAMES)
        if names is not None and lib == "pandas":
            from nbops.lineage.code.access import select

            return machine.new(select(machine, table, names))
        return machine.new(table)
    if data is None or (isinstance(data, Const) and data.value is None):
        return machine.new(Table(columns={name: Col(name=name, lib=lib) for name in names or ()}, lib=lib))
    mapping = machine.of(data, Map)
    if mapping is not None:
        made = _of_mapping(machine, mapping, lib)
        if index is not None and lib == "pandas":
            level = machine.col(index)
            made = replace(made, index=((level.name, replace(level, rows={}, index=())),) if level.deps else ())
        return machine.new(made)
    items = iterate(machine, data)
    seq = machine.of(data, Seq)
    rows = items if items is not None else list(seq.items) if seq is not None else [element(machine, data)]
    maps = [machine.of(row, Map) for row in rows]
    tables = [machine.table(row) for row in rows]
    if rows and all(one is not None for one in maps):
        return machine.new(union([_of_mapping(machine, one, lib) for one in maps if one is not None]))
    if rows and all(one is not None for one in tables):
        made = union([one for one in tables if one is not None])
        return machine.new(replace(made, flags=NO_NAMES, lib=lib))
    return _of_rows(machine, data, rows, names, lib)


def _of_mapping(machine: Machine, mapping: Map, lib: str) -> Table:
    columns: dict[str, Col] = {}
    rows = []
    origins: frozenset[str] = NO_NAMES
    index: tuple[tuple[str | None, Col], ...] = ()
    for name, value in mapping.items.items():
        col = machine.col(value)
        rows.append(col.rows)
        origins |= col.origins
        index = index or (col.index if lib == "pandas" else ())
        columns[str(name)] = replace(col, rows={}, index=(), origin=None, name=str(name), lib=lib, flags=NO_NAMES)
    wide = None
    if not mapping.exact:
        machine.note("a table is made with columns whose names are not known")
        wide = machine.guessed(machine.taint(mapping.other)).deps
    return Table(columns=columns, wide=wide, rows=merge(*rows), index=index, params=mapping.params, lib=lib, origins=origins)


def _of_rows(machine: Machine, data: Value, rows: list[Value], names: tuple[str, ...] | None, lib: str) -> Value:
    tuples = [iterate(machine, row) for row in rows]
    width = {len(one) for one in tuples if one is not None}
    if names is not None and rows and None not in tuples and width == {len(names)}:
        columns = {
            name: machine.blend([machine.col(one[at]) for one in tuples if one is not None], "identity")
            for at, name in enumerate(names)
        }
        clean = {name: replace(col, rows={}, index=(), name=name, lib=lib, flags=NO_NAMES) for name, col in columns.items()}
        return machine.new(Table(columns=clean, rows=merge(*(col.rows for col in columns.values())), lib=lib))
    whole = machine.taint(data)
    if isinstance(data, Col) and names is None:
        name = data.name or "0"
        only = replace(data, rows={}, index=(), origin=None, name=name, flags=NO_NAMES)
        return machine.new(Table(columns={name: only}, rows=data.rows, index=data.index, lib=lib, origins=data.origins))
    if names is not None:
        shared = Col(whole.deps, whole.marks, params=whole.params, lib=lib)
        columns = {name: replace(shared, name=name) for name in names}
        return machine.new(Table(columns=columns, rows=whole.rows, lib=lib, params=whole.params, origins=whole.origins))
    return machine.new(taint_table(machine.guessed(whole), lib))


def _frame(machine: Machine, args: Arguments) -> Value:
    return make_frame(machine, args.get(0, "data"), args.get(2, "columns"), "pandas", args.get(1, "index"))


def _series(machine: Machine, args: Arguments) -> Value:
    data = args.get(0, "data") or Const(None)
    name = machine.names(args.get(None, "name"))
    mapping = machine.of(data, Map)
    if mapping is not None and mapping.exact and all(isinstance(key, str) for key in mapping.items):
        return machine.new(replace(_of_mapping(machine, mapping, "pandas"), flags=frozenset({"row"}), index=()))
    col = machine.col(data)
    index = args.get(1, "index")
    level = machine.col(index) if index is not None else None
    names = machine.names(index) if index is not None else None
    items = machine.items(data)
    if names is not None and items is not None and len(names) == len(items):
        return machine.new(
            replace(_of_mapping(machine, Map(dict(zip(names, items, strict=True))), "pandas"), flags=frozenset({"row"}), index=())
        )
    by = ((level.name, replace(level, rows={}, index=())),) if level is not None and level.deps else col.index
    return replace(col, name=name[0] if name else col.name, index=by, origin=None, lib="pandas", flags=NO_NAMES)


def _concat(machine: Machine, args: Arguments) -> Value:
    return concat(machine, args.get(0, "objs"), args)


def _merge(machine: Machine, args: Arguments) -> Value:
    left, right = (
        as_table(machine, value) if value is not None else None for value in (args.get(0, "left"), args.get(1, "right"))
    )
    if left is None or right is None:
        return machine.unknown(args.all())
    return machine.new(merged(machine, left, right, args, 2))


def _merge_asof(machine: Machine, args: Arguments) -> Value:
    left, right = (
        as_table(machine, value) if value is not None else None for value in (args.get(0, "left"), args.get(1, "right"))
    )
    if left is None or right is None:
        return machine.unknown(args.all())
    given = type(args)(
        [args.pos[0], args.pos[1], Const("left"), *args.pos[2:]],
        {k: v for k, v in args.kw.items() if k not in {"direction", "tolerance"}},
    )
    return machine.new(merged(machine, left, without_order(right), given, 2))


def _merge_ordered(machine: Machine, args: Arguments) -> Value:
    """Join two frames in the order of their keys: ``outer`` where nothing else is said."""
    kept = {name: value for name, value in args.kw.items() if name != "fill_method"}
    return _merge(machine, type(args)(args.pos[:2], {"how": Const("outer"), **kept}))


def _melt(machine: Machine, args: Arguments) -> Value:
    from nbops.lineage.code.frames import frame_method

    return frame_method(machine, args.pos[0], "melt", type(args)(args.pos[1:], args.kw)) if args.pos else machine.unknown()


def _dummies(machine: Machine, args: Arguments) -> Value:
    given = args.get(0, "data")
    table = as_table(machine, given) if given is not None else None
    if table is None:
        return machine.unknown(args.all())
    names = machine.names(args.get(None, "columns"))
    if isinstance(given, Col):
        names = tuple(table.columns)
    return machine.new(dummies(machine, table, names))


def _crosstab(machine: Machine, args: Arguments) -> Value:
    keys = [machine.col(value) for value in (args.get(0, "index"), args.get(1, "columns")) if value is not None]
    values = args.get(2, "values")
    machine.note("crosstab: its columns' names are data")
    rows = merge(*(col.rows for col in keys), *(as_influence(col.deps, "group_by", machine.cell) for col in keys))
    from nbops.lineage.code.columns import row_count

    origins = NO_NAMES.union(*(key.origins for key in keys))
    made = (
        machine.blend([machine.col(values)], "aggregation")
        if values is not None
        else row_count(Table(origins=origins), machine.cell)
    )
    wide = {replace(dep, how="assumed"): cells for dep, cells in made.deps.items()}
    index = ((keys[0].name, replace(keys[0], rows={}, index=())),) if keys else ()
    return machine.new(Table(wide=wide, rows=rows, index=index, origins=origins))


def _named_agg(machine: Machine, args: Arguments) -> Value:
    pair = {"column": args.get(0, "column") or Const(None), "aggfunc": args.get(1, "aggfunc") or Const(None)}
    return machine.new(Object(kind="named_agg", attributes=pair))


def _grouper(machine: Machine, args: Arguments) -> Value:
    return machine.new(Object(kind="grouper", attributes={"key": args.get(0, "key") or Const(None)}))


def _factorize(machine: Machine, args: Arguments) -> Value:
    col = machine.col(args.pos[0]) if args.pos else Col()
    return machine.new(Seq((machine.blend([col]), machine.blend([col])), kind="tuple"))


def _index(machine: Machine, args: Arguments) -> Value:
    return args.pos[0] if args.pos else Taint()


def _normalize(machine: Machine, args: Arguments) -> Value:
    machine.note("json_normalize: its columns' names are data")
    return machine.new(taint_table(machine.guessed(machine.taint(args.pos[0] if args.pos else None))))


_FUNCTIONS: Mapping[str, Callable[[Machine, Arguments], Value]] = {
    "DataFrame": _frame,
    "Series": _series,
    "concat": _concat,
    "merge": _merge,
    "merge_asof": _merge_asof,
    "merge_ordered": _merge_ordered,
    "melt": _melt,
    "get_dummies": _dummies,
    "crosstab": _crosstab,
    "NamedAgg": _named_agg,
    "Grouper": _grouper,
    "factorize": _factorize,
    "Index": _index,
    "json_normalize": _normalize,
}

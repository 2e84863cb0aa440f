"""PyArrow: tables, and Parquet files read and written by ``pyarrow.parquet``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nbops.lineage.code.access import filtered, get_column, select
from nbops.lineage.code.frames import frame_method
from nbops.lineage.code.frames_rows import chosen, renamed
from nbops.lineage.code.iteration import iterate
from nbops.lineage.code.numbers import number_function
from nbops.lineage.code.pandas_ import make_frame
from nbops.lineage.code.reshaping import joined
from nbops.lineage.code.stores import drop_columns, rename_columns, with_column
from nbops.lineage.code.tables import column_of, union
from nbops.lineage.code.values import Col, Const, Lazy, Map, Object, Seq, Table, Taint, Value

if TYPE_CHECKING:
    from nbops.lineage.code.expressions import Arguments
    from nbops.lineage.code.machine import Machine

__all__ = ["arrow_function", "arrow_method", "file_method"]

_READS = frozenset(
    {"read_table", "read_pandas", "read_csv", "read_json", "read_feather", "dataset", "ParquetFile", "ParquetDataset", "open_csv"}
)
_SAME = frozenset(
    {
        "combine_chunks",
        "slice",
        "cast",
        "unify_dictionaries",
        "scanner",
        "head",
        "read",
        "to_table",
        "read_all",
        "replace_schema_metadata",
        "take_",
    }
)


def arrow_function(machine: Machine, name: str, args: Arguments) -> Value:
    """Return what a function of PyArrow returns."""
    last = name.rsplit(".", 1)[-1]
    if last in _READS:
        return _read(machine, name, args)
    if last in {"write_table", "write_csv", "write_feather", "write_dataset"} and len(args.pos) > 1:
        return _write(machine, name, args)
    if last in {"ParquetWriter", "new_file"} and args.pos:
        return machine.new(
            Object(kind="parquet writer", attributes={"path": args.pos[0], "schema": args.get(1, "schema") or Const(None)})
        )
    if name in {"pyarrow.table", "pyarrow.Table.from_pydict", "pyarrow.record_batch"}:
        return make_frame(machine, args.get(0, "data", "mapping"), _names(machine, args), "arrow")
    if name in {
        "pyarrow.Table.from_pandas",
        "pyarrow.Table.from_pylist",
        "pyarrow.Table.from_batches",
        "pyarrow.RecordBatch.from_pandas",
    }:
        table = machine.table(args.pos[0]) if args.pos else None
        if table is not None:
            from nbops.lineage.code.writing import as_written

            keep = args.get(None, "preserve_index")
            kept = as_written(
                machine, replace(table, lib="pandas"), "to_parquet", type(args)([], {"index": keep} if keep else {})
            )
            return machine.new(replace(kept, lib="arrow", index=()))
        made = make_frame(machine, args.get(0, "mapping", "df"), None, "arrow")
        return _only(machine, made, args.kw.get("schema"))
    if name == "pyarrow.Table.from_arrays":
        return make_frame(machine, args.get(0, "arrays"), _names(machine, args), "arrow")
    if name in {"pyarrow.concat_tables", "pyarrow.concat_batches"} and args.pos:
        tables = [table for one in iterate(machine, args.pos[0]) or () if (table := machine.table(one)) is not None]
        return machine.new(union(tables)) if tables else machine.unknown(args.all())
    if name == "pyarrow.schema":
        return _schema(machine, args)
    if name in {"pyarrow.array", "pyarrow.chunked_array", "pyarrow.concat_arrays", "pyarrow.scalar"}:
        data = args.get(0, "obj", "values", "arrays") or Const(None)
        mask = args.kw.get("mask")
        col = machine.col(data)
        if mask is not None and machine.taint(mask).deps:
            from nbops.lineage.code.stores import conditional

            return conditional(machine, [col], machine.col(mask))
        return replace(col, origin=None)
    if name.startswith("pyarrow.compute."):
        return _compute(machine, last, args)
    if name.count(".") == 1 and not any(machine.taint(value).deps for value in args.all()):
        return Taint()
    return machine.unknown(args.all())


def _names(machine: Machine, args: Arguments) -> Value | None:
    given = args.get(None, "names") or args.get(None, "schema")
    if given is None and len(args.pos) > 1:
        given = args.pos[1]
    schema = machine.of(given, Object) if given is not None else None
    return schema.attributes["names"] if schema is not None and "names" in schema.attributes else given


def _schema(machine: Machine, args: Arguments) -> Value:
    fields = iterate(machine, args.pos[0]) if args.pos else None
    mapping = machine.of(args.pos[0], Map) if args.pos else None
    names: list[Value] = []
    for field in fields or ():
        parts = [field] if mapping is not None else iterate(machine, field)
        if parts and isinstance(parts[0], Const):
            names.append(parts[0])
    exact = fields is not None and len(names) == len(fields)
    return machine.new(Object(kind="schema", attributes={"names": machine.new(Seq(tuple(names), exact=exact))}))


def _only(machine: Machine, made: Value, schema: Value | None) -> Value:
    """Take the columns that a schema has."""
    thing = machine.of(schema, Object) if schema is not None else None
    names = machine.names(thing.attributes.get("names")) if thing is not None else None
    table = machine.table(made)
    if names is None or table is None:
        return made
    columns = {name: column_of(machine, table, name) if name in table.columns or table.open else Col(name=name) for name in names}
    return machine.new(
        replace(table, columns={name: replace(col, rows={}, index=()) for name, col in columns.items()}, rest=(), wide=None)
    )


def _read(machine: Machine, name: str, args: Arguments) -> Value:
    target = args.get(0, "source", "input_file", "where") or Const("?")
    only = machine.names(args.get(None, "columns"))
    table = machine.read(machine.path(target), name, lib="arrow", only=only, params=machine.params(target))
    filters = args.get(None, "filters")
    for test in iterate(machine, filters) or () if filters is not None else ():
        parts = iterate(machine, test)
        column = machine.names(parts[0]) if parts else None
        if column:
            whole = machine.read(machine.path(target), name, lib="arrow")
            table = filtered(machine, table, column_of(machine, whole, column[0]))
    return machine.new(table)


def _write(machine: Machine, name: str, args: Arguments) -> Value:
    first, second = args.pos[0], args.pos[1]
    table = machine.table(first)
    params = machine.params(second)
    if table is None:
        machine.write_other(machine.path(second), name, machine.unknown([first]), params)
    else:
        machine.write(machine.path(second), replace(table, index=() if table.lib != "pandas" else table.index), name, params)
    return Taint()


def _compute(machine: Machine, name: str, args: Arguments) -> Value:
    if name in {"field", "scalar"}:
        names = machine.names(args.get(0))
        if name == "field" and names:
            return Lazy(lambda table, context: (column_of(machine, table, names[0]),), "polars")
        return args.pos[0] if args.pos else Taint()
    if name == "if_else" and len(args.pos) == 3:
        from nbops.lineage.code.stores import conditional

        return conditional(machine, [machine.col(args.pos[1]), machine.col(args.pos[2])], machine.col(args.pos[0]))
    return number_function(machine, f"numpy.{name}", args)


def arrow_method(machine: Machine, ref: Value, table: Table, name: str, args: Arguments) -> Value:
    """Return what a method of an Arrow table returns."""
    if name in _SAME:
        only = machine.names(args.get(None, "columns"))
        return machine.new(select(machine, table, only) if only else table)
    if name == "to_pandas":
        return machine.new(replace(table, lib="pandas"))
    if name == "column" and args.pos:
        names = machine.names(args.pos[0])
        return get_column(machine, ref, table, names[0]) if names else machine.unknown([ref])
    if name == "select" and args.pos:
        names = machine.names(args.pos[0])
        return machine.new(select(machine, table, names)) if names is not None else machine.unknown([ref])
    if name in {"drop", "drop_columns"} and args.pos:
        return machine.new(drop_columns(table, machine.names(args.pos[0]) or ()))
    if name == "rename_columns" and args.pos:
        mapping = machine.plain(args.pos[0])
        if isinstance(mapping, dict):
            return machine.new(renamed(machine, table, {str(old): str(new) for old, new in mapping.items()}))
        return machine.new(rename_columns(machine, table, machine.names(args.pos[0])))
    if name in {"append_column", "add_column", "set_column"}:
        first = args.pos[0] if name == "append_column" else args.pos[1] if len(args.pos) > 1 else Const(None)
        names, value = machine.names(first), args.pos[-1] if args.pos else None
        if names and value is not None:
            return machine.new(with_column(machine, table, names[0], machine.col(value)))
        return machine.unknown([ref, *args.all()])
    if name == "filter" and args.pos:
        key = args.pos[0]
        tests = key.resolve(table, None) if isinstance(key, Lazy) else (key,)
        for test in tests:
            table = filtered(machine, table, machine.col(test))
        return machine.new(table)
    if name == "sort_by" and args.pos:
        plain = machine.plain(args.pos[0])
        keys = [plain] if isinstance(plain, str) else [one[0] for one in plain] if isinstance(plain, list) and all(plain) else []
        return machine.new(chosen(machine, table, [column_of(machine, table, str(key)) for key in keys], "sort"))
    if name == "join" and len(args.pos) > 1:
        other, keys_ = machine.table(args.pos[0]), machine.names(args.pos[1]) or ()
        if other is not None:
            right = machine.names(args.get(2, "right_keys")) or keys_
            pairs = [(column_of(machine, table, a), column_of(machine, other, b)) for a, b in zip(keys_, right, strict=False)]
            how = str(machine.plain(args.get(3, "join_type") or Const("left outer"))).split()[0]
            shared = [a for a, b in zip(keys_, right, strict=False) if a == b]
            return machine.new(joined(machine, table, other, pairs, how=how, shared=shared, suffixes=("", "")))
    if name == "group_by" and args.pos:
        attributes = {"table": ref, "keys": args.pos[0]}
        return machine.new(Object(kind="parquet groups", attributes=attributes))
    return frame_method(machine, ref, name, args)


def file_method(machine: Machine, ref: Value, thing: Object, name: str, args: Arguments) -> Value:
    """Return what a method of a Parquet writer (or of an Arrow grouping) returns."""
    if thing.kind == "parquet groups":
        return _aggregated(machine, thing, args)
    if name in {"write_table", "write_batch", "write"} and args.pos:
        path = thing.attributes["path"]
        made = machine.table(args.pos[0]) or machine_table(machine, args.pos[0])
        table = machine.table(_only(machine, machine.new(made), thing.attributes["schema"])) or made
        machine.write(machine.path(path), table, f"pyarrow.parquet.ParquetWriter.{name}", machine.params(path))
    return ref if name == "__enter__" else Taint()


def machine_table(machine: Machine, value: Value) -> Table:
    """Return a table of which only is known what entered it."""
    from nbops.lineage.code.tables import taint_table

    return taint_table(machine.guessed(machine.taint(value)), "arrow")


def _aggregated(machine: Machine, thing: Object, args: Arguments) -> Value:
    table = machine.table(thing.attributes["table"])
    keys = machine.names(thing.attributes["keys"]) or ()
    if table is None:
        return machine.unknown([thing.attributes["table"]])
    made = chosen(machine, table, [column_of(machine, table, key) for key in keys], "group_by")
    columns = {key: replace(column_of(machine, table, key), rows={}, index=()) for key in keys}
    for pair in iterate(machine, args.pos[0]) or () if args.pos else ():
        parts = machine.plain(pair)
        if isinstance(parts, (tuple, list)) and len(parts) > 1 and isinstance(parts[0], str):
            col = machine.blend([column_of(machine, table, parts[0])], "aggregation")
            columns[f"{parts[0]}_{parts[1]}"] = replace(col, rows={}, index=())
    return machine.new(replace(made, columns=columns, rest=(), wide=None))

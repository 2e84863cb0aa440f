"""Calls: to which library's vocabulary each goes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nbops.lineage.code.columns import column_method
from nbops.lineage.code.containers import container_method
from nbops.lineage.code.frames import frame_method
from nbops.lineage.code.functions import follow, instantiate
from nbops.lineage.code.groups import group_method
from nbops.lineage.code.joining import choose
from nbops.lineage.code.numbers import number_function
from nbops.lineage.code.pandas_ import pandas_function
from nbops.lineage.code.plain import builtin
from nbops.lineage.code.standard import standard
from nbops.lineage.code.tables import taint_table
from nbops.lineage.code.texts import text_method
from nbops.lineage.code.values import (
    Bound,
    Choice,
    Class,
    Col,
    Const,
    Func,
    Group,
    Lazy,
    Map,
    Module,
    Object,
    Seq,
    Table,
    Taint,
    Text,
    Value,
)
from nbops.lineage.code.writing import WRITERS, write_table

if TYPE_CHECKING:
    from nbops.lineage.code.expressions import Arguments
    from nbops.lineage.code.machine import Machine

__all__ = ["call"]

_QUIET = frozenset(
    "matplotlib seaborn plotly altair bokeh IPython logging warnings tqdm rich nbops pytest typing dataclasses contextlib "
    "tempfile subprocess requests urllib tabulate great_tables".split()
)
_DATETIME = frozenset("year month day hour minute second date weekday isoformat strftime".split())


def call(machine: Machine, function: Value, args: Arguments) -> Value:
    """Return what a call returns, and do what it does."""
    machine.step()
    if isinstance(function, Func):
        return follow(machine, function, args)
    if isinstance(function, Class):
        return instantiate(machine, function, args)
    if isinstance(function, Module):
        return _library(machine, function.name, args)
    if isinstance(function, Bound):
        return _method(machine, function.this, function.name, args)
    if isinstance(function, Choice):
        return choose(machine, [call(machine, option, args) for option in function.options])
    if isinstance(function, Lazy) and function.kind == "attribute":
        return _lazy_call(machine, function.parts[0], function.name or "", args)
    thing = machine.of(function, Object)
    if thing is not None and thing.kind == "partial":
        return call(machine, thing.attributes["function"], args)
    data = [value for value in args.all() if machine.taint(value).deps]
    if data:
        machine.note("a call of what is not known: what it returns may come from all that goes in")
    return machine.unknown([function, *args.all()])


def _library(machine: Machine, name: str, args: Arguments) -> Value:
    root = name.split(".", 1)[0]
    if root == "builtins":
        return builtin(machine, name.removeprefix("builtins."), args)
    if root == "pandas":
        made = _unbound(machine, name, args)
        return made if made is not None else pandas_function(machine, name, args)
    if root in {"numpy", "math", "scipy"} and not name.startswith(("scipy.optimize", "scipy.stats")):
        return number_function(machine, name, args)
    if root == "polars":
        from nbops.lineage.code.polars_ import polars_function

        return polars_function(machine, name, args)
    if root == "duckdb":
        from nbops.lineage.code.duckdb_ import duckdb_function

        return duckdb_function(machine, name, args)
    if root == "ibis":
        from nbops.lineage.code.ibis_ import ibis_function

        return ibis_function(machine, name, args)
    if root == "pyarrow":
        from nbops.lineage.code.arrow import arrow_function

        return arrow_function(machine, name, args)
    found = standard(machine, name, args)
    if found is not None:
        return found
    if root == "tqdm" and args.pos:
        return args.pos[0]
    taint = machine.taint(machine.unknown(args.all()))
    if root not in _QUIET and (taint.deps or taint.marks):
        machine.note(f"{name}(): what it does is not known: what it returns may come from all that goes in")
    return machine.unknown(args.all(), kind=f"{root} object")


def _unbound(machine: Machine, name: str, args: Arguments) -> Value | None:
    """``pd.DataFrame.assign(df, ...)``."""
    for prefix in ("pandas.DataFrame.", "pandas.Series."):
        if name.startswith(prefix) and args.pos:
            last = name.removeprefix(prefix)
            if last in {"from_dict", "from_records"}:
                return pandas_function(machine, "pandas.DataFrame", args)
            return _method(machine, args.pos[0], last, type(args)(args.pos[1:], args.kw, args.extra))
    return None


def _method(machine: Machine, this: Value, name: str, args: Arguments) -> Value:
    if isinstance(this, (Const, Text)):
        found = text_method(machine, this, name, args)
        return found if found is not None else machine.unknown([this, *args.all()])
    if isinstance(this, Col):
        return _column_call(machine, this, name, args)
    if isinstance(this, Group):
        return _group_call(machine, this, name, args)
    if isinstance(this, Lazy):
        return _lazy_call(machine, this, name, args)
    if isinstance(this, Choice):
        table = machine.table(this)
        if table is not None:
            return _method(machine, machine.new(table), name, args)
        return choose(machine, [_method(machine, option, name, args) for option in this.options])
    if isinstance(this, Bound):
        return _bound_call(machine, this, name, args)
    thing = machine.thing(this)
    if isinstance(thing, Table):
        return _table_call(machine, this, thing, name, args)
    if isinstance(thing, (Seq, Map)):
        return container_method(machine, this, thing, name, args)
    if isinstance(thing, Object):
        return _object_call(machine, this, thing, name, args)
    return machine.unknown([this, *args.all()])


def _bound_call(machine: Machine, this: Bound, name: str, args: Arguments) -> Value:
    if isinstance(this.this, Lazy):
        return _lazy_call(machine, this.this, f"{this.name}.{name}", args)
    if isinstance(this.this, Col):
        return _column_call(machine, this.this, f"{this.name}.{name}", args)
    return machine.unknown([this, *args.all()])


def _table_call(machine: Machine, this: Value, thing: Table, name: str, args: Arguments) -> Value:
    if thing.lib == "polars":
        from nbops.lineage.code.polars_ import polars_method

        return polars_method(machine, this, thing, name, args)
    if thing.lib == "ibis":
        from nbops.lineage.code.ibis_ import ibis_method

        return ibis_method(machine, this, thing, name, args)
    if thing.lib == "relation":
        from nbops.lineage.code.duckdb_relations import relation_method

        return relation_method(machine, this, thing, name, args)
    if thing.lib == "arrow":
        from nbops.lineage.code.arrow import arrow_method

        return arrow_method(machine, this, thing, name, args)
    return frame_method(machine, this, name, args)


def _column_call(machine: Machine, this: Col, name: str, args: Arguments) -> Value:
    if this.lib == "polars":
        from nbops.lineage.code.polars_ import series_method

        return series_method(machine, this, name, args)
    if this.lib == "ibis":
        from nbops.lineage.code.ibis_values import value_method

        return value_method(machine, this, name, args)
    made = column_method(machine, this, name, args)
    if this.origin is not None and machine.plain(args.get(None, "inplace") or Const(value=False)) is True:
        address, column = this.origin
        table = machine.heap.get(address)
        if isinstance(table, Table):
            from nbops.lineage.code.stores import with_column

            machine.heap[address] = with_column(machine, table, column, machine.col(made))
        return Const(None)
    return made


def _group_call(machine: Machine, this: Group, name: str, args: Arguments) -> Value:
    if this.lib == "polars":
        from nbops.lineage.code.polars_ import polars_group_method

        return polars_group_method(machine, this, name, args)
    if this.lib == "ibis":
        from nbops.lineage.code.ibis_ import ibis_group_method

        return ibis_group_method(machine, this, name, args)
    return group_method(machine, this, name, args)


def _lazy_call(machine: Machine, this: Lazy, name: str, args: Arguments) -> Value:
    if this.lib == "ibis":
        from nbops.lineage.code.ibis_values import lazy_method

        return lazy_method(machine, this, name, args)
    from nbops.lineage.code.polars_expressions import expression_method

    return expression_method(machine, this, name, args)


def _object_call(machine: Machine, this: Value, thing: Object, name: str, args: Arguments) -> Value:
    if thing.kind == "connection":
        from nbops.lineage.code.duckdb_ import connection_method

        return connection_method(machine, this, name, args)
    if thing.kind == "ibis connection":
        from nbops.lineage.code.ibis_ import backend_method

        return backend_method(machine, this, name, args)
    if thing.kind == "case":
        from nbops.lineage.code.ibis_values import case_method

        return case_method(machine, this, thing, name, args)
    if thing.kind.startswith("parquet"):
        from nbops.lineage.code.arrow import file_method

        return file_method(machine, this, thing, name, args)
    if thing.kind == "file" and name in {"write", "writelines", "writerow", "writerows"}:
        path = thing.attributes["path"]
        machine.write_other(machine.path(path), f"file.{name}", machine.unknown(args.all()), machine.params(path))
        return Const(None)
    if thing.kind in {"mapping", "pairs", "rows"}:
        if name == "get" and args.pos:
            from nbops.lineage.code.numbers import archive_item

            return archive_item(machine, this, thing, args.pos[0])
        if name == "items" and "series" in thing.attributes:
            return column_method(machine, machine.col(thing.attributes["series"]), "items", args)
        if name in {"append", "extend"}:
            machine.add_taint(this, args.all())
            return Const(None)
    if name == "__enter__":
        return this
    if name in WRITERS and thing.kind.removesuffix(" object") not in _QUIET:
        return write_table(machine, taint_table(machine.guessed(machine.taint(this))), name, args)
    if thing.kind.removesuffix(" object") in _QUIET:
        return machine.new(Object(kind=thing.kind))
    data = [value for value in args.all() if machine.taint(value) != Taint()]
    known = machine.taint(machine.unknown(data))
    if known.deps or known.marks:
        machine.note(f".{name}(): what it does is not known: its object and what it returns may come from all that goes in")
    machine.add_taint(this, data)
    made = machine.unknown([this, *data], kind=thing.kind)
    return replace(made) if name not in {"fit", "partial_fit"} else this

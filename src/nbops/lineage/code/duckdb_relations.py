"""DuckDB's relations: ``rel.filter(...)``, ``rel.join(...)``."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from nbops.lineage.code.sqlbridge import follow_sql
from nbops.lineage.code.sqltexts import plain_sql
from nbops.lineage.code.tables import taint_table
from nbops.lineage.code.values import Const, Lazy, Object, Ref, Seq, Table, Value, taint_of
from nbops.lineage.code.writing import WRITERS, write_table

if TYPE_CHECKING:
    from nbops.lineage.code.expressions import Arguments
    from nbops.lineage.code.machine import Machine
from nbops.lineage.code.duckdb_ import FRAMES, default_connection, finder, register

__all__ = ["relation_method"]


def _sql_over(machine: Machine, tables: dict[str, Table], text: Value | None, template: str) -> Table:
    """Run SQL made of a template and a text of the notebook over given tables."""
    from nbops.lineage.code.expressions import text_of

    before, after = template.split("{}", 1)
    whole = text_of(machine, [before, text or Const(""), after])
    sql, holes, names = plain_sql(machine, whole)
    if sql is None:
        machine.note("SQL that is known when it runs only: what it makes is not known")
        parts = [machine.taint(machine.new(table)) for table in tables.values()]
        return taint_table(machine.guessed(taint_of([*parts, machine.taint(text)])), "relation")
    outer = finder(machine, default_connection(machine), holes)
    result = follow_sql(machine, sql, lambda name: tables.get(name) or outer(name), call="duckdb.sql", params=names)
    return replace(result.table, params=result.table.params | names)


def _columns_text(machine: Machine, args: Arguments) -> Value | None:
    """See the columns that a method is given (texts, one or several) as the text of a SELECT list."""
    from nbops.lineage.code.expressions import text_of

    given = [value for value in args.pos if not (isinstance(value, Const) and value.value is None)]
    if not given:
        return None
    parts: list[Value | str] = []
    for at, value in enumerate(given):
        parts.extend([", ", value] if at else [value])
    return text_of(machine, parts)


def relation_method(machine: Machine, ref: Value, table: Table, name: str, args: Arguments) -> Value:
    """Return what a method of a relation returns."""
    own = {table.name or "nbops_relation": table, "nbops_relation": table}
    source = "nbops_relation" if not table.name or not table.name.isidentifier() else table.name
    if name in WRITERS:
        return write_table(machine, replace(table, lib="duckdb"), name, args)
    if name in FRAMES:
        return machine.new(replace(table, lib=FRAMES[name], name=None))
    if name in {"fetchall", "fetchone", "fetchmany"}:
        return _fetched(machine, table, name)
    if name in {"create_view", "create", "to_table", "to_view"}:
        return _create(machine, ref, table, name, args)
    if name in {"filter", "project", "select"} and any(isinstance(value, Lazy) for value in args.pos):
        return machine.new(_expressed(machine, table, name, args))
    if name == "filter":
        return machine.new(_sql_over(machine, own, args.get(0, "filter_expr"), f"SELECT * FROM {source} WHERE ({{}})"))
    if name in {"project", "select"}:
        return machine.new(_sql_over(machine, own, _columns_text(machine, args), f"SELECT {{}} FROM {source}"))
    if name == "aggregate":
        group = args.get(1, "group_expr")
        names = machine.plain(group) if group is not None else ""
        by = (
            f" GROUP BY {names}"
            if isinstance(names, str) and names
            else ""
            if group is not None or not args.pos
            else " GROUP BY ALL"
        )
        return machine.new(_sql_over(machine, own, args.get(0, "aggr_expr"), f"SELECT {{}} FROM {source}{by}"))
    if name in {"order", "sort"}:
        return machine.new(_sql_over(machine, own, _columns_text(machine, args), f"SELECT * FROM {source} ORDER BY {{}}"))
    if name == "distinct":
        return machine.new(_sql_over(machine, own, Const("*"), f"SELECT DISTINCT {{}} FROM {source}"))
    if name in {"limit", "show", "explain", "fetch_arrow_reader", "execute"}:
        return machine.new(table)
    if name == "set_alias":
        alias = machine.plain(args.get(0, "alias") or Const(None))
        return machine.new(replace(table, name=alias if isinstance(alias, str) else None))
    if name in {"union", "except_", "intersect"}:
        other = machine.table(args.pos[0]) if args.pos else None
        word = {"union": "UNION ALL", "except_": "EXCEPT ALL", "intersect": "INTERSECT ALL"}[name]
        if other is not None:
            both = {"nbops_relation": table, "nbops_other": other}
            return machine.new(
                _sql_over(machine, both, Const("*"), f"SELECT {{}} FROM nbops_relation {word} SELECT * FROM nbops_other")
            )
    if name in {"join", "cross"}:
        return _join(machine, table, name, args)
    if name == "query" and len(args.pos) > 1:
        view = machine.plain(args.pos[0])
        return machine.new(_sql_over(machine, {str(view): table}, args.pos[1], "{}"))
    if name in {"count", "sum", "avg", "mean", "min", "max", "median", "std", "var"} and args.pos:
        return _shortcut(machine, own, source, name, args)
    if name == "columns":
        return machine.unknown()
    return machine.unknown([ref, *args.all()])


def _expressed(machine: Machine, table: Table, name: str, args: Arguments) -> Table:
    """Choose rows or columns by expressions of DuckDB's API."""
    from nbops.lineage.code.access import filtered
    from nbops.lineage.code.polars_expressions import resolved
    from nbops.lineage.code.polars_frames import placed

    cols = resolved(machine, table, args.pos, names=name != "filter")
    if name != "filter":
        return placed(machine, table, cols, keep=False)
    for test in cols:
        table = filtered(machine, table, test)
    return table


def _shortcut(machine: Machine, own: dict[str, Table], source: str, name: str, args: Arguments) -> Value:
    groups = machine.plain(args.get(1, "groups") or Const(""))
    shown = machine.plain(args.get(None, "projected_columns") or Const(groups or ""))
    head = f"{shown}, " if isinstance(shown, str) and shown else ""
    by = f" GROUP BY {groups}" if isinstance(groups, str) and groups else ""
    function = {"mean": "avg", "std": "stddev", "var": "variance"}.get(name, name)
    return machine.new(_sql_over(machine, own, args.pos[0], f"SELECT {head}{function}({{}}) FROM {source}{by}"))


def _fetched(machine: Machine, table: Table, name: str) -> Value:
    """``fetchall()``: rows as tuples."""
    if table.open:
        return machine.unknown([machine.new(table)])
    cells = tuple(
        replace(col, rows=table.rows, origins=table.origins, flags=frozenset({"scalar"})) for col in table.columns.values()
    )
    row = machine.new(Seq(cells, kind="tuple"))
    if name == "fetchone":
        return row
    return machine.new(Object(kind="rows", attributes={"row": row}, taint=machine.taint(machine.new(table))))


def _create(machine: Machine, ref: Value, table: Table, name: str, args: Arguments) -> Value:
    view = machine.plain(args.get(0, "view_name", "table_name") or Const(None))
    if isinstance(view, str):
        for connection in _connections(machine):
            register(machine, connection, view, replace(table, name=None))
    return ref


def _connections(machine: Machine) -> list[Value]:
    """A relation knows its connection; here every connection learns of the view."""
    found = [Ref(at) for at, thing in machine.heap.items() if isinstance(thing, Object) and thing.kind == "connection"]
    return list(found) or [default_connection(machine)]


def _join(machine: Machine, table: Table, name: str, args: Arguments) -> Value:
    other = machine.table(args.get(0, "other_rel") or Const(None))
    if other is None:
        return machine.unknown(args.all())
    left = table.name if table.name and table.name.isidentifier() else "nbops_relation"
    right = other.name if other.name and other.name.isidentifier() and other.name != left else "nbops_other"
    tables = {left: table, right: other}
    if name == "cross":
        return machine.new(_sql_over(machine, tables, Const("*"), f"SELECT {{}} FROM {left} CROSS JOIN {right}"))
    how = machine.plain(args.get(2, "how") or Const("inner"))
    condition = machine.plain(args.get(1, "condition") or Const(None))
    word = f"{how} JOIN" if isinstance(how, str) and how.isalpha() else "JOIN"
    if isinstance(condition, str) and re.fullmatch(r"[\w, ]+", condition):
        return machine.new(_sql_over(machine, tables, Const("*"), f"SELECT {{}} FROM {left} {word} {right} USING ({condition})"))
    return machine.new(_sql_over(machine, tables, args.get(1, "condition"), f"SELECT * FROM {left} {word} {right} ON ({{}})"))

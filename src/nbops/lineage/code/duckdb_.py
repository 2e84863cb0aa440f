"""DuckDB: SQL texts over files, relations and the notebook's own tables; the relation API."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from nbops.lineage.code.interpret import lookup
from nbops.lineage.code.joining import choose
from nbops.lineage.code.machine import MISSING, Machine, taint_table, union
from nbops.lineage.code.sqlbridge import SqlResult, follow_sql
from nbops.lineage.code.sqltexts import Macro, expand, macros_of, plain_sql
from nbops.lineage.code.values import Choice, Const, Map, Object, Ref, Seq, Table, Taint, Text, Value, taint_of
from nbops.lineage.code.writing import WRITERS, write_table

if TYPE_CHECKING:
    from nbops.lineage.code.expressions import Arguments

__all__ = ["connection_method", "duckdb_function", "relation_method", "run_local", "run_magic", "run_sql"]

_FILE = re.compile(r"[/\\]|\.(?:parquet|csv|tsv|json|ndjson|jsonl|xlsx|arrow|feather|txt|gz|zst|duckdb|db)\b", re.IGNORECASE)
_DEFAULT = "\0duckdb"
_SQL = frozenset({"sql", "execute", "query", "from_query", "executemany", "extract_statements"})
_READS = frozenset({"read_parquet", "read_csv", "read_json", "from_parquet", "from_csv_auto", "read_csv_auto", "read_json_auto"})
_QUIET = frozenset(
    "close commit begin rollback install_extension load_extension create_function register_filesystem interrupt checkpoint".split()  # noqa: E501
)
_FRAMES = {
    "df": "pandas", "to_df": "pandas", "fetchdf": "pandas", "fetch_df": "pandas", "fetch_df_chunk": "pandas", "pl": "polars",
    "arrow": "arrow", "to_arrow_table": "arrow", "fetch_arrow_table": "arrow", "fetch_record_batch": "arrow", "fetchnumpy": "numpy",  # noqa: E501
}  # fmt: skip


def duckdb_function(machine: Machine, name: str, args: Arguments) -> Value:
    """Return what a function of the module returns: a connection, or what the default connection does."""
    last = name.rsplit(".", 1)[-1]
    if last == "connect":
        path = machine.plain(args.get(0, "database") or Const(":memory:"))
        lasting = path is MISSING or (isinstance(path, str) and not path.startswith(":") and path != "")
        return machine.new(Object(kind="connection", attributes={"lasting": Const(lasting)}))
    if last in {"ConstantExpression", "ColumnExpression", "FunctionExpression", "CaseExpression", "StarExpression"}:
        return machine.unknown(args.all())
    connection = _default(machine)
    given = args.kw.get("connection") or args.kw.get("con")
    if given is not None and machine.of(given, Object) is not None:
        connection = given
    return connection_method(machine, connection, last, args)


def _default(machine: Machine) -> Value:
    found = machine.top.names.get(_DEFAULT)
    if found is None:
        found = machine.new(Object(kind="connection", attributes={"lasting": Const(value=False)}))
        machine.top.names[_DEFAULT] = found
    return found


def run_magic(machine: Machine, text: Value) -> Value:
    """Follow the SQL of a ``%sql`` line or a ``%%sql`` cell."""
    if isinstance(text, Const) and isinstance(text.value, str):
        filled = re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: _named(machine, found), text.value)
        text = Const(re.sub(r"^\s*(?:--\w+\s+\S+\s+)*", "", filled), text.params)
    return run_sql(machine, text, connection=None, lib="pandas", call="%sql")


def _named(machine: Machine, found: re.Match[str]) -> str:
    value = lookup(machine, found[1])
    plain = machine.plain(value) if value is not None else MISSING
    return str(plain) if plain is not MISSING else found[0]


def run_sql(
    machine: Machine, text: Value, *, connection: Value | None, lib: str, call: str, params: Value | None = None
) -> Value:
    """Follow SQL on a connection (None: one that is not known) and return what it returns as a table."""
    known = machine.of(connection, Object) if connection is not None else None
    if known is None or known.kind != "connection":
        connection = machine.top.names.setdefault(
            "\0database", machine.new(Object(kind="connection", attributes={"lasting": Const(value=True)}))
        )
    return _run(machine, connection or _default(machine), text, lib, call, params)


def run_local(machine: Machine, text: Value, *, lib: str, call: str, tables: Mapping[str, Table] = MappingProxyType({})) -> Value:
    """Follow SQL over given tables and those that names of the code stand for."""
    own: dict[str, Value] = {
        f"relation {name.casefold()}": machine.new(replace(table, lib="relation")) for name, table in tables.items()
    }
    connection = machine.new(Object(kind="connection", attributes={"lasting": Const(value=False), **own}))
    return _run(machine, connection, text, lib, call)


def _run(machine: Machine, connection: Value, value: Value, lib: str, call: str, params: Value | None = None) -> Value:
    if isinstance(value, Choice):
        return choose(machine, [_run(machine, connection, option, lib, call, params) for option in value.options])
    text, holes, names = plain_sql(machine, _with_parameters(machine, value, params))
    if text is None:
        machine.note("SQL that is known when it runs only: what it reads and makes is not known")
        return machine.new(taint_table(machine.guessed(taint_of([machine.taint(value), *_mentioned(machine, value)])), lib))
    thing = machine.of(connection, Object)
    if thing is None:
        return machine.new(Table(wide={}, lib=lib))
    fresh, text = macros_of(text)
    macros = _macros(machine, connection, fresh)
    text = expand(text, macros)
    if not text.strip():
        return machine.new(Table(lib=lib))
    result = follow_sql(machine, text, _finder(machine, connection, holes), call=call, params=names)
    _keep(machine, connection, result, call, names)
    table = replace(result.table, lib=lib, params=result.table.params | names)
    if machine.controls:
        table = replace(table, params=table.params.union(*(control.params for control in machine.controls)))
    return machine.new(table)


def _mentioned(machine: Machine, value: Value) -> list[Taint]:
    """Return what tables, named in the known parts of a text, are made of."""
    if not isinstance(value, Text):
        return []
    words = {word for part in value.parts if isinstance(part, str) for word in re.findall(r"[^\W\d]\w*", part)}
    tables = [
        found for word in sorted(words) if (found := lookup(machine, word)) is not None and machine.table(found) is not None
    ]
    return [machine.taint(found) for found in tables]


def _with_parameters(machine: Machine, value: Value, params: Value | None) -> Value:
    """Put prepared values in the places of ``?`` and ``$name``."""
    if params is None or not isinstance(value, Const) or not isinstance(value.value, str):
        return value
    from nbops.lineage.code.expressions import text_of

    mapping, items = machine.of(params, Map), machine.items(params)
    parts: list[Value | str] = []
    last = count = 0
    for found in re.finditer(r"'[^']*'|\?|\$(\w+)", value.value):
        given: Value | None = None
        if found[0] == "?" and items is not None and count < len(items):
            given, count = items[count], count + 1
        elif found[1] is not None and mapping is not None:
            given = mapping.items.get(found[1])
        elif found[1] is not None and found[1].isdigit() and items is not None and 0 < int(found[1]) <= len(items):
            given = items[int(found[1]) - 1]
        if given is None:
            continue
        parts.append(value.value[last : found.start()])
        plain = machine.plain(given)
        if plain is not MISSING:
            shown = (
                "NULL"
                if plain is None
                else str(plain)
                if isinstance(plain, (int, float))
                else "'" + str(plain).replace("'", "''") + "'"
            )
            parts.append(Const(shown, machine.params(given)))
        else:
            parts.extend(("'", given, "'"))
        last = found.end()
    parts.append(value.value[last:])
    made = text_of(machine, parts)
    return replace(made, params=made.params | value.params) if isinstance(made, (Const, Text)) else made


def _macros(machine: Machine, connection: Value, fresh: dict[str, Macro]) -> dict[str, Macro]:
    thing = machine.of(connection, Object)
    if thing is None:
        return fresh
    kept = thing.attributes.get("macros")
    known = dict(kept.value) if isinstance(kept, Const) else {}
    if fresh:
        known.update(fresh)
        machine.put(connection, replace(thing, attributes={**thing.attributes, "macros": Const(known)}))
    return known


def _finder(machine: Machine, connection: Value, holes: dict[str, Table]) -> Callable[[str], Table | None]:
    def find(name: str) -> Table | None:
        if name in holes:
            return holes[name]
        thing = machine.of(connection, Object)
        bare = name.rsplit(".", 1)[-1].casefold()
        kept = thing.attributes.get(f"relation {bare}") if thing is not None else None
        if kept is not None:
            return machine.table(kept)
        if not name.isidentifier():
            return None
        value = lookup(machine, name)
        table = machine.table(value) if isinstance(value, (Ref, Choice)) else None
        return replace(table, index=(), lib="relation") if table is not None else None

    return find


def _keep(machine: Machine, connection: Value, result: SqlResult, call: str, params: frozenset[str]) -> None:
    """Remember what SQL made: files and lasting relations are written, others are known by name from now on."""
    for name, table in result.made.items():
        lasting = _lasting(machine, connection) and name not in result.temporary
        if _FILE.search(name) or lasting:
            machine.write(name, table, call, params)
        else:
            _register(machine, connection, name, table)


def _lasting(machine: Machine, connection: Value) -> bool:
    thing = machine.of(connection, Object)
    lasting = thing.attributes.get("lasting") if thing is not None else None
    return isinstance(lasting, Const) and bool(lasting.value)


def _register(machine: Machine, connection: Value, name: str, table: Table) -> None:
    thing = machine.of(connection, Object)
    if thing is None:
        return
    key = f"relation {name.rsplit('.', 1)[-1].casefold()}"
    old = thing.attributes.get(key)
    before = machine.table(old) if old is not None else None
    if before is not None and machine.inserting:
        table = _added(before, table)
    machine.put(connection, replace(thing, attributes={**thing.attributes, key: machine.new(table)}))


def _added(before: Table, more: Table) -> Table:
    """Rows are added to a relation: by place, when the names differ."""
    if not before.open and not more.open and len(before.columns) == len(more.columns):
        columns = {name: replace(col, name=name) for name, col in zip(before.columns, more.columns.values(), strict=True)}
        more = replace(more, columns=columns)
    return union([before, more])


def connection_method(machine: Machine, connection: Value, name: str, args: Arguments) -> Value:
    """Return what a method of a connection returns."""
    if name in _SQL:
        text = args.get(0, "query", "statement", "sql") or Const("")
        given = args.get(1, "parameters", "params")
        plain = (
            text.value
            if isinstance(text, Const)
            else "".join(p for p in text.parts if isinstance(p, str))
            if isinstance(text, Text)
            else ""
        )
        machine.inserting = isinstance(plain, str) and bool(
            re.match(r"\s*(?:INSERT|MERGE|UPDATE|COPY\s+\w+\s+FROM)\b", plain, re.IGNORECASE)
        )
        thing = machine.of(connection, Object)
        lib = "polars" if thing is not None and "frames" in thing.attributes else "relation"
        made = _run(machine, connection, text, lib, f"duckdb.{name}", given)
        machine.inserting = False
        thing = machine.of(connection, Object)
        if thing is not None:
            machine.put(connection, replace(thing, attributes={**thing.attributes, "last": made}))
        return made
    if name in _READS:
        return _read(machine, name, args)
    if name in {"register", "from_df", "from_arrow"}:
        return _registered(machine, connection, name, args)
    if name in {"table", "view"}:
        return _relation(machine, connection, args)
    if name in {"cursor", "duplicate", "__enter__"}:
        return connection
    if name == "unregister" or name in _QUIET:
        return Taint()
    if (
        name in WRITERS
        or name in _FRAMES
        or name in {"filter", "project", "select", "aggregate", "order", "limit", "distinct", "fetchall", "fetchone"}
    ):
        if args.pos and machine.table(args.pos[0]) is not None:
            return relation_method(
                machine, args.pos[0], machine.table(args.pos[0]) or Table(), name, type(args)(args.pos[1:], args.kw)
            )
        thing = machine.of(connection, Object)
        last = thing.attributes.get("last") if thing is not None else None
        table = machine.table(last) if last is not None else None
        if table is not None and last is not None:
            return relation_method(machine, last, table, name, args)
    return machine.unknown(args.all())


def _read(machine: Machine, name: str, args: Arguments) -> Value:
    target = args.get(0, "file_glob", "path_or_buffer", "file_globs", "path") or Const("?")
    items = machine.items(target) if not isinstance(target, Const) else None
    tables = []
    for one in items if items is not None else target.options if isinstance(target, Choice) else [target]:
        path = machine.path(one)
        tables.append(machine.read(path, f"duckdb.{name}", lib="relation", params=machine.params(one)))
    return machine.new(union(tables) if tables else Table(wide={}, lib="relation"))


def _registered(machine: Machine, connection: Value, name: str, args: Arguments) -> Value:
    if name == "register":
        view, given = machine.plain(args.get(0, "view_name") or Const(None)), args.get(1, "python_object")
        table = machine.table(given) if given is not None else None
        if isinstance(view, str) and table is not None:
            _register(machine, connection, view, replace(table, index=(), lib="relation"))
        return connection
    table = machine.table(args.pos[0]) if args.pos else None
    return machine.new(replace(table, lib="relation", index=())) if table is not None else machine.unknown(args.all())


def _relation(machine: Machine, connection: Value, args: Arguments) -> Value:
    name = machine.plain(args.get(0, "table_name", "view_name") or Const(None))
    if not isinstance(name, str):
        return machine.unknown([connection])
    table = _finder(machine, connection, {})(name)
    if table is None:
        table = machine.read(name, "duckdb.table", lib="relation", params=machine.params(args.get(0, "table_name")))
    return machine.new(replace(table, lib="relation"))


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
    outer = _finder(machine, _default(machine), holes)
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
    if name in _FRAMES:
        return machine.new(replace(table, lib=_FRAMES[name], name=None))
    if name in {"fetchall", "fetchone", "fetchmany"}:
        return _fetched(machine, table, name)
    if name in {"create_view", "create", "to_table", "to_view"}:
        return _create(machine, ref, table, name, args)
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
            _register(machine, connection, view, replace(table, name=None))
    return ref


def _connections(machine: Machine) -> list[Value]:
    """A relation knows its connection; here every connection learns of the view."""
    found = [Ref(at) for at, thing in machine.heap.items() if isinstance(thing, Object) and thing.kind == "connection"]
    return list(found) or [_default(machine)]


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

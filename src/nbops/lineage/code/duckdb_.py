"""DuckDB: SQL texts over files, relations and the notebook's own tables; the relation API."""

from __future__ import annotations

import re
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from nbops.lineage.code.interpret import lookup
from nbops.lineage.code.joining import choose
from nbops.lineage.code.machine import MISSING, Machine
from nbops.lineage.code.sqlbridge import SqlResult, follow_sql
from nbops.lineage.code.sqltexts import Macro, expand, macros_of, plain_sql
from nbops.lineage.code.tables import taint_table, union
from nbops.lineage.code.values import Choice, Const, Map, Object, Ref, Table, Taint, Text, Value, taint_of
from nbops.lineage.code.writing import WRITERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nbops.lineage.code.expressions import Arguments

__all__ = ["connection_method", "duckdb_function", "run_local", "run_magic", "run_sql"]

_FILE = re.compile(r"[/\\]|\.(?:parquet|csv|tsv|json|ndjson|jsonl|xlsx|arrow|feather|txt|gz|zst|duckdb|db)\b", re.IGNORECASE)
_DEFAULT = "\0duckdb"
_SQL = frozenset({"sql", "execute", "query", "from_query", "executemany", "extract_statements"})
_READS = frozenset("from_csv_auto from_parquet read_csv read_csv_auto read_json read_json_auto read_parquet".split())
_QUIET = frozenset(
    "close commit begin rollback install_extension load_extension create_function register_filesystem "
    "interrupt checkpoint".split()
)
FRAMES = {
    "df": "pandas",
    "to_df": "pandas",
    "fetchdf": "pandas",
    "fetch_df": "pandas",
    "fetch_df_chunk": "pandas",
    "pl": "polars",
    "arrow": "arrow",
    "to_arrow_table": "arrow",
    "fetch_arrow_table": "arrow",
    "fetch_record_batch": "arrow",
    "fetchnumpy": "numpy",
}


def duckdb_function(machine: Machine, name: str, args: Arguments) -> Value:
    """Return what a function of the module returns: a connection, or what the default connection does."""
    last = name.rsplit(".", 1)[-1]
    if last == "connect":
        path = machine.plain(args.get(0, "database") or Const(":memory:"))
        lasting = path is MISSING or (isinstance(path, str) and not path.startswith(":") and path != "")
        return machine.new(Object(kind="connection", attributes={"lasting": Const(lasting)}))
    if last.endswith("Expression"):
        return _expression(machine, last, args)
    connection = default_connection(machine)
    given = args.kw.get("connection") or args.kw.get("con")
    if given is not None and machine.of(given, Object) is not None:
        connection = given
    return connection_method(machine, connection, last, args)


def _expression(machine: Machine, name: str, args: Arguments) -> Value:
    """``duckdb.ColumnExpression("a")`` and its like: expressions as Polars' are, columns of a relation that is not known yet."""
    from nbops.lineage.code.column_words import AGGREGATES
    from nbops.lineage.code.polars_expressions import expression_function

    if name == "ColumnExpression":
        return expression_function(machine, "polars.col", type(args)(args.pos[-1:]))
    if name == "StarExpression" and not args.all():
        return expression_function(machine, "polars.all", args)
    if name == "ConstantExpression":
        return expression_function(machine, "polars.lit", args)
    function = machine.plain(args.pos[0]) if args.pos else MISSING
    if name != "FunctionExpression" or not isinstance(function, str) or function.lower() in {*AGGREGATES, "avg"}:
        return machine.unknown(args.all())
    return expression_function(machine, "polars.concat_str", type(args)(args.pos[1:]))  # any function of values of a row


def default_connection(machine: Machine) -> Value:
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
    return _run(machine, connection or default_connection(machine), text, lib, call, params)


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
    fresh, text = macros_of(text, names)
    macros = _macros(machine, connection, fresh)
    text, inside = expand(text, macros)
    names |= inside
    if not text.strip():
        return machine.new(Table(lib=lib))
    result = follow_sql(machine, text, finder(machine, connection, holes), call=call, params=names)
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


def finder(machine: Machine, connection: Value, holes: dict[str, Table]) -> Callable[[str], Table | None]:
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
            register(machine, connection, name, table)


def _lasting(machine: Machine, connection: Value) -> bool:
    thing = machine.of(connection, Object)
    lasting = thing.attributes.get("lasting") if thing is not None else None
    return isinstance(lasting, Const) and bool(lasting.value)


def register(machine: Machine, connection: Value, name: str, table: Table) -> None:
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
    from nbops.lineage.code.duckdb_relations import relation_method  # which needs connections in its turn

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
        or name in FRAMES
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
            register(machine, connection, view, replace(table, index=(), lib="relation"))
        return connection
    table = machine.table(args.pos[0]) if args.pos else None
    return machine.new(replace(table, lib="relation", index=())) if table is not None else machine.unknown(args.all())


def _relation(machine: Machine, connection: Value, args: Arguments) -> Value:
    name = machine.plain(args.get(0, "table_name", "view_name") or Const(None))
    if not isinstance(name, str):
        return machine.unknown([connection])
    table = finder(machine, connection, {})(name)
    if table is None:
        table = machine.read(name, "duckdb.table", lib="relation", params=machine.params(args.get(0, "table_name")))
    return machine.new(replace(table, lib="relation"))

"""The truth is held against DuckDB itself: what changes in a result when one source column changes must have an edge from it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import duckdb
import pytest
from sql_random import random_query
from sql_truth import Case, cases

from nbops.lineage.sql import analyse_sql

if TYPE_CHECKING:
    from nbops.lineage.records import SqlLineage

ROWS = 14
VARIANTS = 4
TYPES = {
    "orders": {"id": "INT", "customer_id": "INT", "amount": "INT", "status": "TEXT", "created_at": "DATE", "note": "TEXT"},
    "items": {"order_id": "INT", "sku": "TEXT", "qty": "INT", "price": "INT"},
    "customers": {"id": "INT", "name": "TEXT", "country": "TEXT", "email": "TEXT"},
    "events": {"user_id": "INT", "ts": "DATE", "kind": "TEXT", "payload": "JSON", "tags": "TEXT[]"},
    "archive": {"id": "INT", "amount": "INT", "status": "TEXT"},
    "monthly": {"region": "TEXT", "jan": "INT", "feb": "INT", "mar": "INT"},
}
TEXTS = ("paid", "open", "void", "x", "y", "NZ", "DE", None)


def _value(dice: random.Random, kind: str) -> object:
    if kind == "INT":
        return dice.choice([1, 2, 3, 4, 5, 6, 7, 8, 12, None])
    if kind == "DATE":
        return f"2020-0{dice.randint(1, 9)}-1{dice.randint(0, 9)}"
    if kind == "JSON":
        return f'{{"page": "{dice.choice("abc")}", "ref": {dice.randint(1, 9)}}}'
    if kind == "TEXT[]":
        return dice.sample(["x", "y", "z", "NZ"], dice.randint(0, 3))
    return dice.choice(TEXTS)


@pytest.fixture(scope="module")
def base() -> Iterator[duckdb.DuckDBPyConnection]:
    """Return a database with the tables, and a schema for each changed column: the table with other values there."""
    dice = random.Random(20)
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        for table, columns in TYPES.items():
            rows = [{column: _value(dice, kind) for column, kind in columns.items()} for _ in range(ROWS)]
            _create(connection, f"main.{table}", columns, rows)
            for column, kind in columns.items():
                for variant in range(VARIANTS):
                    schema = f"{table}_{column}_{variant}"
                    connection.execute(f"CREATE SCHEMA {schema}")
                    changed = [{**row, column: _value(dice, kind)} for row in rows]
                    _create(connection, f"{schema}.{table}", columns, changed)
        yield connection


def _create(connection: duckdb.DuckDBPyConnection, name: str, columns: dict[str, str], rows: list[dict[str, object]]) -> None:
    connection.execute(f"CREATE TABLE {name} ({', '.join(f'{column} {kind}' for column, kind in columns.items())})")
    connection.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(columns))})", [list(row.values()) for row in rows])


def _result(connection: duckdb.DuckDBPyConnection, sql: str, schema: str) -> dict[str, Counter[str]]:
    """Return the values of each column of a result, without an order."""
    connection.execute(f"SET search_path = '{schema}'")
    done = connection.execute(sql)
    rows = done.fetchall()
    return {entry[0]: Counter(repr(row[place]) for row in rows) for place, entry in enumerate(done.description or [])}


RUNNABLE = [case for case in cases("duckdb") if case.run]


_SEEN: dict[str, list[tuple[str, str, str]]] = {}


def _changes(connection: duckdb.DuckDBPyConnection, case: Case, reads: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """Return each source column with each column of the result that changes with it; of one query once for all tests."""
    if case.sql not in _SEEN:
        _SEEN[case.sql] = list(_observe(connection, case, reads))
    return _SEEN[case.sql]


def _observe(connection: duckdb.DuckDBPyConnection, case: Case, reads: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    before = _result(connection, case.sql, "main")
    for table in reads:
        for column in TYPES[table]:
            changed: set[str] = set()
            for variant in range(VARIANTS):
                after = _result(connection, case.sql, f"{table}_{column}_{variant},main")
                changed |= {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
            for name in sorted(changed):
                yield table, column, name


def _explains(lineage: SqlLineage, table: str, column: str, name: str) -> bool:
    return any(
        edge.source == table and edge.source_column in {column, None} and edge.target_column in {name, None}
        for edge in lineage.edges
    )


@pytest.mark.parametrize("case", RUNNABLE, ids=[case.name for case in RUNNABLE])
def test_what_changes_has_an_edge(case: Case, base: duckdb.DuckDBPyConnection) -> None:
    lineage = analyse_sql(case.sql, schemas=case.schemas, target="out")
    silent = [change for change in _changes(base, case, lineage.reads) if not _explains(lineage, *change)]
    assert not silent, silent


def test_most_edges_are_seen_when_values_change(base: duckdb.DuckDBPyConnection) -> None:
    """An edge that no change shows may be right (a field of a struct), but there are few of them."""
    unseen, seen = [], 0
    for case in RUNNABLE:
        lineage = analyse_sql(case.sql, schemas=case.schemas, target="out")
        changes = set(_changes(base, case, lineage.reads))
        for edge in lineage.edges:
            if edge.kind == "derived" and edge.source_column and edge.target_column:
                shown = (edge.source, edge.source_column, edge.target_column) in changes
                seen += shown
                if not shown:
                    unseen.append(f"{case.name}: {edge.source}.{edge.source_column} -> {edge.target_column}")
    assert seen > 150
    assert len(unseen) <= 0.05 * (seen + len(unseen)), "\n".join(unseen)


PLAIN = {
    table: {column: kind for column, kind in columns.items() if kind in {"INT", "TEXT", "DATE"}}
    for table, columns in TYPES.items()
}


@pytest.mark.parametrize("seed", range(30))
def test_what_changes_in_a_query_made_at_random_has_an_edge(seed: int, base: duckdb.DuckDBPyConnection) -> None:
    sql = random_query(seed, {table: PLAIN[table] for table in ("orders", "items", "customers", "archive")})
    case = Case("duckdb", str(seed), sql, {table: list(columns) for table, columns in TYPES.items()}, frozenset(), run=True)
    lineage = analyse_sql(sql, schemas=case.schemas, target="out")
    assert lineage.notes == (), sql
    names = set(_result(base, sql, "main"))
    assert set(lineage.columns["out"] or ()) == names, sql
    silent = [change for change in _changes(base, case, lineage.reads) if not _explains(lineage, *change)]
    assert not silent, f"{silent} in {sql}"


STARTS = ("INSERT ", "UPDATE ", "DELETE ", "CREATE ", "MERGE ")
WRITES = [case for case in cases("duckdb") if not case.run and case.sql.startswith(STARTS) and " MACRO " not in case.sql]
WRITES = [case for case in WRITES if case.name != "a table that stays is a source of its own"]


@pytest.mark.parametrize("case", WRITES, ids=[case.name for case in WRITES])
def test_what_changes_in_a_table_that_is_written_has_an_edge(case: Case, base: duckdb.DuckDBPyConnection) -> None:
    lineage = analyse_sql(case.sql, schemas=case.schemas)
    before = _written(base, case.sql, "main", lineage.writes)
    assert before
    for table in lineage.reads:
        for column in TYPES.get(table, {}):
            for variant in range(VARIANTS):
                after = _written(base, case.sql, f"{table}_{column}_{variant},main", lineage.writes)
                for target, name in before:
                    own = target == table  # what is there changes as well, whatever the statement does
                    if before[target, name] != after[target, name] and not own:
                        assert any(
                            edge.source == table
                            and edge.source_column in {column, None}
                            and edge.target == target
                            and edge.target_column in {name, None}
                            for edge in lineage.edges
                        ), f"{table}.{column} changes {target}.{name}"


def _written(
    connection: duckdb.DuckDBPyConnection, sql: str, schema: str, targets: tuple[str, ...]
) -> dict[tuple[str, str], Counter[str]]:
    """Return the values of each column of what some SQL writes; nothing of it stays."""
    connection.execute(f"SET search_path = '{schema}'")
    connection.execute("BEGIN")
    try:
        connection.execute(sql)
        found: dict[tuple[str, str], Counter[str]] = {}
        for target in targets:
            done = connection.execute(f"SELECT * FROM {target}")
            rows = done.fetchall()
            for place, entry in enumerate(done.description or []):
                found[target, entry[0]] = Counter(repr(row[place]) for row in rows)
        return found
    finally:
        connection.execute("ROLLBACK")

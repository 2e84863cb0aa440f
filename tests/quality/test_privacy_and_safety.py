"""Personal values never leave the engine, and a contract's SQL reaches nothing but the data."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest


def names_in(folder):
    return [path.name for path in folder.iterdir()]


SECRET = "ada.lovelace@example.org"


def everything(found):
    return json.dumps([dataclasses.asdict(found.dataset), [dataclasses.asdict(item) for item in found.results]], default=str)


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_personal_values_are_in_no_record(suffix, tmp_path, look, contract_of):
    path = tmp_path / f"orders.{suffix}"
    rows = [
        {"email": SECRET, "Phone": 41791234567, "born": "1815-12-10", "n": 1},
        {"email": SECRET, "Phone": None, "born": "x", "n": -1},
    ]
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif suffix == "csv":
        path.write_text(
            "email,Phone,born,n\n" + "".join(",".join("" if v is None else str(v) for v in row.values()) + "\n" for row in rows)
        )
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    contract = contract_of(
        {
            "name": "email",
            "logicalType": "integer",
            "classification": "PII",
            "unique": True,
            "logicalTypeOptions": {"minimum": 5},
        },
        {"name": "phone", "classification": "personal"},
        {"name": "Phone", "required": True, "tags": ["pii"]},
        {"name": "born", "logicalType": "date", "classification": "sensitive", "logicalTypeOptions": {"minimum": "1900-01-01"}},
        quality=[
            {"metric": "duplicateValues", "mustBe": 0},
            {"type": "sql", "query": "SELECT max(email) FROM data", "mustBe": "x"},
            {"type": "sql", "query": "SELECT CAST(email AS INTEGER) FROM data LIMIT 1", "mustBe": 1},
            {"type": "sql", "query": "SELECT error(email) FROM data", "mustBe": 1},
            {"type": "custom", "engine": "nbops", "implementation": "n > 0"},
            {"type": "custom", "engine": "nbops", "implementation": "CAST(born AS DATE) > DATE '1900-01-01'"},
        ],
        slaProperties=[{"property": "freshness", "value": 1, "unit": "d", "element": "orders.born"}],
    )
    found = look(path, contract, quarantine=True)
    text = everything(found)
    for value in (SECRET, "41791234567", "1815", "ada."):
        assert value not in text
    assert found.results[-2].verdict == "errored" or found.results[-2].verdict == "failed"
    rule = next(result for result in found.results if result.check.id == "rowRule")
    assert rule.examples == ({"_row": 2, "email": "•••", "Phone": None, "born": "•••", "n": -1},)
    assert str(tmp_path) not in text


ESCAPES = [
    "SELECT count(*) FROM read_text('{secret}')",
    "SELECT count(*) FROM read_csv('{secret}')",
    "SELECT count(*) FROM '{secret}'",
    "SELECT count(*) FROM glob('{folder}/*')",
    "SELECT count(*) FROM secret_frame",
    "SELECT count(*) FROM parquet_metadata('{other}')",
    "SELECT count(*) FROM read_parquet('{other}')",
    "SELECT count(*) FROM query('COPY (SELECT 1) TO ''{folder}/written''')",
    "SELECT count(*) FROM duckdb_secrets()  WHERE 1 / 0 > (SELECT error('no'))",
    "WITH x AS (SELECT getenv('HOME') AS h) SELECT h FROM x",
    "SELECT count(*) FROM sqlite_scan('{secret}', 't')",
    "SELECT count(*) FROM read_json('https://127.0.0.1:9/x.json')",
]


@pytest.mark.parametrize("query", ESCAPES)
def test_sql_rules_reach_nothing_else(query, tmp_path, look, contract_of):
    secret_frame = pa.table({"a": [1]})
    (tmp_path / "secret.txt").write_text("s3cret")
    other = tmp_path / "other.parquet"
    pq.write_table(secret_frame, other)
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table({"a": [1, 2]}), path)
    text = query.format(secret=tmp_path / "secret.txt", folder=tmp_path, other=other)
    before = sorted(names_in(tmp_path))
    found = look(path, contract_of({"name": "a"}, quality=[{"type": "sql", "query": text, "mustBeGreaterOrEqualTo": 0}]))
    assert found.results[-1].verdict == "errored", found.results[-1]
    assert sorted({*names_in(tmp_path)} - {"contracts"}) == before


def test_settings_are_locked_and_the_data_cannot_be_changed(tmp_path):
    from nbops.quality.engine import connect, lock

    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    with connect(memory_limit="200MB", threads=1) as (connection, scratch):
        lock(connection, files=[str(path)], directories=[])
        for text in (
            "SET threads=2",
            "SET enable_external_access=true",
            "RESET allowed_paths",
            f"ATTACH '{tmp_path}/x.db'",
            "INSTALL spatial",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(text)
        assert scratch.exists()
        assert connection.execute(f"SELECT count(*) FROM read_parquet('{path}')").fetchone() == (1,)
    assert not scratch.exists()
    assert not Path(".tmp").exists()


def test_a_rule_that_breaks_out_of_its_parentheses_is_refused_or_harmless(tmp_path, look, contract_of, verdicts):
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table({"a": [1, -1]}), path)
    rules = [
        "a > 0 -- comment",
        "a > 0 /* comment */",
        "count(*) > 1",
        "nope > 1",
        "a > 0 AND EXISTS (SELECT 1 FROM data)",
        "sum(a) OVER () > 0",
    ]
    quality = [{"type": "custom", "engine": "nbops", "implementation": rule} for rule in rules]
    found = look(path, contract_of({"name": "a", "required": True}, quality=quality))
    got = [result.verdict for result in found.results if result.check.metric == "rowRule"]
    assert got[:4] == ["failed", "failed", "errored", "errored"]
    assert "passed" not in got
    assert verdicts(found)["a.nullValues"] == "passed"


def test_the_tables_name_and_references_can_be_used(tmp_path, look, contract_of):
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table({"a": [1, 2], "c": [1, 7]}), path)
    other = tmp_path / "customers.parquet"
    pq.write_table(pa.table({"id": [1]}), other)
    queries = [
        ("SELECT count(*) FROM orders", 2),
        ("SELECT count(*) FROM ${table}", 2),
        ("SELECT count(*) FROM {object} o JOIN customers k ON k.id = o.c", 1),
        ("SELECT a FROM data", None),
        ("SELECT a, c FROM data LIMIT 1", None),
        ("SELECT a FROM data WHERE false", None),
        ("SELECT NULL", None),
        ("SELECT 'text'", "text"),
        ("SELECT true", True),
        ("SELECT DATE '2024-01-01'", "2024-01-01"),
        ("SELECT 1.50::DECIMAL(5,2)", 1.5),
        ("SELECT 'nan'::DOUBLE", "nan"),
    ]
    contract = contract_of(
        {"name": "c", "relationships": [{"to": "customers.id"}]},
        quality=[{"type": "sql", "query": query, "mustBe": 0 if value is None else value} for query, value in queries],
    )
    found = look(path, contract, references={"customers": other})
    got = [result for result in found.results if result.check.metric == "sql"]
    assert [result.verdict for result in got] == ["errored" if value is None else "passed" for _, value in queries]
    assert [result.observed for result in got] == [value for _, value in queries]
    text = contract_of({"name": "a"}, quality=[{"type": "sql", "query": "SELECT 'text'", "mustBeLessThan": 5}])
    assert look(path, text).results[-1].verdict == "errored"


def test_a_database_that_was_opened_ahead_is_as_shut_off_as_any(tmp_path):
    from nbops.quality import engine

    engine.warm(2)
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            for expected_threads, short in ((2, False), (1, True), (1, True)):  # those opened ahead, then one of its own
                with engine.connect(threads=expected_threads, memory_limit="200MB", short=short) as (connection, _):
                    with pytest.raises(duckdb.Error):  # nothing of the one before
                        connection.execute("SELECT * FROM left_behind")
                    assert connection.execute("SELECT current_setting('threads')").fetchone() == (expected_threads,)
                    connection.execute("CREATE TABLE left_behind AS SELECT 1")
                    engine.lock(connection, files=[], directories=[])
                    for query in (f"SELECT * FROM '{secret}'", "SET threads = 1", "INSTALL httpfs"):
                        with pytest.raises(duckdb.Error):
                            connection.execute(query)
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0
    with engine.connect() as (connection, _), pytest.raises(duckdb.Error):
        connection.execute("SELECT * FROM left_behind")


def test_databases_that_were_opened_ahead_are_taken_first_each_of_them_once(tmp_path, monkeypatch):
    from nbops.quality import engine

    if not engine._settings:
        pytest.skip("this DuckDB has threads of its own and is not opened ahead")
    monkeypatch.setattr(engine, "_ahead", None)
    engine.warm(2)
    engine.warm(2)  # they are there
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            opened = []
            anew = duckdb.connect
            duckdb.connect = lambda *given, **options: opened.append(given) or anew(*given, **options)
            for _ in range(3):
                with engine.connect(threads=1, short=True) as (connection, _):
                    connection.execute("CREATE TABLE once AS SELECT 1")
            code = 0 if len(opened) == 1 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

"""Data of every kind, to be profiled, and what is asked of the processes that do it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import psutil

from nbops.model import Column, Measurement
from nbops.quality.profile import ProfileRequest

__all__ = ["BAD", "HOSTILE", "PLANTED", "cases", "ended", "measure", "write"]

HOSTILE = "<script>alert('x')</script>"
PLANTED = "planted.person@example.org"
BAD = frozenset({"cut", "gone", "changed", "relation", "refused", "latin"})
"""Of which no profile can be made."""
ORDERS = f"""
    SELECT i AS order_id, (i * 7919) % 997 AS customer, CASE WHEN i % 11 = 0 THEN NULL ELSE (i * 31 % 10007) / 100.0 END AS price,
           CASE WHEN i % 2 = 0 THEN '{PLANTED}' ELSE 'person' || i || '@example.org' END AS "Email",
           ['DE', 'UK', 'FR'][1 + i % 3] AS country, TIMESTAMP '2024-01-01' + to_minutes(i::INT) AS at, i % 3 = 0 AS guest,
           'blue lamp number ' || (i * 13 % 701) AS description, lpad((i % 300)::VARCHAR, 5, '0') AS code
    FROM range(30000) t(i)"""
TYPES = """
    SELECT i::HUGEINT * 1000000000000000000000 AS huge, (9007199254740993 + i)::BIGINT AS id, (i / 7)::DECIMAL(12, 4) AS amount,
           TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_hours(i::INT) AS tz, DATE '9999-12-31' AS forever,
           CASE WHEN i % 2 = 0 THEN 'infinity'::TIMESTAMP ELSE TIMESTAMP '0001-01-01' END AS extreme,
           CASE i % 4 WHEN 0 THEN 'infinity'::DOUBLE WHEN 1 THEN 'nan'::DOUBLE ELSE i END AS wild, uuid() AS random_id,
           {'street': 'x' || i, 'codes': [i, i + 1]} AS nested, [i] AS list, MAP {'k': i} AS map, ('b' || i)::BLOB AS raw,
           TIME '10:00' AS time, to_days(i::INT) AS span, (i % 2 = 0)::BOOLEAN AS flag, CASE WHEN i > 50 THEN true END AS maybe,
           CASE WHEN i % 3 > 0 THEN i::TINYINT END AS small, '' AS empty, '  ' AS spaces, 'only' AS constant,
           NULL::INTEGER AS nothing
    FROM range(100) t(i)"""
NASTY_VALUES = (
    *(HOSTILE, "</style></title></svg>", "<!--", "]]>", "{{ 7 * 7 }}", "{% raw %}", "$x^2$", "&lt;b&gt;", "javascript:alert(1)"),
    *('" onload="alert(1)', "a\u202eb", "\N{GRINNING FACE}", "=cmd|' /C calc'!A0", "x" * 90),
)
NASTY_LIST = ", ".join("'" + value.replace("'", "''") + "'" for value in NASTY_VALUES)
NASTY = f"""
    SELECT [{NASTY_LIST}][1 + i % 14] AS "{HOSTILE}", chr(0) || 'nul' AS "quote "" ' quote", i AS "{{{{ 7 * 7 }}}}",
           i * 2 AS "index", i AS "level_0", 'v' AS "c0", i % 2 AS "{"long " * 60}"
    FROM range(280) t(i)"""


def ended(process: psutil.Process) -> bool:
    """Return whether a process ends within a minute."""
    try:
        process.wait(60)
    except psutil.TimeoutExpired:
        return False
    return True


def write(path: Path, query: str) -> Path:
    """Write the rows of a query to a Parquet file."""
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET preserve_insertion_order=true")
        quoted = str(path).replace("'", "''")
        connection.execute(f"COPY ({query}) TO '{quoted}' (FORMAT parquet)")
    return path


def measure(column: str, **values: Any) -> tuple[Measurement, ...]:
    """Return measurements of a column."""
    return tuple(Measurement(metric=metric, column=column, value=value) for metric, value in values.items())


def cases(folder: Path) -> Iterator[ProfileRequest]:
    """Return one request a kind of data."""

    def request(name: str, data: Path, **more: Any) -> ProfileRequest:
        settings = {"format": "parquet", "content_hash": f"hash-of-{name}", **more}
        return ProfileRequest(dataset=name, data=data, output=folder / "pages" / f"{name}.html", **settings)

    orders = write(folder / "orders.parquet", ORDERS)
    measured = (
        *measure("order_id", nullValues=0, distinctValues=30_000, min=0, mean=14999.5, max=29_999),
        *measure("Email", nullValues=0, distinctValues=15_001, min=PLANTED, max=PLANTED),
        *measure("country", nullValues=0, min=HOSTILE),
        Measurement(metric="nullValues", column="price", error="no"),
    )
    yield request(
        "orders", orders, personal=frozenset({"email"}), rows=30_000, measurements=measured, description="One line an order."
    )
    yield request("types", write(folder / "types.parquet", TYPES), title=HOSTILE, description=HOSTILE)
    yield request("nasty", write(folder / "na[s]ty's *.parquet", NASTY))
    yield request("none", write(folder / "none.parquet", "SELECT 1 AS a, 'x' AS b WHERE false"))
    yield request("nulls", write(folder / "nulls.parquet", "SELECT NULL::INT AS a, NULL::VARCHAR AS b FROM range(50)"))
    yield request("private", write(folder / "private.parquet", f"SELECT '{PLANTED}' AS mail"), personal=frozenset({"mail"}))
    yield request("one", write(folder / "one.parquet", "SELECT 1 AS a"))
    columns = ", ".join(f"i + {at} AS column_{at}" for at in range(5_000))
    yield request("wide", write(folder / "wide.parquet", f"SELECT {columns} FROM range(20) t(i)"))
    yield request(
        "cell", write(folder / "cell.parquet", "SELECT repeat('x', 10 * 1024 * 1024) || i AS big, i FROM range(3) t(i)")
    )
    latin = folder / "latin.csv"
    latin.write_bytes("name;town\nMüller;Köln\nSmith;Bath;extra\nJones\n".encode("latin-1") * 40)
    yield request("latin", latin, format="csv")
    table = folder / "table.csv"
    table.write_bytes(b"\xef\xbb\xbfa,b,code\n" + b"".join(b"%d,%d.5,%05d\n" % (at, at, at // 2) for at in range(500)))
    yield request("table", table, format="csv", rows=500, columns=(Column(name="code", physical_type="VARCHAR"),))
    nameless = folder / "nameless.csv"
    nameless.write_bytes(b",a\nx,1\ny,2\n")  # as pandas writes an index
    yield request("nameless", nameless, format="csv", rows=2, columns=(Column(name="", physical_type="VARCHAR"),))
    lines = folder / "lines.jsonl"
    lines.write_text("".join(json.dumps({"a": at, "b": {"c": HOSTILE}}) + "\n" for at in range(200)), encoding="utf-8")
    yield request("lines", lines, format="jsonl")
    cut = folder / "cut.parquet"
    cut.write_bytes(orders.read_bytes()[:20_000])
    yield request("cut", cut)
    yield request("gone", folder / "gone.parquet")
    yield request("changed", orders, rows=29_999)
    yield request("relation", orders, format="relation")
    bad = folder / "secret.csv"
    bad.write_text(f"{PLANTED}", encoding="utf-8")
    yield request("refused", bad)

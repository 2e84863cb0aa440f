"""What a careful engineer writes by hand: one fused query in DuckDB for everything but uniqueness, and one a unique column."""

from __future__ import annotations

import sys

import duckdb
from clock import Clock
from rules import RULES, Rule, verify

PATH = sys.argv[1]


def condition(rule: Rule) -> str:
    """Return what is true of a row that breaks the rule."""
    if rule.kind == "not_null":
        return f"{rule.column} IS NULL"
    if rule.kind == "minimum":
        return f"{rule.column} < {rule.argument}"
    if rule.kind == "maximum":
        return f"{rule.column} > {rule.argument}"
    if rule.kind == "pattern":
        return f"NOT regexp_matches({rule.column}, '{rule.argument}')"
    return f"{rule.column} NOT IN {rule.argument!r}"


clock = Clock()
connection = duckdb.connect()
data = f"read_parquet('{PATH}')"
fused = [rule for rule in RULES if rule.kind not in {"rows", "unique"}]
counts = ", ".join(f"count(*) FILTER (WHERE {condition(rule)})" for rule in fused)
row = connection.execute(f"SELECT count(*), {counts} FROM {data}").fetchone()
assert row is not None
found = {"rows": row[0], **{rule.key: count for rule, count in zip(fused, row[1:], strict=True)}}
for rule in RULES:
    if rule.kind == "unique":
        answer = connection.execute(f"SELECT count({rule.column}) - count(DISTINCT {rule.column}) FROM {data}").fetchone()
        assert answer is not None
        found[rule.key] = answer[0]
verify(PATH, found)
clock.report()

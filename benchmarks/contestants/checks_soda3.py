"""Soda Core 3 (SodaCL) on DuckDB over a view of the Parquet file.

Settings: an existing DuckDB connection, as in https://docs.soda.io/soda-documentation/soda-v3/data-source-reference/connect-duckdb;
``samples limit: 0`` so that no failed rows are fetched
(https://docs.soda.io/soda-documentation/soda-v3/run-a-scan/failed-row-samples); ``duplicate_count`` is of values that repeat.
"""

from __future__ import annotations

import sys
from typing import Any

import duckdb
from clock import Clock
from rules import RULES, Rule, verify
from soda.scan import Scan

DATA = sys.argv[1]


def lines(rule: Rule) -> list[str]:
    """Return a rule in SodaCL; each is named by its key."""
    name = [f"      name: {rule.key}"]
    if rule.kind == "rows":
        return ["  - row_count > 0:", *name]
    if rule.kind == "not_null":
        return [f"  - missing_count({rule.column}) = 0:", "      samples limit: 0", *name]
    if rule.kind == "unique":
        return [f"  - duplicate_count({rule.column}) = 0:", "      samples limit: 0", *name]
    options = {
        "minimum": f"      valid min: {rule.argument}",
        "maximum": f"      valid max: {rule.argument}",
        "one_of": f"      valid values: {list(rule.argument or ())!r}" if rule.kind == "one_of" else "",
        "pattern": f"      valid regex: '{rule.argument}'",
    }
    return [f"  - invalid_count({rule.column}) = 0:", options[rule.kind], "      samples limit: 0", *name]


clock = Clock()
connection = duckdb.connect()
connection.execute(f"CREATE VIEW orders AS SELECT * FROM read_parquet('{DATA}')")
scan = Scan()
scan.add_duckdb_connection(connection, data_source_name="local")
scan.set_data_source_name("local")
scan.add_sodacl_yaml_str("\n".join(["checks for orders:", *(line for rule in RULES for line in lines(rule))]))
scan.disable_telemetry()
scan.execute()
scan.assert_no_error_logs()
found: dict[str, Any] = {check.name: int(check.check_value) for check in scan._checks}  # noqa: SLF001 - its results are in no public form
verify(DATA, found)
clock.report()

"""Soda Core 4 (data contracts) on DuckDB over a view of the Parquet file.

Settings: an existing cursor, as in https://docs.soda.io/reference/data-source-reference-for-soda-core/duckdb/duckdb-advanced-usage;
one check a rule, as in https://docs.soda.io/reference/contract-language-reference.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import duckdb
from clock import Clock
from rules import RULES, verify
from soda_core.contracts import verify_contract_locally
from soda_duckdb.common.data_sources.duckdb_data_source import DuckDBDataSourceImpl

DATA = sys.argv[1]
VALID = {"minimum": "valid_min", "maximum": "valid_max", "one_of": "valid_values", "pattern": "valid_format"}


def contract() -> str:
    """Return the contract; each check is qualified by the rule's kind."""
    lines = ["dataset: local/main/orders", "checks:", "  - row_count:", "columns:"]
    for column in dict.fromkeys(rule.column for rule in RULES):
        lines += [f"  - name: {column}", "    checks:"]
        for rule in RULES:
            if rule.column != column or rule.kind == "rows":
                continue
            kind = {"not_null": "missing", "unique": "duplicate"}.get(rule.kind, "invalid")
            lines += [f"      - {kind}:", f"          name: {rule.key}", f"          qualifier: {rule.kind}"]
            if rule.kind == "pattern":
                lines += ["          valid_format:", "            name: sku", f"            regex: '{rule.argument}'"]
            elif kind == "invalid":
                value = list(rule.argument) if rule.kind == "one_of" else rule.argument
                lines.append(f"          {VALID[rule.kind]}: {value!r}")
    return "\n".join(lines)


clock = Clock()
cursor = duckdb.connect().cursor()
cursor.execute(f"CREATE VIEW orders AS SELECT * FROM read_parquet('{DATA}')")
source = DuckDBDataSourceImpl.from_existing_cursor(cursor, name="local")
with tempfile.TemporaryDirectory() as folder:
    file = Path(folder, "orders.yml")
    file.write_text(contract(), encoding="utf-8")
    outcome = verify_contract_locally(data_sources=[source], contract_file_path=str(file))
found = {}
for result in outcome.contract_verification_results[0].check_results:
    values = result.diagnostic_metric_values or {}
    if result.check.type == "row_count":
        found["rows"] = int(values["dataset_rows_tested"])
    else:
        found[result.check.name] = int(values[f"{result.check.type}_count"])
verify(DATA, found)
clock.report()

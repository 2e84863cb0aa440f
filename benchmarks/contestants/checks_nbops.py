"""nbops: ``checks_nbops.py FILE CONTRACT audit|checks``.

``audit`` is what a run does with a dataset: the checks, the numbers of every column besides, example rows of what broke, the
content hash. ``checks`` judges the contract and nothing else.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
from pathlib import Path

import pyarrow.parquet  # noqa: F401 - long data is read with it; imports are counted apart, as for the bare read
import ruamel.yaml  # noqa: F401 - likewise: contracts are
import yaml  # noqa: F401 - likewise: those without a doubt about their meaning are
from clock import Clock
from rules import verify

from nbops.contract.odcs import load_contract
from nbops.quality.audit import audit
from nbops.quality.engine import connect
from nbops.quality.judge import judge
from nbops.quality.measure import measure
from nbops.quality.plan import check_requests
from nbops.quality.source import open_source
from nbops.quality.terms import Terms

IDS = {
    "nullValues": "not_null",
    "duplicateValues": "unique",
    "invalidValues.minimum": "minimum",
    "invalidValues.maximum": "maximum",
    "invalidValues.pattern": "pattern",
    "invalidValues.enum": "one_of",
}
"""A check's id behind the column to the kind of the rule."""
DATA, CONTRACT, WAY = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
NOW = dt.datetime(2025, 1, 1, tzinfo=dt.timezone.utc)
MEMORY = os.environ.get("NBOPS_BENCHMARK_MEMORY")


def key_of(check_id: str) -> str:
    """Return the rule's key for a check's id."""
    column, _, rest = check_id.partition(".")
    return f"{column}.{IDS[rest]}" if rest in IDS else check_id


clock = Clock()
contract = load_contract(CONTRACT)
if WAY == "audit":
    results = audit(
        DATA,
        name="orders",
        task="orders",
        final_path="orders.parquet",
        contract=contract,
        references={},
        now=NOW,
        memory_limit=MEMORY,
    ).results
else:
    with connect(memory_limit=MEMORY, threads=None) as (connection, scratch):
        source = open_source(connection, DATA, name="orders.parquet", scratch=scratch, contract=contract, shown="orders.parquet")
        terms = Terms(source, {})
        taken = measure(terms, check_requests(contract.checks), now=NOW, mask_text=False)
        results = judge(contract.checks, taken)
found = {key_of(result.check.id): result.failing_rows for result in results}
rows = next(result for result in results if result.check.id == "rows")
assert isinstance(rows.observed, int), rows
assert all(result.verdict != "errored" for result in results), results
verify(DATA, {**{key: count for key, count in found.items() if count is not None}, "rows": rows.observed})
clock.report(checks=len(results))

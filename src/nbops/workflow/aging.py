"""Published data that only grew older: its ages follow from those that were measured, and nothing is read again."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nbops.quality.judge import worst
from nbops.quality.kinds import Age, request_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbops.contract.records import Contract
    from nbops.model import CheckResult, Dataset, Measurement
    from nbops.quality.audited import Audit

__all__ = ["TIMED", "aged"]

TIMED = frozenset({"freshness", "retention"})
"""Metrics whose verdict changes while the data stays."""

_MARGIN = 2.0
"""Seconds. Ages are recorded to the second; one that is nearer to what is allowed is measured again."""
_OF_ITSELF = frozenset({"duplicateValues", "invalidValues", "missingValues", "nullValues", "rowCount", "schema"})
"""Metrics that say the same of the same data, whenever they are measured and whatever other data there is."""
_QUERIES = frozenset({"rowRule", "sql"})
_CHANGING = re.compile(
    r"\b(?:now|today|age|random|uuid|uuidv[47]|gen_random_uuid|setseed|\w*current_\w+|local_?time\w*|transaction_\w+|nextval)\b",
    re.IGNORECASE,
)
"""What may give another answer for the same data."""


def aged(
    audit: Audit, *, contract: Contract, measured_at: str, now: datetime, hashes: Mapping[str, tuple[str | None, str | None]]
) -> Audit | None:
    """Return an audit as it is to be by now, of data and a contract that did not change; None where it must be made again.

    An age is the earlier one and the time since; both are in whole seconds, so it may differ by one from what would be measured.

    Args:
        audit: From an earlier run's ledger.
        contract: The dataset's contract, the same as then.
        measured_at: The start of that run, which ages were counted from.
        now: The start of this one.
        hashes: Dataset to its content's hash then and now, for relationships; None where it is not known.
    """
    elapsed = (now - datetime.fromisoformat(measured_at.replace("Z", "+00:00"))).total_seconds()
    if elapsed < 0 or audit.dataset.error is not None or not all(_lasts(result, hashes) for result in audit.results):
        return None
    measured = {(item.metric, item.column, item.arguments): item for item in audit.dataset.measurements}
    older = {key: _older(item, elapsed) for key, item in measured.items() if item.metric in TIMED}
    checks = {check.id: check for check in contract.checks if check.metric in TIMED}
    found: list[CheckResult] = []
    for result in audit.results:
        check = checks.get(result.check.id)
        if check is None:
            if result.check.metric in TIMED:
                return None
            found.append(result)
            continue
        request = request_of(check)
        age = older.get((request.metric, request.column, request.arguments))
        if age is None or _near(age.value, check.expected):
            return None
        found.append(Age().judge(check, {request: age}))
    if len(found) != len(contract.checks) or any(item is None for item in older.values()):
        return None
    ages = tuple(older.get((m.metric, m.column, m.arguments)) or m for m in audit.dataset.measurements)
    dataset: Dataset = replace(audit.dataset, measurements=ages, verdict=worst(result.verdict for result in found))
    return replace(audit, dataset=dataset, results=tuple(found))


def _lasts(result: CheckResult, hashes: Mapping[str, tuple[str | None, str | None]]) -> bool:
    """Return whether the result stands while the data stays, ages apart.

    What a rule said of rows that were set aside stands until the task runs again, though they are not there to be measured.
    """
    check = result.check
    if result.verdict == "errored":
        return False
    arguments = dict(check.arguments)
    if check.metric in _QUERIES:
        return not any(_CHANGING.search(text) for text in arguments.values() if isinstance(text, str))
    if check.metric == "references":
        then, today = hashes.get(str(arguments.get("dataset")), (None, None))
        return then is not None and then == today
    return check.metric in _OF_ITSELF or check.metric in TIMED


def _older(item: Measurement, elapsed: float) -> Measurement | None:
    """Return an age by now; None of what is no number: it was not measured, or is masked."""
    if item.error is not None or isinstance(item.value, bool) or not isinstance(item.value, int):
        return None
    return replace(item, value=round(item.value + elapsed))


def _near(age: Any, limit: Any) -> bool:
    limits = limit if isinstance(limit, tuple) else (limit,)
    return not all(isinstance(bound, int | float) and abs(age - bound) > _MARGIN for bound in limits)

"""One word, one shape and one rank for each verdict and status, and a check's rule in words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nbops.pages.text import cut, duration, plural, short, value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbops.model import Check, CheckResult, Definition, Run

__all__ = [
    "AGES",
    "LABELS",
    "RANKS",
    "expectation",
    "figure",
    "label",
    "mark",
    "observed",
    "rank",
    "rule",
    "run_mark",
    "summary_mark",
    "terms",
]

LABELS = {
    "failed": "Failed",
    "errored": "Errored",
    "interrupted": "Interrupted",
    "running": "Not finished",
    "held": "Held",
    "open": "Open",
    "acknowledged": "Acknowledged",
    "unusual": "Unusual",
    "quarantined": "Quarantined",
    "notice": "Notice",
    "warned": "Warned",
    "succeeded": "Succeeded",
    "passed": "Passed",
    "up_to_date": "Up to date",
    "resolved": "Resolved",
    "expected": "Expected",
    "learning": "Learning",
    "not_selected": "Not selected",
    "skipped": "Skipped",
}
"""Word for each verdict, task status and run status, worst first."""

AGES = frozenset(["freshness", "retention"])
"""Metrics whose values are seconds."""

RANKS = {name: position for position, name in enumerate(LABELS)}
"""Order of severity: 0 is the worst."""

_URL = re.compile(r"https?://[^\s\"'<>]+\Z")

_SYMBOLS = {
    "mustBe": "=",
    "mustNotBe": "≠",
    "mustBeGreaterThan": ">",
    "mustBeGreaterOrEqualTo": "≥",
    "mustBeLessThan": "<",
    "mustBeLessOrEqualTo": "≤",
    "mustBeBetween": "between",
    "mustNotBeBetween": "not between",
}


def mark(word: str) -> str:
    """Return the shape and colour class of a verdict or status; an unknown one counts as not measured."""
    return word if word in LABELS else "errored"


def label(word: str) -> str:
    """Return the word that people read for a verdict or status.

    >>> label("up_to_date"), label("brand_new")
    ('Up to date', 'brand new')
    """
    return LABELS.get(word, short(word.replace("_", " "), 30))


def rank(word: str) -> int:
    """Return how bad a verdict or status is; 0 is the worst."""
    return RANKS[mark(word)]


def run_mark(run: Run) -> str:
    """Return the worst of a run's verdict, its status and all of its details.

    A ledger whose headline is milder than its details (written by an older nbops, or by hand) must not show green.
    """
    words: list[str] = [
        _ended(run.verdict, run.status),
        *(result.verdict for result in run.checks),
        *(dataset.verdict for dataset in run.datasets),
    ]
    words += [task.status for task in run.tasks if task.status in {"failed", "interrupted", "held"}]
    words += ["failed"] if any(error.kind != "Interrupted" for error in run.errors) else []
    words += ["failed" if one.severity == "error" else "warned" for one in run.anomalies if one.accepted is None]
    words += ["failed" for entry in run.quarantine if entry.rows_in != entry.rows_out + entry.rows]
    words += ["failed" if notice.severity == "error" else "warned" for notice in run.notices]
    return min((mark(word) for word in words), key=rank)


def _ended(verdict: str, status: str) -> str:
    """Return the worse of verdict and status; a run that did not end is ``errored`` for that alone: its status says more."""
    if status in {"interrupted", "running"} and verdict == "errored":
        return status
    return min(verdict, status if status != "succeeded" else "passed", key=rank)


def summary_mark(*, verdict: str, status: str, tasks: Mapping[str, int], checks: Mapping[str, int]) -> str:
    """Return the worst of a run that is known by its counts; as ``run_mark``."""
    words = [_ended(verdict, status)]
    words += [word for word in ("failed", "interrupted", "held") if tasks.get(word)]
    words += [word for word in ("failed", "errored", "warned") if checks.get(word)]
    return min((mark(word) for word in words), key=rank)


def rule(check: Check) -> str:
    """Return what a check looks at: its metric, column and arguments.

    >>> from nbops.model import Check
    >>> rule(Check(id="x", dataset="orders", metric="nullValues", column="email"))
    'nullValues of email'
    """
    given = dict(check.arguments)
    if check.metric == "sql" and check.description:
        return check.description
    if check.metric == "rowRule" and "expression" in given:
        return f"rows that break {short(value(given['expression']), 90)}"
    if check.metric == "references" and {"columns", "dataset", "to"} <= given.keys():
        return f"rows whose {_listed(given['columns'])} is not in {_listed(given['dataset'])} ({_listed(given['to'])})"
    if check.metric == "schema":
        return "schema"
    arguments = ", ".join(f"{name} {short(value(argument), 60)}" for name, argument in check.arguments)
    return f"{check.metric}{f' of {check.column}' if check.column else ''}{f' ({arguments})' if arguments else ''}"


def _listed(thing: Any) -> str:
    return short(", ".join(map(value, thing)) if isinstance(thing, (list, tuple)) else value(thing), 60)


def figure(metric: str, thing: Any) -> str:
    """Return a measured or expected value as people read it; ages are in seconds.

    >>> figure("freshness", 172800), figure("rowCount", 172800)
    ('2 d', '172,800')
    """
    if metric in AGES and isinstance(thing, (int, float)) and not isinstance(thing, bool):
        return duration(thing)
    return value(thing)


def expectation(check: Check) -> str:
    """Return what a check expects, for example ``≤ 5 %``.

    >>> from nbops.model import Check
    >>> expectation(Check(id="x", dataset="d", metric="m", operator="mustBeBetween", expected=(1, 2000)))
    'between 1 and 2,000'
    >>> expectation(Check(id="x", dataset="d", metric="nullValues", operator="mustBeLessThan", expected=5, unit="percent"))
    '< 5 %'
    """
    unit = " %" if check.unit == "percent" else ""
    if check.operator is None:
        return "" if check.expected is None else f"{_expected(check.metric, check.expected)}{unit}"
    symbol = _SYMBOLS.get(check.operator) or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", check.operator).lower()
    return f"{symbol} {_expected(check.metric, check.expected)}{unit}"


def _expected(metric: str, expected: Any) -> str:
    if isinstance(expected, (list, tuple)) and len(expected) == 2:  # noqa: PLR2004  # the two ends of a range
        return f"{figure(metric, expected[0])} and {figure(metric, expected[1])}"
    return cut(figure(metric, expected), 300)


def observed(result: CheckResult) -> str:
    """Return what a check found, for example ``9.1 %`` or ``could not be measured``."""
    if result.verdict == "errored":
        return "could not be measured"
    if result.observed is None:
        return value(None) if result.failing_rows is None else plural(result.failing_rows, "row")
    unit = " %" if result.check.unit == "percent" and isinstance(result.observed, (int, float)) else ""
    return f"{cut(figure(result.check.metric, result.observed), 300)}{unit}"


def terms(definitions: Sequence[Definition]) -> tuple[tuple[str, str | None], ...]:
    """Return definitions as text and address; the address only where it leads to a web page.

    >>> from nbops.model import Definition
    >>> terms([Definition(url="javascript:alert(1)", type="tutorial"), Definition(url="https://a.example/x", type="term")])
    (('javascript:alert(1) (tutorial)', None), ('https://a.example/x (term)', 'https://a.example/x'))
    """
    return tuple(
        (f"{item.description or item.url} ({item.type})", item.url if _URL.match(item.url) else None) for item in definitions
    )

"""The check kinds that nbops brings: what each needs measured, and its verdict. Pure functions of records."""

from __future__ import annotations

import operator as operator_module
from typing import TYPE_CHECKING, Any

from nbops.model import Check, CheckResult, Measurement, MetricRequest, Verdict
from nbops.quality.sqltext import rounded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["ROW_COUNT", "Age", "Schema", "Threshold", "request_of"]

ROW_COUNT = MetricRequest(metric="rowCount")
_ROW_LEVEL = frozenset(["nullValues", "missingValues", "invalidValues", "duplicateValues", "rowRule", "references"])


def request_of(check: Check) -> MetricRequest:
    """Return the measurement that most checks need: their own metric on their own column."""
    return MetricRequest(metric=check.metric, column=check.column, arguments=check.arguments)


class Threshold:
    """A number (of an SQL rule, any value) compared with an operator of the standard."""

    def requests(self, check: Check) -> tuple[MetricRequest, ...]:
        """The check's own metric; for percentages the number of rows too."""
        own = request_of(check)
        return (own, ROW_COUNT) if check.unit == "percent" else (own,)

    def judge(self, check: Check, measurements: Mapping[MetricRequest, Measurement]) -> CheckResult:
        """Compare; what was not measured is ``errored``."""
        taken = measurements.get(request_of(check))
        if taken is None or taken.error is not None or taken.value is None:
            return _errored(check, taken)
        observed: Any = taken.value
        rows = int(observed) if check.metric in _ROW_LEVEL else None
        if check.unit == "percent":
            total = measurements.get(ROW_COUNT)
            if total is None or total.error is not None or not isinstance(total.value, int):
                return _errored(check, total)
            observed = 100 * observed / total.value if total.value else 0.0
        passed = _compare(check.operator or "mustBe", observed, check.expected)
        if passed is None:
            return CheckResult(
                check=check,
                verdict="errored",
                observed=observed,
                message=f"The query returned text, but {check.operator} needs a number.",
            )
        shown = rounded(observed) if isinstance(observed, float) else observed
        found = f"{_number(shown)}{' %' if check.unit == 'percent' else ''}"
        message = f"{_subject(check)}: {found}; expected {_expectation(check)}."
        return CheckResult(
            check=check, verdict=_verdict(check, passed=passed), observed=shown, message=message, failing_rows=rows
        )


class Age:
    """Seconds between the run's start and the newest (freshness) or oldest (retention) value of a timestamp column."""

    def requests(self, check: Check) -> tuple[MetricRequest, ...]:
        """The age in seconds."""
        return (request_of(check),)

    def judge(self, check: Check, measurements: Mapping[MetricRequest, Measurement]) -> CheckResult:
        """Compare ages."""
        taken = measurements.get(request_of(check))
        if taken is None or taken.error is not None or not isinstance(taken.value, int | float):
            return _errored(check, taken)
        passed = bool(_compare(check.operator or "mustBeLessOrEqualTo", taken.value, check.expected))
        which = "newest" if check.metric == "freshness" else "oldest"
        message = f"The {which} {check.column} is {_span(taken.value)} old; expected at most {_span(check.expected)}."
        return CheckResult(check=check, verdict=_verdict(check, passed=passed), observed=taken.value, message=message)


class Schema:
    """Columns that the contract names are there and of its types."""

    def requests(self, check: Check) -> tuple[MetricRequest, ...]:
        """The list of differences, as text; empty for none."""
        return (request_of(check),)

    def judge(self, check: Check, measurements: Mapping[MetricRequest, Measurement]) -> CheckResult:
        """No difference passes."""
        taken = measurements.get(request_of(check))
        if taken is None or taken.error is not None or not isinstance(taken.value, str):
            return _errored(check, taken)
        differences = [line for line in taken.value.split("\n") if line]
        shown = "; ".join(differences[:10]) + (f"; and {len(differences) - 10} more" if len(differences) > 10 else "")  # noqa: PLR2004
        message = f"{shown}." if differences else "All columns are there, with the types of the contract."
        return CheckResult(
            check=check, verdict=_verdict(check, passed=not differences), observed=len(differences), message=message
        )


def _errored(check: Check, taken: Measurement | None) -> CheckResult:
    reason = "it was not measured" if taken is None else taken.error or "it has no value"
    return CheckResult(check=check, verdict="errored", message=f"Could not be measured: {reason.rstrip('.')}.")


def _verdict(check: Check, *, passed: bool) -> Verdict:
    return "passed" if passed else "failed" if check.severity == "error" else "warned"


_ORDERINGS: Mapping[str, Callable[[Any, Any], Any]] = {
    "mustBeGreaterThan": operator_module.gt,
    "mustBeGreaterOrEqualTo": operator_module.ge,
    "mustBeLessThan": operator_module.lt,
    "mustBeLessOrEqualTo": operator_module.le,
}


def _compare(operator: str, observed: Any, expected: Any) -> bool | None:
    """Return whether a value meets an operator; ``None`` where text meets a number's operator. The bounds count as between."""
    if operator in {"mustBe", "mustNotBe"}:
        return bool(observed == expected) is (operator == "mustBe")
    if isinstance(observed, str | bool):
        return None
    if operator in {"mustBeBetween", "mustNotBeBetween"}:
        low, high = expected
        return bool(low <= observed <= high) is (operator == "mustBeBetween")
    if observed != observed:  # noqa: PLR0124 - NaN meets nothing
        return False
    return bool(_ORDERINGS[operator](observed, expected))


_WORDS = {
    "mustBe": "{}",
    "mustNotBe": "anything but {}",
    "mustBeGreaterThan": "more than {}",
    "mustBeGreaterOrEqualTo": "at least {}",
    "mustBeLessThan": "less than {}",
    "mustBeLessOrEqualTo": "at most {}",
    "mustBeBetween": "{} to {}",
    "mustNotBeBetween": "nothing from {} to {}",
}


def _expectation(check: Check) -> str:
    values = check.expected if isinstance(check.expected, tuple) else (check.expected,)
    words = _WORDS[check.operator or "mustBe"].format(*(_number(value) for value in values))
    return f"{words} %" if check.unit == "percent" else words


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        text = str(value)
        return text if len(text) <= 100 else text[:99] + "…"  # noqa: PLR2004
    return f"{value:,}"


def _subject(check: Check) -> str:
    arguments = dict(check.arguments)
    column = check.column or ""
    words: dict[str, Callable[[], str]] = {
        "nullValues": lambda: f"Rows without a value in {column}",
        "missingValues": lambda: f"Rows with a missing value in {column}",
        "invalidValues": lambda: f"Rows with an invalid value in {column} ({_listed(arguments)})",
        "duplicateValues": lambda: (
            f"Rows that repeat an earlier one in {_short(arguments.get('properties') or column or 'all columns')}"
        ),
        "references": lambda: f"Rows whose {_short(arguments['columns'])} is not in {arguments['dataset']}",
        "rowRule": lambda: f"Rows that break {_short(arguments['expression'])}",
        "rowCount": lambda: "Rows",
    }
    return words.get(check.metric, lambda: "Result of the query")()


def _listed(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {_short(value)}" for key, value in sorted(arguments.items()))


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    text = " ".join(text.split())
    return text if len(text) <= 80 else text[:79] + "…"  # noqa: PLR2004


def _span(seconds: float) -> str:
    """Return a duration in words of one unit.

    >>> _span(172_800), _span(5_400), _span(59)
    ('2 days', '1.5 hours', '59 seconds')
    """
    for size, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if abs(seconds) >= size:
            return _counted(seconds / size, name)
    return _counted(seconds, "seconds")


def _counted(amount: float, name: str) -> str:
    text = f"{round(amount, 1):,}".removesuffix(".0")
    return f"{text} {name.removesuffix('s') if text == '1' else name}"

"""How old data is: when it was made, and the age of its newest row where that is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbops.pages.text import duration
from nbops.pages.words import expectation, rank

if TYPE_CHECKING:
    from nbops.model import CheckResult, Dataset, Measurement, Run

__all__ = ["FreshRow", "freshness_rows", "made_at"]

_STAMP = 16  # characters of an id that tell when: 20261122T194156Z


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshRow:
    """A dataset of which the age is known or promised."""

    dataset: str
    owner: str
    age: str
    column: str
    expected: str
    verdict: str


def made_at(run: Run, item: Dataset) -> str:
    """Return the instant of the run in which a dataset's task last made it, as ISO 8601."""
    task = next((task for task in run.tasks if task.name == item.task), None)
    made = task.last_success if task is not None and task.status != "succeeded" else run.id
    return moment_of(made or item.from_run or run.id)


def moment_of(run_id: str) -> str:
    """Return the instant that a run's id begins with, empty when it begins with none.

    >>> moment_of("20261122T194156Z-1f0c9a"), moment_of("x")
    ('2026-11-22T19:41:56Z', '')
    """
    text = run_id[:_STAMP]
    if len(text) < _STAMP or not (text[:8] + text[9:15]).isdigit():
        return ""
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[9:11]}:{text[11:13]}:{text[13:15]}Z"


def freshness_rows(run: Run) -> tuple[FreshRow, ...]:
    """Return the datasets whose age a check limits or a measurement tells, the worst first."""
    owners = {item.name: item.owner or "" for item in run.datasets}
    rows = [_checked(result, owners) for result in run.checks if result.check.metric == "freshness"]
    told = {row.dataset for row in rows}
    for item in run.datasets:
        ages = [one for one in item.measurements if one.metric == "freshness" and isinstance(one.value, (int, float))]
        if item.name not in told:
            rows += [_measured(item, one) for one in ages]
    return tuple(sorted(rows, key=lambda row: (rank(row.verdict) if row.verdict else 99, row.dataset, row.column)))


def _measured(item: Dataset, one: Measurement) -> FreshRow:
    age = duration(float(one.value)) if isinstance(one.value, (int, float)) else ""
    return FreshRow(dataset=item.name, owner=item.owner or "", age=age, column=one.column or "", expected="", verdict="")


def _checked(result: CheckResult, owners: dict[str, str]) -> FreshRow:
    age = result.observed
    known = isinstance(age, (int, float)) and not isinstance(age, bool)
    return FreshRow(
        dataset=result.check.dataset,
        owner=owners.get(result.check.dataset, ""),
        age=duration(float(age)) if known and age is not None else "not known",
        column=result.check.column or "",
        expected=expectation(result.check),
        verdict=result.verdict,
    )

"""A dataset's quality as one number, and how it comes about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nbops.model import CheckResult

__all__ = ["SCORE_WORDS", "Score", "score_of"]

_WEIGHTS = {"error": 3, "warn": 1}

SCORE_WORDS = (
    "The quality score is the share of a dataset's checks that passed, where a check of severity error counts three times as "
    "much as one that only warns. What could not be measured counts as not passed; what was skipped does not count. Without a "
    "check there is no score."
)
"""How the score is computed, for readers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """``percent`` is a whole number from 0 to 100, rounded down so that only a dataset without any objection has 100."""

    percent: int
    passed: int
    judged: int


def score_of(results: Iterable[CheckResult]) -> Score | None:
    """Return the quality score of a dataset: passed weight over all weight, in percent; see :data:`SCORE_WORDS`.

    Args:
        results: The results of its checks.

    Returns:
        None when no check was judged: nothing is good because it was not looked at.
    """
    reached = total = passed = judged = 0
    for result in results:
        if result.verdict == "skipped":
            continue
        weight = _WEIGHTS.get(result.check.severity, _WEIGHTS["error"])
        total, judged = total + weight, judged + 1
        if result.verdict == "passed":
            reached, passed = reached + weight, passed + 1
    return Score(percent=100 * reached // total, passed=passed, judged=judged) if total else None

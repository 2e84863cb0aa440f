"""Rules of a dataset, each once, with all that judged it: nbops what is published, notebooks what they have in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbops.pages.words import label, observed, rank
from nbops.quality.notes import NOTED, noted_by

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nbops.model import CheckResult

__all__ = ["Judgement", "Rule", "by_rule"]

_OF_NOTEBOOK = "notebook."
"""How ``nbops.check`` begins the id of a contract's rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What one look at a rule found."""

    task: str | None
    """The task whose code looked, while it ran; None: nbops looked at what is published."""
    result: CheckResult
    agrees: bool
    """Whether verdict and observation are those of the rule's worst judgement."""

    @property
    def said(self) -> str:
        """Verdict and observation in words, for example ``passed, 0``."""
        verdict = self.result.verdict
        word = label(verdict).lower()
        return word if verdict in {"skipped", "errored"} else f"{word}, {observed(self.result)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule; the worst judgement speaks for it."""

    result: CheckResult
    """The worst judgement; nbops' own where others are as bad."""
    id: str
    """The check's id, without what says that a notebook made it."""
    declared: str
    """Where it is written down."""
    judged: tuple[Judgement, ...]
    """All of them: nbops' own first, then by task."""

    @property
    def seen(self) -> CheckResult:
        """The result whose course over runs is told: of what is published, where it is judged at all."""
        return self.judged[0].result


def by_rule(results: Iterable[CheckResult]) -> tuple[Rule, ...]:
    """Return rules, worst first; within a verdict in the order of the results.

    Two results are of the same rule when they ask the same thing under the same name: a contract that was changed since the
    notebook ran may ask another thing by then.

    Args:
        results: Of one dataset or of several.
    """
    found: dict[tuple[Any, ...], list[CheckResult]] = {}
    for result in results:
        found.setdefault(_key(result), []).append(result)
    return tuple(sorted(map(_rule, found.values()), key=lambda rule: rank(rule.result.verdict)))


def _key(result: CheckResult) -> tuple[Any, ...]:
    check = result.check
    asked = (
        check.dataset,
        check.metric,
        check.column,
        repr(check.arguments),
        check.operator,
        repr(check.expected),
        check.unit,
        check.severity,
    )
    return (_plain_id(result), *asked)


def _plain_id(result: CheckResult) -> str:
    check = result.check
    declared = noted_by(result) is None or check.metric == "expectation"  # an expectation is of the notebook alone
    return check.id if declared else check.id.removeprefix(_OF_NOTEBOOK)


def _rule(results: list[CheckResult]) -> Rule:
    ordered = sorted(results, key=lambda result: noted_by(result) or "")
    worst = min(ordered, key=lambda result: rank(result.verdict))
    return Rule(
        result=worst,
        id=_plain_id(worst),
        declared=_declared(ordered[0]),
        judged=tuple(
            Judgement(
                task=noted_by(result),
                result=result,
                agrees=(result.verdict, result.observed) == (worst.verdict, worst.observed),
            )
            for result in ordered
        ),
    )


def _declared(result: CheckResult) -> str:
    """Return where a rule is written down: a notebook that checks by a contract is not the place."""
    origin = result.check.origin
    task, _, place = origin.removeprefix(NOTED).partition(" | ") if noted_by(result) is not None else ("", "", origin)
    return place if place != "notebook" or not task else f"{NOTED}{task}"

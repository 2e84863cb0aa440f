"""Checks of two runs: which fail now, which are mended, came, went, or ask something else."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from nbops.history.comparison import Change
from nbops.quality.notes import NOTED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nbops.model import Check, CheckResult, Run

__all__ = ["check_changes"]

_ORDER = {"passed": 0, "skipped": 0, "warned": 1, "errored": 2, "failed": 3}
_Key = tuple[str, str]
_RULE = ("metric", "column", "arguments", "operator", "expected", "unit", "severity", "quarantine")
_AGES = frozenset({"freshness", "retention"})
"""What they observe differs between any two runs."""
_UNDONE = frozenset({"failed", "held", "interrupted", "not_selected"})


def check_changes(before: Run, after: Run) -> Iterator[Change]:
    """Yield what differs in the checks of two runs."""
    old, new = _by_key(before), _by_key(after)
    gone = {item.name for item in before.datasets} - {item.name for item in after.datasets}
    undone = tuple(f"{NOTED}{task.name} " for task in after.tasks if task.status in _UNDONE)
    for key in sorted(new.keys() - old.keys()):
        yield _added(new[key])
    for key in sorted(old.keys() - new.keys()):
        if key[0] not in gone and not f"{old[key].check.origin} ".startswith(undone):  # where data is missing, that says it
            yield _removed(old[key])
    for key in sorted(old.keys() & new.keys()):
        yield from _both(old[key], new[key])


def _by_key(run: Run) -> Mapping[_Key, CheckResult]:
    return {(result.check.dataset, result.check.id): result for result in run.checks}


def _subject(check: Check) -> str:
    return f"{check.dataset}: {check.id}" if check.dataset else check.id


def _made(result: CheckResult, **more: Any) -> Change:
    check = result.check
    return Change(area="checks", subject=_subject(check), dataset=check.dataset or None, column=check.column, **more)


def _weight_of(result: CheckResult) -> float:
    severe = result.check.severity == "error"
    return {"failed": 95.0 if severe else 80.0, "errored": 93.0 if severe else 78.0, "warned": 76.0}.get(result.verdict, 30.0)


def _added(result: CheckResult) -> Change:
    said = "is new" if result.verdict in {"passed", "skipped"} else f"is new, and {result.verdict}"
    return _made(result, kind="added", text=said, after=result.verdict, weight=_weight_of(result))


def _removed(result: CheckResult) -> Change:
    return _made(result, kind="removed", text="is not checked any more", before=result.verdict, weight=70.0)


def _both(old: CheckResult, new: CheckResult) -> Iterator[Change]:
    if _ORDER[old.verdict] != _ORDER[new.verdict]:
        worse = _ORDER[new.verdict] > _ORDER[old.verdict]
        yield _made(
            new,
            kind="worse" if worse else "better",
            text=f"was {old.verdict}, is {new.verdict}{_seen(old, new)}",
            before=old.verdict,
            after=new.verdict,
            weight=_weight_of(new) if worse else 50.0,
        )
    changed = [name for name in _RULE if getattr(old.check, name) != getattr(new.check, name)]
    if changed:
        yield _made(
            new,
            kind="rule",
            text=f"asks something else ({', '.join(changed)})",
            before=_rule(old.check, changed),
            after=_rule(new.check, changed),
            weight=68.0,
        )
    elif _ORDER[old.verdict] == _ORDER[new.verdict] and new.check.metric not in _AGES:
        yield from _observed(old, new)


def _rule(check: Check, names: list[str]) -> dict[str, Any]:
    return {name: getattr(check, name) for name in names}


def _seen(old: CheckResult, new: CheckResult) -> str:
    if old.observed is None or new.observed is None or old.observed == new.observed:
        return ""
    return f": {_value(old)} before, {_value(new)} now"


def _value(result: CheckResult) -> str:
    unit = " %" if result.check.unit == "percent" and _is_number(result.observed) else ""
    return f"{_written(result.observed)}{unit}"


def _observed(old: CheckResult, new: CheckResult) -> Iterator[Change]:
    """Tell of what a check observed within its verdict; the rows that break it where that is all there is."""
    was, now = (old.observed, new.observed) if old.observed != new.observed else (old.failing_rows, new.failing_rows)
    if was == now or was is None or now is None or new.check.metric == "rowCount":  # of rows the dataset tells
        return
    label = "observes" if old.observed != new.observed else "is broken by"
    rows = "" if label == "observes" else " rows"
    unit = " %" if new.check.unit == "percent" and not rows else ""
    yield _made(
        new,
        kind="observed",
        text=f"{label} {_written(now)}{unit}{rows}, {_written(was)}{unit} before",
        before=was,
        after=now,
        weight=10.0 + 25.0 * _distance(was, now),
    )


def _written(thing: Any) -> str:
    if isinstance(thing, float):
        return f"{thing:,.3g}" if abs(thing) < 1_000 else f"{thing:,.0f}"  # noqa: PLR2004 - from here decimals tell nothing
    return f"{thing:,}" if _is_number(thing) else str(thing)[:60]


def _is_number(thing: Any) -> bool:
    return isinstance(thing, (int, float)) and not isinstance(thing, bool)


def _distance(was: Any, now: Any) -> float:
    """Return how far two observations are apart, from 0 to 1: the difference as a part of the larger."""
    if not (_is_number(was) and _is_number(now)):
        return 1.0
    try:
        largest = max(abs(was), abs(now))
        apart = abs(now - was) / largest if largest else 0.0
    except OverflowError:
        return 1.0
    return min(1.0, apart) if math.isfinite(apart) else 1.0

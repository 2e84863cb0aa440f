"""The first run and commit for which something does not hold of a measurement.

Ledgers tell; commits are built again, elsewhere, only where no run measured them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbops.errors import LedgerError, NbopsError, UnknownTarget
from nbops.history.index import open_history
from nbops.model import Cause, Incident, IncidentFinding, Run
from nbops.record.git import GitError
from nbops.record.repository import open_repository
from nbops.record.store import read_run
from nbops.workflow.blame import known_measures
from nbops.workflow.causes import causes_for, commits_between
from nbops.workflow.expression import Condition, parse_condition, value_in
from nbops.workflow.rebuild_at import inputs_of, rebuild

if TYPE_CHECKING:
    from pathlib import Path

    from nbops.contract.config import Config
    from nbops.history.causes import CommitOf
    from nbops.history.index import History

__all__ = ["Bisected", "Step", "bisect"]

_MOST_RUNS = 1_000
_MOST_READ = 100
"""Ledgers that are read for runs of which the history has no number: a day that was built again has one only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A value that was looked at."""

    run: str | None
    commit: str | None
    value: float | None
    """None where nothing was measured."""
    good: bool | None
    rebuilt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bisected:
    """What was found."""

    condition: Condition
    good: Step
    """The last run for which it held."""
    bad: Step
    """The first run after it for which it did not."""
    commit: CommitOf | None = None
    """The first bad commit; None when it is no single one."""
    range: tuple[CommitOf, ...] = ()
    """Commits of which one may be it, where they were not told apart."""
    causes: tuple[Cause, ...] = ()
    steps: tuple[Step, ...] = ()
    note: str = ""


def bisect(
    root: Path,
    config: Config,
    text: str,
    *,
    good: str | None = None,
    bad: str | None = None,
    build: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> Bisected:
    """Find the first bad run and commit.

    Args:
        root: The project's root.
        config: The project's settings.
        text: What holds while all is well: ``orders.amount.null_rate < 0.02``.
        good: The id of a run for which it holds; else the last one before the bad run.
        bad: The id of a run for which it does not; else the latest that measured it.
        build: Build commits again, elsewhere, that no run measured.
        say: Told what is done while it is done.

    Raises:
        UnknownTarget: The condition cannot be read; or there is no run for which it holds, or none for which it does not.
        LedgerError: A named run is not there.
    """
    with open_history(root / config.reports, root / ".nbops/cache") as history:
        history.sync()
        condition = parse_condition(text, known_measures(history))
        steps = _measured(history, root, config, condition)
    first, last = _edge(steps, condition, good=good, bad=bad)
    before, after = (read_run(root / config.reports, one.run or "") for one in (first, last))
    commits = _commits(root, config, first, last)
    found = Bisected(
        condition=condition, good=first, bad=last, range=commits, causes=_causes(root, config, condition, before, after)
    )
    if not commits:
        return _replaced(found, note="no commit lies between the two runs: what changed is not in git")
    if len(commits) == 1:
        return _replaced(found, commit=commits[0])
    if not build:
        return _replaced(found, note="no run measured the commits between; without --no-build they are built again")
    try:
        return _search(root, config, found, after, say)
    except NbopsError as error:
        return _replaced(found, note=f"the commits between cannot be built again: {error}")


def _replaced(found: Bisected, **more: object) -> Bisected:
    from dataclasses import replace  # noqa: PLC0415 - typed loosely here only

    return replace(found, **more)  # type: ignore[arg-type]


def _measured(history: History, root: Path, config: Config, condition: Condition) -> list[Step]:
    """Return every run that has the number, in the order in which they were recorded."""
    measure = condition.measure
    points = history.points(f"dataset:{measure.dataset}", measure.column, measure.metric, limit=_MOST_RUNS)
    values = {point.run: point.value for point in points}
    runs = history.runs(limit=_MOST_RUNS)
    missing = [entry.id for entry in runs if entry.id not in values and entry.status != "running"][-_MOST_READ:]
    for run_id in missing:
        try:
            value = value_in(read_run(root / config.reports, run_id), measure)
        except LedgerError:
            continue
        if value is not None:
            values[run_id] = value
    return [
        Step(run=entry.id, commit=entry.commit, value=values[entry.id], good=condition.holds(values[entry.id]))
        for entry in runs
        if entry.id in values
    ]


def _edge(steps: Sequence[Step], condition: Condition, *, good: str | None, bad: str | None) -> tuple[Step, Step]:
    """Return the last good run and the first bad one after it."""
    if not steps:
        raise UnknownTarget(f"{condition.measure}: no run measured it.")
    places = {step.run: place for place, step in enumerate(steps)}
    for name in (good, bad):
        if name is not None and name not in places:
            raise UnknownTarget(f"run {name}: did not measure {condition.measure}. `nbops runs` lists runs.")
    last = places[bad] if bad is not None else max((p for p, s in enumerate(steps) if not s.good), default=None)
    if last is None:
        raise UnknownTarget(f"{condition}: holds in all {len(steps)} runs that measured it; there is nothing to find.")
    if steps[last].good:
        raise UnknownTarget(f"run {bad}: {condition} holds there ({steps[last].value:g}). Name a run for which it does not.")
    first = places[good] if good is not None else max((p for p in range(last) if steps[p].good), default=None)
    if first is None:
        raise UnknownTarget(f"{condition}: holds in no run before {steps[last].run}; the oldest that measured it is bad already.")
    if not steps[first].good or first > last:
        raise UnknownTarget(f"run {good}: {condition} does not hold there, or it comes after the bad run. Name another.")
    while any(step.good for step in steps[first + 1 : last]):  # the first change of many, seen from the good run
        last = next(p for p in range(first + 1, last + 1) if not steps[p].good)
        first = max(p for p in range(last) if steps[p].good)
    return steps[first], steps[next(p for p in range(first + 1, last + 1) if not steps[p].good)]


def _commits(root: Path, config: Config, first: Step, last: Step) -> tuple[CommitOf, ...]:
    if not first.commit or not last.commit or first.commit == last.commit:
        return ()
    try:
        return commits_between(open_repository(root), first.commit, last.commit, reports=config.reports)
    except GitError:
        return ()


def _causes(root: Path, config: Config, condition: Condition, before: Run, after: Run) -> tuple[Cause, ...]:
    measure = condition.measure
    finding = IncidentFinding(
        key=f"monitor:{measure.metric}:dataset:{measure.dataset}:{measure.metric}",
        kind="monitor",
        subject=f"dataset:{measure.dataset}",
        column=measure.column,
    )
    incident = Incident(
        id="", title="", state="open", severity="warn", root="", opened_run=after.id, opened_at="", findings=(finding,)
    )
    return causes_for(root, config, incident, after, before, rows=False)


def _search(root: Path, config: Config, found: Bisected, after: Run, say: Callable[[str], None]) -> Bisected:
    """Build commits again on the inputs of the bad run, halving what is left."""
    inputs, condition = inputs_of(after), found.condition
    task = next((item.task for item in after.datasets if item.name == condition.measure.dataset), None)
    steps: list[Step] = []

    def is_good(commit: str, words: str) -> bool | None:
        say(f"building {commit[:10]} elsewhere: {words}")
        run = rebuild(root, config, code=commit, inputs=inputs, task=task).run
        value = value_in(run, condition.measure)
        good = condition.holds(value) if value is not None else None
        steps.append(Step(run=None, commit=commit, value=value, good=good, rebuilt=True))
        say(
            f"  {condition.measure} = {value:g}: {'good' if good else 'bad'}" if value is not None else "  it made no such number"
        )
        return good

    start = found.good.commit or ""
    if is_good(start, "the last good code on the inputs and parameters of the bad run") is False:
        note = "the last good code is bad too on the inputs and parameters of the bad run: no commit of code did it"
        return _replaced(found, steps=tuple(steps), note=note)
    low, high = -1, len(found.range) - 1  # before the first commit it is good, after the last it is bad
    skipped: set[int] = set()
    while high - low > 1:
        left = [place for place in range(low + 1, high) if place not in skipped]
        if not left:
            break
        middle = left[len(left) // 2]
        good = is_good(found.range[middle].commit, found.range[middle].subject)
        if good is None:
            skipped.add(middle)
        elif good:
            low = middle
        else:
            high = middle
    rest = found.range[low + 1 : high + 1]
    if len(rest) > 1:
        note = "the others of these commits could not be told apart: their builds made no such number"
        return _replaced(found, steps=tuple(steps), range=rest, note=note)
    return _replaced(found, steps=tuple(steps), range=rest, commit=rest[0])

"""Whether a dataset came: new content where there is new content as a rule.

A run whose data is what it was before says nothing new. Of runs that are for a day, how often that is ordinary is learned for
each weekday: a shop that is closed on Saturdays brings nothing then. The chance that there is nothing new is estimated with one
imagined success and failure (Laplace's rule of succession), which is also how long the monitor learns. Of runs by the clock the
rhythm is learned from when they began (:mod:`nbops.history.monitors.rhythm`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbops.history.expected import day_of
from nbops.history.monitors.rhythm_words import rhythm_in_words, span_in_words
from nbops.model import Anomaly, Expected

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nbops.contract.config_monitoring import Monitoring
    from nbops.history.index import DatasetEntry
    from nbops.history.monitors.rhythm import Looks
    from nbops.model import Dataset, Run

__all__ = ["judge_arrival", "judge_rhythm"]

_LEARN, _LEARN_DAY = 10, 4
_CHANCE = 0.12
_NAMES = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


def judge_arrival(
    run: Run, dataset: Dataset, entries: Sequence[DatasetEntry], *, settings: Monitoring
) -> tuple[tuple[Anomaly, ...], bool]:
    """Judge whether there should be something new in a run that is for a day.

    Args:
        run: The run.
        dataset: As it saw it.
        entries: As earlier runs saw it, the oldest first.
        settings: Days on which nothing is expected are among them.

    Returns:
        What was found, and whether there is too little history yet.
    """
    day = day_of(run.logical_date)
    if day is None or day.isoformat() in settings.holidays:
        return (), day is None
    same = [item for item in entries if item.at.weekday() == day.weekday()]
    if len(entries) < _LEARN:
        return (), True
    content = dataset.content_hash
    twin = next((item for item in reversed(entries) if content is not None and item.content_hash == content), None)
    stale = not dataset.changed or dataset.from_run is not None or (twin is not None and bool(dataset.rows))
    if not stale:
        return (), False
    chosen, name = (same, _NAMES[day.weekday()]) if len(same) >= _LEARN_DAY else (entries, "runs")
    idle = _idle(entries)
    quiet = sum(item.run in idle for item in chosen)
    chance = (quiet + 1) / (len(chosen) + 2)
    often = (sum(item.run in idle for item in entries) + 1) / (len(entries) + 2)
    if (chance > _CHANCE and chosen is not same) or (chosen is same and (quiet > 0 or often > 2 * _CHANCE)):
        return (), False
    since = twin.run if twin is not None else (dataset.from_run or entries[-1].run)
    basis = f"{len(chosen) - quiet} of the {len(chosen)} {name} before brought something new"
    found = Anomaly(
        monitor="freshness",
        subject=f"dataset:{dataset.name}",
        metric="interval",
        observed="unchanged",
        expected=Expected(method="arrival", points=len(chosen), basis=basis),
        score=_CHANCE * 2 / max(chance, 1e-9) if chance < _CHANCE * 2 else 1.0,
        message=f"Nothing new came: the content of {dataset.name} is that of run {since}, and {basis}.",
    )
    return (found,), False


def judge_rhythm(
    run: Run,
    dataset: Dataset,
    looks: Looks,
    *,
    settings: Monitoring,
    exempt: Callable[[float], bool],
) -> tuple[tuple[Anomaly, ...], bool]:
    """Judge whether there should be something new in a run by the clock, which is for no day.

    A run whose task failed, or was not to run, did not look: it says nothing, since what is above it says so.

    Args:
        run: The run.
        dataset: As it saw it.
        looks: The runs that looked at it and what they saw, this one the last.
        settings: How sensitive it is.
        exempt: Tells of an earlier instant, in seconds since 1970, whether nothing was expected there.

    Returns:
        What was found, and whether there is too little history yet.
    """
    status = next((task.status for task in run.tasks if task.name == dataset.task), "succeeded")
    if status not in {"succeeded", "up_to_date"} or looks.runs[-1:] != (run.id,):
        return (), not looks.runs
    if run.started_at[:10] in settings.holidays:
        return (), False
    late = looks.late(sensitivity=settings.sensitivity_of(dataset.name) or "normal", exempt=exempt)
    if late is None:
        return (), looks.to_learn() > 0
    words = rhythm_in_words(looks)
    weeks = f"in {late.came} of {late.known} earlier weeks something came in the same span"
    basis = f"{words}; {weeks}" if late.known else f"{words}; at the longest {span_in_words(late.within / 1.1)} apart so far"
    since, what = looks.runs[looks.last], "the newest time" if looks.remade else "the content"
    found = Anomaly(
        monitor="freshness",
        subject=f"dataset:{dataset.name}",
        metric="interval",
        observed=round(late.age),
        expected=Expected(high=round(late.within), method="arrival rhythm", points=late.known or len(looks.gaps), basis=basis),
        score=round(max(1.0, late.age / max(late.within, 1.0)), 3),
        message=f"Nothing new came: {what} of {dataset.name} is that of run {since}. As a rule {words}; "
        f"last new {span_in_words(late.age)} ago.",
    )
    return (found,), False


def _idle(entries: Sequence[DatasetEntry]) -> frozenset[str]:
    """Return the runs that brought nothing new."""
    found: list[str] = []
    seen: set[str | None] = set()
    for item in entries:
        content = item.content_hash
        if not item.changed or (content is not None and content in seen):
            found.append(item.run)
        seen.add(content)
    return frozenset(found)

"""Whether a dataset came: new content where there is new content as a rule, by the weekly rhythm and by the contract's SLA.

A run whose data is what it was before says nothing new. How often that is ordinary is learned for each weekday: a shop that is
closed on Saturdays brings nothing then. The chance that there is nothing new is estimated with one imagined success and failure
(Laplace's rule of succession), which is also how long the monitor learns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbops.history.expected import day_of
from nbops.model import Anomaly, Expected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbops.contract.config_monitoring import Monitoring
    from nbops.history.index import DatasetEntry
    from nbops.model import Dataset, Run

__all__ = ["judge_arrival"]

_LEARN, _LEARN_DAY = 10, 4
_CHANCE = 0.12
_NAMES = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


def judge_arrival(
    run: Run, dataset: Dataset, entries: Sequence[DatasetEntry], *, settings: Monitoring
) -> tuple[tuple[Anomaly, ...], bool]:
    """Judge whether there should be something new.

    Only runs that are for a date of their own are judged: who builds twice an hour expects nothing new each time.

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

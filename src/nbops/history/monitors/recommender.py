"""Recommendations: lists that do not change any more, and what a run after an odd one says of the version before it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nbops.model import Anomaly, Expected
from nbops.quality.recommender_names import RECOMMENDER_METRICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbops.history.index import DatasetEntry
    from nbops.history.monitors.numbers import Judged
    from nbops.history.side_by_side import Table
    from nbops.model import Dataset, Run

__all__ = ["are_lists", "judge_unchanged", "stale_lists", "unmeasured_lists", "without_echo"]

_LEARN = 14
"""Runs that must have changed something before one that did not is told: as series have to be there before they are judged."""
_TURNOVER = "turnover"
_OVERLAP = "overlapRate"
_SCORE = 2.0


def are_lists(dataset: Dataset) -> bool:
    """Tell whether a dataset was measured as recommendations."""
    return any(one.metric in RECOMMENDER_METRICS and one.column is None for one in dataset.measurements)


def unmeasured_lists(dataset: Dataset) -> dict[str, str]:
    """Return the monitors of recommendations that miss a measurement, and why."""
    return {
        RECOMMENDER_METRICS[one.metric]: one.error
        for one in dataset.measurements
        if one.metric in RECOMMENDER_METRICS and one.column is None and one.error is not None
    }


def _has_news(run: Run, dataset: Dataset) -> bool:
    """Tell whether any other data is new: without, there is no reason why lists should change."""
    return any(one.changed and one.from_run is None for one in run.datasets if one.name != dataset.name)


def judge_unchanged(run: Run, dataset: Dataset, entries: Sequence[DatasetEntry]) -> tuple[Anomaly, ...]:
    """Judge recommendations that were made anew and came out as they were, though other data is new.

    Args:
        run: The run.
        dataset: As it saw it.
        entries: As earlier runs saw it, the oldest first.
    """
    if dataset.changed or dataset.from_run is not None or not are_lists(dataset) or not _has_news(run, dataset):
        return ()
    if len(entries) < _LEARN or not all(entry.changed for entry in entries[1:]):
        return ()
    return (_stale(f"dataset:{dataset.name}", len(entries), entries[-1].run),)


def stale_lists(judged: Judged, run: Run) -> list[Anomaly]:
    """Return that all lists are what they were, where they changed in every run before and other data is new."""
    kind, _, name = judged.frame.subject.partition(":")
    dataset = next((one for one in run.datasets if kind == "dataset" and one.name == name), None)
    place = _place(judged, _OVERLAP)
    if dataset is None or place is None or not _has_news(run, dataset) or judged.frame.values[place, -1] != 1.0:
        return []
    past = [float(value) for value in judged.frame.values[place, :-1] if value == value]  # noqa: PLR0124 - not NaN
    if len(past) < _LEARN or max(past) == 1.0:
        return []
    return [_stale(judged.frame.subject, len(past), judged.frame.runs[-2])]


def _stale(subject: str, runs: int, before: str) -> Anomaly:
    return Anomaly(
        monitor=_TURNOVER,
        subject=subject,
        metric=_OVERLAP,
        observed=1.0,
        expected=Expected(method="turnover", points=runs, basis=f"lists changed in each of the {runs} runs before"),
        score=_SCORE,
        message=(
            f"{subject.partition(':')[2]}: all lists are those of run {before}, though other data is new and they changed in "
            f"each of the {runs} runs before: the model may not have been trained anew."
        ),
    )


def without_echo(judged: Judged, table: Table) -> Judged:
    """Return what was judged, without what the last run says of an odd version before it.

    Lists that are right again differ from a version that was out of the ordinary as much as that did from the one before it,
    and from one that had not changed by what two runs are apart.

    Args:
        judged: All series of a subject.
        table: The runs before, those among them that brought nothing new.
    """
    numbers = [n for n, (column, metric) in enumerate(judged.frame.keys) if column is None and metric in RECOMMENDER_METRICS]
    turnover = [n for n in numbers if RECOMMENDER_METRICS[judged.frame.keys[n][1]] == _TURNOVER]
    if not turnover or judged.scores.shape[1] < 2:  # noqa: PLR2004 - no run before
        return judged
    if not _was_unchanged(table) and not any(_was_odd(judged, n) for n in numbers):
        return judged
    scores = judged.scores.copy()
    scores[turnover, -1] = float("nan")
    return replace(judged, scores=scores)


def _was_unchanged(table: Table) -> bool:
    """Tell whether the run before measured what was there already."""
    measured = bool(table.runs) and any(value == value for value in table.values[:, -1])  # noqa: PLR0124 - not NaN
    return measured and not table.changed[-1]


def _was_odd(judged: Judged, number: int) -> bool:
    from nbops.history.monitors.numbers import sided  # noqa: PLC0415 - numpy, only when something is judged

    metric = judged.frame.keys[number][1]
    score, bound = float(judged.scores[number, -2]), float(judged.bounds[number, -2])
    return sided(metric, score) > bound or (metric == _OVERLAP and judged.frame.values[number, -2] == 1.0)


def _place(judged: Judged, metric: str) -> int | None:
    return next((n for n, key in enumerate(judged.frame.keys) if key == (None, metric)), None)

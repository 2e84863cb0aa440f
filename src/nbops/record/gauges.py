"""What a run is in numbers, for systems that collect metrics. Each adapter names them by its own system's conventions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbops.model import Incident, Run

__all__ = ["Gauge", "gauges_of", "instant", "is_success"]

_VERDICTS = ("passed", "warned", "failed", "errored", "skipped")
_SEVERITIES = ("warn", "error")
_OPEN = frozenset({"open", "acknowledged"})

_Samples = Iterable[tuple[Mapping[str, str], float | int | None]]


@dataclass(frozen=True, slots=True)
class Gauge:
    """A number that goes up and down, or a family of them told apart by labels."""

    name: str
    """Words with dots between, from the general to the special: ``run.duration``."""
    help: str
    unit: str
    """``seconds``, ``bytes``, or nothing for counts and yes/no."""
    samples: tuple[tuple[Mapping[str, str], float], ...]


def instant(text: str | None) -> float | None:
    """Return the seconds since 1970 of an instant of the ledger; None for one that is missing or none.

    >>> instant("2026-11-22T19:41:56Z"), instant("soon")
    (1795376516.0, None)
    """
    try:
        moment = datetime.fromisoformat((text or "").replace("Z", "+00:00"))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def is_success(run: Run) -> bool:
    """Return whether a run is one that nobody has to look at at once."""
    return run.status == "succeeded" and run.verdict in {"passed", "warned", "skipped"}


def gauges_of(run: Run, incidents: Iterable[Incident] = ()) -> tuple[Gauge, ...]:
    """Return the numbers of a run. Every sample has the label ``pipeline``; what is not known is left out.

    Args:
        run: As recorded.
        incidents: Those that are open after it.
    """
    makers = (*_of_run(run), *_of_tasks(run), *_of_datasets(run), *_of_findings(run, incidents))
    found = []
    for name, unit, text, samples in makers:
        kept: dict[tuple[tuple[str, str], ...], float] = {}
        for labels, value in samples:
            if value is not None and value == value and abs(value) != float("inf"):  # noqa: PLR0124 - not a number
                kept[tuple({"pipeline": run.pipeline, **labels}.items())] = float(value)
        if kept:
            found.append(Gauge(name, text, unit, tuple((dict(labels), value) for labels, value in kept.items())))
    return tuple(found)


_Made = tuple[str, str, str, _Samples]


def _of_run(run: Run) -> list[_Made]:
    ended = instant(run.finished_at) or instant(run.started_at)
    statuses = Counter(task.status for task in run.tasks)
    return [
        ("run.timestamp", "seconds", "When the last run ended, in seconds since 1970.", [({}, ended)]),
        ("run.duration", "seconds", "How long the last run took.", [({}, run.seconds)]),
        ("run.success", "", "1 when the last run succeeded and its checks passed or warned, else 0.", [({}, is_success(run))]),
        ("run.tasks", "", "Tasks of the last run, by status.", [({"status": word}, n) for word, n in sorted(statuses.items())]),
        ("run.quarantined_rows", "", "Rows that the last run set aside.", [({}, sum(item.rows for item in run.quarantine))]),
    ]


def _of_tasks(run: Run) -> list[_Made]:
    tasks = [task for task in run.tasks if task.attempts or task.status in {"succeeded", "failed"}]
    return [
        ("task.duration", "seconds", "How long the task took.", [({"task": task.name}, task.seconds) for task in tasks]),
        (
            "task.peak_memory",
            "bytes",
            "The most memory that the task held.",
            [({"task": task.name}, task.peak_memory_bytes) for task in tasks],
        ),
        (
            "task.success",
            "",
            "1 when the task succeeded, else 0. Tasks that did not run are left out.",
            [({"task": task.name}, task.status == "succeeded") for task in tasks],
        ),
    ]


def _of_datasets(run: Run) -> list[_Made]:
    ages = {
        dataset.name: min(
            (
                float(one.value)
                for one in dataset.measurements
                if one.metric == "freshness" and isinstance(one.value, int | float) and not isinstance(one.value, bool)
            ),
            default=None,
        )
        for dataset in run.datasets
    }
    named = [({"dataset": dataset.name}, dataset) for dataset in run.datasets]
    return [
        ("dataset.rows", "", "Rows of the dataset.", [(labels, dataset.rows) for labels, dataset in named]),
        ("dataset.size", "bytes", "Size of the dataset's files.", [(labels, dataset.bytes) for labels, dataset in named]),
        (
            "dataset.age",
            "seconds",
            "Age of the newest data at the last run, where a contract says which column tells it.",
            [(labels, ages[dataset.name]) for labels, dataset in named],
        ),
        (
            "dataset.published",
            "",
            "1 when the run's version is published, 0 when it was held back.",
            [(labels, dataset.published) for labels, dataset in named],
        ),
    ]


def _of_findings(run: Run, incidents: Iterable[Incident]) -> list[_Made]:
    checks = Counter((result.check.dataset, result.verdict) for result in run.checks)
    datasets = sorted({dataset for dataset, _ in checks})
    anomalies = Counter(item.severity for item in run.anomalies if item.accepted is None)
    opened = Counter(item.severity for item in incidents if item.state in _OPEN)
    return [
        (
            "checks",
            "",
            "Checks of the dataset in the last run, by verdict.",
            [({"dataset": name, "verdict": word}, checks[name, word]) for name in datasets for word in _VERDICTS],  # type: ignore[index]
        ),
        ("anomalies", "", "What monitors found out of the ordinary.", [({"severity": w}, anomalies[w]) for w in _SEVERITIES]),  # type: ignore[index]
        ("incidents.open", "", "Incidents that are open.", [({"severity": word}, opened[word]) for word in _SEVERITIES]),  # type: ignore[index]
    ]

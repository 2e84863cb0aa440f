"""Which run last moved a measurement, and what of that run did: from ledgers and git, nothing is run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbops.errors import LedgerError
from nbops.history.index import open_history
from nbops.model import Cause, Incident, IncidentFinding, Run
from nbops.record.store import read_run
from nbops.workflow.causes import causes_for
from nbops.workflow.expression import Measure, find_measure

if TYPE_CHECKING:
    from pathlib import Path

    from nbops.contract.config import Config
    from nbops.history.index import History, SeriesPoint

__all__ = ["Blamed", "asked", "blame", "known_measures"]

_MAIN = ("rowCount", "nullRate", "invalidRate", "distinctValues", "mean", "minimum", "maximum", "standardDeviation")
"""Of a column all of these are looked at unless one is named."""
_LEAST = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Blamed:
    """The last time that a measurement moved."""

    measure: Measure
    before: float | None
    """None when the run is the first that measured it."""
    after: float
    run: str
    run_before: str | None
    at: str
    commit: str | None
    author: str | None
    subject: str | None
    cause: Cause | None


def known_measures(history: History) -> list[Measure]:
    """Return every measure that the history has a series of."""
    return [
        Measure(dataset=subject.removeprefix("dataset:"), column=column, metric=metric)
        for subject in history.subjects()
        if subject.startswith("dataset:")
        for column, metric in history.series(subject, limit=2)
    ]


def blame(root: Path, config: Config, text: str, *, least: float = 0.0, most: int = 400) -> tuple[Blamed, ...]:
    """Return for each measurement that is meant which run last moved it.

    Args:
        root: The project's root.
        config: The project's settings.
        text: ``orders.amount``, ``orders.amount.mean``, ``orders.rows``, ``orders``.
        least: Moves by less than this part of the value are passed over; 0.05 is 5 %.
        most: Points that are looked at.

    Raises:
        UnknownTarget: Nothing that was measured is called so.
    """
    reports = root / config.reports
    with open_history(reports, root / ".nbops/cache") as history:
        history.sync()
        measures = asked(text, known_measures(history))
        found = []
        for measure in measures:
            points = history.points(f"dataset:{measure.dataset}", measure.column, measure.metric, limit=most)
            found.append((measure, *_last_move(points, least)))
    runs: dict[str, Run] = {}
    return tuple(_explained(root, config, measure, before, after, runs) for measure, before, after in found if after is not None)


def asked(text: str, known: Sequence[Measure]) -> tuple[Measure, ...]:
    """Return the measures that are meant; of a column or dataset the main ones."""
    found = find_measure(text, known, whole=False)
    main = [one for one in found if one.metric in _MAIN]
    return found if len(found) == 1 or not main else tuple(sorted(main, key=lambda one: _MAIN.index(one.metric)))


def _last_move(points: Sequence[SeriesPoint], least: float) -> tuple[SeriesPoint | None, SeriesPoint | None]:
    """Return the points before and at the last move; of a series that never moved none and the first."""
    for before, after in zip(reversed(points[:-1]), reversed(points[1:]), strict=True):
        scale = max(abs(before.value), abs(after.value))
        if not math.isclose(before.value, after.value, rel_tol=max(least, _LEAST), abs_tol=0.0) and scale:
            return before, after
    return None, (points[0] if points else None)


def _explained(  # noqa: PLR0917 - called once
    root: Path, config: Config, measure: Measure, before: SeriesPoint | None, after: SeriesPoint, runs: dict[str, Run]
) -> Blamed:
    new = _read(root, config, after.run, runs)
    old = _read(root, config, before.run, runs) if before is not None else None
    cause = _cause(root, config, measure, old, new) if old is not None and new is not None else None
    commit = cause.commit if cause is not None and cause.commit else (new.git.commit if new is not None and new.git else None)
    author, subject = _who(root, commit)
    return Blamed(
        measure=measure,
        before=before.value if before is not None else None,
        after=after.value,
        run=after.run,
        run_before=before.run if before is not None else None,
        at=new.started_at if new is not None else "",
        commit=commit,
        author=author,
        subject=subject,
        cause=cause,
    )


def _read(root: Path, config: Config, run_id: str, runs: dict[str, Run]) -> Run | None:
    if run_id not in runs:
        try:
            runs[run_id] = read_run(root / config.reports, run_id)
        except LedgerError:
            return None
    return runs[run_id]


def _cause(root: Path, config: Config, measure: Measure, old: Run, new: Run) -> Cause | None:
    finding = IncidentFinding(
        key=f"monitor:{measure.metric}:dataset:{measure.dataset}:{measure.metric}",
        kind="monitor",
        subject=f"dataset:{measure.dataset}",
        column=measure.column,
    )
    incident = Incident(
        id="", title="", state="open", severity="warn", root="", opened_run=new.id, opened_at=new.started_at, findings=(finding,)
    )
    found = causes_for(root, config, incident, new, old, rows=False)
    return found[0] if found else None


def _who(root: Path, commit: str | None) -> tuple[str | None, str | None]:
    """Return the author's name and the subject of a commit."""
    from nbops.record.git import Git, GitError  # noqa: PLC0415 - of use here only

    if commit is None:
        return None, None
    try:
        told = Git(folder=root).maybe("log", "-1", "--format=%an%x00%s", "--end-of-options", commit)
    except GitError:
        return None, None
    author, _, subject = (told or "").partition("\0")
    return (author[:80] or None), (subject[:120] or None)

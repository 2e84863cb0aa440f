"""Incidents brought up to a run, or made again from all ledgers; with the files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from nbops.errors import LedgerError
from nbops.history.accepted import is_accepted, last_accepted
from nbops.history.incidents.course import REOPENS_WITHIN, advance
from nbops.history.incidents.look import Before
from nbops.history.incidents.people import carried_out, is_of_people, peoples_events
from nbops.history.incidents.store import incident_path, load_incidents, to_text, write_incident
from nbops.record.store import loader, newest_ids, read_run, run_before, run_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from nbops.history.incidents.course import Change
    from nbops.model import Incident, IncidentEvent, Run

__all__ = ["Rebuilt", "Updated", "before_of", "rebuild", "update"]

_MOST = 50
"""Runs among which the last accepted one is looked for, as :mod:`nbops.history.accepted` does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """What a run did to the incidents."""

    changes: tuple[Change, ...]
    problems: tuple[str, ...]
    """Files that cannot be read, a sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What came of making incidents again."""

    incidents: tuple[Incident, ...]
    written: tuple[str, ...]
    """Ids of those whose files were written, since they were missing or other."""
    removed: tuple[str, ...]
    """Ids of those that no ledger shows."""
    problems: tuple[str, ...]


def before_of(reports: Path, run_id: str) -> Before:
    """Return the runs before a run, of ids as many as tell whether an incident is opened again."""
    return Before(
        ids=[*islice(newest_ids(reports, before=run_id), REOPENS_WITHIN)][::-1],
        previous=partial(run_before, reports, run_id),
        accepted=partial(last_accepted, reports, run_id),
    )


def update(reports: Path, run: Run, *, finish: Callable[[Change], Incident] | None = None, cache: Path | None = None) -> Updated:
    """Bring the incidents up to a run and write those that it changes. Call it while holding ``incidents_lock``.

    Args:
        reports: The project's ``reports`` folder.
        run: The run, as stored; its ledger is there.
        finish: Adds to an incident before it is written, such as its causes.
        cache: As for :func:`~nbops.history.incidents.store.load_incidents`.

    Raises:
        LedgerError: A file cannot be written.
    """
    before = before_of(reports, run.id)
    ids = before.ids
    since = ids[-REOPENS_WITHIN] if len(ids) >= REOPENS_WITHIN else None
    stored = load_incidents(reports, since=since, cache=cache)
    changes = []
    for change in advance(stored.found, run, before):
        done = replace(change, incident=finish(change)) if finish is not None else change
        if done.incident.id not in stored.damaged:
            write_incident(reports, done.incident)
            changes.append(done)
    return Updated(changes=tuple(changes), problems=stored.problems)


def rebuild(reports: Path) -> Rebuilt:
    """Make all incidents again from the ledgers; what people said stays, and so do causes that were found.

    Call it while holding ``incidents_lock``. Incidents of runs whose ledgers are gone or damaged stay as they are.

    Raises:
        LedgerError: A file cannot be written or removed.
    """
    stored = load_incidents(reports)
    pending = peoples_events(stored.found)
    known: dict[str, Incident] = {}
    previous: Run | None = None
    accepted: tuple[int, Run] | None = None
    seen: list[str] = []
    load = loader(reports)
    problems = list(stored.problems)
    every = run_ids(reports)
    read: set[str] = set()
    for number, run_id in enumerate(every):
        try:
            run = read_run(reports, run_id, load=load)
        except LedgerError as error:
            problems.append(str(error))
            seen.append(run_id)
            continue
        if run.status != "running":
            last = accepted[1] if accepted is not None and number - accepted[0] <= _MOST else None
            before = Before(ids=list(seen), previous=partial(_given, previous), accepted=partial(_given, last))
            known |= {change.incident.id: change.incident for change in advance(known.values(), run, before)}
            pending = _said(known, pending, run_id)
            previous = run
            accepted = (number, run) if is_accepted(run) else accepted
            read.add(run_id)
        seen.append(run_id)
    _said(known, pending, None)
    return _exchanged(reports, known, stored.found, read=read, damaged=stored.damaged, problems=problems)


def _given(run: Run | None) -> Run | None:
    return run


def _said(
    known: dict[str, Incident], pending: Sequence[tuple[str, IncidentEvent]], run_id: str | None
) -> list[tuple[str, IncidentEvent]]:
    """Carry out what people said until the run after this one; return what is left."""
    left = []
    for key, event in pending:
        if key in known and (run_id is None or (event.run or "") <= run_id):
            known[key] = carried_out(known[key], event)
        else:
            left.append((key, event))
    return left


def _exchanged(
    reports: Path,
    made: dict[str, Incident],
    stored: Sequence[Incident],
    *,
    read: set[str],
    damaged: frozenset[str],
    problems: Sequence[str],
) -> Rebuilt:
    old = {item.id: item for item in stored}
    kept = {
        key: item
        for key, item in old.items()
        if key not in made and (item.opened_run not in read or any(is_of_people(event) for event in item.events))
    }
    every = {key: replace(item, causes=old[key].causes) if key in old else item for key, item in made.items()} | kept
    written, removed = [], []
    for key in sorted(set(every) - damaged):
        if key not in old or to_text(old[key]) != to_text(every[key]):
            write_incident(reports, every[key])
            written.append(key)
    for key in sorted(set(old) - set(every)):
        try:
            incident_path(reports, key).unlink()
        except OSError as error:
            raise LedgerError(f"{incident_path(reports, key)}: cannot be removed ({error.strerror or error}).") from error
        removed.append(key)
    return Rebuilt(
        incidents=tuple(every[key] for key in sorted(every)),
        written=tuple(written),
        removed=tuple(removed),
        problems=tuple(problems),
    )

"""``incidents.html`` and ``incidents/<id>.html``: what is wrong until a run shows it mended, why, and what to do next."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nbops.pages.lineage import anchor
from nbops.pages.names import page_name
from nbops.pages.series_words import shell_words, subject_of
from nbops.pages.text import count, plural, short
from nbops.pages.views import Shown, report_link, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from nbops.model import Cause, Incident, IncidentEvent, IncidentFinding, IncidentState
    from nbops.pages.latest import Latest

__all__ = [
    "OPEN_STATES",
    "during_words",
    "incident_context",
    "incident_mark",
    "incident_page",
    "incidents_context",
    "newest_first",
    "open_during",
]

OPEN_STATES = frozenset({"open", "acknowledged"})
_PLAIN = re.compile(r"INC-[0-9A-Za-z][0-9A-Za-z_-]{0,80}\Z")
_FINDINGS, _CAUSES, _EVENTS, _SUBJECTS, _EVIDENCE = 60, 8, 60, 60, 12
_OPEN, _CLOSED = 100, 50
_KINDS = {
    "code": "code",
    "parameter": "parameter",
    "package": "package",
    "input": "input",
    "segment": "rows in common",
    "upstream": "upstream",
    "contract": "contract",
    "machine": "machine",
    "time": "time",
    "unknown": "not known",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a link leads, below ``reports``; ``page`` is None where there is nothing."""

    text: str
    page: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _FindingRow:
    finding: IncidentFinding
    mark: str
    subject: _Place
    watch: str | None
    first: _Place
    last: _Place
    mended: _Place | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _CauseRow:
    cause: Cause
    percent: int
    kind: str
    subject: _Place | None
    cells: tuple[_Place, ...]
    evidence: Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class _EventRow:
    event: IncidentEvent
    run: _Place | None


def incident_page(incident_id: str) -> str:
    """Return the file name of an incident's page.

    >>> incident_page("INC-20261122T194156Z-1f0c9a"), incident_page("../x")
    ('INC-20261122T194156Z-1f0c9a.html', 'x--d6b96a97d147daaa.html')
    """
    return f"{incident_id if _PLAIN.match(incident_id) else page_name(incident_id)}.html"


def incident_mark(incident: Incident) -> str:
    """Return the class by which an incident is coloured: as bad as it is while it is open."""
    if incident.state in OPEN_STATES:
        return "failed" if incident.severity == "error" else "warned"
    return "passed" if incident.state == "resolved" else "skipped"


def newest_first(incidents: Sequence[Incident]) -> list[Incident]:
    """Return incidents, open ones first, the worst and then the newest first."""
    by_time = sorted(incidents, key=lambda one: (one.opened_at, one.id), reverse=True)
    return sorted(by_time, key=lambda one: (one.state not in OPEN_STATES, _weight(one) if one.state in OPEN_STATES else 0))


_TURNS = frozenset({"opened", "reopened", "resolved", "expected"})
_STATE_OF: Mapping[str, IncidentState] = {
    "opened": "open",
    "reopened": "open",
    "acknowledged": "acknowledged",
    "resolved": "resolved",
    "expected": "expected",
}
_DURING = {"opened": "opened by this run", "reopened": "opened again by this run", "resolved": "shown mended by this run"}


def _weight(one: Incident) -> int:
    return (0 if one.severity == "error" else 2) + (one.state == "acknowledged")


def open_during(incidents: Sequence[Incident], run_id: str) -> list[Incident]:
    """Return the incidents that were open while a run went on: those that it opened, those before it, those that it mended.

    What became of them later changes nothing, so that the pages of a run stay as they are.
    """
    there = [one for one in incidents if one.opened_run <= run_id and _was_open(one, run_id)]
    ordered = sorted(there, key=lambda one: (one.opened_run != run_id, _done_by(one, run_id) == "resolved", one.id))
    return [replace(one, state=_state_after(one, run_id)) for one in ordered]


def _state_after(incident: Incident, run_id: str) -> IncidentState:
    """Return the state in which a run left an incident, before anybody said something about that."""
    state = None
    for event in incident.events:
        if (event.run or "") < run_id or (event.by is None and event.run == run_id):
            state = _STATE_OF.get(event.what, state)
    return state or incident.state


def _was_open(incident: Incident, run_id: str) -> bool:
    """Tell whether an incident was open when a run began, or the run did something to it; what people say comes after a run."""
    if not any(event.what == "opened" for event in incident.events):
        return incident.resolved_run is None or incident.resolved_run >= run_id
    before = [event.what for event in incident.events if event.what in _TURNS and (event.run or "") < run_id]
    return _done_by(incident, run_id) is not None or (bool(before) and before[-1] in {"opened", "reopened"})


def _done_by(incident: Incident, run_id: str) -> str | None:
    """Return how a run turned an incident: ``opened``, ``reopened`` or ``resolved``; None when it left its state."""
    turned = [event.what for event in incident.events if event.what in _TURNS and event.by is None and event.run == run_id]
    if turned:
        return turned[-1]
    if any(event.what == "opened" for event in incident.events):
        return None
    return "opened" if incident.opened_run == run_id else "resolved" if incident.resolved_run == run_id else None


def during_words(incident: Incident, run_id: str) -> str:
    """Return what a run did to an incident."""
    return _DURING.get(_done_by(incident, run_id) or "", "open before this run, and after it")


class _Places:
    """Where runs, datasets and tasks have their pages.

    Args:
        latest: The newest run, completed, and where its pages are.
        reports: The project's ``reports`` folder.
        lasting: What has no page in the run that is meant leads to its row in the pipeline's lineage, which stays, and not to its
            page of the newest run: that one goes some day, and an incident that is over would be written again for it.
    """

    def __init__(self, latest: Latest | None, reports: Path, *, lasting: bool) -> None:
        self._latest, self._reports, self._lasting = latest, reports, lasting

    def run(self, run_id: str) -> _Place:
        return _Place(text=run_id, page=report_link(f"runs/{run_id}/index.html", self._reports) if run_id else None)

    def subject(self, subject: str, run_id: str = "", *, cell: int | None = None) -> _Place:
        """Return the page of a subject, in a run if it has one there."""
        kind, name = subject_of(subject)
        folder = {"dataset": "datasets", "task": "tasks"}.get(kind)
        page = None
        if folder is not None:
            page = report_link(f"runs/{run_id}/{folder}/{page_name(name)}.html", self._reports) if run_id else None
            if page is None and self._latest is not None:
                newest = (self._latest.datasets if kind == "dataset" else self._latest.tasks).get(name)
                if self._lasting and newest is not None:
                    return _Place(text=name, page=f"lineage.html#r-{anchor(kind, name)}")
                page = newest
        if page is not None and cell is not None:
            page = f"{page}#cell-{cell}"
        return _Place(text=name, page=page)

    def watch(self, subject: str, column: str | None) -> str | None:
        del column
        kind, name = subject_of(subject)
        known = self._latest is not None and any(item.name == name for item in self._latest.run.datasets)
        return f"monitoring/{page_name(name)}.html" if kind == "dataset" and known else None


def incident_context(incident: Incident, latest: Latest | None, *, reports: Path) -> dict[str, Any]:
    """Return what ``incident.html.j2`` shows.

    Args:
        incident: The incident.
        latest: The newest run, completed, and where its pages are.
        reports: The project's ``reports`` folder.
    """
    places = _Places(latest, reports, lasting=incident.state not in OPEN_STATES)
    found = sorted(
        (_finding(one, places) for one in incident.findings),
        key=lambda row: (row.finding.mended_run is not None, row.finding.severity != "error", row.finding.key),
    )
    still = sum(row.finding.mended_run is None for row in found)
    causes = [_cause(one, places, incident) for one in sorted(incident.causes, key=lambda one: -one.score)]
    affected = [subject for subject in incident.subjects if subject != incident.root]
    kind, name = subject_of(incident.root)
    return {
        "root": "../",
        "run": latest.run if latest is not None else None,
        "incident": incident,
        "mark_of": incident_mark(incident),
        "is_open": incident.state in OPEN_STATES,
        "tally": _tally(incident, still, affected),
        "begins": places.subject(incident.root, incident.last_bad_run),
        "begins_kind": kind,
        "begins_name": name,
        "opened": places.run(incident.opened_run),
        "good": places.run(incident.last_good_run) if incident.last_good_run else None,
        "bad": places.run(incident.last_bad_run) if incident.last_bad_run else None,
        "resolved": places.run(incident.resolved_run) if incident.resolved_run else None,
        "steps": _steps(incident) if incident.state in OPEN_STATES else [],
        "causes": shown(causes, _CAUSES),
        "found": shown(found, _FINDINGS),
        "affected": shown([(subject_of(one)[0], places.subject(one, incident.last_bad_run)) for one in affected], _SUBJECTS),
        "events": shown([_event(one, places) for one in reversed(incident.events)], _EVENTS),
    }


def _tally(incident: Incident, still: int, affected: Sequence[str]) -> list[str]:
    found = plural(len(incident.findings), "finding")
    told = [f"{count(still)} of {found} still there" if incident.state in OPEN_STATES else found]
    return [*told, f"{plural(len(affected), 'dataset or task', 'datasets and tasks')} affected"] if affected else told


def _finding(one: IncidentFinding, places: _Places) -> _FindingRow:
    return _FindingRow(
        finding=one,
        mark="resolved" if one.mended_run else "failed" if one.severity == "error" else "warned",
        subject=places.subject(one.subject, one.last_run),
        watch=places.watch(one.subject, one.column) if one.kind == "monitor" else None,
        first=places.run(one.first_run),
        last=places.run(one.last_run),
        mended=places.run(one.mended_run) if one.mended_run else None,
    )


def _cause(one: Cause, places: _Places, incident: Incident) -> _CauseRow:
    subject = places.subject(one.subject, incident.last_bad_run) if one.subject else None
    is_task = one.subject is not None and subject_of(one.subject)[0] == "task"
    cells = [
        places.subject(one.subject, incident.last_bad_run, cell=cell) if is_task and one.subject else _Place(text=str(cell))
        for cell in one.cells[:10]
    ]
    return _CauseRow(
        cause=one,
        percent=round(100 * min(1.0, max(0.0, one.score))) if math.isfinite(one.score) else 0,
        kind=_KINDS.get(one.kind, one.kind),
        subject=subject,
        cells=tuple(_Place(text=f"cell {number}", page=place.page) for number, place in zip(one.cells, cells, strict=False)),
        evidence=shown(one.evidence, _EVIDENCE),
    )


def _event(one: IncidentEvent, places: _Places) -> _EventRow:
    return _EventRow(event=one, run=places.run(one.run) if one.run else None)


def _steps(incident: Incident) -> list[tuple[str, str]]:
    """Return what to do next: a sentence and a command each."""
    steps: list[tuple[str, str]] = []
    if incident.state == "open":
        steps.append(
            ("Say that you are at it, so that others need not look", shell_words("nbops", "incidents", "ack", incident.id))
        )
    if incident.last_good_run and incident.last_bad_run:
        between = shell_words("nbops", "diff", incident.last_good_run, incident.last_bad_run)
        steps.append(("See what differs from the last good run", between))
        kind, name = subject_of(incident.root)
        if kind == "dataset":
            code, data = ("--code", incident.last_good_run), ("--data", incident.last_bad_run)
            steps.append(("Tell code from data: which of both did it", shell_words("nbops", "replay", name, *code, *data)))
    if any(one.kind == "monitor" and one.mended_run is None for one in incident.findings):
        steps.append(("If it is as it should be, say so", shell_words("nbops", "expect", incident.id, "--reason", "...")))
    steps.append(("When it is mended, build: the run that shows it closes the incident", "ploomber build"))
    return steps


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    incident: Incident
    mark: str
    page: str
    begins: _Place
    cause: str
    still: int
    last: _Place


def incidents_context(incidents: Sequence[Incident], latest: Latest | None, *, reports: Path) -> dict[str, Any]:
    """Return what ``incidents.html.j2`` shows: open incidents, then the newest of the others.

    Args:
        incidents: All incidents, in any order.
        latest: The newest run, completed, and where its pages are.
        reports: The project's ``reports`` folder.
    """
    live, over = (_Places(latest, reports, lasting=lasting) for lasting in (False, True))
    ordered = newest_first(incidents)
    opened, closed = (
        Shown(items=tuple(_entry(one, places) for one in some.items), more=some.more)
        for places, some in (
            (live, shown([one for one in ordered if one.state in OPEN_STATES], _OPEN)),
            (over, shown([one for one in ordered if one.state not in OPEN_STATES], _CLOSED)),
        )
    )
    return {
        "root": "",
        "run": latest.run if latest is not None else None,
        "mark_of": opened.items[0].mark if opened.items else "passed",
        "opened": opened,
        "closed": closed,
        "title": _overview_title(opened),
        "count": len(incidents),
    }


def _overview_title(opened: Shown) -> str:
    if not opened.items:
        return "No incident is open"
    first, more = short(opened.items[0].incident.title, 140), len(opened.items) + opened.more - 1
    return first + (f"; and {count(more)} more" if more else "")


def _entry(one: Incident, places: _Places) -> _Entry:
    causes = sorted(one.causes, key=lambda cause: -cause.score)
    return _Entry(
        incident=one,
        mark=incident_mark(one),
        page=f"incidents/{incident_page(one.id)}",
        begins=places.subject(one.root, one.last_bad_run),
        cause=short(causes[0].message, 160) if causes else "",
        still=sum(finding.mended_run is None for finding in one.findings),
        last=places.run(one.resolved_run or one.last_bad_run),
    )

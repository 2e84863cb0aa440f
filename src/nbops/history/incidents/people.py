"""What people say about incidents, as entries of their timelines; and these entries carried out again. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nbops.model import IncidentEvent

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal

    from nbops.model import Incident

__all__ = ["carried_out", "is_of_people", "peoples_events", "said"]

_SAID = frozenset({"acknowledged", "noted", "resolved", "expected", "reopened"})


def said(
    incident: Incident,
    what: Literal["acknowledged", "noted", "resolved", "expected", "reopened"],
    *,
    at: str,
    run: str | None,
    by: str | None,
    message: str = "",
    until: str | None = None,
) -> Incident:
    """Return an incident after somebody said something about it.

    Args:
        incident: The incident.
        what: ``acknowledged``, ``resolved``, ``expected``, ``reopened`` (which takes these back), or ``noted`` for a remark
            that changes nothing.
        at: When, ISO 8601 UTC.
        run: The last run that had ended then; the state holds from the run after it on.
        by: Who, as git names them.
        message: What they said.
        until: Of ``expected``: the last day on which it is.
    """
    return carried_out(incident, IncidentEvent(at=at, what=what, run=run, by=by or "somebody", message=message, until=until))


def carried_out(incident: Incident, event: IncidentEvent) -> Incident:
    """Return an incident with an entry of its timeline, and what the entry makes of its state."""
    incident = replace(incident, events=(*incident.events, event))
    if event.what == "acknowledged" and incident.state == "open":
        return replace(incident, state="acknowledged")
    if event.what == "resolved":
        return replace(incident, state="resolved", resolved_run=event.run, resolved_at=event.at)
    if event.what == "reopened":
        return replace(incident, state="open", resolved_run=None, resolved_at=None)
    if event.what == "expected":
        return replace(incident, state="expected", resolved_run=None, resolved_at=None)
    return incident


def is_of_people(event: IncidentEvent) -> bool:
    """Tell whether somebody made an entry, rather than a run."""
    return event.by is not None and event.what in _SAID


def peoples_events(incidents: Iterable[Incident]) -> list[tuple[str, IncidentEvent]]:
    """Return everything that people said, with the incident's id, the oldest first."""
    found = [(item.id, event) for item in incidents for event in item.events if is_of_people(event)]
    return sorted(found, key=lambda pair: (pair[1].run or "", pair[1].at, pair[0]))

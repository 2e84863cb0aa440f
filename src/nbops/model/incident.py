"""Incidents: what stays wrong over runs, and why. In files of their own, not in the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nbops.model.words import CauseKind, IncidentState, Severity

__all__ = [
    "Alert",
    "Cause",
    "Incident",
    "IncidentEvent",
    "IncidentFinding",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A possible cause of an incident, with what speaks for it."""

    kind: CauseKind
    message: str
    """One sentence."""
    score: float = 0.0
    """0 to 1; causes are listed from the likeliest."""
    subject: str | None = None
    """``dataset:NAME``, ``task:NAME``, ``file:PATH``, ``package:NAME``, ``parameter:NAME``."""
    cells: tuple[int, ...] = ()
    commit: str | None = None
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentFinding:
    """One thing that is wrong in an incident: a check, an anomaly or a task that fails."""

    key: str
    """The same over runs: ``check:orders:amount.nullValues``, ``monitor:volume:dataset:orders:rowCount``, ``task:clean``."""
    kind: Literal["check", "monitor", "task"]
    subject: str
    column: str | None = None
    message: str = ""
    severity: Severity = "error"
    first_run: str = ""
    last_run: str = ""
    """The last run that showed it."""
    mended_run: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentEvent:
    """An entry of an incident's timeline."""

    at: str
    what: Literal["opened", "grown", "shrunk", "acknowledged", "noted", "resolved", "reopened", "expected"]
    run: str | None = None
    by: str | None = None
    """Who, as git names them; None for nbops itself."""
    until: str | None = None
    """Of ``expected``: the last day on which it is so; None when nobody set an end."""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A finding that stays open over runs until a run shows it mended; one cause, one incident."""

    id: str
    """``INC-`` and the stamp of the run that opened it, with a short hash of what it began with."""
    title: str
    state: IncidentState
    severity: Severity
    root: str
    """Where it begins: the subject furthest upstream."""
    opened_run: str
    opened_at: str
    owner: str | None = None
    subjects: tuple[str, ...] = ()
    """Everything affected, the root first."""
    last_good_run: str | None = None
    last_bad_run: str = ""
    resolved_run: str | None = None
    resolved_at: str | None = None
    findings: tuple[IncidentFinding, ...] = ()
    causes: tuple[Cause, ...] = ()
    events: tuple[IncidentEvent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One message to people, as it is sent: about an event of an incident, or a digest of several."""

    key: str
    """The same for the same event, whenever it is sent."""
    event: str
    """As :class:`IncidentEvent` has it, or ``digest``, or ``test``."""
    title: str
    """One line."""
    body: str
    """Plain text, a few lines: all that follows, for people."""
    severity: Severity
    at: str
    incident: str = ""
    run: str = ""
    pipeline: str = ""
    owner: str | None = None
    datasets: tuple[str, ...] = ()
    """Those affected, the root first."""
    findings: tuple[str, ...] = ()
    """One sentence each."""
    cause: str | None = None
    """The likeliest, in one sentence."""
    link: str | None = None
    """The incident's page."""
    next_step: str = ""

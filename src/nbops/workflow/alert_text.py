"""What is said to people of an incident's events, in words."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from nbops.model import Alert
from nbops.record.plain import clean_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbops.model import Incident, IncidentEvent, Severity

__all__ = ["alert_of", "digest_of", "key_of", "one_line", "probe", "terse"]

_WORDS = {
    "opened": "Incident opened",
    "reopened": "Incident reopened",
    "grown": "Incident has grown",
    "shrunk": "Incident has shrunk",
    "acknowledged": "Incident acknowledged",
    "noted": "Incident: a note",
    "resolved": "Incident resolved",
    "expected": "Incident is to be expected",
}
_LONGEST_TITLE, _LONGEST_LINE = 160, 400
_MOST_FINDINGS, _MOST_SUBJECTS, _MOST_LISTED = 5, 8, 20
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069]+")
_MENTION = re.compile(r"@(?=everyone|here|channel|all\b|team\b)|<(?=[!@#/a-zA-Z])", re.IGNORECASE)
_APART = "\u200b"


def one_line(text: str, longest: int = _LONGEST_LINE) -> str:
    r"""Return a text that is one line, of a bounded length, and calls nobody in a chat.

    >>> one_line("a\nb <!channel>").replace(chr(0x200B), "|")
    'a b <|!channel>'
    """
    plain = " ".join(_CONTROL.sub(" ", clean_text(text)).split())
    plain = plain if len(plain) <= longest else plain[: longest - 1] + "…"
    return _MENTION.sub(lambda found: found[0] + _APART, plain)


def key_of(incident: Incident, event: IncidentEvent) -> str:
    """Return what an event is known by, whenever its incident is written again."""
    # what people say names the run before it, and they may say more than one thing
    told_by = event.run if event.run and not event.by else event.at
    return hashlib.sha256(f"{incident.id}\0{event.what}\0{told_by}".encode("utf-8", "replace")).hexdigest()[:24]


def alert_of(incident: Incident, event: IncidentEvent, *, pipeline: str, link: str | None, late: bool = False) -> Alert:
    """Return the message about one event.

    Args:
        incident: As it is now.
        event: What happened.
        pipeline: The pipeline's name.
        link: Where the incident's page is.
        late: It happened in an earlier run, which was killed before it could tell.
    """
    over = event.what in {"resolved", "expected"}
    shown = [item for item in incident.findings if over or item.mended_run is None] or list(incident.findings)
    shown.sort(key=lambda item: item.severity != "error")
    findings = tuple(dict.fromkeys(one_line(item.message or item.key) for item in shown))
    datasets = tuple(name for kind, _, name in (item.partition(":") for item in incident.subjects) if kind == "dataset")
    cause = one_line(incident.causes[0].message) if incident.causes and not over else None
    title = one_line(f"{pipeline}: {_WORDS.get(event.what, event.what)}: {incident.title}", _LONGEST_TITLE)
    next_step = _next_step(incident, event)
    lines = [
        *_listed("It was" if over else "Found", findings, _MOST_FINDINGS),
        f"Affected: {_some(incident.subjects)}" if incident.subjects else "",
        f"Severity: {incident.severity}" + (f"; owner: {one_line(incident.owner)}" if incident.owner else ""),
        f"Likely cause: {cause}" if cause else "",
        one_line(f"{'Told late: ' if late else ''}{_when(incident, event)}"),
        f"Report: {link}" if link else "",
        f"Next: {next_step}" if next_step else "",
    ]
    return Alert(
        key=key_of(incident, event),
        event=event.what,
        title=title,
        body="\n".join(line for line in lines if line),
        severity=incident.severity,
        at=event.at,
        incident=incident.id,
        run=event.run or "",
        pipeline=one_line(pipeline),
        owner=one_line(incident.owner) if incident.owner else None,
        datasets=tuple(one_line(name) for name in datasets),
        findings=findings[:_MOST_LISTED],
        cause=cause,
        link=link,
        next_step=next_step,
    )


def terse(alert: Alert) -> Alert:
    """Return the same message without anything that quotes: for when something private was found in it."""
    lines = [
        "What was found is not told here, since something private was found in the message.",
        f"Report: {alert.link}" if alert.link else "",
        f"Next: {alert.next_step}" if alert.next_step else "",
    ]
    return Alert(
        key=alert.key,
        event=alert.event,
        title=f"{_WORDS.get(alert.event, 'Incidents')}: {alert.incident or 'several'}",
        body="\n".join(line for line in lines if line),
        severity=alert.severity,
        at=alert.at,
        incident=alert.incident,
        run=alert.run,
        link=alert.link,
        next_step=alert.next_step,
    )


def digest_of(alerts: Sequence[Alert], *, pipeline: str, run: str, link: str | None) -> Alert:
    """Return one message in place of many."""
    severity: Severity = "error" if any(alert.severity == "error" for alert in alerts) else "warn"
    body = _listed("These too", [f"{alert.title} ({alert.incident})" for alert in alerts], _MOST_LISTED)
    return Alert(
        key=hashlib.sha256("\0".join(sorted(alert.key for alert in alerts)).encode()).hexdigest()[:24],
        event="digest",
        title=one_line(f"{pipeline}: {len(alerts)} more messages of run {run}", _LONGEST_TITLE),
        body="\n".join([*body, *([f"Report: {link}"] if link else []), "Next: `nbops incidents` lists them."]),
        severity=severity,
        at=max(alert.at for alert in alerts),
        run=run,
        pipeline=one_line(pipeline),
        datasets=tuple(dict.fromkeys(name for alert in alerts for name in alert.datasets))[:_MOST_LISTED],
        link=link,
        next_step="`nbops incidents` lists them.",
    )


def probe(*, pipeline: str, at: str) -> Alert:
    """Return a message that only shows that messages arrive."""
    return Alert(
        key=hashlib.sha256(at.encode()).hexdigest()[:24],
        event="test",
        title=one_line(f"{pipeline}: test message of nbops", _LONGEST_TITLE),
        body="If you read this, messages about incidents will arrive here. Nothing is wrong.",
        severity="warn",
        at=at,
        pipeline=one_line(pipeline),
    )


def _when(incident: Incident, event: IncidentEvent) -> str:
    who = f" by {event.by}" if event.by else ""
    where = f" in run {event.run}" if event.run else ""
    good = f"; last good run: {incident.last_good_run}" if incident.last_good_run and event.what in {"opened", "reopened"} else ""
    more = f": {event.message}" if event.message and event.what in {"acknowledged", "noted", "expected"} else ""
    return f"{event.what.capitalize()} at {event.at}{where}{who}{more}{good}."


def _next_step(incident: Incident, event: IncidentEvent) -> str:
    if event.what in {"resolved", "expected", "acknowledged", "noted"}:
        return ""
    return f"`nbops incidents show {incident.id}` tells more."


def _listed(head: str, items: Sequence[str], most: int) -> list[str]:
    more = [f"- and {len(items) - most} more"] if len(items) > most else []
    return [f"{head}:", *(f"- {item}" for item in items[:most]), *more] if items else []


def _some(subjects: Sequence[str]) -> str:
    names = [one_line(item.replace(":", " ", 1), 80) for item in subjects[:_MOST_SUBJECTS]]
    more = f" and {len(subjects) - _MOST_SUBJECTS} more" if len(subjects) > _MOST_SUBJECTS else ""
    return f"{', '.join(names)}{more}"

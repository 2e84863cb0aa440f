"""An incident as text for people: what is wrong, since when, what may be the cause, what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nbops.cli.output import Cell, Column, colour_of, printable, table
from nbops.history.incidents.course import is_live

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from nbops.model import Incident

__all__ = ["describe_incident", "incident_table"]

_LIST = (
    Column(title="INCIDENT"),
    Column(title="STATE"),
    Column(title="SEVERITY"),
    Column(title="SINCE"),
    Column(title="OWNER", most=24),
    Column(title="WHAT", flexible=True),
)
_FINDINGS = (
    Column(title="STATE"),
    Column(title="SEVERITY"),
    Column(title="SUBJECT"),
    Column(title="FINDING", flexible=True),
)
_EVIDENCE = 3  # sentences for each cause
_COLOURS = {"open": "red", "acknowledged": "yellow", "resolved": "green", "expected": "cyan"}


def incident_table(incidents: Iterable[Incident]) -> str:
    """Return incidents as a table, the newest first; what is open before the rest."""
    ordered = sorted(incidents, key=lambda item: item.id, reverse=True)
    ordered.sort(key=lambda item: (not is_live(item), item.severity != "error"))
    return table(_LIST, [_row(item) for item in ordered])


def _row(item: Incident) -> list[str | Cell]:
    return [
        item.id,
        Cell(item.state, _COLOURS[item.state]),
        Cell(item.severity, colour_of(item.severity)),
        _instant(item.opened_at),
        item.owner or "",
        item.title,
    ]


def _instant(text: str) -> str:
    """Return an instant to the minute.

    >>> _instant("2026-11-22T19:41:56.123Z")
    '2026-11-22 19:41'
    """
    return text[:16].replace("T", " ")


def describe_incident(item: Incident, *, reports: str, root: Path) -> str:
    """Return an incident as text.

    Args:
        item: The incident.
        reports: The project's reports folder, relative to its root.
        root: The project's root; whether there is a page is looked up there.
    """
    return "\n".join(_lines(item, reports=reports, root=root))


def _lines(item: Incident, *, reports: str, root: Path) -> Iterator[str]:
    state = click.style(item.state.upper(), fg=_COLOURS[item.state], bold=True)
    yield f"{printable(item.id)}  {state}, {item.severity}"
    yield f"  {printable(item.title)}"
    yield f"  begins at {printable(item.root)}"
    yield f"  owner     {printable(item.owner or 'nobody is named: contracts may name a team')}"
    yield f"  opened    {_instant(item.opened_at)} by run {printable(item.opened_run)}"
    if item.last_bad_run != item.opened_run:
        yield f"  last bad  run {printable(item.last_bad_run)}"
    yield f"  last good {f'run {printable(item.last_good_run)}' if item.last_good_run else 'unknown: no good run before it'}"
    if item.resolved_at:
        yield f"  resolved  {_instant(item.resolved_at)}" + (
            f" by run {printable(item.resolved_run)}" if item.resolved_run else ""
        )
    if len(item.subjects) > 1:
        yield f"  affects   {printable(', '.join(item.subjects[1:]))}"
    page = f"{reports}/incidents/{item.id}.html"
    if (root / page).is_file():
        yield f"  page      {page}"
    yield from _section("Findings", table(_FINDINGS, _findings(item)))
    if item.causes:
        yield from _section("Possible causes", "\n".join(_causes(item)))
    yield from _section("Timeline", "\n".join(_timeline(item)))
    yield from _section("Next", "\n".join(f"  {line}" for line in _next(item)))


def _section(title: str, text: str) -> Iterator[str]:
    if text:
        yield ""
        yield click.style(title, bold=True)
        yield text


def _findings(item: Incident) -> list[list[str | Cell]]:
    return [
        [
            Cell("mended", "green") if finding.mended_run else Cell("there", "red"),
            Cell(finding.severity, colour_of(finding.severity)),
            finding.subject + (f".{finding.column}" if finding.column and finding.kind == "monitor" else ""),
            finding.message,
        ]
        for finding in item.findings
    ]


def _causes(item: Incident) -> Iterator[str]:
    for cause in item.causes:
        yield f"  {cause.score:.2f}  {cause.kind}: {printable(cause.message)}"
        commit = f"commit {cause.commit[:10]}" if cause.commit else ""
        yield from (f"        {printable(text)}" for text in (*cause.evidence[:_EVIDENCE], commit) if text)


def _timeline(item: Incident) -> Iterator[str]:
    for event in item.events:
        by = f" by {printable(event.by)}" if event.by else ""
        until = f" until {printable(event.until)}" if event.until else ""
        text = f": {printable(event.message)}" if event.message else ""
        yield f"  {_instant(event.at)}  {event.what}{until}{by}{text}"


def _next(item: Incident) -> Iterator[str]:
    """Yield what somebody can do now."""
    left = [finding for finding in item.findings if finding.mended_run is None]
    if item.last_good_run and item.last_bad_run:
        yield f"nbops diff {item.last_good_run} {item.last_bad_run}   what changed since it was good"
    if not is_live(item):
        return
    if any(finding.kind == "task" and finding.subject.startswith("task:") for finding in left):
        yield f"nbops show {item.last_bad_run}   where it broke"
    if any(finding.kind == "monitor" for finding in left):
        yield f'nbops expect {item.id} --reason "..."   if this is how it should be'
    if item.state == "open":
        yield f'nbops incidents ack {item.id} -m "..."   to say that you look into it'
    yield "the next build that finds it mended resolves it by itself"

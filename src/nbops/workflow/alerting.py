"""Telling people of incidents: one message for an event and address, which nothing can lose.

A build only writes messages down (``alert_outbox``); a process of its own sends them (``alert_sending``). What was told is noted,
so that neither a build that is run again nor one that was killed tells it twice. Where no route is set, nothing is done.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from nbops.errors import NbopsError
from nbops.history.incidents.store import load_incidents
from nbops.record.codec import encode
from nbops.record.sender import Sender
from nbops.record.store import latest_run
from nbops.workflow.alert_outbox import AlertOutbox
from nbops.workflow.alert_text import alert_of, digest_of, terse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from nbops.contract.config import Config
    from nbops.contract.config_alerts import Route
    from nbops.model import Alert, Incident, IncidentEvent, Run

__all__ = ["note_begun", "route_takes", "tell_of", "what_is_left"]

_MODULE = "nbops.workflow.alert_sending"
_RANK = {"warn": 0, "error": 1}


def _unguarded(_text: bytes) -> Sequence[object]:
    return ()


@dataclass(frozen=True, slots=True)
class _Due:
    """Something that happened, and has to be told."""

    incident: Incident
    event: IncidentEvent
    late: bool


def note_begun(root: Path, config: Config, run_id: str) -> None:
    """Note that a run has begun, so that what it finds is told by the next one if it is killed."""
    if config.alerts.routes:
        with suppress(OSError):
            AlertOutbox(root).note_begun(run_id)


def tell_of(
    incidents: Iterable[Incident],
    *,
    root: Path,
    config: Config,
    run: Run | None = None,
    check: Callable[[bytes], Sequence[object]] = _unguarded,
    wait: float | None = None,
) -> tuple[str, ...]:
    """Tell people what happened to incidents. Nothing is raised.

    Args:
        incidents: Those that changed, or all; only events of ``run`` are told, and those of runs of this clone that were killed.
        root: The project's root.
        config: The project's settings.
        run: The run, as recorded. None: somebody did something to the incidents; the last event of each is told.
        check: Returns what is private in a text; if there is something, no more is told than what happened.
        wait: Seconds to wait for receivers; as the settings say by default.

    Returns:
        Sentences for the user.
    """
    if not config.alerts.routes:
        return ()
    outbox = AlertOutbox(root)
    try:
        found = _due(outbox, incidents, root / config.reports, run)
        if found:
            known = run or latest_run(root / config.reports)  # says whose datasets are affected
            _write(outbox, found, root=root, config=config, run=known, check=check)
        if run is not None:
            outbox.forget_begun()
        if outbox.waiting():
            sender = Sender(_MODULE, root, outbox.folder)
            sender.wake()
            sender.end(config.alerts.wait if wait is None else wait, kill=False)
    except (OSError, NbopsError, ValueError) as error:
        return (f"messages about incidents could not be written down: {type(error).__name__}",)
    return what_is_left(outbox)


def what_is_left(outbox: AlertOutbox) -> tuple[str, ...]:
    """Return sentences about messages that were not taken."""
    waiting, rejected, why = outbox.waiting(), outbox.rejected(), outbox.trouble()
    said = []
    if waiting:
        reason = f" ({why})" if why else ""
        said.append(
            f"{waiting} messages about incidents are not sent yet{reason}; `nbops alerts send` or the next build sends them"
        )
    if rejected:
        said.append(f"{rejected} messages about incidents were refused and are kept; see `nbops alerts status`")
    return tuple(said)


def route_takes(route: Route, incident: Incident, what: str, run: Run | None) -> bool:
    """Return whether a route is for what happened to an incident."""
    affected = _datasets(incident, run)
    datasets = [dataset for dataset in run.datasets if dataset.name in affected] if run is not None else []
    owners = [incident.owner, *(dataset.owner for dataset in datasets)]
    return (
        what in route.when
        and _RANK.get(incident.severity, 1) >= _RANK[route.severity]
        and _fits(route.owners, owners)
        and _fits(route.datasets, affected)
        and _fits(route.tags, (tag for dataset in datasets for tag in dataset.tags))
    )


def _datasets(incident: Incident, run: Run | None) -> set[str]:
    """Return the names of the datasets that are affected, also those of tasks that failed before they made any."""
    subjects = set(incident.subjects)
    made = [] if run is None else [edge.target for edge in run.lineage if edge.kind == "writes" and edge.source in subjects]
    of_tasks = [] if run is None else [f"dataset:{item.name}" for item in run.datasets if f"task:{item.task}" in subjects]
    parts = (item.partition(":") for item in (*subjects, *made, *of_tasks))
    return {name for kind, _, name in parts if kind == "dataset"}


def _fits(patterns: Sequence[str], values: Iterable[str | None]) -> bool:
    lowered = [value.casefold() for value in values if value]
    return not patterns or any(fnmatchcase(value, pattern.casefold()) for value in lowered for pattern in patterns)


def _due(outbox: AlertOutbox, incidents: Iterable[Incident], reports: Path, run: Run | None) -> list[_Due]:
    """Return what happened in this run, and in runs before that were killed before they could tell."""
    now = {incident.id: incident for incident in incidents}
    if run is None:
        return [_Due(incident, incident.events[-1], late=False) for incident in now.values() if incident.events]
    missed = {name for name in outbox.begun() if name != run.id}
    every = {**{incident.id: incident for incident in load_incidents(reports).found}, **now} if missed else now
    return [
        _Due(incident, event, late=event.run != run.id)
        for incident in every.values()
        for event in incident.events
        if event.run == run.id or event.run in missed
    ]


def _write(
    outbox: AlertOutbox,
    due: Iterable[_Due],
    *,
    root: Path,
    config: Config,
    run: Run | None,
    check: Callable[[bytes], Sequence[object]],
) -> None:
    """Write down what is to be sent where, at most so many messages for each address, and the rest in one."""
    known = outbox.known()
    ordered = sorted(due, key=lambda item: (-_RANK.get(item.incident.severity, 1), item.event.at, item.incident.id))
    pipeline = run.pipeline if run is not None else root.name
    for by, to in dict.fromkeys((route.by, route.to) for route in config.alerts.routes):
        routes = [route for route in config.alerts.routes if (route.by, route.to) == (by, to)]
        alerts: list[Alert] = []
        for item in ordered:
            if any(route_takes(route, item.incident, item.event.what, run) for route in routes):
                link = _link(config, root, item.incident, item.event)
                alert = alert_of(item.incident, item.event, pipeline=pipeline, link=link, late=item.late)
                if _key(alert, by, to) not in known and all(alert.key != other.key for other in alerts):
                    alerts.append(_safe(alert, check))
        most = config.alerts.max_per_run
        apart, rest = (alerts, []) if len(alerts) <= most else (alerts[:most], alerts[most:])
        groups = [([_key(alert, by, to)], alert) for alert in apart]
        if rest:
            link = _page(config, root, "index.html")
            digest = digest_of(rest, pipeline=pipeline, run=run.id if run is not None else "", link=link)
            groups.append(([_key(alert, by, to) for alert in rest], _safe(digest, check)))
        for number, (keys, alert) in enumerate(groups):
            name = f"{alert.run or alert.at.replace(':', '')}.{number:04d}.{alert.key}.{to}"
            outbox.put(name, {"alert": encode(alert), "to": to, "by": by, "keys": keys})


def _key(alert: Alert, by: str, to: str) -> str:
    return f"{alert.key}.{by}.{to}"


def _safe(alert: Alert, check: Callable[[bytes], Sequence[object]]) -> Alert:
    text = json.dumps(encode(alert), ensure_ascii=False).encode("utf-8", "replace")
    return terse(alert) if check(text) else alert


def _link(config: Config, root: Path, incident: Incident, event: IncidentEvent) -> str | None:
    """Return where to read on: the incident's page, or the run's, whichever there is."""
    run = event.run or incident.last_bad_run or incident.opened_run
    return _page(config, root, f"incidents/{incident.id}.html", f"runs/{run}/index.html", "index.html")


def _page(config: Config, root: Path, *places: str) -> str | None:
    page = next((place for place in places if (root / config.reports / place).is_file()), None)
    return None if page is None else f"{config.alerts.base_url or config.reports}/{page}"

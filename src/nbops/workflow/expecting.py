"""``nbops expect``: what somebody says is to be expected becomes a correction in git, and quiets the incidents it explains."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING

from nbops.errors import ConfigError, GuardError, LedgerError, UnknownTarget, did_you_mean
from nbops.history.expected import FILE, add_correction, load_corrections
from nbops.history.incidents.store import find_incident, incidents_lock, load_incidents
from nbops.record.store import latest_run, read_run
from nbops.workflow.incident_edits import edit, guard_of, who

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from nbops.contract.config import Config
    from nbops.history.expected import Correction
    from nbops.model import Incident, IncidentFinding, Run

__all__ = ["Expecting", "Series", "expect", "expect_series", "series_named", "series_of_finding"]

_SCHEMA = "schema"


@dataclass(frozen=True, slots=True)
class Series:
    """What a correction is about."""

    subject: str
    column: str | None = None
    metric: str | None = None
    monitor: str | None = None

    def covers(self, finding: IncidentFinding) -> bool:
        """Tell whether a finding is about it."""
        if finding.kind != "monitor" or finding.subject != self.subject:
            return False
        other = series_of_finding(finding)
        pairs = ((self.column, other.column), (self.metric, other.metric), (self.monitor, other.monitor))
        return all(wanted is None or wanted == is_ for wanted, is_ in pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expecting:
    """What became of it."""

    corrections: tuple[Correction, ...]
    incidents: tuple[Incident, ...]
    said: tuple[str, ...]


def series_of_finding(finding: IncidentFinding) -> Series:
    """Return the series that a monitor's finding is about, from its key ``monitor:NAME:SUBJECT[:COLUMN]:METRIC``."""
    _, monitor, rest = finding.key.split(":", 2)
    head = f"{finding.subject}:{finding.column}:" if finding.column else f"{finding.subject}:"
    return Series(finding.subject, finding.column, rest.removeprefix(head) or None, monitor)


def series_named(text: str, run: Run) -> Series:
    """Return what ``SUBJECT[.column][.metric]`` names; a monitor's name may stand for its metrics.

    Args:
        text: Such as ``orders``, ``orders.rowCount``, ``orders.amount.nullRate``, ``task:clean.seconds``.
        run: The latest run, which knows the names.

    Raises:
        UnknownTarget: It names nothing that there is.
    """
    columns = {f"dataset:{item.name}": [column.name for column in item.columns] for item in run.datasets}
    subjects = {**{name.partition(":")[2]: name for name in columns}, **{name: name for name in columns}}
    subjects |= {f"task:{task.name}": f"task:{task.name}" for task in run.tasks}
    for task in run.tasks:
        subjects.setdefault(task.name, f"task:{task.name}")
    subject, rest = _longest(text, subjects)
    if subject is None:
        wrong = text.partition(".")[0][:60]
        raise UnknownTarget(f"{text[:80]!r}: no dataset or task is called so. {did_you_mean(wrong, subjects)}")
    columns_of_it = columns.get(subjects[subject], [])
    column, rest = _longest(rest, columns_of_it)
    metric, monitor = _measure(rest, columns_of_it) if rest else (None, None)
    return Series(subjects[subject], column, metric, monitor)


def _longest(text: str, names: Iterable[str]) -> tuple[str | None, str]:
    """Return the longest name that a text begins with, up to a dot or its end, and what comes after."""
    fits = [name for name in names if text == name or text.startswith(f"{name}.")]
    best = max(fits, key=len, default=None)
    return best, text if best is None else text[len(best) + 1 :]


def _measure(text: str, columns: Iterable[str]) -> tuple[str | None, str | None]:
    """Return the metric, or the monitor, that a word names."""
    from nbops.history.monitors.scales import MONITORS, monitor_of  # noqa: PLC0415 - loads numpy

    if text in {*MONITORS.values(), _SCHEMA}:
        return None, text
    if monitor_of(text) is None:
        known = [*columns, *MONITORS, *sorted({*MONITORS.values(), _SCHEMA})]
        raise UnknownTarget(f"{text[:80]!r}: neither a column nor a metric nor a monitor. {did_you_mean(text[:60], known)}")
    return text, None


def expect(
    root: Path, config: Config, target: str, *, reason: str, since: str | None = None, until: str | None = None
) -> Expecting:
    """Note that something is to be expected.

    Args:
        root: The project's root.
        config: The project's settings.
        target: An incident's id (or the beginning or end of one), or ``SUBJECT[.column][.metric]``.
        reason: Why.
        since: The first day; by default that of the run which first showed it.
        until: The last day; None for ever.

    Raises:
        LedgerError: There is no such incident, or no run.
        UnknownTarget: There is no such subject, column or metric.
        ConfigError: A day is none, or the file of corrections cannot be read.
        GuardError: The reason holds something private; nothing was written.
    """
    _checked(root, config, reason, since, until)
    incident = _incident(root / config.reports, target)
    if incident is not None:
        left = [item for item in incident.findings if item.mended_run is None] or list(incident.findings)
        wanted = {series_of_finding(item): item.first_run for item in left if item.kind == "monitor"}
    else:
        run = latest_run(root / config.reports)
        if run is None:
            raise LedgerError("there are no runs yet, so there is nothing to expect otherwise. `ploomber build` makes the first.")
        wanted = {series_named(target, run): run.id}
    return _carried_out(root, config, wanted, incident, reason=reason, since=since, until=until)


def expect_series(
    root: Path, config: Config, series: Series, *, run_id: str, reason: str, since: str | None = None, until: str | None = None
) -> Expecting:
    """Note that a series is to be expected as a run shows it; as :func:`expect` does for what names it.

    Args:
        root: The project's root.
        config: The project's settings.
        series: What it is about.
        run_id: The run; its day is the first, where ``since`` names none.
        reason: Why.
        since: The first day.
        until: The last day; None for ever.

    Raises:
        ConfigError: A day is none, or the file of corrections cannot be read.
        GuardError: The reason holds something private; nothing was written.
    """
    _checked(root, config, reason, since, until)
    return _carried_out(root, config, {series: run_id}, None, reason=reason, since=since, until=until)


def _checked(root: Path, config: Config, reason: str, since: str | None, until: str | None) -> None:
    if not reason.strip():
        raise ConfigError("a reason is needed: others will want to know why, and so will you.")
    _days(since, until)
    load_corrections(root)
    _guarded(root, config, reason)


def _carried_out(
    root: Path,
    config: Config,
    wanted: dict[Series, str],
    incident: Incident | None,
    *,
    reason: str,
    since: str | None,
    until: str | None,
) -> Expecting:
    made = _corrected(root, config, wanted, reason=reason, since=since, until=until)
    done = edit(
        root,
        config,
        "expected",
        message=reason,
        until=until,
        target=incident.id if incident is not None else None,
        chosen=lambda item: _is_explained(item, wanted),
    )
    said = [f"{FILE} says so now; it is yours to commit, as contracts are"] if made else []
    if incident is not None and not made:
        said.append("its findings are no monitor's, so the incident is quiet, and checks and tasks go on as they are")
    return Expecting(corrections=tuple(made), incidents=done.incidents, said=(*said, *done.said))


def _days(since: str | None, until: str | None) -> None:
    for name, text in (("--from", since), ("--until", until)):
        if text is not None:
            try:
                date.fromisoformat(text)
            except ValueError:
                raise ConfigError(f"{name} {text[:40]!r}: write a day like 2026-11-27.") from None
    if since is not None and until is not None and until < since:
        raise ConfigError(f"--until {until}: it is before --from {since}.")


def _guarded(root: Path, config: Config, reason: str) -> None:
    try:
        guard_of(root, config)([(FILE, reason.encode())])
    except GuardError as error:
        raise GuardError(f"{error}\nNothing was written.") from error


def _incident(reports: Path, target: str) -> Incident | None:
    """Return the incident that a target names; None when it names none and does not look as if it should."""
    stored = load_incidents(reports)
    if target.strip().casefold().startswith("inc-"):
        return find_incident(stored.found, target, damaged=stored.damaged)
    run = latest_run(reports)
    with suppress(UnknownTarget):
        if run is not None:
            series_named(target, run)
            return None
    with suppress(LedgerError):
        return find_incident(stored.found, target, damaged=stored.damaged)
    return None


def _corrected(
    root: Path, config: Config, wanted: dict[Series, str], *, reason: str, since: str | None, until: str | None
) -> list[Correction]:
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    by, made = who(root), []
    text = " ".join(reason.split())
    with incidents_lock(root / ".nbops"):
        for series, run_id in wanted.items():
            first = since or _day_of(root / config.reports, run_id)
            if until is not None and first is not None and until < first:
                raise ConfigError(f"--until {until}: it is before {first}, when it began; name an earlier day with --from.")
            made.append(
                add_correction(
                    root,
                    subject=series.subject,
                    column=series.column,
                    metric=series.metric,
                    monitor=series.monitor,
                    since=first,
                    until=until,
                    reason=text,
                    by=by,
                    at=now,
                )
            )
    return made


def _day_of(reports: Path, run_id: str) -> str | None:
    """Return the day that a run was for, else that of its start."""
    with suppress(LedgerError):
        run = read_run(reports, run_id)
        return (run.logical_date or run.started_at)[:10]
    return f"{run_id[:4]}-{run_id[4:6]}-{run_id[6:8]}"


def _is_explained(incident: Incident, wanted: Iterable[Series]) -> bool:
    """Tell whether all that is left of an incident is expected by now."""
    left = [item for item in incident.findings if item.mended_run is None]
    return bool(left) and all(any(series.covers(item) for series in wanted) for item in left)

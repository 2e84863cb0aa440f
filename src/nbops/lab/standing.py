"""What stands open of a project and how old its data is, as the sidebar shows it; and what is said about an incident there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbops.errors import ConfigError, did_you_mean
from nbops.history.incidents.course import is_live
from nbops.history.incidents.store import FOLDER, load_incidents
from nbops.pages.fresh import freshness_rows, made_at

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nbops.contract.config import Config
    from nbops.model import Incident, Run

__all__ = ["ACTIONS", "freshness", "open_incidents", "say_of_incident"]

ACTIONS = ("acknowledge", "expect", "resolve")
_MOST = 50
"""Incidents that are shown; how many more there are is said."""


def open_incidents(root: Path, config: Config, *, served: Callable[[Path], str | None]) -> dict[str, Any]:
    """Return what somebody has to care about, errors first and the newest before the rest.

    Args:
        root: The project's root.
        config: Its settings.
        served: Turns a file's path into the one that the browser knows; None where it is missing or out of reach.

    Returns:
        ``found`` (dictionaries), ``more`` (how many are left out), ``problems`` (files that cannot be read, a sentence each).
    """
    reports = root / config.reports
    stored = load_incidents(reports)
    live = sorted((item for item in stored.found if is_live(item)), key=lambda item: item.id, reverse=True)
    live.sort(key=lambda item: item.severity != "error")
    return {
        "found": [_shown(item, served(reports / FOLDER / f"{item.id}.html")) for item in live[:_MOST]],
        "more": max(0, len(live) - _MOST),
        "problems": list(stored.problems),
    }


def _shown(item: Incident, page: str | None) -> dict[str, Any]:
    left = [finding for finding in item.findings if finding.mended_run is None]
    return {
        "id": item.id,
        "title": item.title,
        "state": item.state,
        "severity": item.severity,
        "subject": item.root,
        "owner": item.owner,
        "opened_at": item.opened_at,
        "findings": [finding.message for finding in left][:5],
        "page": page,
    }


def freshness(run: Run) -> dict[str, dict[str, Any]]:
    """Return, by dataset, when it was made and how old its newest row was then, as far as that was measured.

    Args:
        run: The latest run.
    """
    found: dict[str, dict[str, Any]] = {item.name: {"made_at": made_at(run, item), "ages": []} for item in run.datasets}
    for row in freshness_rows(run):
        if row.dataset in found:
            found[row.dataset]["ages"].append(
                {"column": row.column, "age": row.age, "expected": row.expected, "verdict": row.verdict}
            )
    return found


def say_of_incident(
    root: Path, config: Config, incident: str, action: str, *, message: str, until: str | None = None
) -> dict[str, Any]:
    """Say something about an incident, as ``nbops incidents`` and ``nbops expect`` do, and commit it.

    Args:
        root: The project's root.
        config: Its settings.
        incident: The incident's whole id.
        action: One of :data:`ACTIONS`.
        message: In words; ``expect`` needs them.
        until: Of ``expect``: the last day; None for ever.

    Returns:
        ``incidents`` (id, state and title) and ``said`` (sentences for the user).

    Raises:
        ConfigError: There is no such action, a reason is missing, or a day is none.
        LedgerError: There is no such incident, or what is said makes no sense for it.
        GuardError: The message holds something private; nothing was written.
    """
    from nbops.workflow.expecting import expect  # noqa: PLC0415 - who only looks pays for none of it
    from nbops.workflow.incident_edits import edit  # noqa: PLC0415

    if action not in ACTIONS:
        raise ConfigError(f"unknown action {action[:40]!r}. {did_you_mean(action[:40], ACTIONS)}")
    if not incident.startswith("INC-"):
        raise ConfigError(f"{incident[:40]!r} is no incident's id.")
    if "\0" in message:
        raise ConfigError("the message holds a NUL character; write plain text.")
    if action == "expect":
        expected = expect(root, config, incident, reason=message, until=until)
        incidents, said = expected.incidents, expected.said
    else:
        done = edit(root, config, "acknowledged" if action == "acknowledge" else "resolved", target=incident, message=message)
        incidents, said = done.incidents, done.said
    return {
        "incidents": [{"id": item.id, "state": item.state, "title": item.title} for item in incidents],
        "said": list(said),
    }

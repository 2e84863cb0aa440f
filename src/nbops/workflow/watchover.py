"""What becomes of a run's findings: the end of a build brings the incidents up to it.

A note in ``.nbops`` stands from before the ledger is written until its incidents are, so that a build which is killed in between
is made good by the next one.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nbops.errors import LedgerError
from nbops.history.incidents.store import FOLDER, incidents_lock
from nbops.record.ledger import as_stored
from nbops.record.store import read_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from nbops.contract.config import Config
    from nbops.history.incidents.course import Change
    from nbops.model import Incident, Run

__all__ = ["Watched", "announce", "catch_up", "keep_incidents"]

_PENDING = ".nbops/incidents.pending"
_PIPELINE = "pipeline:"
_BAD = frozenset({"failed", "errored", "warned"})
_EXPLAINED = frozenset({"opened", "grown", "reopened"})
_WORDS = {"opened": "opened", "reopened": "reopened", "grown": "grown", "resolved": "resolved"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What a run did to the incidents."""

    changes: tuple[Change, ...] = ()
    said: tuple[str, ...] = ()
    """Sentences for the user."""


def announce(root: Path, run_id: str) -> None:
    """Note that a run's ledger is about to be written, and its incidents after it."""
    with suppress(OSError):
        (root / _PENDING).parent.mkdir(parents=True, exist_ok=True)
        (root / _PENDING).write_text(run_id, encoding="utf-8")


def keep_incidents(root: Path, config: Config, run: Run, *, clean: Callable[[str], str] = str) -> Watched:
    """Bring the incidents up to a run whose ledger is written; whatever goes wrong is said, and the build goes on.

    Args:
        root: The project's root.
        config: The project's settings.
        run: The run.
        clean: Takes secrets, personal values and machine paths out of what is said of causes: it quotes code and parameters.
    """
    if not _is_of_interest(run) and not (root / config.reports / FOLDER).exists():
        _forget(root)
        return Watched()
    from nbops.history.incidents.update import update  # noqa: PLC0415 - a build in which all is well does without

    try:
        stored = as_stored(run)
        with incidents_lock(root / ".nbops"):
            updated = update(
                root / config.reports,
                stored,
                finish=lambda change: _explained(root, config, stored, change, clean),
                cache=root / ".nbops/cache",
            )
    except Exception as error:  # noqa: BLE001 - the ledger is safe; incidents are made again from it
        why = str(error) if isinstance(error, LedgerError) else f"{type(error).__name__}: {error}"
        return Watched(
            said=(f"incidents could not be kept: {why.rstrip('.')}; `nbops incidents --rebuild` makes them from the ledgers",)
        )
    _forget(root)
    return Watched(changes=updated.changes, said=(*updated.problems, *_told(updated.changes)))


def _forget(root: Path) -> None:
    with suppress(OSError):
        (root / _PENDING).unlink(missing_ok=True)


def _is_of_interest(run: Run) -> bool:
    """Tell at a glance whether a run may show something that is wrong; where it may not, there is nothing to bring up to it."""
    return (
        bool(run.errors or run.anomalies)
        or any(task.status == "failed" for task in run.tasks)
        or any(item.error for item in run.datasets)
        or any(result.verdict in _BAD and result.from_run is None for result in run.checks)
    )


def _explained(root: Path, config: Config, run: Run, change: Change, clean: Callable[[str], str]) -> Incident:
    """Return an incident with its possible causes, looked for when there is more of it than before."""
    incident = change.incident
    if incident.root.startswith(_PIPELINE) or not any(event.what in _EXPLAINED for event in change.events):
        return incident  # a build that was killed has no cause in code or data
    try:
        from nbops.workflow.causes import causes_for  # noqa: PLC0415 - only where something went wrong

        good = None
        if incident.last_good_run is not None:
            with suppress(LedgerError):
                good = read_run(root / config.reports, incident.last_good_run)
        causes = causes_for(root, config, incident, run, good)
        return replace(
            incident,
            causes=tuple(
                replace(cause, message=clean(cause.message), evidence=tuple(clean(item) for item in cause.evidence))
                for cause in causes
            ),
        )
    except Exception:  # noqa: BLE001 - an incident without a cause is worth more than none
        return incident


def catch_up(root: Path, config: Config, recovered: Iterable[Run]) -> Watched:
    """Bring the incidents up to runs that were killed, before another begins.

    Args:
        root: The project's root.
        config: The project's settings.
        recovered: Runs whose ledgers say only now that they were interrupted, the oldest first.
    """
    runs = {run.id: run for run in recovered}
    with suppress(OSError, LedgerError):
        pending = (root / _PENDING).read_text(encoding="utf-8").strip()
        if pending not in runs:
            run = read_run(root / config.reports, pending)
            if run.status != "running":
                runs[run.id] = run
    found = [keep_incidents(root, config, runs[run_id]) for run_id in sorted(runs)]
    return Watched(
        changes=tuple(change for item in found for change in item.changes),
        said=tuple(sentence for item in found for sentence in item.said),
    )


def _told(changes: Iterable[Change]) -> tuple[str, ...]:
    return tuple(
        f"incident {change.incident.id} {_WORDS[event.what]}: {change.incident.title}"
        for change in changes
        for event in change.events
        if event.what in _WORDS
    )

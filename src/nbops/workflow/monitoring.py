"""A run judged by its history: what the monitors find becomes part of it before it is recorded.

Where nothing was measured anew and the run is for no day of its own, only whether something new should have come is judged, and
that once an hour: else neither the index nor what the monitors calculate with is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING

from nbops.errors import ConfigError
from nbops.model import Notice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from nbops.contract.config import Config
    from nbops.history.expected import Correction
    from nbops.history.monitors import Judgement
    from nbops.history.monitors.courses import Courses
    from nbops.model import Run

__all__ = ["Monitored", "logical_date_of", "monitored"]

_DATES = ("logical_date", "run_date", "ds", "day", "date", "partition")
"""Parameters that say which day a run is for, the most telling first."""
_LONGEST = 300
_HOUR = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitored:
    """A run that was judged."""

    run: Run
    """With what was found."""
    courses: Mapping[str, Courses] = field(default_factory=dict)
    """Datasets to their series as they were judged, for the pages, which would judge them again."""


def logical_date_of(parameters: Mapping[str, Any], name: str | None = None) -> str | None:
    """Return the day or instant that a run is for, as its parameter says; None when none does.

    Args:
        parameters: The pipeline's.
        name: The parameter that the settings name; by default one called ``day``, ``date``, ``ds`` and the like.

    >>> logical_date_of({"scale": 3, "day": "2011-01-04"}), logical_date_of({"day": "Monday"})
    ('2011-01-04', None)
    """
    for wanted in (name,) if name is not None else _DATES:
        value = parameters.get(wanted)
        text = value.isoformat() if isinstance(value, date) else value.strip() if isinstance(value, str) else ""
        if _is_date(text):
            return text
    return None


def _is_date(text: str) -> bool:
    try:  # Python 3.10 knows no Z
        datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)
    except ValueError:
        return False
    return "-" in text  # 20110104 is a number as often as it is a day


def monitored(root: Path, config: Config, run: Run, *, previous: Run | None) -> Monitored:
    """Return a run with what the monitors find in it; nothing that goes wrong here stops a build.

    Args:
        root: The project's root.
        config: The project's settings.
        run: The run, scrubbed, not yet recorded.
        previous: The run before it.
    """
    run = replace(run, logical_date=logical_date_of(run.parameters, config.monitoring.logical_date))
    news = _has_news(run, previous)
    if not (news or _is_an_hour_older(run, previous)) or not _is_watched(config, run):
        return Monitored(run=run)
    try:
        found, notices = _judged(root, config, run)
    except Exception as error:  # noqa: BLE001 - the run is recorded without
        notice = _notice(f"the monitors failed: {type(error).__name__}: {error}")
        return Monitored(run=replace(run, notices=(*run.notices, notice)))
    notices += [_notice(text) for text in found.errors]
    if not (news or found.anomalies or notices):
        return Monitored(run=run)  # a run with nothing to do and nothing to tell is recorded as it is
    verdict = "warned" if found.raised and run.verdict in {"passed", "skipped"} else run.verdict
    run = replace(
        run,
        anomalies=found.anomalies,
        monitors=found.counts,
        verdict=verdict,
        notices=(*run.notices, *notices),
    )
    return Monitored(run=run, courses=found.courses)


def _has_news(run: Run, previous: Run | None) -> bool:
    """Tell whether something was measured anew, a task ran, or the run is for another day than the one before."""
    if any(item.from_run is None for item in run.datasets) or any(task.status == "succeeded" for task in run.tasks):
        return True
    return run.logical_date is not None and (previous is None or previous.logical_date != run.logical_date)


def _is_an_hour_older(run: Run, previous: Run | None) -> bool:
    """Tell whether data that was carried over is a full hour older than in the run before: repeated builds are passed over."""
    now, before = (_seconds(one.started_at if one is not None else "") for one in (run, previous))
    if now is None or before is None:
        return False
    ages = [(now - since, before - since) for item in run.datasets if (since := _stamp(item.from_run)) is not None]
    return any(age // _HOUR > earlier // _HOUR for age, earlier in ages)


def _stamp(run_id: str | None) -> float | None:
    return _seconds((run_id or "").partition("-")[0], "%Y%m%dT%H%M%SZ")


def _seconds(text: str, form: str = "%Y-%m-%dT%H:%M:%SZ") -> float | None:
    try:
        return datetime.strptime(text, form).replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        return None


def _is_watched(config: Config, run: Run) -> bool:
    settings = config.monitoring
    return settings.enabled or any(settings.sensitivity_of(item.name) is not None for item in run.datasets)


def _judged(root: Path, config: Config, run: Run) -> tuple[Judgement, list[Notice]]:
    from nbops.history.index import open_history  # noqa: PLC0415 - loads SQLite
    from nbops.history.monitors import judge  # noqa: PLC0415

    corrections, notices = _corrections(root)
    with open_history(root / config.reports, root / ".nbops/cache") as history:
        history.sync()
        history.add(run)
        return judge(run, history, settings=config.monitoring, expected=corrections), notices


def _corrections(root: Path) -> tuple[Sequence[Correction], list[Notice]]:
    from nbops.history.expected import load_corrections  # noqa: PLC0415

    try:
        return load_corrections(root), []
    except ConfigError as error:
        return (), [_notice(f"{str(error).rstrip('.')}; nothing was taken for expected")]


def _notice(text: str) -> Notice:
    return Notice(kind="monitoring", message=" ".join(text.split())[:_LONGEST])

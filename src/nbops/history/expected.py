"""Corrections: what somebody said is to be expected, in ``monitoring/expected.yaml``, a file in git that later judgements use.

An entry says where (subject, and column, metric or monitor where it is about one), from when until when (logical dates or days,
both included; without an end it holds for ever), why, who and when. An anomaly that an entry covers is kept, marked with the
entry's id, and raises nothing; values of covered days teach the monitors nothing when the entry has an end, and teach them the
new normal at once when it has none.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any

from nbops.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from nbops.model import Anomaly

__all__ = ["FILE", "Correction", "add_correction", "applies", "load_corrections", "remove_corrections"]

FILE = "monitoring/expected.yaml"
_HEAD = "# What nbops' monitors are told to expect; written by `nbops expect`, may be edited. See docs/monitoring.md.\n"
_TEXTS = ("id", "subject", "column", "metric", "monitor", "from", "until", "run", "reason", "by", "at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """Something that is to be expected."""

    id: str
    subject: str
    """``dataset:NAME``, ``task:NAME``, or ``*`` for everything."""
    column: str | None = None
    metric: str | None = None
    monitor: str | None = None
    since: str | None = None
    """The first day (ISO) that it holds for; None: from the beginning. ``from`` in the file."""
    until: str | None = None
    """The last day that it holds for, None: for ever."""
    run: str | None = None
    """Only this run."""
    reason: str = ""
    by: str | None = None
    at: str | None = None


def load_corrections(root: Path) -> tuple[Correction, ...]:
    """Read the corrections of a project; none where there is no file.

    Raises:
        ConfigError: The file cannot be read, or an entry is wrong.
    """
    path = root / FILE
    if not path.exists():
        return ()
    entries = _document(path)
    return tuple(_read(item, f"[{number}]") for number, item in enumerate(entries))


def _document(path: Path) -> list[Any]:
    from ruamel.yaml import YAML  # noqa: PLC0415 - takes 30 ms to import, and most projects have no corrections
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415

    try:
        entries = YAML().load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise ConfigError(f"{FILE}: cannot be read: {' '.join(str(error).split())[:200]}.") from error
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise ConfigError(f"{FILE}: must be a list of entries.")
    return entries


def _read(item: Any, where: str) -> Correction:
    if not isinstance(item, dict):
        raise ConfigError(f"{FILE}: {where}: must be an entry with 'id' and 'subject'.")
    for key in item:
        if key not in _TEXTS:
            raise ConfigError(f"{FILE}: {where}: unknown key {str(key)[:40]!r}. {did_you_mean(str(key), _TEXTS)}")
    found = {key: str(value) for key, value in item.items() if value is not None}
    if not found.get("id") or not found.get("subject"):
        raise ConfigError(f"{FILE}: {where}: 'id' and 'subject' are needed.")
    for key in ("from", "until"):
        if key in found and day_of(found[key]) is None:
            raise ConfigError(f"{FILE}: {where}: {key} {found[key][:40]!r} is no day; write it like '2026-11-27'.")
    since = found.pop("from", None)
    return Correction(since=since, **found)


def day_of(text: str | None) -> dt.date | None:
    """Return the day of an ISO date or instant; of a run's id that of its stamp; None when it is neither.

    >>> day_of("2026-11-27T10:00:00Z"), day_of("20261122T194156Z-1f0c9a"), day_of("soon")
    (datetime.date(2026, 11, 27), datetime.date(2026, 11, 22), None)
    """
    if not text:
        return None
    with suppress(ValueError):
        return dt.date.fromisoformat(text[:10])
    with suppress(ValueError):
        return dt.datetime.strptime(text[:8], "%Y%m%d").replace(tzinfo=dt.timezone.utc).date()
    return None


def applies(correction: Correction, anomaly: Anomaly, *, run: str, day: str | None = None) -> bool:
    """Tell whether a correction covers an anomaly.

    Args:
        correction: The entry.
        anomaly: What a monitor found.
        run: The run's id.
        day: The day that the run is for (ISO), where a parameter says so; else that of its id counts.
    """
    pairs = ((correction.column, anomaly.column), (correction.metric, anomaly.metric), (correction.monitor, anomaly.monitor))
    if correction.subject not in {"*", anomaly.subject} or any(wanted is not None and wanted != is_ for wanted, is_ in pairs):
        return False
    return holds(correction, run=run, day=day)


def holds(correction: Correction, *, run: str, day: str | None = None) -> bool:
    """Tell whether a correction is about a run."""
    if correction.run is not None:
        return correction.run == run
    at, since, until = day_of(day) or day_of(run), day_of(correction.since), day_of(correction.until)
    if at is None:
        return since is None and until is None
    return (since is None or since <= at) and (until is None or at <= until)


def accepted_by(corrections: Iterable[Correction], anomaly: Anomaly, *, run: str, day: str | None = None) -> str | None:
    """Return the id of the first correction that covers an anomaly, None when none does."""
    return next((item.id for item in corrections if applies(item, anomaly, run=run, day=day)), None)


def add_correction(
    root: Path,
    *,
    subject: str,
    reason: str,
    column: str | None = None,
    metric: str | None = None,
    monitor: str | None = None,
    since: str | None = None,
    until: str | None = None,
    run: str | None = None,
    by: str | None = None,
    at: str | None = None,
) -> Correction:
    """Add an entry to the file, which keeps its comments; the same entry twice is one.

    Args:
        root: The project's root.
        subject: ``dataset:NAME``, ``task:NAME`` or ``*``.
        reason: Why it is to be expected.
        column: Only of this column.
        metric: Only of this series.
        monitor: Only of this monitor.
        since: The first day, ISO.
        until: The last day, ISO; None: for ever.
        run: Only this run.
        by: Who says so.
        at: When, ISO.

    Raises:
        ConfigError: The file that is there cannot be read, or a day is none.
    """
    from ruamel.yaml import YAML  # noqa: PLC0415 - takes 30 ms to import

    about = (subject, column, metric, monitor, since, until, run)
    made = Correction(
        id=f"EXP-{hashlib.sha256(repr(about).encode('utf-8', 'replace')).hexdigest()[:8]}",
        subject=subject,
        column=column,
        metric=metric,
        monitor=monitor,
        since=since,
        until=until,
        run=run,
        reason=reason,
        by=by,
        at=at,
    )
    values = {("from" if key == "since" else key): value for key, value in asdict(made).items() if value is not None}
    ordered = {key: values[key] for key in _TEXTS if key in values}
    _read(ordered, "the new entry")
    if made.id in {item.id for item in load_corrections(root)}:
        return made
    path = root / FILE
    text = path.read_text(encoding="utf-8") if path.exists() else _HEAD
    out = StringIO()
    yaml = YAML()
    yaml.width = 120
    yaml.dump([ordered], out)
    _write(path, _joined(text, out.getvalue()))
    return made


def remove_corrections(root: Path, ids: Iterable[str]) -> tuple[str, ...]:
    """Take entries out of the file, which keeps all others as they are written.

    Args:
        root: The project's root.
        ids: Of the entries; those that are not there are left out.

    Returns:
        The ids of those that were taken out.

    Raises:
        ConfigError: The file cannot be read, or not be changed without changing something else.
    """
    from nbops.contract.yamltext import remove  # noqa: PLC0415 - few take anything back

    path, wanted = root / FILE, set(ids)
    known = [item.id for item in load_corrections(root)]
    gone = [number for number, name in enumerate(known) if name in wanted]
    if not gone:
        return ()
    text = path.read_text(encoding="utf-8")
    if len(gone) == len(known):
        kept = [line for line in text.splitlines(keepends=True) if line.startswith("#")]
        _write(path, "".join(kept) or _HEAD)
    else:
        for number in reversed(gone):
            text = remove(text, (number,), shown=FILE)
        _write(path, text)
    return tuple(known[number] for number in gone)


def _joined(text: str, entry: str) -> str:
    """Append to what is there, untouched; an empty flow list gives way."""
    kept = "\n".join(line for line in text.splitlines() if line.strip() not in {"[]", "---"})
    return f"{kept.rstrip()}\n{entry}" if kept.strip() else entry


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def taught(corrections: Sequence[Correction], *, subject: str, column: str | None, metric: str, monitor: str) -> list[Correction]:
    """Return the corrections with an end that are about a series: its values of those days teach nothing."""
    return [
        item
        for item in corrections
        if (item.until is not None or item.run is not None)
        and item.subject in {"*", subject}
        and item.column in {None, column}
        and item.metric in {None, metric}
        and item.monitor in {None, monitor}
    ]

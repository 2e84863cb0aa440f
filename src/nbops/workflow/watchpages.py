"""What the pages show of monitoring, put together from ledgers, the history's index and incidents.

What was out of the ordinary is what ledgers say, as it was judged then. What one run says is kept in
``.nbops/cache/watched.json`` once it was read; the file may be deleted at any time.
"""

from __future__ import annotations

import json
import math
from contextlib import suppress
from datetime import datetime, timezone
from itertools import islice
from typing import TYPE_CHECKING, Any

from nbops.contract.config_monitoring import Monitoring, load_monitoring
from nbops.errors import ConfigError, LedgerError
from nbops.history.incidents.store import load_incidents
from nbops.model import Anomaly, MonitorCount
from nbops.pages.watch import BandPoint, BandSeries, RunWatch, Watch
from nbops.record.codec import decode, encode
from nbops.record.plain import clean_text
from nbops.record.store import ledger_path, loader, newest_ids, read_run, replace_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from nbops.history.index import History, SeriesPoint
    from nbops.history.monitors.courses import Courses
    from nbops.model import Run

__all__ = ["watch_of"]

_RUNS, _LOOKED_AT = 60, 120
"""Runs of which pages tell what was out of the ordinary, and those that are looked at for them: many have nothing to tell."""
_CACHE_FILE, _VERSION, _KEPT = "watched.json", 1, 150
_POINTS, _OVERVIEW_POINTS, _SERIES = 400, 90, 16
_TOLD = 42
"""Points of a series that pages are given."""
_MOVERS = frozenset({"mean", "distinctValues", "distinctRate", "quantile:0.5", "standardDeviation", "lag", "duplicateRate"})
_MOVED = 0.002
_SHORT = ("rowCount", "age", "interval")

Key = tuple[str | None, str]


def watch_of(root: Path, reports: Path, run: Run | None) -> Watch:
    """Return monitoring as of a run.

    Args:
        root: The project's root.
        reports: Its ``reports`` folder.
        run: The newest run; None where there is none.
    """
    cache = root / ".nbops/cache"
    incidents = load_incidents(reports).found
    if run is None:
        return Watch(incidents=incidents)
    try:
        settings = load_monitoring(root)
    except ConfigError:  # said where it is read to judge by
        settings = Monitoring()
    runs = _run_watches(reports, cache, run)
    return Watch(runs=runs, incidents=incidents, bands=_Bands(reports, cache, run, settings, runs))


# --- what runs say ---


def _run_watches(reports: Path, cache: Path, run: Run) -> tuple[RunWatch, ...]:
    ids = [*islice(newest_ids(reports, before=run.id), _LOOKED_AT - 1)][::-1]
    known, fresh, found = _read_cache(cache / _CACHE_FILE), False, []
    load = loader(reports)
    for run_id in ids:
        with suppress(OSError, LedgerError):
            state = ledger_path(reports, run_id).stat()
            stamp = [state.st_size, state.st_mtime_ns]
            seen = _restored(known.get(run_id), run_id, stamp)
            if seen is None:
                seen = _watch(read_run(reports, run_id, load=load))
                known[run_id] = {"stamp": stamp, "run": _plain(seen)}
                fresh = True
            found.append(seen)
    if fresh:
        _write_cache(cache / _CACHE_FILE, known)
    told = [seen for seen in (*found, _watch(run)) if seen.datasets or seen.anomalies or seen.monitors]
    return tuple(told[-_RUNS:])


def _watch(run: Run) -> RunWatch:
    return RunWatch(
        run=run.id,
        at=run.logical_date or run.started_at,
        datasets=frozenset(item.name for item in run.datasets if item.from_run is None and item.changed),
        anomalies=run.anomalies,
        monitors=run.monitors,
    )


def _plain(seen: RunWatch) -> dict[str, Any]:
    return {
        "at": seen.at,
        "datasets": sorted(seen.datasets),
        "anomalies": [encode(one) for one in seen.anomalies],
        "monitors": [encode(one) for one in seen.monitors],
    }


def _restored(entry: Any, run_id: str, stamp: list[int]) -> RunWatch | None:
    """Return what the cache holds of a run when it has the form of it and the ledger is as it was then."""
    with suppress(TypeError, KeyError, ValueError, AttributeError):
        if entry is None or entry["stamp"] != stamp:
            return None
        held = entry["run"]
        return RunWatch(
            run=run_id,
            at=str(held["at"]),
            datasets=frozenset(map(str, held["datasets"])),
            anomalies=tuple(decode(Anomaly, one) for one in held["anomalies"]),
            monitors=tuple(decode(MonitorCount, one) for one in held["monitors"]),
        )
    return None


def _read_cache(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes())
        runs = data["runs"] if data["version"] == _VERSION else {}
    except (OSError, ValueError, RecursionError, TypeError, KeyError):
        return {}
    return dict(runs) if isinstance(runs, dict) else {}


def _write_cache(path: Path, known: Mapping[str, Any]) -> None:
    kept = {run_id: known[run_id] for run_id in sorted(known)[-_KEPT:]}
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"version": _VERSION, "runs": kept}, ensure_ascii=False)
        replace_file(path, clean_text(text).encode(), durable=False)


# --- series with their bands ---


class _Bands:
    """Gives the series of a dataset with what was expected; the history is opened when the first is asked for."""

    def __init__(self, reports: Path, cache: Path, run: Run, settings: Monitoring, runs: Sequence[RunWatch]) -> None:
        self._reports, self._cache, self._run, self._settings, self._runs = reports, cache, run, settings, runs
        self._history: History | None = None

    def __call__(self, dataset: str, short: bool) -> Sequence[BandSeries]:  # noqa: FBT001 - the form of BandsOf
        if self._history is None:
            from nbops.history.index import open_history  # noqa: PLC0415 - a build in which nothing is new needs no SQLite

            self._history = open_history(self._reports, self._cache)
            self._history.sync()
            self._history.add(self._run)
        subject = f"dataset:{dataset}"
        series = self._history.series(subject, limit=_OVERVIEW_POINTS if short else _POINTS)
        if short:
            series = {key: points for key, points in series.items() if key[0] is None and key[1] in _SHORT}
        return self._series(subject, dataset, series, short=short)

    def _series(
        self, subject: str, dataset: str, series: Mapping[Key, Sequence[SeriesPoint]], *, short: bool
    ) -> list[BandSeries]:
        from nbops.history.monitors.courses import courses_of  # noqa: PLC0415 - numpy

        sensitivity = self._settings.sensitivity_of(dataset)
        columns = next((item.columns for item in self._run.datasets if item.name == dataset), ())
        timed = frozenset(item.name for item in columns if item.physical_type.upper().startswith(("DATE", "TIMESTAMP")))
        courses = courses_of(subject, series, timed=timed, sensitivity=sensitivity or "normal") if series else None
        judged = courses if sensitivity is not None else None
        raised = {(one.column, one.metric) for run in self._runs for one in run.anomalies if one.subject == subject}
        every = [*series, *(key for key in (judged.keys if judged else ()) if key not in series)]
        chosen = every if short else _worth_showing(every, series, judged, raised, self._out_now(subject))
        return [_banded(key, series.get(key, ()), judged) for key in chosen]

    def _out_now(self, subject: str) -> frozenset[Key]:
        last = next((run for run in reversed(self._runs) if subject.partition(":")[2] in run.datasets), None)
        return frozenset((one.column, one.metric) for one in (last.anomalies if last else ()) if one.subject == subject)


def _worth_showing(
    every: Sequence[Key],
    series: Mapping[Key, Sequence[SeriesPoint]],
    judged: Courses | None,
    raised: set[Key],
    now: frozenset[Key],
) -> list[Key]:
    """Return the series to show, the first ones large: what is out of the ordinary, rows, freshness, and what moves."""
    ranked: list[tuple[float, int, Key]] = []
    for position, key in enumerate(every):
        column, metric = key
        values = [point.value for point in series.get(key, ()) if point.changed]
        if judged is not None and key in judged.keys:
            values = judged.values(key)
        values = [value for value in values[-_TOLD:] if math.isfinite(value)]
        if not values:
            continue
        moved = (max(values) - min(values)) / (max(map(abs, values)) or 1.0)
        if key in now:
            weight = 5.0
        elif column is None and metric in _SHORT:
            weight = 4.0 - _SHORT.index(metric) / 10
        elif key in raised:
            weight = 3.0
        elif metric == "nullRate" and max(values) - min(values) > _MOVED:
            weight = 2.0 + min(moved, 1.0) / 2
        elif metric in _MOVERS and moved > _MOVED:
            weight = 1.0 + min(moved, 1.0) / 2
        else:
            continue
        ranked.append((-weight, position, key))
    return [key for _, _, key in sorted(ranked)[:_SERIES]]


def _banded(key: Key, points: Sequence[SeriesPoint], judged: Courses | None) -> BandSeries:
    column, metric = key
    if judged is None or key not in judged.keys:
        found = [BandPoint(run=point.run, at=_iso(point.at.timestamp()), value=point.value) for point in points if point.changed][
            -_TOLD:
        ]
        return BandSeries(metric=metric, column=column, points=tuple(found))
    values = judged.values(key)
    there = [step for step, value in enumerate(values) if math.isfinite(value)][-_TOLD:]
    banded = []
    expected = None
    for step in there:
        expected = judged.expected(key, step)
        banded.append(
            BandPoint(
                run=judged.runs[step],
                at=_iso(judged.at[step]),
                value=values[step],
                low=expected.low,
                high=expected.high,
                center=expected.center,
            )
        )
    return BandSeries(metric=metric, column=column, points=tuple(banded), expected=expected)


def _iso(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, tz=timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return ""

"""What the pages show of monitoring, put together from ledgers, the history's index and incidents.

What was out of the ordinary is what ledgers say, as it was judged then. What one run says is kept in
``.nbops/cache/watched.json`` once it was read; the file may be deleted at any time.
"""

from __future__ import annotations

import json
import math
from contextlib import suppress
from datetime import datetime, timezone
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from nbops.contract.config_monitoring import Monitoring, load_monitoring
from nbops.errors import ConfigError, LedgerError
from nbops.history.incidents.store import load_incidents
from nbops.model import Anomaly, MonitorCount
from nbops.pages.watch import BandPoint, BandSeries, RunWatch, Watch
from nbops.quality.recommender_names import RECOMMENDER_METRICS
from nbops.record.codec import decode, encode
from nbops.record.plain import clean_text
from nbops.record.store import ledger_path, loader, newest_ids, read_run, replace_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from nbops.history.expected import Correction
    from nbops.history.index import History
    from nbops.history.monitors.courses import Courses
    from nbops.model import Run

__all__ = ["watch_of"]

_RUNS, _LOOKED_AT = 60, 120
"""Runs of which pages tell what was out of the ordinary, and those that are looked at for them: many have nothing to tell."""
_CACHE_FILE, _VERSION, _KEPT = "watched.json", 1, 150
_SERIES = 16
_TOLD = 42
"""Points of a series that pages are given."""
_MOVERS = frozenset({"mean", "distinctValues", "distinctRate", "quantile:0.5", "standardDeviation", "lag", "duplicateRate"})
_MOVED = 0.002
_SHORT = ("rowCount", "age", "interval")

Key = tuple[str | None, str]


def watch_of(root: Path, reports: Path, run: Run | None, *, courses: Mapping[str, Courses] | None = None) -> Watch:
    """Return monitoring as of a run.

    Args:
        root: The project's root.
        reports: Its ``reports`` folder.
        run: The newest run; None where there is none.
        courses: Datasets to their series, of those that were judged at the end of this run; others are judged when asked for.
    """
    cache = root / ".nbops/cache"
    incidents = load_incidents(reports, cache=cache).found
    if run is None:
        return Watch(incidents=incidents)
    try:
        settings = load_monitoring(root)
    except ConfigError:  # said where it is read to judge by
        settings = Monitoring()
    runs = _run_watches(reports, cache, run)
    return Watch(runs=runs, incidents=incidents, bands=_Bands(root, reports, run, settings, runs, dict(courses or {})))


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
    """Gives the series of a dataset with what was expected; the history is opened when one was not judged yet."""

    def __init__(  # noqa: PLR0917 - made in one place
        self,
        root: Path,
        reports: Path,
        run: Run,
        settings: Monitoring,
        runs: Sequence[RunWatch],
        courses: dict[str, Courses | None],
    ) -> None:
        self._root, self._reports, self._run, self._settings, self._runs = root, reports, run, settings, runs
        self._courses = courses
        self._history: History | None = None
        self._expected: Sequence[Correction] = ()

    def __call__(self, dataset: str, short: bool) -> Sequence[BandSeries]:  # noqa: FBT001 - the form of BandsOf
        courses = self._of(dataset, short=short)
        if courses is None:
            return []
        places, every = courses.places(), courses.keys()
        if short:
            chosen = [key for key in every if key[0] is None and key[1] in _SHORT] + _lists(every, courses)
        else:
            subject = f"dataset:{dataset}"
            raised = {(one.column, one.metric) for run in self._runs for one in run.anomalies if one.subject == subject}
            lists = _lists(every, courses)
            rest = [key for key in every if key not in lists]
            chosen = _worth_showing(rest, courses, places, raised, self._out_now(subject)) + lists
        return [_banded(key, courses, places) for key in chosen]

    def _of(self, dataset: str, *, short: bool) -> Courses | None:
        if short and dataset not in self._courses:
            return self._judged(dataset, whole=False)  # an overview names many that this run did not measure
        if dataset not in self._courses:
            self._courses[dataset] = self._judged(dataset, whole=True)
        return self._courses[dataset]

    def _judged(self, dataset: str, *, whole: bool) -> Courses | None:
        from nbops.history.monitors import courses_of  # noqa: PLC0415 - with the history

        if self._history is None:
            from nbops.history.expected import load_corrections  # noqa: PLC0415
            from nbops.history.index import open_history  # noqa: PLC0415 - a build in which nothing is new needs no SQLite

            self._history = open_history(self._reports, self._root / ".nbops/cache")
            self._history.sync()
            self._history.add(self._run)
            with suppress(ConfigError):  # said where it is read to judge by
                self._expected = load_corrections(self._root)
        return courses_of(
            self._history,
            dataset,
            columns=next((item.columns for item in self._run.datasets if item.name == dataset), ()),
            sensitivity=self._settings.sensitivity_of(dataset),
            expected=self._expected,
            whole=whole,
        )

    def _out_now(self, subject: str) -> frozenset[Key]:
        last = next((run for run in reversed(self._runs) if subject.partition(":")[2] in run.datasets), None)
        return frozenset((one.column, one.metric) for one in (last.anomalies if last else ()) if one.subject == subject)


def _lists(every: Sequence[Key], courses: Courses) -> list[Key]:
    """Return the series of recommendations that are measured still, in the order in which they are shown."""
    keys: list[Key] = [(None, metric) for metric in RECOMMENDER_METRICS]
    return [key for key in keys if key in every and key in courses.current]


def _worth_showing(
    every: Sequence[Key],
    courses: Courses,
    places: Mapping[Key, int],
    raised: set[Key],
    now: frozenset[Key],
) -> list[Key]:
    """Return the series to show, the first ones large: what is out of the ordinary, rows, freshness, and what moves."""
    ranked: list[tuple[float, int, Key]] = []
    for position, key in enumerate(every):
        column, metric = key
        values = courses.values(places[key]) if key in places else [point.value for point in courses.points(key)]
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


def _banded(key: Key, courses: Courses, places: Mapping[Key, int]) -> BandSeries:
    column, metric = key
    if key not in places:
        found = [
            BandPoint(run=point.run, at=_iso(point.at.timestamp()), value=point.value) for point in courses.points(key)[-_TOLD:]
        ]
        rhythm = courses.rhythm if key == (None, "interval") else ""
        return BandSeries(metric=metric, column=column, points=tuple(found), rhythm=rhythm)
    runs, values = courses.runs(), courses.values(places[key])
    there = [step for step, value in enumerate(values) if math.isfinite(value)][-_TOLD:]
    banded = [
        BandPoint(runs[step][0], _iso(runs[step][1]), values[step], low, high, center)
        for step, (low, high, center) in zip(there, courses.band(places[key], there), strict=True)
    ]
    expected = courses.expected(places[key], there[-1]) if there else None
    return BandSeries(metric=metric, column=column, points=tuple(banded), expected=expected)


@lru_cache(maxsize=1_024)  # the same runs for each series
def _iso(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, tz=timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return ""

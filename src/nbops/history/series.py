"""What earlier runs measured of a dataset: a bounded series of points, whatever the number of runs.

Only runs that measured a dataset anew have a point. From each the next is found by where the run before it says that the data
is from, so that a hundred builds with nothing to do neither cost anything nor push a point out. What one run adds is kept, once
it was read, in a small file of its own in ``.nbops/cache/points``; the folder may be deleted at any time.
"""

from __future__ import annotations

import heapq
import json
import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from nbops.errors import LedgerError
from nbops.quality.recommender_names import RECOMMENDER_METRICS
from nbops.record.plain import clean_text
from nbops.record.store import ledger_path, loader, read_run, replace_file, run_folders

if TYPE_CHECKING:
    from pathlib import Path

    from nbops.model import Dataset, Run

__all__ = ["POINTS", "CheckPoint", "Point", "Series", "points_of", "series_of"]

POINTS = 20
"""Points of a dataset at most, the newest."""
_MOST_RUNS = 60
"""Runs that are looked at for all datasets of a run together."""
_MOST_COLUMNS = 250
_METRICS = ("nullValues", "distinctValues", "minimum", "maximum", "mean")
"""Measurements of columns whose course is of use."""
_VERSION, _FOLDER, _KEPT = 1, "points", 200


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPoint:
    """A check in one run."""

    verdict: str
    observed: float | None
    """None when it was no number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A dataset as one run measured it."""

    run: str
    verdict: str
    published: bool
    rows: int | None
    bytes: int | None
    content: str | None
    """The content's hash."""
    checks: Mapping[str, CheckPoint]
    """By the check's id."""
    measured: Mapping[tuple[str, str], float]
    """``(metric, column)`` to number; of recommendations as a whole the column is empty."""


Series = Mapping[str, Sequence[Point]]
"""Dataset to its points, the oldest first; the last is that of the run itself."""


def series_of(run: Run, *, reports: Path, cache: Path | None = None) -> Series:
    """Return the course of each dataset that a run measured.

    The same ledgers give the same series, and at most 60 of them are looked at.

    Args:
        run: The run, as stored.
        reports: The project's ``reports`` folder; a ledger there that cannot be read is passed over.
        cache: Folder for the cache, such as ``.nbops/cache``; that it cannot be written is no error.
    """
    ids = run_folders(reports)  # one without a ledger says nothing
    own = _Seen.of(run)
    found: dict[str, list[Point]] = {name: [point] for name, point in own.points.items()}
    source = _Source(reports, cache)
    source.keep(run, own)
    queue = [(_Descending(before), name) for name in found if (before := _before(ids, run.id))]
    heapq.heapify(queue)
    looked: set[str] = set()
    while queue:
        at, name = heapq.heappop(queue)
        run_id = at.text
        if run_id not in looked and len(looked) >= _MOST_RUNS:
            break
        looked.add(run_id)
        seen = source.seen(run_id)
        following = _before(ids, run_id)
        if seen is not None and name in seen.homes and seen.homes[name] < run_id:
            following = seen.homes[name] if _before(ids, f"{seen.homes[name]}~") == seen.homes[name] else following
        elif seen is not None and name in seen.points:
            found[name].append(seen.points[name])
        if following and len(found[name]) < POINTS:
            heapq.heappush(queue, (_Descending(following), name))
    return {name: points[::-1] for name, points in found.items()}


def points_of(run: Run) -> Mapping[str, Point]:
    """Return a point of each dataset that a run measured."""
    return _Seen.of(run).points


def _before(ids: Sequence[str], run_id: str) -> str | None:
    place = bisect_left(ids, run_id)
    return ids[place - 1] if place else None


@dataclass(frozen=True, slots=True)
class _Descending:
    """A text that sorts the other way round: the newest run comes first out of a heap."""

    text: str

    def __lt__(self, other: _Descending) -> bool:
        return self.text > other.text


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one run says: a point of each dataset that it measured, and where the others are from."""

    points: Mapping[str, Point]
    homes: Mapping[str, str]

    @classmethod
    def of(cls, run: Run) -> _Seen:
        checks: dict[str, dict[str, CheckPoint]] = {item.name: {} for item in run.datasets}
        for result in run.checks:
            if result.check.dataset in checks:
                point = CheckPoint(verdict=result.verdict, observed=_number(result.observed))
                checks[result.check.dataset][result.check.id] = point
        return cls(
            {item.name: _point(run, item, checks[item.name]) for item in run.datasets if item.from_run is None},
            {item.name: item.from_run for item in run.datasets if item.from_run is not None},
        )


def _point(run: Run, item: Dataset, checks: Mapping[str, CheckPoint]) -> Point:
    columns = {column.name for column in item.columns[:_MOST_COLUMNS]}
    measured = {}
    for one in item.measurements:
        number = _number(one.value)
        if one.metric in _METRICS and one.column in columns and not one.arguments and number is not None:
            measured[one.metric, str(one.column)] = number
        elif one.metric in RECOMMENDER_METRICS and one.column is None and number is not None:
            measured[one.metric, ""] = number
    return Point(
        run=run.id,
        verdict=item.verdict,
        published=item.published,
        rows=item.rows,
        bytes=item.bytes,
        content=item.content_hash,
        checks=checks,
        measured=measured,
    )


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    with suppress(OverflowError):
        return float(value) if math.isfinite(value) else None
    return None


class _Source:
    """Gives what runs say: from memory, from the cache, from the ledger."""

    def __init__(self, reports: Path, cache: Path | None) -> None:
        self._reports = reports
        self._folder = cache / _FOLDER if cache is not None else None
        self._load = loader(reports)

    def seen(self, run_id: str) -> _Seen | None:
        """Return what a run says; None when its ledger cannot be read."""
        try:
            path = ledger_path(self._reports, run_id)
            state = path.stat()
        except (OSError, LedgerError):
            return None
        stamp = (state.st_size, state.st_mtime_ns)
        file = self._folder / f"{run_id}.json" if self._folder is not None else None
        kept = _cached(file, stamp) if file is not None else None
        if kept is not None:
            return kept
        try:
            run = read_run(self._reports, run_id, load=self._load)
        except (OSError, LedgerError):
            return None
        seen = _Seen.of(run)
        if not any(notice.kind == "ledger" for notice in run.notices):  # of an earlier ledger, which may come back
            self._write(run_id, stamp, seen)
        return seen

    def keep(self, run: Run, seen: _Seen) -> None:
        """Keep what a run says that was just recorded."""
        with suppress(OSError, LedgerError):
            state = ledger_path(self._reports, run.id).stat()
            self._write(run.id, (state.st_size, state.st_mtime_ns), seen)

    def _write(self, run_id: str, stamp: tuple[int, int], seen: _Seen) -> None:
        if self._folder is None:
            return
        file = self._folder / f"{run_id}.json"
        if _cached(file, stamp) is not None:
            return
        text = json.dumps({"version": _VERSION, "stamp": stamp, **_plain(seen)}, ensure_ascii=False)
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            replace_file(file, clean_text(text).encode(), durable=False)
            for old in sorted(self._folder.glob("*.json"))[:-_KEPT]:
                old.unlink()


def _plain(seen: _Seen) -> dict[str, Any]:
    points = [
        [
            name,
            [point.run, point.verdict, point.published, point.rows, point.bytes, point.content],
            [[check, one.verdict, one.observed] for check, one in point.checks.items()],
            [[metric, column, number] for (metric, column), number in point.measured.items()],
        ]
        for name, point in seen.points.items()
    ]
    return {"points": points, "homes": [[name, home] for name, home in seen.homes.items()]}


def _cached(file: Path, stamp: tuple[int, int]) -> _Seen | None:
    try:
        changed = file.stat().st_mtime_ns
    except OSError:
        return None
    return _read(file, changed, stamp)


@lru_cache(maxsize=128)
def _read(file: Path, changed: int, stamp: tuple[int, int]) -> _Seen | None:
    """Read a file of the cache; one that is damaged, or of another ledger, counts as missing."""
    del changed
    try:
        data = json.loads(file.read_bytes())
        if data["version"] != _VERSION or tuple(data["stamp"]) != stamp:
            return None
        points = {}
        for name, (run, verdict, published, rows, size, content), checks, measured in data["points"]:
            points[str(name)] = Point(
                run=str(run),
                verdict=str(verdict),
                published=bool(published),
                rows=None if rows is None else int(rows),
                bytes=None if size is None else int(size),
                content=None if content is None else str(content),
                checks={
                    str(check): CheckPoint(verdict=str(word), observed=None if number is None else float(number))
                    for check, word, number in checks
                },
                measured={(str(metric), str(column)): float(number) for metric, column, number in measured},
            )
        return _Seen(points, {str(name): str(home) for name, home in data["homes"]})
    except (OSError, ValueError, RecursionError, TypeError, KeyError):
        return None

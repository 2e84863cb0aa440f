"""The list of runs, without reading every ledger each time.

A summary is kept in a cache beside the project (never committed), a file a month, and made again when the ledger's size or time
of change differs. The cache may be deleted at any time; what is damaged is made anew. Who needs a few summaries takes a
:class:`Listing`, which reads no more than these.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from nbops.errors import LedgerError
from nbops.pages.findings import findings, headline
from nbops.record.plain import clean_text
from nbops.record.store import ledger_path, loader, read_run, replace_file, run_folders

if TYPE_CHECKING:
    from nbops.model import Run
    from nbops.record.refer import Load

__all__ = ["Listing", "RunSummary", "summaries", "summarise"]

_CACHE_VERSION = 4
_CACHE_FOLDER, _FORMER_FILE = "summaries", "summaries.json"
_MONTH = 6  # of an id
_HEADLINE = 200  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """What a list of runs shows of one."""

    id: str
    status: str
    verdict: str
    started_at: str
    seconds: float | None
    command: str
    commit: str | None
    branch: str | None
    tasks: Mapping[str, int]
    """Task status to number of tasks."""
    checks: Mapping[str, int]
    """Verdict to number of checks."""
    datasets: int
    rows_quarantined: int
    headline: str
    """What leads the run's own page, its worst finding, in one sentence; empty when all is well."""


def summarise(run: Run) -> RunSummary:
    """Return what a list of runs shows of ``run``."""
    told = " ".join(_worst(run).split())
    return RunSummary(
        id=run.id,
        status=run.status,
        verdict=run.verdict,
        started_at=run.started_at,
        seconds=run.seconds,
        command=run.command,
        commit=run.git.commit if run.git else None,
        branch=run.git.branch if run.git else None,
        tasks=dict(sorted(Counter(task.status for task in run.tasks).items())),
        checks=dict(sorted(Counter(result.verdict for result in run.checks).items())),
        datasets=len(run.datasets),
        rows_quarantined=sum(item.rows for item in run.quarantine),
        headline=told if len(told) <= _HEADLINE else told[: _HEADLINE - 1] + "…",
    )


def _worst(run: Run) -> str:
    """Return what leads the run's own page, with what an error said; empty when all is well."""
    found = findings(run)
    head = headline(run, found)
    if not found:
        return "" if head.mark in {"passed", "skipped"} else head.title
    return f"{head.title}: {found[0].message}" if found[0].raised and found[0].message else head.title


def _restore(data: Any, run_id: str) -> RunSummary | None:
    """Return a cached summary when it has the form of one."""
    if not isinstance(data, dict) or set(data) != {item.name for item in fields(RunSummary)} or data["id"] != run_id:
        return None
    texts = all(isinstance(data[name], str) for name in ("status", "verdict", "started_at", "command", "headline"))
    counts = all(isinstance(data[name], dict) for name in ("tasks", "checks"))
    numbers = all(isinstance(data[name], int) for name in ("datasets", "rows_quarantined"))
    return RunSummary(**data) if texts and counts and numbers else None


def _read_cache(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(data, dict) or data.get("version") != _CACHE_VERSION or not isinstance(data.get("runs"), dict):
        return {}
    runs: dict[str, Any] = data["runs"]
    return runs


class Listing(Sequence[RunSummary]):
    """All runs by their folders' names, the oldest first. A slice reads the summaries of that part alone.

    A slice leaves out runs whose ledgers are missing or damaged; they count in the length, so that to know it no ledger is looked
    at.

    Args:
        reports: The project's ``reports`` folder.
        cache: Folder for the cache, such as ``.nbops/cache``; made when missing. That it cannot be written is no error.
    """

    def __init__(self, reports: Path, cache: Path) -> None:
        self._reports, self._folder = reports, cache / _CACHE_FOLDER
        self._ids = run_folders(reports)
        self._known: dict[str, dict[str, Any]] = {}
        self._load = loader(reports)

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, place: int) -> RunSummary: ...

    @overload
    def __getitem__(self, place: slice) -> list[RunSummary]: ...

    def __getitem__(self, place: int | slice) -> RunSummary | list[RunSummary]:
        if isinstance(place, slice):
            return self._read(self._ids[place])
        found = self._read([self._ids[place]])
        if not found:
            raise LedgerError(f"run {self._ids[place]}: its ledger is missing or damaged.")
        return found[0]

    def ids(self) -> list[str]:
        """Return the ids of all runs, the oldest first."""
        return list(self._ids)

    def every(self) -> list[RunSummary]:
        """Return all summaries, the newest first, after each ledger was looked at; what is gone leaves the cache too."""
        found = self._read(self._ids[::-1])
        there = set(self._ids)
        with suppress(OSError):
            for path in self._folder.glob("*.json"):
                runs = self._known[path.stem] if path.stem in self._known else _read_cache(path)
                kept = {run_id: entry for run_id, entry in runs.items() if run_id in there}
                if not kept:
                    path.unlink()
                elif len(kept) < len(runs):
                    self._write(path.stem, kept)
            self._folder.with_name(_FORMER_FILE).unlink(missing_ok=True)  # of an earlier version
        return found

    def _read(self, ids: Sequence[str]) -> list[RunSummary]:
        found, fresh = [], set()
        for run_id in ids:
            month = run_id[:_MONTH]
            if month not in self._known:
                self._known[month] = _read_cache(self._folder / f"{month}.json")
            runs = self._known[month]
            try:
                entry = _entry(self._reports, run_id, runs.get(run_id), self._load)
            except (OSError, LedgerError):
                if runs.pop(run_id, None) is not None:
                    fresh.add(month)
                continue
            if entry is not runs.get(run_id):
                runs[run_id] = entry
                fresh.add(month)
            summary = _restore(entry["summary"], run_id)
            if summary is not None:
                found.append(summary)
        for month in fresh:
            self._write(month, self._known[month])
        return found

    def _write(self, month: str, runs: Mapping[str, Any]) -> None:
        text = json.dumps({"version": _CACHE_VERSION, "runs": runs}, ensure_ascii=False)
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            replace_file(self._folder / f"{month}.json", clean_text(text).encode(), durable=False)


def summaries(reports: Path, cache: Path) -> list[RunSummary]:
    """Return a summary of every readable run, the newest first.

    Args:
        reports: The project's ``reports`` folder.
        cache: As for :class:`Listing`.
    """
    return Listing(reports, cache).every()


def _entry(reports: Path, run_id: str, cached: Any, load: Load) -> dict[str, Any]:
    state = ledger_path(reports, run_id).stat()
    if (
        isinstance(cached, dict)
        and (cached.get("size"), cached.get("mtime_ns")) == (state.st_size, state.st_mtime_ns)
        and _restore(cached.get("summary"), run_id) is not None
    ):
        return cached
    run = read_run(reports, run_id, load=load)
    lacks = any(notice.kind == "ledger" for notice in run.notices)  # of an earlier ledger, which may come back
    return {"size": -1 if lacks else state.st_size, "mtime_ns": state.st_mtime_ns, "summary": asdict(summarise(run))}

"""The list of runs, without reading every ledger each time.

A summary is kept in a cache beside the project (never committed), and made again when the ledger's size or time of change
differs. The cache may be deleted at any time; one that is damaged is made anew.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops.errors import LedgerError
from nbops.record.plain import clean_text
from nbops.record.store import ledger_path, loader, read_run, replace_file, run_ids

if TYPE_CHECKING:
    from nbops.model import Run
    from nbops.record.refer import Load

__all__ = ["RunSummary", "summaries", "summarise"]

_CACHE_VERSION = 3
_CACHE_FILE = "summaries.json"
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
    """The worst finding in one sentence; empty when all is well."""


_WORST_FIRST = (
    ("errored", "error"),
    ("failed", "error"),
    ("errored", "warn"),
    ("failed", "warn"),
    ("warned", "warn"),
    ("warned", "error"),
)


def _findings(run: Run) -> Iterator[str]:
    """Yield what went wrong, the worst first."""
    yield from (
        f"{error.task}: {error.kind}: {error.message}" if error.task else f"{error.kind}: {error.message}" for error in run.errors
    )
    for task in run.tasks:
        if task.status in ("failed", "interrupted"):
            yield f"{task.name}: {task.error.message if task.error else task.status}"
    yield from _of_checks(run, _WORST_FIRST[:2])
    yield from (item.message for item in sorted(run.anomalies, key=lambda item: -item.score) if item.accepted is None)
    yield from _of_checks(run, _WORST_FIRST[2:])
    yield from (f"{dataset.name}: {dataset.error}" for dataset in run.datasets if dataset.error)
    yield from (f"{item.dataset}: {item.rows:,} rows in quarantine" for item in run.quarantine if item.rows)
    yield from (notice.message for notice in sorted(run.notices, key=lambda item: item.severity != "error"))


def _of_checks(run: Run, kinds: tuple[tuple[str, str], ...]) -> Iterator[str]:
    for kind in kinds:
        for result in run.checks:
            if (result.verdict, result.check.severity) == kind:
                yield f"{result.check.dataset}: {result.check.id}: {result.message or result.verdict}"


def summarise(run: Run) -> RunSummary:
    """Return what a list of runs shows of ``run``."""
    headline = " ".join(next(_findings(run), "").split())
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
        headline=headline if len(headline) <= _HEADLINE else headline[: _HEADLINE - 1] + "…",
    )


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


def summaries(reports: Path, cache: Path) -> list[RunSummary]:
    """Return a summary of every readable run, the newest first.

    Args:
        reports: The project's ``reports`` folder.
        cache: Folder for the cache, such as ``.nbops/cache``; made when missing. That it cannot be written is no error.
    """
    path = cache / _CACHE_FILE
    known, fresh = _read_cache(path), {}
    found: list[RunSummary] = []
    load = loader(reports)
    for run_id in reversed(run_ids(reports)):
        with suppress(OSError, LedgerError):
            entry = _entry(reports, run_id, known.get(run_id), load)
            fresh[run_id] = entry
            summary = _restore(entry["summary"], run_id)
            if summary is not None:
                found.append(summary)
    if fresh != known:
        text = json.dumps({"version": _CACHE_VERSION, "runs": fresh}, ensure_ascii=False)
        with suppress(OSError):
            cache.mkdir(parents=True, exist_ok=True)
            replace_file(path, clean_text(text).encode(), durable=False)
    return found


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

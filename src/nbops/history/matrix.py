"""Runs as rows and datasets and checks as columns: a bounded summary of each run, kept in a cache beside the project.

A page of runs is made of a few dozen of these, whatever the number of runs that are recorded: a row is made from its ledger once,
and rows of the newest runs are kept in ``.nbops/cache/matrix.json``. The cache may be deleted at any time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from nbops.errors import LedgerError
from nbops.record.plain import clean_text
from nbops.record.store import ledger_path, loader, read_run, replace_file

if TYPE_CHECKING:
    from pathlib import Path

    from nbops.model import Run

__all__ = ["MatrixRow", "matrix_row", "matrix_rows"]

_CACHE_FILE, _CACHE_VERSION = "matrix.json", 1
_KEPT = 80
"""Rows in the cache: those of two pages of runs and some."""
_DATASETS, _CHECKS = 200, 60
"""Most datasets and objecting checks of a row; the worst checks come first."""
_ORDER = {"failed": 0, "errored": 1, "warned": 2}
_NO_DATA = frozenset({"failed", "held", "interrupted"})


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixRow:
    """What one run said of each dataset, and which checks objected."""

    id: str
    datasets: Mapping[str, str] = field(default_factory=dict)
    """Dataset to verdict; where its task did not make it, to the task's status (``failed``, ``held``, ``interrupted``)."""
    carried: frozenset[str] = frozenset()
    """Datasets that were not measured in this run, as nothing had changed."""
    checks: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """``(dataset, check)`` to verdict, of those that did not pass."""
    more: int = 0
    """Objecting checks that are left out."""


def matrix_row(run: Run) -> MatrixRow:
    """Return the row of a run."""
    bad = [result for result in run.checks if result.verdict in _ORDER]
    bad.sort(key=lambda result: (_ORDER[result.verdict], result.check.severity != "error", result.check.dataset, result.check.id))
    verdicts: dict[str, str] = {item.name: "errored" if item.error else item.verdict for item in run.datasets[:_DATASETS]}
    for result in bad:  # a dataset is as bad as the worst that was said of it
        name, now = result.check.dataset, verdicts.get(result.check.dataset)
        if now is not None and _ORDER.get(now, 3) > _ORDER[result.verdict]:
            verdicts[name] = result.verdict
    told = {task.name: task.status for task in run.tasks if task.status in _NO_DATA}
    for item in run.datasets[:_DATASETS]:
        if not item.published and verdicts[item.name] not in _ORDER:
            verdicts[item.name] = told.get(item.task, "held")
    return MatrixRow(
        id=run.id,
        datasets=verdicts,
        carried=frozenset(item.name for item in run.datasets[:_DATASETS] if item.from_run),
        checks={(result.check.dataset, result.check.id): result.verdict for result in bad[:_CHECKS]},
        more=max(0, len(bad) - _CHECKS),
    )


def matrix_rows(reports: Path, cache: Path) -> Callable[[Sequence[str]], list[MatrixRow]]:
    """Return what gives the rows of some runs, reading only the ledgers of those that the cache does not know.

    Args:
        reports: The project's ``reports`` folder.
        cache: Folder for the cache, such as ``.nbops/cache``; that it cannot be written is no error.
    """
    path = cache / _CACHE_FILE
    known: dict[str, dict[str, Any]] = {}
    loaded: list[bool] = []
    load = loader(reports)

    def rows(run_ids: Sequence[str]) -> list[MatrixRow]:
        if not loaded:
            known.update(_read_cache(path))
            loaded.append(True)
        found, fresh = [], False
        for run_id in run_ids:
            with suppress(OSError, LedgerError):
                state = ledger_path(reports, run_id).stat()
                stamp = [state.st_size, state.st_mtime_ns]
                row = _restored(known.get(run_id), run_id, stamp)
                if row is None:
                    row = matrix_row(read_run(reports, run_id, load=load))
                    known[run_id] = {"stamp": stamp, "row": _plain(row)}
                    fresh = True
                found.append(row)
        if fresh:
            _write_cache(path, known)
        return found

    return rows


def _plain(row: MatrixRow) -> dict[str, Any]:
    checks = [[dataset, check, verdict] for (dataset, check), verdict in row.checks.items()]
    return {**asdict(row), "carried": sorted(row.carried), "checks": checks}


def _restored(entry: Any, run_id: str, stamp: list[int]) -> MatrixRow | None:
    """Return a row of the cache when it has the form of one and its ledger is as it was then."""
    with suppress(TypeError, KeyError, ValueError, AttributeError):
        if entry is None or entry["stamp"] != stamp or entry["row"]["id"] != run_id:
            return None
        row = entry["row"]
        return MatrixRow(
            id=run_id,
            datasets={str(name): str(verdict) for name, verdict in row["datasets"].items()},
            carried=frozenset(map(str, row["carried"])),
            checks={(str(dataset), str(check)): str(verdict) for dataset, check, verdict in row["checks"]},
            more=int(row["more"]),
        )
    return None


def _read_cache(path: Path) -> dict[str, dict[str, Any]]:
    try:
        data = json.loads(path.read_bytes())
        rows = data["runs"] if data["version"] == _CACHE_VERSION else {}
    except (OSError, ValueError, RecursionError, TypeError, KeyError):
        return {}
    return dict(rows) if isinstance(rows, dict) else {}


def _write_cache(path: Path, known: Mapping[str, Any]) -> None:
    kept = {run_id: known[run_id] for run_id in sorted(known)[-_KEPT:]}
    text = json.dumps({"version": _CACHE_VERSION, "runs": kept}, ensure_ascii=False)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, clean_text(text).encode(), durable=False)

"""What a build learns of each task while it goes on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nbops.model import CellRun, CheckResult, Notice, RunError, TaskStatus

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nbops.pipeline import TaskSpec
    from nbops.quality.audited import Audit
    from nbops.workflow.datasets import DatasetPlan
    from nbops.workflow.lineage_observed import Observed

__all__ = ["TaskRecord", "cells_of", "is_source", "load_notebook", "source_index"]

_NO_SOURCE_TAGS = frozenset({"injected-parameters", "papermill-error-cell-tag", "debugging-settings"})


@dataclass(slots=True, kw_only=True)
class TaskRecord:
    """A task in the build that is going on (mutable; the ledger's ``TaskRun`` is made of it)."""

    spec: TaskSpec
    plans: tuple[DatasetPlan, ...]
    status: TaskStatus = "interrupted"
    """Until something better is known: a build that is stopped leaves its waiting tasks so."""
    done: bool = False
    reasons: tuple[str, ...] = ()
    attempts: int = 0
    started_at: str | None = None
    seconds: float | None = None
    peak_memory_bytes: int | None = None
    error: RunError | None = None
    audits: tuple[Audit, ...] = ()
    noted: tuple[CheckResult, ...] = ()
    notices: list[Notice] = field(default_factory=list)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: Mapping[str, Any] = field(default_factory=dict)
    last_success: str | None = None
    carried: bool = False
    """Its audits were made by an earlier run."""
    notebook: Path | None = None
    """The executed notebook as it is, before scrubbing."""
    cells: tuple[CellRun, ...] = ()
    published: bool = False
    aliases: Mapping[str, str] = field(default_factory=dict)
    observed: Observed | None = None
    """What was noted while it ran."""


def load_notebook(path: Path) -> dict[str, Any] | None:
    """Return an executed notebook, or None when there is none that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("cells"), list) else None


def is_source(cell: Mapping[str, Any]) -> bool:
    """Return whether a cell of an executed notebook is one of the source's, not one that was put in to run it."""
    return not _NO_SOURCE_TAGS & set(cell.get("metadata", {}).get("tags", []))


def source_index(notebook: Mapping[str, Any], index: int) -> int:
    """Return which cell of the source a cell of the executed notebook is, both counted from 0."""
    return sum(1 for cell in notebook["cells"][:index] if is_source(cell))


def cells_of(notebook: Mapping[str, Any]) -> tuple[CellRun, ...]:
    """Return the source cells of an executed notebook with papermill's timings."""
    found: list[CellRun] = []
    for index, cell in enumerate(cell for cell in notebook["cells"] if is_source(cell)):
        if cell.get("cell_type") != "code":
            continue
        meta = cell.get("metadata", {}).get("papermill", {})
        blank = not "".join(cell.get("source", "")).strip()  # runners pass over it
        ran = meta.get("status") in {"completed", "failed"} or cell.get("execution_count") is not None or blank
        seconds = meta.get("duration")
        found.append(
            CellRun(
                index=index,
                seconds=float(seconds) if isinstance(seconds, int | float) else None,
                status="failed" if _failed(cell) else "succeeded" if ran else "not_run",
            )
        )
    return tuple(found)


def _failed(cell: Mapping[str, Any]) -> bool:
    """Return whether a cell failed in papermill's eyes: ``sys.exit(0)`` ends a notebook well, and a tag lets one raise."""
    metadata = cell.get("metadata", {})
    if "raises-exception" in metadata.get("tags", []):
        return False
    errors = [output for output in cell.get("outputs", []) if output.get("output_type") == "error"]
    if not errors:
        return bool(metadata.get("papermill", {}).get("exception"))
    return any(error.get("ename") != "SystemExit" or error.get("evalue") not in {"", "0"} for error in errors)

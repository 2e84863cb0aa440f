"""The rows of a dataset before and now, found on the disk, and the segment of them that carries a change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nbops.contract.vocabulary import is_personal
from nbops.history.causes import SegmentFound
from nbops.lineage.graph import Graph, Node
from nbops.quality.hashing import file_hash
from nbops.quality.segments import Measured, Segment, find_segments
from nbops.workflow.previous import previous_of

if TYPE_CHECKING:
    from nbops.history.causes.focus import Focus
    from nbops.model import Dataset, Run

__all__ = ["personal_columns", "rows_of", "segments_of"]

_MOST_BYTES = 2 * 1024**3
_TOLD = 0.5
"""Segments that explain less are not told."""
_BEYOND = 0.15
"""Nor those that explain hardly more than their part of the rows."""


def personal_columns(dataset: str, *runs: Run) -> frozenset[str]:
    """Return the columns of a dataset whose values are told nowhere.

    Those that its contract says are personal, those of the name of one that another dataset's contract says is, and those that
    are made of any of these.
    """
    found: set[str] = set()
    for run in runs:
        nodes = {
            Node(item.name, column.name)
            for item in run.datasets
            for column in item.columns
            if is_personal([word for word in (column.classification, *column.tags) if word])
        }
        names = {node.column for node in nodes if node.column is not None}
        reached = Graph.of_columns(run).reach(nodes, "down", influence="omit") if nodes else ()
        below = {one.node for one in reached if one.node.name == dataset}
        found |= names | {node.column for node in below if node.column is not None}
        if Node(dataset) in below:  # of any column: which of them is not known
            found |= {column.name for item in run.datasets if item.name == dataset for column in item.columns}
    return frozenset(found)


def rows_of(root: Path, run: Run, before: Dataset, now: Dataset) -> tuple[Path | None, Path | None]:
    """Return the files that hold a dataset's rows before and now, as far as they are there.

    What was not published is kept with the failed attempt, and the version before is then what is published.
    """
    final = root / now.path
    if not now.published:
        kept = sorted((root / ".nbops/failed" / run.id).glob(f"*/tree/{now.path}"))
        return (final if _holds(final, before) else None), (kept[0] if kept else None)
    earlier = previous_of(root, now.path)
    same = before.content_hash is not None and before.content_hash == now.content_hash
    return (
        earlier if earlier is not None and not same and _holds(earlier, before) else None,
        final if _holds(final, now) else None,
    )


def _holds(path: Path, item: Dataset) -> bool:
    """Tell whether a file is there, and holds what a run measured: another run may have made it anew since."""
    if not path.exists():
        return False
    return not path.is_file() or item.content_hash is None or file_hash(path) == item.content_hash


def segments_of(root: Path, focus: Focus, before: Run, run: Run) -> tuple[SegmentFound, ...]:
    """Return the segments that carry what moved, the best first; none where nothing is told apart."""
    old, new = (next((d for d in one.datasets if d.name == focus.dataset), None) for one in (before, run))
    if old is None or new is None or new.format not in {"parquet", "csv", "jsonl"}:
        return ()
    was, now = rows_of(root, run, old, new)
    if now is None or any(path is not None and path.is_file() and path.stat().st_size > _MOST_BYTES for path in (was, now)):
        return ()
    personal = personal_columns(new.name, before, run)
    if focus.column in personal and focus.kind not in {"nulls", "rows"}:
        return ()
    measured = _measured(focus, new)
    found = find_segments(
        was,
        now,
        name=new.path,
        column=focus.column,
        measured=measured,
        personal=personal,
        rate_before=_rate(old, focus.column, measured),
        categories={item.column: dict(item.categories) for item in old.distributions if item.categories},
    )
    told = [one for one in found if one.explained >= _TOLD and one.explained - one.share > _BEYOND]
    return tuple(_found(one, focus, measured, new.name) for one in told)


def _measured(focus: Focus, item: Dataset) -> Measured:
    if focus.column is None or focus.kind == "rows":
        return "rows"
    if focus.kind == "nulls":
        return "nulls"
    kind = next((column.physical_type.upper() for column in item.columns if column.name == focus.column), "")
    number = kind.startswith(("DECIMAL", "DOUBLE", "FLOAT", "REAL")) or kind.endswith("INT") or kind == "INTEGER"
    return "mean" if number else "new"


def _rate(item: Dataset, column: str | None, measured: Measured) -> float | None:
    values = {one.metric: one.value for one in item.measurements if one.column == column and not one.arguments}
    if measured == "nulls" and item.rows:
        return float(values.get("nullValues") or 0) / item.rows
    mean = values.get("mean")
    return float(mean) if measured == "mean" and isinstance(mean, int | float) else None


def _found(one: Segment, focus: Focus, measured: Measured, dataset: str) -> SegmentFound:
    part = f"{100 * min(max(one.explained, 0.0), 1.0):.0f} %"
    what = {
        "rows": f"of the change in rows of {dataset}",
        "nulls": f"of the change in null values of {focus.column}",
        "mean": f"of the change of {focus.column}",
        "new": f"of the new values of {focus.column}",
    }[measured]
    text = f"{part} {what} have {one.text} ({100 * one.share:.2g} % of the rows)"
    return SegmentFound(
        dataset=dataset,
        column=focus.column,
        conditions=one.conditions,
        explained=min(one.explained, 1.0),
        share=one.share,
        text=text.replace("of the change in null values", "of the new null values") if one.within > 0 else text,
        categorical=one.categorical,
    )

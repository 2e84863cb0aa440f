"""What a task read without declaring it: shown, and from then on an input like others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nbops.model import Notice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbops.model import TaskLineage
    from nbops.workflow.fingerprint import Fingerprinter
    from nbops.workflow.taskrecord import TaskRecord

__all__ = ["ObservedInputs", "named_inputs", "observed_inputs"]

_MOST_FILES = 100
"""Undeclared files of a task whose content counts."""
_MOST_SHOWN = 3
_FILE = "file:"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedInputs:
    """What is kept of what a task was seen to read."""

    fingerprint: Mapping[str, Any]
    """``observed``: file to hash; ``hosts``: what it was connected to; ``unordered``: files of tasks that it does not name."""
    notices: tuple[Notice, ...]


def observed_inputs(fingerprinter: Fingerprinter, record: TaskRecord) -> ObservedInputs:
    """Return what a task was seen to read that it does not declare.

    Files that changed while it ran are left out: what it writes itself, in ways that are not seen, is no input of it.

    Args:
        fingerprinter: Knows what is declared.
        record: The task, after it ran.
    """
    observed, spec = record.observed, record.spec
    if observed is None or not (observed.reads or observed.hosts):
        return ObservedInputs(fingerprint={}, notices=())
    began = _nanoseconds(record.started_at)
    known = record.recipe.get("files", {})
    # by these its data is judged anew anyway, without the task running again
    contracts = {plan.contract.path for plan in record.plans if plan.contract is not None}
    files = {
        name: path
        for name, path in fingerprinter.undeclared(spec, observed.reads, known={**known, **dict.fromkeys(contracts)})
        if began is None or path.stat().st_mtime_ns < began
    }
    counted = sorted(files)[:_MOST_FILES]
    hashes = {name: value for name, value in fingerprinter.hashes_of(counted).items() if value is not None}
    unordered = sorted(
        path
        for path in observed.reads
        if (owner := fingerprinter.owner_of(path)) is not None and owner != spec.name and owner not in spec.upstream
    )
    found = {
        "observed": hashes,
        "hosts": list(observed.hosts[:_MOST_FILES]),
        "unordered": [fingerprinter.name_of(path) for path in unordered[:_MOST_FILES]],
    }
    notices = _notices(record, sorted(files), found["unordered"], more="read" in observed.more)
    return ObservedInputs(fingerprint={name: value for name, value in found.items() if value}, notices=notices)


def named_inputs(fingerprinter: Fingerprinter, record: TaskRecord, lineage: TaskLineage) -> Mapping[str, str]:
    """Return files, with their hashes, that the analysis of a task's code found it to read and that nothing else tells.

    They are read by native code under names that the code puts together. They count as what is observed does.

    Args:
        fingerprinter: Knows what is declared.
        record: The task, after it ran.
        lineage: What its code tells.
    """
    names = sorted({edge.source.removeprefix(_FILE) for edge in lineage.edges if edge.source.startswith(_FILE)})
    known = {**record.recipe.get("files", {}), **record.fingerprint.get("observed", {})}
    began = _nanoseconds(record.started_at)
    paths = [fingerprinter.path_of(name) for name in names if "*" not in name]
    found = [
        name
        for name, path in fingerprinter.undeclared(record.spec, paths, known=known)
        if began is None or path.stat().st_mtime_ns < began
    ]
    left = max(0, _MOST_FILES - len(record.fingerprint.get("observed", {})))
    return {name: value for name, value in fingerprinter.hashes_of(found[:left]).items() if value is not None}


def _notices(record: TaskRecord, files: list[str], unordered: Any, *, more: bool) -> tuple[Notice, ...]:
    task = record.spec.name
    said: list[str] = []
    if files:
        count = f"more than {len(files):,} files" if more else f"{len(files):,} files" if len(files) > 1 else "a file"
        first = f" Only the first {_MOST_FILES} count." if len(files) > _MOST_FILES or more else ""
        said.append(
            f"read {count} without declaring so: {_named(files)}. They count as inputs from now on.{first} "
            "Name them in `inputs` of [tool.nbops] or of the task."
        )
    if unordered:
        said.append(f"read {_named(unordered)}, which another task makes; name that task in `upstream`, or it may come too late")
    return tuple(Notice(kind="undeclared_input", task=task, message=text) for text in said)


def _named(names: list[str]) -> str:
    more = len(names) - _MOST_SHOWN
    return ", ".join(names[:_MOST_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _nanoseconds(started_at: str | None) -> int | None:
    if started_at is None:
        return None
    return int(datetime.fromisoformat(started_at.replace("Z", "+00:00")).timestamp() * 1e9)

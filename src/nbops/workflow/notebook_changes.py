"""How the notebooks of two runs differ, or those of a run and of the working copy: what the ledgers do not hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nbops.adapters.nbdime import matched_cells
from nbops.history.sources import Cell, NotebookChange, cells_in, changed_cells
from nbops.pages.names import page_name
from nbops.record.homes import task_home
from nbops.workflow.taskrecord import load_notebook

if TYPE_CHECKING:
    from nbops.model import Run, TaskRun

__all__ = ["NotebookChanges", "notebooks_between", "notebooks_since", "read_cells"]

_LARGEST = 20_000_000
"""Bytes of a notebook that is read for its cells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotebookChanges:
    """What was found of the notebooks."""

    changed: tuple[NotebookChange, ...] = ()
    unknown: tuple[str, ...] = ()
    """Which could not be compared, a sentence each: they are not said to be the same."""
    looked_at: int = 0
    """How many were compared."""


def notebooks_between(reports: Path, before: Run, after: Run) -> NotebookChanges:
    """Return how the sources of the notebooks differ that are tasks of both runs.

    Args:
        reports: The project's reports, in which runs keep their notebooks as they were executed.
        before: A run.
        after: Another.
    """
    earlier = {task.name: task for task in before.tasks}
    changed: list[NotebookChange] = []
    unknown: list[str] = []
    looked_at = 0
    for task in after.tasks:
        other = earlier.get(task.name)
        if other is None or "notebook" not in {task.kind, other.kind} or not (_may_differ(other, task)):
            continue
        sides = [(before, other, _recorded(reports, before, other)), (after, task, _recorded(reports, after, task))]
        if sides[0][2] is not None and sides[0][2] == sides[1][2]:
            looked_at += 1
            continue  # neither ran it anew
        cells = [read_cells(path) if path is not None else None for _, _, path in sides]
        if cells[0] is None or cells[1] is None:
            lost = [run.id for (run, _, _), found in zip(sides, cells, strict=True) if found is None]
            unknown.append(
                f"The notebook of {task.name} as it was in {' and in '.join(lost)} is not in this work tree's reports."
            )
            continue
        looked_at += 1
        changed += _change(task.name, cells[0], cells[1])
    return NotebookChanges(changed=tuple(changed), unknown=tuple(unknown), looked_at=looked_at)


def notebooks_since(reports: Path, run: Run, now: Mapping[str, Path | Sequence[Cell]]) -> NotebookChanges:
    """Return how the sources of notebooks differ from what a run executed.

    Args:
        reports: The project's reports.
        run: The run.
        now: A task's name to its notebook, or to its cells where they are known better than the file does.
    """
    tasks = {task.name: task for task in run.tasks}
    changed: list[NotebookChange] = []
    unknown: list[str] = []
    looked_at = 0
    for name, source in now.items():
        task = tasks.get(name)
        recorded = _recorded(reports, run, task) if task is not None else None
        before = read_cells(recorded) if recorded is not None else None
        after = read_cells(source) if isinstance(source, Path) else tuple(source)
        if before is None:
            unknown.append(f"{run.id} holds no notebook of {name} to compare with.")
        elif after is None:
            unknown.append(f"The notebook of {name} cannot be read.")
        else:
            looked_at += 1
            changed += _change(name, before, after)
    return NotebookChanges(changed=tuple(changed), unknown=tuple(unknown), looked_at=looked_at)


def read_cells(path: Path) -> tuple[Cell, ...] | None:
    """Return the cells of a notebook's source, ``.ipynb`` or text; None when it cannot be read.

    Args:
        path: The file.
    """
    try:
        if path.stat().st_size > _LARGEST:
            return None
        if path.suffix == ".ipynb":
            found = load_notebook(path)
            return cells_in(found) if found is not None else None
        import jupytext  # noqa: PLC0415 - a second of imports, where it is not loaded

        read = jupytext.reads(path.read_text(encoding="utf-8"), fmt={"extension": path.suffix})
    except (OSError, ValueError, RecursionError):
        return None
    except Exception:  # noqa: BLE001 - jupytext raises its own, and what readers of its formats raise
        return None
    return cells_in(read)


def _may_differ(before: TaskRun, after: TaskRun) -> bool:
    """Tell whether both runs have come so far that they have a notebook of the task."""
    return not {before.status, after.status} & {"held"}


def _recorded(reports: Path, run: Run, task: TaskRun) -> Path | None:
    """Return the notebook that a task was executed from in a run, or in the run that it was carried over from."""
    home = task_home(run, task)
    named = task.notebook if task.notebook and home == run.id else f"runs/{home}/tasks/{page_name(task.name)}.ipynb"
    path = (reports / named).resolve()
    return path if path.is_relative_to(reports.resolve()) and path.is_file() else None


def _change(task: str, before: tuple[Cell, ...], after: tuple[Cell, ...]) -> Iterable[NotebookChange]:
    if before == after:
        return []
    pairs, by = matched_cells(*([(cell.kind, cell.source) for cell in cells] for cells in (before, after)))
    cells = changed_cells(before, after, pairs)
    return [NotebookChange(task=task, cells=cells, matched_by=by)] if cells else []

"""Where the pages of a run's tasks and datasets are: with the run that made them.

A run that has nothing new to say of a task or a dataset writes no page of it again; its own page leads to the one that there is.
Everything here can be read from a ledger whose references were not followed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbops.model import Dataset, Run, TaskRun

__all__ = ["dataset_home", "homes_in", "homes_of", "task_home"]

_CARRIED = frozenset({"up_to_date", "not_selected"})


def task_home(run: Run, task: TaskRun) -> str:
    """Return the run that has the page of a task: this one, or the one in which it last ran when it did not have to."""
    return (task.last_success or run.id) if task.status in _CARRIED else run.id


def dataset_home(run: Run, dataset: Dataset) -> str:
    """Return the run that has the page of a dataset: this one, or the one that measured it."""
    return dataset.from_run or run.id


def homes_of(run: Run) -> frozenset[str]:
    """Return the runs that have the pages of a run's tasks and datasets; without the run itself, it had nothing to do."""
    tasks = (task_home(run, task) for task in run.tasks)
    return frozenset([*tasks, *(dataset_home(run, item) for item in run.datasets)])


def homes_in(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the runs whose pages the page of a run leads to.

    Args:
        document: The stored document of a ledger, in the form of any version.
    """
    for task in document.get("tasks", ()):
        if task.get("status") in _CARRIED and task.get("last_success"):
            yield str(task["last_success"])
    yield from (str(item["from_run"]) for item in document.get("datasets", ()) if item.get("from_run"))
    yield from document.get("carried_datasets", ())

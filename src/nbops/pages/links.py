"""Links to the pages of a run's tasks and datasets, wherever those are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbops.pages.names import page_name
from nbops.pages.views import report_link
from nbops.record.homes import dataset_home, task_home

if TYPE_CHECKING:
    from pathlib import Path

    from nbops.model import Run

__all__ = ["Links", "known"]


class Links:
    """Links of one page.

    Args:
        run: The run that the page belongs to.
        reports: The project's ``reports`` folder. A page that is said to be with another run and is not there is the run's own.
        root: From the page to ``reports``, such as ``../../``.
        here: From the page to the run's folder, such as ``../``.
    """

    def __init__(self, run: Run, *, reports: Path, root: str, here: str) -> None:
        self._reports, self._root, self._here = reports, root, here
        self._elsewhere: dict[str, str] = {}
        homes = [(f"tasks/{page_name(task.name)}.html", task_home(run, task)) for task in run.tasks]
        homes += [(f"datasets/{page_name(item.name)}.html", dataset_home(run, item)) for item in run.datasets]
        for page, home in homes:
            other = report_link(f"runs/{home}/{page}", reports) if home != run.id else None
            if other is not None:
                self._elsewhere[page] = other

    def task(self, name: str) -> str:
        """Return the relative URL of a task's page."""
        return self._to(f"tasks/{page_name(name)}.html")

    def dataset(self, name: str) -> str:
        """Return the relative URL of a dataset's page."""
        return self._to(f"datasets/{page_name(name)}.html")

    def own_task(self, name: str) -> bool:
        """Tell whether a task's page is the run's own, to be written with it."""
        return f"tasks/{page_name(name)}.html" not in self._elsewhere

    def own_dataset(self, name: str) -> bool:
        """Tell whether a dataset's page is the run's own, to be written with it."""
        return f"datasets/{page_name(name)}.html" not in self._elsewhere

    def _to(self, page: str) -> str:
        other = self._elsewhere.get(page)
        return f"{self._here}{page}" if other is None else f"{self._root}{other}"


def known(run: Run, reports: Path, *, root: str, here: str) -> dict[str, Any]:
    """Return what every page of a run needs to lead elsewhere; arguments as for :class:`Links`."""
    return {
        "run": run,
        "root": root,
        "links": Links(run, reports=reports, root=root, here=here),
        "known_datasets": {item.name for item in run.datasets},
        "known_tasks": {task.name for task in run.tasks},
    }

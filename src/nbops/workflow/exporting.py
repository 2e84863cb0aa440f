"""Telling other systems what a build does. Whatever goes wrong with that is noted, and changes nothing else."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from nbops.errors import NbopsError
from nbops.model import Notice, TaskRun
from nbops.plugins import load, names
from nbops.workflow.assemble import task_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from nbops.model import Incident, Run
    from nbops.protocols import Export
    from nbops.workflow.taskrecord import TaskRecord

__all__ = ["Exports"]

_GROUP = "nbops.exporters"
_T = TypeVar("_T")
_LONGEST = 300


def _silent(_text: str) -> str:
    return "(not told)"


class Exports:
    """All exporters that something asks for.

    Args:
        root: The project's root.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open: dict[str, Export] = {}
        self._run: Run | None = None
        self.scrub: Callable[[str], str] = _silent
        """Takes secrets and machine paths out of what is told while tasks run."""
        self.notices: list[Notice] = []
        """What went wrong, for the run; sentences about exporters, never about data."""

    def open(self) -> None:
        """Look which exporters are asked for."""
        try:
            found = names(_GROUP)
        except NbopsError as error:
            self._note(_GROUP, error)
            return
        for name in found:
            export = self._try(name, partial(self._opened, name))
            if export is not None:
                self._open[name] = export

    def _opened(self, name: str) -> Export | None:
        export: Export | None = load(_GROUP, name)().open(self._root)
        return export

    def begun(self, run: Run) -> None:
        """Tell that a run has begun."""
        self._run = run
        for name, export in self._open.items():
            self._try(name, partial(export.begun, run))

    def task_begun(self, record: TaskRecord, *, above: Iterable[TaskRecord]) -> None:
        """Tell that a task was started.

        Args:
            record: The task.
            above: The tasks upstream of it.
        """
        if not self._open or self._run is None:
            return
        task = task_run(record, root=self._root, notebook=None)
        told = TaskRun(
            name=self.scrub(task.name),
            kind=task.kind,
            status="interrupted",
            source=None if task.source is None else self.scrub(task.source),
            started_at=task.started_at,
            attempts=task.attempts,
        )
        reads = {plan.name: self.scrub(plan.final_path) for item in above for plan in item.plans}
        writes = {key: self.scrub(self._relative(path)) for key, path in task.products.items()}
        for name, export in self._open.items():
            self._try(name, partial(export.task_begun, self._run, told, reads=reads, writes=writes))

    def _relative(self, path: str) -> str:
        place = Path(path)
        return place.relative_to(self._root).as_posix() if place.is_absolute() and self._root in place.parents else path

    def ended(self, run: Run, *, code: Mapping[str, str], incidents: Sequence[Incident] = ()) -> None:
        """Tell that a run has ended, and which incidents are open after it."""
        for name, export in self._open.items():
            self._try(name, partial(export.ended, run, code=code, incidents=incidents))

    def close(self, seconds: float) -> tuple[str, ...]:
        """Give all exporters together so many seconds to send what is left; return what to tell the user."""
        until = time.monotonic() + seconds  # they work at the same time
        said = [self._try(name, partial(self._close, export, until)) for name, export in self._open.items()]
        self._open = {}
        return tuple(sentence for sentence in said if sentence)

    @staticmethod
    def _close(export: Export, until: float) -> str | None:
        return export.close(max(0.0, until - time.monotonic()))

    def __bool__(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self._open)

    def _try(self, name: str, work: Callable[[], _T]) -> _T | None:
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - no fault of an exporter may change a run
            self._note(name, error)
            return None

    def _note(self, name: str, error: Exception) -> None:
        text = " ".join(f"{name}: {error}".split())[:_LONGEST]
        message = text if isinstance(error, NbopsError | RuntimeError | ValueError) else f"{name}: {type(error).__name__}"
        if all(notice.message != message for notice in self.notices):
            self.notices.append(Notice(kind="export", message=message))

"""Notebooks that are started before their turn: their kernels start while what they wait for still runs.

Such a process waits before the first cell (:func:`nbops.kernels.await_turn`), so that nothing of the notebook's own runs early.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nbops.workflow.process import TaskProcess
    from nbops.workflow.publish import Staging

__all__ = ["Early", "EarlyStarts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Early:
    """A task that was started before its turn."""

    process: TaskProcess
    staging: Staging


class EarlyStarts:
    """Tasks that were started before their turn.

    Args:
        fork: Starts a task so that it waits for its turn.
    """

    def __init__(self, fork: Callable[[str], Early]) -> None:
        self._fork = fork
        self._waiting: dict[str, Early] = {}
        self._seen: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, name: str) -> bool:
        return name in self._waiting

    @property
    def processes(self) -> list[TaskProcess]:
        """The processes that wait."""
        return [early.process for early in self._waiting.values()]

    def start(self, coming: Callable[[], Iterable[str]], *, running: frozenset[str], free: int) -> None:
        """Start what comes next, once for each set of running tasks.

        Args:
            coming: Returns the tasks that may start when the running ones have ended, the first one first.
            running: The tasks that run.
            free: Cores with nothing to do, as far as those that wait are no work either.
        """
        free -= len(self._waiting)
        if free <= 0 or not running or running == self._seen:
            return
        self._seen = running
        for name in [name for name in coming() if name not in self._waiting][:free]:
            self._waiting[name] = self._fork(name)

    def begin(self, name: str) -> Early | None:
        """Let a task run whose turn has come; None when it was not started early, or is no longer as it was left."""
        early = self._waiting.get(name)
        if early is not None and early.process.begin():
            return self._waiting.pop(name)
        self.withdraw(name)
        return None

    def withdraw(self, name: str) -> None:
        """End a task whose turn does not come, if it was started."""
        early = self._waiting.pop(name, None)
        if early is not None:
            early.process.withdraw()
            shutil.rmtree(early.staging.folder, ignore_errors=True)

    def clear(self) -> None:
        """Remove what those wrote whose processes have been killed."""
        for early in self._waiting.values():
            shutil.rmtree(early.staging.folder, ignore_errors=True)
        self._waiting.clear()

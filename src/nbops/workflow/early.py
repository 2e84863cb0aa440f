"""Notebooks that are started before their turn: their kernels start while what they wait for still runs.

Such a process waits before the first cell (:func:`nbops.kernels.await_turn`), so that nothing of the notebook's own runs early.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from multiprocessing.connection import Connection

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
        self._seen: tuple[frozenset[str], frozenset[str]] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, name: str) -> bool:
        return name in self._waiting

    @property
    def processes(self) -> list[TaskProcess]:
        """The processes that wait."""
        return [early.process for early in self._waiting.values()]

    @property
    def said(self) -> list[Connection]:
        """What becomes readable when one that is starting says something."""
        return [process.said for process in self.processes if process.starting_until]

    def starting_until(self) -> float:
        """Take in what they say, and return the monotonic time up to which they are to be left a core; past when none starts."""
        for process in self.processes:
            if process.starting_until:
                process.hear()
        return max((process.starting_until for process in self.processes), default=0.0)

    def start(self, coming: Callable[[frozenset[str]], Iterable[str]], *, running: frozenset[str], workers: int) -> None:
        """Start what comes next: one at a time for each core with nothing to do, and in the end as many as may run at once.

        In a chain that is also what comes after one that waits: a short notebook ends sooner than the next one's kernel starts.

        Args:
            coming: Returns the tasks that may start when these have ended, the first one first.
            running: The tasks that run.
            workers: Tasks that may run at once. Those that wait are no work.
        """
        now, waiting = time.monotonic(), frozenset(self._waiting)
        starting = sum(process.starting_until > now for process in self.processes)
        free = min(workers - len(running) - starting, workers - len(waiting))
        if free <= 0 or not running or (running, waiting) == self._seen:
            return
        names = [name for name in dict.fromkeys((*coming(running), *coming(running | waiting))) if name not in waiting]
        if not names:
            self._seen = running, waiting  # nothing is to be asked for until they change
        for name in names[:free]:
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

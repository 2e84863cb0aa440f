"""Work done in a process beside the build's own, for its end, where one core would look on while the other is busy.

Nothing depends on it: where there is one core, or the process dies or fails, the build does the work itself.
"""

from __future__ import annotations

import sys
import time
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Generic, TypeVar

from nbops.workflow.process import TaskProcess, kill_all
from nbops.workflow.resources import usable_cores

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Aside"]

T = TypeVar("T")

_PATIENCE = 60.0
"""Seconds after which the process is given up: it was forked from one with threads, and may have got stuck."""


class Aside(Generic[T]):
    """Begins some work at once; its result is there when it is asked for.

    Args:
        work: What it returns must be picklable; what it changes in memory is lost.
        log: Where the process prints, if it does.
        close: Descriptors that the process must not keep (the project's lock).
        patience: Seconds that the process may take.
    """

    def __init__(self, work: Callable[[], T], *, log: Path, close: tuple[int, ...] = (), patience: float = _PATIENCE) -> None:
        self._work = work
        self._process: TaskProcess | None = None
        if not sys.platform.startswith("linux") or usable_cores() <= 1:
            return
        try:
            self._process = TaskProcess(work, environment={}, log=log, close=close, time_limit=patience)
        except OSError:  # no memory, or too many processes
            return

    def __enter__(self) -> Aside[T]:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            kill_all([self._process])

    def result(self) -> T:
        """Return what the work returned; do it here if it was not done there.

        Raises:
            Exception: What the work raises.
        """
        process, self._process = self._process, None
        if process is None:
            return self._work()
        while (outcome := process.poll()) is None:
            wait(process.events, timeout=max(0.0, process.due - time.monotonic()))
        process.close()  # so that its time counts as the build's
        value: T = outcome.value
        return self._work() if outcome.error is not None else value

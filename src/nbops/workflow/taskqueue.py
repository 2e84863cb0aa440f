"""Which task is next: those whose upstream is done, the longest way to the end first."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

__all__ = ["TaskQueue"]


class TaskQueue:
    """Tasks in the order in which they may start; each step costs no more for a pipeline of hundreds of tasks.

    Args:
        upstream: Task to the tasks that it waits for, in topological order. Tasks that are no keys are not waited for.
        rank: What comes first among the tasks that may start: the least; equal ones stay in topological order.
    """

    def __init__(self, upstream: Mapping[str, Sequence[str]], *, rank: Callable[[str], tuple[float, ...]]) -> None:
        self._rank = rank
        self._position = {name: index for index, name in enumerate(upstream)}
        self._lacks = {name: {up for up in ups if up in upstream} for name, ups in upstream.items()}
        self._below: dict[str, list[str]] = {name: [] for name in upstream}
        for name, ups in self._lacks.items():
            for up in ups:
                self._below[up].append(name)
        self._ready: list[tuple[tuple[float, ...], int, str]] = []
        for name, ups in self._lacks.items():
            if not ups:
                self.put(name)

    def take(self) -> str | None:
        """Return the next task and take it out, or None when there is none that may start."""
        return heapq.heappop(self._ready)[2] if self._ready else None

    @property
    def ready(self) -> bool:
        """Whether there is a task that may start."""
        return bool(self._ready)

    def coming(self, running: AbstractSet[str]) -> list[str]:
        """Return the tasks that may start once all of ``running`` have ended, the first one first."""
        below = {name for up in running for name in self._below.get(up, ()) if self._lacks[name] <= running}
        return sorted(below, key=lambda name: (self._rank(name), self._position[name]))

    def put(self, name: str) -> None:
        """Put a task (back) among those that may start."""
        heapq.heappush(self._ready, (self._rank(name), self._position[name], name))

    def done(self, name: str) -> None:
        """Note the end of a task: what waited for it alone may start."""
        for below in self._below.pop(name, ()):
            self._lacks[below].discard(name)
            if not self._lacks[below]:
                self.put(below)

"""What each of the tasks that run at once may take for measuring, so that all together stay within this machine."""

from __future__ import annotations

import mmap

from nbops.workflow.resources import available_memory, usable_cores

__all__ = ["Share"]

_MEMORY_SHARE = 0.4
"""Of what is free: two rounds of measuring, of which the second began when the first had filled its share, still fit."""
_MOST = 8_000_000_000
_LEAST = 128_000_000
_WIDTH = 4


class Share:
    """The number of running tasks, in memory that forked processes see, and what follows from it for one of them.

    Args:
        cores: Cores to share; those that this process may use by default.
    """

    def __init__(self, cores: int | None = None) -> None:
        self.cores = usable_cores() if cores is None else cores
        self._shared = mmap.mmap(-1, mmap.PAGESIZE)
        self.running = 1

    @property
    def running(self) -> int:
        """Tasks that run at this moment, the asking one included."""
        return max(1, int.from_bytes(self._shared[:_WIDTH], "little"))

    @running.setter
    def running(self, number: int) -> None:
        self._shared[:_WIDTH] = number.to_bytes(_WIDTH, "little")

    def threads(self) -> int:
        """Return the threads that measuring may use in the process that asks."""
        return max(1, self.cores // self.running)

    def memory_limit(self) -> str:
        """Return the memory that measuring may use in the process that asks, as DuckDB reads it; beyond that it uses the disk."""
        each = int(available_memory() * _MEMORY_SHARE / self.running)
        return f"{min(_MOST, max(_LEAST, each)) // 1_000_000}MB"

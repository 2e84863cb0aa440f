"""What each of the tasks that run at once may take for measuring, so that all together stay within this machine."""

from __future__ import annotations

import mmap

from nbops.contract.config import parse_memory
from nbops.workflow.resources import available_memory, usable_cores

__all__ = ["Share"]

_MEMORY_SHARE = 0.4
"""Of what is free: two rounds of measuring, of which the second began when the first had filled its share, still fit."""
_MOST = 8_000_000_000
_LEAST = 128_000_000
_MEMORY_OF_THREAD = 250_000_000
"""Below this, DuckDB 2.0 cannot allocate what spilling itself takes; a single thread can from 100 MB on (found by trying)."""
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

    def limits(self, memory_limit: str | None) -> tuple[int, str]:
        """Return what measuring may use in the process that asks.

        Args:
            memory_limit: What the settings say, for example ``2GB``; None is a share of what is free.

        Returns:
            Threads, and memory as DuckDB reads it; beyond that it uses the disk.
        """
        each = int(available_memory() * _MEMORY_SHARE / self.running)
        memory = min(_MOST, max(_LEAST, each)) if memory_limit is None else parse_memory(memory_limit)
        threads = max(1, min(self.cores // self.running, memory // _MEMORY_OF_THREAD))
        return threads, memory_limit or f"{memory // 1_000_000}MB"

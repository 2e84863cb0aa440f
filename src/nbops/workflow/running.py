"""The ledger on disk while a build goes on: a killed run still tells how far it came, at a bounded price."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RunningLedger"]

_LEAST_SECONDS = 1.0
_MOST_SHARE = 0.03
"""Of the build's time that may go into writing: the more tasks are done, the more there is to write each time."""


class RunningLedger:
    """Writes the ledger anew soon after something changed, but no more often than is cheap.

    Args:
        write: Writes it.
    """

    def __init__(self, write: Callable[[], None]) -> None:
        self._write = write
        self._changed = False
        self._free_at = time.monotonic() + _LEAST_SECONDS  # the build has just written it when it began

    @property
    def due(self) -> float:
        """Monotonic time at which it is to be written; infinity when nothing changed."""
        return self._free_at if self._changed else float("inf")

    def changed(self) -> None:
        """Note that something changed."""
        self._changed = True

    def write_if_due(self) -> None:
        """Write what changed, when it is time."""
        if time.monotonic() >= self.due:
            self.write()

    def write(self) -> None:
        """Write what changed now."""
        began = time.monotonic()
        if self._changed:
            self._write()
        self._changed = False
        ended = time.monotonic()
        self._free_at = ended + max(_LEAST_SECONDS, (ended - began) / _MOST_SHARE)

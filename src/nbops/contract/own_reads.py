"""What nbops itself reads in a notebook's process, on behalf of the notebook, is no input of the notebook's task."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["are_own", "own_reads"]

_thread = threading.local()


@contextmanager
def own_reads() -> Iterator[None]:
    """Have what this thread reads count as read by nbops, not by the notebook."""
    before = are_own()
    _thread.own = True
    try:
        yield
    finally:
        _thread.own = before


def are_own() -> bool:
    """Tell whether what this thread reads now is read by nbops."""
    return getattr(_thread, "own", False)

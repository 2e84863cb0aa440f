"""What decides, besides the data, what a profile's page says. Imports nothing heavy: it is asked on every build."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

__all__ = ["LAYOUT", "MAX_COLUMNS", "MAX_LISTED", "SEED", "settings_hash"]

LAYOUT = 2
"""Raise it when the page changes: every profile is then made again at the next build."""
SEED = 42
MAX_COLUMNS = 60
"""Columns that are profiled; the rest of a wider table is left out, and the page says so."""

MAX_LISTED = 100
"""Columns in the table of the whole dataset."""


def settings_hash(*, personal: Iterable[str], sample_rows: int, title: str, description: str, text: Iterable[str] = ()) -> str:
    """Return a hash of the settings of a page.

    >>> settings_hash(personal=["b", "a"], sample_rows=5, title="", description="") == settings_hash(
    ...     personal={"a", "b"}, sample_rows=5, title="", description="")
    True
    """
    plain = [LAYOUT, SEED, MAX_COLUMNS, sorted(personal), sample_rows, title, description, sorted(text)]
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()[:16]

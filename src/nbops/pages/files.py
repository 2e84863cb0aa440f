"""Files that are never half-written, and never touched when nothing changed."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from nbops.record.store import replace_file

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["put"]


def put(path: Path, text: str) -> Path:
    """Write a text file as a whole, through a temporary file and a rename; leave it alone when it holds these bytes.

    Args:
        path: Where to; folders above it are made.
        text: Contents, written as UTF-8 with line feeds.

    Returns:
        The path.

    Raises:
        OSError: The folder cannot be written to.
    """
    data = text.encode("utf-8")
    with suppress(FileNotFoundError, NotADirectoryError):
        if path.read_bytes() == data:
            return path
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, data, durable=False)  # a page can be made again from its ledger
    return path

"""Folders for sockets: private, and with a path short enough for the system's limit."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

__all__ = ["private_folder"]

_LONGEST = 70
"""Bytes: a Unix socket's path may have 107 (``sun_path`` of ``unix(7)``), and names below the folder take up to 30."""


def private_folder(below: Path | None = None) -> Path:
    """Make a folder that nobody else can enter, for sockets.

    Args:
        below: Where to make it; else where the system keeps a user's sockets (``XDG_RUNTIME_DIR``), or temporary files.

    Raises:
        OSError: No place can hold it.
    """
    places = [str(below)] if below else [os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp"]  # noqa: S108
    problem: OSError = OSError("no folder has a short enough path for sockets")
    for place in places:
        if not place or len(os.fsencode(place)) + 20 > _LONGEST:
            continue
        try:
            return Path(tempfile.mkdtemp(prefix="k" if below else "nbops-k", dir=place))
        except OSError as error:
            problem = error
    raise problem

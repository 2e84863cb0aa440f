"""Where the user's programs keep what can be made again; code that lies there runs as this user."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from pathlib import Path

__all__ = ["code_folder", "user_cache"]

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def user_cache() -> Path | None:
    """Return nbops' folder among the user's caches, which need not exist; None where there is no place for it."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111 - that of Path fails without a home
    return base / "nbops" if base.is_absolute() else None


def code_folder(kind: str, *depends_on: str) -> Path | None:
    """Return a folder for compiled code; None where Python may write no bytecode or there is no place for it.

    Args:
        kind: What the code is made of, a folder's name.
        depends_on: What it depends on besides that: versions, settings. Other ones get another folder.
    """
    if sys.dont_write_bytecode:
        return None
    base = user_cache()
    if base is None:
        return None
    folder = base / kind / hashlib.sha256("\0".join(depends_on).encode()).hexdigest()[:16]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
        if status.st_uid != os.getuid() or status.st_mode & _OTHERS_WRITE:
            return None
    except (OSError, AttributeError):
        return None
    return folder

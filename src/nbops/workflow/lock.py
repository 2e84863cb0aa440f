"""One build at a time: an advisory lock on the project.

``flock`` is released by the kernel when its holder dies, however it dies, so a stale lock cannot be left behind. The file's
content only serves to name the holder to whoever waits.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from nbops.errors import LockedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["LOCK_FILE", "holder", "project_lock"]

LOCK_FILE = ".nbops/lock"
_POLL_SECONDS = 0.2


def holder(root: Path) -> str | None:
    """Return a sentence about who holds the project's lock, or None when nobody does."""
    path = root / LOCK_FILE
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return _describe(path)
    finally:
        os.close(handle)
    return None


@contextmanager
def project_lock(
    root: Path,
    *,
    command: str,
    started_at: str,
    on_lock: Literal["wait", "fail"],
    say: Callable[[str], None],
    stopped: Callable[[], bool],
) -> Iterator[int]:
    """Hold the project's lock; yields the descriptor, which forked children must close.

    Args:
        root: The project's root; ``.nbops/`` is made in it.
        command: What this build was called as, told to others who wait.
        started_at: When it was called, ISO 8601 UTC, likewise.
        on_lock: Whether to wait for a build that holds the lock or to fail at once.
        say: Prints a line to the user.
        stopped: Returns True once the user asked to stop.

    Raises:
        LockedError: Another build holds the lock and ``on_lock`` is ``fail``, or the user stopped waiting.
    """
    path = root / LOCK_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    _keep_out_of_git(path.parent)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        told = False
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                who = _describe(path)
                if on_lock == "fail":
                    raise LockedError(
                        f'{LOCK_FILE}: {who} is building this project. Wait for it, or set on_lock = "wait" in [tool.nbops].'
                    ) from None
                if not told:
                    say(f"waiting: {who} is building this project (Ctrl-C to stop waiting)")
                    told = True
                if stopped():
                    raise LockedError(f"stopped while waiting for {who}; nothing was run.") from None
                time.sleep(_POLL_SECONDS)
        text = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "command": command, "since": started_at})
        os.ftruncate(handle, 0)
        os.pwrite(handle, text.encode(), 0)
        yield handle
    finally:
        os.close(handle)


def _keep_out_of_git(folder: Path) -> None:
    """Make git overlook the folder, whatever the project's own ``.gitignore`` says."""
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")


def _describe(path: Path) -> str:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return f"'{found['command']}' (process {found['pid']} on {found['host']}, since {found['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another build"

"""Processes by session and by parent: what a kernel started is in its session, unless it asked for one of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path

__all__ = ["children_of", "kill_child", "kill_session", "session_members"]

_HAS_CHILD_LISTS = os.path.exists(f"/proc/self/task/{os.getpid()}/children")  # noqa: PTH110
"""The kernel lists the children of a thread."""
_SESSION_FIELD = 3  # of /proc/PID/stat, counted after the command's closing parenthesis: state, ppid, pgrp, session


def children_of(pid: int) -> list[int] | None:
    """Return the children of a process, those that have ended and were not waited for included.

    Returns:
        Their ids; nothing when the process is gone; None where the system keeps no such lists (CONFIG_PROC_CHILDREN).
    """
    if not _HAS_CHILD_LISTS:
        return None
    found: list[int] = []
    folder = f"/proc/{pid}/task"
    with contextlib.suppress(OSError):
        for thread in os.listdir(folder):  # noqa: PTH208 - each thread has its own; names are all that is needed
            with contextlib.suppress(OSError), open(f"{folder}/{thread}/children", encoding="ascii") as stream:  # noqa: PTH123
                found += [int(child) for child in stream.read().split()]
    return found


def session_members(session: int) -> list[int]:
    """Return the processes of a session that still run (Linux; elsewhere none is known)."""
    if not sys.platform.startswith("linux"):
        return []
    found = []
    for entry in os.listdir("/proc"):  # noqa: PTH208 - names are all that is needed
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):
            if os.getsid(int(entry)) != session:  # one call instead of a file to read: most processes are somebody else's
                continue
            fields = Path("/proc", entry, "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if fields[0] not in "ZX" and int(fields[_SESSION_FIELD]) == session:
                found.append(int(entry))
    return found


def kill_session(session: int) -> int:
    """Kill every process of a session; return how many there were. One that forks faster than it is killed is given up on."""
    killed: set[int] = set()
    for _ in range(5):
        members = [pid for pid in session_members(session) if pid not in killed]
        if not members:
            break
        for pid in members:
            killed.add(pid)
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
    return len(killed)


def kill_child(pid: int) -> None:
    """Kill a child that leads a session, or is about to, and that has not been waited for: so the id is nobody else's.

    A kernel that was forked a moment ago is still in its parent's session, where :func:`kill_session` does not find it.
    """
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)
    kill_session(pid)

"""Processes by session: what a kernel started belongs to the kernel's session unless it asked for one of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path

__all__ = ["kill_child", "kill_session", "session_members"]

_SESSION_FIELD = 3  # of /proc/PID/stat, counted after the command's closing parenthesis: state, ppid, pgrp, session


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

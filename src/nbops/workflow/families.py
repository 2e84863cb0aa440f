"""Processes and what they started, as the system tells of them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

import psutil

from nbops.kernels.sessions import children_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["die_with_parent", "going_on", "lives", "resident", "those_of", "tree", "watch_for_death", "with_children"]

_PR_SET_PDEATHSIG = 1
_PAGE = os.sysconf("SC_PAGE_SIZE")


def lives(process: psutil.Process) -> bool:
    """Tell whether a process runs; one that was killed and that nobody has asked for yet does not."""
    with contextlib.suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def with_children(of: psutil.Process | int | None) -> list[psutil.Process]:
    """Return the descendants of a process and, last, itself; nothing when it is gone."""
    try:
        head = of if isinstance(of, psutil.Process) else psutil.Process(of)
        return [*head.children(recursive=True), head] if head.is_running() else []
    except psutil.Error:
        return []


def tree(pid: int | None) -> list[int]:
    """Return the process and all that it started, itself first; one look at each, where the system has such lists."""
    if pid is None:
        return []
    found = [pid]
    for parent in found:  # grows while it is walked
        children = children_of(parent)
        if children is None:
            return [process.pid for process in reversed(with_children(pid))]
        found += children
    return found


def those_of(known: Iterable[tuple[int, float]]) -> Iterator[psutil.Process]:
    """Return those processes that still run, of their numbers and the moments of their start: see :func:`going_on`."""
    for pid, created in known:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            if process.create_time() == created:
                yield process


def going_on() -> list[tuple[int, float]] | None:
    """Return all that this process started and that still runs, each with the moment of its start: numbers are used again.

    None: there is none, and no thread goes on either, so that nothing is waited for when this process ends.
    """
    threads = [thread for thread in threading.enumerate() if not thread.daemon and thread is not threading.main_thread()]
    if not threads and children_of(os.getpid()) == []:
        return None
    found = []
    for pid in tree(os.getpid())[1:]:
        with contextlib.suppress(psutil.Error):
            found.append((pid, psutil.Process(pid).create_time()))
    return found


def watch_for_death(pid: int | None) -> int | None:
    """Return a descriptor that becomes readable when the process ends, or None where the system has none."""
    if not hasattr(os, "pidfd_open") or pid is None:
        return None
    with contextlib.suppress(OSError):  # an older kernel, or a sandbox
        return os.pidfd_open(pid)
    return None


def resident(pid: int) -> int:
    """Return the resident bytes of a process, 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as stream:  # noqa: PTH123 - many times a minute
            return int(stream.read().split()[1]) * _PAGE
    except (OSError, IndexError):
        if sys.platform.startswith("linux"):
            return 0
    with contextlib.suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0


def die_with_parent(parent: int) -> None:
    """Ask Linux to kill this process when its parent dies, however that dies.

    Args:
        parent: The parent's number, as that knew it: in a container it may be 1, which elsewhere tells of a parent that is gone.
    """
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)

"""Cores and memory that this process may use: what the system has, within the limits of its control group (a container's)."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["available_memory", "usable_cores"]

_MOUNT = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


def usable_cores(*, membership: Path = _MEMBERSHIP, mount: Path = _MOUNT) -> int:
    """Return how many cores this process may keep busy, at least 1.

    It is the least of the scheduler's affinity mask and of the CPU quotas of the control groups that it is in, rounded up.

    Args:
        membership: Where the system says which control groups the process is in (see ``cgroups(7)``).
        mount: Where control groups are mounted.
    """
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS has no affinity
        cores = os.cpu_count() or 1
    for folder in _folders("cpu", membership=membership, mount=mount):
        quota = _quota(folder)
        if quota is not None:
            cores = min(cores, math.ceil(quota))
    return max(1, cores)


def available_memory(*, membership: Path = _MEMBERSHIP, mount: Path = _MOUNT) -> int:
    """Return bytes that can be taken without swapping, nor passing the limit of a control group.

    What a control group holds of files that were not used for long can be taken back, and counts as free.

    Args:
        membership: Where the system says which control groups the process is in (see ``cgroups(7)``).
        mount: Where control groups are mounted.
    """
    free = int(psutil.virtual_memory().available)
    for folder in _folders("memory", membership=membership, mount=mount):
        left = _memory_left(folder)
        if left is not None:
            free = min(free, left)
    return max(0, free)


def _folders(controller: str, *, membership: Path, mount: Path) -> Iterator[Path]:
    """Yield the folders of a process's control group and of all above it: a limit anywhere on the way holds."""
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        base = mount / controllers if controllers else mount
        folder = base / path.strip("/")
        yield folder
        yield from (parent for parent in folder.parents if parent == base or base in parent.parents)


def _quota(folder: Path) -> float | None:
    """Return the cores that a control group may use, or None when it has no limit (or is none)."""
    with suppress(OSError, ValueError):
        quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
        return None if quota == "max" else int(quota) / int(period)
    with suppress(OSError, ValueError, ZeroDivisionError):
        micros = int((folder / "cpu.cfs_quota_us").read_text(encoding="ascii"))
        return micros / int((folder / "cpu.cfs_period_us").read_text(encoding="ascii")) if micros > 0 else None
    return None


def _memory_left(folder: Path) -> int | None:
    """Return the bytes up to the limit of a control group, or None when it has none (or is none)."""
    for limit, usage, idle in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        with suppress(OSError, ValueError):
            text = (folder / limit).read_text(encoding="ascii").strip()
            if text == "max":
                return None
            used = int((folder / usage).read_text(encoding="ascii"))
            return int(text) - used + _field(folder / "memory.stat", idle)
    return None


def _field(path: Path, name: str) -> int:
    with suppress(OSError, ValueError):
        for line in path.read_text(encoding="ascii").splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    return 0

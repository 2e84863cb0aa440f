"""What tasks cost in earlier builds, and what follows from it: which to start first, and which fit into memory together.

The costs are local (``.nbops/cache/costs.json``) and only a help: without them the ledger of the last run is asked, and a task
that nobody knows counts as modest.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from nbops.record.store import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from nbops.model import Run

__all__ = ["UNKNOWN", "Cost", "Holder", "critical_paths", "load_costs", "save_costs", "shortage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one task costs."""

    seconds: float
    memory: int
    """Bytes at its peak."""


UNKNOWN = Cost(seconds=1.0, memory=300_000_000)
"""What a task that never ran counts as: a notebook's kernel with a library or two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The memory of a task that is running."""

    expected: int
    """Bytes that it will hold at its peak."""
    held: int
    """Bytes that it holds now; what it still lacks of its peak is not to be given away."""


def load_costs(path: Path, *, last: Run | None) -> dict[str, Cost]:
    """Return what is known of tasks' costs.

    Args:
        path: The local file; missing or broken, the ledger is asked.
        last: The run before.
    """
    found: dict[str, Cost] = {}
    for task in last.tasks if last is not None else ():
        if task.seconds is not None:
            found[task.name] = Cost(seconds=task.seconds, memory=task.peak_memory_bytes or UNKNOWN.memory)
    try:
        known = json.loads(path.read_bytes())
        found.update({str(n): Cost(seconds=float(c["seconds"]), memory=int(c["memory"])) for n, c in known.items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return found
    return found


def save_costs(path: Path, costs: Mapping[str, Cost]) -> None:
    """Keep the costs for the next build; a failure is of no consequence."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({name: asdict(cost) for name, cost in sorted(costs.items())})
        replace_file(path, text.encode(), durable=False)
    except OSError:
        return


def critical_paths(upstream: Mapping[str, Sequence[str]], costs: Mapping[str, Cost]) -> dict[str, float]:
    """Return for each task the seconds from its start to the end of the longest chain of tasks that begins with it.

    Args:
        upstream: Task to the tasks that it waits for, in topological order.
        costs: Task to cost; the others count as ``UNKNOWN``.

    >>> critical_paths({"a": [], "b": ["a"], "c": ["a"]}, {"c": Cost(seconds=5, memory=1)})
    {'a': 6.0, 'b': 1.0, 'c': 5.0}
    """
    below = dict.fromkeys(upstream, 0.0)
    found: dict[str, float] = {}
    for name in reversed(list(upstream)):
        found[name] = float(costs.get(name, UNKNOWN).seconds) + below[name]
        for up in upstream[name]:
            if up in below:
                below[up] = max(below[up], found[name])
    return {name: found[name] for name in upstream}


def shortage(expected: int, *, running: Iterable[Holder], available: int) -> str | None:
    """Return why a task does not fit into memory beside those that are running, or None when it does.

    Args:
        expected: Bytes that the task will hold at its peak.
        running: What is running; with nothing running, every task may start.
        available: Bytes that are free on this machine now.
    """
    holders = list(running)
    if not holders:
        return None
    promised = sum(max(0, holder.expected - holder.held) for holder in holders)
    free = max(0, available - promised)
    if expected <= free:
        return None
    return f"it needs about {_size(expected)}, and what else was running left {_size(free)}"


def _size(number: int) -> str:
    return f"{number / 1e9:,.1f} GB" if number >= 1e8 else f"{number / 1e6:,.0f} MB"  # noqa: PLR2004 - 0.1 GB

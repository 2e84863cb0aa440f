"""When each task of a run ran, and its cells within: positions of bars. No markup here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbops.pages.graph import in_order
from nbops.pages.text import duration, stamp

if TYPE_CHECKING:
    from nbops.model import Run, TaskRun

__all__ = ["Bar", "Gantt", "Part", "Tick", "began", "gantt", "longest_cell"]

_MOST = 100
_PARTS = 24
_THIN = 0.02
"""Cells that take less than this part of their task are drawn as one."""
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400)
_TICKS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A cell, or several short ones, within a bar; the width is percent of the bar."""

    width: float
    failed: bool = False
    rest: bool = False
    """Not a cell: starting, measuring, publishing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A task; start and width are percent of the run's time."""

    task: TaskRun
    start: float
    width: float
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A mark of the axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gantt:
    """The run on a time line."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    more: int
    cells: bool
    """Whether cells are drawn within."""


def gantt(run: Run) -> Gantt | None:
    """Return the tasks that ran, on the run's time line; None when none did, or it is not known when.

    Beyond 100 tasks the longest are drawn, in the order of dependencies.
    """
    begin = stamp(run.started_at)
    spans: dict[str, tuple[float, float]] = {}
    for task in run.tasks:
        start = stamp(task.started_at)
        if _is_span(task.seconds) and start is not None and begin is not None:
            spans[task.name] = (max(0.0, (start - begin).total_seconds()), float(task.seconds or 0.0))
    total = max([run.seconds or 0.0 if _is_span(run.seconds) else 0.0, *(start + seconds for start, seconds in spans.values())])
    if not spans or total <= 0:
        return None
    longest = sorted(spans, key=lambda name: (-spans[name][1], name))[:_MOST]
    kept = set(longest)
    bars = tuple(_bar(task, *spans[task.name], total) for task in in_order(run.tasks) if task.name in kept)
    cells = any(len(bar.parts) > 1 for bar in bars)
    return Gantt(bars=bars, ticks=_ticks(total), more=len(spans) - len(bars), cells=cells)


def _is_span(seconds: float | None) -> bool:
    return seconds is not None and math.isfinite(seconds) and seconds >= 0


def _bar(task: TaskRun, start: float, seconds: float, total: float) -> Bar:
    left = min(99.5, 100 * start / total)
    return Bar(task=task, start=left, width=max(0.4, min(100 - left, 100 * seconds / total)), parts=_parts(task, seconds))


def _parts(task: TaskRun, seconds: float) -> tuple[Part, ...]:
    """Return the cells in their order, short ones together, and the rest of the task's time after them."""
    timed = [(cell.seconds, cell.status == "failed") for cell in task.cells if cell.seconds and _is_span(cell.seconds)]
    whole = max(seconds, sum(length for length, _ in timed))
    if not timed or whole <= 0:
        return ()
    merged: list[tuple[float, bool]] = []
    waiting = 0.0
    for length, failed in timed:
        if length < _THIN * whole and not failed:
            waiting += length
            continue
        if waiting:
            merged.append((waiting, False))
            waiting = 0.0
        merged.append((length, failed))
    merged += [(waiting, False)] if waiting else []
    parts = [Part(width=100 * length / whole, failed=failed) for length, failed in merged[:_PARTS]]
    drawn = sum(part.width for part in parts)
    return (*parts, Part(width=100 - drawn, rest=True)) if drawn < 99.5 else tuple(parts)  # noqa: PLR2004 - under a pixel


def _ticks(total: float) -> tuple[Tick, ...]:
    step = next((step for step in _STEPS if total / step <= _TICKS), total / _TICKS)
    count = int(total / step)
    ticks = [Tick(at=100 * number * step / total, label=_label(number * step)) for number in range(count + 1)]
    return tuple(tick for tick in ticks if tick.at <= 80)  # noqa: PLR2004 - a later label has no room on a phone


def _label(seconds: float) -> str:
    """Return a round time in as few characters as it takes.

    >>> _label(0), _label(0.5), _label(90), _label(120), _label(5400)
    ('0', '0.5 s', '1 min 30 s', '2 min', '1 h 30 min')
    """
    for unit, name, part, part_name in ((3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= unit:
            rest = round(seconds % unit / part)
            return f"{int(seconds // unit)} {name}" + (f" {rest} {part_name}" if rest else "")
    return f"{seconds:g} s" if seconds else "0"


def longest_cell(task: TaskRun) -> tuple[int, float] | None:
    """Return the number and seconds of the cell that took longest; None where no cell was timed."""
    timed = [(cell.seconds, -cell.index) for cell in task.cells if cell.seconds is not None and _is_span(cell.seconds)]
    if not timed:
        return None
    seconds, index = max(timed)
    return -index, seconds


def began(task: TaskRun, run: Run) -> str:
    """Return how long after the run's start a task began."""
    start, begin = stamp(task.started_at), stamp(run.started_at)
    return duration(max(0.0, (start - begin).total_seconds()) if start is not None and begin is not None else None)

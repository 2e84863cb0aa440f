"""The series of a subject side by side: one row a series, one column a run, the run that is judged last."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from nbops.history.side_by_side import Table

__all__ = ["DAY", "Frame", "Key", "frame_of", "ready"]

Key = tuple[str | None, str]
"""Column (None: the subject itself) and metric."""
DAY = 86_400.0
_ONE_DAY = 1.5 * DAY
"""Times that lie within this are of one day: their clock is followed, not their date."""
_QUANTILE = "quantile:"
_SHARES = ("share:", "pattern:")
_NOVEL = {"share:": "novel", "pattern:": "novelPattern"}
"""The share of rows, in each run, whose category no earlier run listed."""
_MAGNITUDE = "magnitude:"
_OPEN = 300
"""Of columns that showed more frequent values than this, new ones are no news."""
_NOVEL_AFTER = 5
"""At first everything is new."""
_OFTEN = 0.3
_SELDOM = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """All series of one subject; ``values[:, -1]`` is the run that is judged."""

    subject: str
    keys: tuple[Key, ...]
    runs: tuple[str, ...]
    at: NDArray[np.float64]
    """Seconds since 1970."""
    values: NDArray[np.float64]

    @property
    def rows(self) -> NDArray[np.float64]:
        """Rows of each run; NaN where that is not known."""
        found = {key: number for number, key in enumerate(self.keys)}.get((None, "rowCount"))
        return self.values[found] if found is not None else np.full(len(self.at), np.nan)

    @property
    def weekdays(self) -> NDArray[np.int64]:
        """Of each run; 1970 began on a Thursday."""
        return ((np.floor(self.at / DAY) + 3) % 7).astype(np.int64)


def frame_of(subject: str, table: Table, *, run: str, at: float, current: Mapping[Key, float]) -> Frame:
    """Put the numbers of earlier runs and those of the run itself side by side.

    Args:
        subject: ``dataset:NAME`` or ``task:NAME``.
        table: Of earlier runs; what was carried over is left out.
        run: Id of the run that is judged.
        at: The instant that it is for, in seconds since 1970.
        current: Its own values.
    """
    there = np.isfinite(table.values)
    measured = [bool(column.any()) for column in there.T]
    news, known = {point.run for point in table.intervals if point.changed}, {point.run for point in table.intervals}
    columns = [
        number
        for number, (name, changed, some) in enumerate(zip(table.runs, table.changed, measured, strict=True))
        if name != run and (name in news or (changed and (some or name in known)))
    ]
    often = dict(zip(table.keys, there.sum(axis=1).tolist(), strict=True))
    keys = tuple(key for key in dict.fromkeys([*table.keys, *current]) if key in current or not _is_rare(key, often[key]))
    place = {key: number for number, key in enumerate(table.keys)}
    values = np.full((len(keys), len(columns) + 1), np.nan)
    stored = [number for number, key in enumerate(keys) if key in place]
    values[stored, :-1] = table.values[np.ix_([place[keys[number]] for number in stored], columns)]
    values[:, -1] = [current.get(key, np.nan) for key in keys]
    values[~np.isfinite(values)] = np.nan
    stamp = np.array([*(table.at[number].timestamp() for number in columns), at])
    return Frame(subject=subject, keys=keys, runs=(*(table.runs[number] for number in columns), run), at=stamp, values=values)


def _is_rare(key: Key, points: int) -> bool:
    """Tell whether a segment was there so seldom that it cannot be judged."""
    return points < _SELDOM and key[1].startswith("segment:")


def ready(frame: Frame, *, timed: frozenset[str]) -> Frame:
    """Return a frame whose series compare over runs: clocks instead of dates, and zeros where a share is not listed.

    Args:
        frame: As measured.
        timed: Columns that hold dates or times.
    """
    groups: dict[str | None, list[int]] = {}
    for number, (column, _) in enumerate(frame.keys):
        groups.setdefault(column, []).append(number)
    drop: set[int] = set()
    added: dict[Key, NDArray[np.float64]] = {}
    values = frame.values.copy()
    for column, numbers in groups.items():
        if column is None:
            continue
        if column in timed:
            drop |= _clocked(frame, column, numbers, added)
        for prefix in _SHARES:
            shares = [number for number in numbers if frame.keys[number][1].startswith(prefix)]
            if shares:
                rare, added[column, _NOVEL[prefix]] = _filled(values, shares)
                drop |= rare
        powers = [number for number in numbers if frame.keys[number][1].startswith(_MAGNITUDE)]
        if powers:
            drop |= _cumulated(frame, values, powers)
    keep = [number for number in range(len(frame.keys)) if number not in drop]
    keys = (*(frame.keys[number] for number in keep), *added)
    return replace(frame, keys=keys, values=np.vstack([values[keep], *added.values()]))


def _cumulated(frame: Frame, values: NDArray[np.float64], powers: list[int]) -> set[int]:
    """Turn shares of powers of ten into shares of values from that power on, in place; return what is always all of them."""
    ordered = sorted(powers, key=lambda number: _place(frame.keys[number][1][len(_MAGNITUDE) :]))
    block = values[ordered]
    known = np.isfinite(block).any(axis=0)
    from_here: NDArray[np.float64] = np.cumsum(np.nan_to_num(block)[::-1], axis=0)[::-1]
    values[ordered] = np.where(known, np.clip(from_here, 0.0, 1.0), np.nan)
    return {ordered[0]}


def _place(power: str) -> tuple[int, int]:
    """Return where a power of ten lies on the line of numbers.

    >>> sorted(["e-1", "0", "-e2", "e3", "-e0"], key=_place)
    ['-e2', '-e0', '0', 'e-1', 'e3']
    """
    if power == "0":
        return (0, 0)
    negative = power.startswith("-")
    size = int(power.lstrip("-")[1:])
    return (-1, -size) if negative else (1, size)


def _clocked(frame: Frame, column: str, numbers: list[int], added: dict[Key, NDArray[np.float64]]) -> set[int]:
    """Of times the date moves on by itself: what is followed is the time of day, and how old the newest is."""
    found = {frame.keys[number][1]: number for number in numbers}
    dates = {number for name, number in found.items() if name.startswith(_QUANTILE) or name in {"minimum", "maximum", "mean"}}
    middle, low, high = (found.get(f"{_QUANTILE}{p}") for p in ("0.5", "0.01", "0.99"))
    if middle is None or low is None or high is None:
        return dates
    start = np.floor(frame.values[middle] / DAY) * DAY
    short = frame.values[high] - frame.values[low] <= _ONE_DAY
    for name, number in found.items():
        if name.startswith(_QUANTILE):
            added[column, f"clock:{name[len(_QUANTILE) :]}"] = np.where(short, frame.values[number] - start, np.nan)
    newest = found.get(f"{_QUANTILE}1", high)
    added[column, "lag"] = np.where(short, np.floor(frame.at / DAY) * DAY - start, frame.at - frame.values[newest])
    return dates


def _filled(values: NDArray[np.float64], shares: list[int]) -> tuple[set[int], NDArray[np.float64]]:
    """Fill in what a list of the most frequent values does not have, in place.

    Returns the series too rare to follow, and the share of what was never seen before.

    A value that is not listed is at most as frequent as the rarest that is.
    """
    block = values[shares]
    there = np.isfinite(block)
    known = np.asarray(there.any(axis=0))
    full = there.sum(axis=0) >= max(int(there.sum(axis=0).max()), 1)
    with np.errstate(invalid="ignore"):
        least = np.nanmin(np.where(there, block, np.inf), axis=0)
    rest = np.where(full & (np.nansum(block, axis=0) < 0.999), least, 0.0)  # noqa: PLR2004 - a sum of rates, rounded
    shown = there & (block > 0)
    before: NDArray[np.int64] = np.cumsum(shown, axis=1) - shown
    novel = np.where(known, np.where(shown & (before == 0), block, 0.0).sum(axis=0), np.nan)
    novel[np.cumsum(known) <= _NOVEL_AFTER] = np.nan
    if len(shares) > _OPEN:
        novel[:] = np.nan
    values[shares] = np.where(there, block, np.where(known, rest, np.nan))
    earlier = shown[:, :-1].sum(axis=1)
    seldom = (earlier < _SELDOM) | (earlier < _OFTEN * max(int(known[:-1].sum()), 1))
    return {shares[number] for number in np.flatnonzero(seldom)}, np.clip(novel, 0.0, 1.0)

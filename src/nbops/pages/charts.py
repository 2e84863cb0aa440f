"""Series with what was expected of them as drawings: places and paths only, no markup.

A drawing has no text: labels and marks stand over it as HTML, so that they keep their size on a phone and the drawing may be
stretched to any width. Each step to the right is a run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nbops.pages.watch import BandPoint

__all__ = ["HEIGHT", "STEP", "Chart", "Spot", "chart", "rounded"]

HEIGHT, STEP = 100, 10
"""Units of a drawing: its height, and a run's width."""
_STEPS = 20
"""Into so many round numbers a scale is parted at most."""
_LEAST, _MOST = 1e-290, 1e290
"""What is smaller or larger than this is left as it is."""
_ROOM = 0.8
"""So far above and below what is ordinary the scale goes at most, as part of its span; what is beyond stands at the edge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A point that is marked; its place is percent of the drawing's width and height."""

    x: float
    y: float
    kind: str
    """``out`` of the ordinary, ``up`` or ``down`` where it is beyond the scale, ``ok`` where it was said to be expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A drawing, ``width`` by 100 units."""

    width: int
    line: str
    area: str
    """What was expected, as closed paths; empty when nothing was."""
    middle: str
    spots: tuple[Spot, ...]
    top: float
    bottom: float
    """Values at the upper and lower edge."""
    last: Spot
    """Where the line ends."""


def chart(points: Sequence[BandPoint], marked: Mapping[str, bool]) -> Chart | None:
    """Return the drawing of a series; None where there are not two points of it, or it is nothing but one value.

    Args:
        points: The points, the oldest first.
        marked: Run to whether its point is out of the ordinary (True), or was, and was said to be expected (False).
    """
    points = [point for point in points if math.isfinite(point.value)]
    scale = _scale(points, marked) if len(points) > 1 else None
    if scale is None:
        return None
    bottom, top = scale
    width, span = STEP * (len(points) - 1), top - bottom

    def height(value: float) -> int:
        return round(HEIGHT * ((top - (bottom if value < bottom else min(value, top))) / span))

    places = [(STEP * at, height(point.value)) for at, point in enumerate(points)]
    spots = tuple(
        Spot(x=_percent(x, width), y=float(y), kind=_kind(point.value, bottom, top, out=marked[point.run]))
        for (x, y), point in zip(places, points, strict=True)
        if point.run in marked
    )
    return Chart(
        width=width,
        line=_path(places),
        area=_area(points, height),
        middle=_middle(points, height),
        spots=spots,
        top=top,
        bottom=bottom,
        last=Spot(x=100.0, y=float(places[-1][1]), kind="last"),
    )


def _percent(x: int, width: int) -> float:
    return round(100 * x / width, 1)


def _kind(value: float, bottom: float, top: float, *, out: bool) -> str:
    if not out:
        return "ok"
    return "up" if value > top else "down" if value < bottom else "out"


def _scale(points: Sequence[BandPoint], marked: Mapping[str, bool]) -> tuple[float, float] | None:
    """Return the lowest and highest value drawn: what is ordinary decides, and what is far beyond is drawn at the edge.

    A band that is wide for a while, as after an accident, does not press the line flat either.
    """
    every = [point.value for point in points]
    ordinary = [point.value for point in points if point.run not in marked] or every
    lows = [point.low for point in points if point.low is not None and math.isfinite(point.low)]
    highs = [point.high for point in points if point.high is not None and math.isfinite(point.high)]
    low, high = min(ordinary), max(ordinary)
    span = high - low
    if lows or highs:
        span = max(span, median(sorted(highs or every)) - median(sorted(lows or every)))
    span = span or (abs(high) or 1.0) * 0.5
    bottom, top = max(min(*every, *lows), low - _ROOM * span), min(max(*every, *highs), high + _ROOM * span)
    room = 0.04 * (top - bottom) or span / 2
    bottom, top = rounded(bottom - room, top + room)
    if min(every) >= 0 > bottom:
        bottom = 0.0
    return (bottom, top) if math.isfinite(top - bottom) and top > bottom else None


def rounded(bottom: float, top: float, *, parts: int = _STEPS) -> tuple[float, float]:
    """Return round numbers around a scale.

    What a series is expected to be moves a little with each run. Were the scale to move along, each point of the drawing would
    be at another place each time, and the whole of it be kept anew.

    Args:
        bottom: The lowest value.
        top: The highest.
        parts: Into how many parts the scale is parted at most by round numbers, at least 10; they are up to two and a half times
            as wide as that.

    >>> rounded(79_856, 91_518), rounded(79_856, 91_518, parts=10)
    ((79000.0, 92000.0), (78000.0, 92000.0))
    """
    span = top - bottom
    if not _LEAST < span < _MOST:
        return bottom, top
    power = math.floor(math.log10(span)) - 1
    step = next((step for step in (1, 2, 5) if span <= parts * _by_ten(step, power)), 10)
    unit = _by_ten(step, power)
    return _by_ten(math.floor(bottom / unit) * step, power), _by_ten(math.ceil(top / unit) * step, power)


def _by_ten(number: int, power: int) -> float:
    """Return a whole number times a power of ten, as near as can be: 3 / 10 and not 3 * 0.1."""
    return number * 10.0**power if power >= 0 else number / 10.0**-power


def _path(places: Sequence[tuple[int, int]]) -> str:
    """Return a line in steps, which pack well: a drawing is kept for ever."""
    (x, y), *rest = places
    steps = []
    for next_x, next_y in rest:
        steps.append(f"{next_x - x} {next_y - y}")
        x, y = next_x, next_y
    return f"M{places[0][0]} {places[0][1]}" + (f"l{' '.join(steps)}".replace(" -", "-") if steps else "")


def _runs_of(points: Sequence[BandPoint]) -> list[list[int]]:
    """Return the positions of points that something was expected of, those that follow each other together."""
    found: list[list[int]] = []
    for at, point in enumerate(points):
        if point.low is None and point.high is None:
            continue
        if found and found[-1][-1] == at - 1:
            found[-1].append(at)
        else:
            found.append([at])
    return found


def _area(points: Sequence[BandPoint], height: Callable[[float], int]) -> str:
    paths = []
    for run in _runs_of(points):
        sides = [(STEP * at, _or(points[at].high, math.inf), _or(points[at].low, -math.inf)) for at in run]
        if len(sides) == 1:  # a run alone has no width
            x, high, low = sides[0]
            sides = [(x - STEP // 3, high, low), (x + STEP // 3, high, low)]
        there = [(x, height(high)) for x, high, _ in sides]
        back = [(x, height(low)) for x, _, low in reversed(sides)]
        paths.append(_path([*there, *back]) + "z")
    return "".join(paths)


def _or(value: float | None, other: float) -> float:
    return other if value is None or math.isnan(value) else value


def _middle(points: Sequence[BandPoint], height: Callable[[float], int]) -> str:
    lines = []
    for run in _runs_of(points):
        places = [
            (STEP * at, height(center)) for at in run if (center := points[at].center) is not None and math.isfinite(center)
        ]
        if len(places) > 1:
            lines.append(_path(places))
    return "".join(lines)

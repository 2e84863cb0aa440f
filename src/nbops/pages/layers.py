"""Where the boxes and lines of a layered drawing go: left to right, few crossings, straight where it can be.

After Sugiyama, Tagawa and Toda (1981): layers by longest path, points where a line passes a layer, sweeps that order a layer by
the mean place of its neighbours. Heights follow by least squares: each point wants to be level with its neighbours, and what
stands in one layer keeps its distance; that is an isotonic regression, solved exactly by pooling adjacent violators.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Box", "Layout", "Line", "layered"]

_SWEEPS, _SETTLES = 10, 8
_PAD, _GAP, _LANE = 10.0, 46.0, 9.0
"""CSS pixels: around the drawing, between two layers, of a line that passes a layer."""

Point = tuple[int, str]
"""Layer and name; a name that begins with NUL is a line that passes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A box of the drawing; units are CSS pixels."""

    name: str
    layer: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of the drawing, as SVG path data."""

    source: str
    target: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A drawing; boxes from left to right and from the top."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def layered(
    names: Iterable[str], pairs: Iterable[tuple[str, str]], *, widths: Mapping[str, float], height: float, gap: float
) -> Layout:
    """Return a layered drawing; the same names and pairs give the same one, in whatever order.

    Args:
        names: What is drawn.
        pairs: Source and target of each line. A line that would close a circle is left out of the order and drawn backwards.
        widths: Name to the width of its box, in CSS pixels.
        height: Height of every box.
        gap: Least distance between two boxes of a layer.
    """
    known = sorted(set(names))
    wanted = sorted({pair for pair in pairs if pair[0] != pair[1] and set(pair) <= set(known)})
    level = _levels(known, wanted)
    chains = [_chain(source, target, level) for source, target in wanted]
    layers = _ordered(chains, level)
    heights = _heights(layers, chains, height=height, gap=gap)
    return _placed(layers, chains, heights, widths=widths, height=height)


def _levels(names: Sequence[str], pairs: Sequence[tuple[str, str]]) -> dict[str, int]:
    upstream: dict[str, list[str]] = {name: [] for name in names}
    downstream: dict[str, list[str]] = {name: [] for name in names}
    for source, target in pairs:
        upstream[target].append(source)
        downstream[source].append(target)
    level: dict[str, int] = {}
    for name in _topological(upstream):
        level[name] = max((level[source] + 1 for source in upstream[name] if source in level), default=0)
    for name in names:  # what nothing leads to stands just before what it leads to
        after = [level[target] for target in downstream[name] if level[target] > level[name]]
        if not upstream[name] and after:
            level[name] = min(after) - 1
    return level


def _topological(upstream: Mapping[str, Sequence[str]]) -> list[str]:
    sorter = TopologicalSorter(upstream)
    ordered: list[str] = []
    try:
        sorter.prepare()
    except CycleError:
        return list(upstream)
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        ordered += ready
        sorter.done(*ready)
    return ordered


def _chain(source: str, target: str, level: Mapping[str, int]) -> list[Point]:
    bends = [(number, f"\0{source}\0{target}") for number in range(level[source] + 1, level[target])]
    return [(level[source], source), *bends, (level[target], target)]


def _ordered(chains: Sequence[Sequence[Point]], level: Mapping[str, int]) -> list[list[str]]:
    layers: list[list[str]] = [[] for _ in range(max(level.values(), default=0) + 1)]
    for number, name in sorted({(number, name) for name, number in level.items()} | {p for chain in chains for p in chain}):
        layers[number].append(name)
    before, after = _neighbours(chains)
    best, fewest = [list(names) for names in layers], _crossings(layers, after)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        down = sweep % 2 == 0
        numbers = range(1, len(layers)) if down else range(len(layers) - 2, -1, -1)
        for number in numbers:
            place = {name: at for at, name in enumerate(layers[number - 1 if down else number + 1])}
            near = before if down else after
            now = {name: float(at) for at, name in enumerate(layers[number])}
            layers[number].sort(key=lambda name: _mean([place[other] for other in near[number, name]], now[name]))
        crossings = _crossings(layers, after)
        if crossings < fewest:
            best, fewest = [list(names) for names in layers], crossings
    return best


def _neighbours(chains: Sequence[Sequence[Point]]) -> tuple[dict[Point, list[str]], dict[Point, list[str]]]:
    before: dict[Point, list[str]] = defaultdict(list)
    after: dict[Point, list[str]] = defaultdict(list)
    for chain in chains:
        for left, right in pairwise(chain):
            if right[0] == left[0] + 1:
                after[left].append(right[1])
                before[right].append(left[1])
    return before, after


def _mean(places: Sequence[float], otherwise: float) -> float:
    return sum(places) / len(places) if places else otherwise


def _crossings(layers: Sequence[Sequence[str]], after: Mapping[Point, Sequence[str]]) -> int:
    """Count the crossings between neighbouring layers, by a tree of sums (Barth, Mutzel and Juenger 2004)."""
    total = 0
    for number, names in enumerate(layers[:-1]):
        place = {name: at for at, name in enumerate(layers[number + 1])}
        ends = [end for name in names for end in sorted(place[other] for other in after.get((number, name), ()))]
        sums = [0] * (len(place) + 1)
        for seen, end in enumerate(ends):
            at, passed = end + 1, 0
            while at > 0:
                passed += sums[at]
                at -= at & -at
            total += seen - passed
            at = end + 1
            while at < len(sums):
                sums[at] += 1
                at += at & -at
    return total


def _heights(
    layers: Sequence[Sequence[str]], chains: Sequence[Sequence[Point]], *, height: float, gap: float
) -> dict[Point, float]:
    """Return the middle of each point, in CSS pixels from the top of the drawing."""
    before, after = _neighbours(chains)
    half = {name: (_LANE if name.startswith("\0") else height + gap) / 2 for names in layers for name in names}
    middle: dict[Point, float] = {}
    for number, names in enumerate(layers):
        top = 0.0
        for name in names:
            middle[number, name] = top + half[name]
            top += 2 * half[name]
    for settle in range(_SETTLES):
        down = settle % 2 == 0
        for number in range(len(layers)) if down else range(len(layers) - 1, -1, -1):
            names = layers[number]
            if not names:
                continue
            wanted = []
            for name in names:
                near = [middle[number - 1, other] for other in before[number, name]] if down or settle > _SETTLES - 3 else []
                near += [middle[number + 1, other] for other in after[number, name]] if not down or settle > _SETTLES - 3 else []
                wanted.append(_mean(near, middle[number, name]))
            spaces = [0.0, *(half[one] + half[other] for one, other in pairwise(names))]
            for name, at in zip(names, _apart(wanted, spaces), strict=True):
                middle[number, name] = at
    top = min((at - half[name] for (_, name), at in middle.items()), default=0.0)
    return {point: at - top + _PAD - gap / 2 for point, at in middle.items()}


def _apart(wanted: Sequence[float], spaces: Sequence[float]) -> list[float]:
    """Return the places nearest to those wanted (least squares) that keep the order and the least distances.

    >>> _apart([5.0, 5.0, 20.0], [0.0, 2.0, 2.0])
    [4.0, 6.0, 20.0]
    """
    shift, total = [], 0.0
    for space in spaces:
        total += space
        shift.append(total)
    pools: list[tuple[float, int]] = []
    for want, moved in zip(wanted, shift, strict=True):
        mean, size = want - moved, 1
        while pools and pools[-1][0] > mean:
            other, many = pools.pop()
            mean, size = (mean * size + other * many) / (size + many), size + many
        pools.append((mean, size))
    flat = [mean for mean, size in pools for _ in range(size)]
    return [base + moved for base, moved in zip(flat, shift, strict=True)]


def _placed(
    layers: Sequence[Sequence[str]],
    chains: Sequence[Sequence[Point]],
    middle: Mapping[Point, float],
    *,
    widths: Mapping[str, float],
    height: float,
) -> Layout:
    boxes: list[Box] = []
    ends: dict[Point, tuple[float, float, float]] = {}
    x, bottom = _PAD, 0.0
    for number, names in enumerate(layers):
        wide = max((widths[name] for name in names if not name.startswith("\0")), default=0.0)
        for name in names:
            at = middle[number, name]
            ends[number, name] = (x, x + wide, at)
            bottom = max(bottom, at)
            if not name.startswith("\0"):
                boxes.append(Box(name=name, layer=number, x=round(x), y=round(at - height / 2), width=wide, height=height))
        x += wide + _GAP
    lines = tuple(
        Line(source=chain[0][1], target=chain[-1][1], path=_curve([ends[point] for point in chain])) for chain in chains
    )
    return Layout(width=round(x - _GAP + _PAD), height=round(bottom + height / 2 + _PAD), boxes=tuple(boxes), lines=lines)


def _curve(points: Sequence[tuple[float, float, float]]) -> str:
    """Return a line as a path in relative steps, which repeat between lines and so cost little."""
    whole = [(round(left), round(right), round(y)) for left, right, y in points]
    path = f"M{whole[0][1]} {whole[0][2]}"
    for number, ((_, right, y), (left, through, next_y)) in enumerate(pairwise(whole), start=2):
        across, down = left - right, next_y - y
        path += f"c{across // 2} 0 {across // 2} {down} {across} {down}" if down else f"h{across}"
        path += f"h{through - left}" if number < len(whole) else ""
    return path

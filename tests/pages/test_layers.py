"""Layered drawings: nothing overlaps, everything is in the frame, the same in any order, fast enough for 500 nodes."""

from __future__ import annotations

import random
import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbops.pages.layers import Layout, layered

PAIRS = st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14)), max_size=40)


def draw(names: list[str], pairs: list[tuple[str, str]], width: float = 80.0) -> Layout:
    return layered(names, pairs, widths=dict.fromkeys(names, width), height=38.0, gap=12.0)


def overlaps(layout: Layout) -> bool:
    columns: dict[int, list[float]] = {}
    for box in layout.boxes:
        columns.setdefault(box.layer, []).append(box.y)
    return any(below - above < 38.0 + 11.0 for ys in columns.values() for above, below in pairwise(sorted(ys)))


@settings(deadline=None)
@given(PAIRS, st.randoms(use_true_random=False))
def test_any_graph_also_with_circles_is_drawn_without_overlaps_and_the_same_in_any_order(pairs: Any, chance: Any) -> None:
    names = [f"n{number}" for number in range(15)]
    wanted = [(f"n{one}", f"n{other}") for one, other in pairs]
    layout = draw(names, wanted)
    assert sorted(box.name for box in layout.boxes) == sorted(names)
    assert {(line.source, line.target) for line in layout.lines} == {pair for pair in wanted if pair[0] != pair[1]}
    assert not overlaps(layout)
    for box in layout.boxes:
        assert 0 <= box.x <= box.x + box.width <= layout.width
        assert 0 <= box.y <= box.y + box.height <= layout.height
    chance.shuffle(names)
    chance.shuffle(wanted)
    assert draw(names, wanted) == layout


@settings(deadline=None)
@given(PAIRS)
def test_without_circles_every_line_leads_to_the_right_and_ends_at_its_boxes(pairs: Any) -> None:
    names = [f"n{number:02d}" for number in range(15)]
    wanted = [(names[one], names[other]) for one, other in pairs if one < other]
    layout = draw(names, wanted)
    boxes = {box.name: box for box in layout.boxes}
    for line in layout.lines:
        source, target = boxes[line.source], boxes[line.target]
        assert source.layer < target.layer
        start = re.match(r"M(-?\d+) (-?\d+)", line.path)
        assert start
        x, y = int(start[1]), int(start[2])
        for step, numbers in re.findall(r"([ch])([-\d ]+)", line.path[start.end() :]):
            moved = [int(number) for number in numbers.split()]
            x, y = (x + moved[-2], y + moved[-1]) if step == "c" else (x + moved[0], y)
        assert abs(x - target.x) <= 2
        assert abs(y - (target.y + target.height / 2)) <= 2


def test_a_chain_is_a_straight_line() -> None:
    names = [f"n{number}" for number in range(10)]
    layout = draw(names, list(pairwise(names)))
    assert len({box.y for box in layout.boxes}) == 1
    assert all("c" not in line.path for line in layout.lines)


@pytest.mark.parametrize("many", [10, 100, 500])
def test_pipelines_of_any_size_can_be_read(many: int) -> None:
    chance = random.Random(many)
    names = [f"n{number}" for number in range(many)]
    pairs = [(names[chance.randrange(max(0, at - 12), at)], names[at]) for at in range(1, many) for _ in range(2)]
    layout = draw(names, pairs)
    assert not overlaps(layout)
    assert layout.height < many * 50 + 40
    assert layout.width < 126 * (max(box.layer for box in layout.boxes) + 1)


def test_nothing_is_drawn_small() -> None:
    assert draw([], []).boxes == ()

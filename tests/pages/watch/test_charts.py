"""Drawings of series: inside their box, the same for the same numbers, whatever the numbers are."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbops.pages.charts import HEIGHT, STEP, chart
from nbops.pages.watch import BandPoint

NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
EDGES = st.none() | NUMBERS
POINTS = st.lists(st.tuples(NUMBERS, EDGES, EDGES, EDGES, st.booleans(), st.booleans()), max_size=80)


def _points(numbers: list[float], low: float | None = None, high: float | None = None) -> list[BandPoint]:
    return [BandPoint(run=f"r{at}", at="2026-01-01", value=value, low=low, high=high) for at, value in enumerate(numbers)]


def _places(path: str) -> list[tuple[int, int]]:
    """The corners of a path, absolute."""
    found = []
    for part in re.findall(r"M[^M]*", path):
        x, y, *steps = [int(number) for number in re.findall(r"-?\d+", part)]
        found.append((x, y))
        for at in range(0, len(steps), 2):
            x, y = x + steps[at], y + steps[at + 1]
            found.append((x, y))
    return found


@settings(deadline=None)
@given(POINTS)
def test_every_corner_and_mark_is_inside_the_drawing(rows: list[tuple[float, float, float, float, bool, bool]]) -> None:
    points = [
        BandPoint(run=f"r{at}", at="2026-01-01", value=value, low=low, high=high, center=center)
        for at, (value, low, high, center, _, _) in enumerate(rows)
    ]
    marked = {f"r{at}": out for at, (*_, is_marked, out) in enumerate(rows) if is_marked}
    drawing = chart(points, marked)
    assert chart(points, marked) == drawing
    if drawing is None:
        return
    assert math.isfinite(drawing.top)
    assert math.isfinite(drawing.bottom)
    for path in (drawing.line, drawing.area, drawing.middle):
        for x, y in _places(path):
            assert -STEP < x < drawing.width + STEP
            assert 0 <= y <= HEIGHT
    for spot in (*drawing.spots, drawing.last):
        assert 0 <= spot.x <= 100
        assert 0 <= spot.y <= 100


def test_one_run_or_none_is_no_drawing() -> None:
    assert chart([], {}) is None
    assert chart(_points([3.0]), {}) is None
    assert chart(_points([math.nan, math.inf, 1.0]), {}) is None


def test_a_number_that_never_changes_is_a_level_line() -> None:
    drawing = chart(_points([5.0] * 4), {})
    assert drawing is not None
    assert drawing.bottom < 5 < drawing.top
    assert len({y for _, y in _places(drawing.line)}) == 1


def test_what_is_far_out_stands_at_the_edge_and_leaves_the_others_their_room() -> None:
    drawing = chart(_points([10.0, 11, 10, 9, 5_000, 10, -4_000], low=8, high=12), {"r4": True, "r6": True, "r1": False})
    assert drawing is not None
    assert [spot.kind for spot in drawing.spots] == ["ok", "up", "down"]
    assert drawing.top < 20
    assert [spot.y for spot in drawing.spots][1:] == [0, 100]
    assert len({y for _, y in _places(drawing.line)}) > 4


def test_the_band_begins_where_something_was_expected_and_has_gaps() -> None:
    points = _points([1.0, 2, 3, 4, 5, 6])
    banded = [one._replace(low=0, high=7) if at in {2, 3, 5} else one for at, one in enumerate(points)]
    drawing = chart(banded, {})
    assert drawing is not None
    assert drawing.area.count("M") == 2
    assert {x for x, _ in _places(drawing.area)} == {20, 30, 47, 53}


def test_a_band_with_one_side_goes_to_the_edge() -> None:
    drawing = chart(_points([0.1, 0.2, 0.1], high=0.4), {})
    assert drawing is not None
    assert max(y for _, y in _places(drawing.area)) == HEIGHT


def test_a_scale_stays_when_what_was_expected_moves_a_little() -> None:
    """What is drawn is kept for ever: a new run adds a step to its lines and leaves the others where they are."""
    values = [100 + 3 * math.sin(at) for at in range(40)]
    lines = set()
    for runs in range(20, 40):
        points = _points(values[:runs])
        moved = [one._replace(low=90 - 0.01 * runs, high=111 + 0.013 * runs) for one in points]
        drawing = chart(moved, {})
        assert drawing is not None
        assert (drawing.bottom, drawing.top) == (88, 114)
        lines.add(drawing.line)
    assert all(longer.startswith(line) for line in lines for longer in lines if len(longer) > len(line))


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([0.301, 0.699], (0.25, 0.75)),
        ([-3.0, 4.0], (-3.5, 4.5)),
        ([1_234_567.0, 1_234_568.0], (1_234_566.9, 1_234_568.1)),
        ([0.0, 1e-320], None),
        ([-1.7e308, 1.7e308], None),
        ([1e300, 1.5e300], None),
    ],
)
def test_a_scale_ends_at_round_numbers(values: list[float], scale: tuple[float, float] | None) -> None:
    drawing = chart(_points(values), {})
    if scale is None:
        assert drawing is None or drawing.bottom < drawing.top
    else:
        assert drawing is not None
        assert (drawing.bottom, drawing.top) == scale


def test_a_scale_of_numbers_that_are_never_negative_ends_at_nothing() -> None:
    drawing = chart(_points([0.0, 1.0, 0.0]), {})
    assert drawing is not None
    assert drawing.bottom == 0

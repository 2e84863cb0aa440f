"""Courses over runs: in their frame, in words too, whatever the numbers."""

from __future__ import annotations

import math
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbops.history.series import CheckPoint, Point
from nbops.model import Check, CheckResult
from nbops.pages.course import check_courses, measured_courses, versions


def point(
    number: int, *, rows: int | None = 10, content: str | None = None, check: float | None = 0.0, **measured: float
) -> Point:
    verdict = "passed" if not check else "failed"
    return Point(
        run=f"202611{number + 1:02d}T000000Z-000000",
        verdict=verdict,
        published=True,
        rows=rows,
        bytes=1_000,
        content=content,
        checks={"c": CheckPoint(verdict=verdict, observed=check)},
        measured={(metric, "a"): value for metric, value in measured.items()},
    )


RESULT = CheckResult(check=Check(id="c", dataset="d", metric="nullValues", column="a"), verdict="passed", observed=0)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=20))
def test_any_numbers_stay_in_the_frame(numbers: list[float]) -> None:
    points = [point(at % 28, check=number, mean=number) for at, number in enumerate(numbers)]
    course = check_courses([RESULT], points)["c"]
    assert course is not None
    drawn = places_of(course.line)
    assert all(0 <= x <= course.width and 0 <= y <= 18 for x, y in drawn)
    assert bool(drawn) == (len(set(numbers)) > 1 and math.isfinite(max(numbers) - min(numbers)))
    bad = sum(number != 0 for number in numbers)
    assert course.objected == (f"{bad} of {len(numbers)} objected" if bad else "")
    if drawn:
        assert "objected" not in course.text  # it stands beside
        assert len(drawn) == len(numbers)
        assert drawn[0][0] == 0
        assert drawn[-1][0] == course.width
        highest, lowest = (drawn[numbers.index(number)][1] for number in (max(numbers), min(numbers)))
        assert 2 <= highest < lowest <= 16
        assert lowest - highest >= 8  # the scale ends at round numbers, not far beyond
        spots = [place for _, path in course.spots for place in places_of(path.replace("h0", ""))]
        assert spots == [place for place, number in zip(drawn, numbers, strict=True) if number]
    else:
        assert course.objected in course.text
        assert not course.spots


def places_of(path: str) -> list[tuple[int, int]]:
    """Follow a path of relative steps."""
    numbers = [int(number) for number in re.findall(r"-?\d+", path)]
    steps = list(zip(numbers[::2], numbers[1::2], strict=True))
    return [(sum(x for x, _ in steps[: at + 1]), sum(y for _, y in steps[: at + 1])) for at in range(len(steps))]


def test_a_drawing_that_gets_a_run_more_keeps_its_steps() -> None:
    lines = []
    for runs in (10, 11):
        courses, _, _ = measured_courses([point(at, rows=(at % 7) * 100) for at in range(runs)], most=1)
        lines.append(courses[0].line)
    assert lines[1].startswith(lines[0])


def test_a_new_extreme_moves_the_drawing_only_when_a_round_number_is_passed() -> None:
    series = [80_000 - 700 * (at % 4) - 90 * at for at in range(40)]  # ends lower with nearly each run
    same = 0
    for runs in range(20, 40):
        before, now = (measured_courses([point(at % 28, rows=n) for at, n in enumerate(taken)], most=1)[0][0].line
                       for taken in (series[runs - 20 : runs], series[runs - 19 : runs + 1]))  # fmt: skip
        steps = [places_of(line) for line in (before, now)]
        moves = [[(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(places)] for places in steps]
        same += moves[0][1:] == moves[1][:-1]
    assert same >= 12


def test_one_run_has_no_course_and_a_check_that_was_not_there_has_none() -> None:
    assert check_courses([RESULT], [point(0)]) == {"c": None}
    other = CheckResult(check=Check(id="new", dataset="d", metric="nullValues"), verdict="passed")
    assert check_courses([other], [point(0), point(1)]) == {"new": None}
    assert measured_courses([point(0)], most=8) == ((), 0, 0)


def test_constant_measurements_are_counted_and_moving_ones_shown_most_moved_first() -> None:
    points = [point(at, rows=10 + at, mean=100.0 + at, maximum=1.0 + at, minimum=3.0) for at in range(4)]
    courses, constant, left_out = measured_courses(points, most=3)
    assert [(one.title, one.first, one.last) for one in courses] == [
        ("rows", "10", "13"),
        ("bytes", "1.0 KB", "1.0 KB"),
        ("largest", "1", "4"),
    ]
    assert (constant, left_out) == (1, 1)


def test_versions_are_contents_not_runs() -> None:
    points = [point(0, rows=5, content="a"), point(1, rows=5, content="a"), point(2, rows=9, content="b"), point(3, content=None)]
    assert [(one.content, one.rows, one.more) for one in versions(points, most=8)] == [("b", 9, 4), ("a", 5, None)]
    assert versions(points, most=1)[0].content == "b"


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_what_is_not_finite_breaks_nothing(value: float) -> None:
    courses, _, _ = measured_courses([point(0, mean=value), point(1, mean=1.0)], most=8)
    assert all(one.line == "" for one in courses if one.column)

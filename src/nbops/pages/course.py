"""The course of a dataset over runs: small drawings with the numbers beside them, and versions of its content."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from nbops.pages.charts import rounded
from nbops.pages.series_words import told as series_told
from nbops.pages.text import count, size, value
from nbops.pages.words import AGES, figure, mark, rank
from nbops.quality.recommender_names import RECOMMENDER_METRICS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbops.history.series import Point
    from nbops.model import CheckResult

__all__ = ["Course", "Version", "check_courses", "course_of", "measured_courses", "versions"]

_STEP, _HEIGHT, _EDGE = 10, 18, 2
_PARTS = 10
"""Of a scale, by round numbers: wider ones than in the drawings of monitoring, as these are small and show the shape alone."""
_RUN_ID = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z")
_BAD = frozenset({"failed", "errored", "warned"})
_NAMES = {
    "nullValues": "null values",
    "distinctValues": "distinct values",
    "minimum": "smallest",
    "maximum": "largest",
    "mean": "mean",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A number over runs."""

    title: str
    column: str
    line: str
    """Path of the drawing, ``width`` by 18 units; empty when the number never changed."""
    width: int
    spots: tuple[tuple[str, str], ...]
    """Each verdict of a check that objected, with the path of its points."""
    text: str
    """The same in words; where nothing is drawn also in how many runs the check objected."""
    objected: str
    """In how many runs the check objected; empty when in none."""
    first: str
    last: str
    low: str
    high: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A content that the dataset had."""

    at: str
    run: str
    rows: int | None
    more: int | None
    """Rows more (or less) than the version before."""
    bytes: int | None
    content: str
    verdict: str
    published: bool


def _instant(run_id: str) -> str:
    found = _RUN_ID.match(run_id)
    return "{}-{}-{}T{}:{}:{}Z".format(*found.groups()) if found else run_id


def _line(numbers: Sequence[float]) -> list[tuple[int, int]]:
    """Return the places of a line through numbers, the first at the left; none where there is nothing to draw."""
    low, high = min(numbers), max(numbers)
    if low == high or not math.isfinite(high - low):  # so far apart that they overflow
        return []
    bottom, top = rounded(low, high, parts=_PARTS)  # with the numbers' own ends, most runs would move all places
    low, high = min(low, bottom), max(high, top)  # a hair apart, they are no longer rounded outwards
    span = high - low
    if not span or not math.isfinite(span):
        return []
    return [
        (_STEP * at, round(_HEIGHT - _EDGE - (_HEIGHT - 2 * _EDGE) * ((number - low) / span)))
        for at, number in enumerate(numbers)
    ]


def _steps(places: Sequence[tuple[int, int]]) -> list[str]:
    """Return the way from each place to the next: a drawing is kept for ever, and most steps are those of the run before."""
    return [f"{x - before_x} {y - before_y}" for (before_x, before_y), (x, y) in pairwise(places)]


def _path(places: Sequence[tuple[int, int]]) -> str:
    return f"M{places[0][0]} {places[0][1]}l{' '.join(_steps(places))}".replace(" -", "-")


def _dots(places: Sequence[tuple[int, int]]) -> str:
    """Return a path that draws a dot at each place, with a line's round ends."""
    return f"M{places[0][0]} {places[0][1]}h0" + "".join(f"m{step}h0" for step in _steps(places)).replace(" -", "-")


def check_courses(results: Sequence[CheckResult], points: Sequence[Point]) -> Mapping[str, Course | None]:
    """Return the course of each check by its id; None where there is but one run to tell of."""
    return {result.check.id: _of_check(result, points) for result in results}


def _of_check(result: CheckResult, points: Sequence[Point]) -> Course | None:
    seen = [point.checks[result.check.id] for point in points if result.check.id in point.checks]
    if len(seen) < 2:  # noqa: PLR2004
        return None
    unit = " %" if result.check.unit == "percent" else ""
    numbers = [(one.observed, one.verdict) for one in seen if one.observed is not None]
    objected = sum(one.verdict in _BAD for one in seen)
    said = f"{count(objected)} of {count(len(seen))} objected" if objected else ""
    if not numbers:
        return _course(result.check.metric, [], said=said, unit=unit)
    places = _line([number for number, _ in numbers])
    spots: dict[str, list[tuple[int, int]]] = {}
    for place, (_, verdict) in zip(places, numbers, strict=False):
        if verdict in _BAD:
            spots.setdefault(mark(verdict), []).append(place)
    return _course(result.check.metric, [number for number, _ in numbers], places=places, spots=spots, said=said, unit=unit)


def _course(
    metric: str,
    numbers: Sequence[float],
    *,
    places: Sequence[tuple[int, int]] = (),
    column: str = "",
    spots: Mapping[str, Sequence[tuple[int, int]]] | None = None,
    said: str = "",
    unit: str = "",
) -> Course:
    def told(number: float) -> str:
        if metric in RECOMMENDER_METRICS:
            return series_told(metric, number)
        whole = int(number) if number.is_integer() and abs(number) < 2**53 else number
        text = figure(metric, number) if metric in AGES else size(int(number)) if metric == "bytes" else value(whole)
        return f"{text}{unit}"

    texts = [told(number) for number in numbers]
    low, high = (told(min(numbers)), told(max(numbers))) if numbers else ("", "")
    if not texts:
        text = said or "never objected"
    elif len(set(numbers)) == 1:
        text = f"always {texts[0]}" + (f"; {said}" if said else "")
    else:
        text = f"{texts[0]} to {texts[-1]}, from {low} to {high}" + (f"; {said}" if said and not places else "")
    return Course(
        title=_NAMES.get(metric, metric),
        column=column,
        line=_path(places) if places else "",
        width=places[-1][0] if places else 0,
        spots=tuple((word, _dots(taken)) for word, taken in (spots or {}).items()),
        text=text,
        objected=said,
        first=texts[0] if texts else "",
        last=texts[-1] if texts else "",
        low=low,
        high=high,
    )


def measured_courses(points: Sequence[Point], *, most: int) -> tuple[tuple[Course, ...], int, int]:
    """Return the courses of rows, size and columns that changed; and how many did not change, or are left out.

    Args:
        points: The dataset's points, the oldest first.
        most: Courses at most; those that changed the most, for their size, come first after rows and size.
    """
    if len(points) < 2:  # noqa: PLR2004
        return (), 0, 0
    courses: list[tuple[float, Course]] = []
    constant = 0
    whole = (("rows", [point.rows for point in points]), ("bytes", [point.bytes for point in points]))
    for title, taken in whole:
        numbers = [float(number) for number in taken if number is not None]
        if len(numbers) > 1:
            courses.append((float("inf"), _course(title, numbers, places=_line(numbers))))
    for metric, column in points[-1].measured:
        if metric in RECOMMENDER_METRICS:
            continue  # told on their own
        numbers = [point.measured[metric, column] for point in points if (metric, column) in point.measured]
        if len(numbers) < 2:  # noqa: PLR2004
            continue
        places = _line(numbers)
        if not places:
            constant += 1
            continue
        moved = (max(numbers) - min(numbers)) / max(abs(max(numbers)), abs(min(numbers)))
        courses.append((moved, _course(metric, numbers, places=places, column=column)))
    courses.sort(key=lambda pair: (-pair[0], pair[1].title != "rows", pair[1].column, pair[1].title))
    found = tuple(course for _, course in courses[:most])
    return found, constant, len(courses) - len(found)


def course_of(points: Sequence[Point], metric: str) -> Course | None:
    """Return the course of a number of the dataset as a whole; None where there is but one run to tell of."""
    numbers = [point.measured[metric, ""] for point in points if (metric, "") in point.measured]
    if len(numbers) < 2:  # noqa: PLR2004
        return None
    return _course(metric, numbers, places=_line(numbers))


def versions(points: Sequence[Point], *, most: int) -> tuple[Version, ...]:
    """Return the contents that a dataset had, the newest first: a point whose content is that of the one before makes none."""
    found: list[Version] = []
    before: Point | None = None
    for point in points:
        if point.content is None or (before is not None and point.content == before.content):
            continue
        known = before is not None and before.rows is not None and point.rows is not None
        found.append(
            Version(
                at=_instant(point.run),
                run=point.run,
                rows=point.rows,
                more=point.rows - before.rows
                if known and before and before.rows is not None and point.rows is not None
                else None,
                bytes=point.bytes,
                content=point.content,
                verdict=min([point.verdict, *(one.verdict for one in point.checks.values())], key=rank),
                published=point.published,
            )
        )
        before = point
    return tuple(found[::-1][:most])

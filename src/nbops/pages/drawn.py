"""Series with their drawings, and the numbers of these as a table."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from nbops.pages.charts import chart
from nbops.pages.series_words import series_name, spread, told
from nbops.pages.text import short
from nbops.pages.views import report_link
from nbops.quality.recommender_names import RECOMMENDER_METRICS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from nbops.pages.charts import Chart
    from nbops.pages.watch import BandSeries, Watch

__all__ = ["SMALL_POINTS", "Drawn", "drawn_series", "is_of_lists", "lists_of", "numbers_of", "raised_of", "run_page"]

_POINTS, SMALL_POINTS, _DRAWN_LISTS = 42, 30, 6
"""Points of large drawings and of small ones at most, six weeks of days and a month; large drawings of recommendations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A series with its drawing."""

    title: str
    column: str
    anchor: str
    chart: Chart | None
    now: str
    ordinary: str
    basis: str
    out: int
    """In how many of the runs shown it was out of the ordinary."""
    accepted: int
    runs: int
    top: str
    bottom: str
    first_at: str
    last_at: str
    state: str
    rhythm: str


def run_page(run: str, reports: Path) -> str | None:
    """Return where the page of a run is, below ``reports``; None where it is gone."""
    return report_link(f"runs/{run}/index.html", reports)


def drawn_series(
    series: BandSeries, raised: Mapping[tuple[str | None, str], Mapping[str, bool]], number: int, *, most: int = _POINTS
) -> Drawn:
    """Return a series with its drawing.

    Args:
        series: The series.
        raised: By column and metric, runs in which it was out of the ordinary, and whether nobody said to expect that.
        number: Of its place on the page.
        most: Points at most, the newest ones.
    """
    points = series.points[-most:]
    marked = raised.get((series.column, series.metric), {})
    inside = {point.run for point in points}
    here = {run: out for run, out in marked.items() if run in inside}
    drawing = chart(points, here)
    last = points[-1] if points else None
    known = last is not None and (last.low is not None or last.high is not None)
    ordinary = spread(series.metric, last.low, last.high) if last else ""
    basis = short(series.expected.basis, 200) if series.expected is not None else ""
    if series.expected is None and len(points) > 2:  # noqa: PLR2004
        ordinary = f"usually {told(series.metric, median(sorted(point.value for point in points)))}"
    return Drawn(
        title=series_name(series.metric),
        column=short(series.column, 60) if series.column else "",
        anchor=f"s{number}",
        chart=drawing,
        now=told(series.metric, last.value) if last else "",
        ordinary=ordinary,
        basis=basis if known else "",
        out=sum(here.values()),
        accepted=len(here) - sum(here.values()),
        runs=len(points),
        top=told(series.metric, drawing.top) if drawing else "",
        bottom=told(series.metric, drawing.bottom) if drawing else "",
        first_at=points[0].at if points else "",
        last_at=last.at if last else "",
        rhythm=short(series.rhythm, 200),
        state="unusual"
        if last is not None and here.get(last.run)
        else "learning"
        if not known and series.expected is not None
        else "",
    )


def raised_of(watch: Watch, subject: str) -> dict[tuple[str | None, str], dict[str, bool]]:
    """Return, by column and metric, the runs in which a subject was out of the ordinary, and whether that was not expected."""
    found: dict[tuple[str | None, str], dict[str, bool]] = {}
    for run, one in watch.raised(subject):
        marks = found.setdefault((one.column, one.metric), {})
        marks[run.run] = marks.get(run.run, False) or one.accepted is None
    return found


def numbers_of(
    drawn: Sequence[BandSeries], raised: Mapping[tuple[str | None, str], Mapping[str, bool]], reports: Path
) -> list[dict[str, Any]]:
    """Return the numbers of all large drawings, the newest run first; what was expected where it was not met, and now."""
    at: dict[str, str] = {}
    cells: dict[tuple[str, int], tuple[str, str, str]] = {}
    for number, series in enumerate(drawn):
        marked = raised.get((series.column, series.metric), {})
        for point in series.points[-_POINTS:]:
            at.setdefault(point.run, point.at)
            word = "" if point.run not in marked else "unusual" if marked[point.run] else "expected"
            text = told(series.metric, point.value)
            ordinary = spread(series.metric, point.low, point.high) if word or point is series.points[-1] else ""
            cells[point.run, number] = (text, ordinary, word)
    runs = sorted(at, key=lambda run: (at[run], run), reverse=True)[:_POINTS]
    return [
        {"at": at[run], "page": run_page(run, reports), "cells": [cells.get((run, number)) for number in range(len(drawn))]}
        for run in runs
    ]


def is_of_lists(series: BandSeries) -> bool:
    """Tell whether a series is of recommendations."""
    return series.column is None and series.metric in RECOMMENDER_METRICS


def lists_of(
    series: Sequence[BandSeries], raised: Mapping[tuple[str | None, str], Mapping[str, bool]], reports: Path, *, first: int
) -> dict[str, Any]:
    """Return the drawings of what is measured of recommendations; what is out of the ordinary now comes first."""
    every = [(one, drawn_series(one, raised, first + number)) for number, one in enumerate(series)]
    every.sort(key=lambda pair: pair[1].state != "unusual")
    large = [pair for pair in every if pair[1].chart is not None][:_DRAWN_LISTS]
    names = {one.metric for one, _ in large}
    rest = [drawn_series(one, raised, 0, most=SMALL_POINTS) for one, _ in every if one.metric not in names]
    return {
        "large": [drawn for _, drawn in large],
        "numbers": numbers_of([one for one, _ in large], raised, reports),
        "rest": rest,
    }

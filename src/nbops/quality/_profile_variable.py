"""One profiled column, ready to be shown: the profiler's numbers as texts, its histogram as a drawing and as a table."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from nbops.quality import _profile_text as text

if TYPE_CHECKING:
    from nbops.quality._profile_sample import Field

__all__ = ["Histogram", "Row", "Variable", "variable_of"]

_TYPES = {
    "Numeric": "Real number",
    "Categorical": "Categorical",
    "Text": "Text",
    "DateTime": "Date",
    "Boolean": "Boolean",
    "Unsupported": "No values",
}
_CENTRE = (("Mean", "mean"), ("Minimum", "min"), ("Median", "50%"), ("Maximum", "max"))
_QUANTILES = (
    ("5th percentile", "5%"),
    ("First quartile", "25%"),
    ("Third quartile", "75%"),
    ("95th percentile", "95%"),
)
_DESCRIPTION = (
    ("Standard deviation", "std"),
    ("Skewness", "skewness"),
    ("Kurtosis", "kurtosis"),
    ("Sum", "sum"),
)
"""Label, and key in the profiler's description. Variance and ranges are left out, as others say them: pages are kept for ever."""
_TOP = 8
_EXTREMES = 3
_WORDY = 1.5
_HEIGHT = 100
_WHOLE_STEP = 5
_MONOTONIC = {2: "strictly increasing", 1: "increasing", 0: "no", -1: "decreasing", -2: "strictly decreasing"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A value and how often it occurs."""

    label: str
    count: int
    share: float
    """Of all rows of the sample."""
    bar: int
    """Per cent of the greatest of the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Counts over equal intervals."""

    path: str
    """The bars as the data of one SVG path, in a box one wide for each bin and 100 high."""
    low: str
    high: str
    bins: int
    mode: str
    """Where the tallest bar is, as ``from to to``."""
    tallest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A column of the sample."""

    key: str
    name: str
    type: str
    stored: str
    """The type in the data."""
    rows: int
    missing: int
    main: tuple[tuple[str, str], ...] = ()
    """What ydata's report shows first, in two columns of a table."""
    more: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    """Titled groups of further numbers."""
    histogram: Histogram | None = None
    about: str = "values"
    """What the histogram counts: ``values`` or ``lengths``."""
    top: tuple[Row, ...] = ()
    rest: Row | None = None
    """All values that are not among the top ones."""
    words: tuple[Row, ...] = ()
    least: tuple[Row, ...] = ()
    greatest: tuple[Row, ...] = ()
    note: str = ""


def variable_of(field: Field, found: Mapping[str, Any] | None) -> Variable:
    """Turn what the profiler found about a column into what is shown.

    Args:
        field: The column.
        found: Its entry in the description; None when the profiler could not bear it.
    """
    if found is None:
        return Variable(key=field.key, name=field.name, type="Not profiled", stored=field.type, rows=0, missing=0,
                        note="The profiler failed on the values of this column.")  # fmt: skip
    rows, missing = int(found["n"]), max(0, int(found["n_missing"]) - field.infinite)
    kind = str(found["type"])
    parts: dict[str, Any] = {}
    if kind == "Numeric":
        parts = _numeric(field, found, rows)
    elif kind == "DateTime":
        parts = _date(found, rows)
    elif kind in {"Categorical", "Text", "Boolean"}:
        parts = _words(kind, found, rows)
    distinct = int(found.get("n_distinct", 0))
    present = rows - missing - field.infinite
    main = (
        ("Distinct", _of(distinct, present)),
        ("Missing", _of(missing, rows)),
        *((("Infinite", _of(field.infinite, rows)),) if field.infinite else ()),
        *parts.pop("main", ()),
    )
    return Variable(
        key=field.key,
        name=field.name,
        type=_TYPES.get(kind, kind),
        stored=field.type,
        rows=rows,
        missing=missing,
        main=main,
        note=_note(field),
        **parts,
    )


def _note(field: Field) -> str:
    if not field.cut:
        return ""
    many = f"{text.count(field.cut)} value{'' if field.cut == 1 else 's'}"
    return f"{many} longer than {text.count(field.cut_at)} characters, cut: lengths and distinct values are of what is left."


def _of(part: int, whole: int) -> str:
    return f"{text.count(part)} ({text.percent(part / whole)})" if whole else text.count(part)


def _numeric(field: Field, found: Mapping[str, Any], rows: int) -> dict[str, Any]:
    def values(named: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        return tuple((label, text.number(float(found[key]))) for label, key in named)

    signs = (("Zeros", _of(int(found["n_zeros"]), rows)), ("Negative", _of(int(found["n_negative"]), rows)))
    monotonic = (("Monotonic", _MONOTONIC.get(int(found["monotonic"]), text.MISSING)),)
    ordered = found["value_counts_without_nan"].sort_index()
    return {
        "main": (*values(_CENTRE), *signs),
        "more": (("Quantiles", values(_QUANTILES)), ("Description", (*values(_DESCRIPTION), *monotonic))),
        "histogram": _histogram(found.get("histogram"), whole=field.kind == "integer"),
        **_top(found, rows),
        "least": _rows(list(ordered.iloc[:_EXTREMES].items()), rows),
        "greatest": _rows(list(ordered.iloc[: -_EXTREMES - 1 : -1].items()), rows),
    }


def _date(found: Mapping[str, Any], rows: int) -> dict[str, Any]:
    low, high = found["min"], found["max"]
    if not isinstance(low, datetime) or low != low:  # noqa: PLR0124  # NaT
        return {}
    histogram = found.get("histogram")
    if histogram is not None and len(histogram) == 2:  # noqa: PLR2004
        # the profiler's edges are in a unit that depends on the frame's resolution; they are equal steps from first to last
        steps = len(histogram[0])
        edges = [low + (high - low) * at / steps for at in range(steps + 1)]
        histogram = (histogram[0], edges)
    main = (("Minimum", _instant(low)), ("Maximum", _instant(high)), ("Range", _span(high - low)))
    return {"main": main, "histogram": _histogram(histogram, whole=False), **_top(found, rows)}


def _words(kind: str, found: Mapping[str, Any], rows: int) -> dict[str, Any]:
    parts: dict[str, Any] = dict(_top(found, rows))
    if "max_length" in found:
        lengths = (
            ("Longest", text.count(found["max_length"])),
            ("Mean length", text.number(float(found["mean_length"]))),
            ("Median length", text.number(float(found["median_length"]))),
            ("Shortest", text.count(found["min_length"])),
        )
        parts["main"] = (("Occurring once", text.count(found.get("n_unique", 0))), *lengths)
    if kind == "Text":
        parts["histogram"] = _histogram(found.get("histogram_length"), whole=True)
        parts["about"] = "lengths"
        words = int(found["word_counts"].sum()) if "word_counts" in found else 0
        if words > _WORDY * int(found["count"]):  # codes are not words
            parts["words"] = _rows(_most(found["word_counts"]), words)
    return parts


def _top(found: Mapping[str, Any], rows: int) -> dict[str, Any]:
    counts: Any = found.get("value_counts_without_nan")
    if counts is None or len(counts) == 0 or (len(counts) > _TOP and int(counts.max()) == 1):
        return {"top": (), "rest": None}  # every value occurs once: ten of them say nothing
    most = _most(counts)
    shown = _rows(most, rows)
    rest = int(counts.sum()) - sum(count for _, count in most)
    return {
        "top": shown,
        "rest": Row(label="Other values", count=rest, share=rest / rows if rows else 0.0, bar=0) if rest else None,
    }


def _most(counts: Any) -> list[tuple[Any, int]]:
    """Return the most frequent values; those equally frequent in the order of their texts, not of the profiler's hash table."""
    numbers = counts.to_numpy()
    if len(numbers) > _TOP:  # what cannot be among them is not looked at
        chosen = numbers >= np.partition(numbers, -_TOP)[-_TOP]
        numbers, counts = numbers[chosen], counts[chosen]
    pairs = zip(counts.index, (int(number) for number in numbers), strict=True)
    return heapq.nsmallest(_TOP, pairs, key=lambda pair: (-pair[1], _sortable(pair[0])))


def _sortable(value: Any) -> tuple[float, str]:
    return (float(value), "") if isinstance(value, (int, float)) else (0.0, str(value))


def _rows(pairs: Sequence[tuple[Any, int]], whole: int) -> tuple[Row, ...]:
    largest = max((int(number) for _, number in pairs), default=1)
    return tuple(
        Row(
            label=_label(value),
            count=int(number),
            share=int(number) / whole if whole else 0.0,
            bar=max(1, round(100 * int(number) / largest)),
        )
        for value, number in pairs
    )


def _label(value: Any) -> str:
    if isinstance(value, bool) or type(value).__name__ in {"bool_", "bool"}:
        return "true" if value else "false"
    if isinstance(value, datetime):
        return _instant(value)
    if isinstance(value, (int, float)):
        return text.number(float(value))
    return text.short(str(value))


def _instant(value: datetime) -> str:
    """Return a date, with a time of day where it has one.

    >>> _instant(datetime(2024, 2, 1)), _instant(datetime(2024, 2, 1, 9, 30))
    ('2024-02-01', '2024-02-01 09:30:00')
    """
    midnight = (value.hour, value.minute, value.second, value.microsecond) == (0, 0, 0, 0)
    return f"{value.year:04}-{value.month:02}-{value.day:02}" + ("" if midnight else f" {value:%H:%M:%S}")


def _span(span: timedelta) -> str:
    days, seconds = span.days, span.seconds
    clock = f"{seconds // 3600} h {seconds % 3600 // 60} min"
    return (
        f"{text.count(days)} day{'' if days == 1 else 's'}" + (f" {clock}" if seconds else "")
        if days
        else f"{clock} {seconds % 60} s"
    )


def _histogram(found: Any, *, whole: bool) -> Histogram | None:
    """Draw a histogram as one path of rectangles in whole numbers: the drawing is read, not measured, and is kept for ever.

    Args:
        found: Counts and edges, or something else when there is none.
        whole: Whether the values are integers, so that a bin's edges mean something rounded.
    """
    if found is None or len(found) != 2 or len(found[0]) == 0:  # noqa: PLR2004
        return None
    counts = [int(number) for number in found[0]]
    edges = list(found[1])
    tallest = max(counts)
    if tallest <= 0 or tallest == sum(counts):  # a single bar tells nothing that the numbers beside it do not
        return None
    # each bar goes back to the base, so that the stroke of the page's colour parts it from the next
    tops = (_HEIGHT - max(1, round(_HEIGHT * number / tallest)) if number else _HEIGHT for number in counts)
    path = f"M0 {_HEIGHT}" + "".join(f"V{top}h1V{_HEIGHT}" if top < _HEIGHT else "h1" for top in tops)
    shown = _edges(edges, whole=whole)
    at = counts.index(tallest)
    mode = f"{shown[at]} to {shown[at + 1]}"
    return Histogram(path=path, low=shown[0], high=shown[-1], bins=len(counts), mode=mode, tallest=tallest)


def _edges(edges: Sequence[Any], *, whole: bool) -> list[str]:
    if isinstance(edges[0], datetime):
        by_day = edges[-1] - edges[0] > timedelta(days=2 * len(edges))
        return [
            f"{edge.year:04}-{edge.month:02}-{edge.day:02}" if by_day else _instant(edge.replace(microsecond=0)) for edge in edges
        ]
    numbers = [float(edge) for edge in edges]
    width = (numbers[-1] - numbers[0]) / max(1, len(numbers) - 1)
    digits = 0 if whole and width >= _WHOLE_STEP else max(0, min(12, 1 - math.floor(math.log10(width)) if width > 0 else 6))
    return [text.number(round(number, digits)) for number in numbers]

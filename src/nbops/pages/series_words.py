"""What monitors look at, in words: names of series, and their numbers as people read them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nbops.pages.text import count, duration, join, short, size, value
from nbops.quality.powers import from_power
from nbops.quality.recommender_names import RECOMMENDER_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nbops.model import Anomaly, Expected

__all__ = [
    "expect_command",
    "expected_words",
    "more_of",
    "series_name",
    "shell_words",
    "spread",
    "subject_of",
    "told",
    "unusual_message",
]

_NAMES = {
    "rowCount": "row count",
    "bytes": "size",
    "age": "age of its newest row",
    "interval": "time between changes",
    "freshness": "age",
    "nullRate": "share of nulls",
    "distinctValues": "distinct values",
    "distinctRate": "share of distinct values",
    "minimum": "smallest",
    "maximum": "largest",
    "mean": "mean",
    "standardDeviation": "standard deviation",
    "quantile:0.5": "median",
    "seconds": "time taken",
    "peakMemory": "peak memory",
    "schema": "columns",
    "missingRate": "share of missing values",
    "invalidRate": "share of values that are not valid",
    "duplicateRate": "share of repeated rows",
    "nonFiniteRate": "share of numbers that are none",
    "minimumLength": "shortest text",
    "maximumLength": "longest text",
    "others": "share of values that are not among the frequent ones",
    "novel": "share of values never seen before",
    "novelPattern": "share of values of a shape never seen before",
    "lag": "age of the newest value",
    "distance": "distance from the usual distribution",
    "topRate": "share of the most frequent value",
    **RECOMMENDER_WORDS,
}
_SEGMENTS = {"middle": "median", "usualRate": "share of usual values"}
_LONG = 1_000
"""From here on a number is told without what is behind its point."""
_HUGE = 1e300
_SHELL = frozenset(" \t\n'\"\\$`!*?[](){}<>|&;#~")


def series_name(metric: str) -> str:
    """Return what a series is of.

    >>> series_name("rowCount"), series_name("quantile:0.9"), series_name("share:EIRE"), series_name("emptyRate")
    ('row count', '90 % quantile', 'share of EIRE', 'empty rate')
    """
    name, _, detail = metric.partition(":")
    if metric in _NAMES:
        return _NAMES[metric]
    if detail and name in _DETAILED:
        return _DETAILED[name](detail)
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name[:60])
    return f"{words} {short(detail, 40)}".strip() if detail else words.strip() or "value"


def _quantile(detail: str) -> str:
    try:
        return f"{100 * float(detail):g} % quantile"
    except ValueError:
        return f"quantile {short(detail, 20)}"


def _segment(detail: str) -> str:
    where, _, what = detail.rpartition(":")
    return f"{_SEGMENTS.get(what) or series_name(what or 'value')} where {short(where, 40)}"


_DETAILED: dict[str, Callable[[str], str]] = {
    "quantile": _quantile,
    "share": lambda detail: f"share of {short(detail, 40)}",
    "pattern": lambda detail: f"share of the shape {short(detail, 40)}",
    "clock": lambda detail: f"time of day, {series_name(f'quantile:{detail}')}",
    "segment": _segment,
    "magnitude": lambda detail: f"share of values {from_power(detail)}",
    "odd": lambda detail: f"share of usual values where it is least, by {short(detail.rpartition(':')[0], 40)}",
}


def told(metric: str, number: object) -> str:
    """Return a number of a series as people read it.

    >>> told("rowCount", 12345.0), told("nullRate", 0.0123), told("age", 172800), told("mean", 3.14159265), told("mean", 47)
    ('12,345', '1.23 %', '2 d', '3.142', '47')
    """
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not abs(number) < _HUGE:
        return short(value(number), 60)
    name = metric.partition(":")[0]
    if name == "clock":
        return f"{int(number) // 3600:02d}:{int(number) // 60 % 60:02d}"
    show = next((show for names, show in _SHOWN if name in names), _percent if metric.endswith("Rate") else _rounded)
    return show(number)


def _percent(number: float) -> str:
    percent = 100 * number
    return f"{percent:.{2 if 0 < abs(percent) < 10 else 1}f}".rstrip("0").rstrip(".") + " %"  # noqa: PLR2004


_SHOWN: tuple[tuple[tuple[str, ...], Callable[[float], str]], ...] = (
    (("lag", "age", "interval", "freshness", "seconds", "cpu"), duration),
    (("bytes", "peakMemory"), lambda number: size(round(number))),
    (("share", "pattern", "magnitude", "others", "novel", "novelPattern"), _percent),
    (("rowCount", "distinctValues", "itemsRecommended", "usersServed"), lambda number: count(round(number))),
)
"""Names of metrics, and how their numbers are shown."""


def _rounded(number: float) -> str:
    """Return a number with the four digits that tell it from its neighbours, and all of those before the point."""
    number = float(number)  # a ledger gives whole ones as int
    if number.is_integer() or abs(number) >= _LONG:
        return value(float(round(number)))
    return value(float(f"{number:.4g}"))


def spread(metric: str, low: float | None, high: float | None) -> str:
    """Return what was expected.

    >>> spread("rowCount", 380, 420), spread("nullRate", None, 0.05), spread("mean", None, None), spread("rowCount", 4, 4)
    ('380 to 420', 'at most 5 %', '', '4')
    """
    low = None if low is None or math.isinf(low) else low
    high = None if high is None or math.isinf(high) else high
    if low is None and high is None:
        return ""
    if low is None:
        return f"at most {told(metric, high)}"
    if high is None:
        return f"at least {told(metric, low)}"
    one, other = told(metric, low), told(metric, high)
    return one if one == other else f"{one} to {other}"


def subject_of(subject: str) -> tuple[str, str]:
    """Return the kind and the name of what an anomaly or incident is of.

    >>> subject_of("dataset:orders"), subject_of("orders")
    (('dataset', 'orders'), ('', 'orders'))
    """
    kind, colon, name = subject.partition(":")
    return (kind, name) if colon and name else ("", subject)


def expected_words(metric: str, expected: Expected | None) -> str:
    """Return what a monitor took for ordinary; empty where it knows no band."""
    return spread(metric, expected.low, expected.high) if expected is not None else ""


def unusual_message(one: Anomaly) -> str:
    """Return an anomaly as a sentence without its subject: its own, or one made of its numbers."""
    if one.message:
        _, name = subject_of(one.subject)
        rest = one.message.removeprefix(name) if name and one.message[len(name) : len(name) + 1] in {":", "."} else one.message
        return (rest.lstrip(":. ") or one.message).rstrip(".")
    ordinary = expected_words(one.metric, one.expected)
    of = f"{short(one.column, 60)}: " if one.column else ""
    return f"{of}{series_name(one.metric)} is {told(one.metric, one.observed)}" + (f", expected {ordinary}" if ordinary else "")


def _quoted(word: str) -> str:
    """Return a word as a shell takes it."""
    if word and not _SHELL & set(word) and word.isprintable():
        return word
    return "'" + word.replace("'", "'\\''") + "'"


def expect_command(one: Anomaly) -> str:
    """Return the command that says of an anomaly that it is to be expected."""
    kind, name = subject_of(one.subject)
    target = ".".join(
        part for part in (name if kind == "dataset" else one.subject, one.column, one.metric or one.monitor) if part
    )
    return shell_words("nbops", "expect", target, "--reason", "...")


def shell_words(*words: str) -> str:
    r"""Return a command to copy, its words quoted where a shell would take them for something else.

    >>> shell_words("nbops", "expect", "it's", "--reason", "...")
    "nbops expect 'it'\\''s' --reason '...'"
    """
    return " ".join("'...'" if word == "..." else _quoted(word) for word in words)


def more_of(messages: Sequence[str], most: int) -> str:
    """Return the first sentences of many as one."""
    return join([short(text.rstrip("."), 140) for text in messages], limit=most)

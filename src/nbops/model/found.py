"""What is known of data beyond its measurements, and what monitors find in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from nbops.model.words import Severity

__all__ = [
    "Anomaly",
    "Distribution",
    "Expected",
    "MonitorCount",
    "Segment",
]

_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A column among the rows that have one value in another column: what goes wrong for one country alone is seen here."""

    by: str
    """The other column."""
    value: str
    rows: int
    nulls: int = 0
    """Of ``rows``, those without a value in the column itself."""
    mean: float | None = None
    """Of numbers, as is ``middle``."""
    middle: float | None = None
    """The median."""
    usual: int | None = None
    """Of ``rows``, those whose number is found in other segments too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """How a column's values are spread: enough to tell two versions of a dataset apart without their rows.

    Of personal columns there is none. Of more than 100,000 rows it is that of about 50,000, always the same ones.
    """

    column: str
    rows: int
    """Values that are there (for numbers: and finite), in the sample if it is one."""
    quantiles: tuple[float, ...] = ()
    """Of numbers, dates and timestamps (seconds since 1970, UTC): at ``quality.probabilities.PROBABILITIES``."""
    categories: Mapping[str, int] = field(default_factory=lambda: _EMPTY)
    """Value to rows, of text and booleans with few values: the most frequent ones."""
    others: int | None = None
    """Rows of values that are not among ``categories``; None where values are too many to be categories."""
    patterns: Mapping[str, int] = field(default_factory=lambda: _EMPTY)
    """Of text: its most frequent shapes (``9`` a digit, ``A`` capitals, ``a`` other letters) to rows, in a sample."""
    frequent: Mapping[str, int] = field(default_factory=lambda: _EMPTY)
    """Of numbers with few values: the ten most frequent ones to rows. ``patterns`` then has sign and decimals (``9.99``)."""
    segments: tuple[Segment, ...] = ()
    """The column by the values of columns that have few: at most eight values of at most three columns."""
    magnitudes: Mapping[str, int] = field(default_factory=lambda: _EMPTY)
    """Of numbers: power of ten to rows (``e2`` is from 100 to below 1000, ``-e0`` from above -10 to -1, ``0`` is zero)."""
    top: float | None = None
    """Of text without ``categories``: the share of the most frequent value, in the sample that ``patterns`` are of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a monitor took for ordinary, and how it came to that."""

    low: float | None = None
    high: float | None = None
    center: float | None = None
    method: str = ""
    """The monitor's method, as the documentation calls it."""
    points: int = 0
    """Earlier runs that it was learned from."""
    basis: str = ""
    """One sentence for people: ``the 12 Mondays before, without 1 outlier``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """Something out of the ordinary that a monitor found in one run."""

    monitor: str
    """``freshness``, ``volume``, ``schema``, ``nulls``, ``distinct``, ``range``, ``mean``, ``quantiles``, ``shares``..."""
    subject: str
    """``dataset:NAME`` or ``task:NAME``."""
    column: str | None = None
    metric: str = ""
    """The series that left its band: ``rowCount``, ``nullRate``, ``quantile:0.5``, ``share:EIRE``..."""
    observed: int | float | str | None = None
    expected: Expected | None = None
    score: float = 1.0
    """How far out: 1 at the edge of what is expected, 2 twice as far from its centre."""
    severity: Severity = "warn"
    message: str = ""
    """One sentence: what was expected, what was found."""
    accepted: str | None = None
    """Id of the correction by which somebody said that this is to be expected: it raises nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorCount:
    """How many series a monitor looked at in one run."""

    monitor: str
    judged: int = 0
    learning: int = 0
    """Too little history to judge by."""
    errored: int = 0

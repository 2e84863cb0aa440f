"""What one run adds to the history: numbers of its datasets and tasks, taken from the recorded run and nothing else. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from nbops.history.index_details import details_of
from nbops.quality.probabilities import PROBABILITIES
from nbops.quality.recommender_names import RECOMMENDER_METRICS
from nbops.record.plain import plain, round_number

if TYPE_CHECKING:
    from nbops.model import Dataset, Distribution, Measurement, Run, TaskRun

__all__ = ["Facts", "Key", "facts_of", "instant_of", "parameters_hash", "run_instant", "shares_of"]

Key = tuple[str | None, str]
"""Column (None: of the whole) and metric."""

_RATES: Mapping[str, str] = {
    "nullValues": "nullRate",
    "missingValues": "missingRate",
    "invalidValues": "invalidRate",
    "duplicateValues": "duplicateRate",
    "references": "referenceRate",
    "rowRule": "rowRuleRate",
    "nonFiniteValues": "nonFiniteRate",
    "duplicateRows": "duplicateRate",
}
"""Measurements that count rows, and what they are called as a share of all rows."""
_LEVELS = frozenset({"minimum", "maximum", "mean", "standardDeviation", "minimumLength", "maximumLength"})
_DAY = timedelta(days=1)
_ID_STAMP = "%Y%m%dT%H%M%SZ"
_FRACTION = re.compile(r"\.(\d+)")
_SHOWN = 60  # characters of arguments in the name of a metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is kept of one subject in one run."""

    subject: str
    """``dataset:NAME`` or ``task:NAME``."""
    values: Mapping[Key, float]
    """Numbers; all are finite."""
    spreads: Mapping[str, tuple[int, int | None, Mapping[str, int], Mapping[str, int]]] = field(default_factory=dict)
    """Column to rows, others, categories and patterns of its distribution."""
    home: str | None = None
    """The run that measured it, when it was carried over."""
    changed: bool = True
    published: bool = True
    verdict: str = "skipped"
    rows: int | None = None
    bytes: int | None = None
    content: str | None = None
    newest: float | None = None
    """The newest instant that the data speaks of, in seconds since 1970."""
    columns: tuple[tuple[str, str, bool | None], ...] = ()
    """Name, physical type, and whether a value was missing."""
    storage: Mapping[str, Any] = field(default_factory=dict)


def instant_of(text: object) -> datetime | None:
    """Return the instant that a text names, in UTC; a date is its first moment; None when it names none.

    >>> instant_of("2011-01-04").isoformat()
    '2011-01-04T00:00:00+00:00'
    >>> instant_of("2026-11-22T19:41:56Z").isoformat()
    '2026-11-22T19:41:56+00:00'
    >>> instant_of("2026-11-22T19:41:56.5").microsecond
    500000
    >>> instant_of("soon") is None
    True
    """
    if not isinstance(text, str):
        return None
    with suppress(ValueError, OverflowError):
        # Python 3.10 knows neither Z nor fractions of other than 3 or 6 digits
        found = datetime.fromisoformat(_FRACTION.sub(_six_digits, text.strip().replace("Z", "+00:00")))
        return found.astimezone(timezone.utc) if found.tzinfo else found.replace(tzinfo=timezone.utc)
    return None


def _six_digits(match: re.Match[str]) -> str:
    return f".{match[1][:6]:0<6}"


def run_instant(run: Run) -> datetime:
    """Return where a run stands in time: the date that its data is for, else its start."""
    for text in (run.logical_date, run.started_at):
        found = instant_of(text)
        if found is not None:
            return found
    with suppress(ValueError):
        return datetime.strptime(run.id.partition("-")[0], _ID_STAMP).replace(tzinfo=timezone.utc)
    return datetime.fromtimestamp(0, tz=timezone.utc)


def parameters_hash(run: Run) -> str:
    """Return what changes when a parameter does, but for the one that says which date the run is for."""
    rest = {name: value for name, value in run.parameters.items() if run.logical_date is None or str(value) != run.logical_date}
    text = json.dumps(plain(rest), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def facts_of(run: Run) -> tuple[Facts, ...]:
    """Return what a run says of each of its datasets, and of each task that succeeded in it."""
    if run.status == "running":
        return ()
    datasets = [_of_dataset(run, item) for item in run.datasets]
    tasks = [_of_task(item) for item in run.tasks if item.status == "succeeded"]
    return tuple({item.subject: item for item in [*datasets, *tasks] if "\0" not in item.subject}.values())


def _of_task(task: TaskRun) -> Facts:
    found = {"seconds": task.seconds, "peakMemory": task.peak_memory_bytes}
    values: dict[Key, float] = {(None, name): number for name, value in found.items() if (number := _number(value)) is not None}
    return Facts(subject=f"task:{task.name}", values=values, verdict="passed")


def _of_dataset(run: Run, item: Dataset) -> Facts:
    values: dict[Key, float] = {}
    for name, value in (("rowCount", item.rows), ("bytes", item.bytes)):
        number = _number(value)
        if number is not None:
            values[None, name] = number
    values.update(_measured(item))
    for spread in item.distributions:
        values.update(_quantiles(spread))
        values.update(details_of(spread))
    nulls = {m.column: m.value for m in item.measurements if m.metric == "nullValues"}
    return Facts(
        subject=f"dataset:{item.name}",
        values=values,
        spreads={one.column: (one.rows, one.others, dict(one.categories), dict(one.patterns)) for one in item.distributions},
        home=item.from_run if item.from_run != run.id else None,
        changed=item.changed and item.from_run is None,
        published=item.published,
        verdict=item.verdict,
        rows=item.rows,
        bytes=item.bytes,
        content=item.content_hash,
        newest=_newest(run, item),
        columns=tuple((c.name, c.physical_type, _seen_null(nulls.get(c.name))) for c in item.columns),
        storage=dict(item.storage),
    )


def _seen_null(value: object) -> bool | None:
    return value > 0 if isinstance(value, int) else None


def _number(value: object) -> float | None:
    """Return a finite number as a ledger holds it; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    with suppress(OverflowError):
        rounded = round_number(float(value))
        return rounded if isinstance(rounded, float) else None
    return None


def _level(value: object) -> float | None:
    """Return a measured number; of dates and timestamps the seconds since 1970."""
    instant = instant_of(value)
    return instant.timestamp() if instant is not None else _number(value)


def _quantiles(spread: Distribution) -> Iterator[tuple[Key, float]]:
    if len(spread.quantiles) == len(PROBABILITIES):
        for probability, value in zip(PROBABILITIES, spread.quantiles, strict=True):
            number = _number(value)  # as the ledger holds it, so that it is the same number when it is read again
            if number is not None:
                yield (spread.column, f"quantile:{probability:g}"), number


def _measured(item: Dataset) -> Iterator[tuple[Key, float]]:
    """Yield the numbers of a dataset's measurements: counts of rows as shares, so that they compare over runs of any size."""
    times = Counter((one.metric, one.column) for one in item.measurements)
    nulls = {one.column: one.value for one in item.measurements if one.metric == "nullValues"}
    for one in item.measurements:
        name = _named(one, several=times[one.metric, one.column] > 1)
        if one.error is not None:
            continue
        if one.metric in _RATES:
            number = _number(one.value)
            if number is not None and item.rows:
                yield (one.column, name), number / item.rows
        elif one.metric == "distinctValues" and (number := _number(one.value)) is not None:
            yield (one.column, name), number
            absent = nulls.get(one.column)
            there = (item.rows or 0) - (absent if isinstance(absent, int) else 0)
            if there > 0:
                yield (one.column, name.replace("distinctValues", "distinctRate")), number / there
        elif one.metric in RECOMMENDER_METRICS and one.column is None:
            number = _number(one.value)
            if number is not None:
                yield (None, one.metric), number
        elif one.metric in _LEVELS and (number := _level(one.value)) is not None:
            yield (one.column, name), number


def _named(one: Measurement, *, several: bool) -> str:
    """Return a metric's name; rules of which a column has several are told apart by what they ask for."""
    name = _RATES.get(one.metric, one.metric)
    if one.metric == "distinctValues" and one.arguments:
        return f"{name}:approximate"  # an estimate is no continuation of exact numbers
    if not one.arguments or (not several and one.column is not None):
        return name
    text = json.dumps(plain(dict(one.arguments)), sort_keys=True, ensure_ascii=False)
    short = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:8]}"
    return f"{name}:{short}"


def _newest(run: Run, item: Dataset) -> float | None:
    """Return the newest instant that the data speaks of: of the column whose freshness is measured, else of any.

    Without a rule that names a column, those are passed over that reach into the future, such as a date of delivery.
    """
    started = instant_of(run.started_at)
    ages = [number for one in item.measurements if one.metric == "freshness" and (number := _number(one.value)) is not None]
    if ages and started is not None and item.from_run is None:
        return started.timestamp() - min(ages)
    until = reference(run).timestamp()
    ends = [instant.timestamp() for one in item.measurements if one.metric == "maximum" and (instant := instant_of(one.value))]
    return max((end for end in ends if end <= until), default=None)


def reference(run: Run) -> datetime:
    """Return the moment that ages are counted to: the end of the day that the run is for, else its start."""
    at = run_instant(run)
    with suppress(ValueError, TypeError, OverflowError):
        if run.logical_date is not None and date.fromisoformat(run.logical_date.strip()):
            return at + _DAY
    return at


def shares_of(spreads: Mapping[str, tuple[int, int | None, Mapping[str, int], Any]]) -> Iterator[tuple[Key, float]]:
    """Yield the share of each category among the values that are there, and of all others together."""
    for column, (rows, others, categories, _) in spreads.items():
        if rows > 0 and categories:
            for value, count in categories.items():
                yield (column, f"share:{value}"), count / rows
            if others is not None:
                yield (column, "others"), others / rows

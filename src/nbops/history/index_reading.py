"""Rows of the history's index as the series that they hold."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from nbops.history.index_facts import Key, shares_of
from nbops.history.index_tables import Row, Texts, numbers_of
from nbops.model import Distribution
from nbops.quality.probabilities import PROBABILITIES

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "ColumnSeen",
    "DatasetEntry",
    "RunEntry",
    "SeriesPoint",
    "bounded",
    "entries_of",
    "intervals_of",
    "moment",
    "resolved",
    "series_of_rows",
    "spreads_of",
    "whole_columns",
]

_UNCHANGED = 4
"""Rows that repeat an earlier one, for each that is asked for, are looked at: builds with nothing to do push no point out."""
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_FIRST, _LAST = datetime.min.replace(tzinfo=timezone.utc), datetime.max.replace(tzinfo=timezone.utc)

Home = Callable[[str], "Row | None"]
"""Returns the row of a run that others were carried over from."""
Spreads = Mapping[str, tuple[int, "int | None", dict[str, int], dict[str, int]]]
"""Column to rows, others, categories and patterns of its distribution."""


class SeriesPoint(NamedTuple):
    """A number in one run."""

    run: str
    at: datetime
    """The date that the run is for, else its start; UTC."""
    value: float
    changed: bool
    """False where the data was carried over or is what it was before: monitors learn nothing new from it."""
    published: bool = True
    """False where checks held the data back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEntry:
    """A run in a list."""

    id: str
    at: datetime
    started_at: str
    finished_at: str | None
    logical_date: str | None
    status: str
    verdict: str
    commit: str | None
    branch: str | None
    command: str
    parameters_hash: str
    """Of all parameters but the one that says which date the run is for."""


class ColumnSeen(NamedTuple):
    """A column as one run found it."""

    name: str
    physical_type: str
    nullable: bool | None
    """Whether a value was missing; None when that was not measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetEntry:
    """A dataset in one run."""

    run: str
    at: datetime
    changed: bool
    published: bool
    verdict: str
    rows: int | None
    bytes: int | None
    content_hash: str | None
    columns: tuple[ColumnSeen, ...]
    distributions: tuple[Distribution, ...]
    storage: Mapping[str, Any] = field(default_factory=dict)


@lru_cache(maxsize=4_096)  # the same runs for each subject
def moment(seconds: float) -> datetime:
    """Return an instant of seconds since 1970; one that is beyond all calendars is moved to their edge."""
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        return _LAST if seconds > 0 else _FIRST


def bounded(rows: Iterable[Row], limit: int) -> list[Row]:
    """Return the rows that count, the oldest first.

    Args:
        rows: The newest first.
        limit: How many that changed are wanted at most.
    """
    found: list[Row] = []
    changed, seen = 0, None
    for row in rows:
        if row.dated and seen == row.at:
            continue  # the same date was built again later
        if row.dated:
            seen = row.at
        found.append(row)
        changed += row.changed
        if changed >= limit or len(found) >= limit * _UNCHANGED:
            break
    return found[::-1]


def resolved(rows: Iterable[Row], home: Home) -> Iterator[tuple[Row, Row]]:
    """Yield each row with the one that holds its numbers; rows whose numbers are lost are left out."""
    for row in rows:
        holder = row if row.home is None else home(row.home)
        if holder is not None:
            yield row, holder


def series_of_rows(rows: Sequence[Row], *, home: Home, texts: Texts) -> dict[Key, list[SeriesPoint]]:
    """Return all series that rows hold.

    Args:
        rows: Of one subject, the oldest first.
        home: Finds the rows that others were carried over from.
        texts: Those of the index.
    """
    found: dict[Key, list[SeriesPoint]] = {}
    complete: list[tuple[Row, set[str], set[Key]]] = []
    known = list(resolved(rows, home))
    for row, holder in known:
        at, changed, published = moment(row.at), bool(row.changed), bool(row.published)
        spreads = spreads_of(holder)
        shares = dict(shares_of(spreads))
        for key, value in {**numbers_of(holder, texts), **shares}.items():
            found.setdefault(key, []).append(SeriesPoint(row.run, at, value, changed, published))
        if holder.newest is not None:
            age = SeriesPoint(row.run, at, row.reference - holder.newest, changed, published)
            found.setdefault((None, "age"), []).append(age)
        complete.append((row, whole_columns(spreads), set(shares)))
    _fill(found, complete)
    if intervals := list(intervals_of([row for row, _ in known])):
        found[None, "interval"] = intervals
    return found


def intervals_of(rows: Iterable[Row]) -> Iterator[SeriesPoint]:
    """Yield how long the content had stayed the same: where it changed, and (not changed) how long so far where it did not."""
    content: str | None = None
    since: float | None = None
    for row in rows:
        if row.content is None:
            continue
        new = row.content != content
        if since is not None:
            yield SeriesPoint(row.run, moment(row.at), row.at - since, new, bool(row.published))
        if new:  # of the first row it is known since when it is so only if it changed there
            since = row.at if content is not None or row.changed else None
        content = row.content


def _fill(found: dict[Key, list[SeriesPoint]], complete: Iterable[tuple[Row, set[str], set[Key]]]) -> None:
    """Give categories that were not there, in rows where all are known, the share 0."""
    shares: dict[str, list[Key]] = {}
    for key in found:
        if key[0] is not None and key[1].startswith("share:"):
            shares.setdefault(key[0], []).append(key)
    added: set[Key] = set()
    for row, whole, there in complete:
        for column in whole:
            for key in shares.get(column, ()):
                if key not in there:
                    found[key].append(SeriesPoint(row.run, moment(row.at), 0.0, bool(row.changed), bool(row.published)))
                    added.add(key)
    for key in added:
        found[key].sort(key=lambda point: (point.at, point.run))


def whole_columns(spreads: Spreads) -> set[str]:
    """Return the columns of which all categories are known."""
    return {column for column, (_, others, categories, _) in spreads.items() if others == 0 and categories}


def spreads_of(row: Row) -> Spreads:
    """Return what a row says of distributions beside their numbers."""
    if row.spreads is None:
        return {}
    return {name: tuple(items) for name, items in json.loads(zlib.decompress(row.spreads)).items()}


def entries_of(rows: Sequence[Row], *, home: Home, texts: Texts, spreads: int | None = None) -> list[DatasetEntry]:
    """Return what rows say of a dataset beside its series; ``spreads`` as for :meth:`nbops.history.index.History.datasets`."""
    known = list(resolved(rows, home))
    told = [row.run for row, holder in known if texts.get(holder.columns)]
    whole = None if spreads is None else {*told[max(0, len(told) - spreads) :]}
    return [
        DatasetEntry(
            run=row.run,
            at=moment(row.at),
            changed=bool(row.changed),
            published=bool(row.published),
            verdict=row.verdict,
            rows=row.rows,
            bytes=row.size,
            content_hash=row.content,
            columns=tuple(ColumnSeen(*item) for item in texts.get(holder.columns) or ()),
            distributions=_distributions(holder, texts) if whole is None or row.run in whole else (),
            storage=texts.get(holder.storage) or {},
        )
        for row, holder in known
    ]


def _distributions(row: Row, texts: Texts) -> tuple[Distribution, ...]:
    """Put distributions together again, of quantiles among the numbers and of categories and patterns beside them."""
    spreads = spreads_of(row)
    quantiles: dict[str, dict[str, float]] = {}
    for (column, metric), value in numbers_of(row, texts).items():
        if column is not None and metric.startswith("quantile:"):
            quantiles.setdefault(column, {})[metric] = value
    names = [f"quantile:{probability:g}" for probability in PROBABILITIES]
    found = []
    for column in sorted(spreads):
        rows, others, categories, patterns = spreads[column]
        known = quantiles.get(column, {})
        found.append(
            Distribution(
                column=column,
                rows=rows,
                quantiles=tuple(known[name] for name in names) if len(known) == len(names) else (),
                categories=categories,
                others=others,
                patterns=patterns,
            )
        )
    return tuple(found)

"""What became of the columns: added, removed, renamed, retyped, reordered, nullable now; and how the file is written.

A removed and an added column are one renamed column when their content is alike: the same type, and spreads that overlap as
those of one column in two runs do; names that look alike help where content says little (an all-null column).
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

from nbops.history.counting import counted
from nbops.model import Anomaly, Expected

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nbops.history.index import DatasetEntry
    from nbops.model import Dataset, Distribution

__all__ = ["judge_schema"]

_ALIKE = 0.5
_DIGIT = "9"
_SETTLED = 5
"""Runs without a null after which a null is news to the schema."""
_MOST_PAIRS = 10_000
_DOMINANT, _RARE = 0.8, 0.2
_METHOD = "schema"
_LISTED = 5
_WRITTEN = ("bom", "encoding", "delimiter", "compression")
"""How a file is written, as far as it makes a difference to who reads it; line ends make none."""
_FAMILIES = (
    ("number", ("TINY", "SMALL", "INT", "BIG", "HUGE", "UINT", "USMALL", "UTINY", "UBIG", "FLOAT", "DOUBLE", "REAL", "DECIMAL")),
    ("time", ("DATE", "TIMESTAMP")),
    ("text", ("VARCHAR", "TEXT", "STRING", "CHAR")),
)
_TEXT_FORMATS = frozenset({"csv", "json", "jsonl", "ndjson", "tsv"})


def judge_schema(dataset: Dataset, earlier: Sequence[DatasetEntry]) -> tuple[Anomaly, ...]:
    """Compare a dataset's columns and storage with those of the run before that changed it.

    Args:
        dataset: As this run measured it.
        earlier: What earlier runs saw, the oldest first.
    """
    known = [item for item in earlier if item.columns]
    if not known or not dataset.columns:
        return ()
    last = known[-1]
    found = list(_columns(dataset, last))
    renamed = {item.metric.partition(":")[2]: str(item.observed) for item in found if item.metric.startswith("renamed:")}
    found += _types(dataset, known, renamed)
    found += _order(dataset, last, renamed)
    found += _nullable(dataset, known)
    found += _storage(dataset, known)
    found += _formats(dataset, last, renamed)
    return tuple(found)


def _anomaly(dataset: Dataset, metric: str, message: str, *, column: str | None, observed: Any, basis: str) -> Anomaly:
    return Anomaly(
        monitor="schema",
        subject=f"dataset:{dataset.name}",
        column=column,
        metric=metric,
        observed=observed,
        expected=Expected(method=_METHOD, points=1, basis=basis),
        score=2.0,
        message=message,
    )


def _columns(dataset: Dataset, last: DatasetEntry) -> Iterator[Anomaly]:
    now, before = [item.name for item in dataset.columns], [item.name for item in last.columns]
    added, removed = [name for name in now if name not in set(before)], [name for name in before if name not in set(now)]
    pairs = _renames(dataset, last, removed, added)
    basis = f"the columns of run {last.run}"
    for old, new in pairs.items():
        yield _anomaly(
            dataset,
            f"renamed:{old}",
            f"Column {old} is called {new} now: its content is that of {old}.",
            column=new,
            observed=new,
            basis=basis,
        )
    for name in removed:
        if name not in pairs:
            yield _anomaly(
                dataset, "removed", f"Column {name} is not there any more.", column=name, observed="removed", basis=basis
            )
    for name in added:
        if name not in pairs.values():
            yield _anomaly(dataset, "added", f"Column {name} is new.", column=name, observed="added", basis=basis)


def _renames(dataset: Dataset, last: DatasetEntry, removed: Sequence[str], added: Sequence[str]) -> dict[str, str]:
    """Pair removed with added columns, the most alike first."""
    if not removed or not added or len(removed) * len(added) > _MOST_PAIRS:
        return {}
    types_now = {item.name: item.physical_type for item in dataset.columns}
    types_before = {item.name: item.physical_type for item in last.columns}
    now, before = {item.column: item for item in dataset.distributions}, {item.column: item for item in last.distributions}
    order_now, order_before = [item.name for item in dataset.columns], [item.name for item in last.columns]
    scored = []
    for old in removed:
        for new in added:
            kinds = {family(types_before[old]), family(types_now[new])}
            if len(kinds) > 1 and not (dataset.format.lower() in _TEXT_FORMATS and kinds == {"text", "time"}):
                continue
            content = likeness(before.get(old), now.get(new))
            names = _names_alike(old, new)
            place = 1.0 if order_before.index(old) == order_now.index(new) else 0.0
            score = 0.45 * names + 0.2 * place + 0.35 * (0.5 if content is None else content)
            if content is not None and content > 0.9:  # noqa: PLR2004 - the same values, whatever it is called
                score = max(score, 0.6 + 0.2 * names)
            scored.append((score, old, new))
    pairs: dict[str, str] = {}
    for score, old, new in sorted(scored, key=lambda item: (-item[0], item[1], item[2])):
        if score >= _ALIKE and old not in pairs and new not in pairs.values():
            pairs[old] = new
    return pairs


def _names_alike(one: str, other: str) -> float:
    """Compare names by letters and digits alone; a name that begins the other is much like it."""
    first, second = (re.sub(r"[\W_]+", "", name).casefold() for name in (one, other))
    if first == second:
        return 1.0
    short, long = sorted((first, second), key=len)
    if len(short) > 2 and long.startswith(short):  # noqa: PLR2004 - Lat, Latitude
        return 0.9
    return difflib.SequenceMatcher(None, first, second, autojunk=False).ratio()


def likeness(one: Distribution | None, other: Distribution | None) -> float | None:
    """Return how far two distributions overlap, from 0 to 1; None when there is nothing to compare."""
    if one is None or other is None or not one.rows or not other.rows:
        return None
    if one.quantiles and len(one.quantiles) == len(other.quantiles):
        inner = slice(1, -1)
        first, second = one.quantiles[inner], other.quantiles[inner]
        width = max(first[-1], second[-1]) - min(first[0], second[0])
        if width <= 0:
            return 1.0 if first == second else 0.0
        return max(0.0, 1.0 - 2.0 * sum(abs(a - b) for a, b in zip(first, second, strict=True)) / len(first) / width)
    for ours, theirs in ((one.categories, other.categories), (one.patterns, other.patterns)):
        if ours and theirs:
            return _overlap(ours, theirs)
    return None


def _overlap(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    ours, theirs = sum(one.values()) or 1, sum(other.values()) or 1
    return sum(min(one.get(name, 0) / ours, other.get(name, 0) / theirs) for name in {*one, *other})


def family(physical_type: str) -> str:
    """Return what kind of type it is.

    >>> family("BIGINT"), family("DOUBLE"), family("TIMESTAMP WITH TIME ZONE"), family("BOOLEAN")
    ('number', 'number', 'time', 'BOOLEAN')
    """
    upper = physical_type.upper()
    return next((name for name, starts in _FAMILIES if upper.startswith(starts)), upper)


def _types(dataset: Dataset, known: Sequence[DatasetEntry], renamed: Mapping[str, str]) -> Iterator[Anomaly]:
    """Report types that no recent run had: what text files are read as may change with their values."""
    last = known[-1]
    guessed = dataset.format.lower() in _TEXT_FORMATS
    empty = _all_null(dataset)
    seen: dict[str, set[str]] = {}
    for entry in known[-_SETTLED:] if not guessed else known[-1:]:
        for one in entry.columns:
            seen.setdefault(renamed.get(one.name, one.name), set()).add(
                family(one.physical_type) if guessed else one.physical_type
            )
    before = {renamed.get(item.name, item.name): item.physical_type for item in last.columns}
    for item in dataset.columns:
        now = family(item.physical_type) if guessed else item.physical_type
        if item.name not in before or now in seen.get(item.name, {now}) or (guessed and item.name in empty):
            continue
        written = guessed and {now, family(before[item.name])} <= {"text", "time"}
        yield _anomaly(
            dataset,
            "format" if written else "type",
            f"Column {item.name} is {item.physical_type} now, it was {before[item.name]}.",
            column=item.name,
            observed=item.physical_type,
            basis=f"the type in run {last.run}: {before[item.name]}",
        )


def _all_null(dataset: Dataset) -> frozenset[str]:
    nulls = {item.column: item.value for item in dataset.measurements if item.metric == "nullValues"}
    return frozenset(name for name, value in nulls.items() if name is not None and value == dataset.rows)


def _order(dataset: Dataset, last: DatasetEntry, renamed: Mapping[str, str]) -> Iterator[Anomaly]:
    now = [item.name for item in dataset.columns]
    before = [item.name for item in last.columns]
    # where a renamed column stands was told with its name
    both = (set(now) & set(before)) - set(renamed) - set(renamed.values())
    ours, theirs = [name for name in now if name in both], [name for name in before if name in both]
    if ours != theirs:
        moved = [one for one, other in zip(ours, theirs, strict=True) if one != other]
        shown = ", ".join(moved[:_LISTED]) + (f" and {len(moved) - _LISTED} more" if len(moved) > _LISTED else "")
        yield _anomaly(
            dataset,
            "order",
            f"The columns stand in another order: {shown}.",
            column=None,
            observed="reordered",
            basis=f"the order in run {last.run}",
        )


def _nullable(dataset: Dataset, known: Sequence[DatasetEntry]) -> Iterator[Anomaly]:
    """Report nulls in a column that never had one; how many is the business of the nulls monitor."""
    seen: dict[str, list[bool]] = {}
    for entry in known:
        for one in entry.columns:
            if one.nullable is not None and entry.rows:
                seen.setdefault(one.name, []).append(one.nullable)
    nulls = {item.column: item.value for item in dataset.measurements if item.metric == "nullValues"}
    for column in dataset.columns:
        name, value, before = column.name, nulls.get(column.name), seen.get(column.name, [])
        if not isinstance(value, int) or not value or any(before) or len(before) < 3 * _SETTLED:
            continue
        rows = dataset.rows or 0
        yield _anomaly(
            dataset,
            "nullable",
            f"Column {name} has {counted(value, 'null')} in {counted(rows, 'row')}; "
            f"it had none in the {len(before)} runs before.",
            column=name,
            observed=value,
            basis=f"no null in the {len(before)} runs before",
        )


def _storage(dataset: Dataset, known: Sequence[DatasetEntry]) -> Iterator[Anomaly]:
    last = known[-1]
    for name in _WRITTEN:
        now, before = dataset.storage.get(name), last.storage.get(name)
        if now == before or not dataset.storage or not last.storage:
            continue
        yield _anomaly(
            dataset,
            f"storage:{name}",
            f"The file is written otherwise: {name} is {_shown(now)}, it was {_shown(before)}.",
            column=None,
            observed=_shown(now),
            basis=f"the file of run {last.run}",
        )


def _shown(value: Any) -> str:
    if value is None:
        return "not there"
    return {True: "yes", False: "no"}.get(value, str(value)[:80]) if isinstance(value, bool) else repr(value)[:80]


def _formats(dataset: Dataset, last: DatasetEntry, renamed: Mapping[str, str]) -> Iterator[Anomaly]:
    """Report that a column's texts are written in another way: what nearly all looked like, hardly any does."""
    before = {renamed.get(item.column, item.column): _shapes(item) for item in last.distributions if not item.quantiles}
    for item in dataset.distributions:
        old, new = before.get(item.column), {} if item.quantiles else _shapes(item)
        if not old or not new:
            continue
        was, is_ = sum(old.values()), sum(new.values())
        top, now = max(sorted(old), key=lambda name: old[name]), max(sorted(new), key=lambda name: new[name])
        gone = old[top] / was >= _DOMINANT and new.get(top, 0) / is_ <= _RARE
        fresh = sum(count for name, count in new.items() if name not in old) / is_ >= _DOMINANT
        if gone and fresh and _DIGIT in top + now:
            yield _anomaly(
                dataset,
                "format",
                f"Column {item.column} is written otherwise: {now[:60]} instead of {top[:60]}.",
                column=item.column,
                observed=now[:60],
                basis=f"{old[top] / was:.0%} of the values of run {last.run} looked like {top[:60]}",
            )


def _shapes(item: Distribution) -> dict[str, int]:
    """Return shapes of texts to rows; a day or an hour of one digit looks like one of two."""
    found: dict[str, int] = {}
    shapes: Mapping[str, int] = item.patterns
    if not shapes and any(character.isdigit() for value in item.categories for character in value):
        from nbops.quality.spread import shape  # noqa: PLC0415 - loads DuckDB

        made: dict[str, int] = {}
        for value, count in item.categories.items():
            made[shape(value)] = made.get(shape(value), 0) + count
        shapes = made
    for name, count in shapes.items():
        plain = re.sub(r"(?<!9)99(?!9)", "9", name)
        found[plain] = found.get(plain, 0) + count
    return found

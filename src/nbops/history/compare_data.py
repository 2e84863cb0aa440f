"""Data of two runs: schema, rows, null values, and the distribution of each column as far as both ledgers measured it.

Ledgers hold numbers of columns, not the data, so a distribution is compared by its mean, spread, ends and number of values:

- the mean by its distance in standard deviations, Cohen's d (J. Cohen, Statistical Power Analysis for the Behavioral Sciences,
  2nd ed., 1988, p. 20, with the root mean square of both deviations); 0.2 is small, 0.8 large
- the spread by the ratio of the standard deviations
- quantiles, where both measured them, by their distance in standard deviations of the run before, or as a part of it
- null values by the difference of their shares, in points
- the number of distinct values by its ratio
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbops.history.comparison import Change
from nbops.history.counting import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbops.model import Column, Dataset, Measurement, Run

__all__ = ["data_changes", "unmeasured"]

_UNDONE = frozenset({"failed", "held", "interrupted", "not_selected"})
_NULLS = 0.001
"""Shares of null values that differ by less are the same: a point in a thousand."""
_SHIFT, _SPREAD, _COUNT = 0.1, 1.25, 1.1
"""Least distance of means in deviations, ratio of deviations, and ratio of numbers of values that is told."""
_HEAVY_SHIFT, _HEAVY_SPREAD, _HEAVY_NULLS = 1.0, 3.0, 0.2
"""Where the weight of each is at its most."""
_TOLD = 4
"""Numbers of a column that a sentence tells."""
_ENDS = {"minimum": "minimum", "maximum": "maximum", "minimumLength": "shortest text", "maximumLength": "longest text"}
_WHOLE, _LARGEST = 1_000.0, 1e15
"""From here on no decimals are written; from here on an exponent is."""


def data_changes(before: Run, after: Run) -> Iterator[Change]:
    """Yield what differs in the datasets of two runs; of those that a run could not measure nothing is said."""
    old, new = {item.name: item for item in before.datasets}, {item.name: item for item in after.datasets}
    for name in sorted(new.keys() - old.keys()):
        if not _undone(before, new[name].task):
            yield _made(name, "added", "is a new dataset", after=new[name].rows, weight=57)
    for name in sorted(old.keys() - new.keys()):
        if not _undone(after, old[name].task):
            yield _made(name, "removed", "is no dataset any more", before=old[name].rows, weight=90)
    for name in sorted(old.keys() & new.keys()):
        yield from _dataset(old[name], new[name])


def unmeasured(before: Run, after: Run) -> Iterator[str]:
    """Yield a sentence for each dataset of which one run does not know what it holds, then for what could not be measured.

    What two runs could not measure of the same contents is no difference, and nothing is said of it.
    """
    old, new = {item.name: item for item in before.datasets}, {item.name: item for item in after.datasets}
    for run, known, other in ((before, old, after), (after, new, before)):
        for item in other.datasets:
            if item.name not in known and _undone(run, item.task):
                yield f"{item.name} was not made in run {run.id}, as {item.task} did not succeed there; its data is not compared"
        yield from (
            f"{item.name} could not be measured in run {run.id}; its data is not compared" for item in run.datasets if item.error
        )
    lacking: dict[tuple[str, str], list[str]] = {}
    for name in sorted(old.keys() & new.keys()):
        was, now = _failed(old[name]), _failed(new[name])
        if was == now and old[name].content_hash is not None and old[name].content_hash == new[name].content_hash:
            continue
        for what in sorted(was | now):
            where = "be measured in neither run" if what in was & now else ""
            where = where or f"not be measured in run {before.id if what in was else after.id}"
            lacking.setdefault((what, where), []).append(name)
    for (what, where), names in lacking.items():
        named = ", ".join(names[:_TOLD]) + (f" and {len(names) - _TOLD} more" if len(names) > _TOLD else "")
        yield f"{what} of {named} could {where}"


def _failed(item: Dataset) -> set[str]:
    """Return the measurements that failed, where the dataset as a whole did not."""
    if item.error:
        return set()
    return {f"{one.metric} of {one.column}" if one.column else one.metric for one in item.measurements if one.error}


def _undone(run: Run, task: str) -> bool:
    return any(one.name == task and one.status in _UNDONE for one in run.tasks)


def _made(
    dataset: str, kind: str, text: str, *, weight: float, column: str | None = None, before: Any = None, after: Any = None
) -> Change:
    subject = dataset if column is None else f"{dataset}.{column}"
    return Change(
        area="data",
        kind=kind,
        subject=subject,
        text=text,
        dataset=dataset,
        column=column,
        weight=weight,
        before=before,
        after=after,
    )


def _dataset(old: Dataset, new: Dataset) -> Iterator[Change]:
    if old.error or new.error:
        if new.error and not old.error:
            yield _made(new.name, "worse", "cannot be measured any more", weight=93)
        return
    if old.published != new.published:
        text, weight = ("is published again", 52.0) if new.published else ("was not published: the last good version stays", 91.0)
        yield _made(
            new.name, "better" if new.published else "worse", text, before=old.published, after=new.published, weight=weight
        )
    found = [*_schema(old, new), *_rows(old, new), *_columns(old, new)]
    yield from found
    if not found and _differ(old.content_hash, new.content_hash):
        yield _made(new.name, "content", "has other contents; nothing that was measured of it differs", weight=15)


def _differ(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one != other


def _schema(old: Dataset, new: Dataset) -> Iterator[Change]:
    was, now = {column.name: column for column in old.columns}, {column.name: column for column in new.columns}
    if not was or not now:  # not recorded in one of them
        return
    for name in (name for name in now if name not in was):
        yield _made(new.name, "added", "is a new column", column=name, after=now[name].physical_type, weight=56)
    for name in (name for name in was if name not in now):
        yield _made(new.name, "removed", "is no column any more", column=name, before=was[name].physical_type, weight=85)
    both = [name for name in now if name in was]
    for name in both:
        yield from _column_kind(new.name, was[name], now[name])
    if both != [name for name in was if name in now]:
        yield _made(new.name, "schema", "has its columns in another order", weight=22)


def _column_kind(dataset: str, old: Column, new: Column) -> Iterator[Change]:
    if old.physical_type != new.physical_type:
        text = f"was {old.physical_type}, is {new.physical_type}"
        yield _made(dataset, "schema", text, column=new.name, before=old.physical_type, after=new.physical_type, weight=82)
    if old.classification != new.classification:
        text = f"was classified as {old.classification or 'nothing'}, is as {new.classification or 'nothing'}"
        yield _made(dataset, "schema", text, column=new.name, before=old.classification, after=new.classification, weight=63)


def _rows(old: Dataset, new: Dataset) -> Iterator[Change]:
    was, now = old.rows, new.rows
    if was is None or now is None or was == now:
        return
    if now == 0:
        yield _made(new.name, "rows", f"has no rows, {was:,} before", before=was, after=now, weight=92)
        return
    change = f" ({now / was - 1:+.1%})".replace("%", " %") if was else ""
    weight = 80.0 if not was else 20 + 60 * min(1.0, abs(math.log(now / was)) / math.log(2))
    yield _made(new.name, "rows", f"{counted(was, 'row')} → {counted(now, 'row')}{change}", before=was, after=now, weight=weight)


@dataclass(frozen=True, slots=True)
class _Numbers:
    """What is measured of one column."""

    rows: int | None
    values: Mapping[str, Any]

    def get(self, name: str) -> float | None:
        """Return a finite number; None where there is none."""
        value = self.values.get(name)
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return None
        try:
            number = float(value)
        except OverflowError:
            return None
        return number if math.isfinite(number) else None


def _columns(old: Dataset, new: Dataset) -> Iterator[Change]:
    was, now = _numbers(old), _numbers(new)
    for column in new.columns:
        if column.name in was and column.name in now:
            yield from _nulls(new.name, column.name, was[column.name], now[column.name])
            yield from _distribution(new.name, column.name, was[column.name], now[column.name])


def _numbers(item: Dataset) -> dict[str, _Numbers]:
    found: dict[str, dict[str, Any]] = {}
    for one in item.measurements:
        name = _named(one)
        if one.column is not None and one.error is None and name:
            found.setdefault(one.column, {})[name] = one.value
    return {column: _Numbers(item.rows, values) for column, values in found.items()}


def _named(one: Measurement) -> str:
    if not one.arguments:
        return one.metric
    if one.metric == "quantile" and len(one.arguments) == 1 and isinstance(one.arguments[0][1], (int, float)):
        return f"quantile {one.arguments[0][1]:g}"
    return ""


def _nulls(dataset: str, column: str, old: _Numbers, new: _Numbers) -> Iterator[Change]:
    was, now = old.get("nullValues"), new.get("nullValues")
    if was is None or now is None or not old.rows or not new.rows:
        return
    before, after = was / old.rows, now / new.rows
    apart = abs(after - before)
    if apart < _NULLS and not (before == 0 < after and new.rows > 1 / _NULLS):
        return
    text = f"null values {'rose' if after > before else 'fell'} from {_percent(before)} to {_percent(after)}"
    weight = 25 + 55 * min(1.0, apart / _HEAVY_NULLS) + (6 if before == 0 else 0)
    yield _made(dataset, "nulls", text, column=column, before=before, after=after, weight=weight)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _distribution(dataset: str, column: str, old: _Numbers, new: _Numbers) -> Iterator[Change]:
    """Tell in one sentence how the values of a column moved, what moved furthest first."""
    told = [*_moved(old, new), *_spread(old, new), *_counted(old, new), *_ends(old, new)]
    if not told:
        return
    told.sort(key=lambda item: -item[0])
    more = f" and {len(told) - _TOLD} more" if len(told) > _TOLD else ""
    text = "; ".join(sentence for _, sentence in told[:_TOLD]) + more
    names = sorted(set(old.values) | set(new.values))
    names = [name for name in names if old.values.get(name) != new.values.get(name) and name != "nullValues"]
    before, after = ({name: item.values.get(name) for name in names} for item in (old, new))
    yield _made(dataset, "distribution", text, column=column, before=before, after=after, weight=told[0][0])


def _moved(old: _Numbers, new: _Numbers) -> Iterator[tuple[float, str]]:
    was, now = old.get("mean"), new.get("mean")
    spreads = [value for value in (old.get("standardDeviation"), new.get("standardDeviation")) if value is not None]
    spread = math.hypot(*spreads) / math.sqrt(len(spreads)) if spreads else 0.0
    if was is not None and now is not None and was != now:
        if spread > 0:
            distance = abs(now - was) / spread
            if distance >= _SHIFT:
                yield (
                    _by(distance / _HEAVY_SHIFT, 24, 76),
                    f"mean {_number(was)} → {_number(now)}, {distance:.2g} standard deviations",
                )
        elif spreads:
            yield 60.0, f"mean {_number(was)} → {_number(now)}, where all values are the same"
    for name in sorted(name for name in old.values if name.startswith("quantile ")):
        one, other = old.get(name), new.get(name)
        if one is None or other is None or one == other:
            continue
        scale = spread or abs(one)
        if not scale or abs(other - one) / scale >= _SHIFT:
            weight = _by(abs(other - one) / scale / _HEAVY_SHIFT, 22, 70) if scale else 40.0
            yield weight, f"{name.removeprefix('quantile ')} quantile {_number(one)} → {_number(other)}"


def _by(part: float, least: float, most: float) -> float:
    return least + (most - least) * min(1.0, part)


def _spread(old: _Numbers, new: _Numbers) -> Iterator[tuple[float, str]]:
    was, now = old.get("standardDeviation"), new.get("standardDeviation")
    if not was or not now or was < 0 or now < 0:
        return
    ratio = max(was, now) / min(was, now)
    if ratio >= _SPREAD:
        yield _by((ratio - 1) / (_HEAVY_SPREAD - 1), 22, 66), f"standard deviation {_number(was)} → {_number(now)}"


def _counted(old: _Numbers, new: _Numbers) -> Iterator[tuple[float, str]]:
    was, now = old.get("distinctValues"), new.get("distinctValues")
    if was is None or now is None or min(was, now) < 0:
        return
    if max(was, now) >= _COUNT * min(was, now) and was != now:
        weight = 46.0 if min(was, now) <= 1 else _by(math.log(max(was, now) / min(was, now)) / math.log(4), 18, 50)
        yield weight, f"distinct values {_number(was)} → {_number(now)}"
    bad, worse = old.get("nonFiniteValues") or 0.0, new.get("nonFiniteValues") or 0.0
    if bad != worse:
        yield 64.0 if not bad else 40.0, f"infinite or no numbers {_number(bad)} → {_number(worse)}"


def _ends(old: _Numbers, new: _Numbers) -> Iterator[tuple[float, str]]:
    """Tell of the ends: wider ones weigh more, as what was never seen before is there; of texts and dates that they differ."""
    for name, label in _ENDS.items():
        was, now = old.values.get(name), new.values.get(name)
        if isinstance(was, str) and isinstance(now, str) and was != now:
            yield 14.0, f"{label} {was[:40]} → {now[:40]}"
            continue
        low, high = old.get(name), new.get(name)
        if low is not None and high is not None and low != high:
            yield _beyond(old, name, low, high), f"{label} {_number(low)} → {_number(high)}"


def _beyond(old: _Numbers, name: str, was: float, now: float) -> float:
    """Return the weight of an end that moved: by how far it went beyond the old ends, in parts of their distance."""
    low, high = old.get("minimum"), old.get("maximum")
    wider = now > was if name == "maximum" else now < was
    if name.endswith("Length") or not wider or low is None or high is None or high <= low:
        return 14.0
    return _by(abs(now - was) / (high - low) / 2, 20, 55)


def _number(value: float) -> str:
    """Return a number to about four digits, without an exponent where people write none.

    >>> _number(16550.25), _number(0.12345678), _number(12.0), _number(2.5e20)
    ('16,550', '0.1235', '12', '2.5e+20')
    """
    if isinstance(value, int) or not math.isfinite(value):
        return f"{value:,}"
    if value == int(value) or abs(value) >= _WHOLE:
        return f"{value:,.0f}" if abs(value) < _LARGEST else f"{value:.4g}"
    return f"{value:,.4g}"

"""What somebody asks of a measurement: ``orders.amount.null_rate < 0.02``, ``orders.rows > 1000``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbops.errors import UnknownTarget, did_you_mean
from nbops.history.index_facts import facts_of

if TYPE_CHECKING:
    from nbops.model import Run

__all__ = ["Condition", "Measure", "find_measure", "measures_of", "parse_condition", "value_in"]

ALIASES: Mapping[str, str] = {
    "rows": "rowCount",
    "row_count": "rowCount",
    "count": "rowCount",
    "size": "bytes",
    "nulls": "nullRate",
    "null_rate": "nullRate",
    "null_share": "nullRate",
    "missing_rate": "missingRate",
    "invalid_rate": "invalidRate",
    "duplicate_rate": "duplicateRate",
    "min": "minimum",
    "max": "maximum",
    "avg": "mean",
    "average": "mean",
    "std": "standardDeviation",
    "sd": "standardDeviation",
    "stddev": "standardDeviation",
    "distinct": "distinctValues",
    "distinct_values": "distinctValues",
    "distinct_rate": "distinctRate",
    "median": "quantile:0.5",
    "coverage": "coverageRate",
    "items": "itemsRecommended",
    "unknown_items": "unknownItemRate",
    "users": "usersServed",
    "served": "servedRate",
    "list_length": "listLength",
    "gini": "exposureGini",
    "top_ten": "topTenRate",
    "popularity": "meanPopularity",
    "similarity": "similarityRate",
    "overlap": "overlapRate",
    **{f"p{number:02d}": f"quantile:{number / 100:g}" for number in (1, 5, 10, 25, 50, 75, 90, 95, 99)},
}
"""Short names of metrics; the ones of the history count as well."""
_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
_FORM = re.compile(r"^(?P<what>.+?)\s*(?P<sign><=|>=|==|!=|<|>|=)\s*(?P<number>[^<>=!]+)$", re.DOTALL)
_LONGEST = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A number that each run has of a dataset or a column of it."""

    dataset: str
    column: str | None
    metric: str
    """As in the history: ``nullRate``, ``rowCount``, ``quantile:0.5``..."""

    def __str__(self) -> str:
        """Return ``dataset.column.metric``."""
        return ".".join(part for part in (self.dataset, self.column, self.metric) if part is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What holds while all is well."""

    measure: Measure
    sign: str
    number: float

    def holds(self, value: float) -> bool:
        """Tell whether it holds of a value."""
        return _OPERATORS[self.sign](value, self.number)

    def __str__(self) -> str:
        """Return it as it may be written."""
        return f"{self.measure} {self.sign} {self.number:g}"


def measures_of(run: Run, dataset: str | None = None) -> dict[Measure, float]:
    """Return every number that a run has of its datasets, or of one."""
    return {
        Measure(dataset=facts.subject.removeprefix("dataset:"), column=column, metric=metric): value
        for facts in facts_of(run)
        if facts.subject.startswith("dataset:") and dataset in {None, facts.subject.removeprefix("dataset:")}
        for (column, metric), value in _with_shares(facts).items()
    }


def _with_shares(facts: object) -> Mapping[tuple[str | None, str], float]:
    """Return the values, and the shares of categories as the history has them."""
    values: dict[tuple[str | None, str], float] = dict(facts.values)  # type: ignore[attr-defined]
    for column, (rows, _, categories, _) in facts.spreads.items():  # type: ignore[attr-defined]
        values.update({(column, f"share:{name}"): count / rows for name, count in categories.items() if rows})
    return values


def value_in(run: Run, measure: Measure) -> float | None:
    """Return what a run measured; None where it did not."""
    return measures_of(run, measure.dataset).get(measure)


def find_measure(text: str, known: Iterable[Measure], *, whole: bool = True) -> tuple[Measure, ...]:
    """Return what is meant by ``dataset.column.metric``, ``dataset.rows``, and with less also ``dataset.column``, ``dataset``.

    Args:
        text: What somebody wrote.
        known: Measures that there are.
        whole: The metric has to be named; else all measures of a dataset or column are returned.

    Raises:
        UnknownTarget: There is none of this name; the nearest is named.
    """
    measures = sorted(set(known), key=str)
    wanted = text.strip()
    if len(wanted) > _LONGEST or "\0" in wanted:
        raise UnknownTarget(f"{wanted[:60]!r}: is too long for the name of a measurement.")
    exact = [one for one in measures if _named(one, wanted)]
    if exact:
        return tuple(exact)
    if not whole:
        part = [one for one in measures if wanted in {one.dataset, f"{one.dataset}.{one.column}"}]
        if part:
            own = [one for one in part if one.column is None or wanted != one.dataset]
            return tuple(own or part)
    raise UnknownTarget(_unknown(wanted, measures, whole=whole))


def _named(one: Measure, text: str) -> bool:
    place = one.dataset if one.column is None else f"{one.dataset}.{one.column}"
    if not text.startswith(f"{place}."):
        return False
    metric = text[len(place) + 1 :]
    return metric == one.metric or ALIASES.get(metric.lower()) == one.metric


def _unknown(text: str, measures: list[Measure], *, whole: bool) -> str:
    datasets = sorted({one.dataset for one in measures})
    if not datasets:
        return f"{text[:80]!r}: no run has measured anything yet. `nbops build` makes the first."
    name = max((d for d in datasets if text == d or text.startswith(f"{d}.")), key=len, default=None)
    if name is None:
        return f"{text[:80]!r}: there is no such dataset. {did_you_mean(text.partition('.')[0][:60], datasets)}"
    rest = text[len(name) + 1 :]
    columns = sorted({one.column for one in measures if one.dataset == name and one.column is not None})
    column = max((c for c in columns if rest == c or rest.startswith(f"{c}.")), key=len, default=None)
    if column is None:
        whole_metrics = {one.metric for one in measures if one.dataset == name and one.column is None}
        of_rows = [alias for alias, metric in ALIASES.items() if metric in whole_metrics]
        hint = did_you_mean(rest.partition(".")[0][:60], [*columns, *of_rows])
        return f"{name} has no column or measurement {rest[:60]!r}. {hint}"
    metrics = sorted({one.metric for one in measures if (one.dataset, one.column) == (name, column)})
    metrics += sorted(alias for alias, metric in ALIASES.items() if metric in metrics)
    word = rest[len(column) + 1 :]
    if not word and whole:
        return f"{text[:80]!r}: say which measurement of {column} is meant: {', '.join(metrics)}."
    return f"{name}.{column} has no measurement {word[:60]!r}. {did_you_mean(word[:60], metrics)}"


def parse_condition(text: str, known: Iterable[Measure]) -> Condition:
    """Return the condition that a text writes.

    Args:
        text: ``dataset.column.metric OP number``; OP is one of ``< <= > >= == !=``, the number may end in ``%``.
        known: Measures that there are.

    Raises:
        UnknownTarget: It is no condition, or about nothing that is measured.
    """
    found = _FORM.match(text.strip()) if len(text) <= _LONGEST else None
    if found is None:
        raise UnknownTarget(
            f'{text[:80]!r}: write what holds while all is well, as "orders.amount.null_rate < 0.02" or "orders.rows >= 1000"; '
            f"the signs are {' '.join(_OPERATORS)}."
        )
    word = found["number"].strip().replace("_", "")
    part = word.endswith("%")
    try:
        number = float(word.removesuffix("%").strip()) / (100 if part else 1)
    except ValueError:
        raise UnknownTarget(f"{found['number'].strip()[:40]!r}: is no number. Write 0.02, 1e6 or 2 %.") from None
    return Condition(measure=find_measure(found["what"], known)[0], sign=found["sign"], number=number)

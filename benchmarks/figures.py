"""What is worked out from the raw results: rows of tables, and bars beside what was measured."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import compare

__all__ = ["Bar", "Figure", "Row", "bars", "number", "rows_of"]

_ENOUGH = 5
"""Pairs that a bar wants, at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number of one contestant."""

    median: float
    low: float
    high: float
    values: tuple[float, ...]
    digits: int
    ratio: float | None
    """To the baseline: ratio of the medians."""
    pair_ratio: float | None
    """To the baseline: median of the ratios within each round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One contestant of an experiment."""

    key: str
    label: str
    about: str
    rounds: int
    figures: Mapping[str, Figure]
    skipped: str
    """Why it has no figures, or fewer; else empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What was expected, and what was measured."""

    text: str
    limit: str
    measured: str
    pairs: str
    met: bool | None
    """``None``: not measured."""


def rows_of(entry: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the contestants of an experiment."""
    for key, one in entry["contestants"].items():
        mine = [sample["values"] for sample in entry["samples"] if sample["contestant"] == key]
        figures = {}
        for metric in entry["metrics"]:
            values = tuple(values[metric["key"]] for values in mine if metric["key"] in values)
            if not values:
                continue
            both = compare(entry["samples"], of=key, against=entry["baseline"], metric=metric["key"])
            figures[metric["key"]] = Figure(
                median=statistics.median(values),
                low=min(values),
                high=max(values),
                values=values,
                digits=metric["digits"],
                ratio=both["ratio"] if both else None,
                pair_ratio=both["pair_ratio"] if both else None,
            )
        yield Row(
            key=key,
            label=one["label"],
            about=one["about"],
            rounds=len(mine),
            figures=figures,
            skipped=entry["skipped"].get(key, ""),
        )


def number(value: float | None, digits: int = 2) -> str:
    """Return a number for people; nothing for none.

    >>> number(1234.5, 0), number(0.123456), number(None)
    ('1,234', '0.12', '')
    """
    return "" if value is None else f"{value:,.{digits}f}"


def bars(results: Mapping[str, Any]) -> Iterator[Bar]:
    """Yield each bar of ``bars.json`` beside what was measured."""
    for wanted in json.loads(Path(__file__).with_name("bars.json").read_text(encoding="utf-8")):
        yield _bar(wanted, results["experiments"].get(wanted["experiment"]))


def _bar(wanted: Mapping[str, Any], entry: Mapping[str, Any] | None) -> Bar:
    metric = next((one for one in entry["metrics"] if one["key"] == wanted["metric"]), None) if entry else None
    unit = metric["unit"] if metric else ""
    limit = f"{wanted['most']:g}" if "against" in wanted else f"{wanted['most']:g} {unit}".strip()
    nothing = Bar(text=wanted["text"], limit=limit, measured="not measured", pairs="", met=None)
    if entry is None or metric is None or entry["made"]["quick"]:
        return nothing
    rows = {row.key: row for row in rows_of(entry)}
    mine = rows[wanted["of"]].figures.get(wanted["metric"]) if wanted["of"] in rows else None
    if mine is None:
        reason = rows[wanted["of"]].skipped if wanted["of"] in rows else ""
        return Bar(text=nothing.text, limit=limit, measured=f"not measured {reason[:80]}".strip(), pairs="", met=None)
    if "against" in wanted:
        both = compare(entry["samples"], of=wanted["of"], against=wanted["against"], metric=wanted["metric"])
        if both is None:
            return nothing
        measured = f"{both['ratio']:.3f} (pair by pair {both['pair_ratio']:.3f})"
        return Bar(
            text=wanted["text"], limit=limit, measured=measured, pairs=_pairs(both["pairs"]), met=both["ratio"] <= wanted["most"]
        )
    value, rounds = mine.high if wanted.get("largest") else mine.median, len(mine.values)
    if "minus" in wanted:
        other = rows[wanted["minus"]].figures.get(wanted["metric"]) if wanted["minus"] in rows else None
        if other is None:
            return nothing
        value, rounds = mine.median - other.median, min(rounds, len(other.values))
    measured = f"{number(value, metric['digits'])} {unit}"
    return Bar(text=wanted["text"], limit=limit, measured=measured, pairs=_pairs(rounds), met=value <= wanted["most"])


def _pairs(count: int) -> str:
    return str(count) if count >= _ENOUGH else f"{count} (fewer than {_ENOUGH})"

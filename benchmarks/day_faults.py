"""Faults planted into real days of shop data, each a function of the day's table, the day before's and a random generator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["FAULTS", "Fault"]

Fault = Callable[[pd.DataFrame, pd.DataFrame, np.random.Generator], pd.DataFrame]
"""Takes the day's table, the day before's, and a generator; returns the faulty table."""


def _segment(table: pd.DataFrame, random: np.random.Generator) -> pd.Series:
    """Return which rows are of one country, of the five that have most rows on the day (and some)."""
    counts = table["Country"].value_counts()
    names = list(counts[counts >= 30].index[:5])  # noqa: PLR2004 - fewer rows are no segment
    chosen: pd.Series = table["Country"] == names[int(random.integers(len(names)))]
    return chosen


def _some(table: pd.DataFrame, share: float, random: np.random.Generator) -> Any:
    return random.random(len(table)) < share


def _with(table: pd.DataFrame, column: str, where: Any, value: Any) -> pd.DataFrame:
    made = table.copy()
    made.loc[where, column] = value
    return made


def _times(table: pd.DataFrame, column: str, factor: float, where: Any = slice(None), digits: int | None = None) -> pd.DataFrame:
    made = table.copy()
    values = made.loc[where, column] * factor
    made[column] = made[column].astype(float)
    made.loc[where, column] = values if digits is None else values.round(digits)
    return made


def _texts(table: pd.DataFrame, column: str, change: Callable[[pd.Series], pd.Series]) -> pd.DataFrame:
    return table.assign(**{column: change(table[column])})


def _repeat(table: pd.DataFrame, share: float, random: np.random.Generator) -> pd.DataFrame:
    size = max(1, int(len(table) * share))
    start = int(random.integers(len(table) - size + 1))
    return pd.concat([table, table.iloc[start : start + size]], ignore_index=True)


def _tests(table: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    rows = table.sample(max(1, len(table) // 10), random_state=int(random.integers(1000)))
    return pd.concat([table, rows.assign(StockCode="TEST", Description="TEST ITEM", UnitPrice=0.01)], ignore_index=True)


def _swapped(table: pd.DataFrame, one: str, other: str) -> pd.DataFrame:
    return table.assign(**{one: table[other], other: table[one]})


FAULTS: dict[str, tuple[str, Fault]] = {
    "late": ("late file: yesterday's comes again", lambda _, before, __: before),
    "empty": ("file without rows", lambda day, _, __: day.iloc[:0]),
    "half": ("half file: the second half of the day is missing", lambda day, _, __: day.iloc[: len(day) // 2]),
    "tenth": ("a tenth of the file", lambda day, _, __: day.iloc[: max(1, len(day) // 10)]),
    "doubled": ("doubled file", lambda day, _, __: pd.concat([day, day], ignore_index=True)),
    "batch": ("duplicated batch: a tenth of the rows again", lambda day, _, random: _repeat(day, 0.1, random)),
    "currency": (
        "another currency in one country (times 1.35)",
        lambda day, _, random: _times(day, "UnitPrice", 1.35, _segment(day, random), 2),
    ),
    "pence": ("another unit: prices in pence", lambda day, _, __: _times(day, "UnitPrice", 100)),
    "tax": ("prices with tax (times 1.2)", lambda day, _, __: _times(day, "UnitPrice", 1.2)),
    "renamed": ("renamed column", lambda day, _, __: day.rename(columns={"UnitPrice": "unit_price"})),
    "added": ("added column", lambda day, _, __: day.assign(Channel="web")),
    "removed": ("removed column", lambda day, _, __: day.drop(columns=["Description"])),
    "retyped": ("retyped column: quantity as text", lambda day, _, __: day.assign(Quantity=day["Quantity"].astype(str))),
    "reordered": ("reordered columns", lambda day, _, __: day[list(day.columns[::-1])]),
    "swapped": ("two columns swapped", lambda day, _, __: _swapped(day, "StockCode", "InvoiceNo")),
    "stuck": ("stuck value: one price everywhere", lambda day, _, __: day.assign(UnitPrice=day["UnitPrice"].iloc[0])),
    "stuck_half": (
        "value stuck from noon on",
        lambda day, _, __: _with(day, "UnitPrice", day.index >= len(day) // 2, day["UnitPrice"].iloc[len(day) // 2]),
    ),
    "nulls": ("nulls in a tenth of a column", lambda day, _, random: _with(day, "UnitPrice", _some(day, 0.1, random), None)),
    "nulls_segment": (
        "nulls in one segment: no price in one country",
        lambda day, _, random: _with(day, "UnitPrice", _segment(day, random), None),
    ),
    "nulls_all": ("column without values", lambda day, _, __: day.assign(CustomerID=None)),
    "time_zone": (
        "time-zone shift by 5 hours",
        lambda day, _, __: day.assign(InvoiceDate=day["InvoiceDate"] - pd.Timedelta(hours=5)),
    ),
    "wrong_day": (
        "dates of the day before",
        lambda day, _, __: day.assign(InvoiceDate=day["InvoiceDate"] - pd.Timedelta(days=1)),
    ),
    "sign": ("signs turned", lambda day, _, __: day.assign(Quantity=-day["Quantity"])),
    "sentinel": (
        "-999 for a twentieth of the quantities",
        lambda day, _, random: _with(day, "Quantity", _some(day, 0.05, random), -999),
    ),
    "twice": ("quantities twice as large", lambda day, _, __: day.assign(Quantity=day["Quantity"] * 2)),
    "rounded": ("decimals lost", lambda day, _, __: day.assign(UnitPrice=day["UnitPrice"].round(0))),
    "outliers": (
        "a hundredth of the prices a thousand times too large",
        lambda day, _, random: _times(day, "UnitPrice", 1000, _some(day, 0.01, random)),
    ),
    "truncated": ("texts cut at 10 letters", lambda day, _, __: _texts(day, "Description", lambda text: text.str[:10])),
    "encoding": (
        "texts in a wrong encoding",
        lambda day, _, __: _texts(day, "Description", lambda text: text.str.replace("E", "\u00c3\u00a9")),
    ),
    "lower": ("categories in lower case", lambda day, _, __: _texts(day, "Country", lambda text: text.str.lower())),
    "code": (
        "another code for a category",
        lambda day, _, __: _texts(day, "Country", lambda text: text.replace({"United Kingdom": "GB"})),
    ),
    "vanished": ("the largest category is missing", lambda day, _, __: day[day["Country"] != day["Country"].mode()[0]]),
    "float_keys": (
        "keys read as floats (85123.0)",
        lambda day, _, __: _texts(day, "StockCode", lambda text: text.where(~text.str.isdigit(), text + ".0")),
    ),
    "tests": ("test rows: a tenth", lambda day, _, random: _tests(day, random)),
}

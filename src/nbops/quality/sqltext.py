"""Small pieces of SQL text: literals and conversions of what comes back."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

__all__ = ["json_value", "literal", "rounded"]


def literal(value: Any) -> str:
    """Return an SQL literal for a plain value.

    >>> literal("it's"), literal(5), literal(True), literal(None)
    ("'it''s'", '5', 'true', 'NULL')
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else f"CAST('{value}' AS DOUBLE)"
    # A NUL would end the statement's text.
    return " || chr(0) || ".join("'" + part.replace("'", "''") + "'" for part in str(value).split("\0"))


def rounded(value: float) -> float:
    """Return a float with 10 significant digits: sums run in parallel differ in the last ones from run to run.

    >>> rounded(0.1 + 0.2)
    0.3
    """
    return float(f"{value:.10g}")


def json_value(value: Any) -> int | float | str | bool | None:
    """Return a value from DuckDB as one that JSON has; dates become ISO text, NaN and infinity become text.

    >>> json_value(Decimal("1.50")), json_value(dt.date(2024, 5, 1)), json_value(float("nan"))
    (1.5, '2024-05-01', 'nan')
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    return str(value)

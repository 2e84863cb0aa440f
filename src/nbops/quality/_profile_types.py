"""How a column is profiled, by DuckDB's type."""

from __future__ import annotations

from typing import Literal

__all__ = ["Kind", "kind_of"]

Kind = Literal["integer", "number", "date", "boolean", "text"]
_INTEGERS = frozenset(f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")) | {
    "INTEGER",
    "UINTEGER",
}


def kind_of(type_: str) -> Kind:
    """Return how a column of DuckDB's type is profiled.

    >>> [kind_of(name) for name in ("BIGINT", "DECIMAL(10,2)", "TIMESTAMP_NS", "STRUCT(a DATE)", "TIME", "FLOAT[]")]
    ['integer', 'number', 'date', 'text', 'text', 'text']
    """
    if type_ in _INTEGERS:
        return "integer"
    if type_ in {"FLOAT", "DOUBLE"} or (type_.startswith("DECIMAL(") and type_.endswith(")")):
        return "number"
    if type_ == "DATE" or (type_.startswith("TIMESTAMP") and not type_.endswith("]")):
        return "date"
    return "boolean" if type_ == "BOOLEAN" else "text"

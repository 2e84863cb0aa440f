"""DuckDB's types grouped as the contract's logical types see them."""

from __future__ import annotations

import re
from typing import Literal

__all__ = ["Family", "family_of", "is_float", "matches"]

Family = Literal[
    "integer",
    "float",
    "decimal",
    "string",
    "boolean",
    "date",
    "timestamp",
    "time",
    "list",
    "struct",
    "map",
    "blob",
    "null",
    "other",
]

_NAMES: dict[str, Family] = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "BIGNUM", "VARINT"), "integer"),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"), "integer"),
    **dict.fromkeys(("FLOAT", "DOUBLE"), "float"),
    **dict.fromkeys(("VARCHAR", "UUID", "JSON"), "string"),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE"), "timestamp"),
    **dict.fromkeys(("TIME", "TIME_NS", "TIME WITH TIME ZONE"), "time"),
    "BOOLEAN": "boolean",
    "DATE": "date",
    "BLOB": "blob",
    '"NULL"': "null",
    "NULL": "null",
}
_ACCEPTED: dict[str, frozenset[str]] = {
    "string": frozenset(["string"]),
    "integer": frozenset(["integer"]),
    "number": frozenset(["integer", "float", "decimal"]),
    "boolean": frozenset(["boolean"]),
    "date": frozenset(["date"]),
    "date or timestamp": frozenset(["date", "timestamp"]),
    "timestamp": frozenset(["timestamp"]),
    "time": frozenset(["time"]),
    "object": frozenset(["struct", "map"]),
    "array": frozenset(["list"]),
    "map": frozenset(["map"]),
    "vector": frozenset(["list"]),
}


def family_of(type_name: str) -> Family:
    """Return the family of a DuckDB type.

    >>> family_of("BIGINT"), family_of("DECIMAL(10,2)"), family_of("VARCHAR[]"), family_of("STRUCT(a INTEGER)")
    ('integer', 'decimal', 'list', 'struct')
    """
    if type_name.endswith("]"):
        return "list"
    if type_name.startswith("DECIMAL"):
        return "decimal"
    if type_name.startswith("STRUCT"):
        return "struct"
    if type_name.startswith("MAP"):
        return "map"
    if type_name.startswith("ENUM"):
        return "string"
    return _NAMES.get(type_name, "other")


def is_float(type_name: str) -> bool:
    """Whether values may be NaN or infinite."""
    return family_of(type_name) == "float"


def matches(type_name: str, *, logical: str | None, physical: str | None, timezone: bool) -> bool:
    """Whether a column's type is what a contract says; what the contract leaves open matches.

    >>> matches("BIGINT", logical="number", physical=None, timezone=False)
    True
    >>> matches("VARCHAR", logical="integer", physical=None, timezone=False)
    False
    """
    family = family_of(type_name)
    if family == "null":
        return True
    if logical is not None and family not in _ACCEPTED[logical] and not (logical == "integer" and _whole(type_name)):
        return False
    if timezone and "TIME ZONE" not in type_name:
        return False
    return physical is None or physical == type_name


def _whole(type_name: str) -> bool:
    return re.fullmatch(r"DECIMAL\(\d+,\s*0\)", type_name) is not None

"""How the data's columns differ from those of its contract.

Parquet has types, and they must be those of the contract. CSV and JSON have none, only what was inferred from the values: there a
column is of a type when every value of it can be read as one (whole numbers may be written ``3.0``).
"""

# ruff: noqa: S608 - columns are named by position, other names pass through quote() and values through literal()

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb

from nbops.errors import did_you_mean
from nbops.quality.families import family_of, matches
from nbops.quality.faults import engine_message

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nbops.quality.source import SourceColumn
    from nbops.quality.terms import Terms

__all__ = ["schema_differences"]

_MANY = 20
_READ_AS = {
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "date or timestamp": "TIMESTAMP",
    "timestamp": "TIMESTAMP",
    "time": "TIME",
}


def schema_differences(terms: Terms, expected: Sequence[tuple[str, str | None, str | None, bool]]) -> Iterator[str]:
    """Yield one sentence part for each column that is absent or of another type.

    Args:
        terms: The opened dataset.
        expected: Name, logical type, physical type (as DuckDB names it), and whether a time zone is needed.
    """
    names = [column.name for column in terms.source.columns]
    for name, logical, physical, timezone in expected:
        column = terms.find(name)
        if column is None:
            near = did_you_mean(name, names).partition(". ")[2] if len(names) <= _MANY else ""
            yield f"column {name!r} is missing{f' ({near})' if near else ''}"
        elif not matches(column.type, logical=logical, physical=physical, timezone=timezone):
            difference = _difference(terms, column, logical=logical, physical=physical)
            if difference:
                yield difference


def _difference(terms: Terms, column: SourceColumn, *, logical: str | None, physical: str | None) -> str | None:
    wanted = " ".join(word for word in (logical, f"({physical})" if logical and physical else physical) if word)
    plain = f"column {column.name!r} is {column.type}, not {wanted}"
    if not _has_values(terms, column) and (terms.source.inferred or column.type == "INTEGER"):
        # Without a value there is nothing to infer from. Arrow's type for "all null" reaches DuckDB before 2.0 as INTEGER.
        return None
    if not terms.source.inferred:
        return plain
    broken = _unreadable(column, logical=logical, physical=physical)
    if broken is None:
        return plain
    try:
        count = terms.source.connection.execute(
            f"SELECT count(*) FILTER (WHERE {broken}) FROM {terms.source.prefix}scan"
        ).fetchone()[0]
    except duckdb.Error as error:
        return f"{plain} ({engine_message(error)})"
    return f"{plain}: {count:,} {'value' if count == 1 else 'values'} cannot be read as {wanted}" if count else None


def _has_values(terms: Terms, column: SourceColumn) -> bool:
    query = f"SELECT count({column.key}) FROM {terms.source.prefix}scan"
    found: Any = terms.source.connection.execute(query).fetchone()
    return bool(found[0])


def _unreadable(column: SourceColumn, *, logical: str | None, physical: str | None) -> str | None:
    """Return a condition that is true for a value which cannot be read as the contract's type; ``None``: no value can."""
    key, family = column.key, family_of(column.type)
    if logical is None and physical is not None:
        return f"{key} IS NOT NULL AND TRY_CAST({key} AS {physical}) IS NULL"
    if logical == "string":
        # Text that looks like a date, time or identifier was inferred as such; a JSON number is none.
        return "false" if family in {"date", "timestamp", "time"} or column.type == "UUID" else None
    if logical == "integer" and family == "string":
        return f"{key} IS NOT NULL AND NOT regexp_full_match(CAST({key} AS VARCHAR), '\\s*[+-]?\\d+(\\.0*)?\\s*')"
    if logical == "integer" and family in {"float", "decimal"}:
        return f"{key} IS NOT NULL AND {key} <> trunc({key})"
    if logical in _READ_AS and family in {"string", "date", "timestamp"} and not (logical == "number" and family != "string"):
        kind = physical or _READ_AS[logical]
        return f"{key} IS NOT NULL AND TRY_CAST(CAST({key} AS VARCHAR) AS {kind}) IS NULL"
    return None

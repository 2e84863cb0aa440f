"""Keys that occur more than once in long data: found by hashes, decided by comparing values.

A column of plain text is compared as words (``packed``). Of other keys hashes are sorted.

Different hashes mean different values, so that where no hash occurs twice no key does, exactly. Where some do, only the rows
with these hashes are grouped by their values. A sorted array of hashes takes a third of the time and memory of a hash table of
keys; it is cut into parts of about ten million (80 MB), so that memory does not grow with the data.
"""

# ruff: noqa: S608 - columns are named by position, other names pass through quote() and values through literal()

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from nbops.quality.packed import find_repeats, is_packable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbops.quality.terms import Terms

__all__ = ["LONG", "repeated_rows", "surplus"]

LONG = 1_000_000
"""Rows from which on this is faster than a hash table: importing numpy costs as much as counting some hundred thousand rows."""
_PART = 10_000_000
_MANY = 10_000
"""Repeated hashes beyond which keys are grouped at once: then most of the work would be done twice."""


def surplus(terms: Terms, keys: Sequence[str], *, with_null: bool) -> int | None:
    """Return how many rows repeat an earlier one; ``None`` where another way is better.

    Args:
        terms: The opened dataset.
        keys: Expressions that rows are compared by.
        with_null: Whether rows with a NULL among the keys count.
    """
    counted = None if with_null or len(keys) != 1 else _packed(terms, keys[0])
    if counted is not None:
        return counted
    known = repeated_rows(terms, keys, with_null=with_null)
    if known is None:
        return None
    query = f"SELECT count(*) AS n FROM {terms.source.prefix}scan WHERE {known} GROUP BY {', '.join(keys)} HAVING count(*) > 1"
    try:
        found = terms.source.connection.execute(f"SELECT coalesce(sum(n - 1), 0) FROM ({query})").fetchone()
    except duckdb.Error:
        return None
    return int(found[0])


def _packed(terms: Terms, key: str) -> int | None:
    """Count in a column of text, and note the rows for ``repeated_rows``."""
    column = next((item for item in terms.source.columns if item.key == key), None)
    if column is None or terms.source.rows < LONG or not is_packable(terms.source, column):
        return None
    found = find_repeats(terms.source, column, most=_MANY)
    if found is None:
        return None
    rows = None if found.rows is None else ", ".join(map(str, found.rows))
    known = None if rows is None else f"__nbops_row IN (SELECT unnest([{rows}]::BIGINT[]))"
    terms.repeated[((key,), False)] = known if found.surplus else "false"
    return found.surplus


def repeated_rows(terms: Terms, keys: Sequence[str], *, with_null: bool) -> str | None:
    """Return a condition that is true for all rows whose key occurs more than once, and few others; ``None``: not worth it."""
    name = (tuple(keys), with_null)
    if terms.source.rows < LONG:
        return None
    if name not in terms.repeated:
        terms.repeated[name] = _condition(terms, keys, with_null=with_null)
    return terms.repeated[name]


def _condition(terms: Terms, keys: Sequence[str], *, with_null: bool) -> str | None:
    import numpy as np  # noqa: PLC0415 - for long data only

    hashed = f"hash({', '.join(keys)})"
    there = "true" if with_null else " AND ".join(f"{key} IS NOT NULL" for key in keys)
    parts = -(-terms.source.rows // _PART)
    repeated: list[int] = []
    for part in range(parts):
        mine = f" AND {hashed} % {parts} = {part}" if parts > 1 else ""
        query = f"SELECT {hashed} AS h FROM {terms.source.prefix}scan WHERE {there}{mine}"
        try:
            values = terms.source.connection.execute(query).fetchnumpy()["h"]
        except duckdb.Error:
            return None
        values.sort()
        repeated += np.unique(values[1:][values[1:] == values[:-1]])[: _MANY + 1].tolist()
        if len(repeated) > _MANY:
            return None
    if not repeated:
        return "false"
    return f"({there} AND {hashed} IN (SELECT unnest([{', '.join(map(str, repeated))}]::UBIGINT[])))"

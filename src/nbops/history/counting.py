"""Numbers with their nouns."""

from __future__ import annotations

__all__ = ["counted"]


def counted(number: float, one: str, many: str | None = None) -> str:
    """Return a number with its noun.

    >>> counted(1, "row"), counted(1_000, "row"), counted(0, "query", "queries")
    ('1 row', '1,000 rows', '0 queries')
    """
    return f"{number:,.0f} {one if number == 1 else many or one + 's'}"

"""The 20 checks, once, for all contestants; and what each must find.

Only the standard library: this is read in every peer's environment.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["COUNTRIES", "RULES", "SKU", "STATES", "Rule", "read_truth", "verify"]


class Rule(NamedTuple):
    """One check."""

    key: str
    column: str
    kind: str
    """``rows``, ``not_null``, ``unique``, ``minimum``, ``maximum``, ``one_of``, ``pattern``."""
    argument: Any = None


COUNTRIES = (
    "AT",
    "BE",
    "CH",
    "CZ",
    "DE",
    "DK",
    "ES",
    "FI",
    "FR",
    "GB",
    "GR",
    "HU",
    "IE",
    "IT",
    "NL",
    "NO",
    "PL",
    "PT",
    "RO",
    "SE",
)
STATES = ("open", "packed", "paid", "returned", "shipped")
SKU = "^[A-Z]{2}-[0-9]{5}$"

RULES = (
    Rule("rows", "id", "rows"),
    Rule("id.not_null", "id", "not_null"),
    Rule("id.unique", "id", "unique"),
    Rule("ref.not_null", "ref", "not_null"),
    Rule("ref.unique", "ref", "unique"),
    Rule("customer.not_null", "customer", "not_null"),
    Rule("customer.minimum", "customer", "minimum", 1),
    Rule("country.not_null", "country", "not_null"),
    Rule("country.one_of", "country", "one_of", COUNTRIES),
    Rule("sku.not_null", "sku", "not_null"),
    Rule("sku.pattern", "sku", "pattern", SKU),
    Rule("quantity.not_null", "quantity", "not_null"),
    Rule("quantity.minimum", "quantity", "minimum", 1),
    Rule("quantity.maximum", "quantity", "maximum", 1_000),
    Rule("price.not_null", "price", "not_null"),
    Rule("price.minimum", "price", "minimum", 0),
    Rule("discount.minimum", "discount", "minimum", 0),
    Rule("discount.maximum", "discount", "maximum", 1),
    Rule("ordered_at.not_null", "ordered_at", "not_null"),
    Rule("state.one_of", "state", "one_of", STATES),
)


def read_truth(data: str | Path) -> dict[str, Any]:
    """Return what was planted in a file: ``rows``, and ``violations`` by key of the rule."""
    return dict(json.loads(Path(data).with_suffix(".json").read_text(encoding="utf-8")))


def verify(data: str | Path, found: dict[str, int]) -> None:
    """Stop with a message unless the violations found are exactly those planted.

    Args:
        data: The file that was checked.
        found: Key of the rule to rows that break it; for ``unique``, rows that repeat an earlier one; for ``rows``, the rows.
    """
    truth = read_truth(data)
    wanted = {rule.key: truth["violations"].get(rule.key, 0) for rule in RULES} | {"rows": truth["rows"]}
    if wrong := {key: (found.get(key), count) for key, count in wanted.items() if found.get(key) != count}:
        raise SystemExit(f"wrong verdicts (found, planted): {wrong}")

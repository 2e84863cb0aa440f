"""``nbops.recommendations`` of a contract: which columns of a dataset are users, items and ranks, and where items come from.

A schema object says it among its ``customProperties``; ``false`` says that a dataset which looks like recommendations is none::

    customProperties:
      - property: nbops.recommendations
        value: {user: customer_id, item: stock_code, rank: rank, catalogue: products.stock_code}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from nbops.contract.node import Node
from nbops.contract.records import Recommendations
from nbops.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbops.contract.rules import Rules

__all__ = ["PROPERTY", "read_recommendations", "recommendations_text", "recommendations_value"]

PROPERTY = "nbops.recommendations"
_COLUMNS = ("user", "item", "rank", "score")
_DATASETS = ("catalogue", "users", "interactions")


def read_recommendations(node: Node, *, rules: Rules, tables: Mapping[str, str]) -> Recommendations | Literal[False] | None:
    """Return what a schema object says of its lists.

    Args:
        node: The schema object.
        rules: Of the contract, which know its columns.
        tables: Names of schema objects of the same file to dataset names.

    Returns:
        None where nothing (valid) is said; what is wrong is noted in the node's problems.
    """
    given = node.data.get("customProperties")
    for where, item in node.items("customProperties") if isinstance(given, list) else ():  # else it was told already
        if not isinstance(item, dict) or item.get("property") != PROPERTY:
            continue
        value = item.get("value")
        if value is False:
            return False
        if not isinstance(value, dict):
            node.problems.add(
                where,
                f"{PROPERTY}: must be false, or a mapping with 'user', 'item' and 'rank' or 'score' (columns), and "
                "'catalogue', 'users', 'interactions' (dataset.column).",
            )
            return None
        return _read(Node(value, where=f"{where}.value", problems=node.problems, allowed=(*_COLUMNS, *_DATASETS), what=PROPERTY),
                     rules=rules, tables=tables)  # fmt: skip
    return None


def _read(node: Node, *, rules: Rules, tables: Mapping[str, str]) -> Recommendations | None:
    columns = {key: _column(node, key, rules) for key in _COLUMNS}
    datasets = {key: _end(node, key, tables) for key in _DATASETS}
    user, item = columns.pop("user"), columns.pop("item")
    if user is None or item is None:
        return None
    twice = sorted(key for key, name in columns.items() if name in {user, item})
    if user == item or twice:
        node.problems.add(node.where, "user, item, rank and score must be different columns.")
        return None
    found: dict[str, Any] = {**columns, **datasets}
    return Recommendations(user=user, item=item, **found)


def _column(node: Node, key: str, rules: Rules) -> str | None:
    """Return a column's name in the data."""
    name = node.text(key, required=key in {"user", "item"})
    if not name:
        return None
    if rules.columns and name not in rules.columns and name not in rules.columns.values():
        rules.problems.unknown(node.at(key), "property", name, rules.columns)
        return None
    return rules.columns.get(name, name)


def _end(node: Node, key: str, tables: Mapping[str, str]) -> tuple[str, str] | None:
    text = node.text(key)
    if text is None:
        return None
    dataset, _, column = text.rpartition(".")
    if not dataset or not column or "/" in text:
        node.wrong(key, f"{text[:60]!r} must be written as dataset.column.")
        return None
    return tables.get(dataset, dataset), column


def recommendations_text(value: Any) -> str:
    """Return what a contract says of its lists as one line to edit; ``no`` where it says that it is none.

    >>> recommendations_text({"user": "u", "item": "i", "catalogue": "products.id"}), recommendations_text(False)
    ('user: u, item: i, catalogue: products.id', 'no')
    """
    if value is False:
        return "no"
    return ", ".join(f"{key}: {name}" for key, name in value.items()) if isinstance(value, dict) else ""


def recommendations_value(text: Any) -> dict[str, Any] | Literal[False]:
    """Return what such a line says, as it stands in a contract; whether that is right is judged with the contract.

    Raises:
        ContractError: It is none.

    >>> recommendations_value("user: u, item: i"), recommendations_value("no")
    ({'user': 'u', 'item': 'i'}, False)
    """
    if text is False or (isinstance(text, str) and text.strip().lower() == "no"):
        return False
    if isinstance(text, dict):
        return {str(key): name for key, name in text.items()}
    found: dict[str, Any] = {}
    for part in str(text).split(","):
        key, colon, name = part.partition(":")
        if not colon or not key.strip() or not name.strip():
            raise ContractError(
                f"recommendations: {part.strip()[:60]!r} says nothing. Write 'user: column, item: column, rank: column, "
                "catalogue: dataset.column', or 'no'."
            )
        found[key.strip()] = name.strip()
    return found

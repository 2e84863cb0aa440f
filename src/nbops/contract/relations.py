"""Relationships of a contract (foreign keys), turned into ``Relationship`` records and ``references`` checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbops.contract.node import Node
from nbops.contract.records import Relationship
from nbops.contract.vocabulary import RELATIONSHIP_KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbops.contract.rules import Rules
    from nbops.model import Severity

__all__ = ["read_relationship"]


def read_relationship(
    item: Any, *, where: str, rules: Rules, column: str | None, severity: Severity, quarantine: bool, siblings: Mapping[str, str]
) -> Relationship | None:
    """Read one foreign key; at a property (``column``) the ``from`` side is the property itself.

    ``siblings`` maps names of schema objects of the same file to dataset names.
    """
    node = Node(item, where=where, problems=rules.problems, allowed=RELATIONSHIP_KEYS, what="a relationship")
    node.choice("type", ("foreignKey",), "type")
    if column is not None and "from" in node.data:
        node.wrong("from", "must not be given at a property: it is the property itself.")
        return None
    targets = _ends(node, "to")
    sources = (
        [(None, column)]
        if column is not None
        else [(table, rules.columns.get(name, name)) for table, name in _ends(node, "from")]
    )
    if not targets or not sources:
        return None
    datasets = {table for table, _ in targets}
    if len(targets) != len(sources) or len(datasets) != 1:
        node.problems.add(where, "'from' and 'to' must name the same number of columns, and 'to' those of one dataset.")
        return None
    if column is None and rules.columns:
        for _, name in sources:
            if name not in rules.columns.values():
                rules.problems.unknown(where, "property", name, rules.columns.values())
    dataset = str(datasets.pop())
    made = Relationship(
        columns=tuple(str(name) for _, name in sources),
        to_dataset=siblings.get(dataset, dataset),
        to_columns=tuple(name for _, name in targets),
    )
    about = made.columns[0] if len(made.columns) == 1 else None
    rules.add(
        f"{'+'.join(made.columns)}.references.{made.to_dataset}",
        "references",
        where=where,
        column=about,
        severity=severity,
        quarantine=quarantine,
        dimension="consistency",
        arguments={"columns": made.columns, "dataset": made.to_dataset, "to": made.to_columns},
    )
    return made


def _ends(node: Node, key: str) -> list[tuple[str, str]]:
    value = node.data.get(key)
    if value is None:
        node.problems.add(node.where, f"{key!r} is missing: dataset.column, or a list of them.")
        return []
    found: list[tuple[str, str]] = []
    for item in value if isinstance(value, list) else [value]:
        table, _, name = item.rpartition(".") if isinstance(item, str) and "/" not in item else ("", "", "")
        if not table or not name:
            node.wrong(
                key, f"{str(item)[:60]!r} must be written as dataset.column (nbops does not follow the long form with ids)."
            )
            return []
        found.append((table, name))
    return found

"""``slaProperties`` of a contract: durations as seconds, and checks for those that name a timestamp column.

``freshness`` and ``latency`` bound the age of the newest value of the column at the run's start, ``retention`` that of the
oldest. They warn by default, because running a pipeline over old data is legitimate; ``nbops.severity`` in ``customProperties``
says otherwise. Without an element there is nothing in the data to measure: the entry is kept and shown, and makes no check.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbops.contract.node import Node
from nbops.contract.records import ServiceLevel
from nbops.contract.vocabulary import SLA_KEYS, UNITS, duration_seconds
from nbops.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbops.contract.rules import Rules

__all__ = ["read_sla"]

_METRICS = {
    "freshness": "freshness",
    "fr": "freshness",
    "latency": "freshness",
    "ly": "freshness",
    "retention": "retention",
    "re": "retention",
}
_DURATIONS = frozenset({*_METRICS, "frequency", "fy"})
"""Properties whose value must be a duration; ``ly``, ``fr``, ``re``, ``fy`` are the standard's short names."""


def read_sla(root: Node, *, rules: Rules, tables: Mapping[str, str]) -> tuple[ServiceLevel, ...]:
    """Read the entries that are about one dataset.

    Args:
        root: The contract's top mapping.
        rules: The dataset's checks, and where problems are noted.
        tables: Names that the file uses for its schema objects, to the datasets that they are.
    """
    found: list[ServiceLevel] = []
    default = root.text("slaDefaultElement")
    for where, item in root.items("slaProperties"):
        node = Node(item, where=where, problems=rules.problems, allowed=SLA_KEYS, what="an SLA property")
        level = _read(node, default=default, rules=rules, tables=tables) if node.data else None
        if level is not None:
            found.append(level)
    return tuple(found)


def _read(node: Node, *, default: str | None, rules: Rules, tables: Mapping[str, str]) -> ServiceLevel | None:
    name = node.text("property", required=True)
    if "value" not in node.data:
        node.problems.add(node.where, "'value' is missing.")
    value: Any = node.data.get("value")
    if name is None or value is None:
        return None
    if not isinstance(value, str | int | float):
        node.wrong("value", "must be a number or text.")
        return None
    unit = node.text("unit")
    seconds = duration_seconds(value, unit)
    if name.lower() in _DURATIONS and seconds is None:
        _complain(node, value, unit)
        return None
    table, column = _element(node, default=default, rules=rules, tables=tables)
    if table not in (None, rules.dataset):
        return None
    metric = _METRICS.get(name.lower())
    if metric is not None and column is not None and seconds is not None:
        rules.add(
            f"{column}.{name.lower()}",
            metric,
            where=node.where,
            column=column,
            operator="mustBeLessOrEqualTo",
            expected=seconds,
            severity=node.extensions().get("nbops.severity", "warn"),
            dimension="timeliness",
            description=node.text("description"),
        )
    return ServiceLevel(
        property=name,
        value=value,
        seconds=seconds,
        column=column,
        driver=node.text("driver"),
        description=node.text("description"),
    )


def _complain(node: Node, value: Any, unit: str | None) -> None:
    if unit is not None and unit.strip().lower() not in UNITS:
        node.problems.unknown(node.where, "unit", unit, UNITS)
    elif unit is None and not isinstance(value, str):
        node.problems.add(node.where, f"'unit' is missing. {did_you_mean('', UNITS)}")
    else:
        node.wrong("value", f"{str(value)[:60]!r} is no duration; write for example value: 2 with unit: d, or 'PT12H'.")


def _element(node: Node, *, default: str | None, rules: Rules, tables: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Return the dataset and column that an entry names; both ``None`` when it names none."""
    text = node.text("element") or default
    if text is None:
        return None, None
    for part in (piece.strip() for piece in text.split(",")):
        table, _, name = part.rpartition(".")
        if not table:
            if part in tables and part not in rules.columns:
                return tables[part], None
            table, name = rules.dataset, part
        if table not in tables and table != rules.dataset:
            node.wrong("element", f"unknown table {table[:60]!r}. {did_you_mean(table[:60], tables)}")
            return None, None
        dataset = tables.get(table, table)
        if dataset != rules.dataset:
            continue
        if rules.columns and name not in rules.columns:
            node.wrong("element", f"unknown column {name[:60]!r}. {did_you_mean(name[:60], rules.columns)}")
            return dataset, None
        return dataset, rules.columns.get(name, name)
    return "", None

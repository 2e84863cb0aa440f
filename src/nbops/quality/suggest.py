"""A first contract for a dataset, from what a run measured of it: rules that hold today, for a person to keep, change or strike.

Only what is likely to be meant is suggested: a column without nulls is required, whole numbers or text whose values are all
different may be the key, numbers that are never negative stay so, and text with few values keeps to these. Bounds that data
happens to have (a largest amount, a newest day) are left to the monitors. Columns that are called as personal data usually is are
classified so, and nothing is said of their values.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nbops.quality.families import Family, family_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbops.model import Column, Dataset, Distribution

__all__ = ["PERSONAL_NAME", "suggest_contract"]

PERSONAL_NAME = re.compile(
    r"(?:^|_)(?:e_?mail|phone|mobile|fax|(?:first|last|full|given|family|middle|sur|nick|user)_?name|surname|birth\w*|dob|street|"
    r"address|postcode|zip\w*|ssn|iban|passport|ip(?:_?addr\w*)?|latitude|longitude|gender|religion)(?:_|$)",
    re.IGNORECASE,
)
"""Names that personal data usually has."""
_LOGICAL: Mapping[Family, str] = {
    "integer": "integer",
    "float": "number",
    "decimal": "number",
    "string": "string",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
    "time": "time",
    "list": "array",
    "struct": "object",
    "map": "object",
}
_FEWEST_ROWS = 50
_MOST_VALUES = 12


def suggest_contract(dataset: Dataset, *, project: str) -> dict[str, Any]:
    """Return a contract (Open Data Contract Standard v3.1) as plain values, in the order in which it is written.

    Args:
        dataset: As a run measured it.
        project: What contracts of the project begin their ids with.

    Returns:
        The document: status ``draft``, and ``TODO`` where only people know.
    """
    key = _key(dataset)
    properties = [_property(column, dataset, key=column.name == key) for column in dataset.columns]
    schema: dict[str, Any] = {
        "name": dataset.name,
        "physicalName": dataset.path.rpartition("/")[2],
        "physicalType": "file",
        "logicalType": "object",
        "description": "TODO: what a row is.",
        "properties": properties,
        "quality": [{"metric": "rowCount", "mustBeGreaterThan": 0, "dimension": "completeness"}],
    }
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": f"{project}-{dataset.name}",
        "name": dataset.name,
        "version": "0.1.0",
        "status": "draft",
        "description": {"purpose": "TODO: what it is for.", "limitations": "TODO: what it must not be used for."},
        "schema": [schema],  # without a team: nobody is named until somebody is
    }


def _measured(dataset: Dataset, column: str, metric: str) -> int | float | None:
    found = [
        item.value for item in dataset.measurements if item.column == column and item.metric == metric and not item.arguments
    ]
    value = found[0] if found else None
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _key(dataset: Dataset) -> str | None:
    """Return the column that identifies a row: all its values are there and different, and its name or place says so."""
    if (dataset.rows or 0) < _FEWEST_ROWS:
        return None
    unique = [
        column.name
        for column in dataset.columns
        if family_of(column.physical_type) in {"integer", "string"}
        and _measured(dataset, column.name, "nullValues") == 0
        and _measured(dataset, column.name, "distinctValues") == dataset.rows
    ]
    named = [name for name in unique if re.search(r"(?:^|_)(?:id|key|code|no|number)$", name, re.IGNORECASE)]
    first = [name for name in unique if name == dataset.columns[0].name]
    return next(iter([*named, *first]), None)


def _property(column: Column, dataset: Dataset, *, key: bool) -> dict[str, Any]:
    family = family_of(column.physical_type)
    personal = PERSONAL_NAME.search(column.name) is not None
    found: dict[str, Any] = {"name": column.name}
    if family in _LOGICAL:
        found["logicalType"] = _LOGICAL[family]
    found["physicalType"] = column.physical_type
    found["description"] = "TODO"
    if personal:
        found["classification"] = "personal"
    if key:
        found |= {"primaryKey": True, "primaryKeyPosition": 1}
    if key or (_measured(dataset, column.name, "nullValues") == 0 and (dataset.rows or 0) >= _FEWEST_ROWS):
        found["required"] = True
    if not personal:
        minimum = _measured(dataset, column.name, "minimum")
        if family in {"integer", "float", "decimal"} and minimum is not None and minimum >= 0 and not key:
            found["logicalTypeOptions"] = {"minimum": 0}
        values = _values(dataset, column.name) if family == "string" and not key else None
        if values:
            found["quality"] = [
                {"metric": "invalidValues", "arguments": {"validValues": values}, "mustBe": 0, "severity": "warning"}
            ]
    return found


def _values(dataset: Dataset, column: str) -> list[str] | None:
    """Return the values of a column that has few, all of which are known."""
    spread: Distribution | None = next((item for item in dataset.distributions if item.column == column), None)
    if spread is None or spread.others != 0 or not 0 < len(spread.categories) <= _MOST_VALUES or spread.rows < _FEWEST_ROWS:
        return None
    return sorted(spread.categories)

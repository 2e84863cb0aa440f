"""``properties`` of a schema object, turned into ``ContractColumn`` records and the checks that they imply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nbops.contract.definitions import read_definitions
from nbops.contract.node import Node, plain
from nbops.contract.records import ContractColumn, Relationship
from nbops.contract.relations import read_relationship
from nbops.contract.rules import Rules, check_pattern, read_quality
from nbops.contract.syntax import type_name
from nbops.contract.vocabulary import (
    BOUNDS,
    INTEGER_FORMATS,
    LOGICAL_TYPES,
    OPTION_KEYS,
    PROPERTY_KEYS,
    STRING_FORMATS,
    is_personal,
)

if TYPE_CHECKING:
    from nbops.model import Severity

__all__ = ["column_names", "read_columns"]

_MAX_PROPERTIES = 20_000
_INVALID = (
    *sorted(BOUNDS),
    "pattern",
    "minLength",
    "maxLength",
    "multipleOf",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "dimensions",
)


@dataclass(frozen=True, slots=True)
class _Rule:
    """What all checks that a property implies have in common."""

    where: str
    column: str
    severity: Severity
    quarantine: bool
    optional: bool = False


def column_names(node: Node) -> dict[str, str]:
    """Return the names of a schema object's properties: name in the contract to name in the data."""
    found: dict[str, str] = {}
    for where, item in node.items("properties"):
        if not isinstance(item, Mapping) or not isinstance(item.get("name"), str):
            continue
        name = item["name"]
        physical = item.get("physicalName")
        data_name = physical if isinstance(physical, str) and physical else name
        if name in found or data_name in found.values():
            node.problems.add(where, f"property {name[:60]!r} is given twice.")
        found[name] = data_name
    return found


def read_columns(node: Node, *, rules: Rules, siblings: Mapping[str, str]) -> tuple[ContractColumn, ...]:
    """Read a schema object's properties; their checks go to ``rules``."""
    reader = _Reader(rules, siblings)
    columns = [reader.read(item, where=where, prefix="") for where, item in node.items("properties")]
    made = tuple(column for column in columns if column is not None)
    _primary_key(made, rules=rules, where=node.at("properties"), reader=reader)
    return made


class _Reader:
    """Reads properties, nested ones too, and counts them: a file of a few lines can hold millions through YAML's aliases."""

    def __init__(self, rules: Rules, siblings: Mapping[str, str]) -> None:
        self.rules = rules
        self.siblings = siblings
        self.count = 0
        self.quarantined: set[str] = set()

    def read(self, item: Any, *, where: str, prefix: str) -> ContractColumn | None:
        """Read one property and what is below it."""
        self.count += 1
        if self.count > _MAX_PROPERTIES:
            if self.count == _MAX_PROPERTIES + 1:
                self.rules.problems.add(where, f"more than {_MAX_PROPERTIES:,} properties.")
            return None
        node = Node(item, where=where, problems=self.rules.problems, allowed=PROPERTY_KEYS, what="a property")
        if not node.data:
            return None
        name = node.text("name", required=not prefix.endswith("[]")) or ""
        own = node.text("physicalName") or name
        path = f"{prefix}.{own}" if prefix and own else prefix or own
        extensions = node.extensions()
        rule = _Rule(where, path, extensions.get("nbops.severity", "error"), extensions.get("nbops.onFailure") == "quarantine")
        if rule.quarantine:
            self.quarantined.add(path)
        logical = node.choice("logicalType", LOGICAL_TYPES, "logicalType")
        options = self._options(node, logical=logical)
        values = _values(node)
        self._implied(node, rule, logical=logical, options=options, values=values)
        relationships = self._relationships(node, rule)
        nested = self._nested(node, path)
        for at, entry in node.items("quality"):
            read_quality(entry, where=at, rules=self.rules, column=path)
        classification = node.text("classification")
        tags = node.texts("tags")
        personal = is_personal([*(word for word in (classification,) if word), *tags]) or any(
            column.personal for column in nested
        )
        return ContractColumn(
            name=path,
            logical_type=logical,
            physical_type=self._physical_type(node),
            required=node.flag("required"),
            unique=node.flag("unique"),
            primary_key=node.flag("primaryKey"),
            primary_key_position=_position(node),
            options=MappingProxyType(options),
            values=values,
            classification=classification,
            description=node.text("description"),
            business_name=node.text("businessName"),
            tags=tags,
            definitions=read_definitions(node),
            personal=extensions.get("nbops.personal", personal),
            relationships=relationships,
        )

    def _options(self, node: Node, *, logical: str | None) -> dict[str, Any]:
        data = node.data.get("logicalTypeOptions")
        if data is None:
            return {}
        allowed = OPTION_KEYS[logical] if logical is not None else frozenset().union(*OPTION_KEYS.values())
        options = Node(
            data, where=node.at("logicalTypeOptions"), problems=node.problems, allowed=allowed, what="logicalTypeOptions"
        )
        for key, value in options.data.items():
            if key == "pattern":
                check_pattern(options, value)
            elif key in {"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "dimensions"}:
                options.integer(key, least=0)
            elif key in {"uniqueItems", "timezone", "normalized"}:
                options.flag(key)
            elif key in BOUNDS or key == "multipleOf":
                _bound(options, key, value, logical=logical)
            elif key == "format":
                _format(options, logical=logical)
        return {str(key): plain(value) for key, value in options.data.items()}

    def _implied(
        self, node: Node, rule: _Rule, *, logical: str | None, options: Mapping[str, Any], values: tuple[Any, ...]
    ) -> None:
        if node.flag("required") or node.flag("primaryKey"):
            self._add(rule, "nullValues", "nullValues", {}, dimension="completeness")
        if node.flag("unique"):
            self._add(rule, "duplicateValues", "duplicateValues", {}, dimension="uniqueness")
        for key in _INVALID:
            if key in options and options[key] is not False:
                self._add(rule, f"invalidValues.{key}", "invalidValues", {key: options[key]}, dimension="conformity")
        text = options.get("format")
        if (logical == "string" and text in STRING_FORMATS) or (logical == "integer" and text in INTEGER_FORMATS):
            self._add(rule, "invalidValues.format", "invalidValues", {"format": text}, dimension="conformity")
        if values:
            self._add(rule, "invalidValues.enum", "invalidValues", {"validValues": values}, dimension="conformity")

    def _add(self, rule: _Rule, suffix: str, metric: str, arguments: Mapping[str, Any], *, dimension: str) -> None:
        self.rules.add(
            f"{rule.column}.{suffix}",
            metric,
            where=rule.where,
            column=rule.column,
            arguments=arguments,
            severity=rule.severity,
            quarantine=rule.quarantine,
            dimension=dimension,
        )

    def _relationships(self, node: Node, rule: _Rule) -> tuple[Relationship, ...]:
        found = [
            read_relationship(
                entry,
                where=at,
                rules=self.rules,
                column=rule.column,
                severity=rule.severity,
                quarantine=rule.quarantine,
                siblings=self.siblings,
            )
            for at, entry in node.items("relationships")
        ]
        return tuple(relationship for relationship in found if relationship is not None)

    def _nested(self, node: Node, path: str) -> list[ContractColumn]:
        """Properties inside an object; those of array items and maps have ``[]`` in their path and are not measured."""
        found = [self.read(item, where=where, prefix=path) for where, item in node.items("properties")]
        if node.has("items"):
            found.append(self.read(node.data["items"], where=node.at("items"), prefix=f"{path}[]"))
        if node.has("map"):
            inner = Node(node.data["map"], where=node.at("map"), problems=node.problems, allowed=("key", "value"), what="a map")
            found += [
                self.read(inner.data[key], where=inner.at(key), prefix=f"{path}[]") for key in ("key", "value") if inner.has(key)
            ]
        return [column for column in found if column is not None]

    def _physical_type(self, node: Node) -> str | None:
        text = node.text("physicalType")
        if text is None:
            return None
        name = type_name(text)
        if name is None:
            node.wrong(
                "physicalType",
                f"unknown type {text[:60]!r}: neither DuckDB nor Arrow has it. Write for example VARCHAR, BIGINT, "
                "DOUBLE, DECIMAL(10,2), BOOLEAN, DATE, TIMESTAMP; or leave it out and keep logicalType.",
            )
        return name


def _bound(options: Node, key: str, value: Any, *, logical: str | None) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if logical in {"integer", "number"} or key == "multipleOf":
        if not number or (key == "multipleOf" and value <= 0):
            options.wrong(key, "must be a number above 0." if key == "multipleOf" else "must be a number.")
    elif logical in {"date", "timestamp", "time"} and not isinstance(plain(value), str):
        options.wrong(key, "must be a date or time as text, for example '2020-01-31'.")
    elif not number and not isinstance(plain(value), str):
        options.wrong(key, "must be a number, or a date or time as text.")


def _format(options: Node, *, logical: str | None) -> None:
    if logical == "integer":
        options.choice("format", INTEGER_FORMATS, "format")
    elif logical == "number":
        options.choice("format", ("f32", "f64"), "format")
    else:
        options.text("format")


def _values(node: Node) -> tuple[Any, ...]:
    found = []
    for where, item in node.items("enum"):
        if not isinstance(item, Mapping) or "value" not in item or isinstance(item["value"], list | Mapping):
            node.problems.add(where, "must be a mapping with a plain 'value'.")
        else:
            found.append(plain(item["value"]))
    return tuple(found)


def _position(node: Node) -> int | None:
    """ODCS writes -1 for "not given"."""
    if node.data.get("primaryKeyPosition") == -1:
        return None
    return node.integer("primaryKeyPosition", least=1)


def _primary_key(columns: tuple[ContractColumn, ...], *, rules: Rules, where: str, reader: _Reader) -> None:
    keys = sorted(
        (column for column in columns if column.primary_key), key=lambda column: column.primary_key_position or _MAX_PROPERTIES
    )
    if not keys or (len(keys) == 1 and keys[0].unique):
        return
    names = [column.name for column in keys]
    single = len(names) == 1
    rules.add(
        f"{names[0]}.duplicateValues" if single else "primaryKey.duplicateValues",
        "duplicateValues",
        where=where,
        column=names[0] if single else None,
        arguments={} if single else {"properties": names},
        dimension="uniqueness",
        quarantine=any(name in reader.quarantined for name in names),
    )

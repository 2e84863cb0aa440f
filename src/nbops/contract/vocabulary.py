"""The words of the Open Data Contract Standard v3 (3.0 to 3.2) that nbops knows.

Source: the standard's JSON Schema, https://github.com/bitol-io/open-data-contract-standard/tree/main/schema. Keys that nbops
does not interpret (servers, price, support, ...) are listed too, so that only words the standard does not have are refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "API_VERSION",
    "BOUNDS",
    "DEFINITION_KEYS",
    "DIMENSIONS",
    "ELEMENT_KEYS",
    "INTEGER_FORMATS",
    "LOGICAL_TYPES",
    "OBJECT_KEYS",
    "OPERATORS",
    "OPTION_KEYS",
    "PERSONAL_WORDS",
    "PROPERTY_KEYS",
    "QUALITY_KEYS",
    "RELATIONSHIP_KEYS",
    "ROOT_KEYS",
    "SEVERITIES",
    "SLA_KEYS",
    "STRING_FORMATS",
    "UNITS",
    "duration_seconds",
    "is_personal",
]

API_VERSION = re.compile(r"v3\.\d+\.\d+")

ROOT_KEYS = frozenset(
    [
        "version",
        "kind",
        "apiVersion",
        "id",
        "name",
        "tenant",
        "tags",
        "status",
        "servers",
        "dataProduct",
        "description",
        "domain",
        "context",
        "schema",
        "support",
        "price",
        "team",
        "roles",
        "slaDefaultElement",
        "slaProperties",
        "authoritativeDefinitions",
        "customProperties",
        "contractCreatedTs",
    ]
)
ELEMENT_KEYS = frozenset(
    [
        "id",
        "name",
        "physicalType",
        "description",
        "businessName",
        "deprecated",
        "synonyms",
        "authoritativeDefinitions",
        "tags",
        "customProperties",
    ]
)
OBJECT_KEYS = ELEMENT_KEYS | frozenset(
    ["logicalType", "physicalName", "dataGranularityDescription", "properties", "relationships", "quality", "context"]
)
PROPERTY_KEYS = ELEMENT_KEYS | frozenset(
    [
        "primaryKey",
        "primaryKeyPosition",
        "logicalType",
        "logicalTypeOptions",
        "physicalName",
        "required",
        "unique",
        "semanticType",
        "partitioned",
        "partitionKeyPosition",
        "classification",
        "encryptedName",
        "transformSourceObjects",
        "transformLogic",
        "transformDescription",
        "examples",
        "enum",
        "criticalDataElement",
        "relationships",
        "quality",
        "properties",
        "items",
        "map",
    ]
)
DEFINITION_KEYS = frozenset(["id", "url", "type", "description"])
RELATIONSHIP_KEYS = frozenset(["id", "type", "from", "to", "customProperties"])
SLA_KEYS = frozenset(
    [
        "id",
        "property",
        "value",
        "valueExt",
        "unit",
        "element",
        "driver",
        "description",
        "scheduler",
        "schedule",
        "customProperties",
        "authoritativeDefinitions",
    ]
)
_QUALITY_COMMON = frozenset(
    [
        "id",
        "authoritativeDefinitions",
        "businessImpact",
        "customProperties",
        "description",
        "dimension",
        "method",
        "name",
        "schedule",
        "scheduler",
        "severity",
        "tags",
        "type",
        "unit",
    ]
)
OPERATORS = frozenset(
    [
        "mustBe",
        "mustNotBe",
        "mustBeGreaterThan",
        "mustBeGreaterOrEqualTo",
        "mustBeLessThan",
        "mustBeLessOrEqualTo",
        "mustBeBetween",
        "mustNotBeBetween",
    ]
)
QUALITY_KEYS: Mapping[str, frozenset[str]] = {
    "text": _QUALITY_COMMON,
    "library": _QUALITY_COMMON | OPERATORS | {"metric", "rule", "arguments", "validValues"},
    "sql": _QUALITY_COMMON | OPERATORS | {"query"},
    "custom": _QUALITY_COMMON | {"engine", "implementation"},
}
DIMENSIONS = frozenset(["accuracy", "completeness", "conformity", "consistency", "coverage", "timeliness", "uniqueness"])
SEVERITIES: Mapping[str, str] = {"info": "warn", "warn": "warn", "warning": "warn", "error": "error", "critical": "error"}

_RANGE = frozenset(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "format"])
OPTION_KEYS: Mapping[str, frozenset[str]] = {
    "string": frozenset(["minLength", "maxLength", "pattern", "format"]),
    "date": _RANGE,
    "timestamp": _RANGE | {"timezone", "defaultTimezone"},
    "time": _RANGE | {"timezone", "defaultTimezone"},
    "integer": _RANGE | {"multipleOf"},
    "number": _RANGE | {"multipleOf"},
    "boolean": frozenset(),
    "object": frozenset(["maxProperties", "minProperties", "required"]),
    "array": frozenset(["maxItems", "minItems", "uniqueItems"]),
    "map": frozenset(),
    "vector": frozenset(["dimensions", "elementType", "distanceMetric", "embeddingModel", "embeddingModelVersion", "normalized"]),
}
LOGICAL_TYPES = frozenset(OPTION_KEYS)

BOUNDS = frozenset(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"])
STRING_FORMATS = frozenset(["email", "uuid", "uri", "hostname", "ipv4", "ipv6"])
INTEGER_FORMATS = frozenset(["i8", "i16", "i32", "i64", "i128", "u8", "u16", "u32", "u64", "u128"])
"""Formats of text and whole numbers that are measured; others (``password``, ``yyyy-MM-dd``) are documentation."""

PERSONAL_WORDS = frozenset(["personal", "pii", "phi", "pci", "sensitive", "confidential", "restricted", "secret"])
"""A classification or a column's tag with one of these words keeps the column's values out of everything that is shown.

``confidential`` and ``restricted`` are here because reports are committed: whoever can read the repository would read the values.
``customProperties: [{property: nbops.personal, value: false}]`` says otherwise for one column.
"""

_UNITS: Mapping[str, float] = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86_400.0),
    **dict.fromkeys(("w", "wk", "week", "weeks"), 7 * 86_400.0),
    **dict.fromkeys(("mo", "month", "months"), 30 * 86_400.0),
    **dict.fromkeys(("y", "yr", "yrs", "year", "years"), 365 * 86_400.0),
}
_ISO_DURATION = re.compile(
    r"P(?:(?P<y>\d+)Y)?(?:(?P<mo>\d+)M)?(?:(?P<w>\d+)W)?(?:(?P<d>\d+)D)?"
    r"(?:T(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?"
)
UNITS = frozenset(_UNITS)


def is_personal(words: Iterable[str]) -> bool:
    """Whether a classification or tag says that values are personal; case and punctuation do not count.

    >>> is_personal(["PII"]), is_personal(["Sensitive-Personal"]), is_personal(["public"])
    (True, True, False)
    """
    return any(token in PERSONAL_WORDS for word in words for token in re.split(r"[^a-z0-9]+", word.casefold()))


def duration_seconds(value: object, unit: str | None) -> float | None:
    """Return the seconds of an SLA value with its unit; ``None`` when it is no duration.

    A month counts 30 days and a year 365, a plain ``m`` is a minute. ISO 8601 durations and ``24h`` need no unit.

    >>> duration_seconds(2, "d"), duration_seconds("PT12H", None), duration_seconds("24h", None), duration_seconds("soon", "d")
    (172800.0, 43200.0, 86400.0, None)
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        factor = _UNITS.get((unit or "").strip().lower())
        return float(value) * factor if factor is not None and 0 <= value < float("inf") else None
    text = str(value).strip()
    iso = _ISO_DURATION.fullmatch(text.upper())
    if iso is not None and any(iso.groupdict().values()):
        return sum(float(amount) * _UNITS[key] for key, amount in iso.groupdict().items() if amount is not None)
    short = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", text)
    if short is None:
        return None
    factor = _UNITS.get((short[2] or (unit or "").strip()).lower())
    return float(short[1]) * factor if factor is not None else None

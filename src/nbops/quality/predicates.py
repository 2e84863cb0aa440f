"""SQL that is true for a row which breaks a rule, and never NULL.

A contract's values become literals; columns are named by position (see ``source``). What a rule cannot be measured on raises
``UnmeasurableError``, which becomes a measurement with an error, and that an ``errored`` check.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nbops.quality.families import family_of, is_float
from nbops.quality.sqltext import literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["UnmeasurableError", "invalid", "missing", "pattern_of", "row_rule"]

_NUMBERS = frozenset(["integer", "float", "decimal"])
_TIMES = frozenset(["date", "timestamp", "time"])
_COMPARISONS = {"minimum": ">=", "maximum": "<=", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}
_HEX = "[0-9A-Fa-f]{1,4}"
_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = rf"({_OCTET}\.){{3}}{_OCTET}"
_IPV6 = "|".join(
    [
        f"({_HEX}:){{7}}{_HEX}",
        f"({_HEX}:){{1,7}}:",
        *(f"({_HEX}:){{1,{7 - n}}}(:{_HEX}){{1,{n}}}" for n in range(1, 7)),
        f":((:{_HEX}){{1,7}}|:)",
        f"::([Ff]{{4}}(:0{{1,4}})?:)?{_IPV4}",
        f"({_HEX}:){{6}}{_IPV4}",
    ]
)
_FORMATS = {
    "email": r"^[^@\s]+@[^@\s]+\.[^@\s.]+$",
    "uuid": r"^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$",
    "uri": r"^[A-Za-z][A-Za-z0-9+.-]*:[^\s]+$",
    "hostname": r"^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$",
    "ipv4": f"^{_IPV4}$",
    "ipv6": f"^({_IPV6})$",
}
"""Shapes only: an address that matches may still not exist. IPv6 after RFC 4291, section 2.2; host names after RFC 1123."""


class UnmeasurableError(Exception):
    """A rule that cannot be measured on this column; the message says why."""


def missing(expression: str, type_name: str, values: tuple[Any, ...]) -> str:
    """True where the value is one of those that count as missing."""
    parts = [f"{expression} IS NULL"] if None in values else []
    parts += _among(expression, type_name, tuple(value for value in values if value is not None))
    return f"coalesce({' OR '.join(parts)}, false)" if parts else "false"


def _among(expression: str, type_name: str, values: tuple[Any, ...]) -> list[str]:
    """Conditions that are true where the value is in a list: numbers by value, everything else by its text."""
    family = family_of(type_name)
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    parts = []
    if family in _NUMBERS and numbers:
        parts.append(f"{expression} IN ({', '.join(map(literal, numbers))})")
    texts = [value for value in values if family not in _NUMBERS or value not in numbers or isinstance(value, bool)]
    if texts and family in _TIMES:
        parts.append(f"{expression} IN ({', '.join(f'TRY_CAST({literal(str(value))} AS {type_name})' for value in texts)})")
    elif texts:
        words = [str(value).lower() if isinstance(value, bool) else str(value) for value in texts]
        parts.append(f"CAST({expression} AS VARCHAR) IN ({', '.join(map(literal, words))})")
    # `x IN (1, NULL)` is NULL where it is not true.
    return [f"coalesce({part}, false)" for part in parts]


def row_rule(expression: str) -> str:
    """True where a row rule is false; where it is NULL the row passes, as with CHECK in SQL."""
    # The line break ends a comment in the rule.
    return f"NOT coalesce(CAST(({expression}\n) AS BOOLEAN), true)"


def invalid(expression: str, type_name: str, arguments: Mapping[str, Any]) -> str:
    """True where a value is there and breaks one of the arguments of ``invalidValues``.

    Raises:
        UnmeasurableError: An argument does not go with the column's type.
    """
    parts = [_broken(expression, type_name, key, value) for key, value in sorted(arguments.items())]
    return f"({expression} IS NOT NULL AND coalesce({' OR '.join(parts)}, true))"


def pattern_of(arguments: Mapping[str, Any]) -> str | None:
    """Return the one pattern that a rule of ``invalidValues`` consists of; ``None`` when it is anything else."""
    if len(arguments) != 1:
        return None
    pattern = arguments.get("pattern", _FORMATS.get(str(arguments.get("format"))))
    return pattern if isinstance(pattern, str) else None


def _broken(expression: str, type_name: str, key: str, value: Any) -> str:
    text = f"CAST({expression} AS VARCHAR)"
    if key in {"minLength", "maxLength"}:
        size = f"octet_length({expression})" if family_of(type_name) == "blob" else f"length({text})"
        return f"{size} {'<' if key == 'minLength' else '>'} {literal(value)}"
    makers: dict[str, Callable[[], str]] = {
        "validValues": lambda: f"NOT ({' OR '.join(_among(expression, type_name, value)) or 'false'})",
        "pattern": lambda: f"NOT regexp_matches({text}, {literal(value)})",
        "format": lambda: _format(expression, type_name, value),
        "multipleOf": lambda: _multiple(expression, type_name, value),
        **dict.fromkeys(_COMPARISONS, lambda: _bound(expression, type_name, _COMPARISONS[key], value)),
    }
    return makers.get(key, lambda: _collection(expression, type_name, key, value))()


def _format(expression: str, type_name: str, value: str) -> str:
    if value in _FORMATS:
        return f"NOT regexp_matches(CAST({expression} AS VARCHAR), {literal(_FORMATS[value])})"
    sized = re.fullmatch(r"([iu])(8|16|32|64|128)", value)
    if sized is None:
        raise UnmeasurableError(f"the format {value[:40]!r} is not measured")
    bits = int(sized[2])
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if sized[1] == "i" else (0, 2**bits - 1)
    number = expression if family_of(type_name) in _NUMBERS else f"TRY_CAST({expression} AS DOUBLE)"
    # -2**127 and 2**128-1 are beyond DuckDB's literals for whole numbers.
    bound = literal if bits < 128 else lambda number: literal(float(number))  # noqa: PLR2004
    return f"({number} IS NULL OR {number} < {bound(low)} OR {number} > {bound(high)})"


def _bound(expression: str, type_name: str, sign: str, value: Any) -> str:
    family = family_of(type_name)
    number = isinstance(value, int | float)
    if family in _NUMBERS and number:
        # DuckDB sorts NaN above everything, so it would pass every minimum.
        nan = f"isnan({expression}) OR " if is_float(type_name) else ""
        return f"({nan}NOT ({expression} {sign} {literal(value)}))"
    if family in _TIMES and not number:
        return f"NOT ({expression} {sign} CAST({literal(value)} AS {type_name}))"
    if family == "string":
        # Text that is no number (or date) breaks every bound.
        kind = "DOUBLE" if number else "TIME" if re.match(r"\d\d:\d\d", str(value)) else "TIMESTAMP"
        cast = f"TRY_CAST({expression} AS {kind})"
        nan = f"isnan({cast}) OR " if number else ""
        return f"({cast} IS NULL OR {nan}NOT ({cast} {sign} CAST({literal(value)} AS {kind})))"
    raise UnmeasurableError(f"a column of type {type_name} cannot be compared with {str(value)[:40]!r}")


def _multiple(expression: str, type_name: str, value: float) -> str:
    family = family_of(type_name)
    number = expression if family in _NUMBERS else f"TRY_CAST({expression} AS DOUBLE)"
    if family not in _NUMBERS and family != "string":
        raise UnmeasurableError(f"a column of type {type_name} has no multiples")
    if family == "integer" and isinstance(value, int):
        return f"{number} % {literal(value)} <> 0"
    if family == "decimal":
        return f"{number} % CAST({literal(str(value))} AS DECIMAL(38, 10)) <> 0"
    # Floats such as 0.3 are no exact multiple of 0.1, so a hair's breadth is allowed.
    times = f"(CAST({number} AS DOUBLE) / {literal(float(value))})"
    return f"coalesce(NOT isfinite({times}) OR abs({times} - round({times})) > 1e-9 * greatest(1, abs({times})), true)"


def _collection(expression: str, type_name: str, key: str, value: Any) -> str:
    family = family_of(type_name)
    if family == "list" and key in {"minItems", "maxItems", "dimensions"}:
        sign = {"minItems": "<", "maxItems": ">", "dimensions": "<>"}[key]
        return f"len({expression}) {sign} {literal(value)}"
    if family == "list" and key == "uniqueItems":
        return f"len(list_distinct({expression})) <> list_count({expression})" if value else "false"
    if family == "map" and key in {"minProperties", "maxProperties"}:
        return f"cardinality({expression}) {'<' if key == 'minProperties' else '>'} {literal(value)}"
    raise UnmeasurableError(f"{key} cannot be measured on a column of type {type_name}")

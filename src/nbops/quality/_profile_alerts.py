"""The profiler's alerts as plain sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbops.quality import _profile_text as text

if TYPE_CHECKING:
    from nbops.quality._profile_sample import Field

__all__ = ["Alert", "alerts_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something that the profiler found worth a look."""

    key: str
    """The column's key."""
    column: str
    label: str
    """Two words for a badge: ``High correlation``."""
    sentence: str
    """What follows the column's name: ``has 454 (9.1%) missing values``."""


def _amount(values: Mapping[str, Any], key: str) -> str:
    return f"{text.count(values[f'n_{key}'])} ({text.percent(float(values[f'p_{key}']))})"


_SENTENCES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "CONSTANT": lambda _: "has one value only",
    "ZEROS": lambda values: f"has {_amount(values, 'zeros')} zeros",
    "HIGH_CARDINALITY": lambda values: f"has many distinct values: {text.count(values['n_distinct'])}",
    "SKEWED": lambda values: (
        f"is highly skewed (\N{GREEK SMALL LETTER GAMMA}\N{SUBSCRIPT ONE} = {text.number(float(values['skewness']))})"
    ),
    "IMBALANCE": lambda values: f"is highly imbalanced ({text.percent(float(values['imbalance']))})",
    "MISSING": lambda values: f"has {_amount(values, 'missing')} missing values",
    "UNIQUE": lambda _: "has a different value in every row",
    "UNIFORM": lambda _: "is evenly distributed",
    "CONSTANT_LENGTH": lambda _: "has values of one length only",
    "UNSUPPORTED": lambda _: "has no values that could be profiled",
}
_QUIET = frozenset({"REJECTED", "INFINITE", "EMPTY", "DUPLICATES", "NEAR_DUPLICATES"})
"""Said elsewhere on the page, or about the sample as a whole."""


def alerts_of(description: Any, fields: Mapping[str, Field]) -> list[Alert]:
    """Return the alerts in the order of the columns, then of their labels.

    Args:
        description: The profiler's description.
        fields: The profiled columns by key.
    """
    order = {key: at for at, key in enumerate(fields)}
    found = [alert for raw in description.alerts if (alert := _alert(raw, fields)) is not None]
    found += [_infinite(field, _rows_of(description)) for field in fields.values() if field.infinite]
    return sorted(found, key=lambda alert: (order[alert.key], alert.label))


def _rows_of(description: Any) -> int:
    return int(description.table["n"])


def _infinite(field: Field, rows: int) -> Alert:
    share = text.percent(field.infinite / rows)
    return Alert(
        key=field.key, column=field.name, label="Infinite", sentence=f"has {text.count(field.infinite)} ({share}) infinite values"
    )


def _alert(raw: Any, fields: Mapping[str, Field]) -> Alert | None:
    kind, key = raw.alert_type.name, raw.column_name
    if kind in _QUIET or key not in fields:
        return None
    if kind == "MISSING" and raw.values["n_missing"] <= fields[key].infinite:
        return None
    label = kind.replace("_", " ").capitalize()
    return Alert(key=key, column=fields[key].name, label=label, sentence=_sentence(kind, raw.values, fields, key, label))


def _sentence(kind: str, values: Mapping[str, Any], fields: Mapping[str, Field], key: str, label: str) -> str:
    if kind == "HIGH_CORRELATION":
        others = [fields[other].name for other in fields if other in set(values["fields"])]
        named = text.short(others[0]) if others else "another column"
        return f"is highly correlated with {named}" + (f" and {len(others) - 1} more" if len(others) > 1 else "")
    if kind == "MISSING" and fields[key].infinite:
        missing = int(values["n_missing"]) - fields[key].infinite
        return f"has {text.count(missing)} ({text.percent(missing / int(values['n']))}) missing values"
    return _SENTENCES[kind](values) if kind in _SENTENCES else label.lower()

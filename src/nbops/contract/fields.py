"""What of a contract is edited in a form: read from its YAML, and written back into its text, whose rest stays as it is."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nbops.contract.node import plain
from nbops.contract.recommendations import PROPERTY as RECOMMENDATIONS
from nbops.contract.recommendations import recommendations_text, recommendations_value
from nbops.contract.vocabulary import is_personal
from nbops.contract.yamlfile import parse_yaml
from nbops.contract.yamltext import has, put, remove, value_at
from nbops.errors import ContractError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nbops.contract.yamltext import Path

__all__ = ["COLUMN_FIELDS", "CONTRACT_FIELDS", "add_column", "drop_column", "fields_of", "set_field"]

CONTRACT_FIELDS = ("description", "owner", "status", "version", "freshness", "recommendations")
_OPTIONS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "pattern", "format")
_TEXTS = frozenset(
    {"description", "owner", "status", "version", "logicalType", "physicalType", "classification", "pattern", "format"}
)
COLUMN_FIELDS = (
    "description",
    "logicalType",
    "physicalType",
    "required",
    "unique",
    "values",
    *_OPTIONS,
    "classification",
    "personal",
)
_PROPERTY_ORDER = (
    "id", "name", "physicalName", "businessName", "logicalType", "physicalType", "description", "classification", "tags",
    "required", "unique", "primaryKey", "primaryKeyPosition", "enum", "logicalTypeOptions", "relationships", "quality",
    "customProperties",
)  # fmt: skip
_OBJECT_ORDER = (
    "id", "name", "physicalName", "physicalType", "logicalType", "businessName", "description", "dataGranularityDescription",
    "properties", "customProperties", "quality", "relationships",
)  # fmt: skip
_ROOT_ORDER = (
    "apiVersion", "kind", "id", "name", "version", "status", "domain", "dataProduct", "tenant", "tags", "description", "servers",
    "schema", "team", "roles", "slaDefaultElement", "slaProperties",
)  # fmt: skip
_PERSONAL = "nbops.personal"
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")


def fields_of(text: str, dataset: str, *, shown: str) -> dict[str, Any]:
    """Return what a form shows of a contract; JSON.

    Args:
        text: The contract's YAML.
        dataset: Which of its datasets.
        shown: The file in messages.

    Returns:
        The fields of :data:`CONTRACT_FIELDS`, and ``columns``: of each its ``name``, the fields of :data:`COLUMN_FIELDS`, and
        what is shown beside them (``primaryKey``, ``rules``: how many it has besides, ``masked``: its values are never shown).

    Raises:
        ContractError: It is no YAML, or has no such dataset.
    """
    document = parse_yaml(text, shown=shown)
    table = _table(document, dataset, shown=shown)
    entry = value_at(document, table)
    found: dict[str, Any] = {
        "description": value_at(document, _description(document, table)),
        "owner": _owner(document)[1],
        "status": value_at(document, ("status",)),
        "version": value_at(document, ("version",)),
        "freshness": _freshness(document, table)[1],
        "recommendations": recommendations_text(_extensions(entry).get(RECOMMENDATIONS)),
    }
    found = {key: _json(value) for key, value in found.items()}
    found["columns"] = [_column(item) for item in entry.get("properties") or () if isinstance(item, dict)]
    return found


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _json(item) for key, item in value.items()}
    made = plain(value)
    return list(made) if isinstance(made, tuple) else made


def _column(item: Mapping[str, Any]) -> dict[str, Any]:
    options = item.get("logicalTypeOptions")
    options = options if isinstance(options, dict) else {}
    enum = item.get("enum")
    extensions = _extensions(item)
    words = [word for word in (item.get("classification"), *(item.get("tags") or ())) if isinstance(word, str)]
    personal = extensions.get(_PERSONAL)
    rules = item.get("quality")
    return {
        "name": str(item.get("name", "")),
        **{key: _json(item.get(key)) for key in ("description", "logicalType", "physicalType", "classification")},
        "required": item.get("required") is True,
        "unique": item.get("unique") is True,
        "primaryKey": item.get("primaryKey") is True,
        "values": [_json(one.get("value")) for one in enum if isinstance(one, dict)] if isinstance(enum, list) else [],
        **{key: _json(options.get(key)) for key in _OPTIONS},
        "personal": personal if isinstance(personal, bool) else None,
        "masked": personal if isinstance(personal, bool) else is_personal(words),
        "rules": len(rules) if isinstance(rules, list) else 0,
    }


def _extensions(item: Mapping[str, Any]) -> dict[str, Any]:
    entries = item.get("customProperties")
    if not isinstance(entries, list):
        return {}
    return {str(one.get("property")): one.get("value") for one in entries if isinstance(one, dict)}


def _table(document: Any, dataset: str, *, shown: str) -> Path:
    objects = document.get("schema") if isinstance(document, dict) else None
    tables = [item.get("name") if isinstance(item, dict) else None for item in objects] if isinstance(objects, list) else []
    if len(tables) == 1 and tables[0] is not None:
        return ("schema", 0)
    if dataset in tables:
        return ("schema", tables.index(dataset))
    raise ContractError(
        f"{shown}: has no schema object {dataset[:60]!r}. {did_you_mean(dataset, [str(name) for name in tables])}"
    )


def _description(document: Any, table: Path) -> Path:
    purpose: Path = ("description", "purpose")
    own: Path = (*table, "description")
    alone = len(document["schema"]) == 1
    return purpose if alone and not has(document, own) and has(document, purpose) else own


def _owner(document: Any) -> tuple[Path, Any]:
    """Return where the owner is written, and who it is: as :mod:`nbops.contract.odcs` reads it."""
    team = document.get("team")
    members = team.get("members") if isinstance(team, dict) else team
    if isinstance(team, dict) and team.get("name"):
        return ("team", "name"), team["name"]
    before: Path = ("team", "members") if isinstance(team, dict) else ("team",)
    people = (
        [(number, one) for number, one in enumerate(members or ()) if isinstance(one, dict)] if isinstance(members, list) else []
    )
    people.sort(key=lambda pair: "owner" not in str(pair[1].get("role", "")).lower())
    for number, one in people:
        for key in ("name", "username"):
            if one.get(key):
                return (*before, number, key), one[key]
    return ("team", "name"), None


def _freshness(document: Any, table: Path) -> tuple[int, dict[str, Any] | None]:
    """Return which SLA entry says how old the data may be (one beyond the last where none does), and what it says."""
    entries = document.get("slaProperties")
    entries = entries if isinstance(entries, list) else []
    name = value_at(document, (*table, "name"))
    alone = len(document["schema"]) == 1
    for number, one in enumerate(entries):
        if not isinstance(one, dict) or str(one.get("property")).lower() not in {"freshness", "fr"}:
            continue
        element = str(one.get("element") or document.get("slaDefaultElement") or "")
        where, _, column = element.rpartition(".")
        if where == name or (not where and (alone or element == name)):
            return number, {"value": one.get("value"), "unit": one.get("unit"), "column": column if element != name else ""}
    return len(entries), None


# --- writing


def set_field(text: str, dataset: str, field: str, value: Any, *, column: str | None = None, shown: str) -> str:
    """Return a contract's text with one field changed; empty text and None take it out.

    Args:
        text: The contract's YAML.
        dataset: Which of its datasets.
        field: One of :data:`CONTRACT_FIELDS`, or of :data:`COLUMN_FIELDS` with a ``column``.
        value: Text, number, flag, or a list of ``values``; of ``freshness`` a mapping with ``value``, ``unit``, ``column``; of
            ``recommendations`` a mapping, false, or a text as :func:`recommendations_text` returns it.
        column: The column's name in the contract.
        shown: The file in messages.

    Raises:
        ContractError: There is no such field, column or dataset, the value is none that the field can have, or the text cannot
            be changed there without changing something else. Whether the contract is right then is not judged here.
    """
    document = parse_yaml(text, shown=shown)
    table = _table(document, dataset, shown=shown)
    fields = CONTRACT_FIELDS if column is None else COLUMN_FIELDS
    if field not in fields:
        raise ContractError(f"{field[:60]!r}: no such field. {did_you_mean(field[:60], fields)}")
    value = _read(field, value)
    if column is not None:
        return _set_column(text, document, (*table, "properties", _place(document, table, column)), field, value, shown=shown)
    if field == "freshness":
        return _set_freshness(text, document, table, value, shown=shown)
    if field == "recommendations":
        return _set_extension(text, document, table, RECOMMENDATIONS, value, order=_OBJECT_ORDER, shown=shown)
    if field == "version" and value is None:
        raise ContractError("version: a contract needs one, such as 1.0.0.")
    path = {"description": _description(document, table), "owner": _owner(document)[0]}.get(field, (field,))
    if value is None:
        return _removed(text, document, path, shown=shown)
    return put(text, path, value, order=_OBJECT_ORDER if len(path) > 2 else _ROOT_ORDER, shown=shown)  # noqa: PLR2004


def _read(field: str, value: Any) -> Any:
    """Return a field's value as it is written: no empty text, numbers as numbers."""
    if value is None or (isinstance(value, str) and not value.strip()) or value in ([], {}):
        return None
    if field in {"required", "unique", "personal"}:
        if not isinstance(value, bool):
            raise ContractError(f"{field}: must be true or false, not {str(value)[:40]!r}.")
        return value
    if field in _READERS:
        return _READERS[field](value)
    if isinstance(value, bool | list | dict):
        raise ContractError(f"{field}: must be text or a number, not {str(value)[:40]!r}.")
    if field in _TEXTS:
        return str(value)
    return _number(value)


def _values(value: Any) -> Any:
    if not isinstance(value, list) or any(isinstance(item, list | dict) for item in value):
        raise ContractError("values: must be a list of plain values.")
    return value


def _age(value: Any) -> Any:
    if not isinstance(value, dict):
        raise ContractError("freshness: must say a value, a unit and the column of time.")
    return value


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "values": _values,
    "freshness": _age,
    "recommendations": recommendations_value,
}


def _number(value: Any) -> Any:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        with suppress(ValueError):
            return int(value)
        number = float(value)
        return number if math.isfinite(number) else value
    return value


def _place(document: Any, table: Path, column: str) -> int:
    columns = value_at(document, (*table, "properties")) or []
    names = [str(item.get("name")) if isinstance(item, dict) else "" for item in columns]
    if column not in names:
        raise ContractError(f"column {column[:60]!r}: the contract has none of this name. {did_you_mean(column[:60], names)}")
    return names.index(column)


def _set_column(text: str, document: Any, path: Path, field: str, value: Any, *, shown: str) -> str:
    if field == "values":
        known = {
            repr(plain(item.get("value"))): item for item in value_at(document, (*path, "enum")) or () if isinstance(item, dict)
        }
        value = [known.get(repr(item), {"value": item}) for item in value] if value is not None else None
        field = "enum"
    elif field == "personal":
        return _set_extension(text, document, path, _PERSONAL, value, order=_PROPERTY_ORDER, shown=shown)
    elif field in {"required", "unique"} and not value and not has(document, (*path, field)):
        return text
    at = (*path, "logicalTypeOptions", field) if field in _OPTIONS else (*path, field)
    if value is None:
        return _removed(text, document, at, shown=shown)
    return put(text, at, value, order=_PROPERTY_ORDER, shown=shown)


def _set_extension(text: str, document: Any, path: Path, name: str, value: Any, *, order: tuple[str, ...], shown: str) -> str:
    """Set one of nbops' own ``customProperties``; None takes it out."""
    entries = value_at(document, (*path, "customProperties")) or []
    known = [item.get("property") if isinstance(item, dict) else None for item in entries]
    at = (*path, "customProperties", known.index(name) if name in known else len(known))
    if value is None:
        return _removed(text, document, at, shown=shown) if name in known else text
    if name in known:
        return put(text, (*at, "value"), value, shown=shown)
    made: Any = {"property": name, "value": value}
    return put(text, at if known else at[:-1], made if known else [made], order=order, shown=shown)


def _set_freshness(text: str, document: Any, table: Path, value: Mapping[str, Any] | None, *, shown: str) -> str:
    number, known = _freshness(document, table)
    at: Path = ("slaProperties", number)
    if value is None or value.get("value") in (None, ""):
        return _removed(text, document, at, shown=shown)
    unit, column = (str(value.get(key) or "").strip() for key in ("unit", "column"))
    element = f"{value_at(document, (*table, 'name'))}.{column}" if column else ""
    if known is None:
        made = {"property": "freshness", "value": _number(value["value"]), "unit": unit, "element": element}
        made = {key: item for key, item in made.items() if item != ""}
        missing = not document.get("slaProperties")
        return put(text, at[:1] if missing else at, [made] if missing else made, order=_ROOT_ORDER, shown=shown)
    text = put(text, (*at, "value"), _number(value["value"]), shown=shown)
    order = ("id", "property", "value", "unit", "element")
    for key, item, before in (("unit", unit, known["unit"]), ("element", element, known["column"])):
        if (column if key == "element" else item) == (before or ""):
            continue
        text = put(text, (*at, key), item, order=order, shown=shown) if item else remove(text, (*at, key), shown=shown)
    return text


def _removed(text: str, document: Any, path: Path, *, shown: str) -> str:
    """Take something out, with what would be empty then."""
    if not has(document, path):
        return text
    while len(path) > 1 and path[-2] in {
        "logicalTypeOptions",
        "customProperties",
        "slaProperties",
        "enum",
        "team",
        "description",
    }:
        if len(value_at(document, path[:-1])) > 1:
            break
        path = path[:-1]
    return remove(text, path, shown=shown)


def add_column(text: str, dataset: str, name: str, *, logical_type: str | None = None, shown: str) -> str:
    """Return a contract's text with one more column, behind the others.

    Raises:
        ContractError: It has one of this name, or cannot be changed there.
    """
    document = parse_yaml(text, shown=shown)
    table = _table(document, dataset, shown=shown)
    columns = value_at(document, (*table, "properties"))
    if any(isinstance(item, dict) and item.get("name") == name for item in columns or ()):
        raise ContractError(f"column {name[:60]!r}: the contract has it already.")
    if not name.strip():
        raise ContractError("a column needs a name.")
    made = {"name": name, **({"logicalType": logical_type} if logical_type else {})}
    at = (*table, "properties")
    return put(text, (*at, len(columns)), made, shown=shown) if columns else put(text, at, [made], shown=shown)


def drop_column(text: str, dataset: str, name: str, *, shown: str) -> str:
    """Return a contract's text without a column, all its rules included.

    Raises:
        ContractError: There is none of this name, or it cannot be changed there.
    """
    document = parse_yaml(text, shown=shown)
    table = _table(document, dataset, shown=shown)
    at = (*table, "properties", _place(document, table, name))
    if len(value_at(document, at[:-1])) == 1:
        at = at[:-1]
    return remove(text, at, shown=shown)

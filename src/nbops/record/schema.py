"""The JSON Schema of the ledger, made from the records themselves.

``run.schema.json`` beside this file is what :func:`build` returns; ``python -m nbops.record.schema`` writes it anew, and a test
holds the two together. Format: JSON Schema draft-07, https://json-schema.org/draft-07/schema.
"""

from __future__ import annotations

import ast
import inspect
import json
import types
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, is_dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from nbops import model
from nbops.record.codec import field_types
from nbops.record.edges import EDGE_SCHEMA
from nbops.record.refer import ADDED, AS_IN, CARRIED, CARRIED_DATASETS, CARRIED_LINEAGE, MEASUREMENTS, REFERRING, WITHOUT

__all__ = ["SCHEMA_PATH", "SCHEMA_VERSION", "build", "definitions_of"]

SCHEMA_VERSION = 2
"""Raised when an older nbops could misread what a newer one writes; optional fields may come without it."""

SCHEMA_PATH = Path(__file__).with_name("run.schema.json")

_REFERENCE: dict[str, Any] = {
    AS_IN: {
        "type": "string",
        "description": "Id of an earlier run: fields that are left out here are as in the item of the same name in its ledger.",
    },
    WITHOUT: {
        "type": "array",
        "items": {"type": "string"},
        "description": "Fields that the item has there and not here.",
    },
}

_CARRIED: dict[str, Any] = {
    "type": "array",
    "description": "Datasets whose check results are as in the ledger of the run that measured them, but for those in `checks`.",
    "items": {
        "type": "object",
        "properties": {
            AS_IN: {"type": "string", "description": "Id of that run."},
            "dataset": {"type": "string"},
            "verdicts": {
                "type": "object",
                "additionalProperties": {"type": "integer"},
                "description": "Verdict to number of results.",
            },
        },
        "required": [AS_IN, "dataset", "verdicts"],
    },
}

_CARRIED_DATASETS: dict[str, Any] = {
    "type": "object",
    "description": "Id of an earlier run to the names of datasets that are as its ledger says: carried over, not changed since.",
    "additionalProperties": {"type": "array", "items": {"type": "string"}},
}

_CARRIED_LINEAGE: dict[str, Any] = {
    "type": "string",
    "description": "Id of an earlier run whose ledger holds the same `lineage`.",
}

_SCALARS: dict[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def _documentation() -> dict[str, dict[str, str]]:
    """Return the text under each field of :mod:`nbops.model`, by record and field; "" holds the record's own."""
    found: dict[str, dict[str, str]] = {}
    sources = {inspect.getmodule(getattr(model, name)) for name in model.__all__ if is_dataclass(getattr(model, name))}
    for node in (node for source in sources if source is not None for node in ast.parse(inspect.getsource(source)).body):
        if not isinstance(node, ast.ClassDef):
            continue
        texts = found[node.name] = {"": ast.get_docstring(node) or ""}
        for field, below in zip(node.body, node.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
                texts[field.target.id] = " ".join(str(ast.literal_eval(below.value)).split())
    return found


def _of_type(hint: Any) -> dict[str, Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return {}
    if hint is model.ColumnEdge:
        return dict(EDGE_SCHEMA)
    if is_dataclass(hint):
        return {"$ref": f"#/definitions/{hint.__name__}"}  # type: ignore[union-attr]
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return _of_union([_of_type(item) for item in arguments])
    return _of_container(origin, arguments) if arguments else {"type": _SCALARS[hint]}


def _of_container(origin: Any, arguments: tuple[Any, ...]) -> dict[str, Any]:
    if origin is tuple:
        return {"type": "array", "items": _of_type(arguments[0])}
    if not (isinstance(origin, type) and issubclass(origin, Mapping)):
        raise TypeError(f"the schema has no word for fields of type {origin}")
    value = _of_type(arguments[1])
    return {"type": "object", "additionalProperties": value} if value else {"type": "object"}


def _of_union(options: list[dict[str, Any]]) -> dict[str, Any]:
    if all(set(option) == {"type"} for option in options):
        return {"type": [option["type"] for option in options]}
    return {"anyOf": options}


def _of_record(kind: type, texts: Mapping[str, str]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for name, (_, hint) in sorted(field_types(kind).items()):
        shape = {"type": "object"} if name == "arguments" else _of_type(hint)
        properties[name] = {**shape, "description": texts[name]} if name in texts and "$ref" not in shape else shape
    required = [
        name
        for name, (item, _) in sorted(field_types(kind).items())
        if item.default is MISSING and item.default_factory is MISSING
    ]
    if kind in REFERRING:
        properties |= _REFERENCE
        shapes = {name: _of_type(hint) for name, (_, hint) in sorted(field_types(kind).items())}
        properties |= {
            f"{name}{ADDED}": {**shape, "description": f"Entries that `{name}` has besides those there, or in place of them."}
            for name, shape in shapes.items()
            if shape.get("type") == "object"
        }
        if MEASUREMENTS in shapes:
            said = "Measurements in place of those there of the same metric, column and arguments."
            properties[f"{MEASUREMENTS}{ADDED}"] = {**shapes[MEASUREMENTS], "description": said}
    return {"type": "object", "description": texts.get("", ""), "properties": properties, "required": required}


def definitions_of(kinds: Iterable[type]) -> dict[str, dict[str, Any]]:
    """Return schemas of records by name, for files of their own; without what the source says of the fields."""
    return {kind.__name__: _of_record(kind, {}) for kind in kinds}


def build() -> dict[str, Any]:
    """Return the schema of the ledger that this version of nbops writes."""
    texts = _documentation()
    kinds = [getattr(model, name) for name in model.__all__ if is_dataclass(getattr(model, name))]
    apart = {model.MetricRequest, model.ColumnEdge}  # in no ledger; a row there
    apart |= {model.Cause, model.Incident, model.IncidentEvent, model.IncidentFinding}  # in files of their own
    definitions = {kind.__name__: _of_record(kind, texts.get(kind.__name__, {})) for kind in kinds if kind not in apart}
    run = definitions.pop("Run")
    run["properties"] |= {CARRIED: _CARRIED, CARRIED_DATASETS: _CARRIED_DATASETS, CARRIED_LINEAGE: _CARRIED_LINEAGE}
    run["properties"]["schema_version"] = {"type": "integer", "minimum": 1, "description": "Version of this format."}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Ledger of an nbops run",
        "$comment": "What is None, empty or at its default is left out. Numbers that are not finite are the texts NaN, Infinity "
        "and -Infinity. Items with as_in take what they leave out from the ledger of that run.",
        **run,
        "required": [*run["required"], "schema_version"],
        "definitions": definitions,
    }


def _main() -> None:
    SCHEMA_PATH.write_text(json.dumps(build(), indent=2, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _main()

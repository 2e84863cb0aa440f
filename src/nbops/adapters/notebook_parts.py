"""Parts of notebooks that nbformat need not check by jsonschema, because they can be seen to be right.

Each cell and output that jupytext, papermill and nbclient make is checked by nbformat as it is made; for a part of a notebook it
does that by jsonschema, whose import for the first cell takes 40 ms. What is not seen to be right at a glance is checked as ever.
"""

from __future__ import annotations

import re
from functools import wraps
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nbformat.v4 import nbbase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["check_at_a_glance"]

_CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_TAG = re.compile(r"[^,\n]+")
_SAID = frozenset({"attachments", "collapsed", "execution", "format", "jupyter", "name", "scrolled"})
_CELL = frozenset({"id", "metadata", "source"})


def check_at_a_glance() -> None:
    """Have nbformat pass parts that are right at a glance; all others go the way of before."""
    slow: Any = nbbase.validate
    if getattr(slow, "_nbops", False):
        return

    @wraps(slow)
    def validate(node: Any, ref: str | None = None) -> Any:
        if ref is not None and _is_right(node, ref):
            return None
        return slow(node, ref)

    validate._nbops = True  # type: ignore[attr-defined]  # noqa: SLF001 - our own mark
    nbbase.validate = validate


def _is_right(node: Any, ref: str) -> bool:
    """Return whether a part is surely what the schema of notebooks 4.5 says; only the forms that are usual are known here."""
    if ref not in _RIGHT or not isinstance(node, dict):
        return False
    kind, names, is_right = _RIGHT[ref]
    return set(node) == {kind, *names} and node[kind] == ref.removesuffix("_cell") and is_right(node)


def _is_new_cell(node: dict[str, Any]) -> bool:
    return _is_text_cell(node) and node["outputs"] == [] and node["execution_count"] is None


def _is_text_cell(node: dict[str, Any]) -> bool:
    return _all_text((node["id"], node["source"])) and _CELL_ID.fullmatch(node["id"]) is not None and _is_plain(node["metadata"])


def _is_plain(metadata: Any) -> bool:
    """Return whether a cell's metadata holds nothing that the schema says something of, but for tags."""
    if not isinstance(metadata, dict) or not _SAID.isdisjoint(metadata) or not _all_text(metadata):
        return False
    tags = metadata.get("tags", [])
    return type(tags) is list and _all_text(tags) and len(set(tags)) == len(tags) and all(map(_TAG.fullmatch, tags))


def _is_stream(node: dict[str, Any]) -> bool:
    return _all_text((node["name"], node["text"]))


def _is_error(node: dict[str, Any]) -> bool:
    return _all_text((node["ename"], node["evalue"])) and type(node["traceback"]) is list and _all_text(node["traceback"])


def _is_display(node: dict[str, Any]) -> bool:
    return _is_bundle(node["data"]) and isinstance(node["metadata"], dict)


def _is_result(node: dict[str, Any]) -> bool:
    count = node["execution_count"]
    return _is_display(node) and (count is None or (type(count) is int and count >= 0))


def _is_bundle(data: Any) -> bool:
    return isinstance(data, dict) and _all_text(data) and _all_text(data.values())


def _all_text(values: Any) -> bool:
    return all(type(value) is str for value in values)


_RIGHT: Mapping[str, tuple[str, frozenset[str], Callable[[dict[str, Any]], bool]]] = MappingProxyType(
    {
        "code_cell": ("cell_type", _CELL | {"execution_count", "outputs"}, _is_new_cell),
        "markdown_cell": ("cell_type", _CELL, _is_text_cell),
        "raw_cell": ("cell_type", _CELL, _is_text_cell),
        "display_data": ("output_type", frozenset({"data", "metadata"}), _is_display),
        "error": ("output_type", frozenset({"ename", "evalue", "traceback"}), _is_error),
        "execute_result": ("output_type", frozenset({"data", "metadata", "execution_count"}), _is_result),
        "stream": ("output_type", frozenset({"name", "text"}), _is_stream),
    }
)
"""Part to where its kind stands, its other keys, and whether what they hold is right."""

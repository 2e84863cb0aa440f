"""Edges between columns as they stand in a ledger: a short list each, since there are many.

``[source, source column, target, target column, transformation, how, cells]``; the cells are left out where there are none. The
kind follows from the transformation; where it does not, it stands at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, get_args

from nbops.model import ColumnEdge, ColumnTransformation
from nbops.record.plain import clean_text

__all__ = ["EDGE_SCHEMA", "edges_from", "rows_of"]

_DERIVED: Final = frozenset({"identity", "transformation", "aggregation"})
_HOW: Final = ("sql", "static", "observed", "assumed")
_CELLS, _KIND = 6, 7

_NAME: Final = {"type": ["string", "null"]}
EDGE_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "array",
    "description": "Source, its column, target, its column (null: all columns), transformation, how it is known, indexes of "
    "cells; then derived or influence where that does not follow from the transformation.",
    "items": [
        {"type": "string"},
        _NAME,
        {"type": "string"},
        _NAME,
        {"enum": list(get_args(ColumnTransformation))},
        {"enum": list(_HOW)},
        {"type": "array", "items": {"type": "integer"}},
        {"enum": ["derived", "influence"]},
    ],
    "minItems": 6,
    "maxItems": 8,
}
"""JSON Schema of one edge."""


def _usual(transformation: str) -> str:
    return "derived" if transformation in _DERIVED else "influence"


def _key(edge: ColumnEdge) -> tuple[str, bool, str, str, str, str, str]:
    column = edge.target_column
    return (
        edge.target,
        column is None,
        column or "",
        edge.source,
        edge.source_column or "",
        edge.transformation,
        edge.kind,
    )


def rows_of(edges: Iterable[ColumnEdge]) -> list[list[Any]]:
    """Return edges as rows, in a fixed order; the task stands beside them.

    >>> rows_of([ColumnEdge(source="a", source_column="x", target="b", target_column="x", kind="derived", how="sql")])
    [['a', 'x', 'b', 'x', 'transformation', 'sql']]
    """
    return [_row(edge) for edge in sorted(edges, key=_key)]


def _row(edge: ColumnEdge) -> list[Any]:
    row: list[Any] = [
        clean_text(edge.source),
        None if edge.source_column is None else clean_text(edge.source_column),
        clean_text(edge.target),
        None if edge.target_column is None else clean_text(edge.target_column),
        edge.transformation,
        edge.how,
    ]
    unusual = edge.kind != _usual(edge.transformation)
    if edge.cells or unusual:
        row.append(list(edge.cells))
    return [*row, edge.kind] if unusual else row


def edges_from(rows: Iterable[list[Any]], task: str) -> tuple[ColumnEdge, ...]:
    """Return the edges that rows stand for.

    Args:
        rows: Rows that agree with :data:`EDGE_SCHEMA`.
        task: The task that they are of.
    """
    return tuple(
        ColumnEdge(
            source=row[0],
            source_column=row[1],
            target=row[2],
            target_column=row[3],
            transformation=row[4],
            how=row[5],
            cells=tuple(row[_CELLS]) if len(row) > _CELLS else (),
            kind=row[_KIND] if len(row) > _KIND else _usual(row[4]),  # type: ignore[arg-type]
            task=task,
        )
        for row in rows
    )

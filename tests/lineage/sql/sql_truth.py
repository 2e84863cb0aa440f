"""Reads the snippets of SQL with their truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from nbops.lineage.records import SqlLineage

FOLDER = Path(__file__).parent
DIALECTS = ("duckdb", "spark", "snowflake", "postgres", "bigquery", "mysql")
DERIVED = frozenset({"identity", "transformation", "aggregation"})
Edge = tuple[str, str | None, str, str, str | None]
"""Source, its column, transformation, target, its column."""


@dataclass(frozen=True)
class Case:
    """A snippet of SQL and what its columns are made of."""

    dialect: str
    name: str
    sql: str
    schemas: dict[str, list[str]]
    edges: frozenset[Edge]
    run: bool


def cases(dialect: str) -> list[Case]:
    """Return the snippets of one dialect."""
    content = yaml.safe_load((FOLDER / f"{dialect}.yaml").read_text(encoding="utf-8"))
    return [_case(dialect, content["schemas"], entry) for entry in content["cases"]]


def _case(dialect: str, schemas: dict[str, list[str]], entry: dict[str, Any]) -> Case:
    edges = frozenset(edge for line in entry["edges"].splitlines() for edge in _edges(line))
    return Case(dialect, entry["name"], entry["sql"], schemas, edges, entry.get("run", True))


def _edges(line: str) -> Iterator[Edge]:
    left, _, right = line.rpartition(": ")
    left = left.strip().strip('"')
    target, column = left.rsplit(".", 1) if "." in left else ("out", left)
    for group in right.split(";"):
        transformation, _, sources = group.strip().partition(" ")
        for source in sources.split(","):
            table, _, name = source.strip().rpartition(".")
            yield table, _column(name), transformation, target, _column(column)


def _column(name: str) -> str | None:
    return None if name == "*" else name


def found(lineage: SqlLineage) -> frozenset[Edge]:
    """Return the edges of an analysis in the form of the truth."""
    return frozenset((e.source, e.source_column, e.transformation, e.target, e.target_column) for e in lineage.edges)


def text(edge: Edge) -> str:
    """Return an edge for people."""
    source, column, transformation, target, target_column = edge
    return f"{target}.{target_column or '*'}: {transformation} {source}.{column or '*'}"

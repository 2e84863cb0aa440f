"""Reads the snippets whose truth was written without sight of the analysers, and runs the analysers on them.

SQL is written as in ``tests/lineage/sql``. A snippet of code is one text, its cells parted by ``# %%``; its edges are written
as in ``tests/lineage/code``, and a source may be a path (``data/raw/a.csv.sku``) as well as a letter. Where a case says what is
``arguable`` about itself, docs/lineage.md leaves room there; it counts as the others do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nbops.lineage.code import analyse_code
from nbops.lineage.sql import analyse_sql

FOLDER = Path(__file__).parent
SETS = (FOLDER, FOLDER / "second")
"""The first set, and one that was written when what the first found was mended."""
DIALECTS = ("duckdb", "snowflake", "bigquery", "postgres", "spark", "mysql")
LIBRARIES = ("pandas", "polars", "duckdb", "ibis")
DERIVED = frozenset({"identity", "transformation", "aggregation"})
PATHS = {
    "o": "data/orders.parquet",
    "c": "data/customers.csv",
    "p": "data/products.parquet",
    "e": "data/events.parquet",
    "s": "data/sensors.csv",
}
SCHEMAS = {
    "data/orders.parquet": (
        *("order_id", "customer_id", "product_id", "quantity", "unit_price", "discount", "status", "ordered_at", "channel"),
    ),
    "data/customers.csv": ("customer_id", "full_name", "email", "country", "signed_up"),
    "data/products.parquet": ("product_id", "category", "cost"),
    "data/events.parquet": ("user_id", "event", "ts", "page"),
    "data/sensors.csv": ("sensor", "at", "temp", "hum"),
}
OUT = "out/result.parquet"
VALUES: dict[str, object] = {
    "upstream": {
        "orders": PATHS["o"],
        "customers": PATHS["c"],
        "products": PATHS["p"],
        "events": PATHS["e"],
        "sensors": {"nb": "out/sensors.ipynb", "data": PATHS["s"]},
    },
    "product": {"nb": "out/report.ipynb", "data": OUT},
    "country": "DE",
    "root": "data",
}
_TABLES = {
    "o": 'upstream["orders"]',
    "c": 'upstream["customers"]',
    "p": 'upstream["products"]',
    "e": 'upstream["events"]',
    "s": 'upstream["sensors"]["data"]',
}
_IMPORTS = {
    "pandas": ("import numpy as np\nimport pandas as pd", "pd", "to_parquet"),
    "polars": ("import polars as pl", "pl", "write_parquet"),
    "duckdb": ("import duckdb\nimport pandas as pd\ncon = duckdb.connect()", "pd", "to_parquet"),
    "ibis": ("import ibis\nfrom ibis import _", "ibis", "to_parquet"),
}
_SIGNS = {"=": "identity", "~": "transformation", "+": "aggregation", "?": "conditional", "w": "window"}
_ROWS = frozenset({"filter", "join", "group_by", "sort"})
Edge = tuple[str, str | None, str, str, str | None]
"""Source, its column, transformation, target, its column."""


@dataclass(frozen=True)
class Case:
    """A snippet, its truth, and what is found."""

    where: str
    name: str
    truth: frozenset[Edge]
    found: frozenset[Edge]


def sql_cases(dialect: str) -> list[Case]:
    """Return the cases of a dialect, analysed."""
    cases = []
    for schemas, entry in _sql_entries(dialect):
        lineage = analyse_sql(entry["sql"], dialect=dialect, schemas=schemas, target="out")
        found = frozenset((e.source, e.source_column, e.transformation, e.target, e.target_column) for e in lineage.edges)
        truth = frozenset(edge for line in entry["edges"].splitlines() for edge in _sql_edges(line))
        cases.append(Case(dialect, entry["name"], truth, found))
    return cases


def _read(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def _sql_entries(dialect: str) -> Iterator[tuple[dict[str, list[str]], dict[str, Any]]]:
    for folder in SETS:
        content = _read(folder / f"sql_{dialect}.yaml")
        yield from ((content["schemas"], entry) for entry in content["cases"])


def code_cases(library: str) -> list[Case]:
    """Return the cases of a library, analysed."""
    cases = []
    for entry in (entry for folder in SETS for entry in _read(folder / f"code_{library}.yaml")):
        lineage = analyse_code(cells_of(library, entry), values=VALUES, schemas=SCHEMAS)
        found = frozenset(
            (e.source, e.source_column, e.transformation, e.target, e.target_column) for e in lineage.edges if e.target == OUT
        )
        truth = frozenset(edge for line in entry["edges"].splitlines() for edge in _code_edges(line))
        cases.append(Case(library, entry["name"], truth, found))
    return cases


def cells_of(library: str, entry: dict[str, Any]) -> list[str]:
    """Return the cells of a snippet: imports, readers, its own, the writer."""
    imports, module, writer = _IMPORTS[library]
    readers = "\n".join(
        f"{letter} = {module}.read_{'csv' if PATHS[letter].endswith('csv') else 'parquet'}({path})"
        for letter, path in _TABLES.items()
    )
    own = [cell.strip("\n") for cell in entry["code"].split("# %%")]
    return [imports, readers, *own, entry.get("write", f'out.{writer}(product["data"])')]


def _sql_edges(line: str) -> Iterator[Edge]:
    left, _, right = line.rpartition(": ")
    target, column = left.strip().rsplit(".", 1) if "." in left else ("out", left.strip())
    for group in right.split(";"):
        transformation, _, sources = group.strip().partition(" ")
        for source in sources.split(","):
            table, _, name = source.strip().rpartition(".")
            yield table, _column(name), transformation, target, _column(column)


def _code_edges(line: str) -> Iterator[Edge]:
    words = line.split()
    if not words:
        return
    rows = words[0] in _ROWS
    same = words[0] == "="
    transformation = words[0] if rows else _SIGNS[words[0] if same else words[1]]
    for source in words[1 if rows or same else 2 :]:
        table, _, name = source.rpartition(".")
        target = None if rows else _column(name if same else words[0])
        yield PATHS.get(table, table), _column(name), transformation, OUT, target


def _column(name: str) -> str | None:
    return None if name == "*" else name


def text(edge: Edge) -> str:
    """Return an edge for people."""
    source, column, transformation, target, target_column = edge
    return f"{target}.{target_column or '*'}: {transformation} {source}.{column or '*'}"

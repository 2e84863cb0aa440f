"""A little comfort around DuckDB: Parquet files in as views, Parquet files out, small tables for people."""

from __future__ import annotations

import html
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

__all__ = ["Table", "connect", "project_root", "save", "table", "view"]


def project_root() -> Path:
    """Return the folder of ``pipeline.yaml``: relative paths in parameters count from there, wherever the kernel started."""
    told = os.environ.get("NBOPS_PROJECT")
    if told:
        return Path(told)
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "pipeline.yaml").is_file()), here)


def connect() -> duckdb.DuckDBPyConnection:
    """Open an in-memory DuckDB that spills to the system's temporary folder and keeps rows in order."""
    con = duckdb.connect(config={"temp_directory": str(Path(tempfile.gettempdir()) / f"shop-{os.getpid()}.tmp")})
    con.execute("SET enable_progress_bar = false; SET TimeZone = 'UTC'")
    return con


def view(con: duckdb.DuckDBPyConnection, name: str, path: str) -> None:
    """Make a Parquet file queryable under a name. No rows are read yet."""
    con.read_parquet(str(path)).create_view(name)


def save(con: duckdb.DuckDBPyConnection, query: str, path: str) -> int:
    """Write a query's rows to a Parquet file and return how many there are.

    Equal rows in equal order give equal bytes, so give the query a total ORDER BY.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    half = Path(f"{path}.part")  # some versions of DuckDB leave a torn file behind when the query fails midway
    try:
        con.sql(query).write_parquet(str(half), compression="zstd")
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
    [(rows,)] = con.read_parquet(str(path)).aggregate("count(*)").fetchall()
    return int(rows)


def table(con: duckdb.DuckDBPyConnection, query: str, caption: str = "") -> Table:
    """Run a query whose result is small enough to be read by people (200 rows are shown at most)."""
    relation = con.sql(query)
    rows = relation.limit(201).fetchall()
    return Table(columns=tuple(relation.columns), rows=tuple(map(tuple, rows[:200])), caption=caption, cut=len(rows) > 200)


@dataclass(frozen=True, kw_only=True)
class Table:
    """A small table that JupyterLab shows as HTML. (A data frame would do too; importing pandas takes longer than the query.)"""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    caption: str = ""
    cut: bool = False

    def _cell(self, value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return str(value)
        return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"

    def __repr__(self) -> str:
        lines = [self.columns, *([self._cell(value) for value in row] for row in self.rows)]
        widths = [max(len(line[at]) for line in lines) for at in range(len(self.columns))]
        text = "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)
        return "\n".join(filter(None, (self.caption, text, "..." if self.cut else "")))

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(self._cell(value))}</td>" for value in row) + "</tr>" for row in self.rows
        )
        title = f"<caption>{html.escape(self.caption)}{' (first 200 rows)' if self.cut else ''}</caption>"
        return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

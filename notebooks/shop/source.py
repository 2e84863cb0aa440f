"""Read the shop's real order lines: a folder of daily CSV files, one CSV file, or one Parquet file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from shop.data import project_root, save
from shop.faults import COLUMNS, LARGEST_CELL, SourceError, check_header, check_whole, first_fault

__all__ = ["SourceError", "Window", "find_files", "read_orders"]

_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})\.csv(\.gz)?")
_RENAMED = """
    InvoiceNo AS invoice, StockCode AS stock_code, Description AS description, Quantity AS quantity,
        InvoiceDate AS invoiced_at,
    UnitPrice AS unit_price, regexp_replace(CustomerID, '\\.0$', '') AS customer_id, Country AS country
"""


@dataclass(frozen=True, kw_only=True)
class Window:
    """Days to read, both included; None is open."""

    since: date | None = None
    until: date | None = None

    @classmethod
    def parse(cls, *, since: object, until: object) -> Window:
        """Read two parameters such as ``"2011-01-04"``, a date, or ``""``.

        Raises:
            SourceError: One is no date, or they are the wrong way round.
        """
        window = cls(since=_date("since", since), until=_date("until", until))
        if window.since and window.until and window.until < window.since:
            raise SourceError(f"until ({window.until}) is before since ({window.since}). Swap them.")
        return window

    def holds(self, day: date) -> bool:
        """Tell whether a day is inside."""
        return (self.since is None or day >= self.since) and (self.until is None or day <= self.until)

    def __str__(self) -> str:
        return f"{self.since or 'the beginning'} to {self.until or 'the end'}"


def _date(name: str, value: object) -> date | None:
    text = "" if value is None else str(value).strip()
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise SourceError(f"{name}: {text!r} is no day. Expected YYYY-MM-DD, for example 2011-01-04, or nothing.") from error


def _resolve(source: str) -> Path:
    path = Path(source).expanduser()
    path = path if path.is_absolute() else project_root() / path
    if not path.exists():
        nearest = next(folder for folder in path.parents if folder.exists())
        raise SourceError(
            f"source: {source}: does not exist (the nearest folder that does is {nearest.name!r}). Expected 'simulated', "
            "a folder of daily files YYYY-MM-DD.csv.gz, a .csv or .csv.gz file, or a .parquet file; "
            "relative paths count from the project's folder."
        )
    return path


def find_files(source: str, window: Window) -> list[Path]:
    """Return the files to read: one Parquet or CSV file, or a folder's daily CSV files inside the window.

    A folder may also be the parent of a folder ``by_day``.

    Raises:
        SourceError: There is nothing to read.
    """
    path = _resolve(source)
    if path.is_file():
        if path.suffix == ".parquet" or path.name.endswith((".csv", ".csv.gz")):
            return [path]
        raise SourceError(f"source: {path.name}: unknown kind of file. Allowed: .parquet, .csv, .csv.gz.")
    folder = path / "by_day" if (path / "by_day").is_dir() else path
    days = {}
    for file in sorted(folder.iterdir()):
        named = _DAY.fullmatch(file.name)
        if named:
            days[_date(file.name, named[1])] = file
    if not days:
        raise SourceError(
            f"source: {source}: holds no daily file. Expected names such as 2010-12-01.csv.gz in it, or in its folder by_day."
        )
    wanted = [file for day, file in days.items() if day and window.holds(day)]
    if not wanted:
        first, last = min(filter(None, days)), max(filter(None, days))
        raise SourceError(
            f"source: {source}: no day from {window}. It has {len(days)} days, {first} to {last}: "
            "choose since and until in between."
        )
    return wanted


def read_orders(con: duckdb.DuckDBPyConnection, source: str, window: Window, path: str) -> int:
    """Write the source's order lines, each of them and unchanged but for the columns' names, to a Parquet file.

    Returns:
        The number of rows.

    Raises:
        SourceError: A file is missing, empty, damaged or laid out differently. The message names file and line.
    """
    files = find_files(source, window)
    if files[0].suffix == ".parquet":
        rows = _read_parquet(con, files[0], window, path)
    else:
        rows = _read_csv(con, files, window if len(files) == 1 and not _DAY.fullmatch(files[0].name) else Window(), path)
    if not rows:
        raise SourceError(
            f"source: {source}: has its columns but no order line from {window}. Choose another window, or export it again."
        )
    return rows


def _condition(window: Window) -> str:
    """Turn a window into SQL. Dates are safe to write out: they were parsed."""
    since = f"InvoiceDate >= DATE '{window.since}'" if window.since else "true"
    until = f"InvoiceDate < DATE '{window.until}' + 1" if window.until else "true"
    return "true" if window == Window() else f"{since} AND {until}"


def _read_csv(con: duckdb.DuckDBPyConnection, files: Sequence[Path], window: Window, path: str) -> int:
    for file in files:
        check_header(file)
        check_whole(file)
    try:
        con.read_csv(
            [str(file) for file in files],  # type: ignore[arg-type] # a list works, and its stubs forget it
            header=True,
            auto_detect=False,
            columns=dict(COLUMNS),
            delimiter=",",
            quotechar='"',
            escapechar='"',
            strict_mode=True,
            null_padding=False,
        ).create_view("source_rows", replace=True)
        return save(con, f"SELECT {_RENAMED} FROM source_rows WHERE {_condition(window)}", path)
    except duckdb.Error as error:
        fault = next(filter(None, map(first_fault, files)), None)
        if fault is None:
            names = f"{files[0]} and {len(files) - 1} more" if len(files) > 1 else str(files[0])
            fault = f"{names}: {str(error)[:500]}"
        raise SourceError(fault) from error


def _read_parquet(con: duckdb.DuckDBPyConnection, file: Path, window: Window, path: str) -> int:
    try:
        relation = con.read_parquet(str(file))
    except duckdb.Error as error:
        raise SourceError(
            f"{file}: is no whole Parquet file ({str(error)[:200]}). Expected one that ends in the marker PAR1: "
            "it was cut off, or is something else. Copy it again."
        ) from error
    names = relation.columns
    missing, extra = [name for name in COLUMNS if name not in names], [name for name in names if name not in COLUMNS]
    if missing or extra:
        more = f" and {len(extra) - 5:,} more" if len(extra) > 5 else ""
        raise SourceError(
            f"{file}: {len(names):,} columns; missing: {', '.join(missing) or 'none'}; "
            f"unknown: {', '.join(extra[:5]) or 'none'}{more}. "
            f"Expected exactly {', '.join(COLUMNS)}. Ask for the old layout, or map the new one in shop/source.py."
        )
    relation.create_view("source_rows", replace=True)
    _check_cells(con, file)
    typed = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in COLUMNS.items())
    try:
        return save(con, f"SELECT {_RENAMED} FROM (SELECT {typed} FROM source_rows) WHERE {_condition(window)}", path)
    except duckdb.Error as error:
        raise SourceError(f"{file}: cannot be read to its end ({str(error)[:200]}). Copy it again.") from error


def _check_cells(con: duckdb.DuckDBPyConnection, file: Path) -> None:
    """Find the first cell that is of the wrong type, or huge."""
    for name, kind in COLUMNS.items():
        bad = (
            f"length({name}) > {LARGEST_CELL}"
            if kind == "VARCHAR"
            else f"{name} IS NOT NULL AND TRY_CAST({name} AS {kind}) IS NULL"
        )
        try:
            typed = f"SELECT CAST({name} AS VARCHAR) AS {name} FROM source_rows" if kind == "VARCHAR" else "FROM source_rows"
            found = con.execute(
                f"SELECT row, value FROM (SELECT row_number() OVER () AS row, left(CAST({name} AS VARCHAR), 40) AS value, "
                f"{bad} AS bad FROM ({typed})) WHERE bad LIMIT 1"
            ).fetchall()
        except duckdb.Error as error:
            raise SourceError(f"{file}: column {name} cannot be read ({str(error)[:200]}). Copy the file again.") from error
        if found:
            wanted = f"at most {LARGEST_CELL:,} characters" if kind == "VARCHAR" else f"values that read as {kind}"
            raise SourceError(
                f"{file}: row {found[0][0]:,}: {name} is {found[0][1]!r}. Expected {wanted}. Correct it at its origin."
            )

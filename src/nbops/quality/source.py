"""A dataset opened for measuring: whatever its format, one relation ``scan`` with columns by position.

In ``scan`` the columns are called ``__nbops_0``, ``__nbops_1``, ... and ``__nbops_row`` counts rows from 0 in the order of the
file. Names in the data may hold quotes, NUL, SQL, or differ in case only; by position none of that matters. ``data`` has the
columns by name, for a contract's SQL, and ``named`` has both.

Parquet is scanned in place. Text formats are read once into a table of the in-memory database (which spills to disk); CSV has a
header line, its delimiter is the one of ``, ; TAB |`` that cuts the header into most fields, and its types are inferred from all
rows, except that columns which the contract calls text are read as text (so ``01234`` keeps its zero).
"""

# ruff: noqa: S608 - columns are named by position, other names pass through quote() and values through literal()

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import duckdb

from nbops.contract.syntax import quote
from nbops.errors import DataError
from nbops.quality.engine import safe_path
from nbops.quality.faults import csv_records, diagnose, engine_message, open_bytes
from nbops.quality.sqltext import literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from nbops.contract.records import Contract

__all__ = ["SUFFIXES", "Format", "Source", "SourceColumn", "delimiter_of", "format_of", "open_source"]

Format = Literal["parquet", "csv", "jsonl", "json"]

SUFFIXES: Mapping[str, Format] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
}
"""Endings of datasets; the text ones may have ``.gz`` behind."""
_WIDE = 256
_CELLS_IN_MEMORY = 50_000_000
_LONG_LINES = ", max_line_size=268435456, buffer_size=536870912"
"""256 MiB a line: DuckDB's own limit is 2 MB, and buffers grow with it, so this is tried second."""


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A column of the data."""

    name: str
    """As the file has it."""
    key: str
    """Its name in ``scan``."""
    engine_name: str
    """Its name in ``data``: DuckDB adds a number to names that differ in case only."""
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An opened dataset."""

    connection: Any
    format: Format
    columns: tuple[SourceColumn, ...]
    rows: int
    base: str
    """What the relations are made over: a table, or a reader of Parquet."""
    row: str | None = "rowid"
    """What numbers the rows of ``base`` from 0; ``None``: only ``scan`` can."""
    prefix: str = ""
    """Before the names of its relations ``scan``, ``named`` and ``data``."""
    path: str | None = None
    """A Parquet file as given to DuckDB, for its footer and for what DuckDB may read; ``None`` when all data is in a table."""
    directory: str | None = None
    """Likewise, a directory of Parquet files."""
    delimiter: str = ","

    @property
    def inferred(self) -> bool:
        """Whether types were inferred, because the format has none."""
        return self.format != "parquet"


def format_of(path: str) -> Format | None:
    """Return the format that a path's ending stands for; ``None`` when it is no dataset.

    >>> format_of("out/orders.csv.gz"), format_of("out/parts/"), format_of("model.pkl")
    ('csv', None, None)
    """
    name = path.rstrip("/").rsplit("/", 1)[-1].lower().removesuffix(".gz")
    return next((kind for ending, kind in SUFFIXES.items() if name.endswith(ending)), None)


def open_source(
    connection: Any, path: Path, *, name: str, scratch: Path, contract: Contract | None, shown: str, prefix: str = ""
) -> Source:
    """Open a dataset in a DuckDB connection.

    Args:
        connection: From ``engine.connect``, not locked yet.
        path: The file or (for Parquet) directory.
        name: Its name for the format's ending: the final path, when ``path`` is a staged one.
        scratch: A private directory.
        contract: For the columns that are text.
        shown: The path in messages.
        prefix: Before the names of its relations.

    Raises:
        DataError: It is not there, empty, broken, or of no known format.
    """
    if not path.exists():
        raise DataError(f"{shown}: is not there. The task ended without writing it.")
    kind: Format | None = "parquet" if path.is_dir() else format_of(name)
    if kind is None:
        raise DataError(f"{shown}: no known format of rows. Allowed endings: {', '.join(SUFFIXES)} (text also with .gz).")
    if path.is_file() and path.stat().st_size == 0:
        raise DataError(f"{shown}: is empty (0 bytes): not even {'a header' if kind == 'csv' else 'a row'}.")
    opening = _Opening(
        connection=connection, path=path, name=name, scratch=scratch, contract=contract, shown=shown, prefix=prefix
    )
    if kind == "parquet":
        return _open_parquet(opening)
    return _open_csv(opening) if kind == "csv" else _open_json(opening, kind=kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opening:
    """Where a dataset is opened, and how."""

    connection: Any
    path: Path
    name: str
    scratch: Path
    contract: Contract | None
    shown: str
    prefix: str

    @property
    def table(self) -> str:
        return f"{self.prefix}__nbops_table"

    @property
    def engine_path(self) -> str:
        return safe_path(self.path, scratch=self.scratch)


def _finish(
    opening: _Opening,
    *,
    kind: Format,
    inner: str,
    names: list[str] | None = None,
    row: str | None = "rowid",
    path: str | None = None,
    directory: str | None = None,
    delimiter: str = ",",
) -> Source:
    """Make the relations over ``inner``. ``row`` numbers its rows; ``None`` when its last column does."""
    connection, prefix = opening.connection, opening.prefix
    described = connection.execute(f"DESCRIBE SELECT * FROM {inner}").fetchall()
    described = described[:-1] if row is None else described
    if names is not None and len(names) != len(described):
        raise DataError(f"{opening.shown}: the header has {len(names)} fields, the rows {len(described)}.")
    columns = tuple(
        SourceColumn(
            name=names[index] if names is not None else item[0], key=f"__nbops_{index}", engine_name=item[0], type=item[1]
        )
        for index, item in enumerate(described)
    )
    keys = ", ".join(column.key for column in columns)
    if row is None:
        scan = f"SELECT * FROM {inner} AS t({keys}, __nbops_row)"
    else:
        scan = f"SELECT *, {row} AS __nbops_row FROM {inner} AS t({keys})"
    # A NUL cannot be written in SQL text: such a column has no name there.
    named = ", ".join(f"{column.key} AS {quote(column.engine_name)}" for column in columns if "\0" not in column.engine_name)
    rows = connection.execute(
        f"CREATE VIEW {prefix}scan AS {scan}; "
        f"CREATE VIEW {prefix}named AS SELECT *{', ' if named else ''}{named} FROM {prefix}scan; "
        f"CREATE VIEW {prefix}data AS SELECT {named or 'NULL AS nothing'} FROM {prefix}scan; "
        f"SELECT count(*) FROM {prefix}scan"
    ).fetchone()[0]
    return Source(
        connection=connection,
        format=kind,
        base=inner,
        row=row if row == "rowid" else "file_row_number" if inner.startswith("read_parquet") and row is None else None,
        columns=columns,
        rows=rows,
        prefix=prefix,
        path=path,
        directory=directory,
        delimiter=delimiter,
    )


def _no_duplicates(names: Iterable[str], *, shown: str) -> None:
    seen: dict[str, int] = {}
    for position, name in enumerate(names, 1):
        if name in seen:
            raise DataError(f"{shown}: two columns are called {name[:60]!r} (columns {seen[name]} and {position}). Rename one.")
        seen[name] = position


def _open_parquet(opening: _Opening) -> Source:
    shown = opening.shown
    try:
        return _parquet_directory(opening) if opening.path.is_dir() else _parquet_file(opening)
    except duckdb.OutOfMemoryException as error:
        raise DataError(f"{shown}: {engine_message(error)}") from error
    except duckdb.Error as error:
        raise DataError(f"{shown}: no complete Parquet file: truncated, still being written, or of another format.") from error


def _parquet_directory(opening: _Opening) -> Source:
    if not any(opening.path.rglob("*.parquet")):
        raise DataError(f"{opening.shown}: a directory without .parquet files.")
    text = opening.engine_path
    pattern = f"{text}/**/*.parquet"
    inner = f"read_parquet({literal(pattern)}, union_by_name=true)"
    return _finish(opening, kind="parquet", inner=inner, row="row_number() OVER () - 1", directory=text)


def _parquet_file(opening: _Opening) -> Source:
    text = opening.engine_path
    names = _top_level(opening.connection, text)
    if not names:
        raise DataError(f"{opening.shown}: has no columns.")
    _no_duplicates(names, shown=opening.shown)
    if len(names) > _WIDE and _footer_rows(opening) * len(names) <= _CELLS_IN_MEMORY:
        # Planning queries over thousands of Parquet columns costs more than reading them once.
        opening.connection.execute(f"CREATE TABLE {opening.table} AS SELECT * FROM read_parquet({literal(text)})")
        return _finish(opening, kind="parquet", inner=opening.table, names=names, path=text)
    if "file_row_number" in {name.lower() for name in names}:
        inner = f"(SELECT *, row_number() OVER () - 1 FROM read_parquet({literal(text)}))"
    else:
        inner = f"read_parquet({literal(text)}, file_row_number=true)"
    return _finish(opening, kind="parquet", inner=inner, names=names, row=None, path=text)


def _footer_rows(opening: _Opening) -> int:
    query = f"SELECT sum(num_rows) FROM parquet_file_metadata({literal(opening.engine_path)})"
    return int(opening.connection.execute(query).fetchone()[0])


def _top_level(connection: Any, text: str) -> list[str]:
    """Names of a Parquet file's columns as written; DuckDB renames those that differ in case only."""
    elements = connection.execute(f"SELECT name, num_children FROM parquet_schema({literal(text)})").fetchall()
    names: list[str] = []
    position = 1

    def skip(start: int) -> int:
        following = start + 1
        for _ in range(elements[start][1] or 0):
            following = skip(following)
        return following

    while position < len(elements):
        names.append(elements[position][0])
        position = skip(position)
    return names


def delimiter_of(path: Path, *, name: str) -> tuple[str, list[str]]:
    """Return a CSV's delimiter and its header's fields.

    Raises:
        UnicodeDecodeError: The header is not UTF-8.
    """
    if name.lower().removesuffix(".gz").endswith(".tsv"):
        return "\t", _header(path, "\t")
    tried = [(sign, _header(path, sign)) for sign in (",", ";", "\t", "|")]
    return max(tried, key=lambda item: len(item[1]))


def _header(path: Path, delimiter: str) -> list[str]:
    with csv_records(path, delimiter=delimiter) as records:
        for record, text in records:
            if record:
                first = record[0].removeprefix("\ufeff")
                # With a byte order mark in front, the csv module does not see the first field's quotes.
                if text.startswith('\ufeff"'):
                    return next(csv.reader([text.removeprefix("\ufeff")], delimiter=delimiter))
                return [first, *record[1:]]
    return []


def _open_csv(opening: _Opening) -> Source:
    path, shown = opening.path, opening.shown
    try:
        delimiter, names = delimiter_of(path, name=opening.name)
    except (UnicodeDecodeError, csv.Error, OSError, EOFError):
        raise DataError(f"{shown}: {diagnose(path, kind='csv') or 'has no readable header line.'}") from None
    if not names:
        raise DataError(f"{shown}: has no header line.")
    _no_duplicates(names, shown=shown)
    contracted = opening.contract.columns if opening.contract is not None else ()
    text = {column.name for column in contracted if _is_text(column.logical_type, column.physical_type)}
    types = ", ".join(f"{literal(item)}: 'VARCHAR'" for item in names if item in text and item and "\0" not in item)
    options = (
        f"delim={literal(delimiter)}, header=true, skip=0, quote='\"', escape='\"', comment='', strict_mode=true, "
        f"null_padding=false, ignore_errors=false, sample_size=-1, auto_detect=true{f', types={{{types}}}' if types else ''}"
        f"{', compression=' + literal('gzip') if _is_gzip(path) else ''}"
    )
    reader = f"read_csv({literal(opening.engine_path)}, {options}"
    _load(opening, (f"{reader})", f"{reader}{_LONG_LINES})"), kind="csv", delimiter=delimiter)
    return _finish(opening, kind="csv", inner=opening.table, names=names, delimiter=delimiter)


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _is_text(logical: str | None, physical: str | None) -> bool:
    return logical == "string" or (logical is None and physical == "VARCHAR")


def _open_json(opening: _Opening, *, kind: Format) -> Source:
    path = opening.path
    if _has_no_rows(path, kind=kind):
        raise DataError(f"{opening.shown}: has no rows, and JSON without rows has no columns either.")
    layout = "newline_delimited" if kind == "jsonl" else "array"
    options = f"format='{layout}', records='true', sample_size=-1, maximum_depth=-1, map_inference_threshold=-1"
    options += ", compression='gzip'" if _is_gzip(path) else ""
    reader = f"read_json({literal(opening.engine_path)}, {options}"
    _load(opening, (f"{reader})", f"{reader}, maximum_object_size=268435456)"), kind=kind)
    return _finish(opening, kind=kind, inner=opening.table)


def _has_no_rows(path: Path, *, kind: Format) -> bool:
    with open_bytes(path) as file:
        if kind == "json":
            head = file.read(100_000).strip()
            return head.replace(b" ", b"").replace(b"\n", b"") == b"[]"
        return not any(line.strip() for line in file)


def _load(opening: _Opening, readers: tuple[str, str], *, kind: Format, delimiter: str = ",") -> None:
    """Read a text file into a table; the second reader takes very long lines."""
    failure = _failure(opening, readers[0])
    if failure is not None:
        failure = _failure(opening, readers[1])
    if failure is not None:
        reason = diagnose(opening.path, kind=kind, delimiter=delimiter) or engine_message(failure)
        raise DataError(f"{opening.shown}: {reason}") from failure


def _failure(opening: _Opening, reader: str) -> duckdb.Error | None:
    try:
        opening.connection.execute(f"CREATE TABLE {opening.table} AS SELECT * FROM {reader}")
    except duckdb.OutOfMemoryException as error:
        raise DataError(f"{opening.shown}: {engine_message(error)}") from error
    except duckdb.Error as error:
        return error
    return None

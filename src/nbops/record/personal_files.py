"""Reading the values of personal columns out of datasets, with bounded memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb

from nbops.errors import DataError, did_you_mean

__all__ = ["read_columns"]

_READERS = {
    "parquet": "read_parquet(?)",
    "csv": "read_csv(?, all_varchar = true, header = true, max_line_size = 33554432, buffer_size = 67108864)",
    "jsonl": "read_json(?, format = 'newline_delimited', maximum_object_size = 33554432)",
}
_ROWS = 20_000  # at a time
_LONGEST = 65_536  # characters of a value
_NESTED = ("[]", "STRUCT", "MAP", "JSON", "UNION", "LIST")
_SILENT = ("BOOLEAN", "BLOB", "BIT")  # types whose values say nothing when printed


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def read_columns(files: Iterable[tuple[Path, str, Sequence[str]]], *, threads: int = 2) -> Iterator[tuple[str, Iterator[Any]]]:
    """Yield the name and the distinct values of each personal column of some datasets.

    Args:
        files: Path, format and personal columns of each dataset.
        threads: Of DuckDB; one means none beside the caller's.

    Raises:
        DataError: A format is unknown, or a file cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="nbops-") as folder, duckdb.connect() as connection:
        connection.execute("SET memory_limit = '1GB'")
        connection.execute(f"SET threads = {threads:d}")
        connection.execute("SET preserve_insertion_order = false")
        connection.execute(f"SET temp_directory = '{folder.replace(chr(39), chr(39) * 2)}'")
        for path, kind, columns in files:
            yield from _read_file(connection, path, kind, columns)


def _read_file(
    connection: duckdb.DuckDBPyConnection, path: Path, kind: str, columns: Sequence[str]
) -> Iterator[tuple[str, Iterator[Any]]]:
    if kind not in _READERS:
        raise DataError(f"{path}: personal values cannot be read from format {kind!r}. {did_you_mean(kind, _READERS)}")
    source = _READERS[kind]
    try:
        described = connection.execute(f"DESCRIBE SELECT * FROM {source}", [str(path)]).fetchall()  # noqa: S608
    except duckdb.Error as error:
        raise _unreadable(path, error) from error
    wanted = {name.casefold() for name in columns}
    types = {name: kind_of for name, kind_of, *_ in described if name.casefold() in wanted}
    for name in columns:  # those that the file has not are named all the same: a page may head a column so
        yield name, iter(())
    for name, kind_of in types.items():
        if kind_of not in _SILENT:
            yield name, _values(connection, path, source, name, kind_of)


def _values(connection: duckdb.DuckDBPyConnection, path: Path, source: str, name: str, kind: str) -> Iterator[Any]:
    nested = any(sign in kind for sign in _NESTED)
    value = _quoted(name) if nested else f"left(CAST({_quoted(name)} AS VARCHAR), {_LONGEST})"
    if nested:  # as JSON, so that the values inside can be told apart
        value = f"CAST(to_json({value}) AS VARCHAR)"
    try:
        result = connection.execute(
            f"SELECT DISTINCT {value} FROM {source} WHERE {_quoted(name)} IS NOT NULL",  # noqa: S608  (the name is quoted)
            [str(path)],
        )
        while rows := result.fetchmany(_ROWS):
            for (text,) in rows:
                yield _parsed(text) if nested else text
    except duckdb.Error as error:
        raise _unreadable(path, error) from error


def _parsed(text: str) -> Any:
    import json  # noqa: PLC0415  (nested columns are rare)

    return json.loads(text)


def _unreadable(path: Path, error: Exception) -> DataError:
    reason = str(error).splitlines()[0][:200]
    return DataError(
        f"{path}: its personal values cannot be read, so nothing that was made from it can be committed ({reason}). "
        "Build the task again that writes it."
    )

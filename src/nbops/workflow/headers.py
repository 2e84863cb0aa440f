"""The columns of CSV files that tasks read: their first line, and nothing else. Neither pandas nor DuckDB is loaded for it."""

from __future__ import annotations

import csv
import gzip
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["columns_of"]

_ENDINGS = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_LONGEST = 1 << 16
"""Bytes of a first line."""
_DELIMITERS = ",;\t|"


def columns_of(path: Path) -> tuple[str, ...]:
    """Return the names in the first line of a CSV file; nothing where it does not look like names, or cannot be read.

    Args:
        path: The file; only its ending says that it is CSV.
    """
    if not path.name.lower().endswith(_ENDINGS):
        return ()
    try:
        with gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb") as stream:
            data = stream.read(_LONGEST)
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = data[: error.start].decode("utf-8-sig")
    except (OSError, EOFError, ValueError):
        return ()
    if "\n" not in text:
        return ()
    line = text.partition("\n")[0]
    delimiter = "\t" if ".tsv" in path.name.lower() else max(_DELIMITERS, key=line.count)
    try:
        names = tuple(name.strip() for name in next(csv.reader(io.StringIO(text), delimiter=delimiter), ()))
    except csv.Error:
        return ()
    return names if names and len(set(names)) == len(names) and all(map(_is_name, names)) else ()


def _is_name(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return bool(text)
    return False

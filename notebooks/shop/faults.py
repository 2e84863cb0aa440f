"""Find the first fault of a CSV file, with its line: slow and thorough, used only after the fast reader gave up."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import IO, Any, cast

__all__ = ["COLUMNS", "LARGEST_CELL", "SourceError", "check_header", "check_whole", "first_fault"]

COLUMNS = {
    "InvoiceNo": "VARCHAR",
    "StockCode": "VARCHAR",
    "Description": "VARCHAR",
    "Quantity": "BIGINT",
    "InvoiceDate": "TIMESTAMP",
    "UnitPrice": "DOUBLE",
    "CustomerID": "VARCHAR",
    "Country": "VARCHAR",
}
"""What the shop's system exports, in this order: column to DuckDB type."""
LARGEST_CELL = 1_000_000
"""Characters. The longest description of the real shop has 35."""

_WANTED = ",".join(COLUMNS)
_BOMS = {b"\xef\xbb\xbf": "UTF-8", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


class SourceError(ValueError):
    """The source cannot be read as order lines: says where, what, what is expected, and what to do."""


def _short(text: str, limit: int = 60) -> str:
    shown = text[:limit].encode("unicode_escape").decode("ascii")
    return f"'{shown}...' ({len(text):,} characters)" if len(text) > limit else f"'{shown}'"


def _open(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def check_header(path: Path) -> None:
    """Check a CSV file's first line. Reads a few hundred bytes.

    Raises:
        SourceError: The file is empty, no gzip, starts with a byte order mark, or has other columns than expected.
    """
    try:
        with _open(path) as file:
            raw = file.readline(100_000)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(
            f"{path}: cannot be read ({error}). Expected CSV, gzipped when its name ends in .gz. Export or copy it again."
        ) from error
    if not raw.strip():
        raise SourceError(
            f"{path}: line 1: the file is empty. Expected the header {_WANTED}. Export it again, or take it out of the folder."
        )
    for mark, name in _BOMS.items():
        if raw.startswith(mark):
            raise SourceError(
                f"{path}: line 1: starts with a {name} byte order mark. Expected plain UTF-8. "
                "Save it again as 'UTF-8' without BOM."
            )
    try:
        names = raw.decode("utf-8").rstrip("\r\n").split(",")
    except UnicodeDecodeError as error:
        raise SourceError(_not_utf8(path, 1, raw, error)) from error
    names = [name.strip('"') for name in names]
    if names == list(COLUMNS):
        return
    other = next((mark for mark in (";", "\t", "|") if mark in names[0]), None)
    if len(names) == 1 and other:
        raise SourceError(
            f"{path}: line 1: columns are separated by {other!r}. Expected commas: {_WANTED}. "
            "Export it with a comma as delimiter."
        )
    missing, extra = [n for n in COLUMNS if n not in names], [n for n in names if n not in COLUMNS]
    found = f"{len(names):,} columns"
    if missing:
        found += f"; missing: {', '.join(missing)}"
    if extra:
        found += f"; unknown: {', '.join(_short(name, 30) for name in extra[:5])}"
        found += f" and {len(extra) - 5:,} more" if len(extra) > 5 else ""
    if not missing and not extra:
        found += "; in another order, or repeated"
    raise SourceError(
        f"{path}: line 1: {found}. Expected exactly {_WANTED}. "
        "Ask the shop's system for the old layout, or map the new one in shop/faults.py."
    )


def check_whole(path: Path) -> None:
    """Unpack a compressed file to its end: some versions of DuckDB take one that was cut off for a short one.

    Raises:
        SourceError: It is damaged.
    """
    if path.suffix != ".gz":
        return
    try:
        with _open(path) as file:
            while file.read(1 << 20):
                pass
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(first_fault(path) or f"{path}: cannot be read ({error}). Copy it again.") from error


def _not_utf8(path: Path, line: int, raw: bytes, error: UnicodeDecodeError) -> str:
    byte = raw[error.start : error.start + 1].hex()
    return (
        f"{path}: line {line:,}: byte 0x{byte} at column {error.start + 1:,} is not UTF-8 (as Latin-1 it reads "
        f"{raw[error.start : error.start + 1].decode('latin-1')!r}). Expected UTF-8. Convert it: iconv -f LATIN1 -t UTF-8."
    )


def _cell_fault(name: str, cell: str) -> str | None:
    """Say what is wrong with one cell, or None."""
    kind = COLUMNS[name]
    if len(cell) > LARGEST_CELL:
        return f"{name} is {_short(cell)}. Expected at most {LARGEST_CELL:,} characters a cell"
    if not cell or kind == "VARCHAR":
        return None
    readers: dict[str, Callable[[str], Any]] = {"BIGINT": int, "DOUBLE": float, "TIMESTAMP": datetime.fromisoformat}
    try:
        readers[kind](cell)
    except ValueError:
        wanted = {"BIGINT": "a whole number", "DOUBLE": "a number", "TIMESTAMP": "a time such as 2010-12-01 08:26:00"}[kind]
        return f"{name} is {_short(cell)}. Expected {wanted}"
    return None


def first_fault(path: Path) -> str | None:
    """Read a CSV file line by line and describe its first fault, or return None where this reader finds none."""
    line = 1
    try:
        with _open(path) as file:
            text = io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="")
            csv.field_size_limit(1 << 30)
            reader = csv.reader(text, strict=True)
            for cells in reader:
                start, line = line, reader.line_num + 1
                broken = next((cell for cell in cells if any("\udc80" <= char <= "\udcff" for char in cell)), None)
                if broken is not None:
                    raw = broken.encode("utf-8", "surrogateescape")
                    try:
                        raw.decode("utf-8")
                    except UnicodeDecodeError as error:
                        return _not_utf8(path, start, raw, error).replace("at column", "in a cell, at byte")
                if len(cells) != len(COLUMNS):
                    return (
                        f"{path}: line {start:,}: {len(cells):,} cells. Expected {len(COLUMNS)}: {_WANTED}. "
                        "Look for a lost or unquoted comma, or a file that was cut off, and export it again."
                    )
                if start == 1:
                    continue
                wrong = next(filter(None, map(_cell_fault, COLUMNS, cells)), None)
                if wrong:
                    return f"{path}: line {start:,}: {wrong}. Correct the line at its origin and export it again."
    except csv.Error as error:
        return f"{path}: line {line:,}: {error}. Expected comma-separated cells with double quotes. Export it again."
    except (OSError, EOFError, zlib.error) as error:
        return f"{path}: line {line:,}: the compressed file is damaged ({error}). Expected whole gzip data. Copy it again."
    return None

"""Why a file cannot be read, in words for its user.

DuckDB's own messages hold lines of the data and machine paths. So they are shown only where they cannot: everywhere else the file
is looked at again, which costs one pass over a file that is broken anyway.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import sys
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["csv_records", "diagnose", "engine_message", "open_bytes"]

_SAFE = ("BinderException", "CatalogException", "ParserException", "OutOfMemoryException", "SyntaxException")
"""Errors about the SQL text or about memory: no value of the data is in them."""


def engine_message(error: BaseException) -> str:
    """Return an engine's error without values of the data and without paths."""
    name = type(error).__name__
    if name in _SAFE:
        first = (str(error).strip().splitlines() or [name])[0]
        return first[:300]
    words = {
        "ConversionException": "a value could not be converted to the type that the rule needs",
        "OutOfRangeException": "a number is out of range",
        "IOException": "the file could not be read",
        "PermissionException": "the rule tried to reach something other than the data, which rules may not",
        "InvalidInputException": "the data could not be read or does not fit the rule",
        "InterruptException": "it was interrupted",
    }
    return f"{words.get(name, 'the engine gave up')} ({name})"


@contextlib.contextmanager
def _wide_fields() -> Iterator[None]:
    """Let the csv module read fields of any length; its limit is one for the whole process, so it is put back."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file that may be gzipped."""
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if zipped else path.open("rb")  # type: ignore[return-value]


@contextlib.contextmanager
def csv_records(path: Path, *, delimiter: str) -> Iterator[Iterator[tuple[list[str], str]]]:
    """Open a CSV and yield its records, each with its own text: what the file has, decoded.

    The csv module takes from the iterator just the lines that a record needs, so the lines taken since the last one are its text.
    """
    taken: list[str] = []

    def lines(text: Iterable[str]) -> Iterator[str]:
        for line in text:
            taken.append(line)
            # The csv module of Python 3.10 refuses NUL.
            yield line.replace("\0", "\x01")

    def records(text: Iterable[str]) -> Iterator[tuple[list[str], str]]:
        for record in csv.reader(lines(text), delimiter=delimiter, strict=False):
            whole = "".join(taken)
            taken.clear()
            yield record, whole
        if taken:
            yield [], "".join(taken)

    with _wide_fields(), io.TextIOWrapper(open_bytes(path), encoding="utf-8", errors="strict", newline="") as opened:
        yield records(opened)


def diagnose(path: Path, *, kind: str, delimiter: str = ",") -> str | None:
    """Return what is wrong with a text file, or ``None`` when this module finds nothing.

    Args:
        path: The file.
        kind: ``csv``, ``jsonl`` or ``json``.
        delimiter: Of the CSV.
    """
    try:
        encoding = _not_utf8(path)
        if encoding is not None:
            return encoding
        if kind == "csv":
            return _ragged(path, delimiter=delimiter)
        return _bad_json(path, whole=kind == "json")
    except (OSError, EOFError) as error:
        return f"cannot be read: {type(error).__name__}; is it complete?"


def _not_utf8(path: Path) -> str | None:
    with open_bytes(path) as file:
        found = ((number, line, _bad_byte(line)) for number, line in enumerate(file, 1))
        number, line, position = next((item for item in found if item[2] is not None), (0, b"", None))
    if position is None:
        return None
    if number == 1 and line[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "not UTF-8 but UTF-16. Save the file as UTF-8."
    return (
        f"line {number}: not UTF-8 (byte 0x{line[position]:02x} at position {position + 1}); "
        "Latin-1 or Windows-1252 perhaps. Save the file as UTF-8."
    )


def _bad_byte(line: bytes) -> int | None:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return None


def _ragged(path: Path, *, delimiter: str) -> str | None:
    line = 1
    width = 0
    endings: set[str] = set()
    text = ""
    with csv_records(path, delimiter=delimiter) as records:
        for record, text in records:
            endings.add("CRLF" if text.endswith("\r\n") else "LF" if text.endswith("\n") else "CR" if text.endswith("\r") else "")
            if record and width and len(record) != width:
                return f"line {line}: {len(record)} fields, but the header has {width}. Quote fields that hold {delimiter!r}."
            width = width or len(record)
            line += max(1, text.count("\n"))
        if not _closed(text, delimiter=delimiter):
            return f"line {line - max(1, text.count(chr(10)))}: a field begins with a quote that is never closed."
    named = sorted(endings - {""})
    return f"mixes line endings ({' and '.join(named)}). Write one kind." if len(named) > 1 else None


def _closed(record: str, *, delimiter: str) -> bool:
    try:
        list(csv.reader([record.replace("\0", "\x01")], delimiter=delimiter, strict=True))
    except csv.Error:
        return False
    return True


def _bad_json(path: Path, *, whole: bool) -> str | None:
    with open_bytes(path) as file:
        if whole:
            return _json_problem(file.read(), "", want=list)
        for number, line in enumerate(file, 1):
            if line.strip():
                problem = _json_problem(line, f"line {number}: ", want=dict)
                if problem is not None:
                    return problem
    return None


def _json_problem(data: bytes, where: str, *, want: type) -> str | None:
    repeated: list[str] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(found)
        if len(made) != len(found):
            repeated.append("a key is given twice in one object")
        return made

    if data.startswith(b"\xef\xbb\xbf"):
        return f"{where}begins with a byte order mark, which JSON does not allow."
    try:
        value = json.loads(data, object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        place = f"{where.rstrip(': ')}, column {error.colno}" if where else f"line {error.lineno}, column {error.colno}"
        return f"{place}: not JSON: {error.msg}. Is the file complete?"
    except RecursionError:
        return f"{where}nested too deeply."
    if not isinstance(value, want):
        return f"{where}must hold {'objects, one a line' if want is dict else 'a list of objects'}."
    return f"{where}{repeated[0]}." if repeated else None

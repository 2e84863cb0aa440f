"""How a text file is written, where its rows do not tell: what a reader in another language stumbles over when it changes."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Any

from nbops.quality.faults import open_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from nbops.quality.source import Source

__all__ = ["storage_of"]

_HEAD = 65_536  # bytes
_LONGEST = 300  # characters of a header that is kept


def storage_of(path: Path, source: Source) -> dict[str, Any]:
    """Return ``bom``, ``encoding``, ``delimiter``, ``line_end`` and ``compression`` of a text file; empty for Parquet.

    The ``header`` of a CSV is there when it is not its columns' names and nothing else: quoted, or with blanks around them.

    Args:
        path: The file.
        source: The same, opened.
    """
    if not source.inferred or not path.is_file():
        return {}
    try:
        with open_bytes(path) as file:
            head = file.read(_HEAD)
        with path.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
    except (OSError, EOFError):
        return {}
    bom = head.startswith(codecs.BOM_UTF8)
    line, sign, _ = head.removeprefix(codecs.BOM_UTF8).partition(b"\n")
    found: dict[str, Any] = {"bom": bom, "encoding": "utf-8", "line_end": "crlf" if sign and line.endswith(b"\r") else "lf"}
    if zipped:
        found["compression"] = "gzip"
    if source.format == "csv":
        found["delimiter"] = source.delimiter
        header = line.rstrip(b"\r").decode("utf-8", "replace")
        if header != source.delimiter.join(column.name for column in source.columns):
            found["header"] = header if len(header) <= _LONGEST else header[: _LONGEST - 1] + "…"
    return found

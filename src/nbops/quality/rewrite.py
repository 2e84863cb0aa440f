"""Rows taken out of a file that otherwise stays what it is: Parquet keeps schema, metadata and row groups, text its bytes."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any

from nbops.errors import DataError
from nbops.quality.faults import csv_records, open_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from nbops.quality.source import Format

__all__ = ["replaced", "without_rows", "write_rejected"]


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to, which takes its place when the block ends well and is deleted when not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield partial
        if path.exists():
            shutil.copymode(path, partial)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def without_rows(path: Path, target: Path, *, kind: Format, rows: Sequence[int], total: int, delimiter: str) -> None:
    """Write ``path`` to ``target`` without some rows.

    Args:
        path: The file.
        target: Where to write.
        kind: Its format.
        rows: Sorted row numbers, counted from 0.
        total: Rows of the file.
        delimiter: Of a CSV.

    Raises:
        DataError: The rows found are not those that were measured; then nothing may be published.
    """
    if kind == "parquet":
        kept = _parquet(path, target, rows=rows)
    elif kind == "json":
        kept = _json(path, target, rows=set(rows))
    else:
        kept = _text(path, target, rows=set(rows), kind=kind, delimiter=delimiter)
    if kept != total - len(rows):
        raise DataError(f"{total - len(rows):,} rows should have been kept, but {kept:,} were found; nothing was set aside.")


def _parquet(path: Path, target: Path, *, rows: Sequence[int]) -> int:
    import numpy as np  # noqa: PLC0415 - needed only where rows are set aside
    import pyarrow.parquet as pq  # noqa: PLC0415

    wanted = np.asarray(rows, dtype=np.int64)
    kept = start = 0
    with pq.ParquetFile(path) as file:
        codec = file.metadata.row_group(0).column(0).compression.lower() if file.metadata.num_row_groups else "snappy"
        with pq.ParquetWriter(target, file.schema_arrow, compression="none" if codec == "uncompressed" else codec) as writer:
            for index in range(file.metadata.num_row_groups):
                table = file.read_row_group(index)
                mask = np.ones(table.num_rows, dtype=bool)
                here = wanted[(wanted >= start) & (wanted < start + table.num_rows)]
                mask[here - start] = False
                start += table.num_rows
                good = table.filter(_mask(mask))
                kept += good.num_rows
                writer.write_table(good)
    return kept


@contextlib.contextmanager
def _writer(path: Path, target: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    with target.open("wb") as raw:
        if not zipped:
            yield raw
            return
        # No name and no time in the header: the same rows give the same bytes.
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
            yield packed  # type: ignore[misc]


@contextlib.contextmanager
def _csv(path: Path, *, delimiter: str) -> Iterator[Iterator[tuple[bool, str]]]:
    """Yield whether a record is a row, and its text. The header is none; an empty line is one only where there is one column."""

    def rows(records: Iterator[tuple[list[str], str]]) -> Iterator[tuple[bool, str]]:
        width = 0
        for record, text in records:
            is_row = width > 0 and (bool(record) or width == 1)
            width = width or len(record)
            yield is_row, text

    with csv_records(path, delimiter=delimiter) as records:
        yield rows(records)


@contextlib.contextmanager
def _lines(path: Path) -> Iterator[Iterator[tuple[bool, str]]]:
    """Yield whether a line is a row, and its text."""
    with io.TextIOWrapper(open_bytes(path), encoding="utf-8", newline="\n") as lines:
        yield ((bool(line.strip()), line) for line in lines)


def _text(path: Path, target: Path, *, rows: set[int], kind: Format, delimiter: str) -> int:
    number = kept = 0
    opened = _csv(path, delimiter=delimiter) if kind == "csv" else _lines(path)
    with opened as records, _writer(path, target) as out:
        for is_row, text in records:
            if is_row:
                number += 1
                if number - 1 in rows:
                    continue
                kept += 1
            out.write(text.encode("utf-8"))
    return kept


def _json(path: Path, target: Path, *, rows: set[int]) -> int:
    with open_bytes(path) as stream:
        items = json.loads(stream.read())
    good = [item for number, item in enumerate(items) if number not in rows]
    with _writer(path, target) as out:
        out.write(json.dumps(good, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    return len(good)


def write_rejected(path: Path, target: Path | None, *, table: Any | None, rows: Sequence[int], reasons: Sequence[str]) -> None:
    """Write rejected rows as Parquet: all columns, and ``_nbops_reasons`` with the ids of the checks that each row broke.

    Args:
        path: Where to write.
        target: The Parquet file that the rows stand in; ``None`` when ``table`` holds them.
        table: The rows as an Arrow table, in order.
        rows: Their numbers in ``target``, sorted.
        reasons: One text a row.
    """
    import pyarrow.parquet as pq  # noqa: PLC0415

    if table is None:
        table = _take(target, rows)
    name = "_nbops_reasons"
    while name in table.column_names:
        name += "_"
    pq.write_table(table.append_column(name, _texts(reasons)), path)


def _take(path: Path | None, rows: Sequence[int]) -> Any:
    import numpy as np  # noqa: PLC0415 - needed only where rows are set aside
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    wanted = np.asarray(rows, dtype=np.int64)
    start = 0
    parts = []
    with pq.ParquetFile(path) as file:
        for index in range(file.metadata.num_row_groups):
            table = file.read_row_group(index)
            here = wanted[(wanted >= start) & (wanted < start + table.num_rows)]
            parts.append(table.take(_integers(here - start)))
            start += table.num_rows
        return pa.concat_tables(parts) if parts else file.schema_arrow.empty_table()


# `pyarrow.array` imports pandas to see whether it was given something of it; these do not.


def _mask(flags: Any) -> Any:
    import numpy as np  # noqa: PLC0415 - needed only where rows are set aside
    import pyarrow as pa  # noqa: PLC0415

    bits = np.packbits(flags, bitorder="little")
    return pa.Array.from_buffers(pa.bool_(), len(flags), [None, pa.py_buffer(bits)])


def _integers(numbers: Any) -> Any:
    import numpy as np  # noqa: PLC0415 - needed only where rows are set aside
    import pyarrow as pa  # noqa: PLC0415

    return pa.Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(np.ascontiguousarray(numbers, dtype=np.int64))])


def _texts(texts: Sequence[str]) -> Any:
    import numpy as np  # noqa: PLC0415 - needed only where rows are set aside
    import pyarrow as pa  # noqa: PLC0415

    encoded = [text.encode("utf-8", "replace") for text in texts]
    offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum([len(item) for item in encoded], out=offsets[1:])
    return pa.LargeStringArray.from_buffers(len(encoded), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded)))

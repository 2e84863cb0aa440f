"""The rows that a profile is made from: few, typed, of bounded size, and the same ones every time.

DuckDB's own sampling depends on threads, and its hash on its version. So the rows are chosen here: the file is cut into as many
equal stretches as rows are wanted, and one row is drawn from each with Python's ``random.Random.random``, the one sequence that
the standard library promises to keep (https://docs.python.org/3/library/random.html#notes-on-reproducibility).
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb

from nbops.quality._profile_settings import MAX_COLUMNS, SEED

__all__ = ["MAX_CELLS", "Field", "Sample", "draw", "is_private", "kind_of", "read_sample", "schema_of"]

MAX_CELLS = 600_000
"""Rows times columns of the sample: a wide table gets fewer rows."""
_MIN_ROWS = 1_000
_MAX_CHARACTERS = 100_000_000
"""Characters of the sample: with many long texts, each is cut earlier."""
_CUT = (128, 1_000)
_MANY = 50
"""Texts with more distinct values than this, or than half of the rows, are free text, else categories: the profiler's rule."""
_EXACT = 2**53
"""Above this a float no longer holds every integer; such numbers are identifiers and are profiled as text."""
_INTEGERS = frozenset(f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")) | {
    "INTEGER",
    "UINTEGER",
}
_READERS = {
    "parquet": ("read_parquet({path})",),
    "csv": (
        "read_csv({path}, sample_size=-1)",
        "read_csv({path}, all_varchar=true, ignore_errors=true, null_padding=true, strict_mode=false)",
    ),
    "jsonl": (
        "read_json({path}, format='newline_delimited', sample_size=-1)",
        "read_json({path}, format='newline_delimited', ignore_errors=true)",
    ),
}
"""How a file is read: as it should be; and, where that fails, leniently, since a profile of a bad file is wanted most."""

Kind = Literal["integer", "number", "date", "boolean", "text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A profiled column."""

    key: str
    """The neutral name it has in the frame (``c0``, ``c1``...): no name of the data reaches the profiler."""
    name: str
    type: str
    """DuckDB's type."""
    kind: Kind
    distinct: int
    """Distinct values in the sample."""
    infinite: int = 0
    """Infinite values in the sample; they are nulls in the frame, since one of them would spoil every mean."""
    cut: int = 0
    """Texts in the sample that were longer than ``cut_at``."""
    cut_at: int = 0
    """Characters kept of each text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Rows to profile and what is known of where they come from."""

    frame: Any
    """A pandas data frame; its columns are the keys of ``fields``."""
    fields: tuple[Field, ...]
    columns: tuple[tuple[str, str], ...]
    """Name and type of every column of the data."""
    rows: int
    """Rows of the data."""
    lenient: bool
    """True when the file could be read only with faulty rows left out."""


def is_private(name: str, personal: Iterable[str]) -> bool:
    """Whether a column, or a part of it, is personal. Case does not count: leaving out too much is the safe side.

    >>> is_private("Address", {"address.street"}), is_private("city", {"address.street"})
    (True, False)
    """
    low = name.casefold()
    return any(low == other or other.startswith(f"{low}.") for other in map(str.casefold, personal))


def draw(rows: int, wanted: int, *, seed: int = SEED) -> list[int]:
    """Choose row numbers: one from each of ``wanted`` equal stretches of the data, rising, without repeats.

    >>> draw(10, 3), draw(2, 5)
    ([1, 3, 7], [0, 1])
    """
    if wanted >= rows:
        return list(range(rows))
    source = random.Random(seed)  # noqa: S311  # a sample, no secret
    edges = [index * rows // wanted for index in range(wanted + 1)]
    return [low + int(source.random() * (high - low)) for low, high in itertools.pairwise(edges)]


def read_sample(path: Path, *, data_format: str, personal: Iterable[str], sample_rows: int) -> Sample:
    """Read the sample of a dataset; personal columns are never read.

    Args:
        path: The file, or a folder of Parquet files.
        data_format: ``parquet``, ``csv`` or ``jsonl``.
        personal: Names of columns whose values must not be shown.
        sample_rows: Most rows to take.

    Raises:
        ValueError: The format is not one that is read here.
        duckdb.Error: The file cannot be read, leniently neither.
    """
    if data_format not in _READERS:
        raise ValueError(data_format)
    connection = _connect()
    try:
        return _read(connection, path, data_format, frozenset(personal), sample_rows)
    finally:
        connection.close()


def _connect() -> Any:
    connection = duckdb.connect(":memory:")
    # one thread: rows keep their order, and another core stays free; extensions would be fetched from the network
    for setting in ("threads=1", "memory_limit='1GB'", "preserve_insertion_order=true", "autoinstall_known_extensions=false"):
        connection.execute(f"SET {setting}")
    return connection


def _read(connection: Any, path: Path, data_format: str, personal: frozenset[str], sample_rows: int) -> Sample:
    literal = _literal(_pattern(path, data_format))
    strict, *others = (reader.format(path=literal) for reader in _READERS[data_format])
    try:
        return _read_from(connection, strict, personal, sample_rows, lenient=False)
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error:
        if not others:
            raise
    return _read_from(connection, others[0], personal, sample_rows, lenient=True)


def _read_from(connection: Any, source: str, personal: frozenset[str], sample_rows: int, *, lenient: bool) -> Sample:
    # `source` is made above, of a fixed text and a quoted path
    described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()  # noqa: S608
    columns = tuple((str(row[0]), str(row[1])) for row in described)
    rows = int(connection.execute(f"SELECT count(*) FROM {source}").fetchone()[0])  # noqa: S608
    chosen = [column for column in columns if not is_private(column[0], personal)][:MAX_COLUMNS]
    if not chosen or not rows:
        return Sample(frame=None, fields=(), columns=columns, rows=rows, lenient=lenient)
    wanted = min(rows, sample_rows, max(_MIN_ROWS, MAX_CELLS // len(chosen)))
    cut_at = max(_CUT[0], min(_CUT[1], _MAX_CHARACTERS // (wanted * len(chosen))))
    _stage(connection, source, chosen, draw(rows, wanted) if wanted < rows else None, cut_at)
    fields = _fields(connection, chosen, cut_at)
    return Sample(frame=_frame(connection, fields), fields=fields, columns=columns, rows=rows, lenient=lenient)


def _stage(connection: Any, source: str, chosen: Sequence[tuple[str, str]], numbers: Sequence[int] | None, cut_at: int) -> None:
    """Copy the chosen rows into a table of their own, with long texts cut (one character too long tells that it was)."""
    # columns are renamed before anything else, so that no name of the data meets one of ours
    inner = ", ".join(f"{_quote(name)} AS r{at}" for at, (name, _) in enumerate(chosen))
    outer = ", ".join(f"{_expression(f'r{at}', type_, cut_at)} AS c{at}" for at, (_, type_) in enumerate(chosen))
    connection.execute("DROP TABLE IF EXISTS picked")
    if numbers is None:
        connection.execute(f"CREATE TEMP TABLE picked AS SELECT {outer} FROM (SELECT {inner} FROM {source})")  # noqa: S608
        return
    connection.execute("CREATE OR REPLACE TEMP TABLE numbers AS SELECT unnest($1::BIGINT[]) AS n", [list(numbers)])
    connection.execute(
        f"CREATE TEMP TABLE picked AS SELECT {outer} FROM (SELECT {inner}, row_number() OVER () - 1 AS n FROM {source}) "  # noqa: S608
        "WHERE n IN (SELECT n FROM numbers) ORDER BY n"
    )


def kind_of(type_: str) -> Kind:
    """Return how a column of DuckDB's type is profiled.

    >>> [kind_of(name) for name in ("BIGINT", "DECIMAL(10,2)", "TIMESTAMP_NS", "STRUCT(a DATE)", "TIME", "FLOAT[]")]
    ['integer', 'number', 'date', 'text', 'text', 'text']
    """
    if type_ in _INTEGERS:
        return "integer"
    if type_ in {"FLOAT", "DOUBLE"} or (type_.startswith("DECIMAL(") and type_.endswith(")")):
        return "number"
    if type_ == "DATE" or (type_.startswith("TIMESTAMP") and not type_.endswith("]")):
        return "date"
    return "boolean" if type_ == "BOOLEAN" else "text"


def _expression(column: str, type_: str, cut_at: int) -> str:
    kind = kind_of(type_)
    if kind == "number":
        return f"CAST({column} AS DOUBLE)"
    if kind == "date":
        # 9999-12-31 is common and the calendar of Python ends there; infinity has no date
        instant = f"make_timestamp(epoch_us({column}))" if "ZONE" in type_ else f"CAST({column} AS TIMESTAMP)"
        return f"CASE WHEN isfinite({column}) AND year({column}) BETWEEN 1 AND 9999 THEN {instant} END"
    if kind == "text":
        text = (
            f"(octet_length({column}) || ' bytes, md5 ' || left(md5({column}), 8))"
            if type_ == "BLOB"
            else f"CAST({column} AS VARCHAR)"
        )
        return f"left({text}, {cut_at + 1})"
    return column


def _fields(connection: Any, chosen: Sequence[tuple[str, str]], cut_at: int) -> tuple[Field, ...]:
    asked: list[str] = []
    for at, (_, type_) in enumerate(chosen):
        kind, key = kind_of(type_), f"c{at}"
        infinite = f"count(*) FILTER (isinf({key}))" if kind == "number" else "0"
        cut = f"count(*) FILTER (length({key}) > {cut_at})" if kind == "text" else "0"
        large = f"coalesce(max(greatest({key}, -({key}::DOUBLE))) > {_EXACT}, false)" if kind == "integer" else "false"
        asked += [f"count(DISTINCT {key})", infinite, cut, large]
    numbers = connection.execute(f"SELECT {', '.join(asked)} FROM picked").fetchone()  # noqa: S608
    fields: list[Field] = []
    for at, (name, type_) in enumerate(chosen):
        distinct, infinite, cut, large = numbers[at * 4 : at * 4 + 4]
        kind = "text" if large else kind_of(type_)
        fields.append(Field(key=f"c{at}", name=name, type=type_, kind=kind, distinct=int(distinct), infinite=int(infinite),
                            cut=int(cut), cut_at=cut_at))  # fmt: skip
    return tuple(fields)


def _frame(connection: Any, fields: Sequence[Field]) -> Any:
    shown = {
        "integer": "CAST({0} AS DOUBLE) AS {0}",
        "number": "CASE WHEN NOT isinf({0}) THEN {0} END AS {0}",
        "text": "left(CAST({0} AS VARCHAR), {1}) AS {0}",
    }
    parts = [shown.get(field.kind, "{0}").format(field.key, field.cut_at) for field in fields]
    frame = connection.execute(f"SELECT {', '.join(parts)} FROM picked").df()  # noqa: S608
    for field in fields:
        if field.kind in {"integer", "number"}:
            frame[field.key] = frame[field.key].astype("float64")
        elif field.kind != "date":
            frame[field.key] = frame[field.key].astype(object)
    return frame


def schema_of(fields: Sequence[Field], rows: int) -> Mapping[str, str]:
    """Return the profiler's type of each column, from the type in the data: it would read ``007`` as a number.

    Dates and booleans it sees by itself; a column without any value it must call unsupported.
    """
    names = {"integer": "numeric", "number": "numeric"}
    return {
        field.key: names.get(field.kind, "categorical" if field.distinct <= min(_MANY, rows / 2) else "text")
        for field in fields
        if field.kind in {"integer", "number", "text"} and field.distinct
    }


def _pattern(path: Path, data_format: str) -> str:
    """Return the path for DuckDB, whose globs would read ``[`` and ``*`` in a name as patterns."""
    plain = "".join(f"[{letter}]" if letter in "[*?" else letter for letter in str(path))
    return f"{plain}/**/*.{data_format}" if path.is_dir() else plain


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'

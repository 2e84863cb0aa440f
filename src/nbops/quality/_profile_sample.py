"""The rows that a profile is made from: few, typed, of bounded size, and the same ones every time.

DuckDB's own sampling depends on threads, and its hash on its version. So the rows are chosen here: the file is cut into as many
equal stretches as rows are wanted, and one row is drawn from each with Python's ``random.Random.random``, the one sequence that
the standard library promises to keep (https://docs.python.org/3/library/random.html#notes-on-reproducibility).
"""

from __future__ import annotations

import contextlib
import itertools
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops.contract.records import Contract, ContractColumn
from nbops.quality._profile_settings import MAX_COLUMNS, MAX_LISTED, SEED
from nbops.quality._profile_types import Kind, kind_of
from nbops.quality._profile_whole import whole_numbers
from nbops.quality.engine import connect
from nbops.quality.source import format_of, open_source

if TYPE_CHECKING:
    from nbops.quality.source import Source, SourceColumn

__all__ = ["MAX_CELLS", "Field", "Reader", "Sample", "correlatable", "draw", "is_private", "kind_of", "read_sample", "schema_of"]

MAX_CELLS = 600_000
"""Rows times columns of the sample: a wide table gets fewer rows."""
_MIN_ROWS = 1_000
_MAX_CHARACTERS = 100_000_000
"""Characters of the sample: with many long texts, each is cut earlier."""
_MEMORY = "1GB"
_RELATIONS = ("VIEW IF EXISTS data", "VIEW IF EXISTS named", "VIEW IF EXISTS scan", "TABLE IF EXISTS __nbops_table",
              "TABLE IF EXISTS numbers", "TABLE IF EXISTS picked")  # fmt: skip
"""What a sample leaves in DuckDB."""
_TOGETHER = 6
"""Columns read at a time: the dictionaries of long texts must fit into memory together."""
_MAX_PAIRS = 200
_CUT = (128, 1_000)
_MANY = 50
"""Texts with more distinct values than this, or than half of the rows, are free text, else categories: the profiler's rule."""
_EXACT = 2**53
"""Above this a float no longer holds every integer; such numbers are identifiers and are profiled as text."""
_BLOB = "(octet_length({0}) || ' bytes, md5 ' || left(md5({0}), 8))"
"""What is profiled of bytes."""


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
    measured: tuple[Mapping[str, Any], ...] = ()
    """Numbers of the whole dataset, when they were asked for; as a request has them."""


def is_private(name: str, personal: Iterable[str]) -> bool:
    """Whether a column, or a part of it, is personal. Case does not count: leaving out too much is the safe side.

    >>> is_private("Address", {"address.street"}), is_private("city", {"address.street"})
    (True, False)
    """
    low = name.strip().casefold()
    return any(low == other or other.startswith(f"{low}.") for other in (item.strip().casefold() for item in personal))


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


def read_sample(path: Path, *, personal: Iterable[str], **options: Any) -> Sample:
    """Read the sample of one dataset; see ``Reader.read``."""
    with Reader() as reader:
        return reader.read(path, personal=personal, **options)


class Reader:
    """Reads samples, one after another, with one DuckDB: opening one costs as much as a small sample. A context manager."""

    def __init__(self) -> None:
        self._opened = contextlib.ExitStack()
        self._engine: tuple[Any, Path] | None = None

    def __enter__(self) -> Reader:  # noqa: PYI034  # Self is in typing from 3.11 on
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of DuckDB and its directory; the next sample opens another one."""
        self._engine = None
        self._opened.close()

    def read(
        self,
        path: Path,
        *,
        data_format: str,
        personal: Iterable[str],
        sample_rows: int,
        text: Iterable[str] = (),
        shown: str = "data",
        whole: bool = False,
    ) -> Sample:
        """Read the sample of a dataset, as its measurements were taken; personal columns are not looked at.

        Args:
            path: The file, or a folder of Parquet files.
            data_format: ``parquet``, ``csv``, ``jsonl`` or ``json``.
            personal: Names of columns whose values must not be shown.
            sample_rows: Most rows to take.
            text: Names of columns that are text even if their values look like numbers.
            shown: What the data is called in messages.
            whole: Measure the whole dataset, too.

        Raises:
            DataError: The data cannot be read.
        """
        name = path.name if format_of(path.name) == data_format else f"data.{data_format}"
        try:
            if self._engine is None:
                # one thread: rows keep their order, and another core stays free
                self._engine = self._opened.enter_context(connect(memory_limit=_MEMORY, threads=1))
            connection, scratch = self._engine
            source = open_source(connection, path, name=name, scratch=scratch, contract=_as_text(text), shown=shown)
            sample = _sample(source, personal=personal, sample_rows=sample_rows)
            if whole:
                listed = [column for column in source.columns[:MAX_LISTED] if not is_private(column.name, personal)]
                sample = replace(sample, measured=whole_numbers(source, listed))
            for relation in _RELATIONS:
                connection.execute(f"DROP {relation}")
        except BaseException:
            self.close()
            raise
        return sample


def _sample(source: Source, *, personal: Iterable[str], sample_rows: int) -> Sample:
    connection = source.connection
    columns = tuple((column.name, column.type) for column in source.columns)
    chosen = [column for column in source.columns if not is_private(column.name, personal)][:MAX_COLUMNS]
    if not chosen or not source.rows:
        return Sample(frame=None, fields=(), columns=columns, rows=source.rows)
    wanted = min(source.rows, sample_rows, max(_MIN_ROWS, MAX_CELLS // len(chosen)))
    cut_at = max(_CUT[0], min(_CUT[1], _MAX_CHARACTERS // (wanted * len(chosen))))
    if wanted < source.rows:
        connection.execute("CREATE TEMP TABLE numbers AS SELECT unnest($1::BIGINT[]) AS n", [draw(source.rows, wanted)])
    fields: list[Field] = []
    frames = []
    for start in range(0, len(chosen), _TOGETHER):
        keyed = [(f"c{at}", column) for at, column in enumerate(chosen[start : start + _TOGETHER], start)]
        _pick(connection, keyed, some=wanted < source.rows, cut_at=cut_at)
        found = _fields(connection, keyed, cut_at)
        frames.append(_frame(connection, found))
        fields += found
    frame = frames[0].join(frames[1:])
    return Sample(frame=frame, fields=tuple(fields), columns=columns, rows=source.rows)


def _as_text(names: Iterable[str]) -> Contract | None:
    """Return the contract that the reader asks which columns are text."""
    columns = tuple(ContractColumn(name=name, logical_type="string") for name in sorted(names))
    if not columns:
        return None
    return Contract(path="", id="", dataset="", object_name="", version="", api_version="", hash="", columns=columns)


def _pick(connection: Any, keyed: Sequence[tuple[str, SourceColumn]], *, some: bool, cut_at: int) -> None:
    """Copy the chosen rows into a table of their own, with long texts cut (one character too long tells that it was)."""
    parts = ", ".join(f"{_expression(column.key, column.type, cut_at)} AS {key}" for key, column in keyed)
    where = " WHERE __nbops_row IN (SELECT n FROM numbers)" if some else ""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE picked AS SELECT {parts} FROM scan{where} ORDER BY __nbops_row")  # noqa: S608


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


def _fields(connection: Any, keyed: Sequence[tuple[str, SourceColumn]], cut_at: int) -> list[Field]:
    asked: list[str] = []
    for key, column in keyed:
        kind = kind_of(column.type)
        infinite = f"count(*) FILTER (isinf({key}))" if kind == "number" else "0"
        cut = f"count(*) FILTER (length({key}) > {cut_at})" if kind == "text" else "0"
        large = f"coalesce(max(greatest({key}, -({key}::DOUBLE))) > {_EXACT}, false)" if kind == "integer" else "false"
        asked += [f"count(DISTINCT {key})", infinite, cut, large]
    numbers = connection.execute(f"SELECT {', '.join(asked)} FROM picked").fetchone()  # noqa: S608
    fields: list[Field] = []
    for at, (key, column) in enumerate(keyed):
        distinct, infinite, cut, large = numbers[at * 4 : at * 4 + 4]
        final: Kind = "text" if large else kind_of(column.type)
        counts = {"distinct": int(distinct), "infinite": int(infinite), "cut": int(cut)}
        fields.append(Field(key=key, name=column.name, type=column.type, kind=final, cut_at=cut_at, **counts))
    return fields


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


def correlatable(fields: Sequence[Field], rows: int) -> tuple[list[str], list[str]]:
    """Return the keys of the columns whose correlations are worked out, and of all that could have some.

    A pair with a category costs the profiler a cross table (10 to 30 ms), a pair of numbers a tenth of that, so columns are taken
    in their order as long as the cost stays bounded.
    """
    schema = schema_of(fields, rows)
    able = [
        field for field in fields if field.distinct > 1 and (field.kind == "boolean" or schema.get(field.key, "text") != "text")
    ]
    taken: list[Field] = []
    cost = 0.0
    for field in able:
        numbers = field.kind in {"integer", "number"}
        more = sum(0.1 if numbers and other.kind in {"integer", "number"} else 1.0 for other in taken)
        if cost + more <= _MAX_PAIRS:
            taken.append(field)
            cost += more
    return [field.key for field in taken], [field.key for field in able]


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

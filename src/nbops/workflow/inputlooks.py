"""An input file as it was committed and as it is now: does it show what moved downstream?"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from nbops.errors import DataError
from nbops.history.causes import InputLook
from nbops.history.causes.focus import moved_by, turned
from nbops.history.counting import counted
from nbops.model import Column, Dataset, Measurement
from nbops.quality.engine import connect
from nbops.quality.source import format_of, open_source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbops.history.causes.focus import Kind

__all__ = ["look_at", "measured_file"]

_NUMBERS = ("INT", "DOUBLE", "FLOAT", "DECIMAL")


_OF_VALUES = 0.6
"""Strength from which on values of a column flow on; below it only decides something about them."""


def look_at(
    old: bytes,
    now: Path,
    *,
    columns: Mapping[str | None, float],
    kind: Kind,
    size: float | None,
    same: float,
    little: float,
    way: int = 0,
) -> InputLook | None:
    """Compare two versions of an input in the columns that matter.

    Args:
        old: The file's bytes as they were.
        now: The file as it is.
        columns: Those that reach the finding, by strength; None stands for the rows.
        kind: What the finding is about.
        size: How far what is wrong moved; None when it is not known.
        same: An input that moved by this part of ``size`` shows the movement.
        little: One that moved by less than this part does not.
        way: 1 where rows or missing values became more, -1 where they became fewer, 0 where that is not asked about.

    Returns:
        What was seen; None when one of them holds no rows that can be read.
    """
    if format_of(now.name) is None:
        return None
    with tempfile.TemporaryDirectory(prefix="nbops-") as folder:
        path = Path(folder) / now.name
        path.write_bytes(old)
        try:
            was, is_ = measured_file(path), measured_file(now)
        except DataError:
            return InputLook(same=True, text=f"{now.name} cannot be read as rows any more")
        more = bool(was.rows and is_.rows and was.rows < is_.rows and was.columns == is_.columns and _holds(path, now))
    names = {column.name for item in (was, is_) for column in item.columns}
    known = {name: strength for name, strength in columns.items() if name in names and strength >= 0.4}  # noqa: PLR2004
    moved = {name: moved_by(was, is_, name, kind) or 0.0 for name in known if name is not None}
    rows = moved_by(was, is_, None, "rows") or 0.0
    gone = {c.name for c in was.columns} ^ {c.name for c in is_.columns}
    sizes = [*moved.values(), *([rows] if kind in {"rows", "task"} else []), *([1.0] if gone & set(known) else [])]
    text = _text(now.name, was, is_, moved, gone)
    most = max(sizes, default=None)
    if most is None or size is None or size <= 0:
        return InputLook(text=text, columns=tuple(sorted(moved)), more=more)
    ways = {turned(was, is_, name, kind) for name in ((None,) if kind == "rows" else tuple(moved))} - {0}
    if way and ways and way not in ways:
        return InputLook(same=False, text=f"{text}; that is the other way", more=more)
    sure = kind in {"rows", "task"} or any(name is not None and strength >= _OF_VALUES for name, strength in known.items())
    told = True if most >= same * size else False if sure and most < little * size and rows < little else None
    return InputLook(same=told, columns=tuple(sorted(name for name, one in moved.items() if one > 0)), text=text, more=more)


def _text(name: str, was: Dataset, now: Dataset, moved: Mapping[str, float], gone: set[str]) -> str:
    before, after = (counted(one.rows or 0, "row") for one in (was, now))
    parts = [f"{before} → {after}" if before != after else f"{after} as before"]
    if gone:
        parts.append(f"columns differ: {', '.join(sorted(gone)[:4])}")
    strong = [column for column, size in sorted(moved.items(), key=lambda item: -item[1]) if size > 0.01][:3]  # noqa: PLR2004
    parts.append(f"{', '.join(strong)} moved" if strong else "the columns that matter are as they were")
    return f"{name}: {'; '.join(parts)}"


def _holds(old: Path, now: Path) -> bool:
    """Tell whether a file holds each row that it held before."""
    with connect(threads=2) as (connection, scratch):
        for path, prefix in ((old, "was_"), (now, "is_")):
            open_source(connection, path, name=path.name, scratch=scratch, contract=None, shown=path.name, prefix=prefix)
        query = "SELECT count(*) FROM (SELECT * FROM was_scan EXCEPT ALL SELECT * FROM is_scan)"
        lost = connection.execute(query).fetchone()
        return bool(lost is not None and lost[0] == 0)


def measured_file(path: Path) -> Dataset:
    """Return a file measured in short: rows, and of each column what is missing, its mean, ends and number of values.

    Raises:
        DataError: It holds no rows that can be read.
    """
    with connect(threads=2) as (connection, scratch):
        source = open_source(connection, path, name=path.name, scratch=scratch, contract=None, shown=path.name)
        asked: list[tuple[str, str, str]] = []
        for item in source.columns:
            asked += [
                (item.name, "nullValues", f"count(*) - count({item.key})"),
                (item.name, "distinctValues", f"count(DISTINCT {item.key})"),
            ]
            if any(word in item.type for word in _NUMBERS) and "[" not in item.type:
                number = f"CASE WHEN isfinite(CAST({item.key} AS DOUBLE)) THEN CAST({item.key} AS DOUBLE) END"
                asked += [(item.name, "mean", f"avg({number})"), (item.name, "standardDeviation", f"stddev_samp({number})")]
                asked += [(item.name, "minimum", f"min({number})"), (item.name, "maximum", f"max({number})")]
            elif "[" not in item.type:
                asked.append((item.name, "hash", f"CAST(sum(hash({item.key}) % 1000003) AS VARCHAR)"))
        row = connection.execute(f"SELECT {', '.join(text for *_, text in asked)} FROM scan").fetchone() if asked else ()  # noqa: S608
        measured = tuple(
            Measurement(metric=metric, column=name, value=value)
            for (name, metric, _), value in zip(asked, row, strict=True)
            if value is not None
        )
        columns = tuple(Column(name=item.name, physical_type=item.type) for item in source.columns)
        return Dataset(
            name=path.name, task="", path=path.name, format="csv", columns=columns, rows=source.rows, measurements=measured
        )
